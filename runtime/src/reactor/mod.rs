//! I/O and time meet here and nowhere else: [`Reactor::turn`] waits for both.
//!
//! [`Reactor`] is the inside view, for the thread that drives the core; [`Handle`] the outside view, for everybody.

pub(crate) mod clock;
pub(crate) mod driver;
mod handle;
pub(crate) mod mio;
pub(crate) mod readiness;
pub(crate) mod ready;
pub(crate) mod registry;
mod remote;
mod wheel;

#[cfg(all(test, unix, not(loom)))]
mod driver_checks;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod readiness_checks;
#[cfg(all(test, not(loom)))]
pub(crate) mod testing;
#[cfg(all(test, not(loom)))]
mod tests;

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

pub(crate) use self::handle::{Handle, ReactorId};
pub(crate) use self::remote::RemoteTimer;
pub(crate) use self::wheel::Key;

use self::clock::{Clock, instant, nanos};
use self::driver::Driver;
use self::wheel::{Precision, Wheel};
use crate::panics::quietly;

/// So many wakers stay allocated between two turns.
const RETAINED_WAKERS: usize = 1024;

/// After so many turns among tasks that never rest, a clock that is being advanced takes its next step all the same.
const BUSY_TURNS: u32 = 16;

/// So many timers fired in one turn make a burst. While it lasts, a blocking turn waits for more to come together: waking up
/// costs more than firing.
const BURST: usize = 16;

/// What the wait for a deadline is rounded up to within a burst: multiples of 262 µs.
const BURST_STEP: u64 = 1 << 18;

/// So many make a large burst, which takes longer to serve than it has to wait.
const LARGE_BURST: usize = 128;

/// The same within a large burst: 524 µs.
const LARGE_BURST_STEP: u64 = 1 << 19;

/// No timer is due later than this.
const NO_ALARM: u64 = u64::MAX;

/// What a turn may do if there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Return at once: tasks are ready.
    Poll,
    /// Wait for an event, a ring or a deadline: all tasks are idle. It may return without any of them.
    Block,
}

/// Events, deadlines, and the wakers that wait for them.
pub(crate) struct Reactor {
    id: ReactorId,
    clock: Arc<Clock>,
    handle: Arc<Handle>,
    driver: RefCell<Box<dyn Driver>>,
    wheel: RefCell<Wheel<Waker>>,
    /// The latest time that the clock has shown here. What was due then needs no look at the clock.
    seen: Cell<u64>,
    /// It may be long ago that `seen` was the time: there was a wait since.
    stale: Cell<bool>,
    /// Where somebody is advancing the paused clock to, step by step.
    goal: Cell<Option<u64>>,
    /// How many turns since the last step towards the goal came while tasks were ready.
    busy: Cell<u32>,
    /// When the driver's alarm goes off at the latest; [`NO_ALARM`] if that is not known.
    alarm: Cell<u64>,
    /// What deadlines are rounded up to, as the last blocking turn found many timers due or not.
    step: Cell<u64>,
    /// Kept for its capacity.
    woken: Cell<Vec<Waker>>,
}

impl Reactor {
    /// A reactor over the operating system's poller.
    ///
    /// # Errors
    ///
    /// What the system says if it has no descriptors left.
    pub(crate) fn with_system_driver(start_paused: bool) -> io::Result<Self> {
        Ok(Self::new(Box::new(mio::MioDriver::new()?), Arc::new(Clock::new(start_paused))))
    }

    pub(crate) fn new(driver: Box<dyn Driver>, clock: Arc<Clock>) -> Self {
        let now = clock.now_nanos();
        let handle = Handle::new(Arc::clone(&clock), Arc::clone(driver.handle()));
        Self {
            id: handle.id(),
            clock,
            handle,
            driver: RefCell::new(driver),
            wheel: RefCell::new(Wheel::new(now)),
            seen: Cell::new(now),
            stale: Cell::new(false),
            goal: Cell::new(None),
            busy: Cell::new(0),
            alarm: Cell::new(NO_ALARM),
            step: Cell::new(1),
            woken: Cell::default(),
        }
    }

