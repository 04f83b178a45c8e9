//! How many bytes per second may come and go.

use super::limits::ConnectionCount;
use super::throttle::{Kind, Throttle};
use super::throttled::Throttled;
use super::wrapping::factory_by_field;
use super::{Policy, ProtocolWrapper, WrappingFactory};
use crate::protocol::{Address, ClientFactory, Factory};
use rt_deferred::ReactorTime;
use std::fmt;
use std::rc::Rc;

/// A factory whose connections, all together, read and write at most so many bytes per second on average, and of which there are at
/// most so many.
///
/// Every second in which more was read than is allowed is followed by a pause of all its connections that makes up for it. Only
/// producers are held back in writing: what a protocol writes at once is written at once.
///
/// A protocol that pauses its transport itself stays paused when the throttle lets go; Twisted resumes it. Connections that are made
/// during a pause share it.
///
/// Counterpart: `twisted.protocols.policies.ThrottlingFactory`.
///
/// ```
/// use rt::protocol::policy::ThrottlingFactory;
/// use rt::protocol::{Address, Factory};
/// use rt::testing::{AccumulatingProtocol, Clock, StringTransportWithDisconnection};
/// use rt::time::Duration;
///
/// let clock = Clock::new();
/// let mut factory =
///     ThrottlingFactory::new(|_: &Address| AccumulatingProtocol::new()).clock(&clock).read_limit(1_000);
/// let connection = StringTransportWithDisconnection::new(factory.build_protocol(&Address::Memory).unwrap());
/// connection.data_received(&[0; 3_000]);
/// clock.advance(Duration::from_secs(1));
/// assert!(connection.handle().transport().is_paused());
/// clock.advance(Duration::from_secs(2));
/// assert!(!connection.handle().transport().is_paused());
/// ```
pub struct ThrottlingFactory<F> {
    factory: WrappingFactory<F, Throttling>,
}

impl<F: Factory> ThrottlingFactory<F> {
    /// Puts no limits on the connections of `factory` yet.
    pub fn new(factory: F) -> Self {
        let policy = Throttling { max_connections: usize::MAX, throttle: Rc::default(), count: <_>::default() };
        Self { factory: WrappingFactory::new(factory, policy) }
    }

    /// At most `bytes` per second are read; at least 1.
    pub fn read_limit(mut self, bytes: u64) -> Self {
        self.factory.policy_mut().throttle.reading.limit.set(Some(bytes.max(1)));
        self
    }

    /// At most `bytes` per second are written by producers; at least 1.
    pub fn write_limit(mut self, bytes: u64) -> Self {
        self.factory.policy_mut().throttle.writing.limit.set(Some(bytes.max(1)));
        self
    }

    /// At most `count` connections; others are closed at once.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.factory.policy_mut().max_connections = count;
        self
    }

    /// Goes by `clock` instead of the runtime's timers.
    pub fn clock(mut self, clock: &dyn ReactorTime) -> Self {
        *self.factory.policy_mut().throttle.clock.borrow_mut() = clock.weak();
        self
    }
}

factory_by_field!(ThrottlingFactory, ProtocolWrapper<F::Protocol, Throttled>);

struct Throttling {
    max_connections: usize,
    throttle: Rc<Throttle>,
    count: ConnectionCount,
}

impl Policy for Throttling {
    type Wrapper = Throttled;

    fn wrap(&mut self, _: &Address) -> Option<Throttled> {
        if self.count.get() >= self.max_connections {
            return None;
        }
        if self.count.get() == 0 {
            self.throttle.check(Kind::Reading);
            self.throttle.check(Kind::Writing);
        }
        let place = self.count.take_place();
        Some(Throttled::new(place, self.count.clone(), self.throttle.clone()))
    }
}
