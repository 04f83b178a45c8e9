//! A timeout for any protocol.

use super::wrapping::factory_by_field;
use super::{Policy, ProtocolWrapper, Timeout, Wrapper, WrappingFactory};
use crate::protocol::{Address, Backend, ClientFactory, ConnectionLost, Factory, Transport};
use rt_deferred::ReactorTime;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A factory whose connections are closed when nothing came and nothing was written for some time.
///
/// Counterpart: `twisted.protocols.policies.TimeoutFactory`.
///
/// ```
/// use rt::protocol::policy::TimeoutFactory;
/// use rt::protocol::{Address, Factory};
/// use rt::testing::{AccumulatingProtocol, Clock, StringTransportWithDisconnection};
/// use rt::time::Duration;
///
/// let clock = Clock::new();
/// let mut factory =
///     TimeoutFactory::new(|_: &Address| AccumulatingProtocol::new(), Duration::from_secs(30)).clock(&clock);
/// let connection = StringTransportWithDisconnection::new(factory.build_protocol(&Address::Memory).unwrap());
/// clock.advance(Duration::from_secs(30));
/// assert!(connection.handle().transport().is_disconnecting());
/// ```
pub struct TimeoutFactory<F> {
    factory: WrappingFactory<F, TimeoutPolicy>,
}

/// What a [`TimeoutFactory`] makes.
///
/// Counterpart: `twisted.protocols.policies.TimeoutProtocol`.
pub type TimeoutProtocol<P> = ProtocolWrapper<P, TimeoutWrapper>;

impl<F: Factory> TimeoutFactory<F> {
    /// Closes the connections of `factory` after `period` without bytes.
    pub fn new(factory: F, period: Duration) -> Self {
        let on_timeout: Rc<dyn Fn(&Transport)> = Rc::new(Transport::lose_connection);
        Self { factory: WrappingFactory::new(factory, TimeoutPolicy { period, clock: None, on_timeout }) }
    }

    /// Goes by `clock` instead of the runtime's timers.
    pub fn clock(mut self, clock: &dyn ReactorTime) -> Self {
        self.factory.policy_mut().clock = Some(clock.weak());
        self
    }

    /// Does `f` instead of [`Transport::lose_connection`], see [`Timeout::on_timeout`].
    pub fn on_timeout(mut self, f: impl Fn(&Transport) + 'static) -> Self {
        self.factory.policy_mut().on_timeout = Rc::new(f);
        self
    }
}

factory_by_field!(TimeoutFactory, TimeoutProtocol<F::Protocol>);

struct TimeoutPolicy {
    period: Duration,
    clock: Option<Rc<dyn ReactorTime>>,
    on_timeout: Rc<dyn Fn(&Transport)>,
}

impl Policy for TimeoutPolicy {
    type Wrapper = TimeoutWrapper;

    fn wrap(&mut self, _: &Address) -> Option<TimeoutWrapper> {
        let on_timeout = self.on_timeout.clone();
        let timeout = self.clock.iter().fold(Timeout::new(), |timeout, clock| timeout.clock(&**clock));
        let timeout = timeout.on_timeout(move |transport| on_timeout(transport));
        Some(TimeoutWrapper { timeout, period: self.period })
    }
}

/// The timeout of one connection.
#[derive(Debug)]
pub struct TimeoutWrapper {
    timeout: Timeout,
    period: Duration,
}

impl TimeoutWrapper {
    /// The timeout, to be reset or set anew.
    pub fn timeout(&self) -> &Timeout {
        &self.timeout
    }
}

impl Wrapper for TimeoutWrapper {
    fn layer(self: Rc<Self>, lower: &Transport) -> Transport {
        Transport::new(Rc::new(Layer { lower: lower.clone(), wrapper: self }))
    }

    fn connection_made(&self, lower: &Transport) {
        self.timeout.set_timeout(lower, Some(self.period));
    }

    fn data_received(&self, _: &Transport, _: &[u8]) {
        self.timeout.reset_timeout();
    }

    fn connection_lost(&self, lower: &Transport, _: &ConnectionLost) {
        self.timeout.set_timeout(lower, None);
    }
}

struct Layer {
    lower: Transport,
    wrapper: Rc<TimeoutWrapper>,
}

impl Backend for Layer {
    fn lower(&self) -> Option<&Transport> {
        Some(&self.lower)
    }

    fn write(&self, data: &[u8]) {
        self.wrapper.timeout.reset_timeout();
        self.lower.write(data);
    }

    fn write_sequence(&self, parts: &[&[u8]]) {
        self.wrapper.timeout.reset_timeout();
        self.lower.backend().write_sequence(parts);
    }
}
