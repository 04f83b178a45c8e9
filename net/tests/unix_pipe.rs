//! Pipes, with and without a name.
#![cfg(unix)]

#[path = "support/directory.rs"]
mod directory;
#[path = "../../tests/support/flavor.rs"]
mod flavor;

use directory::Directory;
use futures_util::future::join;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt_net::unix::pipe::{OpenOptions, Receiver, Sender, pipe};
use rt_runtime::Interest;
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, mknodat};
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};

#[test]
fn bytes_go_through_and_the_last_sender_is_the_end() {
    flavor::block_on(async {
        let (mut sender, mut receiver) = pipe().unwrap();
        for text in ["one", "two", "three"] {
            sender.write_all(text.as_bytes()).await.unwrap();
            let mut buf = [0; 16];
            let n = receiver.read(&mut buf).await.unwrap();
            assert_eq!(&buf[..n], text.as_bytes());
        }
        let mut buf = [0; 16];
        let mut reading = Box::pin(receiver.read(&mut buf));
        assert!(poll_once(reading.as_mut()).await.is_pending());
        sender.close().await.unwrap();
        assert!(poll_once(reading.as_mut()).await.is_pending(), "closing is for streams with two directions");
        drop(sender);
        assert_eq!(reading.await.unwrap(), 0);
    });
}

#[test]
fn more_than_the_pipe_holds() {
    flavor::block_on(async {
        let (mut sender, mut receiver) = pipe().unwrap();
        let sent: Vec<u8> = (0..1 << 20).map(|i: u32| (i / 1000) as u8).collect();
        let sending = async {
            sender.write_all(&sent).await.unwrap();
            drop(sender);
        };
        let receiving = async {
            let mut received = Vec::new();
            receiver.read_to_end(&mut received).await.unwrap();
            received
        };
        let ((), received) = join(sending, receiving).await;
        assert!(received == sent);
    });
}

#[test]
fn vectored_and_by_hand() {
    flavor::block_on(async {
        let (mut sender, mut receiver) = pipe().unwrap();
        assert_eq!(receiver.try_read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(sender.write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")]).await.unwrap(), 5);
        let (mut a, mut b) = ([0; 3], [0; 8]);
        let n = receiver.read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).await.unwrap();
        assert_eq!((n, &a, &b[..2]), (5, b"hel", &b"lo"[..]));
        sender.writable().await.unwrap();
        poll_fn(|cx| sender.poll_write_ready(cx)).await.unwrap();
        assert!(sender.ready(Interest::WRITABLE).await.unwrap().is_writable());
        assert_eq!(sender.try_write(b"a").unwrap(), 1);
        assert_eq!(sender.try_write_vectored(&[IoSlice::new(b"b"), IoSlice::new(b"c")]).unwrap(), 2);
        receiver.readable().await.unwrap();
        poll_fn(|cx| receiver.poll_read_ready(cx)).await.unwrap();
        assert!(receiver.ready(Interest::READABLE).await.unwrap().is_readable());
        assert_eq!(receiver.try_read(&mut a[..1]).unwrap(), 1);
        assert_eq!(receiver.try_read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).unwrap(), 2);
        assert_eq!(&a[..2], b"bc");
        assert_eq!(sender.try_io(|| Ok(rustix::io::write(&sender, b"own")?)).unwrap(), 3);
        receiver.readable().await.unwrap();
        assert_eq!(receiver.try_io(|| Ok(rustix::io::read(&receiver, &mut b)?)).unwrap(), 3);
    });
}

#[test]
fn receiver_is_gone_before_and_while_writing() {
    flavor::block_on(async {
        let (mut sender, receiver) = pipe().unwrap();
        while sender.try_write(&[0; 4096]).is_ok() {}
        let mut writing = Box::pin(sender.write(b"x"));
        assert!(poll_once(writing.as_mut()).await.is_pending());
        drop(receiver);
        assert_eq!(writing.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(sender.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn futures_that_are_dropped_at_every_poll_lose_and_double_nothing() {
    flavor::block_on(async {
        let (mut sender, mut receiver) = pipe().unwrap();
        let sent: Vec<u8> = (0..1 << 20).map(|i: u32| (i / 7) as u8).collect();
        let (mut written, mut received, mut drops) = (0, Vec::new(), 0);
        while received.len() < sent.len() {
            if written < sent.len() {
                match poll_once(pin!(sender.write(&sent[written..]))).await {
                    Poll::Ready(result) => written += result.unwrap(),
                    Poll::Pending => drops += 1,
                }
            }
            let mut buf = [0; 3000];
            let polled = poll_once(pin!(receiver.read(&mut buf))).await;
            match polled {
                Poll::Ready(result) => received.extend_from_slice(&buf[..result.unwrap()]),
                Poll::Pending => {
                    drops += 1;
                    rt::task::yield_now().await;
                }
            }
        }
        assert!(drops > 0 && received == sent);
    });
}

#[test]
fn named_pipe() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = fifo(&directory.path("fifo"));
        let error = OpenOptions::new().open_sender(&path).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NXIO.raw_os_error()), "nobody reads");
        let mut receiver = OpenOptions::new().open_receiver(&path).unwrap();
        for _ in 0..3 {
            let mut sender = OpenOptions::new().open_sender(&path).unwrap();
            sender.write_all(b"word").await.unwrap();
            drop(sender);
            let mut text = String::new();
            receiver.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "word");
        }
    });
}

