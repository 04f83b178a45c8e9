//! Files on their way to a peer.

use futures_util::io::Cursor;
use rt::deferred::{Cancelled, Deferred, assert_no_result, failure_result_of, success_result_of};
use rt::io::{AsyncRead, AsyncReadExt, duplex};
use rt::protocol::{
    AlreadyRegistered, ConnectionLost, FileSender, FileTransferStopped, Protocol, Transport, WriteLimits, drive,
};
use rt::testing::StringTransport;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Counts what is read of it.
struct Counted<R>(R, Rc<Cell<usize>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buf)?;
        self.1.set(self.1.get() + count);
        Ok(count)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut [u8],
    ) -> std::task::Poll<io::Result<usize>> {
        let read = std::pin::Pin::new(&mut self.0).poll_read(cx, buf);
        if let std::task::Poll::Ready(Ok(count)) = read {
            self.1.set(self.1.get() + count);
        }
        read
    }
}

/// Gives these results, one after the other.
struct Script(Vec<io::Result<&'static [u8]>>);

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let data = if self.0.is_empty() { b"" } else { self.0.remove(0)? };
        buf[..data.len()].copy_from_slice(data);
        Ok(data.len())
    }
}

const LENGTH: usize = 1 << 18;

/// A file of a quarter of a megabyte, sent to a peer who reads none of it, and then all.
async fn slow_peer(begin: impl FnOnce(Cursor<Vec<u8>>, Rc<Cell<usize>>, &Transport) -> Deferred<Option<u8>>) {
    let file: Vec<u8> = (0..LENGTH).map(|at| (at / 7) as u8).collect();
    let (near, mut far) = duplex(4096);
    let transport = drive(near, Quiet).transport();
    let read = Rc::new(Cell::new(0));
    let done = begin(Cursor::new(file.clone()), read.clone(), &transport);
    rt::time::advance(std::time::Duration::from_secs(60)).await;
    let most = WriteLimits::default().high + 2 * 16 * 1024 + 4096;
    assert!(read.get() <= most, "{} bytes were read for a peer that reads none", read.get());
    assert_no_result(&done);
    // Closed when all is sent.
    transport.lose_connection();
    let mut received = Vec::new();
    far.read_to_end(&mut received).await.unwrap();
    assert!(received == file);
    assert_eq!(done.await.unwrap(), file.last().copied());
}

#[rt::test(start_paused = true)]
async fn pull_at_the_pace_of_the_peer() {
    slow_peer(|file, read, transport| {
        let file = Counted(io::Cursor::new(file.into_inner()), read);
        FileSender::new().begin_file_transfer(file, transport)
    })
    .await;
}

#[rt::test(start_paused = true)]
async fn push_at_the_pace_of_the_peer() {
    slow_peer(|file, read, transport| FileSender::new().begin_stream_transfer(Counted(file, read), transport)).await;
}

#[test]
fn pieces_are_transformed() {
    let double = StringTransport::new();
    let sender = FileSender::new().chunk_size(3).transform(|chunk| {
        // The second piece comes to nothing.
        chunk.retain(|byte| !b"def".contains(byte));
        chunk.make_ascii_uppercase();
    });
    let done = sender.begin_file_transfer(&b"abcdefghij"[..], &double.transport());
    let resume = || double.producer().unwrap().resume_producing();
    resume();
    assert_eq!(double.value(), b"ABC");
    resume();
    assert_eq!(double.value(), b"ABCGHI");
    resume();
    assert_no_result(&done);
    resume();
    assert_eq!(double.value(), b"ABCGHIJ");
    assert!(double.producer().is_none());
    assert_eq!(success_result_of(done), Some(b'J'));
}

#[test]
fn empty_file() {
    let double = StringTransport::new();
    let done = FileSender::new().begin_file_transfer(&b""[..], &double.transport());
    double.producer().unwrap().resume_producing();
    assert_eq!(success_result_of(done), None);
    assert!(double.producer().is_none());
}

#[test]
fn error_of_the_file() {
    let double = StringTransport::new();
    let file =
        Script(vec![Err(io::ErrorKind::Interrupted.into()), Ok(b"abc"), Err(io::Error::other("the disk is on fire"))]);
    let done = FileSender::new().begin_file_transfer(file, &double.transport());
    double.producer().unwrap().resume_producing();
    double.producer().unwrap().resume_producing();
    assert_eq!(failure_result_of(done).to_string(), "the disk is on fire");
    assert_eq!(double.value(), b"abc");
    assert!(double.producer().is_none());
}

#[test]
fn cancelled() {
    let double = StringTransport::new();
    let read = Rc::new(Cell::new(0));
    let file = Counted(io::repeat(b'x'), read.clone());
    let done = FileSender::new().chunk_size(10).begin_file_transfer(file, &double.transport());
    double.producer().unwrap().resume_producing();
    done.cancel();
    assert!(failure_result_of(done).check::<Cancelled>());
    assert!(double.producer().is_none());
    assert_eq!((read.get(), Rc::strong_count(&read)), (10, 1));
}

#[test]
fn transport_has_another_producer() {
    let double = StringTransport::new();
    let first = FileSender::new().begin_file_transfer(&b"first"[..], &double.transport());
    let second = FileSender::new().begin_file_transfer(&b"second"[..], &double.transport());
    assert!(failure_result_of(second).check::<AlreadyRegistered>());
    double.producer().unwrap().resume_producing();
    double.producer().unwrap().resume_producing();
    assert_eq!(success_result_of(first), Some(b't'));
}

#[rt::test(start_paused = true)]
async fn connection_ends_before() {
    for push in [false, true] {
        let (near, far) = duplex(256);
        let transport = drive(near, Quiet).transport();
        let read = Rc::new(Cell::new(0));
        let done = match push {
            false => FileSender::new().begin_file_transfer(Counted(io::repeat(b'x'), read.clone()), &transport),
            true => {
                let file = Counted(Cursor::new(vec![b'x'; LENGTH]), read.clone());
                FileSender::new().begin_stream_transfer(file, &transport)
            }
        };
        rt::time::advance(std::time::Duration::from_secs(1)).await;
        drop(far);
        let failure = done.await.unwrap_err();
        let stopped = failure.downcast_ref::<FileTransferStopped>().unwrap();
        assert_eq!(stopped.sent, read.get() as u64);
        assert!(!matches!(transport.closed().await.unwrap(), ConnectionLost::WriteLimit { .. }));
        rt::task::yield_now().await;
        assert_eq!(Rc::strong_count(&read), 1, "the file is closed");
    }
}

#[rt::test(start_paused = true)]
async fn push_cancelled() {
    let (near, mut far) = duplex(256);
    let transport = drive(near, Quiet).transport();
    let read = Rc::new(Cell::new(0));
    let file = Counted(Cursor::new(vec![b'x'; LENGTH]), read.clone());
    let done = FileSender::new().begin_stream_transfer(file, &transport);
    rt::time::advance(std::time::Duration::from_secs(1)).await;
    done.cancel();
    assert!(done.await.unwrap_err().check::<Cancelled>());
    rt::task::yield_now().await;
    assert_eq!(Rc::strong_count(&read), 1, "the file is closed");
    transport.write(b"behind it");
    transport.lose_connection();
    let mut received = Vec::new();
    far.read_to_end(&mut received).await.unwrap();
    assert_eq!(received.len(), read.get() + 9);
}
