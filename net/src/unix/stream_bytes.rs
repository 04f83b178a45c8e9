//! Reading from and writing to a Unix stream, with and without descriptors.

use crate::bytes::{byte_stream, offered, room, send};
use crate::unix::fds;
use crate::unix::stream::UnixStream;
use rt_runtime::Interest;
use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

impl UnixStream {
    /// Writes from `buf`, and `fds` with its first byte. How many bytes were written: at least one, and then all descriptors are on
    /// the way. They are duplicates: the caller's stay open.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there are descriptors and no byte to go with them, or more than
    /// [`MAX_FDS`](crate::unix::MAX_FDS) of them; otherwise those of `sendmsg`.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was sent.
    pub async fn send_with_fds(&self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if buf.is_empty() && !fds.is_empty() {
            let alone = "descriptors travel with bytes: at least one byte must be sent with them";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, alone));
        }
        self.source().async_io(Interest::WRITABLE, |io| fds::send_with_fds(io, buf, fds)).await
    }

    /// Reads what is there: how many bytes, and how many descriptors came with them, which are in the first places of `fds`. They
    /// are closed when a child process executes a program. A read ends behind the bytes with which descriptors came.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) if more descriptors came than `fds` has places for or this process may open:
    /// those that came are closed, and the bytes are in `buf`. Otherwise those of `recvmsg`.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was read.
    ///
    /// ```
    /// use rt::net::UnixStream;
    /// use std::os::fd::AsFd;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # rt::block_on(async {
    /// // The end of a second connection travels through the first.
    /// let (near, far) = UnixStream::pair()?;
    /// let (gift, rest) = UnixStream::pair()?;
    /// near.send_with_fds(b"!", &[gift.as_fd()]).await?;
    ///
    /// let (mut buf, mut fds) = ([0; 16], [const { None }; 1]);
    /// assert_eq!(far.recv_with_fds(&mut buf, &mut fds).await?, (1, 1));
    /// let gift = UnixStream::from_std(fds[0].take().unwrap().into())?;
    /// rest.try_write(b"through")?;
    /// gift.readable().await?;
    /// assert_eq!(gift.try_read(&mut buf)?, 7);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn recv_with_fds(&self, buf: &mut [u8], fds: &mut [Option<OwnedFd>]) -> io::Result<(usize, usize)> {
        self.source().async_io(Interest::READABLE, |io| fds::recv_with_fds(io, buf, fds)).await
    }

    /// Reads what is there. `Ok(0)` is the end, unless `buf` is empty.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `recvmsg`.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_read_vectored(&mut [IoSliceMut::new(buf)])
    }

    /// Reads what is there into several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `recvmsg`.
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.source().try_io(Interest::READABLE, |io| Ok(receive(io, bufs)?.bytes))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `send`.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.source().try_bytes(Interest::WRITABLE, buf.len(), |io| send(io, buf))
    }

    /// Writes what there is room for, from several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `writev`.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.source().try_bytes(Interest::WRITABLE, offered(bufs), |mut io| io.write_vectored(bufs))
    }

    pub(super) fn poll_read_bytes(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_bytes_vectored(cx, &mut [IoSliceMut::new(buf)])
    }

    pub(super) fn poll_read_bytes_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = room(bufs);
        let is_drained = Cell::new(false);
        let operation = |io: &_| {
            let received = receive(io, bufs)?;
            is_drained.set(0 < received.bytes && received.bytes < room && received.is_all);
            Ok(received.bytes)
        };
        self.source().poll_read_until_drained(cx, operation, |_| is_drained.get())
    }

    pub(super) fn poll_write_bytes(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.source().poll_write_bytes(cx, buf.len(), |io| send(io, buf))
    }

    pub(super) fn poll_write_bytes_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source().poll_write_bytes(cx, offered(bufs), |mut io| io.write_vectored(bufs))
    }
}

byte_stream!(UnixStream);

/// What one read gave.
struct Received {
    bytes: usize,
    /// A read that was not filled took all that was there. A read ends early, with more bytes behind it, where descriptors came with
    /// the bytes, and where the system tells apart who wrote them.
    is_all: bool,
}

/// `recvmsg` and not `recv`, for its flags: they say that something came with the bytes for which we have given no room.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn receive(io: &mio::net::UnixStream, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Received> {
    use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};
    // More buffers would be an error.
    let count = bufs.len().min(crate::bytes::MOST_BUFFERS);
    let message = recvmsg(io, &mut bufs[..count], &mut RecvAncillaryBuffer::default(), RecvFlags::CMSG_CLOEXEC)?;
    Ok(Received { bytes: message.bytes, is_all: !message.flags.contains(ReturnFlags::CTRUNC) })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn receive(mut io: &mio::net::UnixStream, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Received> {
    Ok(Received { bytes: io::Read::read_vectored(&mut io, bufs)?, is_all: false })
}
