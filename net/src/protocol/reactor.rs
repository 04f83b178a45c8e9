//! Listening and connecting by something that is given, so that a test can give something else.

use super::{ClientFactory, Connector, Factory, Port};
use crate::ToSocketAddrs;
use rt_deferred::{Reactor, ReactorTime};
use std::io;
#[cfg(unix)]
use std::path::Path;

/// What listens and connects by TCP: [`Reactor`] does it with sockets, [`MemoryReactor`](crate::testing::MemoryReactor) in memory.
///
/// Code that takes one can be tested without sockets. Code that takes endpoints can, too, and need not know of TCP.
///
/// Counterpart: `IReactorTCP`.
///
/// ```
/// use rt::protocol::{Port, ReactorTcp, for_protocol};
/// use rt::testing::{AccumulatingProtocol, MemoryReactor};
///
/// fn start(reactor: &impl ReactorTcp) -> std::io::Result<Port> {
///     reactor.listen_tcp("127.0.0.1:8080", for_protocol(AccumulatingProtocol::new))
/// }
///
/// // In a program: `start(&rt::deferred::Reactor)`.
/// let reactor = MemoryReactor::new();
/// start(&reactor)?;
/// assert_eq!(reactor.listening()[0].to_string(), "127.0.0.1:8080");
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ReactorTcp: ReactorTime + 'static {
    /// See [`listen_tcp`](super::listen_tcp).
    ///
    /// # Errors
    ///
    /// Those of [`listen_tcp`](super::listen_tcp).
    fn listen_tcp<F: Factory>(&self, address: impl ToSocketAddrs, factory: F) -> io::Result<Port>;

    /// See [`connect_tcp`](super::connect_tcp).
    fn connect_tcp<F: ClientFactory>(&self, address: impl ToSocketAddrs, factory: F) -> Connector;
}

impl ReactorTcp for Reactor {
    fn listen_tcp<F: Factory>(&self, address: impl ToSocketAddrs, factory: F) -> io::Result<Port> {
        super::listen_tcp(address, factory)
    }

    fn connect_tcp<F: ClientFactory>(&self, address: impl ToSocketAddrs, factory: F) -> Connector {
        super::connect_tcp(address, factory)
    }
}

/// What listens at and connects to Unix sockets, as [`ReactorTcp`] does by TCP.
///
/// Counterpart: `IReactorUNIX`.
#[cfg(unix)]
pub trait ReactorUnix: ReactorTime + 'static {
    /// See [`listen_unix`](super::listen_unix).
    ///
    /// # Errors
    ///
    /// Those of [`listen_unix`](super::listen_unix).
    fn listen_unix<F: Factory>(&self, path: impl AsRef<Path>, factory: F) -> io::Result<Port>;

    /// See [`connect_unix`](super::connect_unix).
    fn connect_unix<F: ClientFactory>(&self, path: impl AsRef<Path>, factory: F) -> Connector;
}

#[cfg(unix)]
impl ReactorUnix for Reactor {
    fn listen_unix<F: Factory>(&self, path: impl AsRef<Path>, factory: F) -> io::Result<Port> {
        super::listen_unix(path, factory)
    }

    fn connect_unix<F: ClientFactory>(&self, path: impl AsRef<Path>, factory: F) -> Connector {
        super::connect_unix(path, factory)
    }
}
