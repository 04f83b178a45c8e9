//! A TCP socket that is neither connected nor listening yet.

use crate::tcp::listener::TcpListener;
use crate::tcp::stream::TcpStream;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A TCP socket to be configured before it connects or listens.
///
/// The getters and setters are those of the socket options; each fails only if `getsockopt` or `setsockopt` does.
///
/// Counterpart: `tokio::net::TcpSocket`.
///
/// ```
/// use rt::net::TcpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // A listener with a short backlog.
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind("127.0.0.1:0".parse().unwrap())?;
/// let listener = socket.listen(16)?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TcpSocket {
    inner: Socket,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// Those of `socket`, such as running out of descriptors.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// Those of `socket`, such as running out of descriptors.
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV6)
    }

    fn new(domain: Domain) -> io::Result<TcpSocket> {
        let inner = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        inner.set_nonblocking(true)?;
        Ok(TcpSocket { inner })
    }

    /// Takes a socket that another library has configured, dressed as a stream of the standard library. It need not be connected,
    /// and must be in [non-blocking mode](std::net::TcpStream::set_nonblocking).
    pub fn from_std_stream(stream: std::net::TcpStream) -> TcpSocket {
        TcpSocket { inner: stream.into() }
    }

    /// Binds to a local address. Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// The address is taken, or not one of this host.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.inner.bind(&addr.into())
    }

    /// Connects to `addr`.
    ///
    /// # Errors
    ///
    /// The connection was refused or could not be made in the system's time.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket; the peer may have seen a connection.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        match self.inner.connect(&addr.into()) {
            Err(error) if !is_under_way(&error) => return Err(error),
            _ => {}
        }
        TcpStream::connecting(mio::net::TcpStream::from_std(self.inner.into())).await
    }

    /// Listens; at most `backlog` connections wait to be accepted, and no more than the system allows
    /// (`net.core.somaxconn` on Linux).
    ///
    /// # Errors
    ///
    /// Those of `listen`, such as an address that is taken.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        TcpListener::listening(self.inner, backlog.try_into().unwrap_or(i32::MAX))
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// Those of `getsockname`; on Windows also that it is not bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let not_ip = || io::Error::new(io::ErrorKind::InvalidInput, "the socket is not one of IPv4 or IPv6");
        self.inner.local_addr()?.as_socket().ok_or_else(not_ip)
    }

    /// Takes the error that is pending on the socket.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }
}

/// Pairs of a getter and a setter that pass through to the socket.
macro_rules! options {
    ($($(#[$about:meta])* $getter:ident, $setter:ident: $kind:ty, $inner_getter:ident, $inner_setter:ident;)*) => {
        impl TcpSocket {
            $(
                $(#[$about])*
                ///
                /// # Errors
                ///
                /// Those of `getsockopt`.
                pub fn $getter(&self) -> io::Result<$kind> {
                    self.inner.$inner_getter()
                }

                #[doc = concat!("Sets what [`", stringify!($getter), "`](TcpSocket::", stringify!($getter), ") tells.")]
                ///
                /// # Errors
                ///
                /// Those of `setsockopt`.
                pub fn $setter(&self, value: $kind) -> io::Result<()> {
                    self.inner.$inner_setter(value)
                }
            )*
        }
    };
}

options! {
    /// Whether an address may be bound that a closed connection still holds (`SO_REUSEADDR`).
    reuseaddr, set_reuseaddr: bool, reuse_address, set_reuse_address;
    /// Whether the system probes an idle connection (`SO_KEEPALIVE`).
    keepalive, set_keepalive: bool, keepalive, set_keepalive;
    /// Whether small writes are sent at once (`TCP_NODELAY`).
    nodelay, set_nodelay: bool, tcp_nodelay, set_tcp_nodelay;
    /// What closing does with bytes that are not sent yet (`SO_LINGER`), see [`TcpStream::set_linger`].
    linger, set_linger: Option<Duration>, linger, set_linger;
}

#[cfg(unix)]
options! {
    /// Whether several sockets may be bound to one address, among which the system deals out connections (`SO_REUSEPORT`).
    reuseport, set_reuseport: bool, reuse_port, set_reuse_port;
}

impl TcpSocket {
    /// The size of the system's send buffer in bytes. Linux keeps twice what was set, for its own accounting.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.inner.send_buffer_size().map(saturated)
    }

    /// Sets the size of the system's send buffer in bytes; the system has limits of its own.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.inner.set_send_buffer_size(size as usize)
    }

    /// The size of the system's receive buffer in bytes. Linux keeps twice what was set, for its own accounting.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.inner.recv_buffer_size().map(saturated)
    }

    /// Sets the size of the system's receive buffer in bytes; the system has limits of its own.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.inner.set_recv_buffer_size(size as usize)
    }

    /// Probes an idle connection after `idle`, in whole seconds, and turns `SO_KEEPALIVE` on.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_keepalive_time(&self, idle: Duration) -> io::Result<()> {
        self.inner.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(unix)]
mod unix {
    use super::TcpSocket;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    impl AsFd for TcpSocket {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.inner.as_fd()
        }
    }

    impl AsRawFd for TcpSocket {
        fn as_raw_fd(&self) -> RawFd {
            self.inner.as_raw_fd()
        }
    }
}

/// The connection is being made in the background.
pub(super) fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    return error.kind() == io::ErrorKind::WouldBlock;
}

fn saturated(size: usize) -> u32 {
    size.try_into().unwrap_or(u32::MAX)
}
