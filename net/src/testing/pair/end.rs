//! A protocol on one end of a connection in memory.

use super::wire::Wire;
use crate::protocol::{Address, ConnectionLost, Factory, Holds, Protocol, ProtocolHandle, Transport};
use std::cell::RefCell;
use std::rc::Rc;

/// A protocol on its wire.
pub(crate) struct End<P> {
    /// Gone with the connection.
    protocol: RefCell<Option<P>>,
    wire: Rc<Wire>,
}

impl<P: Protocol> End<P> {
    pub(crate) fn between(protocol: P, host: Address, peer: Address) -> Rc<Self> {
        Rc::new(Self { protocol: RefCell::new(Some(protocol)), wire: Rc::new(Wire::new(host, peer)) })
    }

    pub(crate) fn handle(self: &Rc<Self>) -> ProtocolHandle<P> {
        ProtocolHandle::new(self.clone())
    }

    #[track_caller]
    fn tell(&self, event: impl FnOnce(&mut P, &Transport)) {
        let Ok(mut protocol) = self.protocol.try_borrow_mut() else {
            panic!("the connection is pumped within an event of one of its protocols: pump it from the test");
        };
        if let Some(protocol) = protocol.as_mut() {
            event(protocol, &Transport::new(self.wire.clone()));
        }
    }
}

impl<P: Protocol> Holds<P> for End<P> {
    fn protocol(&self) -> &RefCell<Option<P>> {
        &self.protocol
    }

    fn transport(self: Rc<Self>) -> Transport {
        Transport::new(self.wire.clone())
    }
}

/// An end whose protocol was not told yet.
pub(crate) struct ReadyEnd {
    pub(super) side: Rc<dyn Side>,
    /// Its factory wants TLS before anything else, which is left out: the protocol is told that the handshake is over.
    pub(super) wants_tls: bool,
}

impl ReadyEnd {
    pub(crate) fn new<P: Protocol>(end: Rc<End<P>>) -> Self {
        Self { side: end, wants_tls: false }
    }

    /// With the protocol that `factory` makes, if it makes one.
    pub(crate) fn build<F: Factory>(
        factory: &mut F,
        host: Address,
        peer: Address,
    ) -> Option<(ProtocolHandle<F::Protocol>, Self)> {
        let wants_tls = wants_tls(factory);
        let end = End::between(factory.build_protocol(&peer)?, host, peer);
        Some((end.handle(), Self { side: end, wants_tls }))
    }

    /// One that closes the connection at once.
    pub(crate) fn closing(host: Address, peer: Address) -> Self {
        struct Close;
        impl Protocol for Close {
            fn connection_made(&mut self, transport: &Transport) {
                transport.lose_connection();
            }
            fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        }
        Self::new(End::between(Close, host, peer))
    }
}

#[cfg(feature = "tls")]
fn wants_tls<F: Factory>(factory: &mut F) -> bool {
    factory.start_tls().is_some()
}

#[cfg(not(feature = "tls"))]
fn wants_tls<F: Factory>(_: &mut F) -> bool {
    false
}

/// An end, whatever its protocol.
pub(super) trait Side {
    fn wire(&self) -> &Wire;
    fn connection_made(&self);
    fn handshake_completed(&self);
    fn data_received(&self, data: &[u8]);
    fn read_connection_lost(&self);
    fn write_connection_lost(&self);
    fn reading_resumed(&self);
    /// The last event. The protocol is dropped after it.
    fn connection_lost(&self, reason: ConnectionLost);
}

impl<P: Protocol> Side for End<P> {
    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn connection_made(&self) {
        self.tell(|protocol, transport| protocol.connection_made(transport));
    }

    fn handshake_completed(&self) {
        self.tell(|protocol, transport| protocol.handshake_completed(transport));
    }

    fn data_received(&self, data: &[u8]) {
        self.wire.begins_to_receive();
        self.tell(|protocol, transport| protocol.data_received(transport, data));
        self.wire.has_received();
    }

    fn read_connection_lost(&self) {
        self.tell(|protocol, transport| protocol.read_connection_lost(transport));
    }

    fn write_connection_lost(&self) {
        self.tell(|protocol, transport| protocol.write_connection_lost(transport));
    }

    fn reading_resumed(&self) {
        self.tell(|protocol, transport| protocol.reading_resumed(transport));
    }

    fn connection_lost(&self, reason: ConnectionLost) {
        self.tell(|protocol, transport| protocol.connection_lost(transport, &reason));
        let protocol = self.protocol.take();
        drop(protocol);
        self.wire.end(reason);
    }
}
