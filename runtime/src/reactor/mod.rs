//! I/O and time meet here and nowhere else: [`Reactor::turn`] waits for both.
//!
//! [`Reactor`] is the inside view, for the thread that drives the core; [`Handle`] the outside view, for everybody. [`Station`] is
//! what lies between: driver and wheel, which another worker may serve while the owner is stuck.

pub(crate) mod clock;
pub(crate) mod driver;
mod handle;
pub(crate) mod lock;
pub(crate) mod mio;
pub(crate) mod readiness;
pub(crate) mod ready;
pub(crate) mod registry;
mod remote;
mod station;
mod together;
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

use std::cell::Cell;
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

pub(crate) use self::handle::{Handle, ReactorId};
pub(crate) use self::remote::RemoteTimer;
pub(crate) use self::station::Station;
pub(crate) use self::together::{Together, build_many};
pub(crate) use self::wheel::Key;

use self::clock::{Clock, instant, length, nanos};
use self::driver::Driver;
use self::lock::Users;
use self::station::NO_ALARM;
use self::wheel::Precision;
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

/// What a turn may do if there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Return at once: tasks are ready.
    Poll,
    /// Wait for an event, a ring or a deadline: all tasks are idle. It may return without any of them.
    Block,
    /// The same, but no longer than this, by the system's clock.
    AtMost(Duration),
}

/// Events, deadlines, and the wakers that wait for them.
pub(crate) struct Reactor {
    id: ReactorId,
    clock: Arc<Clock>,
    handle: Arc<Handle>,
    station: Arc<Station>,
    /// The others that go by the same clock.
    together: Option<Arc<Together>>,
    /// The latest time that the clock has shown here. What was due then needs no look at the clock.
    seen: Cell<u64>,
    /// It may be long ago that `seen` was the time: there was a wait since.
    stale: Cell<bool>,
    /// How many turns since the last step towards the goal came while tasks were ready.
    busy: Cell<u32>,
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

    /// A reactor that is the only one of its runtime.
    pub(crate) fn new(driver: Box<dyn Driver>, clock: Arc<Clock>) -> Self {
        let handle = Handle::new(ReactorId::block(1), clock, Arc::clone(driver.handle()));
        // One user: the station of a lone reactor is given to nobody else.
        Self::over(Arc::new(Station::new(driver, handle, Users::One)), None)
    }

    fn station_of_many(id: ReactorId, driver: Box<dyn Driver>, clock: Arc<Clock>) -> Station {
        let handle = Handle::new(id, clock, Arc::clone(driver.handle()));
        Station::new(driver, handle, Users::Many)
    }

    fn among(station: Arc<Station>, together: Arc<Together>) -> Self {
        Self::over(station, Some(together))
    }

