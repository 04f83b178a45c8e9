//! What can be served.

use crate::tcp::{TcpListener, TcpStream};
#[cfg(unix)]
use crate::unix::{UnixListener, UnixStream};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// What [`serve`](crate::serve()) takes connections from.
///
/// Implement it for a listener of your own, such as one that wraps another and drops connections that it does not like.
pub trait Listener: 'static {
    /// A connection.
    type Io: 'static;
    /// Whom it is from.
    type Addr: Clone + fmt::Debug + Send + Sync + 'static;

    /// Accepts the next connection, for one caller at a time.
    ///
    /// # Errors
    ///
    /// All that `accept` can say, unlike [`TcpListener::poll_accept`]: the server finds out by the system's number whether a
    /// connection, the process's resources or the listener itself is in trouble. An error without such a number ends it.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, Self::Addr)>>;

    /// The address that is listened on.
    ///
    /// # Errors
    ///
    /// Those of `getsockname`.
    fn local_addr(&self) -> io::Result<Self::Addr>;
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Io = UnixStream;
    type Addr = std::os::unix::net::SocketAddr;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, Self::Addr)>> {
        self.poll_accept_once(cx)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        UnixListener::local_addr(self)
    }
}

impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.poll_accept_once(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

/// Connections whose handshake is over.
#[cfg(feature = "tls")]
impl Listener for crate::tls::TlsListener {
    type Io = crate::tls::TlsStream<TcpStream>;
    type Addr = SocketAddr;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, SocketAddr)>> {
        crate::tls::TlsListener::poll_accept(self, cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        crate::tls::TlsListener::local_addr(self)
    }
}
