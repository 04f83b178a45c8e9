//! How many connections there may be.

use super::wrapping::factory_by_field;
use super::{Policy, ProtocolWrapper, Wrapper, WrappingFactory};
#[cfg(feature = "tls")]
use crate::protocol::StartTls;
use crate::protocol::{Address, ClientFactory, ConnectionLost, Factory, Protocol, Transport};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

/// A factory with at most so many connections at a time. Others are closed at once, or get a protocol that turns them away.
///
/// Connections of the overflow protocol count, too, as in Twisted.
///
/// Counterpart: `twisted.protocols.policies.LimitTotalConnectionsFactory`.
///
/// ```
/// use rt::protocol::policy::LimitTotalConnectionsFactory;
/// use rt::protocol::{Address, Factory, Protocol, Transport};
/// use rt::testing::{AccumulatingProtocol, StringTransportWithDisconnection};
///
/// struct Full;
/// impl Protocol for Full {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"come back later\r\n");
///         transport.lose_connection();
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let mut factory = LimitTotalConnectionsFactory::new(|_: &Address| AccumulatingProtocol::new(), 1)
///     .overflow(|_: &Address| Full);
/// let first = StringTransportWithDisconnection::new(factory.build_protocol(&Address::Memory).unwrap());
/// let second = StringTransportWithDisconnection::new(factory.build_protocol(&Address::Memory).unwrap());
/// assert_eq!(first.string_transport().value(), b"");
/// assert_eq!(second.string_transport().value(), b"come back later\r\n");
/// ```
pub struct LimitTotalConnectionsFactory<F, O = Refuse> {
    wrapped: F,
    overflow: O,
    limit: usize,
    count: ConnectionCount,
}

impl<F: Factory> LimitTotalConnectionsFactory<F> {
    /// At most `limit` connections of `factory`. Others are closed at once.
    pub fn new(factory: F, limit: usize) -> Self {
        Self { wrapped: factory, overflow: Refuse, limit, count: ConnectionCount::default() }
    }
}

impl<F: Factory, O: Factory> LimitTotalConnectionsFactory<F, O> {
    /// Those beyond the limit get a protocol that `overflow` makes, which should close the connection soon.
    ///
    /// Counterpart: `overflowProtocol`.
    pub fn overflow<O2: Factory>(self, overflow: O2) -> LimitTotalConnectionsFactory<F, O2> {
        LimitTotalConnectionsFactory { wrapped: self.wrapped, overflow, limit: self.limit, count: self.count }
    }

    /// How many connections there are, for who watches the factory after it was given away.
    ///
    /// Counterpart: `connectionCount`.
    pub fn count(&self) -> ConnectionCount {
        self.count.clone()
    }
}

impl<F: Factory, O: Factory> Factory for LimitTotalConnectionsFactory<F, O> {
    type Protocol = ProtocolWrapper<Either<F::Protocol, O::Protocol>, Place>;

    fn build_protocol(&mut self, peer: &Address) -> Option<Self::Protocol> {
        let protocol = if self.count.get() < self.limit {
            Either::Left(self.wrapped.build_protocol(peer)?)
        } else {
            Either::Right(self.overflow.build_protocol(peer)?)
        };
        Some(ProtocolWrapper::new(protocol, self.count.take_place()))
    }

    fn start_factory(&mut self) {
        self.wrapped.start_factory();
        self.overflow.start_factory();
    }

    fn stop_factory(&mut self) {
        self.wrapped.stop_factory();
        self.overflow.stop_factory();
    }

    #[cfg(feature = "tls")]
    fn start_tls(&mut self) -> Option<StartTls> {
        if self.count.get() < self.limit { self.wrapped.start_tls() } else { self.overflow.start_tls() }
    }
}

impl<F, O> fmt::Debug for LimitTotalConnectionsFactory<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitTotalConnectionsFactory")
            .field("limit", &self.limit)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// A factory that makes no protocol: its connections are closed at once.
///
/// ```
/// use rt::protocol::policy::Refuse;
/// use rt::protocol::{Address, Factory};
///
/// assert!(Refuse.build_protocol(&Address::Memory).is_none());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Refuse;

impl Factory for Refuse {
    type Protocol = Infallible;

    fn build_protocol(&mut self, _: &Address) -> Option<Infallible> {
        None
    }
}

/// There is none.
impl Protocol for Infallible {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        match *self {}
    }
}

/// How many connections a factory has. A cheap handle.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCount(Rc<Cell<usize>>);

impl ConnectionCount {
    /// How many there are now.
    pub fn get(&self) -> usize {
        self.0.get()
    }

