//! The reading end of a pipe.

use crate::bytes::room;
use crate::readiness::{waits, waits_to_read};
use crate::unix::pipe::from_and_to_descriptors;
use futures_util::io::AsyncRead;
use rt_runtime::{Interest, Source};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The reading end of a pipe.
///
/// It reads through futures' `AsyncRead`. `poll_read` remembers one task, [`readable`](Receiver::readable) any number. It reads an end
/// when no sender is left; a named pipe goes on when the next one has opened it.
///
/// Counterpart: `tokio::net::unix::pipe::Receiver`. An example is at [`pipe`](crate::unix::pipe::pipe).
pub struct Receiver {
    source: Source<mio::unix::pipe::Receiver>,
    /// A read that was not filled took all that was there. It is not known of a pipe that others have made: they may write packets
    /// (`O_DIRECT`), at whose ends a read stops.
    is_a_byte_stream: bool,
}

impl Receiver {
    fn of(pipe: mio::unix::pipe::Receiver) -> io::Result<Receiver> {
        Ok(Receiver { source: Source::join_when_pending(pipe)?, is_a_byte_stream: false })
    }

    pub(super) fn of_a_byte_stream(pipe: mio::unix::pipe::Receiver) -> io::Result<Receiver> {
        Ok(Receiver { source: Source::join_when_pending(pipe)?, is_a_byte_stream: true })
    }

    from_and_to_descriptors!(Receiver, "reading");

    waits!();
    waits_to_read!(Receiver, try_read, poll_read_ready);

    /// Reads what is there. `Ok(0)` is the end, unless `buf` is empty.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `read`.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source.try_bytes(Interest::READABLE, self.drained_below(buf.len()), |io| Ok(rustix::io::read(io, buf)?))
    }

    /// Reads what is there into several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `readv`.
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let length = self.drained_below(room(bufs));
        self.source.try_bytes(Interest::READABLE, length, |io| Ok(rustix::io::readv(io, bufs)?))
    }

    /// Fewer bytes than this mean that the pipe is drained.
    fn drained_below(&self, room: usize) -> usize {
        if self.is_a_byte_stream { room } else { 0 }
    }

    /// Calls `f`, which does one non-blocking operation of its own on this pipe, unless it is known that it would block.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) without a call when the pipe is known not to be ready; otherwise those of `f`.
    pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.source.try_io(Interest::READABLE, |_| f())
    }
}

impl AsyncRead for Receiver {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let length = self.drained_below(buf.len());
        // The buffer is lent again for each attempt.
        self.source.poll_read_bytes(cx, length, |io| Ok(rustix::io::read(io, &mut *buf)?))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = self.drained_below(room(bufs));
        self.source.poll_read_bytes(cx, length, |io| Ok(rustix::io::readv(io, bufs)?))
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl AsRawFd for Receiver {
    fn as_raw_fd(&self) -> RawFd {
        self.source.get_ref().as_raw_fd()
    }
}
