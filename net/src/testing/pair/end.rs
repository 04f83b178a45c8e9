//! A protocol on one end of a connection in memory.

use super::wire::Wire;
use crate::protocol::{ConnectionLost, Holds, Protocol, ProtocolHandle, Transport};
use std::cell::RefCell;
use std::rc::Rc;

/// A protocol on its wire.
pub(crate) struct End<P> {
    /// Gone with the connection.
    protocol: RefCell<Option<P>>,
    wire: Rc<Wire>,
}

impl<P: Protocol> End<P> {
    pub(super) fn new(protocol: P, wire: Wire) -> Rc<Self> {
        Rc::new(Self { protocol: RefCell::new(Some(protocol)), wire: Rc::new(wire) })
    }

    pub(super) fn handle(self: &Rc<Self>) -> ProtocolHandle<P> {
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

/// An end, whatever its protocol.
pub(super) trait Side {
    fn wire(&self) -> &Wire;
    fn connection_made(&self);
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
