//! Where servers listen and clients connect to, as values.

#[cfg(unix)]
mod adopted;
mod connecting;
mod strings;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub use adopted::{AdoptedStreamServerEndpoint, AlreadyListened};
pub use connecting::connect_protocol;
pub use strings::{
    AnyStreamClientEndpoint, AnyStreamServerEndpoint, EndpointStringError, client_from_string, quote_string_argument,
    server_from_string,
};
pub use tcp::{HostnameEndpoint, TcpClientEndpoint, TcpServerEndpoint};
#[cfg(feature = "tls")]
pub use tls::{TlsClientEndpoint, TlsServerEndpoint, wrap_client_tls, wrap_server_tls};
#[cfg(feature = "tls")]
pub(crate) use tls::{TlsClientFactory, TlsServerFactory};
#[cfg(unix)]
pub use unix::{UnixClientEndpoint, UnixServerEndpoint};

use super::{Factory, Port, ProtocolHandle};
use rt_deferred::Deferred;

/// Where a client connects to.
///
/// Implement it for a way of connecting of your own, with [`drive_factory`](crate::protocol::drive_factory) for its streams.
///
/// Counterpart: `IStreamClientEndpoint`.
pub trait StreamClientEndpoint: 'static {
    /// Connects, and runs the protocol that `factory` makes on the connection. Cancelling the Deferred gives up the attempt.
    fn connect<F: Factory>(&self, factory: F) -> Deferred<ProtocolHandle<F::Protocol>>;
}

/// Where a server listens.
///
/// Counterpart: `IStreamServerEndpoint`.
pub trait StreamServerEndpoint: 'static {
    /// Listens, and runs a protocol that `factory` makes on each connection.
    fn listen<F: Factory>(&self, factory: F) -> Deferred<Port>;
}
