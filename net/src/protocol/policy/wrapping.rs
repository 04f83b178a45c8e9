//! A protocol around a protocol, and a factory around a factory.

#[cfg(feature = "tls")]
use crate::protocol::StartTls;
use crate::protocol::{Address, ClientFactory, ConnectionLost, Connector, Factory, Protocol, Transport};
use rt_deferred::Failure;
use std::fmt;
use std::rc::Rc;

/// What a policy does on one connection: it sees the events before the protocol does, and may lie between the protocol and its
/// transport.
///
/// The methods take `&self`, since the protocol may ask something of its transport within an event.
///
/// Counterpart: what subclasses of `ProtocolWrapper` override.
///
/// ```
/// use rt::protocol::policy::{Wrapper, WrappingFactory};
/// use rt::protocol::{Address, Backend, Factory, Transport};
/// use rt::testing::{AccumulatingFactory, StringTransportWithDisconnection};
/// use std::rc::Rc;
///
/// /// What the protocol says, it says aloud.
/// struct Aloud;
///
/// impl Wrapper for Aloud {
///     fn layer(self: Rc<Self>, lower: &Transport) -> Transport {
///         Transport::new(Rc::new(Layer { lower: lower.clone() }))
///     }
/// }
///
/// struct Layer {
///     lower: Transport,
/// }
///
/// impl Backend for Layer {
///     fn lower(&self) -> Option<&Transport> {
///         Some(&self.lower)
///     }
///     fn write(&self, data: &[u8]) {
///         self.lower.write(&data.to_ascii_uppercase());
///     }
/// }
///
/// let accumulating = AccumulatingFactory::new();
/// let mut factory = WrappingFactory::new(accumulating.clone(), |_: &Address| Aloud);
/// let protocol = factory.build_protocol(&Address::Memory).unwrap();
/// let connection = StringTransportWithDisconnection::new(protocol);
/// accumulating.protocols()[0].transport().unwrap().write(b"hello");
/// assert_eq!(connection.string_transport().value(), b"HELLO");
/// ```
pub trait Wrapper: 'static {
    /// The transport that the protocol is given: a layer over `lower`, or `lower` itself.
    fn layer(self: Rc<Self>, lower: &Transport) -> Transport {
        lower.clone()
    }

    /// The connection is there; the protocol is told next.
    fn connection_made(&self, lower: &Transport) {
        let _ = lower;
    }

    /// Bytes came; the protocol gets them next.
    fn data_received(&self, lower: &Transport, data: &[u8]) {
        let _ = (lower, data);
    }

    /// The connection is gone; the protocol is told next.
    fn connection_lost(&self, lower: &Transport, reason: &ConnectionLost) {
        let _ = (lower, reason);
    }
}

/// What is decided about all connections of a factory. A closure `|peer: &Address| …` that returns a [`Wrapper`] is a policy.
///
/// Counterpart: what subclasses of `WrappingFactory` override.
pub trait Policy: 'static {
    /// What it does on each connection.
    type Wrapper: Wrapper;

    /// A connection with `peer` is there; `None` closes it at once, and the wrapped factory is not asked.
    fn wrap(&mut self, peer: &Address) -> Option<Self::Wrapper>;
}

impl<F, W> Policy for F
where
    F: FnMut(&Address) -> W + 'static,
    W: Wrapper,
{
    type Wrapper = W;

    fn wrap(&mut self, peer: &Address) -> Option<W> {
        Some(self(peer))
    }
}

/// A factory with a policy: each protocol that it makes is one of the wrapped factory in a [`ProtocolWrapper`].
///
/// The wrapped factory is started and stopped with this one, and told how connecting goes.
///
/// Counterpart: `twisted.protocols.policies.WrappingFactory`. See [`Wrapper`] for an example.
pub struct WrappingFactory<F, Y> {
    wrapped: F,
    policy: Y,
}

impl<F: Factory, Y: Policy> WrappingFactory<F, Y> {
    /// Puts `policy` around `factory`.
    pub fn new(factory: F, policy: Y) -> Self {
        Self { wrapped: factory, policy }
    }

    pub(super) fn policy_mut(&mut self) -> &mut Y {
        &mut self.policy
    }
}

impl<F: Factory, Y: Policy> Factory for WrappingFactory<F, Y> {
    type Protocol = ProtocolWrapper<F::Protocol, Y::Wrapper>;

    fn build_protocol(&mut self, peer: &Address) -> Option<Self::Protocol> {
        let wrapper = self.policy.wrap(peer)?;
        Some(ProtocolWrapper::new(self.wrapped.build_protocol(peer)?, wrapper))
    }

    fn start_factory(&mut self) {
        self.wrapped.start_factory();
    }

    fn stop_factory(&mut self) {
        self.wrapped.stop_factory();
    }

    #[cfg(feature = "tls")]
    fn start_tls(&mut self) -> Option<StartTls> {
        self.wrapped.start_tls()
    }
}

