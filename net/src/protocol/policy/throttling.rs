//! How many bytes per second may come and go.

use super::limits::{ConnectionCount, Place};
use super::throttled::{Layer, ThrottledProducer};
use super::wrapping::factory_by_field;
use super::{Policy, ProtocolWrapper, Wrapper, WrappingFactory};
use crate::protocol::{Address, ClientFactory, ConnectionLost, Factory, Transport};
use rt_deferred::{Reactor, ReactorTime};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How often it is looked whether too much has come or gone.
const SECOND: Duration = Duration::from_secs(1);

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
        let throttle = Throttle {
            clock: RefCell::new(Reactor.weak()),
            reading: Flow::default(),
            writing: Flow::default(),
            members: RefCell::default(),
        };
        let policy = Throttling { max_connections: usize::MAX, throttle: Rc::new(throttle), count: <_>::default() };
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
        Some(Throttled {
            place,
            throttle: self.throttle.clone(),
            count: self.count.clone(),
            member: RefCell::default(),
        })
    }
}

/// What all connections of a factory have in common.
pub(super) struct Throttle {
    clock: RefCell<Rc<dyn ReactorTime>>,
    pub(super) reading: Flow,
    pub(super) writing: Flow,
    members: RefCell<Vec<Weak<Member>>>,
}

/// Bytes one way.
#[derive(Default)]
pub(super) struct Flow {
    limit: Cell<Option<u64>>,
    this_second: Cell<u64>,
    pub(super) is_throttled: Cell<bool>,
    /// What takes back the next look, and the end of the pause.
    check: RefCell<Option<Box<dyn FnOnce()>>>,
    end: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Flow {
    pub(super) fn add(&self, bytes: usize) {
        self.this_second.set(self.this_second.get().saturating_add(bytes as u64));
    }

    fn stop(&self) {
        for timer in [self.check.take(), self.end.take()].into_iter().flatten() {
            timer();
        }
        self.this_second.set(0);
        self.is_throttled.set(false);
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Reading,
    Writing,
}

impl Throttle {
    fn flow(&self, kind: Kind) -> &Flow {
        match kind {
            Kind::Reading => &self.reading,
            Kind::Writing => &self.writing,
        }
    }

    /// Looks at the second that has passed, and again in a second.
    fn check(self: &Rc<Self>, kind: Kind) {
        let flow = self.flow(kind);
        let Some(limit) = flow.limit.get() else { return };
        let passed = flow.this_second.replace(0);
        if passed > limit {
            self.set_throttled(kind, true);
            // To the precision of the clock; f64 holds any number of bytes that a second can bring.
            let too_long = Duration::from_secs_f64(passed as f64 / limit as f64 - 1.0);
            let end = self.call_later(too_long, move |throttle| {
                throttle.flow(kind).end.take();
                throttle.set_throttled(kind, false);
            });
            // A pause that is not over yet is prolonged: Twisted ends it early.
            let former = flow.end.replace(Some(end));
            former.into_iter().for_each(|take_back| take_back());
        }
        *flow.check.borrow_mut() = Some(self.call_later(SECOND, move |throttle| throttle.check(kind)));
    }

    fn set_throttled(&self, kind: Kind, yes: bool) {
        self.flow(kind).is_throttled.set(yes);
        let members: Vec<_> = self.members.borrow().iter().filter_map(Weak::upgrade).collect();
        for member in members {
            match kind {
                Kind::Reading => member.apply_reading(),
                Kind::Writing => member.apply_writing(),
            }
        }
    }

    fn call_later(self: &Rc<Self>, delay: Duration, f: impl FnOnce(&Rc<Self>) + 'static) -> Box<dyn FnOnce()> {
        let weak = Rc::downgrade(self);
        let clock = self.clock.borrow().clone();
        clock.call_later(
            delay,
            Box::new(move || {
                if let Some(throttle) = weak.upgrade() {
                    f(&throttle);
                }
            }),
        )
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.reading.stop();
        self.writing.stop();
    }
}

/// One of the connections.
pub(super) struct Member {
    pub(super) lower: Transport,
    pub(super) throttle: Rc<Throttle>,
    /// What the protocol asked for.
    pub(super) is_paused: Cell<bool>,
    pub(super) producer: RefCell<Option<Rc<ThrottledProducer>>>,
}

impl Member {
    /// The throttle has closed or opened: the connection reads if neither it nor the protocol is against it.
    fn apply_reading(&self) {
        if self.is_paused.get() {
            return;
        }
        match self.throttle.reading.is_throttled.get() {
            true => self.lower.pause_producing(),
            false => self.lower.resume_producing(),
        }
    }

    fn apply_writing(&self) {
        let producer = self.producer.borrow().clone();
        if let Some(producer) = producer {
            producer.set_throttled(self.throttle.writing.is_throttled.get());
        }
    }
}

/// What a [`ThrottlingFactory`] does on one connection.
pub struct Throttled {
    place: Place,
    count: ConnectionCount,
    throttle: Rc<Throttle>,
    member: RefCell<Option<Rc<Member>>>,
}

impl Throttled {
    /// The connection is gone: with the last one, the throttle rests.
    fn leave(&self) {
        self.place.give_back();
        let member = self.member.take();
        if let Some(member) = member {
            let is_gone = |other: &Weak<Member>| other.upgrade().is_none_or(|other| Rc::ptr_eq(&other, &member));
            self.throttle.members.borrow_mut().retain(|other| !is_gone(other));
        }
        if self.count.get() == 0 {
            self.throttle.reading.stop();
            self.throttle.writing.stop();
        }
    }
}

impl Wrapper for Throttled {
    fn layer(self: Rc<Self>, lower: &Transport) -> Transport {
        match &*self.member.borrow() {
            Some(member) => Transport::new(Rc::new(Layer(member.clone()))),
            // No connection was made, or it is gone.
            None => lower.clone(),
        }
    }

    fn connection_made(&self, lower: &Transport) {
        let member = Rc::new(Member {
            lower: lower.clone(),
            throttle: self.throttle.clone(),
            is_paused: Cell::default(),
            producer: RefCell::default(),
        });
        self.throttle.members.borrow_mut().push(Rc::downgrade(&member));
        *self.member.borrow_mut() = Some(member);
        if self.throttle.reading.is_throttled.get() {
            lower.pause_producing();
        }
    }

    fn data_received(&self, _: &Transport, data: &[u8]) {
        self.throttle.reading.add(data.len());
    }

    fn connection_lost(&self, _: &Transport, _: &ConnectionLost) {
        self.leave();
    }
}

/// A connection that came to nothing.
impl Drop for Throttled {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled").finish_non_exhaustive()
    }
}
