//! Protocols on streams: order of events, flushing, ends of all kinds, backpressure, and the way to a stream and back.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::deferred::unhandled;
use rt::io::{DuplexStream, duplex};
use rt::net::{TcpListener, TcpStream};
use rt::protocol::{ConnectionLost, HandleError, Producer, Protocol, ProtocolHandle, Transport, WriteLimits, drive};
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What happened, in order.
type Log = Rc<RefCell<Vec<String>>>;

/// Notes its events, and reacts to words.
struct Noting {
    log: Log,
    half_closes: bool,
}

impl Noting {
    fn new(log: &Log) -> Self {
        Self { log: log.clone(), half_closes: false }
    }

    fn note(&self, what: impl Into<String>) {
        self.log.borrow_mut().push(what.into());
    }
}

impl Protocol for Noting {
    fn connection_made(&mut self, _: &Transport) {
        self.note("made");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let text = String::from_utf8_lossy(data).into_owned();
        self.note(format!("data {text}"));
        match text.as_str() {
            "lose" => {
                transport.write(b"bye");
                transport.lose_connection();
            }
            "abort" => transport.abort_connection(),
            "pause" => transport.pause_producing(),
            "half" => {
                transport.write(b"last words");
                transport.lose_write_connection();
            }
            "panic" => panic!("as asked"),
            _ => transport.write(data),
        }
        self.note("returned");
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        // Thrown away.
        transport.write(b"too late");
        self.note(format!("lost {reason}"));
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        self.note("read lost");
        if !self.half_closes {
            transport.lose_connection();
        }
    }

    fn write_connection_lost(&mut self, _: &Transport) {
        self.note("write lost");
    }

    fn reading_resumed(&mut self, _: &Transport) {
        self.note("resumed");
    }
}

fn noting() -> (DuplexStream, ProtocolHandle<Noting>, Log) {
    let (near, far) = duplex(64 * 1024);
    let log = Log::default();
    (near, drive(far, Noting::new(&log)), log)
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin), count: usize) -> String {
    let mut buffer = vec![0; count];
    stream.read_exact(&mut buffer).await.unwrap();
    String::from_utf8(buffer).unwrap()
}

async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

fn events(log: &Log) -> Vec<String> {
    log.take()
}

#[test]
fn connection_made_is_called_at_once() {
    flavor::block_on(async {
        let (_near, _handle, log) = noting();
        assert_eq!(events(&log), ["made"]);
    });
}

#[test]
fn what_is_written_in_an_event_is_sent_after_it() {
    flavor::block_on(async {
        let (mut near, _handle, log) = noting();
        near.write_all(b"one").await.unwrap();
        assert_eq!(read(&mut near, 3).await, "one");
        assert_eq!(events(&log), ["made", "data one", "returned"]);
    });
}

#[test]
fn losing_flushes_and_then_tells() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting();
        near.write_all(b"lose").await.unwrap();
        assert_eq!(read_to_end(&mut near).await, "bye");
        let reason = handle.transport().closed().await.unwrap();
        assert!(reason.is_clean());
        assert_eq!(events(&log), ["made", "data lose", "returned", "lost the connection was closed"]);
        assert_eq!(handle.with(|_, _| ()), Err(HandleError::Lost));
    });
}

#[test]
fn the_peer_closes() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting();
        near.write_all(b"x").await.unwrap();
        near.close().await.unwrap();
        assert_eq!(read_to_end(&mut near).await, "x");
        handle.transport().closed().await.unwrap();
        assert_eq!(events(&log), ["made", "data x", "returned", "read lost", "lost the connection was closed"]);
    });
}

#[test]
fn half_closed_by_the_peer_it_still_writes() {
    flavor::block_on(async {
        let (mut near, far) = duplex(1024);
        let log = Log::default();
        let handle = drive(far, Noting { log: log.clone(), half_closes: true });
        near.close().await.unwrap();
        let mut nothing_yet = [0; 8];
        let write = async {
            rt::task::yield_now().await;
            handle.transport().write(b"still there");
            handle.transport().lose_connection();
        };
        let (count, ()) = rt::join!(near.read(&mut nothing_yet), write);
        assert_eq!(&nothing_yet[..count.unwrap()], b"still th");
        assert_eq!(read_to_end(&mut near).await, "ere");
        handle.transport().closed().await.unwrap();
        assert_eq!(events(&log), ["made", "read lost", "lost the connection was closed"]);
    });
}

