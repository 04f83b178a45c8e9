//! Datagrams between processes of one host.

use crate::accept::Pause;
use crate::readiness::{operations_of_the_users, waits, waits_to_read, waits_to_write};
use crate::unix::addr::{address, target, target_of};
use crate::unix::fds::{self, no_signal};
use rt_runtime::{Interest, Source};
use rustix::net::{RecvFlags, connect, recv, send};
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::task::{Context, Poll};

/// A Unix datagram socket.
///
/// Datagrams arrive whole, once and in order, or the sender waits. What `buf` is too short for is cut off and lost. A path stays in
/// the file system when its socket is dropped; abstract names (on Linux) go away by themselves.
///
/// Counterpart: `tokio::net::UnixDatagram`; Twisted's `listenUNIXDatagram`.
///
/// ```
/// use rt::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Two ends of our own.
/// let (near, far) = UnixDatagram::pair()?;
/// near.send(b"ping").await?;
/// let mut buf = [0; 16];
/// let n = far.recv(&mut buf).await?;
/// assert_eq!(&buf[..n], b"ping");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct UnixDatagram {
    source: Source<mio::net::UnixDatagram>,
    /// Of `poll_send_to`, which has nowhere else to keep it.
    pause: Mutex<Pause>,
}

impl UnixDatagram {
    /// A socket at `path`, which must not exist. On Linux a path that begins with a NUL byte is an abstract name.
    ///
    /// # Errors
    ///
    /// The path exists (`AddrInUse`) or is too long (about 100 bytes are allowed), or the directory is not writable.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&address(path.as_ref())?)
    }

    /// A socket at an address, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](UnixDatagram::bind).
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixDatagram> {
        UnixDatagram::of(mio::net::UnixDatagram::bind_addr(socket_addr)?)
    }

    /// A socket without an address: it can send, and receive once it is connected by others.
    ///
    /// # Errors
    ///
    /// Those of `socket`, such as running out of descriptors.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::of(mio::net::UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected with each other.
    ///
    /// # Errors
    ///
    /// Those of `socketpair`, such as running out of descriptors.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (near, far) = mio::net::UnixDatagram::pair()?;
        Ok((UnixDatagram::of(near)?, UnixDatagram::of(far)?))
    }

    fn of(socket: mio::net::UnixDatagram) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram { source: Source::join_when_pending(socket)?, pause: Mutex::new(Pause::new()) })
    }

    /// Takes a socket of the standard library, which must be in
    /// [non-blocking mode](std::os::unix::net::UnixDatagram::set_nonblocking).
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn from_std(datagram: std::os::unix::net::UnixDatagram) -> io::Result<UnixDatagram> {
        UnixDatagram::of(mio::net::UnixDatagram::from_std(datagram))
    }

    /// Gives the socket back to the standard library. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixDatagram> {
        Ok(OwnedFd::from(self.source.into_inner()).into())
    }

    /// Sends to the socket at `path` from now on, and on most systems receives from no other.
    ///
    /// # Errors
    ///
    /// There is no such path (`NotFound`), no socket of this kind is there (`ConnectionRefused`), or this process may not.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        Ok(connect(self.io(), &target(path.as_ref())?)?)
    }

    /// [`connect`](UnixDatagram::connect) to an address, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](UnixDatagram::connect).
    pub fn connect_addr(&self, socket_addr: &SocketAddr) -> io::Result<()> {
        Ok(connect(self.io(), &target_of(socket_addr)?)?)
    }

    /// The address of this socket.
    ///
    /// # Errors
    ///
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io().local_addr()
    }

    /// The address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io().peer_addr()
    }

    /// Takes the error that is pending on the socket.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io().take_error()
    }

    /// Ends sending, receiving or both.
    ///
    /// # Errors
    ///
    /// Those of `shutdown`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io().shutdown(how)
    }

    /// Sends a datagram to the socket that this one is connected to. How many bytes were sent: all.
    ///
    /// # Errors
    ///
    /// Those of `send`: not connected, too long, the other end is gone. The datagram is not sent then.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was sent.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.source.async_io(Interest::WRITABLE, |io| Ok(send(io, buf, no_signal())?)).await
    }

    /// [`send`](UnixDatagram::send) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`send`](UnixDatagram::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.source.poll_write_io(cx, |io| Ok(send(io, buf, no_signal())?))
    }

    /// [`send`](UnixDatagram::send) if there is room.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; otherwise those of [`send`](UnixDatagram::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.source.try_io(Interest::WRITABLE, |io| Ok(send(io, buf, no_signal())?))
    }

    /// Receives a datagram; how long it is. Empty datagrams exist, and there is no end: that the other socket is gone shows when
    /// sending.
    ///
    /// # Errors
    ///
    /// Those of `recv`.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, no datagram was taken.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source.async_io(Interest::READABLE, |io| receive(io, buf)).await
    }

    /// [`recv`](UnixDatagram::recv) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](UnixDatagram::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.source.poll_read_io(cx, |io| receive(io, buf))
    }

    /// [`recv`](UnixDatagram::recv) of what is there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is; otherwise those of [`recv`](UnixDatagram::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source.try_io(Interest::READABLE, |io| receive(io, buf))
    }

    /// Receives a datagram: how long it is and where it came from, which is unnamed if the sender was never bound.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](UnixDatagram::recv).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, no datagram was taken.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.source.async_io(Interest::READABLE, |io| io.recv_from(buf)).await
    }

    /// [`recv_from`](UnixDatagram::recv_from) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](UnixDatagram::recv).
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.source.poll_read_io(cx, |io| io.recv_from(buf))
    }

    /// [`recv_from`](UnixDatagram::recv_from) of what is there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is; otherwise those of [`recv`](UnixDatagram::recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.source.try_io(Interest::READABLE, |io| io.recv_from(buf))
    }

    /// [`send`](UnixDatagram::send) with descriptors, at most [`MAX_FDS`](crate::unix::MAX_FDS). They are duplicates: the caller's
    /// stay open.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if they are too many; otherwise those of [`send`](UnixDatagram::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was sent.
    pub async fn send_with_fds(&self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.source.async_io(Interest::WRITABLE, |io| fds::send_with_fds(io, buf, fds)).await
    }

    /// [`recv`](UnixDatagram::recv) with the descriptors that came: how many bytes, and how many descriptors, which are in the first
    /// places of `fds`. They are closed when a child process executes a program.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) if more descriptors came than `fds` has places for or this process may open:
    /// those that came are closed, and the datagram is in `buf`. Otherwise those of [`recv`](UnixDatagram::recv).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, no datagram was taken.
    pub async fn recv_with_fds(&self, buf: &mut [u8], fds: &mut [Option<OwnedFd>]) -> io::Result<(usize, usize)> {
        self.source.async_io(Interest::READABLE, |io| fds::recv_with_fds(io, buf, fds)).await
    }

    waits!();
    waits_to_read!(UnixDatagram, try_recv, poll_recv_ready);
    waits_to_write!(UnixDatagram, try_send, poll_send_ready);
    operations_of_the_users!();

    fn io(&self) -> &mio::net::UnixDatagram {
        self.source.get_ref()
    }

    pub(super) fn source(&self) -> &Source<mio::net::UnixDatagram> {
        &self.source
    }

    pub(super) fn lock_pause(&self) -> std::sync::MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl TryFrom<std::os::unix::net::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    /// [`from_std`](UnixDatagram::from_std).
    fn try_from(socket: std::os::unix::net::UnixDatagram) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(socket)
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl AsRawFd for UnixDatagram {
    fn as_raw_fd(&self) -> RawFd {
        self.io().as_raw_fd()
    }
}

fn receive(io: &mio::net::UnixDatagram, buf: &mut [u8]) -> io::Result<usize> {
    let (received, _) = recv(io, buf, RecvFlags::empty())?;
    Ok(received)
}
