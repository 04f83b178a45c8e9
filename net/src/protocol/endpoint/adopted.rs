//! Sockets that a parent process has opened.

use super::StreamServerEndpoint;
use crate::protocol::{Factory, Port, listen_on};
use crate::tcp::TcpListener;
use crate::unix::UnixListener;
use crate::{AdoptedSocket, AdoptedSockets};
use rt_deferred::{Deferred, Failure, execute};
use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::io;
use std::rc::Rc;

/// A listening socket that is there already, to be listened on once.
///
/// Clones stand for the same socket.
///
/// Counterpart: `twisted.internet.endpoints.AdoptedStreamServerEndpoint`.
///
/// ```
/// # #[cfg(unix)]
/// # fn main() -> Result<(), rt::deferred::Failure> {
/// use rt::net::TcpListener;
/// use rt::protocol::{
///     AdoptedStreamServerEndpoint, AlreadyListened, Protocol, StreamServerEndpoint, Transport, for_protocol,
/// };
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # rt::block_on(async {
/// let endpoint = AdoptedStreamServerEndpoint::tcp(TcpListener::bind("127.0.0.1:0").await?);
/// let port = endpoint.listen(for_protocol(|| Discard)).await?;
/// let again = endpoint.listen(for_protocol(|| Discard)).await.unwrap_err();
/// assert!(again.check::<AlreadyListened>());
/// # drop(port);
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct AdoptedStreamServerEndpoint {
    /// `None` once it is listened on.
    socket: Rc<RefCell<Option<Socket>>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl AdoptedStreamServerEndpoint {
    /// A TCP socket, from [`AdoptedSockets`] or elsewhere.
    pub fn tcp(listener: TcpListener) -> Self {
        Self::of(Socket::Tcp(listener))
    }

    /// A Unix socket.
    pub fn unix(listener: UnixListener) -> Self {
        Self::of(Socket::Unix(listener))
    }

    /// Takes a socket out of `sockets`, by its place or name, be it one of TCP or of Unix.
    ///
    /// # Errors
    ///
    /// Those of [`AdoptedSockets::tcp_listener`].
    pub fn take(sockets: &mut AdoptedSockets, which: impl AdoptedSocket + Copy) -> io::Result<Self> {
        match sockets.tcp_listener(which) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => sockets.unix_listener(which).map(Self::unix),
            taken => taken.map(Self::tcp),
        }
    }

    fn of(socket: Socket) -> Self {
        Self { socket: Rc::new(RefCell::new(Some(socket))) }
    }
}

impl StreamServerEndpoint for AdoptedStreamServerEndpoint {
    /// Listens, once: it fails with [`AlreadyListened`] thereafter.
    fn listen<F: Factory>(&self, factory: F) -> Deferred<Port> {
        match self.socket.take() {
            Some(Socket::Tcp(listener)) => execute(|| Ok(listen_on(listener, factory)?)),
            Some(Socket::Unix(listener)) => execute(|| Ok(listen_on(listener, factory)?)),
            None => Deferred::fail(Failure::new(AlreadyListened)),
        }
    }
}

impl fmt::Debug for AdoptedStreamServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AdoptedStreamServerEndpoint").field(&self.socket.borrow()).finish()
    }
}

/// An [`AdoptedStreamServerEndpoint`] was to listen for a second time.
///
/// Counterpart: `twisted.internet.error.AlreadyListened`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyListened;

impl fmt::Display for AlreadyListened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this endpoint has listened before; a socket that was handed down can be listened on once")
    }
}

impl Error for AlreadyListened {}