#[test]
fn closing_the_writing_side_lets_the_peer_go_on() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting();
        near.write_all(b"half").await.unwrap();
        assert_eq!(read_to_end(&mut near).await, "last words");
        near.write_all(b"more").await.unwrap();
        near.close().await.unwrap();
        assert!(handle.transport().closed().await.unwrap().is_clean());
        assert_eq!(
            events(&log),
            [
                "made",
                "data half",
                "returned",
                "write lost",
                "data more",
                "returned",
                "read lost",
                "lost the connection was closed"
            ]
        );
    });
}

#[test]
fn closing_the_writing_side_twice_is_told_once() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting();
        let transport = handle.transport();
        transport.lose_write_connection();
        assert_eq!(read_to_end(&mut near).await, "");
        transport.lose_write_connection();
        transport.resume_producing();
        near.close().await.unwrap();
        transport.closed().await.unwrap();
        assert_eq!(events(&log), ["made", "write lost", "read lost", "lost the connection was closed"]);
    });
}

#[test]
fn closed_on_both_sides_it_is_over() {
    flavor::block_on(async {
        let (mut near, far) = duplex(1024);
        let log = Log::default();
        let handle = drive(far, Noting { log: log.clone(), half_closes: true });
        near.write_all(b"half").await.unwrap();
        near.close().await.unwrap();
        assert_eq!(read_to_end(&mut near).await, "last words");
        assert!(handle.transport().closed().await.unwrap().is_clean());
        let log = events(&log);
        assert_eq!(log[..3], ["made", "data half", "returned"]);
        assert!(log.contains(&"read lost".to_owned()) && log.contains(&"write lost".to_owned()), "{log:?}");
        assert_eq!(log[5..], ["lost the connection was closed"]);
    });
}

#[test]
fn aborting_throws_away_what_is_not_sent() {
    flavor::block_on(async {
        let (near, handle, log) = noting();
        let transport = handle.transport();
        transport.write(&vec![0; 200_000]);
        transport.abort_connection();
        assert!(matches!(transport.closed().await.unwrap(), ConnectionLost::Aborted));
        assert_eq!(events(&log), ["made", "lost the connection was aborted by this side"]);
        drop(near);
    });
}

#[test]
fn a_tcp_peer_of_an_aborted_connection_sees_a_reset() {
    flavor::block_on(async {
        let (mut near, far) = tcp().await;
        let handle = drive(far, Noting::new(&Log::default()));
        near.write_all(b"abort").await.unwrap();
        let error = near.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        handle.transport().closed().await.unwrap();
    });
}

#[test]
fn a_reset_by_the_peer_is_the_reason() {
    flavor::block_on(async {
        let (near, far) = tcp().await;
        let log = Log::default();
        let handle = drive(far, Noting::new(&log));
        let peer = handle.transport().peer();
        near.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(near);
        let reason = handle.transport().closed().await.unwrap();
        assert_eq!(reason.io_kind(), Some(io::ErrorKind::ConnectionReset));
        assert!(!reason.is_clean());
        assert_eq!(handle.transport().peer(), peer, "known after the end");
    });
}

#[test]
fn a_panic_ends_its_connection_and_is_reported() {
    let ((), reports) = unhandled::capture(|| {
        rt::block_on(async {
            let (mut near, handle, log) = noting();
            near.write_all(b"panic").await.unwrap();
            let reason = handle.transport().closed().await.unwrap();
            assert!(matches!(reason, ConnectionLost::Panicked(_)));
            let events = events(&log);
            assert_eq!(events[..2], ["made", "data panic"]);
            assert!(events[2].starts_with("lost the protocol panicked") && events.len() == 3, "{events:?}");
        });
    });
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].failure.panic_message(), Some("as asked"));
}

#[test]
fn a_protocol_in_an_event_cannot_be_called() {
    flavor::block_on(async {
        struct Curious {
            handle: Rc<RefCell<Option<ProtocolHandle<Curious>>>>,
            found: Rc<Cell<Option<HandleError>>>,
        }
        impl Protocol for Curious {
            fn data_received(&mut self, _: &Transport, _: &[u8]) {
                let handle = self.handle.borrow().clone().unwrap();
                self.found.set(handle.with(|_, _| ()).err());
            }
        }
        let (mut near, far) = duplex(64);
        let (place, found) = (Rc::default(), Rc::new(Cell::new(None)));
        let handle = drive(far, Curious { handle: Rc::clone(&place), found: found.clone() });
        *place.borrow_mut() = Some(handle.clone());
        near.write_all(b"?").await.unwrap();
        near.close().await.unwrap();
        handle.transport().closed().await.unwrap();
        assert_eq!(found.get(), Some(HandleError::Busy));
    });
}

