//! Bytes, ends and faults of one stream under TLS.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/pairs.rs"]
mod pairs;
#[path = "support/pipe.rs"]
mod pipe;

use certificates::Authority;
use futures_util::FutureExt;
use futures_util::future::{join, try_join};
use futures_util::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use pairs::{VERSIONS, only, poll_once, shake, tcp};
use pipe::{End, pipe};
use rt_net::tls::rustls::{self, version};
use std::cell::RefCell;
use std::error::Error;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker, ready};

#[test]
fn echo_with_both_versions() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        for version in VERSIONS {
            let connector = only(version, &authority);
            let (near, far) = tcp().await;
            let (mut near, mut far) =
                try_join(connector.connect("localhost", near), acceptor.accept(far)).await.unwrap();
            for text in ["one", "two", "three"] {
                near.write_all(text.as_bytes()).await.unwrap();
                let mut buf = [0; 64];
                let n = far.read(&mut buf).await.unwrap();
                far.write_all(&buf[..n]).await.unwrap();
                let n = near.read(&mut buf).await.unwrap();
                assert_eq!(&buf[..n], text.as_bytes());
            }
            for stream in [&near, &far] {
                assert_eq!(stream.protocol_version(), Some(version.version));
                assert_eq!(stream.server_name(), Some("localhost"));
                assert!(stream.cipher_suite().is_some());
                assert_eq!(stream.alpn_protocol(), None);
            }
            assert_eq!(near.peer_certificates().unwrap().len(), 1);
            assert!(far.peer_certificates().is_none());
            near.close().await.unwrap();
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
            far.close().await.unwrap();
            assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
        }
    });
}

#[test]
fn eight_mebibytes_there_and_back() {
    flavor::block_on(async {
        for version in VERSIONS {
            let (near, far) = tcp().await;
            let (near, far) = shake(version, near, far).await;
            let sent: Vec<u8> = (0..8 << 20).map(|i: u32| (i / 1000) as u8).collect();
            let (mut near_reader, mut near_writer) = near.split();
            let sending = async {
                near_writer.write_all(&sent).await.unwrap();
                near_writer.close().await.unwrap();
            };
            let echoing = async {
                let (reader, mut writer) = far.split();
                copy(reader, &mut writer).await.unwrap();
                writer.close().await.unwrap();
            };
            let receiving = async {
                let mut received = Vec::new();
                near_reader.read_to_end(&mut received).await.unwrap();
                received
            };
            let ((), (received, ())) = join(sending, join(receiving, echoing)).await;
            assert!(received == sent);
        }
    });
}

#[test]
fn one_byte_at_a_time() {
    flavor::block_on(async {
        for version in VERSIONS {
            let (near, far) = pipe(1);
            let (mut near, mut far) = shake(version, near.in_steps_of(1).stuttering(), far.stuttering()).await;
            let sending = async {
                near.write_all(b"question").await.unwrap();
                near.close().await.unwrap();
                let mut answer = String::new();
                near.read_to_string(&mut answer).await.unwrap();
                answer
            };
            let answering = async {
                let mut question = String::new();
                far.read_to_string(&mut question).await.unwrap();
                far.write_all(b"answer").await.unwrap();
                far.close().await.unwrap();
                question
            };
            assert_eq!(join(sending, answering).await, ("answer".into(), "question".into()));
        }
    });
}

#[test]
fn a_write_and_a_read_cost_one_call_each() {
    flavor::block_on(async {
        let (near, far) = pipe(1 << 20);
        let (mut near, mut far) = shake(&version::TLS13, near, far).await;
        // What the handshake leaves: session tickets.
        assert!(poll_once(Box::pin(near.read(&mut [0; 8])).as_mut()).await.is_pending());
        let before = near.get_ref().moves();
        near.write_all(&[7; 64]).await.unwrap();
        near.flush().await.unwrap();
        assert_eq!(near.get_ref().moves(), before + 1);
        assert_eq!(far.read(&mut [0; 64]).await.unwrap(), 64);
        assert_eq!(near.get_ref().moves(), before + 2);
        // Four records, one call.
        near.write_all(&[7; 64 << 10]).await.unwrap();
        assert_eq!(near.get_ref().moves(), before + 3);
    });
}

