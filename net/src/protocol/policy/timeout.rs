//! Giving up a peer that says nothing.

use crate::protocol::Transport;
use rt_deferred::{Reactor, ReactorTime};
use rt_runtime::time::turn_nanos;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// A field of a protocol that closes the connection when nothing worth mentioning has happened for some time.
///
/// [`reset_timeout`](Timeout::reset_timeout) may be called for every byte: it notes the time and touches no timer. Dropping the
/// `Timeout`, as happens with the protocol when the connection is gone, ends it.
///
/// Counterpart: `twisted.protocols.policies.TimeoutMixin`.
///
/// ```
/// use rt::protocol::{Protocol, Transport, policy::Timeout};
/// use rt::testing::{Clock, StringTransportWithDisconnection};
/// use rt::time::Duration;
///
/// struct Patient {
///     timeout: Timeout,
/// }
///
/// impl Protocol for Patient {
///     fn connection_made(&mut self, transport: &Transport) {
///         self.timeout.set_timeout(transport, Some(Duration::from_secs(60)));
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {
///         self.timeout.reset_timeout();
///     }
/// }
///
/// let clock = Clock::new();
/// // In a program: `Timeout::new()`.
/// let connection = StringTransportWithDisconnection::new(Patient { timeout: Timeout::new().clock(&clock) });
/// clock.advance(Duration::from_secs(50));
/// connection.data_received(b"I am still here");
/// clock.advance(Duration::from_secs(59));
/// assert!(!connection.handle().transport().is_disconnecting());
/// clock.advance(Duration::from_secs(1));
/// assert!(connection.handle().transport().is_disconnecting());
/// ```
pub struct Timeout {
    inner: Rc<Inner>,
}

struct Inner {
    /// `None`: the runtime's, whose time is asked for without a look at the system's clock.
    clock: Option<Rc<dyn ReactorTime>>,
    on_timeout: Box<dyn Fn(&Transport)>,
    transport: RefCell<Option<Transport>>,
    period: Cell<Option<Duration>>,
    /// When the connection is to be given up, by the clock.
    deadline: Cell<Duration>,
    /// The timer, if one runs: when it fires, not later than the deadline, and what takes it back.
    armed: RefCell<Option<Armed>>,
}

struct Armed {
    at: Duration,
    take_back: Box<dyn FnOnce()>,
}

impl Timeout {
    /// One that waits for nothing yet, calls [`Transport::lose_connection`] when it is time, and goes by the runtime's timers.
    pub fn new() -> Self {
        let inner = Inner {
            clock: None,
            on_timeout: Box::new(Transport::lose_connection),
            transport: RefCell::default(),
            period: Cell::default(),
            deadline: Cell::default(),
            armed: RefCell::default(),
        };
        Self { inner: Rc::new(inner) }
    }

    /// Goes by `clock` instead of the runtime's timers; to be called before a timeout is set.
    pub fn clock(self, clock: &dyn ReactorTime) -> Self {
        self.rebuilt(|inner| inner.clock = Some(clock.weak()))
    }

    /// Does `f` instead of [`Transport::lose_connection`] when it is time, such as
    /// [`abort_with`](Transport::abort_with)`(ConnectionLost::TimedOut)`, which does not wait for a peer that does not read either. To
    /// be called before a timeout is set.
    ///
    /// Counterpart: overriding `timeoutConnection`.
    pub fn on_timeout(self, f: impl Fn(&Transport) + 'static) -> Self {
        self.rebuilt(|inner| inner.on_timeout = Box::new(f))
    }

    fn rebuilt(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        // Nobody else has it before a timer runs.
        match Rc::get_mut(&mut self.inner) {
            Some(inner) => change(inner),
            None => panic!("a Timeout is changed before a timeout is set, not after"),
        }
        self
    }

    /// From now on `transport`'s connection is given up after `period`, unless [`reset_timeout`](Timeout::reset_timeout) is called in
    /// the meantime; with `None`, it is not given up. Returns the period that was set before.
    pub fn set_timeout(&self, transport: &Transport, period: Option<Duration>) -> Option<Duration> {
        let former = self.inner.period.replace(period);
        *self.inner.transport.borrow_mut() = Some(transport.clone());
        match period {
            Some(period) => self.inner.wait_for(period),
            None => self.inner.disarm(),
        }
        former
    }

    /// Something worth mentioning has happened: the period begins anew. Nothing happens if none is set, or if it is over.
    pub fn reset_timeout(&self) {
        let inner = &*self.inner;
        if let Some(period) = inner.period.get()
            && inner.armed.borrow().is_some()
        {
            inner.deadline.set(inner.now().saturating_add(period));
        }
    }

    /// The period that is set.
    pub fn period(&self) -> Option<Duration> {
        self.inner.period.get()
    }
}

impl Inner {
    /// The time since a moment of the clock's.
    #[inline]
    fn now(&self) -> Duration {
        match &self.clock {
            None => Duration::from_nanos(turn_nanos()),
            Some(clock) => clock.now(),
        }
    }

    fn wait_for(self: &Rc<Self>, period: Duration) {
        let deadline = self.now().saturating_add(period);
        self.deadline.set(deadline);
        let is_early_enough = self.armed.borrow().as_ref().is_some_and(|armed| armed.at <= deadline);
        if !is_early_enough {
            self.disarm();
            self.arm(period, deadline);
        }
    }

    fn arm(self: &Rc<Self>, delay: Duration, at: Duration) {
        let weak = Rc::downgrade(self);
        let call = Box::new(move || Inner::fire(&weak));
        let take_back = match &self.clock {
            None => Reactor.call_later(delay, call),
            Some(clock) => clock.call_later(delay, call),
        };
        *self.armed.borrow_mut() = Some(Armed { at, take_back });
    }

    fn disarm(&self) {
        let armed = self.armed.take();
        if let Some(armed) = armed {
            (armed.take_back)();
        }
    }

    /// The timer has run out: it is time, or something has happened since it was armed.
    fn fire(inner: &Weak<Self>) {
        let Some(inner) = inner.upgrade() else { return };
        drop(inner.armed.take());
        let (now, deadline) = (inner.now(), inner.deadline.get());
        if now < deadline {
            inner.arm(deadline - now, deadline);
            return;
        }
        let transport = inner.transport.borrow().clone();
        if let Some(transport) = transport {
            (inner.on_timeout)(&transport);
        }
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        self.inner.disarm();
    }
}

impl Default for Timeout {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("period", &self.period())
            .field("is_waiting", &self.inner.armed.borrow().is_some())
            .finish_non_exhaustive()
    }
}