#[test]
fn a_paused_transport_reads_nothing_until_resumed() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting();
        near.write_all(b"pause").await.unwrap();
        rt::task::yield_now().await;
        rt::task::yield_now().await;
        near.write_all(b"more").await.unwrap();
        near.close().await.unwrap();
        for _ in 0..10 {
            rt::task::yield_now().await;
        }
        assert!(handle.transport().is_paused());
        assert_eq!(events(&log), ["made", "data pause", "returned"]);
        handle.transport().resume_producing();
        assert_eq!(read_to_end(&mut near).await, "more");
        handle.transport().closed().await.unwrap();
        assert_eq!(events(&log), ["resumed", "data more", "returned", "read lost", "lost the connection was closed"]);
    });
}

#[test]
fn a_peer_that_does_not_read_answers_is_not_read() {
    flavor::block_on(async {
        let (mut near, far) = duplex(8 * 1024);
        let handle = drive(far, Noting::new(&Log::default()));
        let transport = handle.transport();
        // Writes until nobody takes anything any more.
        let mut sent = 0;
        loop {
            let mut write = Box::pin(near.write(&[b'x'; 1024]));
            let mut waited = 0;
            let written = std::future::poll_fn(|cx| match write.as_mut().poll(cx) {
                Poll::Ready(count) => Poll::Ready(count.unwrap()),
                Poll::Pending if waited == 100 => Poll::Ready(0),
                Poll::Pending => {
                    waited += 1;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            })
            .await;
            sent += written;
            if written == 0 {
                break;
            }
        }
        let high = WriteLimits::default().high;
        assert!(transport.unsent() <= high, "{} bytes are held, the mark is {high}", transport.unsent());
        assert!(sent > high / 2, "only {sent} bytes were taken");
        // And when the peer reads, all comes.
        near.close().await.unwrap();
        assert_eq!(read_to_end(&mut near).await.len(), sent);
        transport.closed().await.unwrap();
    });
}

#[test]
fn more_than_the_cap_ends_the_connection() {
    flavor::block_on(async {
        let (near, handle, log) = noting();
        let transport = handle.transport();
        transport.set_write_limits(WriteLimits { cap: Some(100_000), ..WriteLimits::default() });
        transport.write(&vec![0; 100_001]);
        let reason = transport.closed().await.unwrap();
        assert!(matches!(reason, ConnectionLost::WriteLimit { unsent: 100_001, cap: 100_000 }));
        assert_eq!(
            events(&log)[1],
            "lost the peer does not read: 100001 bytes waited to be sent, and at most 100000 may"
        );
        drop(near);
    });
}

#[test]
fn drained_fires_when_the_peer_has_read() {
    flavor::block_on(async {
        let (mut near, handle, _log) = noting();
        let transport = handle.transport();
        transport.write(&[b'x'; 200_000]);
        let drained = transport.drained();
        let (mut text, ()) = rt::join!(read(&mut near, 190_000), async { drained.await.unwrap() });
        assert!(transport.unsent() <= transport.write_limits().low);
        text.push_str(&read(&mut near, 10_000).await);
        assert_eq!(text.len(), 200_000);
    });
}

#[test]
fn drained_fails_when_the_connection_goes() {
    flavor::block_on(async {
        let (near, handle, _log) = noting();
        let transport = handle.transport();
        transport.write(&[b'x'; 200_000]);
        let drained = transport.drained();
        transport.abort_connection();
        assert!(drained.await.unwrap_err().check::<ConnectionLost>());
        drop(near);
    });
}

#[test]
fn the_runtime_ends_and_the_protocol_is_told() {
    let log = Log::default();
    let runtime = rt::runtime::Builder::new_current_thread().build().unwrap();
    let near = runtime.block_on(async {
        let (near, far) = duplex(64);
        drive(far, Noting::new(&log));
        near
    });
    drop(runtime);
    assert_eq!(events(&log), ["made", "lost the connection was aborted by this side"]);
    drop(near);
}

#[test]
fn what_was_sent_before_the_end_of_the_runtime_reaches_the_peer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = rt::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let transport = drive(TcpStream::connect(address).await.unwrap(), Noting::new(&Log::default())).transport();
        transport.write(b"last words");
        while transport.unsent() > 0 {
            rt::task::yield_now().await;
        }
    });
    drop(runtime);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut listener.accept().unwrap().0, &mut text).unwrap();
    assert_eq!(text, "last words");
}

