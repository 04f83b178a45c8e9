//! `AsyncFd` and `Source` over pipes and socket pairs.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use rt_runtime::{AsyncFd, Interest, Ready, Source};
use rustix::pipe::{PipeFlags, pipe_with};
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap()
}

fn read(from: impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(from, buf)?)
}

fn write(to: impl AsFd, buf: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(to, buf)?)
}

#[test]
fn guard_that_is_not_cleared_returns_at_once() {
    flavor::block_on(async {
        let (reader, writer) = pipe();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        write(&writer, b"x").unwrap();
        reader.readable().await.unwrap().retain_ready();
        let guard = reader.readable().await.unwrap();
        assert!(guard.ready().is_readable());
        assert_eq!(guard.get_inner().as_fd().as_raw_fd(), reader.as_raw_fd());
    });
}

#[test]
fn try_io_that_would_block_waits_for_the_next_event() {
    flavor::block_on(async {
        let (reader, writer) = pipe();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        write(&writer, b"ab").unwrap();
        let mut buf = [0; 1];
        for expected in [b"a", b"b"] {
            let mut guard = reader.readable().await.unwrap();
            assert_eq!(guard.try_io(|fd| read(fd, &mut buf)).unwrap().unwrap(), 1);
            assert_eq!(&buf, expected);
        }
        let mut guard = reader.readable().await.unwrap();
        let error = guard.try_io(|fd| read(fd, &mut buf)).unwrap_err();
        assert!(error.to_string().contains("would block"));
        let mut next = pin!(reader.readable());
        assert!(poll_once(next.as_mut()).await.is_pending());
        write(&writer, b"c").unwrap();
        assert!(next.await.unwrap().ready().is_readable());
    });
}

#[test]
fn clear_after_a_fresh_event_keeps_it() {
    flavor::block_on(async {
        let (near, far) = pair();
        let far = AsyncFd::new(far).unwrap();
        (&near).write_all(b"x").unwrap();
        let mut stale = far.readable().await.unwrap();
        assert_eq!(far.get_ref().read(&mut [0; 8]).unwrap(), 1);
        near.shutdown(std::net::Shutdown::Write).unwrap();
        while !far.readable().await.unwrap().ready().is_read_closed() {
            turn().await;
        }
        stale.clear_ready();
        let left = far.readable().await.unwrap().ready();
        assert_eq!(left & Ready::READABLE, Ready::READABLE);
    });
}

#[test]
fn end_is_seen_again_and_again() {
    flavor::block_on(async {
        let (reader, writer) = pipe();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        drop(writer);
        for _ in 0..3 {
            let mut guard = reader.readable().await.unwrap();
            assert_eq!(guard.try_io(|fd| read(fd, &mut [0; 8])).unwrap().unwrap(), 0);
            guard.clear_ready();
        }
    });
}

#[test]
fn writable_again_when_the_pipe_is_drained() {
    flavor::block_on(async {
        let (reader, writer) = pipe();
        let writer = AsyncFd::with_interest(writer, Interest::WRITABLE).unwrap();
        let fill = |fd: &OwnedFd| write(fd, &[0; 4096]);
        let mut filled = 0;
        while let Ok(n) = writer.writable().await.unwrap().try_io(|fd| fill(fd.get_ref())) {
            filled += n.unwrap();
        }
        assert!(writer.try_io(Interest::WRITABLE, fill).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        let mut waiting = pin!(writer.async_io(Interest::WRITABLE, fill));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        let mut drained = 0;
        while drained < filled {
            drained += read(&reader, &mut [0; 65536]).unwrap();
        }
        assert_eq!(waiting.await.unwrap(), 4096);
    });
}

#[test]
fn interest_that_was_not_asked_for_is_an_error() {
    flavor::block_on(async {
        let (reader, _writer) = pipe();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        let error = reader.writable().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("READABLE"));
    });
}

#[test]
fn regular_file_can_not_be_polled() {
    flavor::block_on(async {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(AsyncFd::new(file).is_err());
    });
}