#[test]
fn vectored_both_ways() {
    flavor::block_on(async {
        let (near, far) = pipe(1 << 16);
        let (mut near, mut far) = shake(&version::TLS13, near, far).await;
        let n = near.write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b""), IoSlice::new(b"llo")]).await.unwrap();
        assert_eq!(n, 5);
        let (mut a, mut b) = ([0; 3], [0; 8]);
        let mut bufs = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(far.read_vectored(&mut bufs).await.unwrap(), 5);
        assert_eq!((&a, &b[..2]), (b"hel", &b"lo"[..]));
        assert_eq!(far.read_vectored(&mut []).await.unwrap(), 0);
        assert_eq!(far.read(&mut []).await.unwrap(), 0);
        assert_eq!(near.write(b"").await.unwrap(), 0);
        assert_eq!(near.write_vectored(&[]).await.unwrap(), 0);
    });
}

#[test]
fn lines_without_another_buffer() {
    flavor::block_on(async {
        let (near, far) = pipe(1 << 16);
        let (mut near, far) = shake(&version::TLS13, near, far).await;
        near.write_all(b"one\ntw").await.unwrap();
        near.write_all(b"o\nthree").await.unwrap();
        near.close().await.unwrap();
        let lines: Vec<String> = futures_util::TryStreamExt::try_collect(far.lines()).await.unwrap();
        assert_eq!(lines, ["one", "two", "three"]);
    });
}

