//! What makes protocols.

use super::{Address, ConnectionLost, Protocol};
use rt_deferred::Failure;
use std::fmt;
use std::rc::Rc;

/// Makes a protocol for each connection.
///
/// A closure `|peer: &Address| …` that returns a protocol is a factory, and so is what [`for_protocol`] makes. The type of the closure's
/// argument has to be written: with `|_|` the compiler finds it "not general enough". What the connections of a factory share lives in
/// an `Rc` that it gives to each.
///
/// Counterpart: `twisted.internet.protocol.Factory`, `ServerFactory`.
///
/// ```
/// use rt::protocol::{Address, Factory, Protocol, Transport};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// struct Visitor { number: u32 }
///
/// impl Protocol for Visitor {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(format!("you are number {}\r\n", self.number).as_bytes());
///         transport.lose_connection();
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// #[derive(Default)]
/// struct Counter { count: u32 }
///
/// impl Factory for Counter {
///     type Protocol = Visitor;
///
///     fn build_protocol(&mut self, _peer: &Address) -> Option<Visitor> {
///         self.count += 1;
///         Some(Visitor { number: self.count })
///     }
/// }
/// assert_eq!(Counter::default().build_protocol(&Address::Memory).unwrap().number, 1);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no protocols",
    label = "this is no `Factory`",
    note = "what makes a protocol for each connection is `for_protocol(|| …)`; a closure `|peer: &Address| …`, in which the type of the \
            argument has to be written; or what implements `rt::protocol::Factory`"
)]
pub trait Factory: 'static {
    /// What runs on its connections.
    type Protocol: Protocol;

    /// Makes the protocol for a connection with `peer`; `None` closes the connection at once.
    fn build_protocol(&mut self, peer: &Address) -> Option<Self::Protocol>;

    /// A port begins to listen, or a connector to connect, on behalf of this factory. Called first; and by a connector that has given up
    /// and is told to connect again.
    fn start_factory(&mut self) {}

    /// The port listens no more, or the connector has given up.
    fn stop_factory(&mut self) {}

    /// The TLS that the connection goes under before anything else. Asked before each protocol.
    #[cfg(feature = "tls")]
    #[doc(hidden)]
    fn start_tls(&mut self) -> Option<super::StartTls> {
        None
    }
}

impl<F, P> Factory for F
where
    F: FnMut(&Address) -> P + 'static,
    P: Protocol,
{
    type Protocol = P;

    fn build_protocol(&mut self, peer: &Address) -> Option<P> {
        Some(self(peer))
    }
}

/// A factory that calls `build` for each connection.
///
/// Counterpart: `Factory.forProtocol`.
///
/// ```
/// use rt::protocol::{Address, Factory, Protocol, Transport, for_protocol};
///
/// #[derive(Default)]
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
/// assert!(for_protocol(Discard::default).build_protocol(&Address::Memory).is_some());
/// ```
pub fn for_protocol<P: Protocol, F: FnMut() -> P + 'static>(build: F) -> ForProtocol<F> {
    ForProtocol(build)
}

/// Made by [`for_protocol`].
pub struct ForProtocol<F>(F);

impl<P: Protocol, F: FnMut() -> P + 'static> Factory for ForProtocol<F> {
    type Protocol = P;

    fn build_protocol(&mut self, _: &Address) -> Option<P> {
        Some((self.0)())
    }
}

impl<F> fmt::Debug for ForProtocol<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForProtocol").finish_non_exhaustive()
    }
}

/// A factory for connections that this side makes, which is told how that goes.
///
/// Closures and [`for_protocol`] do nothing when told.
///
/// Counterpart: `twisted.internet.protocol.ClientFactory`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot make the protocols of connections that this side makes",
    label = "this is no `ClientFactory`",
    note = "a `Factory` becomes one by `impl ClientFactory for …`, of which no method has to be written"
)]
pub trait ClientFactory: Factory {
    /// There is a connector, whose first attempt has not begun. Nothing is to be asked of it yet.
    #[doc(hidden)]
    fn connector_made(&mut self, connector: &Connector) {
        let _ = connector;
    }

    /// An attempt begins.
    fn started_connecting(&mut self, connector: &Connector) {
        let _ = connector;
    }

    /// The attempt failed. `connector.connect()` tries again.
    fn client_connection_failed(&mut self, connector: &Connector, reason: &Failure) {
        let _ = (connector, reason);
    }

    /// The connection is gone. `connector.connect()` makes another one.
    fn client_connection_lost(&mut self, connector: &Connector, reason: &ConnectionLost) {
        let _ = (connector, reason);
    }
}

impl<F, P> ClientFactory for F
where
    F: FnMut(&Address) -> P + 'static,
    P: Protocol,
{
}

impl<P: Protocol, F: FnMut() -> P + 'static> ClientFactory for ForProtocol<F> {}

/// An attempt to connect and the connection that comes of it; made by `connect_tcp` and its kin. A cheap handle.
///
/// Counterpart: `IConnector`.
#[derive(Clone)]
pub struct Connector(pub(crate) Rc<dyn Connecting>);

/// What is behind a [`Connector`].
pub(crate) trait Connecting {
    fn connect(&self);
    fn stop_connecting(&self);
    fn disconnect(&self);
    fn destination(&self) -> String;
}

impl Connector {
    /// Tries again, after the attempt failed or the connection was lost; otherwise, and at the end of the runtime, it does nothing.
    pub fn connect(&self) {
        self.0.connect();
    }

    /// Gives up an attempt that is under way: it fails with [`Cancelled`](rt_deferred::Cancelled). Otherwise it does nothing.
    pub fn stop_connecting(&self) {
        self.0.stop_connecting();
    }

    /// Loses the connection, or gives up the attempt.
    pub fn disconnect(&self) {
        self.0.disconnect();
    }

    /// What it connects to, as it was given.
    pub fn destination(&self) -> String {
        self.0.destination()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.destination()).finish()
    }
}

/// In a [`Factory`] around another, which is the field `$field`: that one is started and stopped with it.
macro_rules! started_and_stopped_with {
    ($field:ident) => {
        fn start_factory(&mut self) {
            self.$field.start_factory();
        }

        fn stop_factory(&mut self) {
            self.$field.stop_factory();
        }
    };
}
pub(crate) use started_and_stopped_with;

/// In a [`ClientFactory`] around another, which is the field `$field`: that one is told what it is told.
macro_rules! told_with {
    ($field:ident) => {
        fn connector_made(&mut self, connector: &$crate::protocol::Connector) {
            self.$field.connector_made(connector);
        }

        fn started_connecting(&mut self, connector: &$crate::protocol::Connector) {
            self.$field.started_connecting(connector);
        }

        fn client_connection_failed(&mut self, connector: &$crate::protocol::Connector, reason: &rt_deferred::Failure) {
            self.$field.client_connection_failed(connector, reason);
        }

        fn client_connection_lost(
            &mut self,
            connector: &$crate::protocol::Connector,
            reason: &$crate::protocol::ConnectionLost,
        ) {
            self.$field.client_connection_lost(connector, reason);
        }
    };
}
pub(crate) use told_with;
