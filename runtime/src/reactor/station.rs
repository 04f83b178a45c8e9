//! What others may touch of a reactor: driver and wheel, each behind a lock of its own.
//!
//! The owner holds the driver while it waits in it, so others only try for it: who is asleep in there needs no help. Nobody waits
//! with the wheel in its hands. Who wants both takes the driver first. No waker is cloned, woken or dropped under either lock.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::clock::Clock;
use super::driver::{Driver, Heard};
use super::lock::{Guard, Lock};
use super::wheel::{Key, Precision, Wheel};
use super::{Handle, ReactorId, Wait, wake_all};
use crate::primitives::atomic::AtomicBool;
use crate::primitives::atomic::Ordering::SeqCst;

/// No timer is due later than this.
const NO_ALARM: u64 = u64::MAX;

/// The middle between the inside and the outside view: another worker serves a reactor through it, whose own is busy with a task
/// for too long.
pub(crate) struct Station {
    pub(super) handle: Arc<Handle>,
    clock: Arc<Clock>,
    watch: Arc<Lock<Watch>>,
    wheel: Arc<Lock<Wheel<Waker>>>,
    /// A thread drives the reactor.
    driven: AtomicBool,
    /// That thread is up, as far as virtual time is concerned: see `together`.
    stirring: AtomicBool,
}

impl Station {
    pub(super) fn new(handle: &Arc<Handle>, watch: &Arc<Lock<Watch>>, wheel: &Arc<Lock<Wheel<Waker>>>) -> Arc<Self> {
        Arc::new(Self {
            handle: Arc::clone(handle),
            clock: Arc::clone(handle.clock()),
            watch: Arc::clone(watch),
            wheel: Arc::clone(wheel),
            driven: AtomicBool::new(false),
            stirring: AtomicBool::new(false),
        })
    }

    /// Does on any thread what a turn that does not wait would do: serves requests, marks what is ready, fires what is due, and
    /// wakes who waits for it. Tells how many it woke.
    ///
    /// The owner may do the same at the same time. One that is alone of its runtime is served by nobody.
    pub(crate) fn serve(&self) -> usize {
        let mut found = Found::default();
        self.serve_requests(&mut found);
        // An error is the owner's to report: it will meet it, too.
        let heard = self.poll(&mut found).unwrap_or_default();
        self.fire(&mut found);
        if heard.bell {
            self.pass_on();
        }
        found.wake()
    }

    /// Whether somebody has to drive this reactor: it has sources, timers or requests.
    pub(crate) fn has_work(&self) -> bool {
        let has_timers = || self.wheel.lock().is_some_and(|wheel| !wheel.is_empty());
        self.handle.requests.is_pending() || self.handle.driver().has_sources() || has_timers()
    }

    /// How many timers are armed, after what was asked for has been done.
    pub(crate) fn timers(&self) -> usize {
        self.serve();
        self.wheel.lock().map_or(0, |wheel| wheel.len())
    }

    pub(crate) fn id(&self) -> ReactorId {
        self.handle.id()
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// A thread begins to drive the reactor, or leaves it.
    pub(crate) fn set_driven(&self, driven: bool) {
        // Before others learn that they need not look after it.
        self.stirring.store(true, SeqCst);
        self.driven.store(driven, SeqCst);
    }

    pub(super) fn is_driven(&self) -> bool {
        self.driven.load(SeqCst)
    }

    pub(super) fn set_stirring(&self, stirring: bool) {
        self.stirring.store(stirring, SeqCst);
    }

    pub(super) fn is_stirring(&self) -> bool {
        self.stirring.load(SeqCst)
    }

    /// Takes the timer out and hands its waker back, if it is still armed.
    pub(crate) fn cancel(&self, key: Key) -> Option<Waker> {
        self.wheel.lock()?.remove(key)
    }

    /// The exact deadline of the timer that is due first.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.wheel.lock()?.next_deadline(Precision::Exact)
    }

    pub(super) fn serve_requests(&self, found: &mut Found) {
        if self.handle.requests.is_pending()
            && let Some(mut wheel) = self.wheel.lock()
        {
            self.handle.requests.serve(&mut wheel, &mut found.removed);
        }
    }

    /// Looks for events, if nobody waits for them. Who hears the bell [passes it on](Station::pass_on).
    pub(super) fn poll(&self, found: &mut Found) -> io::Result<Heard> {
        match self.watch.try_lock() {
            Some(mut watch) => watch.wait(Wait::Poll, &mut found.woken),
            None => Ok(Heard::default()),
        }
    }

    pub(super) fn fire(&self, found: &mut Found) {
        if let Some(mut wheel) = self.wheel.lock() {
            fire(&mut wheel, &self.clock, &mut found.woken);
        }
    }

    /// The bell was meant for the owner, which may have been about to wait.
    pub(super) fn pass_on(&self) {
        self.handle.driver().wake();
    }
}

/// The driver and what its alarm is set to.
pub(super) struct Watch {
    /// None: the reactor is gone.
    driver: Option<Box<dyn Driver>>,
    /// When the alarm goes off at the latest; [`NO_ALARM`] if that is not known.
    alarm: u64,
}

impl Watch {
    pub(super) fn new(driver: Box<dyn Driver>) -> Self {
        Self { driver: Some(driver), alarm: NO_ALARM }
    }

    pub(super) fn wait(&mut self, how: Wait, woken: &mut Vec<Waker>) -> io::Result<Heard> {
        let Some(driver) = &mut self.driver else { return Ok(Heard::default()) };
        let heard = driver.wait(how, woken)?;
        if heard.alarm {
            self.alarm = NO_ALARM;
        }
        Ok(heard)
    }

    /// Whether the alarm goes off at `time` or before.
    #[inline]
    pub(super) fn is_set_for(&self, time: u64) -> bool {
        self.alarm <= time
    }

    /// The alarm goes off at `time` of a clock that shows `now`.
    pub(super) fn set_alarm(&mut self, time: u64, now: u64) {
        if let Some(driver) = &mut self.driver {
            driver.set_alarm(Duration::from_nanos(time.saturating_sub(now)));
            self.alarm = time;
        }
    }

    /// The alarm goes off at some time that has nothing to do with the clock.
    pub(super) fn set_alarm_after(&mut self, duration: Duration) {
        if let Some(driver) = &mut self.driver {
            driver.set_alarm(duration);
            self.alarm = NO_ALARM;
        }
    }

    /// Nothing will be waited for any more. Dropping the driver wakes who waits, so it is dropped outside the lock.
    #[must_use = "to be dropped when the lock has been given back"]
    pub(super) fn close(&mut self) -> Option<Box<dyn Driver>> {
        self.driver.take()
    }
}

/// Wakers that come out of a reactor, to be woken or dropped when no lock is held.
#[derive(Default)]
pub(super) struct Found {
    pub(super) woken: Vec<Waker>,
    pub(super) removed: Vec<Waker>,
}

impl Found {
    /// Tells how many.
    pub(super) fn wake(mut self) -> usize {
        let count = self.woken.len();
        wake_all(&mut self.woken);
        count
    }
}

/// Moves what is due to `woken`. Looks at the clock only if there is a timer.
pub(super) fn fire(wheel: &mut Guard<'_, Wheel<Waker>>, clock: &Clock, woken: &mut Vec<Waker>) {
    if !wheel.is_empty() {
        wheel.advance(clock.now_nanos(), precision(clock), woken);
    }
}

pub(super) fn precision(clock: &Clock) -> Precision {
    if clock.is_paused() { Precision::Exact } else { Precision::Tick }
}
