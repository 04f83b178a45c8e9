//! One connection over loopback: bytes, ends, errors, and who is woken.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::future::{join, join3};
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt_net::{TcpListener, TcpStream};
use rt_runtime::{Interest, Ready};
use socket2::SockRef;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

#[test]
fn bytes_both_ways() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        for text in ["one", "two", "three"] {
            near.write_all(text.as_bytes()).await.unwrap();
            let mut buf = [0; 64];
            let n = far.read(&mut buf).await.unwrap();
            far.write_all(&buf[..n]).await.unwrap();
            let n = near.read(&mut buf).await.unwrap();
            assert_eq!(&buf[..n], text.as_bytes());
        }
    });
}

#[test]
fn more_than_the_buffers_hold() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        let sent: Vec<u8> = (0..8 << 20).map(|i: u32| (i / 1000) as u8).collect();
        let sending = async {
            near.write_all(&sent).await.unwrap();
            near.shutdown().await.unwrap();
        };
        let receiving = async {
            let mut received = Vec::new();
            far.read_to_end(&mut received).await.unwrap();
            received
        };
        let ((), received) = join(sending, receiving).await;
        assert!(received == sent);
    });
}

/// The system takes 1024 buffers at a time: what it leaves does not mean that the stream is full, or drained.
#[test]
fn more_buffers_than_the_system_takes() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        // Watched both ways: from now on only events tell.
        near.ready(Interest::READABLE | Interest::WRITABLE).await.unwrap();
        let sent: Vec<u8> = (0..3000).map(|n| (n % 251) as u8).collect();
        let slices: Vec<IoSlice<'_>> = sent.chunks(1).map(IoSlice::new).collect();
        let mut written = 0;
        while written < sent.len() {
            written += near.write_vectored(&slices[written..]).await.unwrap();
        }
        let mut received = vec![0; sent.len()];
        let mut read = 0;
        while read < received.len() {
            let mut room: Vec<IoSliceMut<'_>> = received[read..].chunks_mut(1).map(IoSliceMut::new).collect();
            read += far.read_vectored(&mut room).await.unwrap();
        }
        assert_eq!(received, sent);
    });
}

#[test]
fn vectored_both_ways() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        let n = near.write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")]).await.unwrap();
        assert_eq!(n, 5);
        let (mut a, mut b) = ([0; 3], [0; 8]);
        let n = far.read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).await.unwrap();
        assert_eq!((n, &a, &b[..2]), (5, b"hel", &b"lo"[..]));
        assert_eq!(far.try_write_vectored(&[IoSlice::new(b"by"), IoSlice::new(b"e")]).unwrap(), 3);
        near.readable().await.unwrap();
        assert_eq!(near.try_read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).unwrap(), 3);
        assert_eq!(&a, b"bye");
    });
}

#[test]
fn half_close_leaves_the_other_direction_open() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        near.write_all(b"question").await.unwrap();
        near.shutdown().await.unwrap();
        let mut question = String::new();
        far.read_to_string(&mut question).await.unwrap();
        far.write_all(b"answer").await.unwrap();
        drop(far);
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert_eq!((&*question, &*answer), ("question", "answer"));
        let error = near.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn end_is_read_again_and_again() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        drop(near);
        for _ in 0..3 {
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        }
        assert!(far.ready(Interest::READABLE).await.unwrap().is_read_closed());
    });
}

#[test]
fn end_right_behind_the_last_bytes() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        near.try_write(b"last").unwrap();
        drop(near);
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"last");
    });
}

#[test]
fn reset_while_reading_is_an_error() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        let mut buf = [0; 8];
        let mut reading = Box::pin(far.read(&mut buf));
        assert!(poll_once(reading.as_mut()).await.is_pending());
        near.set_linger(Some(Duration::ZERO)).unwrap();
        drop(near);
        assert_eq!(reading.await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert!(far.write(b"x").await.is_err());
        far.shutdown().await.unwrap();
        assert!(far.peer_addr().is_err());
    });
}

#[test]
fn reset_while_writing_is_an_error() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        fill(&far);
        let mut writing = Box::pin(far.write(b"x"));
        assert!(poll_once(writing.as_mut()).await.is_pending());
        near.set_linger(Some(Duration::ZERO)).unwrap();
        drop(near);
        assert!(writing.await.is_err());
    });
}