#[test]
fn half_close_leaves_the_other_direction_open() {
    flavor::block_on(async {
        for version in VERSIONS {
            let (near, far) = tcp().await;
            let (mut near, mut far) = shake(version, near, far).await;
            near.write_all(b"question").await.unwrap();
            near.close().await.unwrap();
            near.close().await.unwrap();
            let mut question = String::new();
            far.read_to_string(&mut question).await.unwrap();
            far.write_all(b"answer").await.unwrap();
            far.close().await.unwrap();
            let mut answer = String::new();
            near.read_to_string(&mut answer).await.unwrap();
            assert_eq!((&*question, &*answer), ("question", "answer"));
            assert_eq!(near.write(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        }
    });
}

#[test]
fn server_closes_first_and_reads_on() {
    flavor::block_on(async {
        for version in VERSIONS {
            let (near, far) = tcp().await;
            let (mut near, mut far) = shake(version, near, far).await;
            far.close().await.unwrap();
            assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
            near.write_all(b"late").await.unwrap();
            near.close().await.unwrap();
            let mut late = String::new();
            far.read_to_string(&mut late).await.unwrap();
            assert_eq!(late, "late");
        }
    });
}

#[test]
fn end_without_a_close_notify_is_an_error_unless_it_is_accepted() {
    flavor::block_on(async {
        for version in VERSIONS {
            for accepted in [false, true] {
                let (near, far) = tcp().await;
                let (mut near, mut far) = shake(version, near, far).await;
                // Closing with something unread, such as session tickets, would be a reset.
                far.write_all(b"x").await.unwrap();
                near.read_exact(&mut [0; 1]).await.unwrap();
                near.write_all(b"text").await.unwrap();
                drop(near);
                far.set_accept_truncated_close(accepted);
                let mut text = Vec::new();
                let result = far.read_to_end(&mut text).await;
                assert_eq!(text, b"text");
                if accepted {
                    assert_eq!(result.unwrap(), 4);
                    assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
                    assert_eq!(far.fill_buf().await.unwrap(), b"");
                } else {
                    let error = result.unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                    assert!(error.to_string().contains("accept_truncated_close(true)"), "{error}");
                    assert_eq!(far.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
                    assert_eq!(far.fill_buf().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
                }
            }
        }
    });
}

#[test]
fn record_that_is_cut_short_is_no_text() {
    flavor::block_on(async {
        let (near, far) = pipe(1 << 16);
        let (mut near, mut far) = shake(&version::TLS13, near, far).await;
        near.write_all(b"whole").await.unwrap();
        near.write_all(b"cut").await.unwrap();
        far.get_ref().tamper(|bytes| bytes.pop_back());
        drop(near);
        let mut text = Vec::new();
        assert_eq!(far.read_to_end(&mut text).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(text, b"whole");
    });
}

#[test]
fn record_that_was_changed_is_an_error_behind_what_came_before() {
    flavor::block_on(async {
        for version in VERSIONS {
            let (near, far) = pipe(1 << 16);
            let (mut near, mut far) = shake(version, near, far).await;
            near.write_all(b"good").await.unwrap();
            near.write_all(b"bad").await.unwrap();
            far.get_ref().tamper(|bytes| *bytes.back_mut().unwrap() ^= 1);
            let mut buf = [0; 64];
            assert_eq!(far.read(&mut buf).await.unwrap(), 4);
            for _ in 0..2 {
                let error = far.read(&mut buf).await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                assert_eq!(
                    error.to_string(),
                    "TLS connection with the client failed: a record does not decrypt: it was changed on the way"
                );
                let fault = error.source().unwrap().downcast_ref::<rustls::Error>();
                assert_eq!(fault, Some(&rustls::Error::DecryptError));
            }
            assert_eq!(far.write(b"x").await.unwrap_err().kind(), io::ErrorKind::InvalidData);
            // The other side is told.
            let error = near.read(&mut buf).await.unwrap_err();
            assert!(error.to_string().ends_with("(alert BadRecordMac)"), "{error}");
            far.close().await.unwrap();
        }
    });
}

#[test]
fn reset_while_reading_and_writing() {
    flavor::block_on(async {
        let (near, far) = pipe(64);
        let (near, far) = shake(&version::TLS13, near, far).await;
        let (mut reader, mut writer) = near.split();
        let mut buf = [0; 8];
        let mut reading = Box::pin(reader.read(&mut buf));
        let mut writing = Box::pin(writer.write_all(&[1; 4096]));
        assert!(poll_once(reading.as_mut()).await.is_pending());
        assert!(poll_once(writing.as_mut()).await.is_ready(), "what one write takes is held");
        let mut flushing = Box::pin(async { writer.flush().await });
        assert!(poll_once(flushing.as_mut()).await.is_pending());
        far.get_ref().reset();
        assert_eq!(reading.await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(flushing.await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn writer_whose_peer_does_not_read_waits_and_holds_64_kib() {
    flavor::block_on(async {
        let (near, far) = pipe(1000);
        let (mut near, mut far) = shake(&version::TLS13, near, far).await;
        let mut taken = 0;
        loop {
            let mut writing = Box::pin(near.write(&[7; 1 << 20]));
            match poll_once(writing.as_mut()).await {
                std::task::Poll::Ready(count) => taken += count.unwrap(),
                std::task::Poll::Pending => break,
            }
        }
        assert!(taken <= 64 << 10, "{taken}");
        // None of it is lost, and nothing of the write that waited was taken.
        let closing = async { near.close().await.unwrap() };
        let mut all = Vec::new();
        let (result, ()) = join(far.read_to_end(&mut all), closing).await;
        assert_eq!(result.unwrap(), taken);
    });
}

#[test]
fn reader_that_is_slow_leaves_the_rest_where_it_is() {
    flavor::block_on(async {
        let (near, far) = pipe(1 << 20);
        let (mut near, mut far) = shake(&version::TLS13, near, far).await;
        near.write_all(&[7; 512 << 10]).await.unwrap();
        let waiting = far.get_ref().arrived();
        for _ in 0..100 {
            far.read_exact(&mut [0; 10]).await.unwrap();
        }
        // Two records read ahead, and what rustls makes of one.
        assert!(far.get_ref().arrived() > waiting - (64 << 10), "{}", far.get_ref().arrived());
        let rest = async {
            let mut rest = Vec::new();
            far.read_to_end(&mut rest).await.unwrap();
            rest.len()
        };
        let (rest, closed) = join(rest, near.close()).await;
        closed.unwrap();
        assert_eq!(rest, (512 << 10) - 1000);
    });
}

#[test]
fn what_a_write_left_behind_goes_out_while_reading() {
    flavor::block_on(async {
        let (near, far) = pipe(100);
        let (mut near, mut far) = shake(&version::TLS13, near, far).await;
        let text = vec![7; 1000];
        near.write_all(&text).await.unwrap();
        // The question is not flushed, and its writer waits for the answer.
        let mut answer = [0; 2];
        let asking = near.read_exact(&mut answer);
        let answering = async {
            far.read_exact(&mut vec![0; 1000]).await.unwrap();
            far.write_all(b"ok").await.unwrap();
            far.flush().await.unwrap();
        };
        let (asked, ()) = join(asking, answering).await;
        asked.unwrap();
        assert_eq!(&answer, b"ok");
    });
}

#[test]
fn reader_in_another_task_does_not_take_the_writers_place() {
    flavor::block_on(async {
        let (near, far) = pipe(100);
        let (near, mut far) = shake(&version::TLS13, near, far).await;
        let (mut reader, mut writer) = near.split();
        let writing = rt::spawn(async move {
            for _ in 0..10 {
                writer.write_all(&[7; 1000]).await.unwrap();
                writer.flush().await.unwrap();
            }
            writer.close().await.unwrap();
        });
        let reading = rt::spawn(async move {
            let mut count = 0;
            while reader.read(&mut [0; 1]).await.unwrap() > 0 {
                count += 1;
            }
            count
        });
        let mut received = 0;
        loop {
            let mut buf = [0; 300];
            match far.read(&mut buf).await.unwrap() {
                0 => break,
                count => received += count,
            }
            far.write_all(b"!").await.unwrap();
            far.flush().await.unwrap();
        }
        far.close().await.unwrap();
        writing.await.unwrap();
        assert_eq!(received, 10_000);
        assert!(reading.await.unwrap() >= 34);
    });
}

/// The stream below has one waker for what goes out. A flush waits there, and a reader has an alert to send.
#[test]
fn reader_does_not_take_the_place_of_who_flushes() {
    flavor::block_on(async {
        let (near, far) = pipe(1 << 16);
        let (near, far) = (Gated::open(near), Gated::open(far));
        let gate = near.gate.clone();
        let (mut near, mut far) = shake(&version::TLS13, near, far).await;
        far.write_all(b"x").await.unwrap();
        near.read_exact(&mut [0; 1]).await.unwrap();
        near.write_all(b"waits").await.unwrap();
        gate.lock().unwrap().is_closed = true;
        let flushes = Arc::new(Count::default());
        let waker = flushes.clone().into();
        assert!(Pin::new(&mut near).poll_flush(&mut Context::from_waker(&waker)).is_pending());
        far.write_all(b"bad").await.unwrap();
        near.get_ref().end.tamper(|bytes| *bytes.back_mut().unwrap() ^= 1);
        let read = poll_once(Box::pin(near.read(&mut [0; 8])).as_mut()).await;
        assert!(matches!(read, Poll::Ready(Err(_))), "{read:?}");
        let waiting = {
            let mut gate = gate.lock().unwrap();
            gate.is_closed = false;
            gate.waiting.take()
        };
        waiting.unwrap().wake();
        assert_eq!(flushes.0.load(Ordering::Relaxed), 1);
        near.flush().await.unwrap();
    });
}

/// A stream that takes and passes on nothing while its gate is closed.
struct Gated {
    end: End,
    gate: Arc<Mutex<Gate>>,
}

#[derive(Default)]
struct Gate {
    is_closed: bool,
    waiting: Option<Waker>,
}

impl Gated {
    fn open(end: End) -> Gated {
        Gated { end, gate: Arc::default() }
    }

    fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        let mut gate = self.gate.lock().unwrap();
        if gate.is_closed {
            gate.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Gated {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.end).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx));
        Pin::new(&mut self.end).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_open(cx).map(Ok)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx));
        Pin::new(&mut self.end).poll_close(cx)
    }
}

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One that reads in a destructor of the thread's, when the buffer that its reads share is gone.
#[test]
fn thread_that_exits_reads() {
    struct AtExit(Option<Box<dyn FnOnce()>>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            self.0.take().unwrap()();
        }
    }
    thread_local! {
        static AT_EXIT: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    }
    let (sender, received) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        // Known to the thread before the buffer is, so dropped after it.
        AT_EXIT.set(Some(AtExit(None)));
        let (near, far) = pipe(1 << 16);
        let (mut near, mut far) = rt::block_on(shake(&version::TLS13, near, far));
        near.write_all(b"late").now_or_never().unwrap().unwrap();
        let read = move || {
            let mut text = [0; 4];
            far.read_exact(&mut text).now_or_never().unwrap().unwrap();
            sender.send(text).unwrap();
            drop(near);
        };
        std::mem::forget(AT_EXIT.replace(Some(AtExit(Some(Box::new(read))))));
    });
    assert_eq!(received.recv().unwrap(), *b"late");
    thread.join().unwrap();
}

#[test]
fn back_to_the_stream_below() {
    flavor::block_on(async {
        let (near, far) = tcp().await;
        let (near, far) = shake(&version::TLS13, near, far).await;
        // The tickets of the handshake are read first.
        let (mut near, mut far) = (near, far);
        far.write_all(b"x").await.unwrap();
        near.read_exact(&mut [0; 1]).await.unwrap();
        let (mut near, mut far) = (near.into_inner(), far.into_inner());
        near.write_all(b"plain").await.unwrap();
        let mut text = [0; 5];
        far.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"plain");
    });
}
