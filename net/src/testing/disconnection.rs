//! A protocol that runs on a double of a connection.

use super::StringTransport;
use crate::protocol::{ConnectionLost, Holds, Protocol, ProtocolHandle, Transport};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// A protocol that runs on a [`StringTransport`]: the test plays the peer.
///
/// Events are delivered within the test's calls. Nothing is delivered after the loss of the connection.
///
/// Counterpart: `twisted.internet.testing.StringTransportWithDisconnection`.
///
/// ```
/// use rt::protocol::{ConnectionLost, Protocol, Transport};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Greeter;
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"welcome");
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let connection = StringTransportWithDisconnection::new(Greeter);
/// assert_eq!(connection.string_transport().value(), b"welcome");
/// connection.lose(ConnectionLost::Done);
/// assert!(!connection.handle().transport().is_connected());
/// ```
pub struct StringTransportWithDisconnection<P> {
    place: Rc<Place<P>>,
}

struct Place<P> {
    protocol: RefCell<Option<P>>,
    double: StringTransport,
}

impl<P: Protocol> StringTransportWithDisconnection<P> {
    /// Connects the protocol: its `connection_made` is called.
    pub fn new(protocol: P) -> Self {
        Self::over(StringTransport::new(), protocol)
    }

    /// Connects the protocol over a double that the test has prepared.
    ///
    /// ```
    /// use rt::testing::{AccumulatingProtocol, StringTransport, StringTransportWithDisconnection};
    ///
    /// let double = StringTransport::new();
    /// double.set_peer(std::net::SocketAddr::from(([192, 0, 2, 1], 40000)));
    /// let connection = StringTransportWithDisconnection::over(double, AccumulatingProtocol::new());
    /// assert_eq!(connection.handle().transport().peer().to_string(), "192.0.2.1:40000");
    /// ```
    pub fn over(double: StringTransport, protocol: P) -> Self {
        let place = Rc::new(Place { protocol: RefCell::new(Some(protocol)), double });
        let connection = Self { place };
        connection.event(|protocol, transport| protocol.connection_made(transport));
        connection
    }

    /// Bytes come from the peer.
    ///
    /// # Panics
    ///
    /// If the connection is lost, or within an event of the protocol.
    pub fn data_received(&self, data: &[u8]) {
        self.event(|protocol, transport| protocol.data_received(transport, data));
    }

    /// The peer sends no more.
    ///
    /// # Panics
    ///
    /// As [`data_received`](StringTransportWithDisconnection::data_received).
    pub fn read_connection_lost(&self) {
        self.event(|protocol, transport| protocol.read_connection_lost(transport));
    }

    /// Reading goes on: the transport is resumed, and the protocol told.
    ///
    /// # Panics
    ///
    /// As [`data_received`](StringTransportWithDisconnection::data_received).
    pub fn reading_resumed(&self) {
        self.handle().transport().resume_producing();
        self.event(|protocol, transport| protocol.reading_resumed(transport));
    }

    /// Does what a connection would do next: if the protocol, or a policy over it, has asked to lose or abort the connection, it is
    /// lost. Whether that was so. Otherwise, and if it is lost already, nothing happens.
    ///
    /// ```
    /// use rt::testing::{AccumulatingProtocol, StringTransportWithDisconnection};
    ///
    /// let protocol = AccumulatingProtocol::new();
    /// let connection = StringTransportWithDisconnection::new(protocol.clone());
    /// assert!(!connection.settle());
    /// connection.handle().transport().lose_connection();
    /// assert!(connection.settle());
    /// assert!(protocol.lost().unwrap().is_clean());
    /// ```
    ///
    /// # Panics
    ///
    /// Within an event of the protocol.
    pub fn settle(&self) -> bool {
        let transport = self.handle().transport();
        if !transport.is_connected() || !transport.is_disconnecting() {
            return false;
        }
        self.lose(self.place.double.aborted().unwrap_or(ConnectionLost::Done));
        true
    }

    /// The connection is lost.
    ///
    /// # Panics
    ///
    /// If it is lost already, or within an event of the protocol.
    pub fn lose(&self, reason: ConnectionLost) {
        if self.place.protocol.try_borrow().is_ok() {
            self.place.double.set_gone();
        }
        self.event(|protocol, transport| protocol.connection_lost(transport, &reason));
        drop(self.place.protocol.take());
        self.place.double.set_lost(reason);
    }

    /// What was written and asked for.
    pub fn string_transport(&self) -> &StringTransport {
        &self.place.double
    }

    /// The protocol, as those see it who connected it.
    pub fn handle(&self) -> ProtocolHandle<P> {
        ProtocolHandle::new(self.place.clone())
    }

    fn event(&self, event: impl FnOnce(&mut P, &Transport)) {
        if let Err(error) = self.handle().with(event) {
            panic!("no event can be delivered: {error}");
        }
    }
}

impl<P: Protocol> Holds<P> for Place<P> {
    fn protocol(&self) -> &RefCell<Option<P>> {
        &self.protocol
    }

    fn transport(self: Rc<Self>) -> Transport {
        self.double.transport()
    }
}

impl<P> fmt::Debug for StringTransportWithDisconnection<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringTransportWithDisconnection").field("double", &self.place.double).finish_non_exhaustive()
    }
}