#[test]
fn connection_refused() {
    flavor::block_on(async {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = TcpStream::connect(free).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn second_address_answers() {
    flavor::block_on(async {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [free, listener.local_addr().unwrap()];
        let stream = TcpStream::connect(&addresses[..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
    });
}

#[test]
fn connect_by_name() {
    flavor::block_on(async {
        let listener = TcpListener::bind(("localhost", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect(format!("localhost:{port}")).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
    });
}

#[test]
fn name_without_a_port_is_refused() {
    flavor::block_on(async {
        for name in ["localhost", "localhost:http", "localhost:70000", ""] {
            let error = TcpStream::connect(name).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains("host:port"));
        }
        let none: &[SocketAddr] = &[];
        assert_eq!(TcpStream::connect(none).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn connect_that_is_dropped_closes_its_socket() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connecting = Box::pin(TcpStream::connect(listener.local_addr().unwrap()));
        let _ = poll_once(connecting.as_mut()).await;
        drop(connecting);
        let (mut accepted, _) = listener.accept().await.unwrap();
        assert_eq!(accepted.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

#[test]
fn peek_leaves_the_bytes() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        near.write_all(b"abc").await.unwrap();
        let mut buf = [0; 2];
        assert_eq!(far.peek(&mut buf).await.unwrap(), 2);
        assert_eq!(poll_fn(|cx| far.poll_peek(cx, &mut buf)).await.unwrap(), 2);
        let mut all = [0; 3];
        far.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"abc");
    });
}

#[test]
fn try_read_before_anybody_waited() {
    flavor::block_on(async {
        let (mut near, far) = pair().await;
        let nothing = far.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        near.write_all(b"x").await.unwrap();
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 8]).unwrap(), 1);
        let nothing = far.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    });
}

#[test]
fn writable_again_when_the_peer_has_read() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        let filled = fill(&near);
        let mut writable = Box::pin(near.writable());
        assert!(poll_once(writable.as_mut()).await.is_pending());
        let mut drained = 0;
        while drained < filled {
            drained += far.read(&mut [0; 1 << 16]).await.unwrap();
        }
        writable.await.unwrap();
        assert_eq!(near.try_write(b"x").unwrap(), 1);
    });
}

#[test]
fn read_and_write_pend_in_one_stream() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        let filled = fill(&near);
        let (mut reader, mut writer) = TcpStream::split(&mut near);
        let reading = async {
            let mut buf = [0; 1];
            reader.read_exact(&mut buf).await.unwrap();
            buf[0]
        };
        let writing = async { writer.write_all(b"z").await.unwrap() };
        let other = async {
            far.write_all(b"a").await.unwrap();
            let mut all = vec![0; filled + 1];
            far.read_exact(&mut all).await.unwrap();
            all[filled]
        };
        let (read, (), last) = join3(reading, writing, other).await;
        assert_eq!((read, last), (b'a', b'z'));
    });
}

#[test]
fn several_waiters_are_all_told_and_a_dropped_one_takes_nothing_away() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        let mut buf = [0; 1];
        {
            let mut dropped = Box::pin(far.readable());
            let mut first = Box::pin(far.readable());
            let mut second = Box::pin(far.ready(Interest::READABLE));
            assert!(poll_once(dropped.as_mut()).await.is_pending());
            assert!(poll_once(first.as_mut()).await.is_pending());
            assert!(poll_once(second.as_mut()).await.is_pending());
            drop(dropped);
            near.write_all(b"x").await.unwrap();
            first.await.unwrap();
            assert!(second.await.unwrap().is_readable());
        }
        far.read_exact(&mut buf).await.unwrap();
    });
}

#[test]
fn reading_future_that_is_dropped_loses_nothing() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        let mut buf = [0; 8];
        let mut reading = Box::pin(far.read(&mut buf));
        assert!(poll_once(reading.as_mut()).await.is_pending());
        near.write_all(b"x").await.unwrap();
        drop(reading);
        assert_eq!(far.read(&mut buf).await.unwrap(), 1);
    });
}

#[test]
fn urgent_byte_does_not_hide_what_is_behind_it() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        assert!(poll_once(pin!(far.readable())).await.is_pending());
        near.try_write(b"ab").unwrap();
        SockRef::from(&near).send_out_of_band(b"!").unwrap();
        near.try_write(b"cd").unwrap();
        let mut all = [0; 4];
        far.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"abcd");
    });
}

#[test]
fn options() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        near.set_nodelay(true).unwrap();
        assert!(near.nodelay().unwrap());
        near.set_ttl(42).unwrap();
        assert_eq!(near.ttl().unwrap(), 42);
        near.set_linger(Some(Duration::from_secs(3))).unwrap();
        assert_eq!(near.linger().unwrap(), Some(Duration::from_secs(3)));
        near.set_linger(None).unwrap();
        assert!(near.take_error().unwrap().is_none());
        assert_eq!(near.local_addr().unwrap(), far.peer_addr().unwrap());
        assert_eq!(near.peer_addr().unwrap(), far.local_addr().unwrap());
    });
}

#[test]
fn there_and_back_to_the_standard_library() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        for _ in 0..3 {
            near.write_all(b"x").await.unwrap();
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 1);
            assert!(poll_once(pin!(far.readable())).await.is_pending(), "it is watched");
            let mut plain = far.into_std().unwrap();
            assert_eq!(plain.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            far = TcpStream::from_std(plain).unwrap();
        }
    });
}