impl<F: ClientFactory, Y: Policy> ClientFactory for WrappingFactory<F, Y> {
    fn connector_made(&mut self, connector: &Connector) {
        self.wrapped.connector_made(connector);
    }

    fn started_connecting(&mut self, connector: &Connector) {
        self.wrapped.started_connecting(connector);
    }

    fn client_connection_failed(&mut self, connector: &Connector, reason: &Failure) {
        self.wrapped.client_connection_failed(connector, reason);
    }

    fn client_connection_lost(&mut self, connector: &Connector, reason: &ConnectionLost) {
        self.wrapped.client_connection_lost(connector, reason);
    }
}

impl<F, Y> fmt::Debug for WrappingFactory<F, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappingFactory").finish_non_exhaustive()
    }
}

/// The traits of factories for a struct whose field `factory` does all of it.
macro_rules! factory_by_field {
    ($name:ident, $protocol:ty $(, $more:ident: $bound:path)*) => {
        impl<F: Factory $(, $more: $bound)*> Factory for $name<F $(, $more)*> {
            type Protocol = $protocol;

            fn build_protocol(&mut self, peer: &Address) -> Option<Self::Protocol> {
                self.factory.build_protocol(peer)
            }

            fn start_factory(&mut self) {
                self.factory.start_factory();
            }

            fn stop_factory(&mut self) {
                self.factory.stop_factory();
            }

            #[cfg(feature = "tls")]
            fn start_tls(&mut self) -> Option<crate::protocol::StartTls> {
                self.factory.start_tls()
            }
        }

        impl<F: ClientFactory $(, $more: $bound)*> ClientFactory for $name<F $(, $more)*> {
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

        impl<F $(, $more)*> fmt::Debug for $name<F $(, $more)*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}
pub(super) use factory_by_field;

/// A protocol with a policy on its connection.
///
/// Counterpart: `twisted.protocols.policies.ProtocolWrapper`. See [`Wrapper`] for an example.
pub struct ProtocolWrapper<P, W> {
    wrapped: P,
    wrapper: Rc<W>,
    /// What the protocol is given; `None` before the connection is made.
    layer: Option<Transport>,
}

impl<P: Protocol, W: Wrapper> ProtocolWrapper<P, W> {
    /// Puts `wrapper` around `protocol`.
    pub fn new(protocol: P, wrapper: W) -> Self {
        Self { wrapped: protocol, wrapper: Rc::new(wrapper), layer: None }
    }

    /// The protocol within.
    pub fn wrapped(&self) -> &P {
        &self.wrapped
    }

    /// The protocol within, to call its methods.
    pub fn wrapped_mut(&mut self) -> &mut P {
        &mut self.wrapped
    }

    /// What the policy does on this connection.
    pub fn wrapper(&self) -> &W {
        &self.wrapper
    }

    /// The transport that the protocol within was given, on which the policy holds; `None` before the connection is made.
    pub fn transport(&self) -> Option<&Transport> {
        self.layer.as_ref()
    }

    /// The layer over `lower`, made by the first event.
    fn parts(&mut self, lower: &Transport) -> (&mut P, &Transport) {
        let wrapper = &self.wrapper;
        (&mut self.wrapped, self.layer.get_or_insert_with(|| wrapper.clone().layer(lower)))
    }
}

impl<P: Protocol, W: Wrapper> Protocol for ProtocolWrapper<P, W> {
    fn connection_made(&mut self, lower: &Transport) {
        self.wrapper.connection_made(lower);
        let (wrapped, layer) = self.parts(lower);
        wrapped.connection_made(layer);
    }

    fn data_received(&mut self, lower: &Transport, data: &[u8]) {
        self.wrapper.data_received(lower, data);
        let (wrapped, layer) = self.parts(lower);
        wrapped.data_received(layer, data);
    }

    fn connection_lost(&mut self, lower: &Transport, reason: &ConnectionLost) {
        self.wrapper.connection_lost(lower, reason);
        let (wrapped, layer) = self.parts(lower);
        wrapped.connection_lost(layer, reason);
    }

    fn read_connection_lost(&mut self, lower: &Transport) {
        let (wrapped, layer) = self.parts(lower);
        wrapped.read_connection_lost(layer);
    }

    fn write_connection_lost(&mut self, lower: &Transport) {
        let (wrapped, layer) = self.parts(lower);
        wrapped.write_connection_lost(layer);
    }

    fn handshake_completed(&mut self, lower: &Transport) {
        let (wrapped, layer) = self.parts(lower);
        wrapped.handshake_completed(layer);
    }

    fn reading_resumed(&mut self, lower: &Transport) {
        let (wrapped, layer) = self.parts(lower);
        wrapped.reading_resumed(layer);
    }
}

impl<P: fmt::Debug, W> fmt::Debug for ProtocolWrapper<P, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolWrapper").field("wrapped", &self.wrapped).finish_non_exhaustive()
    }
}
