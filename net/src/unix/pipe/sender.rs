//! The writing end of a pipe.

use crate::bytes::offered;
use crate::readiness::{waits, waits_to_write};
use crate::unix::pipe::from_and_to_descriptors;
use futures_util::io::AsyncWrite;
use rt_runtime::{Interest, Source};
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The writing end of a pipe.
///
/// It writes through futures' `AsyncWrite`. `poll_write` remembers one task, [`writable`](Sender::writable) any number. A write of at
/// most `PIPE_BUF` bytes (4096 on Linux) is not mixed with those of others. Closing does nothing: dropping it is what ends the pipe,
/// if it is the last sender. When no receiver is left, writing fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe).
///
/// Counterpart: `tokio::net::unix::pipe::Sender`. An example is at [`pipe`](crate::unix::pipe::pipe).
pub struct Sender {
    source: Source<mio::unix::pipe::Sender>,
}

impl Sender {
    pub(super) fn of(pipe: mio::unix::pipe::Sender) -> io::Result<Sender> {
        Ok(Sender { source: Source::join_when_pending(pipe)? })
    }

    from_and_to_descriptors!(Sender, "writing");

    waits!();
    waits_to_write!(Sender, try_write, poll_write_ready);

    /// Writes what there is room for.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `write`.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.source.try_bytes(Interest::WRITABLE, buf.len(), |io| Ok(rustix::io::write(io, buf)?))
    }

    /// Writes what there is room for, from several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `writev`.
    pub fn try_write_vectored(&self, buf: &[IoSlice<'_>]) -> io::Result<usize> {
        self.source.try_bytes(Interest::WRITABLE, offered(buf), |io| Ok(rustix::io::writev(io, buf)?))
    }

    /// Calls `f`, which does one non-blocking operation of its own on this pipe, unless it is known that it would block.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) without a call when the pipe is known not to be ready; otherwise those of `f`.
    pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.source.try_io(Interest::WRITABLE, |_| f())
    }
}

impl AsyncWrite for Sender {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.source.poll_write_bytes(cx, buf.len(), |io| Ok(rustix::io::write(io, buf)?))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source.poll_write_bytes(cx, offered(bufs), |io| Ok(rustix::io::writev(io, bufs)?))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl AsRawFd for Sender {
    fn as_raw_fd(&self) -> RawFd {
        self.source.get_ref().as_raw_fd()
    }
}