/// The duplicate keeps the file in epoll under the number of the stream that was closed; the next duplicate gets that number.
#[cfg(unix)]
#[test]
fn duplicate_of_a_closed_stream_is_watched_anew() {
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};
    flavor::block_on(async {
        let (mut near, far) = pair().await;
        assert!(poll_once(pin!(far.readable())).await.is_pending());
        let duplicate = far.as_fd().try_clone_to_owned().unwrap();
        let number = far.as_raw_fd();
        drop(far);
        let mut others: Vec<OwnedFd> = Vec::new();
        let again = loop {
            let next = duplicate.try_clone().unwrap();
            // Another test may have taken the number: then there is nothing to take over, and nothing to see.
            if next.as_raw_fd() == number || others.len() == 16 {
                break next;
            }
            others.push(next);
        };
        let mut far = TcpStream::from_std(again.into()).unwrap();
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 1);
    });
}

#[test]
fn stream_moves_to_another_thread_and_is_dropped_there() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        assert!(poll_once(pin!(near.readable())).await.is_pending());
        let dropped = std::thread::spawn(move || {
            near.try_write(b"bye").unwrap();
            drop(near);
        });
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "bye");
        dropped.join().unwrap();
    });
}

#[test]
fn stream_that_waits_is_dropped_on_another_thread_after_its_runtime() {
    let (near, far) = flavor::block_on(async {
        let (near, far) = pair().await;
        assert!(poll_once(pin!(near.readable())).await.is_pending());
        (near, far)
    });
    let error = flavor::block_on(async { near.readable().await.unwrap_err() });
    assert!(error.to_string().contains("shut down"));
    std::thread::spawn(move || drop((near, far))).join().unwrap();
}

#[test]
fn places_are_used_again_without_mixing_up_the_streams() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for round in 0..200u8 {
            let (near, far) = join(TcpStream::connect(address), listener.accept()).await;
            let (mut near, (mut far, _)) = (near.unwrap(), far.unwrap());
            assert!(poll_once(pin!(far.readable())).await.is_pending(), "nothing of an earlier round");
            near.write_all(&[round]).await.unwrap();
            // Its event is on the way when it is dropped every other time.
            if round % 2 == 0 {
                let mut buf = [0; 1];
                far.read_exact(&mut buf).await.unwrap();
                assert_eq!(buf, [round]);
            }
        }
    });
}

#[test]
fn try_io_and_async_io_take_operations_of_the_users() {
    flavor::block_on(async {
        let (mut near, far) = pair().await;
        near.write_all(b"abc").await.unwrap();
        let mut buf = [0; 8];
        let n = far.async_io(Interest::READABLE, || (&*SockRef::from(&far)).read(&mut buf)).await.unwrap();
        assert_eq!(&buf[..n], b"abc");
        let error = far.try_io(Interest::READABLE, || (&*SockRef::from(&far)).read(&mut buf)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(far.try_io(Interest::WRITABLE, || (&*SockRef::from(&far)).write(b"d")).unwrap(), 1);
        assert_eq!(near.read(&mut buf).await.unwrap(), 1);
    });
}

#[test]
fn ready_tells_which() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let both = Interest::READABLE | Interest::WRITABLE;
        assert_eq!(far.ready(both).await.unwrap(), Ready::WRITABLE);
        SockRef::from(&near).shutdown(Shutdown::Write).unwrap();
        far.readable().await.unwrap();
        let ready = far.ready(both).await.unwrap();
        assert!(ready.is_readable() && ready.is_writable() && ready.is_read_closed());
    });
}

#[test]
fn stream_that_is_writable_all_the_time_becomes_readable_too() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let (other_near, other_far) = pair().await;
        let both = Interest::READABLE | Interest::WRITABLE;
        assert_eq!(far.ready(both).await.unwrap(), Ready::WRITABLE);
        near.try_write(b"x").unwrap();
        // The reactor has turned when the other stream, which was written to later, is readable.
        other_near.try_write(b"x").unwrap();
        other_far.readable().await.unwrap();
        assert_eq!(far.ready(both).await.unwrap(), Ready::READABLE | Ready::WRITABLE);
    });
}

#[test]
#[should_panic(expected = "runtime")]
fn waiting_outside_of_a_runtime() {
    let (near, _far) = flavor::block_on(pair());
    let waker = std::task::Waker::noop();
    let _ = pin!(near.readable()).poll(&mut std::task::Context::from_waker(waker));
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // From the standard library, so that neither end has waited for anything yet.
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    let (far, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, near.local_addr().unwrap());
    (TcpStream::from_std(near).unwrap(), far)
}

/// Writes until there is no room.
fn fill(stream: &TcpStream) -> usize {
    let mut filled = 0;
    loop {
        match stream.try_write(&[0; 1 << 16]) {
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return filled,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Polls once with the task's waker.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
