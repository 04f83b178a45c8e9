//! Panics of what belongs to the user, at the end of a connection: everybody is told nevertheless.

use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use rt::deferred::unhandled;
use rt::io::{DuplexStream, duplex};
use rt::protocol::{ConnectionLost, Protocol, Transport, drive};
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Panics where it is told to.
struct Panicking {
    in_made: bool,
    in_lost: bool,
    in_drop: bool,
    lost: Rc<Cell<u32>>,
}

impl Panicking {
    fn new(in_made: bool, in_lost: bool, in_drop: bool) -> Self {
        Self { in_made, in_lost, in_drop, lost: Rc::default() }
    }
}

impl Protocol for Panicking {
    fn connection_made(&mut self, _: &Transport) {
        assert!(!self.in_made, "made");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.lost.set(self.lost.get() + 1);
        assert!(!self.in_lost, "lost");
    }
}

impl Drop for Panicking {
    fn drop(&mut self) {
        assert!(!self.in_drop, "drop");
    }
}

/// The messages of the panics that were reported.
fn reports_of(protocol: Panicking) -> Vec<String> {
    let lost = protocol.lost.clone();
    let ((), reports) = unhandled::capture(|| {
        rt::block_on(async {
            let (mut near, far) = duplex(64);
            let handle = drive(far, protocol);
            let closed = handle.transport().closed();
            near.close().await.unwrap();
            closed.await.unwrap();
            assert_eq!(near.read(&mut [0; 1]).await.unwrap(), 0);
        });
    });
    assert_eq!(lost.get(), 1);
    reports.iter().map(|report| report.failure.panic_message().unwrap().to_owned()).collect()
}

#[test]
fn of_the_protocol_wherever() {
    assert_eq!(reports_of(Panicking::new(false, false, false)), [""; 0]);
    assert_eq!(reports_of(Panicking::new(true, false, false)), ["made"]);
    assert_eq!(reports_of(Panicking::new(false, true, false)), ["lost"]);
}

#[test]
fn of_the_protocol_when_it_is_dropped() {
    assert_eq!(reports_of(Panicking::new(true, true, true)), ["made", "lost", "drop"]);
}

/// Panics in one of its methods.
struct Broken {
    stream: DuplexStream,
    in_read: bool,
    in_drop: bool,
}

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(!self.in_read, "read");
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // More than there was.
        Poll::Ready(Ok(buf.len() + 1))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("flush")))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("close")))
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        assert!(!self.in_drop, "drop");
    }
}

fn reports_of_stream(in_read: bool, in_drop: bool, act: impl FnOnce(&Transport)) -> Vec<String> {
    let protocol = Panicking::new(false, false, false);
    let lost = protocol.lost.clone();
    let ((), reports) = unhandled::capture(|| {
        rt::block_on(async {
            let (_near, far) = duplex(64);
            let transport = drive(Broken { stream: far, in_read, in_drop }, protocol).transport();
            act(&transport);
            transport.closed().await.unwrap();
        });
    });
    assert_eq!(lost.get(), 1);
    reports.iter().map(|report| report.failure.panic_message().unwrap().to_owned()).collect()
}

#[test]
fn of_the_stream_wherever() {
    assert_eq!(reports_of_stream(true, false, |_| ()), ["read"]);
    assert_eq!(reports_of_stream(false, true, Transport::abort_connection), ["drop"]);
    assert_eq!(reports_of_stream(true, true, |_| ()), ["drop", "read"]);
}

#[test]
fn of_a_stream_that_has_taken_more_than_it_was_given() {
    let reports = reports_of_stream(false, false, |transport| transport.write(b"x"));
    assert_eq!(reports, ["more bytes were taken than were offered"]);
}

#[test]
fn a_stream_that_cannot_be_closed_is_closed() {
    assert_eq!(reports_of_stream(false, false, Transport::lose_connection), [""; 0]);
}