#[test]
fn a_pull_producer_writes_at_the_pace_of_the_peer() {
    flavor::block_on(async {
        struct Pieces {
            transport: Transport,
            left: Cell<u32>,
            most: Rc<Cell<usize>>,
        }
        impl Producer for Pieces {
            fn resume_producing(&self) {
                self.most.set(self.most.get().max(self.transport.unsent()));
                match self.left.get() {
                    0 => self.transport.unregister_producer(),
                    left => {
                        self.left.set(left - 1);
                        self.transport.write(&[b'p'; 1000]);
                    }
                }
            }
            fn stop_producing(&self) {}
        }
        let (mut near, handle, _log) = noting();
        let (transport, most) = (handle.transport(), Rc::new(Cell::new(0)));
        let pieces = Pieces { transport: transport.clone(), left: Cell::new(500), most: most.clone() };
        transport.register_producer(pieces, false).unwrap();
        transport.lose_connection();
        assert_eq!(read_to_end(&mut near).await.len(), 500_000);
        assert_eq!(most.get(), 0, "a piece is asked for when all before is sent");
    });
}

#[test]
fn taken_as_a_stream_and_given_back_no_byte_is_lost() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting();
        let transport = handle.transport();
        transport.write(b"from the protocol, ");
        let mut stream = transport.take_stream(b"un").unwrap();
        assert!(transport.take_stream(b"").is_err());
        near.write_all(b"read and more").await.unwrap();
        assert_eq!(read(&mut stream, 6).await, "unread");
        stream.write_all(b"from the stream").await.unwrap();
        assert_eq!(read(&mut near, 34).await, "from the protocol, from the stream");
        assert_eq!(read(&mut stream, 5).await, " and ");
        stream.give_back(b"and ");
        near.close().await.unwrap();
        assert_eq!(read_to_end(&mut near).await, "and more");
        transport.closed().await.unwrap();
        assert_eq!(
            events(&log),
            ["made", "data and ", "returned", "data more", "returned", "read lost", "lost the connection was closed"]
        );
    });
}

#[test]
fn a_stream_that_is_dropped_loses_the_connection() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting();
        drop(handle.transport().take_stream(b"").unwrap());
        assert_eq!(read_to_end(&mut near).await, "");
        assert!(handle.transport().closed().await.unwrap().is_clean());
        assert_eq!(events(&log), ["made", "lost the connection was closed"]);
    });
}

#[test]
fn aborted_while_taken_the_stream_fails() {
    flavor::block_on(async {
        let (_near, handle, _log) = noting();
        let mut stream = handle.transport().take_stream(b"").unwrap();
        let mut buffer = [0; 4];
        let abort = async { handle.transport().abort_connection() };
        let (read, ()) = rt::join!(stream.read(&mut buffer), abort);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::NotConnected);
    });
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

/// Takes whatever is written, and has nothing to read.
struct Abyss;

impl futures_util::io::AsyncRead for Abyss {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl futures_util::io::AsyncWrite for Abyss {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_endless_producer_on_a_stream_that_takes_all_lets_others_run() {
    struct Endless(Transport);
    impl Producer for Endless {
        fn resume_producing(&self) {
            self.0.write(b"more");
        }
        fn stop_producing(&self) {}
    }
    flavor::block_on(async {
        let transport = drive(Abyss, Noting::new(&Log::default())).transport();
        transport.register_producer(Endless(transport.clone()), false).unwrap();
        for _ in 0..3 {
            rt::task::yield_now().await;
        }
        transport.abort_connection();
        transport.closed().await.unwrap();
    });
}

#[test]
fn a_transport_that_is_kept_keeps_neither_protocol_nor_stream() {
    flavor::block_on(async {
        let (near, handle, log) = noting();
        let transport = handle.transport();
        transport.lose_connection();
        transport.closed().await.unwrap();
        assert_eq!(Rc::strong_count(&log), 1, "the protocol is dropped");
        let mut near = near;
        assert_eq!(near.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe, "the stream is dropped");
        assert!(!transport.is_connected());
    });
}
