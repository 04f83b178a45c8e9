//! TLS over another endpoint.

use super::{StreamClientEndpoint, StreamServerEndpoint};
use crate::protocol::{
    Address, ClientFactory, ConnectionLost, Connector, Factory, NoProtocol, Port, ProtocolHandle, StartTls,
};
use crate::tls::{TlsAcceptor, TlsConnector};
use rt_deferred::{Deferred, Failure};
use std::cell::Cell;
use std::rc::Rc;

/// Connects to `endpoint`, and puts the connection under TLS before anything else. The server has to prove that it is `domain`: a name or
/// an IP address.
///
/// The Deferred fires when there is a connection; the handshake follows, and what the protocol writes meanwhile is sent after it. The
/// protocol is told that it is over by [`handshake_completed`](crate::protocol::Protocol::handshake_completed). If it fails, the
/// connection is lost with [`ConnectionLost::Tls`].
///
/// Counterpart: `twisted.internet.endpoints.wrapClientTLS`, whose connection creator knows the name.
pub fn wrap_client_tls<E: StreamClientEndpoint>(
    connector: &TlsConnector,
    domain: impl Into<String>,
    endpoint: E,
) -> TlsClientEndpoint<E> {
    TlsClientEndpoint { connector: connector.clone(), domain: domain.into(), endpoint }
}

/// Made by [`wrap_client_tls`].
///
/// ```
/// # #[cfg(feature = "tls")]
/// # fn main() -> std::io::Result<()> {
/// use rt::net::tls::TlsConnector;
/// use rt::protocol::{HostnameEndpoint, wrap_client_tls};
///
/// # let pem = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
/// let connector = TlsConnector::builder().only_these_roots().root_pem(pem).build()?;
/// let endpoint = wrap_client_tls(&connector, "www.example.com", HostnameEndpoint::new("www.example.com", 443));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "tls"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct TlsClientEndpoint<E> {
    connector: TlsConnector,
    domain: String,
    endpoint: E,
}

impl<E: StreamClientEndpoint> StreamClientEndpoint for TlsClientEndpoint<E> {
    fn connect<F: Factory>(&self, factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        let factory = TlsClientFactory::new(&self.connector, &self.domain, factory);
        let was_plain = factory.was_plain.clone();
        self.endpoint.connect(factory).add_errback(move |failure: Failure| -> Result<_, Failure> {
            match failure.check::<NoProtocol>() && was_plain.get() {
                true => Err(Failure::new(
                    "the endpoint below does not do TLS: it has to start connections by drive_factory",
                )),
                false => Err(failure),
            }
        })
    }
}

/// Makes protocols for connections that go under TLS, as clients.
pub(crate) struct TlsClientFactory<F> {
    connector: TlsConnector,
    domain: String,
    factory: F,
    is_under_tls: bool,
    /// Whether it was asked for a protocol that would not have run under TLS.
    was_plain: Rc<Cell<bool>>,
}

impl<F> TlsClientFactory<F> {
    pub(crate) fn new(connector: &TlsConnector, domain: &str, factory: F) -> Self {
        let (connector, domain) = (connector.clone(), domain.to_owned());
        Self { connector, domain, factory, is_under_tls: false, was_plain: Rc::default() }
    }
}

impl<F: Factory> Factory for TlsClientFactory<F> {
    type Protocol = F::Protocol;

    fn build_protocol(&mut self, peer: &Address) -> Option<F::Protocol> {
        if !std::mem::take(&mut self.is_under_tls) {
            // Rather none than one that tells its secrets in the open.
            self.was_plain.set(true);
            return None;
        }
        self.factory.build_protocol(peer)
    }

    fn start_factory(&mut self) {
        self.factory.start_factory();
    }

    fn stop_factory(&mut self) {
        self.factory.stop_factory();
    }

    fn start_tls(&mut self) -> Option<StartTls> {
        self.is_under_tls = true;
        Some(StartTls::client(&self.connector, &self.domain))
    }
}

impl<F: ClientFactory> ClientFactory for TlsClientFactory<F> {
    fn connector_made(&mut self, connector: &Connector) {
        self.factory.connector_made(connector);
    }

    fn started_connecting(&mut self, connector: &Connector) {
        self.factory.started_connecting(connector);
    }

    fn client_connection_failed(&mut self, connector: &Connector, reason: &Failure) {
        self.factory.client_connection_failed(connector, reason);
    }

    fn client_connection_lost(&mut self, connector: &Connector, reason: &ConnectionLost) {
        self.factory.client_connection_lost(connector, reason);
    }
}

/// Listens on `endpoint`, and puts each connection under TLS before anything else.
///
/// A protocol is made, and told of its connection, when that is accepted; the handshake follows, see [`wrap_client_tls`]. A handshake
/// has the acceptor's time limit.
///
/// Counterpart: `twisted.internet.endpoints.wrapServerTLS`, `SSL4ServerEndpoint`.
pub fn wrap_server_tls<E: StreamServerEndpoint>(acceptor: &TlsAcceptor, endpoint: E) -> TlsServerEndpoint<E> {
    TlsServerEndpoint { acceptor: acceptor.clone(), endpoint }
}

/// Made by [`wrap_server_tls`].
///
/// ```
/// # #[cfg(feature = "tls")]
/// # fn main() -> Result<(), rt::deferred::Failure> {
/// use rt::net::tls::TlsAcceptor;
/// use rt::protocol::{Protocol, StreamServerEndpoint, TcpServerEndpoint, Transport, for_protocol, wrap_server_tls};
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
/// # rt::block_on(async {
/// let acceptor = TlsAcceptor::builder().certificate_pem(&certificate, &key).build()?;
/// let endpoint = wrap_server_tls(&acceptor, TcpServerEndpoint::new("127.0.0.1:0"));
/// let port = endpoint.listen(for_protocol(|| Discard)).await?;
/// # drop(port);
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(feature = "tls"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct TlsServerEndpoint<E> {
    acceptor: TlsAcceptor,
    endpoint: E,
}

impl<E: StreamServerEndpoint> StreamServerEndpoint for TlsServerEndpoint<E> {
    fn listen<F: Factory>(&self, factory: F) -> Deferred<Port> {
        self.endpoint.listen(TlsServerFactory::new(&self.acceptor, factory))
    }
}

/// Makes protocols for connections that go under TLS, as servers.
pub(crate) struct TlsServerFactory<F> {
    acceptor: TlsAcceptor,
    factory: F,
    is_under_tls: bool,
}

impl<F> TlsServerFactory<F> {
    pub(crate) fn new(acceptor: &TlsAcceptor, factory: F) -> Self {
        Self { acceptor: acceptor.clone(), factory, is_under_tls: false }
    }
}

impl<F: Factory> Factory for TlsServerFactory<F> {
    type Protocol = F::Protocol;

    fn build_protocol(&mut self, peer: &Address) -> Option<F::Protocol> {
        // Nobody is served in the open, by an endpoint that does not ask for TLS.
        std::mem::take(&mut self.is_under_tls).then(|| self.factory.build_protocol(peer))?
    }

    fn start_factory(&mut self) {
        self.factory.start_factory();
    }

    fn stop_factory(&mut self) {
        self.factory.stop_factory();
    }

    fn start_tls(&mut self) -> Option<StartTls> {
        self.is_under_tls = true;
        Some(StartTls::server(&self.acceptor))
    }
}
