//! Forwarding connections to somewhere else.

use super::{Address, ConnectionLost, Factory, Protocol, StreamClientEndpoint, Transport};
use rt_deferred::{Cancelled, Control, Failure};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// Forwards each connection: makes one to `endpoint` for it, and hands on what comes, both ways.
///
/// - Each of the two is read at the pace of the other: what is under way is bounded by the
///   [`WriteLimits`](super::WriteLimits) of each. Nothing is read before the second connection is there.
/// - Who closes its writing side is known to do so at the other end, and may still read; when both have, or one connection is gone, the
///   other is closed when what was written to it is sent.
/// - When the second connection cannot be made, the first is closed, and the failure reported as an
///   [unhandled one](rt_deferred::unhandled) unless [`on_failure`](PortForwardFactory::on_failure) takes it. When the first is lost
///   before the second is there, the attempt is given up; as nothing is read meanwhile, a client that goes is noticed when the second is
///   there.
///
/// Counterpart: `twisted.protocols.portforward.ProxyFactory`.
///
/// ```
/// use rt::protocol::{PortForwardFactory, ReactorTcp};
/// use rt::testing::{AccumulatingProtocol, MemoryReactor};
///
/// let reactor = MemoryReactor::new();
/// // In a program: `TcpClientEndpoint::new("example.com:80")`.
/// let forward = PortForwardFactory::new(reactor.client_endpoint("example.com:80"));
/// let port = reactor.listen_tcp("127.0.0.1:8080", forward).unwrap();
///
/// let (client, server) = (AccumulatingProtocol::new(), AccumulatingProtocol::new());
/// reactor.dial(&port.host(), client.clone()).unwrap();
/// reactor.accept(server.clone()).unwrap();
/// client.transport().unwrap().write(b"hello");
/// reactor.flush();
/// assert_eq!(server.data(), b"hello");
/// ```
pub struct PortForwardFactory<E> {
    endpoint: Rc<E>,
    on_failure: Option<Rc<dyn Fn(Failure)>>,
}

impl<E: StreamClientEndpoint> PortForwardFactory<E> {
    /// Forwards to what `endpoint` connects to.
    pub fn new(endpoint: E) -> Self {
        Self { endpoint: Rc::new(endpoint), on_failure: None }
    }

    /// Has `f` told when the second connection of one that came cannot be made.
    #[must_use]
    pub fn on_failure(mut self, f: impl Fn(Failure) + 'static) -> Self {
        self.on_failure = Some(Rc::new(f));
        self
    }
}

impl<E: StreamClientEndpoint> Factory for PortForwardFactory<E> {
    type Protocol = ProxyServer<E>;

    fn build_protocol(&mut self, _: &Address) -> Option<ProxyServer<E>> {
        let (endpoint, on_failure) = (self.endpoint.clone(), self.on_failure.clone());
        Some(ProxyServer { endpoint, on_failure, link: None, attempt: None })
    }
}

impl<E> fmt::Debug for PortForwardFactory<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortForwardFactory").finish_non_exhaustive()
    }
}

/// On the connection that came, see [`PortForwardFactory`].
///
/// Counterpart: `twisted.protocols.portforward.ProxyServer`.
pub struct ProxyServer<E> {
    endpoint: Rc<E>,
    on_failure: Option<Rc<dyn Fn(Failure)>>,
    link: Option<Rc<Link>>,
    /// The second connection, while it is not there.
    attempt: Option<Control>,
}

impl<E: StreamClientEndpoint> Protocol for ProxyServer<E> {
    fn connection_made(&mut self, transport: &Transport) {
        transport.pause_producing();
        let link = Rc::new(Link {
            server: transport.clone(),
            client: RefCell::default(),
            server_ended: Cell::default(),
            client_ended: Cell::default(),
        });
        let built = link.clone();
        let connecting = self.endpoint.connect(move |_: &Address| ProxyClient { link: built.clone() });
        self.attempt = Some(connecting.control());
        let (server, on_failure) = (transport.clone(), self.on_failure.clone());
        let reported = connecting.add_callback(|_| ()).add_errback(move |failure| {
            server.lose_connection();
            if failure.check::<Cancelled>() && !server.is_connected() {
                return Ok(());
            }
            match on_failure {
                Some(on_failure) => on_failure(failure),
                None => return Err(failure),
            }
            Ok(())
        });
        drop(reported);
        self.link = Some(link);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.with_client(|client, _| client.write(data));
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        self.with_client(|client, link| {
            hand_on_end(transport, client, &link.server_ended, &link.client_ended);
        });
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.with_client(|client, _| hand_on_loss(client));
        if let Some(attempt) = self.attempt.take() {
            attempt.cancel();
        }
    }
}

impl<E> ProxyServer<E> {
    fn with_client(&self, f: impl FnOnce(&Transport, &Link)) {
        let Some(link) = &self.link else { return };
        let client = link.client.borrow().clone();
        if let Some(client) = client {
            f(&client, link);
        }
    }
}

impl<E> fmt::Debug for ProxyServer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyServer").field("link", &self.link).finish_non_exhaustive()
    }
}

/// On the connection that was made for another, see [`PortForwardFactory`].
///
/// Counterpart: `twisted.protocols.portforward.ProxyClient`.
#[derive(Debug)]
pub struct ProxyClient {
    link: Rc<Link>,
}

impl Protocol for ProxyClient {
    fn connection_made(&mut self, transport: &Transport) {
        let server = &self.link.server;
        *self.link.client.borrow_mut() = Some(transport.clone());
        // Nobody else registers producers with the two. If the first is gone, this one is told to stop.
        let _ = transport.register_producer(server.clone(), true);
        let _ = server.register_producer(transport.clone(), true);
        server.resume_producing();
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.link.server.write(data);
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        hand_on_end(transport, &self.link.server, &self.link.client_ended, &self.link.server_ended);
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        let former = self.link.client.take();
        drop(former);
        hand_on_loss(&self.link.server);
    }
}

/// The two connections.
#[derive(Debug)]
struct Link {
    server: Transport,
    client: RefCell<Option<Transport>>,
    /// Whether it sends no more.
    server_ended: Cell<bool>,
    client_ended: Cell<bool>,
}

/// `from` sends no more, so `to` is not to expect more.
fn hand_on_end(from: &Transport, to: &Transport, from_ended: &Cell<bool>, to_ended: &Cell<bool>) {
    from_ended.set(true);
    to.unregister_producer();
    if to_ended.get() {
        to.lose_connection();
        from.lose_connection();
    } else {
        to.lose_write_connection();
    }
}

/// What produced for `other` is gone.
fn hand_on_loss(other: &Transport) {
    other.unregister_producer();
    other.lose_connection();
}
