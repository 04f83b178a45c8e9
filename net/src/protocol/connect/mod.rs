//! Connecting, with Twisted's older way of it: a factory that is told, and a connector to try again with.

mod connector;
pub(crate) mod dial;
mod jitter;
mod options;
mod reconnecting;

pub use options::ConnectOptions;
pub use reconnecting::{Reconnecting, ReconnectingClientFactory};

use super::{ClientFactory, Connector};
use crate::ToSocketAddrs;
#[cfg(feature = "tls")]
use crate::tls::TlsConnector;
#[cfg(unix)]
use std::path::Path;

/// Connects to a TCP address or name, and runs the protocol that `factory` makes on the connection.
///
/// Nothing has happened when it returns: the factory is told how it goes, beginning with
/// [`started_connecting`](ClientFactory::started_connecting), when this thread's tasks get their turn. Of several addresses, the one
/// that answers first is taken, as [`TcpConnector`](crate::TcpConnector) does. It gives up after 30 seconds; for this and other settings
/// see [`ConnectOptions`]. To have a Deferred instead, use an endpoint: [`TcpClientEndpoint`](super::TcpClientEndpoint).
///
/// The attempt fails with an [`io::Error`](std::io::Error) ([`TimedOut`](std::io::ErrorKind::TimedOut) where time was up) or with
/// [`Cancelled`](rt_deferred::Cancelled). If the factory makes no protocol, the connection is closed and counts as lost.
///
/// Counterpart: `reactor.connectTCP`.
///
/// # Panics
///
/// On a thread that drives no runtime.
///
/// ```
/// use rt::deferred::{Deferred, Failure, Resolver};
/// use rt::protocol::{Address, ClientFactory, Connector, Factory, Protocol, Transport, connect_tcp, for_protocol, listen_tcp};
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// /// Tells how the first attempt went.
/// struct Once(Option<Resolver<Address>>);
///
/// impl Factory for Once {
///     type Protocol = Discard;
///
///     fn build_protocol(&mut self, peer: &Address) -> Option<Discard> {
///         let _ = self.0.take()?.callback(peer.clone());
///         Some(Discard)
///     }
/// }
///
/// impl ClientFactory for Once {
///     fn client_connection_failed(&mut self, _: &Connector, reason: &Failure) {
///         self.0.take().map(|first| first.errback(reason.clone()));
///     }
/// }
///
/// # fn main() -> Result<(), Failure> {
/// # rt::block_on(async {
/// let port = listen_tcp("127.0.0.1:0", for_protocol(|| Discard))?;
/// let (connected, first) = Deferred::new();
/// let connector = connect_tcp(port.host().ip().unwrap(), Once(Some(first)));
/// assert_eq!(connected.await?, port.host());
/// connector.disconnect();
/// # Ok(())
/// # })
/// # }
/// ```
#[track_caller]
pub fn connect_tcp<F: ClientFactory>(address: impl ToSocketAddrs, factory: F) -> Connector {
    ConnectOptions::new().connect_tcp(address, factory)
}

/// Connects to a Unix socket at `path`, as [`connect_tcp`] does to an address.
///
/// Counterpart: `reactor.connectUNIX`.
///
/// # Panics
///
/// On a thread that drives no runtime.
#[cfg(unix)]
#[track_caller]
pub fn connect_unix<F: ClientFactory>(path: impl AsRef<Path>, factory: F) -> Connector {
    ConnectOptions::new().connect_unix(path, factory)
}

/// Connects to a TCP address or name, as [`connect_tcp`] does, and puts the connection under TLS before anything else; see
/// [`wrap_client_tls`](super::wrap_client_tls). The server has to prove that it is the host of `address`.
///
/// Counterpart: `reactor.connectSSL`.
///
/// # Panics
///
/// On a thread that drives no runtime.
#[cfg(feature = "tls")]
#[track_caller]
pub fn connect_tls<F: ClientFactory>(address: impl ToSocketAddrs, connector: &TlsConnector, factory: F) -> Connector {
    ConnectOptions::new().connect_tls(address, connector, factory)
}
