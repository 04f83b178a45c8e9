//! The reading end of a pipe.

use crate::bytes::room;
use crate::readiness::{waits, waits_to_read};
use crate::unix::pipe::{End, checked, set_blocking};
use futures_util::io::AsyncRead;
use rt_runtime::{Interest, Source};
use std::fmt;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
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

    /// Takes a file, which must be a pipe that is open for reading, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no such pipe.
    pub fn from_file(file: File) -> io::Result<Receiver> {
        Receiver::from_owned_fd(file.into())
    }

    /// Takes a descriptor, which must be a pipe that is open for reading, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no such pipe.
    pub fn from_owned_fd(owned_fd: OwnedFd) -> io::Result<Receiver> {
        checked(&owned_fd, End::Receiver)?;
        Receiver::from_owned_fd_unchecked(owned_fd)
    }

    /// Takes a file without looking what it is. It must be in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn from_file_unchecked(file: File) -> io::Result<Receiver> {
        Receiver::from_owned_fd_unchecked(file.into())
    }

    /// Takes a descriptor without looking what it is. It must be in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn from_owned_fd_unchecked(owned_fd: OwnedFd) -> io::Result<Receiver> {
        Receiver::of(owned_fd.into())
    }

    /// Gives the descriptor back, in blocking mode: as a standard stream of a child process, for example.
    ///
    /// # Errors
    ///
    /// Those of `fcntl`.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        let fd = self.into_nonblocking_fd()?;
        set_blocking(&fd)?;
        Ok(fd)
    }

    /// Gives the descriptor back. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
        Ok(self.source.into_inner().into())
    }

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