    fn over(station: Arc<Station>, together: Option<Arc<Together>>) -> Self {
        let handle = Arc::clone(station.handle());
        Self {
            id: handle.id(),
            clock: Arc::clone(handle.clock()),
            seen: Cell::new(handle.clock().now_nanos()),
            handle,
            station,
            together,
            stale: Cell::new(false),
            busy: Cell::new(0),
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
        self.station.serve_requests();
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

    /// What other workers may use, if there are others.
    ///
    /// # Panics
    ///
    /// If this reactor is the only one of its runtime.
    pub(crate) fn station(&self) -> &Arc<Station> {
        assert!(self.together.is_some(), "the station of a lone reactor has one user");
        &self.station
    }

    /// The station of another reactor that goes by the same clock.
    pub(crate) fn sibling(&self, id: ReactorId) -> Option<&Station> {
        self.together.as_ref()?.find(id).map(|station| &**station)
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
        self.station.wheel.lock().has_expired(deadline)
    }

    /// Wakes `waker` in the first turn that ends at or after `deadline`.
    #[inline]
    pub(crate) fn arm(&self, deadline: u64, waker: &Waker) -> Key {
        // Cloned before anything is borrowed: that may run foreign code.
        let waker = waker.clone();
        self.station.wheel.lock().insert(deadline, waker)
    }

    /// Whom the timer wakes from now on. False if it is no longer armed.
    #[inline]
    pub(crate) fn set_waker(&self, key: Key, waker: &Waker) -> bool {
        match self.station.wheel.lock().get_mut(key) {
            None => return false,
            Some(armed) if armed.will_wake(waker) => return true,
            Some(_) => {}
        }
        let fresh = waker.clone();
        // Cloning and dropping may run foreign code: neither happens while the wheel is borrowed.
        let old = self.station.wheel.lock().get_mut(key).map(|armed| mem::replace(armed, fresh));
        old.is_some()
    }

    /// Gives the timer another deadline. False if it is no longer armed.
    pub(crate) fn reschedule(&self, key: Key, deadline: u64) -> bool {
        self.station.wheel.lock().reschedule(key, deadline)
    }

    /// Takes the timer out and hands its waker back, if it is still armed.
    #[inline]
    pub(crate) fn cancel(&self, key: Key) -> Option<Waker> {
        self.station.wheel.lock().remove(key)
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn armed_timers(&self) -> usize {
        self.station.wheel.lock().len()
    }

    /// A turn while the clock runs.
    fn turn_real(&self, how: Wait, woken: &mut Vec<Waker>) {
        if how == Wait::Poll {
            self.wait(Wait::Poll, NO_ALARM, woken);
            self.fire(woken);
            return;
        }
        let (late, alarm) = self.prepare_alarm(how, woken);
        // While the alarm is silent, nothing is due that was not due before: there is no need to look at the clock or the wheel.
        let went_off = self.wait(if late > 0 { Wait::Poll } else { Wait::Block }, alarm, woken);
        if late > 0 || went_off {
            self.step.set(burst_step(late + self.fire(woken)));
        }
    }

    /// Sees to it that a wait ends when the next timer is due, or when it has lasted long enough. Fires what is due already, and
    /// tells how many; and when the alarm goes off.
    fn prepare_alarm(&self, how: Wait, woken: &mut Vec<Waker>) -> (usize, u64) {
        let limit =
            if let Wait::AtMost(most) = how { Some(self.now_nanos().saturating_add(length(most))) } else { None };
        while let Some(next) = self.next_stop().into_iter().chain(limit).min() {
            let alarm = self.station.alarm();
            // The alarm is set by the system's clock: if ours is another, it may have been moved meanwhile.
            if alarm <= next && self.clock.is_real() {
                return (0, alarm);
            }
            let now = self.now_nanos();
            if now < next {
                self.station.set_alarm(Duration::from_nanos(next - now), next);
                return (0, next);
            }
            // This also has the wheel learn the time, if it was not used for long.
            let late = self.fire(woken);
            if late > 0 || limit == Some(next) {
                return (late.max(1), NO_ALARM);
            }
        }
        (0, self.station.alarm())
    }

    /// When the wheel has something to do next. An empty one gives memory back: nobody may come for long.
    fn next_stop(&self) -> Option<u64> {
        let mut wheel = self.station.wheel.lock();
        let next = wheel.next_deadline(Precision::Tick);
        if next.is_none() {
            wheel.trim();
        }
        next.map(|next| next.checked_next_multiple_of(self.step.get()).unwrap_or(next))
    }

    /// A turn while the clock stands: events first, then what is due; only if there is neither, time moves.
    fn turn_virtual(&self, how: Wait, woken: &mut Vec<Waker>) {
        if let Some(together) = &self.together {
            return self.turn_virtual_among(together, how, woken);
        }
        self.wait(Wait::Poll, NO_ALARM, woken);
        self.fire(woken);
        if !woken.is_empty() || self.handle.take_rung() {
            return;
        }
        let goal = self.clock.goal().filter(|&goal| !self.has_seen(goal) && self.may_step(how));
        let moves = goal.is_some() || how == Wait::Block && !self.clock.is_held();
        let deadline = if moves { self.station.wheel.lock().next_deadline(Precision::Exact) } else { None };
        match deadline.into_iter().chain(goal).min() {
            Some(next) => self.clock.advance_to(instant(next)),
            None if how == Wait::Block => {
                self.station.wheel.lock().trim();
                self.wait(Wait::Block, self.station.alarm(), woken);
            }
            None => {}
        }
        self.fire(woken);
    }

    /// The same where the time is moved by the last worker that goes to sleep (see [`Together::step`]).
    fn turn_virtual_among(&self, together: &Together, how: Wait, woken: &mut Vec<Waker>) {
        let mut alarm = self.station.alarm();
        if let Wait::AtMost(most) = how {
            // By the system's clock, which has nothing to do with ours: to be set anew whatever comes next.
            alarm = NO_ALARM - 1;
            self.station.set_alarm(most, alarm);
        }
        self.wait(if how == Wait::Poll { Wait::Poll } else { Wait::Block }, alarm, woken);
        self.fire(woken);
        if how == Wait::Poll && woken.is_empty() {
            together.step_if_due();
        }
    }

    /// Whether it is time for a step towards the goal.
    fn may_step(&self, how: Wait) -> bool {
        let busy = if how == Wait::Block { BUSY_TURNS } else { self.busy.get() + 1 };
        self.busy.set(busy % BUSY_TURNS);
        busy == BUSY_TURNS
    }

    /// Tells whether the alarm went off.
    fn wait(&self, how: Wait, alarm: u64, woken: &mut Vec<Waker>) -> bool {
        self.stale.set(true);
        match self.station.wait(how, alarm, woken) {
            Ok(went_off) => went_off,
            Err(error) => panic!("the I/O driver cannot wait: {error}"),
        }
    }

    /// Moves the wakers of what is due to `woken`; tells how many. Looks at the clock only if there is a timer.
    fn fire(&self, woken: &mut Vec<Waker>) -> usize {
        let before = woken.len();
        match self.station.fire(&self.clock, woken) {
            Some(now) => self.see(now),
            None if !self.clock.is_real() && self.clock.goal().is_some() => self.see(self.clock.now_nanos()),
            None => {}
        }
        woken.len() - before
    }
}

impl Drop for Reactor {
    /// Wakes whoever waits for a timer here, so that it learns that the timer will never fire.
    fn drop(&mut self) {
        Handle::forget(self.id);
        let mut orphans = Vec::new();
        self.station.close(&mut orphans);
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
