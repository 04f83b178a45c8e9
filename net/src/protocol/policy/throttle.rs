//! What is counted, and who is paused when it is too much.

use super::throttled_producer::ThrottledProducer;
use crate::protocol::Transport;
use rt_deferred::{Reactor, ReactorTime};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How often it is looked whether too much has come or gone.
const SECOND: Duration = Duration::from_secs(1);

/// What all connections of a factory have in common.
pub(super) struct Throttle {
    pub(super) clock: RefCell<Rc<dyn ReactorTime>>,
    pub(super) reading: Flow,
    pub(super) writing: Flow,
    pub(super) members: RefCell<Vec<Weak<Member>>>,
}

/// Bytes one way.
#[derive(Default)]
pub(super) struct Flow {
    pub(super) limit: Cell<Option<u64>>,
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

    pub(super) fn stop(&self) {
        for timer in [self.check.take(), self.end.take()].into_iter().flatten() {
            timer();
        }
        self.this_second.set(0);
        self.is_throttled.set(false);
    }
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Reading,
    Writing,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            clock: RefCell::new(Reactor.weak()),
            reading: Flow::default(),
            writing: Flow::default(),
            members: RefCell::default(),
        }
    }
}

impl Throttle {
    fn flow(&self, kind: Kind) -> &Flow {
        match kind {
            Kind::Reading => &self.reading,
            Kind::Writing => &self.writing,
        }
    }

    /// Looks at the second that has passed, and again in a second.
    pub(super) fn check(self: &Rc<Self>, kind: Kind) {
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