/// It waits for the next sender's bytes, and does not ask again and again.
#[test]
fn named_pipe_whose_next_sender_is_silent_at_first() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = fifo(&directory.path("fifo"));
        let mut receiver = OpenOptions::new().open_receiver(&path).unwrap();
        let mut buf = [0; 8];
        for _ in 0..3 {
            let mut sender = OpenOptions::new().open_sender(&path).unwrap();
            {
                let mut reading = pin!(receiver.read(&mut buf));
                assert_eq!(polls_until_idle(reading.as_mut()).await, 1);
                sender.write_all(b"word").await.unwrap();
                assert_eq!(reading.await.unwrap(), 4);
            }
            drop(sender);
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 0);
            while !receiver.ready(Interest::READABLE).await.unwrap().is_read_closed() {
                rt::task::yield_now().await;
            }
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn named_pipe_that_is_open_for_both_directions_has_no_end() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = fifo(&directory.path("fifo"));
        let mut sender = OpenOptions::new().read_write(true).open_sender(&path).unwrap();
        sender.write_all(b"early").await.unwrap();
        let mut receiver = OpenOptions::new().read_write(true).open_receiver(&path).unwrap();
        let mut buf = [0; 8];
        assert_eq!(receiver.read(&mut buf).await.unwrap(), 5);
        drop(sender);
        assert!(poll_once(pin!(receiver.read(&mut buf))).await.is_pending());
    });
}

#[test]
fn what_is_no_pipe_is_refused() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("file");
        std::fs::write(&path, "text").unwrap();
        let error = OpenOptions::new().open_sender(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("file is not a pipe"), "{error}");
        assert_eq!(OpenOptions::new().open_receiver(&path).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(Receiver::from_file(File::open(&path).unwrap()).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(OpenOptions::new().open_receiver(directory.path("none")).unwrap_err().kind(), ErrorKind::NotFound);
        OpenOptions::new().unchecked(true).open_receiver("/dev/null").unwrap();

        let (reader, writer) = std::io::pipe().unwrap();
        let wrong = Sender::from_owned_fd(reader.into()).unwrap_err();
        assert!(wrong.to_string().contains("not open for writing"), "{wrong}");
        let wrong = Receiver::from_owned_fd(writer.into()).unwrap_err();
        assert!(wrong.to_string().contains("not open for reading"), "{wrong}");
    });
}

#[test]
fn descriptors_of_others_and_back() {
    flavor::block_on(async {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut sender = Sender::from_file(File::from(OwnedFd::from(writer))).unwrap();
        let mut receiver = Receiver::from_owned_fd(reader.into()).unwrap();
        sender.write_all(b"abc").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(receiver.read(&mut buf).await.unwrap(), 3);
        assert!(poll_once(pin!(receiver.read(&mut buf))).await.is_pending());

        let writer = sender.into_nonblocking_fd().unwrap();
        assert!(fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK));
        let writer = Sender::from_owned_fd_unchecked(writer).unwrap().into_blocking_fd().unwrap();
        assert!(!fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK));
        let mut reader = File::from(receiver.into_blocking_fd().unwrap());
        File::from(writer).write_all(b"plain").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "plain");
    });
}

/// A pipe of others may have packets in it: a read ends with a packet, although there are more.
#[cfg(target_os = "linux")]
#[test]
fn packets_are_all_read() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = fifo(&directory.path("fifo"));
        let mut receiver = OpenOptions::new().open_receiver(&path).unwrap();
        let sender = OpenOptions::new().open_sender(&path).unwrap();
        rustix::fs::fcntl_setfl(&sender, fcntl_getfl(&sender).unwrap() | OFlags::DIRECT).unwrap();
        for _ in 0..3 {
            assert!(poll_once(pin!(receiver.read(&mut [0; 64]))).await.is_pending(), "it is watched");
            sender.try_write(b"one").unwrap();
            sender.try_write(b"two").unwrap();
            let mut buf = [0; 64];
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 3);
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 3);
        }
    });
}

fn fifo(path: &Path) -> std::path::PathBuf {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path.to_owned()
}

/// Polls once with the task's waker.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Polls until the future is pending and has not woken itself; how often that was, at most ten times.
async fn polls_until_idle<F: Future + ?Sized>(mut future: Pin<&mut F>) -> usize {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    for polls in 1..10 {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        assert!(future.as_mut().poll(&mut Context::from_waker(&woken.clone().into())).is_pending());
        if !woken.0.load(Ordering::SeqCst) {
            return polls;
        }
        rt::task::yield_now().await;
    }
    10
}