    /// Serves requests, waits as `how` says, marks what is ready, fires what is due, and wakes who waits for it.
    ///
    /// # Panics
    ///
    /// If the operating system refuses to wait, which no correct use of it does.
    pub(crate) fn turn(&self, how: Wait) {
        let mut woken = self.woken.take();
        self.serve_requests();
        if self.clock.is_paused() {
            self.turn_virtual(how, &mut woken);
        } else {
            self.turn_real(how, &mut woken);
        }
        // Nothing is borrowed from here on.
        wake_all(&mut woken);
        woken.shrink_to(RETAINED_WAKERS);
        self.woken.set(woken);
    }

    #[inline]
    pub(crate) fn id(&self) -> ReactorId {
        self.id
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The time. Whatever is due by then counts as elapsed from now on, fired or not.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        let now = self.clock.now();
        self.see(nanos(now));
        now
    }

    /// As `now`, counted as timers count.
    #[inline]
    pub(crate) fn now_nanos(&self) -> u64 {
        let now = self.clock.now_nanos();
        self.see(now);
        now
    }

    #[inline]
    fn see(&self, now: u64) {
        self.seen.set(now);
        self.stale.set(false);
    }

    /// Whether `deadline` has come, with at most one look at the clock between two waits.
    #[inline]
    pub(crate) fn has_come(&self, deadline: u64) -> bool {
        self.has_seen(deadline) || self.stale.get() && self.now_nanos() >= deadline
    }

    /// Whether the clock is known to have reached `deadline`, without a look at it.
    #[inline]
    pub(crate) fn has_seen(&self, deadline: u64) -> bool {
        self.seen.get() >= deadline
    }

    /// Whether a timer that was armed before `deadline` came has fired, without a look at the timer.
    #[inline]
    pub(crate) fn has_fired(&self, deadline: u64) -> bool {
        self.wheel.borrow().has_expired(deadline)
    }

    /// Wakes `waker` in the first turn that ends at or after `deadline`.
    #[inline]
    pub(crate) fn arm(&self, deadline: u64, waker: &Waker) -> Key {
        // Cloned before anything is borrowed: that may run foreign code.
        let waker = waker.clone();
        self.wheel.borrow_mut().insert(deadline, waker)
    }

    /// Whom the timer wakes from now on. False if it is no longer armed.
    #[inline]
    pub(crate) fn set_waker(&self, key: Key, waker: &Waker) -> bool {
        match self.wheel.borrow_mut().get_mut(key) {
            None => return false,
            Some(armed) if armed.will_wake(waker) => return true,
            Some(_) => {}
        }
        let fresh = waker.clone();
        // Cloning and dropping may run foreign code: neither happens while the wheel is borrowed.
        let old = self.wheel.borrow_mut().get_mut(key).map(|armed| mem::replace(armed, fresh));
        old.is_some()
    }

    /// Gives the timer another deadline. False if it is no longer armed.
    pub(crate) fn reschedule(&self, key: Key, deadline: u64) -> bool {
        self.wheel.borrow_mut().reschedule(key, deadline)
    }

    /// Takes the timer out and hands its waker back, if it is still armed.
    #[inline]
    pub(crate) fn cancel(&self, key: Key) -> Option<Waker> {
        self.wheel.borrow_mut().remove(key)
    }

    /// From now on, whenever tasks rest (or do not for very long), the paused clock steps to the next deadline, held or not,
    /// until it has reached `goal`.
    pub(crate) fn set_goal(&self, goal: u64) {
        self.goal.set(self.goal.get().max(Some(goal)));
    }