    pub(super) fn take_place(&self) -> Place {
        self.0.set(self.0.get() + 1);
        let count = self.0.clone();
        Place::new(move || count.set(count.get() - 1))
    }
}

/// A connection's place among those that are allowed. It is given back when the connection is lost, before the protocol is told.
pub struct Place {
    give_back: Cell<Option<Box<dyn FnOnce()>>>,
}

impl Place {
    fn new(give_back: impl FnOnce() + 'static) -> Self {
        Self { give_back: Cell::new(Some(Box::new(give_back))) }
    }

    pub(super) fn give_back(&self) {
        if let Some(give_back) = self.give_back.take() {
            give_back();
        }
    }
}

impl Wrapper for Place {
    fn connection_lost(&self, _: &Transport, _: &ConnectionLost) {
        self.give_back();
    }
}

/// A connection that came to nothing.
impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

/// One of two protocols.
///
/// ```
/// use rt::protocol::policy::Either;
/// use rt::testing::{AccumulatingProtocol, StringTransportWithDisconnection};
/// use std::convert::Infallible;
///
/// let left = AccumulatingProtocol::new();
/// let connection = StringTransportWithDisconnection::new(Either::<_, Infallible>::Left(left.clone()));
/// connection.data_received(b"for the left one");
/// assert_eq!(left.data(), b"for the left one");
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Either<L, R> {
    /// The one.
    Left(L),
    /// The other.
    Right(R),
}

/// The same call for whichever it is.
macro_rules! either {
    ($this:ident, $protocol:ident => $call:expr) => {
        match $this {
            Either::Left($protocol) => $call,
            Either::Right($protocol) => $call,
        }
    };
}

impl<L: Protocol, R: Protocol> Protocol for Either<L, R> {
    fn connection_made(&mut self, transport: &Transport) {
        either!(self, protocol => protocol.connection_made(transport));
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        either!(self, protocol => protocol.data_received(transport, data));
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        either!(self, protocol => protocol.connection_lost(transport, reason));
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        either!(self, protocol => protocol.read_connection_lost(transport));
    }

    fn write_connection_lost(&mut self, transport: &Transport) {
        either!(self, protocol => protocol.write_connection_lost(transport));
    }

    fn handshake_completed(&mut self, transport: &Transport) {
        either!(self, protocol => protocol.handshake_completed(transport));
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        either!(self, protocol => protocol.reading_resumed(transport));
    }
}

/// A factory with at most so many connections with each host at a time. Others are closed at once.
///
/// Hosts are told apart by their IP address; peers without one count together.
///
/// Counterpart: `twisted.protocols.policies.LimitConnectionsByPeer`.
///
/// ```
/// use rt::protocol::policy::LimitConnectionsByPeer;
/// use rt::protocol::{Address, Factory};
/// use rt::testing::AccumulatingProtocol;
/// use std::net::SocketAddr;
///
/// let mut factory = LimitConnectionsByPeer::new(|_: &Address| AccumulatingProtocol::new(), 1);
/// let [one, again, other] = ["192.0.2.1:1111", "192.0.2.1:2222", "192.0.2.2:1111"]
///     .map(|peer| factory.build_protocol(&peer.parse::<SocketAddr>().unwrap().into()));
/// assert!(one.is_some() && again.is_none() && other.is_some());
/// ```
pub struct LimitConnectionsByPeer<F> {
    factory: WrappingFactory<F, ByPeer>,
}

impl<F: Factory> LimitConnectionsByPeer<F> {
    /// At most `limit` connections of `factory` with each host. Twisted's default is 5.
    pub fn new(factory: F, limit: usize) -> Self {
        Self { factory: WrappingFactory::new(factory, ByPeer { limit, counts: Rc::default() }) }
    }
}

factory_by_field!(LimitConnectionsByPeer, ProtocolWrapper<F::Protocol, Place>);

struct ByPeer {
    limit: usize,
    counts: Rc<RefCell<HashMap<Option<IpAddr>, usize>>>,
}

impl Policy for ByPeer {
    type Wrapper = Place;

    fn wrap(&mut self, peer: &Address) -> Option<Place> {
        let host = peer.ip().map(|address| address.ip().to_canonical());
        let mut counts = self.counts.borrow_mut();
        let count = counts.get(&host).copied().unwrap_or(0);
        if count >= self.limit {
            return None;
        }
        counts.insert(host, count + 1);
        let counts = self.counts.clone();
        Some(Place::new(move || give_back(&mut counts.borrow_mut(), host)))
    }
}

fn give_back(counts: &mut HashMap<Option<IpAddr>, usize>, host: Option<IpAddr>) {
    match counts.get_mut(&host) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(&host)),
    }
}
