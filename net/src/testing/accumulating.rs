//! A protocol that keeps what happens to it, and its factory.

use super::lost::Lost;
use crate::protocol::{Address, ClientFactory, ConnectionLost, Factory, Protocol, Transport};
use rt_deferred::{Deferred, Resolver};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// A protocol that keeps the bytes that come and says nothing. A cheap handle: the connection has one clone, the test another.
///
/// Counterpart: `twisted.internet.testing.AccumulatingProtocol`.
///
/// ```
/// use rt::testing::{AccumulatingProtocol, Pair};
///
/// let (client, server) = (AccumulatingProtocol::new(), AccumulatingProtocol::new());
/// let pair = Pair::new(client.clone(), server.clone());
/// client.transport().unwrap().write(b"hello");
/// client.transport().unwrap().lose_connection();
/// pair.flush();
/// assert_eq!(server.data(), b"hello");
/// assert!(server.lost().unwrap().is_clean());
/// ```
#[derive(Clone, Default)]
pub struct AccumulatingProtocol {
    seen: Rc<Seen>,
}

#[derive(Default)]
struct Seen {
    transport: RefCell<Option<Transport>>,
    data: RefCell<Vec<u8>>,
    pieces: RefCell<Vec<usize>>,
    is_read_lost: Cell<bool>,
    is_write_lost: Cell<bool>,
    stays_half_open: Cell<bool>,
    reason: RefCell<Option<ConnectionLost>>,
    lost: Lost,
}

impl AccumulatingProtocol {
    /// One that is not connected.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that keeps the connection when the peer sends no more, instead of closing it.
    pub fn half_open() -> Self {
        let protocol = Self::new();
        protocol.seen.stays_half_open.set(true);
        protocol
    }

    /// What it was given when the connection was made, and whose `write` speaks for it; `None` before.
    pub fn transport(&self) -> Option<Transport> {
        self.seen.transport.borrow().clone()
    }

    /// The bytes that came since [`clear`](AccumulatingProtocol::clear).
    pub fn data(&self) -> Vec<u8> {
        self.seen.data.borrow().clone()
    }

    /// How many bytes came in each call of `data_received`, since [`clear`](AccumulatingProtocol::clear).
    pub fn pieces(&self) -> Vec<usize> {
        self.seen.pieces.borrow().clone()
    }

    /// Forgets the bytes that came.
    pub fn clear(&self) {
        self.seen.data.borrow_mut().clear();
        self.seen.pieces.borrow_mut().clear();
    }

    /// Whether it was told that the peer sends no more.
    pub fn is_read_connection_lost(&self) -> bool {
        self.seen.is_read_lost.get()
    }

    /// Whether it was told that its writing side is closed.
    pub fn is_write_connection_lost(&self) -> bool {
        self.seen.is_write_lost.get()
    }

    /// Why the connection is gone; `None` while it is not.
    pub fn lost(&self) -> Option<ConnectionLost> {
        self.seen.reason.borrow().clone()
    }

    /// Fires when the connection is gone, with the reason.
    ///
    /// Counterpart: `AccumulatingProtocol.closedDeferred`.
    pub fn closed(&self) -> Deferred<ConnectionLost> {
        self.seen.lost.closed()
    }
}

impl Protocol for AccumulatingProtocol {
    fn connection_made(&mut self, transport: &Transport) {
        *self.seen.transport.borrow_mut() = Some(transport.clone());
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.seen.data.borrow_mut().extend_from_slice(data);
        self.seen.pieces.borrow_mut().push(data.len());
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        *self.seen.reason.borrow_mut() = Some(reason.clone());
        self.seen.lost.set(reason.clone());
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        self.seen.is_read_lost.set(true);
        if !self.seen.stays_half_open.get() {
            transport.stop_producer();
            transport.lose_connection();
        }
    }

    fn write_connection_lost(&mut self, _: &Transport) {
        self.seen.is_write_lost.set(true);
    }
}

impl fmt::Debug for AccumulatingProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccumulatingProtocol")
            .field("is_made", &self.seen.transport.borrow().is_some())
            .field("data", &self.seen.data.borrow())
            .field("lost", &self.lost())
            .finish()
    }
}

/// Makes [`AccumulatingProtocol`]s and notes what a factory is told. A cheap handle: who listens or connects has one clone, the
/// test another.
///
/// Counterpart: the `factory` with its `protocolConnectionMade` in tests of Twisted.
///
/// ```
/// use rt::protocol::{Address, Factory};
/// use rt::testing::AccumulatingFactory;
///
/// let mut factory = AccumulatingFactory::new();
/// factory.build_protocol(&Address::Memory);
/// assert_eq!(factory.protocols().len(), 1);
/// factory.refuse(true);
/// assert!(factory.build_protocol(&Address::Memory).is_none());
/// ```
#[derive(Clone, Default)]
pub struct AccumulatingFactory {
    state: Rc<FactoryState>,
}

#[derive(Default)]
struct FactoryState {
    protocols: RefCell<Vec<AccumulatingProtocol>>,
    peers: RefCell<Vec<Address>>,
    waiting: RefCell<Vec<Resolver<AccumulatingProtocol>>>,
    refuses: Cell<bool>,
    starts: Cell<usize>,
    stops: Cell<usize>,
}

impl AccumulatingFactory {
    /// One that has made no protocol.
    pub fn new() -> Self {
        Self::default()
    }

    /// The protocols that it has made, in order.
    pub fn protocols(&self) -> Vec<AccumulatingProtocol> {
        self.state.protocols.borrow().clone()
    }

    /// The peers that it has been asked to make a protocol for, in order, refused ones included.
    pub fn peers(&self) -> Vec<Address> {
        self.state.peers.borrow().clone()
    }

    /// Fires with the next protocol that it makes.
    ///
    /// Counterpart: `protocolConnectionMade`.
    pub fn next_protocol(&self) -> Deferred<AccumulatingProtocol> {
        let (deferred, resolver) = Deferred::new();
        self.state.waiting.borrow_mut().push(resolver);
        deferred
    }

    /// Whether it makes no protocol from here on: `build_protocol` returns `None`.
    pub fn refuse(&self, yes: bool) {
        self.state.refuses.set(yes);
    }

    /// How many ports and connectors it works for now.
    pub fn running(&self) -> usize {
        self.state.starts.get() - self.state.stops.get()
    }

    /// How often it was started.
    pub fn starts(&self) -> usize {
        self.state.starts.get()
    }
}

impl Factory for AccumulatingFactory {
    type Protocol = AccumulatingProtocol;

    fn build_protocol(&mut self, peer: &Address) -> Option<AccumulatingProtocol> {
        self.state.peers.borrow_mut().push(peer.clone());
        if self.state.refuses.get() {
            return None;
        }
        let protocol = AccumulatingProtocol::new();
        self.state.protocols.borrow_mut().push(protocol.clone());
        for waiting in self.state.waiting.take() {
            let _ = waiting.callback(protocol.clone());
        }
        Some(protocol)
    }

    fn start_factory(&mut self) {
        self.state.starts.set(self.state.starts.get() + 1);
    }

    fn stop_factory(&mut self) {
        self.state.stops.set(self.state.stops.get() + 1);
    }
}

impl ClientFactory for AccumulatingFactory {}

impl fmt::Debug for AccumulatingFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccumulatingFactory")
            .field("protocols", &self.state.protocols.borrow())
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