/// The second does not make the first one deaf.
#[test]
fn descriptor_that_is_watched_already() {
    flavor::block_on(async {
        let (from, to) = pipe();
        let first = AsyncFd::with_interest(from.as_fd(), Interest::READABLE).unwrap();
        let error = AsyncFd::with_interest(from.as_fd(), Interest::READABLE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let duplicate = AsyncFd::with_interest(from.try_clone().unwrap(), Interest::READABLE).unwrap();
        write(&to, b"x").unwrap();
        drop(first.readable().await.unwrap());
        drop(duplicate.readable().await.unwrap());
        drop(first);
        drop(AsyncFd::with_interest(from.as_fd(), Interest::READABLE).unwrap());
    });
}

#[test]
fn borrowed_descriptor_is_watched_no_longer_after_drop() {
    flavor::block_on(async {
        let (reader, writer) = pipe();
        for _ in 0..3 {
            let watched = AsyncFd::with_interest(reader.as_fd(), Interest::READABLE).unwrap();
            write(&writer, b"x").unwrap();
            watched.readable().await.unwrap().clear_ready();
            assert_eq!(read(&reader, &mut [0; 8]).unwrap(), 1);
        }
        let inner = AsyncFd::with_interest(reader.as_fd(), Interest::READABLE).unwrap().into_inner();
        AsyncFd::with_interest(inner, Interest::READABLE).unwrap();
    });
}

#[test]
fn several_waiters_are_all_told_and_a_dropped_one_takes_nothing_away() {
    flavor::block_on(async {
        let (reader, writer) = pipe();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        let mut first = Box::pin(reader.readable());
        let mut second = Box::pin(reader.readable());
        let mut third = Box::pin(reader.readable());
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        assert!(poll_once(third.as_mut()).await.is_pending());
        drop(second);
        write(&writer, b"x").unwrap();
        assert!(third.await.unwrap().ready().is_readable());
        assert!(first.await.unwrap().ready().is_readable());
    });
}

#[test]
fn readiness_that_is_waited_for_by_poll_and_by_futures() {
    flavor::block_on(async {
        let (reader, writer) = pipe();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        let mut future = Box::pin(reader.readable());
        assert!(poll_once(future.as_mut()).await.is_pending());
        let mut polled = pin!(poll_fn(|cx| reader.poll_read_ready(cx).map(|guard| guard.unwrap().ready())));
        assert!(poll_once(polled.as_mut()).await.is_pending());
        write(&writer, b"x").unwrap();
        assert!(polled.await.is_readable());
        assert!(future.await.unwrap().ready().is_readable());
    });
}

#[test]
fn source_outlives_its_runtime() {
    let (near, far) = pair();
    let far = flavor::block_on(async { AsyncFd::new(far).unwrap() });
    (&near).write_all(b"x").unwrap();
    let error = flavor::block_on(async { far.readable().await.unwrap_err() });
    assert!(error.to_string().contains("shut down"));
    assert_eq!(far.into_inner().read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn source_of_mio() {
    flavor::block_on(async {
        let (near, far) = mio::net::UnixStream::pair().unwrap();
        let (near, far) = (Source::new(near).unwrap(), Source::new(far).unwrap());
        let mut buf = [0; 8];
        let mut reading = Box::pin(poll_fn(|cx| far.poll_read_bytes(cx, 8, |mut io| io.read(&mut buf))));
        assert!(poll_once(reading.as_mut()).await.is_pending());
        assert_eq!(near.async_io(Interest::WRITABLE, |mut io| io.write(b"hello")).await.unwrap(), 5);
        assert_eq!(reading.await.unwrap(), 5);
        assert_eq!(&buf[..5], b"hello");
        // A short read has drained the stream: known without a call.
        let called = far.try_io(Interest::READABLE, |_| -> io::Result<()> { panic!("a call") });
        assert_eq!(called.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(near.into_inner());
        assert!(far.ready(Interest::READABLE).await.unwrap().is_read_closed());
    });
}

#[test]
#[should_panic(expected = "runtime")]
fn outside_of_a_runtime() {
    let (reader, _writer) = pipe();
    let _ = AsyncFd::new(reader);
}

fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

/// Polls once with the task's waker.
async fn poll_once<F: Future + ?Sized>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// One turn of the reactor at least, by a descriptor that becomes ready in it.
async fn turn() {
    let (near, far) = pair();
    (&near).write_all(b"x").unwrap();
    AsyncFd::new(far).unwrap().readable().await.unwrap().retain_ready();
}

#[test]
fn last_caller_of_poll_is_woken() {
    flavor::block_on(async {
        let (reader, writer) = pipe();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(reader.poll_read_ready(&mut cx).is_pending());
        // The last caller's waker counts.
        let mut mine = pin!(poll_fn(|cx| reader.poll_read_ready(cx).map(|guard| guard.unwrap().ready())));
        assert!(poll_once(mine.as_mut()).await.is_pending());
        write(&writer, b"x").unwrap();
        assert!(mine.await.is_readable());
    });
}
