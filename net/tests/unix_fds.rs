//! Descriptors that travel with bytes and datagrams.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt_net::unix::MAX_FDS;
use rt_net::{UnixDatagram, UnixStream};
use rustix::io::{FdFlags, fcntl_getfd};
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::{Pin, pin};
use std::task::Poll;

#[test]
fn descriptors_arrive_with_their_bytes_and_work() {
    flavor::block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        assert_eq!(near.send_with_fds(b"ab", &[writer.as_fd(), writer.as_fd()]).await.unwrap(), 2);
        assert_eq!(near.send_with_fds(b"c", &[]).await.unwrap(), 1);
        drop(writer);
        let (mut buf, mut fds) = ([0; 8], places::<3>());
        // A read ends where descriptors came.
        assert_eq!(far.recv_with_fds(&mut buf, &mut fds).await.unwrap(), (2, 2));
        assert!(fds[2].is_none());
        for fd in fds.iter_mut().filter_map(Option::take) {
            assert!(fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));
            std::io::PipeWriter::from(fd).write_all(b"!").unwrap();
        }
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "!!", "all duplicates of the writing end are closed");
        assert_eq!(far.recv_with_fds(&mut buf, &mut fds).await.unwrap(), (1, 0));
    });
}

#[test]
fn as_many_as_can_be() {
    flavor::block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let all = vec![near.as_fd(); MAX_FDS];
        near.send_with_fds(b"x", &all).await.unwrap();
        let mut fds = places::<MAX_FDS>();
        assert_eq!(far.recv_with_fds(&mut [0; 1], &mut fds).await.unwrap(), (1, MAX_FDS));
        assert!(fds.iter().all(Option::is_some));
        for count in [MAX_FDS + 1, MAX_FDS + 2, 2 * MAX_FDS] {
            let error = near.send_with_fds(b"x", &vec![near.as_fd(); count]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("253 can be sent"), "{error}");
        }
    });
}

#[test]
fn more_than_there_is_room_for_are_closed() {
    flavor::block_on(async {
        for (count, room) in [(2, 1), (3, 1), (1, 0), (5, 2)] {
            let (near, far) = UnixStream::pair().unwrap();
            let (mut reader, writer) = std::io::pipe().unwrap();
            near.send_with_fds(b"ab", &vec![writer.as_fd(); count]).await.unwrap();
            near.send_with_fds(b"c", &[writer.as_fd()]).await.unwrap();
            drop(writer);
            let (mut buf, mut fds) = ([0; 8], places::<2>());
            let error = far.recv_with_fds(&mut buf, &mut fds[..room]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(error.to_string().contains(&format!("the {room} that there is room for")), "{error}");
            assert_eq!(&buf[..2], b"ab");
            assert!(fds.iter().all(Option::is_none));
            // The stream goes on.
            assert_eq!(far.recv_with_fds(&mut buf, &mut fds).await.unwrap(), (1, 1));
            drop(fds);
            assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0, "nothing holds the writing end any more");
        }
    });
}

#[test]
fn descriptors_without_a_byte_are_refused() {
    flavor::block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let error = near.send_with_fds(b"", &[near.as_fd()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(poll_once(pin!(far.readable())).await.is_pending());
    });
}

/// A plain read stops where descriptors came, although there are bytes behind them: it must not take that for the end of what is
/// there.
#[test]
fn plain_reads_close_the_descriptors_and_get_all_bytes() {
    flavor::block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        assert!(poll_once(pin!(far.read(&mut [0; 1]))).await.is_pending(), "it is watched");
        for round in 0..4 {
            near.write_all(b"a").await.unwrap();
            near.send_with_fds(b"b", &[writer.as_fd()]).await.unwrap();
            near.send_with_fds(b"c", &[writer.as_fd(), writer.as_fd()]).await.unwrap();
            near.write_all(b"d").await.unwrap();
            let mut got = Vec::new();
            while got.len() < 4 {
                let mut buf = [0; 64];
                let n = match round {
                    0 => far.read(&mut buf).await.unwrap(),
                    1 => far.read_vectored(&mut [std::io::IoSliceMut::new(&mut buf)]).await.unwrap(),
                    _ => {
                        far.readable().await.unwrap();
                        far.try_read(&mut buf).unwrap_or_default()
                    }
                };
                got.extend_from_slice(&buf[..n]);
            }
            assert_eq!(got, b"abcd");
        }
        drop(writer);
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0, "nothing holds the writing end any more");
    });
}

#[test]
fn futures_that_are_dropped_at_every_poll_lose_and_double_nothing() {
    flavor::block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let gift = std::io::pipe().unwrap().0;
        let (mut sent, mut received, mut drops) = (0, 0, 0);
        while received < 2000 {
            if sent < 2000 {
                match poll_once(pin!(near.send_with_fds(&[sent as u8], &[gift.as_fd()]))).await {
                    Poll::Ready(result) => sent += result.unwrap(),
                    Poll::Pending => drops += 1,
                }
            }
            if sent == 2000 || sent % 40 == 0 || drops > 0 {
                let (mut buf, mut fds) = ([0; 8], places::<1>());
                let polled = poll_once(pin!(far.recv_with_fds(&mut buf, &mut fds))).await;
                match polled {
                    Poll::Ready(result) => {
                        assert_eq!(result.unwrap(), (1, 1));
                        assert_eq!(buf[0], received as u8);
                        received += 1;
                    }
                    Poll::Pending => {
                        drops += 1;
                        rt::task::yield_now().await;
                    }
                }
            }
        }
        assert!(drops > 0);
    });
}

#[test]
fn datagrams_carry_descriptors() {
    flavor::block_on(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        // A datagram need not have a byte.
        assert_eq!(near.send_with_fds(b"", &[writer.as_fd()]).await.unwrap(), 0);
        assert_eq!(near.send_with_fds(b"two", &[writer.as_fd(); 2]).await.unwrap(), 3);
        let too_many: Vec<BorrowedFd<'_>> = vec![writer.as_fd(); MAX_FDS + 1];
        assert_eq!(near.send_with_fds(b"x", &too_many).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        drop(too_many);
        drop(writer);
        let (mut buf, mut fds) = ([0; 8], places::<1>());
        assert_eq!(far.recv_with_fds(&mut buf, &mut fds).await.unwrap(), (0, 1));
        assert!(fds[0].take().is_some());
        let error = far.recv_with_fds(&mut buf, &mut fds).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!((&buf[..3], fds[0].is_none()), (&b"two"[..], true));
        assert!(poll_once(pin!(far.recv_with_fds(&mut buf, &mut fds))).await.is_pending());
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0, "nothing holds the writing end any more");
    });
}

fn places<const N: usize>() -> [Option<OwnedFd>; N] {
    [const { None }; N]
}

/// Polls once with the task's waker.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