    /// Nobody waits for the clock to reach `goal` any more.
    pub(crate) fn drop_goal(&self, goal: u64) {
        if self.goal.get() == Some(goal) {
            self.goal.set(None);
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn armed_timers(&self) -> usize {
        self.wheel.borrow().len()
    }

    /// A turn while the clock runs.
    fn turn_real(&self, how: Wait, woken: &mut Vec<Waker>) {
        if how == Wait::Poll {
            self.wait(Wait::Poll, woken);
            self.fire(woken);
            return;
        }
        let late = self.prepare_alarm(woken);
        // While the alarm is silent, nothing is due that was not due before: there is no need to look at the clock or the wheel.
        let went_off = self.wait(if late > 0 { Wait::Poll } else { Wait::Block }, woken);
        if late > 0 || went_off {
            self.step.set(burst_step(late + self.fire(woken)));
        }
    }

    /// Sees to it that a wait ends when the next timer is due. Fires what is due already, and tells how many.
    fn prepare_alarm(&self, woken: &mut Vec<Waker>) -> usize {
        while let Some(next) = self.next_stop() {
            // The alarm is set by the system's clock: if ours is another, it may have been moved meanwhile.
            if self.alarm.get() <= next && self.clock.is_real() {
                return 0;
            }
            let now = self.now_nanos();
            if now < next {
                self.driver.borrow_mut().set_alarm(Duration::from_nanos(next - now));
                self.alarm.set(next);
                return 0;
            }
            // This also has the wheel learn the time, if it was not used for long.
            let late = self.fire(woken);
            if late > 0 {
                return late;
            }
        }
        0
    }

    /// When the wheel has something to do next. An empty one gives memory back: nobody may come for long.
    fn next_stop(&self) -> Option<u64> {
        let mut wheel = self.wheel.borrow_mut();
        let next = wheel.next_deadline(Precision::Tick);
        if next.is_none() {
            wheel.trim();
        }
        next.map(|next| next.checked_next_multiple_of(self.step.get()).unwrap_or(next))
    }

    /// A turn while the clock stands: events first, then what is due; only if there is neither, time moves.
    fn turn_virtual(&self, how: Wait, woken: &mut Vec<Waker>) {
        self.wait(Wait::Poll, woken);
        self.fire(woken);
        if !woken.is_empty() || self.handle.take_rung() {
            return;
        }
        let goal = self.goal.get().filter(|&goal| !self.has_seen(goal) && self.may_step(how));
        let moves = goal.is_some() || how == Wait::Block && !self.clock.is_held();
        let deadline = if moves { self.wheel.borrow_mut().next_deadline(Precision::Exact) } else { None };
        match deadline.into_iter().chain(goal).min() {
            Some(next) => self.clock.advance_to(instant(next)),
            None if how == Wait::Block => {
                self.wheel.borrow_mut().trim();
                self.wait(Wait::Block, woken);
            }
            None => {}
        }
        self.fire(woken);
    }

    /// Whether it is time for a step towards the goal.
    fn may_step(&self, how: Wait) -> bool {
        let busy = if how == Wait::Block { BUSY_TURNS } else { self.busy.get() + 1 };
        self.busy.set(busy % BUSY_TURNS);
        busy == BUSY_TURNS
    }

    fn serve_requests(&self) {
        let mut removed = Vec::new();
        self.handle.requests.serve(&mut self.wheel.borrow_mut(), &mut removed);
    }

    /// Tells whether the alarm went off.
    fn wait(&self, how: Wait, woken: &mut Vec<Waker>) -> bool {
        self.stale.set(true);
        let went_off = match self.driver.borrow_mut().wait(how, woken) {
            Ok(went_off) => went_off,
            Err(error) => panic!("the I/O driver cannot wait: {error}"),
        };
        if went_off {
            self.alarm.set(NO_ALARM);
        }
        went_off
    }

    /// Moves the wakers of what is due to `woken`; tells how many. Looks at the clock only if there is a timer.
    fn fire(&self, woken: &mut Vec<Waker>) -> usize {
        let before = woken.len();
        let mut wheel = self.wheel.borrow_mut();
        if !wheel.is_empty() {
            wheel.advance(self.now_nanos(), self.precision(), woken);
        } else if self.goal.get().is_some() {
            self.now_nanos();
        }
        woken.len() - before
    }

    fn precision(&self) -> Precision {
        if self.clock.is_paused() { Precision::Exact } else { Precision::Tick }
    }
}

impl Drop for Reactor {
    /// Wakes whoever waits for a timer here, so that it learns that the timer will never fire.
    fn drop(&mut self) {
        Handle::forget(self.id);
        let mut orphans = Vec::new();
        self.handle.requests.close(&mut orphans);
        self.wheel.get_mut().clear(&mut orphans);
        wake_all(&mut orphans);
    }
}

/// What deadlines are rounded up to after so many timers have fired together.
fn burst_step(fired: usize) -> u64 {
    match fired {
        ..BURST => 1,
        BURST..LARGE_BURST => BURST_STEP,
        LARGE_BURST.. => LARGE_BURST_STEP,
    }
}

/// Wakes all. A panic of a waker is its own affair: it neither keeps others asleep nor reaches who drives.
fn wake_all(woken: &mut Vec<Waker>) {
    let mut rest = woken.drain(..);
    while quietly(|| rest.by_ref().for_each(Waker::wake)).is_none() {}
}
