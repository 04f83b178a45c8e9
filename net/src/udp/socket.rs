//! A UDP socket.

use crate::addr::{ToSocketAddrs, addresses, first_that_works};
use crate::readiness::{operations_of_the_users, waits, waits_to_read, waits_to_write};
use crate::udp::batches::Offload;
use crate::udp::system::{receive, receive_from, transmit, transmit_to};
use rt_runtime::{Interest, Source};
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// A UDP socket.
///
/// Every call moves one datagram, whole: what `buf` is too short for is cut off and lost. A datagram is at most 65,507 bytes of
/// payload over IPv4. [`recv_many`](UdpSocket::recv_many) and [`send_many`](UdpSocket::send_many) move several.
///
/// A socket that is [connected](UdpSocket::connect) sends to and receives from one address with [`send`](UdpSocket::send) and
/// [`recv`](UdpSocket::recv), and is told when nobody listens there (`ECONNREFUSED`, on a later call).
///
/// All methods take `&self`: put it into an `Arc` to send and receive in different tasks. The `poll_*` methods remember one task per
/// direction, that of the last call; the async ones any number.
///
/// Counterpart: `tokio::net::UdpSocket`; Twisted's `listenUDP`.
///
/// ```
/// use rt::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // One datagram there, one back.
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.connect(server.local_addr()?).await?;
///
/// client.send(b"ping").await?;
/// let mut buf = [0; 1500];
/// let (n, from) = server.recv_from(&mut buf).await?;
/// server.send_to(&buf[..n], from).await?;
/// let n = client.recv(&mut buf).await?;
/// assert_eq!(&buf[..n], b"ping");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct UdpSocket {
    source: Source<mio::net::UdpSocket>,
    offload: Offload,
}

impl UdpSocket {
    /// A socket bound to the first address of `addr` that can be. Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// The name is not known, or no address could be bound: the failure of the last one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is left when the future is dropped.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        first_that_works(addr, |address| async move { UdpSocket::of(mio::net::UdpSocket::bind(address)?) }).await
    }

    fn of(socket: mio::net::UdpSocket) -> io::Result<UdpSocket> {
        Ok(UdpSocket { source: Source::join_when_pending(socket)?, offload: Offload::new() })
    }

    /// Takes a socket of the standard library, which must be in
    /// [non-blocking mode](std::net::UdpSocket::set_nonblocking).
    ///
    /// # Errors
    ///
    /// None on Unix; elsewhere those of registering with the system's poller.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::of(mio::net::UdpSocket::from_std(socket))
    }

    /// Gives the socket back to the standard library. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        Ok(into_std(self.source.into_inner()))
    }

    /// The address that the socket is bound to; it tells which port was taken for port 0.
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
        SockRef::from(self.io()).peer_addr()?.as_socket().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Sends to and receives from the first address of `addr` only that the system accepts. Nothing is sent for that. It can be
    /// called again; what has arrived already stays.
    ///
    /// # Errors
    ///
    /// The name is not known, or the system has no way to any address: the failure of the last one.
    ///
    /// # Cancel safety
    ///
    /// Dropped while a name is resolved, the socket is as it was.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        first_that_works(addr, |address| std::future::ready(self.io().connect(address))).await
    }

    /// Sends a datagram to the address that the socket is connected to. How many bytes were sent: all.
    ///
    /// # Errors
    ///
    /// Those of `send`: not connected, too long, no route; an earlier datagram was refused. The datagram is not sent then.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was sent.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.source.async_io(Interest::WRITABLE, |io| transmit(io, buf)).await
    }

    /// [`send`](UdpSocket::send) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`send`](UdpSocket::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.source.poll_write_io(cx, |io| transmit(io, buf))
    }

    /// [`send`](UdpSocket::send) if there is room.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; otherwise those of [`send`](UdpSocket::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.source.try_io(Interest::WRITABLE, |io| transmit(io, buf))
    }

    /// Sends a datagram to the first address of `addr`. How many bytes were sent: all.
    ///
    /// # Errors
    ///
    /// Those of `sendto`: too long, no route; the name is not known. The datagram is not sent then.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was sent.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let nothing = || io::Error::new(io::ErrorKind::InvalidInput, "the name stands for no address at all");
        let target = addresses(&addr).await?.next().ok_or_else(nothing)?;
        self.source.async_io(Interest::WRITABLE, |io| transmit_to(io, buf, target)).await
    }

    /// [`send_to`](UdpSocket::send_to) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`send_to`](UdpSocket::send_to).
    pub fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], target: SocketAddr) -> Poll<io::Result<usize>> {
        self.source.poll_write_io(cx, |io| transmit_to(io, buf, target))
    }

    /// [`send_to`](UdpSocket::send_to) if there is room.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; otherwise those of [`send_to`](UdpSocket::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.source.try_io(Interest::WRITABLE, |io| transmit_to(io, buf, target))
    }

    /// Receives a datagram, on a connected socket from its peer only; how long it is. Empty datagrams exist.
    ///
    /// # Errors
    ///
    /// Those of `recv`; an earlier datagram of ours was refused.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, no datagram was taken.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source.async_io(Interest::READABLE, |io| receive(io, buf)).await
    }

    /// [`recv`](UdpSocket::recv) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](UdpSocket::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.source.poll_read_io(cx, |io| receive(io, buf))
    }

    /// [`recv`](UdpSocket::recv) of what is there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is; otherwise those of [`recv`](UdpSocket::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source.try_io(Interest::READABLE, |io| receive(io, buf))
    }

    /// Receives a datagram: how long it is and where it came from.
    ///
    /// # Errors
    ///
    /// Those of `recvfrom`; on a connected socket also that an earlier datagram of ours was refused.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, no datagram was taken.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.source.async_io(Interest::READABLE, |io| receive_from(io, buf)).await
    }

    /// [`recv_from`](UdpSocket::recv_from) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.source.poll_read_io(cx, |io| receive_from(io, buf))
    }

    /// [`recv_from`](UdpSocket::recv_from) of what is there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is; otherwise those of [`recv_from`](UdpSocket::recv_from).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.source.try_io(Interest::READABLE, |io| receive_from(io, buf))
    }

    waits!();
    waits_to_read!(UdpSocket, try_recv, poll_recv_ready);
    waits_to_write!(UdpSocket, try_send, poll_send_ready);
    operations_of_the_users!();

    pub(crate) fn io(&self) -> &mio::net::UdpSocket {
        self.source.get_ref()
    }

    pub(super) fn offload(&self) -> &Offload {
        &self.offload
    }

    pub(super) fn source(&self) -> &Source<mio::net::UdpSocket> {
        &self.source
    }
}

impl TryFrom<std::net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    /// [`from_std`](UdpSocket::from_std).
    fn try_from(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(socket)
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

#[cfg(unix)]
mod unix {
    use super::UdpSocket;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    impl AsFd for UdpSocket {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.io().as_fd()
        }
    }

    impl AsRawFd for UdpSocket {
        fn as_raw_fd(&self) -> RawFd {
            self.io().as_raw_fd()
        }
    }
}

fn into_std(socket: mio::net::UdpSocket) -> std::net::UdpSocket {
    #[cfg(unix)]
    return std::os::fd::OwnedFd::from(socket).into();
    #[cfg(windows)]
    return std::os::windows::io::OwnedSocket::from(socket).into();
}
