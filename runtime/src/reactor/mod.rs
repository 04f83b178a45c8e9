//! I/O and time meet here and nowhere else: [`Reactor::turn`] waits for both.
//!
//! [`Reactor`] is the inside view, for the thread that drives the core; [`Handle`] the outside view, for everybody; [`Station`]
//! is between the two, for other workers of the same runtime.

pub(crate) mod clock;
pub(crate) mod driver;
mod handle;
mod lock;
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
#[cfg(test)]
mod station_checks;
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
pub(crate) use self::together::Together;
pub(crate) use self::wheel::Key;

use self::clock::{Clock, instant, length, nanos};
use self::driver::Driver;
use self::lock::{Owner, Sharing};
use self::station::{Watch, precision};
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

/// What a turn may do if there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Return at once: tasks are ready.
    Poll,
    /// Wait for an event, a ring or a deadline: all tasks are idle. It may return without any of them.
    Block,
    /// The same, but for no longer than this, by the system's clock even if time is virtual.
    AtMost(Duration),
}

/// Events, deadlines, and the wakers that wait for them.
pub(crate) struct Reactor {
    id: ReactorId,
    clock: Arc<Clock>,
    handle: Arc<Handle>,
    station: Arc<Station>,
    /// The reactors of the other workers of this runtime, if there are any.
    together: Option<Arc<Together>>,
    watch: Owner<Watch>,
    wheel: Owner<Wheel<Waker>>,
    /// The latest time that the clock has shown here. What was due then needs no look at the clock.
    seen: Cell<u64>,
    /// It may be long ago that `seen` was the time: there was a wait since.
    stale: Cell<bool>,
    /// All that was due until then has been fired here.
    fired_until: Cell<u64>,
    /// How many turns since the last step towards the clock's goal came while tasks were ready.
    busy: Cell<u32>,
    /// What deadlines are rounded up to, as the last blocking turn found many timers due or not.
    step: Cell<u64>,
    /// Kept for its capacity.
    woken: Cell<Vec<Waker>>,
}

impl Reactor {
    /// A reactor over the operating system's poller, the only one of its runtime.
    ///
    /// # Errors
    ///
    /// What the system says if it has no descriptors left.
    pub(crate) fn with_system_driver(start_paused: bool) -> io::Result<Self> {
        Ok(Self::new(Box::new(mio::MioDriver::new()?), Arc::new(Clock::new(start_paused))))
    }

    /// The only reactor of its runtime. Several are made by [`Together::new`].
    pub(crate) fn new(driver: Box<dyn Driver>, clock: Arc<Clock>) -> Self {
        Self::with_id(ReactorId::block(1), driver, clock, Sharing::OwnerOnly)
    }

    fn with_id(id: ReactorId, driver: Box<dyn Driver>, clock: Arc<Clock>, sharing: Sharing) -> Self {
        let now = clock.now_nanos();
        let handle = Handle::new(id, Arc::clone(&clock), Arc::clone(driver.handle()));
        let (watch, wheel) = (Owner::new(Watch::new(driver), sharing), Owner::new(Wheel::new(now), sharing));
        Self {
            id,
            clock,
            station: Station::new(&handle, watch.lock_of_others(), wheel.lock_of_others()),
            handle,
            together: None,
            watch,
            wheel,
            seen: Cell::new(now),
            stale: Cell::new(false),
            fired_until: Cell::new(0),
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
        self.serve_requests();
        if !self.clock.is_paused() {
            self.turn_real(how, &mut woken);
        } else if let Some(together) = &self.together {
            self.turn_together(together, how, &mut woken);
        } else {
            self.turn_virtual(how, &mut woken);
        }
        // No lock is held from here on.
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

    /// What other workers may touch of it.
    pub(crate) fn station(&self) -> &Arc<Station> {
        &self.station
    }

    /// The station of this name, if it is of the same runtime, where one clock counts for all.
    #[inline]
    pub(crate) fn sibling(&self, id: ReactorId) -> Option<&Arc<Station>> {
        self.together.as_ref()?.find(id)
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

    /// The time as it was seen last since the last wait, so not earlier than that wait's end: for who asks often and can do with that.
    #[inline]
    pub(crate) fn turn_nanos(&self) -> u64 {
        if self.stale.get() { self.now_nanos() } else { self.seen.get() }
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
        deadline <= self.fired_until.get()
    }

    /// Wakes `waker` in the first turn that ends at or after `deadline`.
    #[inline]
    pub(crate) fn arm(&self, deadline: u64, waker: Waker) -> Key {
        self.wheel.lock().insert(deadline, waker)
    }

    /// Whom the timer wakes from now on. False if it is no longer armed.
    #[inline]
    pub(crate) fn set_waker(&self, key: Key, waker: &Waker) -> bool {
        match self.wheel.lock().get_mut(key) {
            None => return false,
            Some(armed) if armed.will_wake(waker) => return true,
            Some(_) => {}
        }
        let fresh = waker.clone();
        // Cloning and dropping may run foreign code: neither happens under the lock.
        let old = self.wheel.lock().get_mut(key).map(|armed| mem::replace(armed, fresh));
        old.is_some()
    }

    /// Gives the timer another deadline. False if it is no longer armed.
    pub(crate) fn reschedule(&self, key: Key, deadline: u64) -> bool {
        self.wheel.lock().reschedule(key, deadline)
    }

    /// Takes the timer out and hands its waker back, if it is still armed.
    #[inline]
    pub(crate) fn cancel(&self, key: Key) -> Option<Waker> {
        self.wheel.lock().remove(key)
    }

    /// How many timers are armed.
    pub(crate) fn armed_timers(&self) -> usize {
        self.wheel.lock().len()
    }

    /// A turn while the clock runs.
    fn turn_real(&self, how: Wait, woken: &mut Vec<Waker>) {
        let limit = match how {
            Wait::Poll => {
                self.wait(Wait::Poll, woken);
                self.fire(woken);
                return;
            }
            Wait::Block => None,
            Wait::AtMost(limit) => Some(length(limit)),
        };
        let mut watch = self.watch.lock();
        let late = self.prepare_alarm(&mut watch, limit, woken);
        // While the alarm is silent, nothing is due that was not due before: there is no need to look at the clock or the wheel.
        let went_off = self.wait_in(&mut watch, if late > 0 { Wait::Poll } else { Wait::Block }, woken);
        drop(watch);
        if late > 0 || went_off {
            let fired = late + self.fire(woken);
            // An alarm that ends a limited wait says nothing about how many timers there are.
            if fired > 0 || limit.is_none() {
                self.step.set(burst_step(fired));
            }
        }
    }

    /// Sees to it that a wait ends when the next timer is due, or `limit` nanoseconds from now. Fires what is due already, and
    /// tells how many.
    fn prepare_alarm(&self, watch: &mut Watch, limit: Option<u64>, woken: &mut Vec<Waker>) -> usize {
        let end = limit.map(|limit| self.now_nanos().saturating_add(limit));
        while let Some(next) = earlier(self.next_stop(), end) {
            // The alarm is set by the system's clock: if ours is another, it may have been moved meanwhile.
            if watch.is_set_for(next) && self.clock.is_real() {
                return 0;
            }
            let now = self.now_nanos();
            if now < next || end == Some(next) {
                watch.set_alarm(next, now);
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
        let mut wheel = self.wheel.lock();
        let next = wheel.next_deadline(Precision::Tick);
        if next.is_none() {
            wheel.trim();
        }
        next.map(|next| next.checked_next_multiple_of(self.step.get()).unwrap_or(next))
    }

    /// A turn while the clock stands, of a reactor that is alone: events first, then what is due; only if there is neither, time
    /// moves.
    fn turn_virtual(&self, how: Wait, woken: &mut Vec<Waker>) {
        // First of all: a call that is back by then has woken who waits for it, which shows below.
        let is_held = self.clock.is_held();
        self.wait(Wait::Poll, woken);
        self.fire(woken);
        if !woken.is_empty() || self.handle.take_rung() {
            return;
        }
        let goal = self.clock.goal().filter(|_| self.may_step(how));
        let moves = goal.is_some() || how != Wait::Poll && !is_held;
        let deadline = if moves { self.wheel.lock().next_deadline(Precision::Exact) } else { None };
        match earlier(deadline, goal) {
            Some(next) => self.clock.advance_to(instant(next)),
            None if how == Wait::Poll => {}
            None => {
                self.wheel.lock().trim();
                self.wait_limited(how, woken);
            }
        }
        self.fire(woken);
    }

    /// Whether it is time for a step towards the goal.
    fn may_step(&self, how: Wait) -> bool {
        let busy = if how == Wait::Poll { self.busy.get() + 1 } else { BUSY_TURNS };
        self.busy.set(busy % BUSY_TURNS);
        busy == BUSY_TURNS
    }

    fn serve_requests(&self) {
        if self.handle.requests.is_pending() {
            let mut removed = Vec::new();
            self.handle.requests.serve(&mut self.wheel.lock(), &mut removed);
        }
    }

    /// Waits for events and for the bell, at most as long as `how` says.
    fn wait_limited(&self, how: Wait, woken: &mut Vec<Waker>) {
        let mut watch = self.watch.lock();
        if let Wait::AtMost(limit) = how {
            watch.set_alarm_after(limit);
        }
        self.wait_in(&mut watch, Wait::Block, woken);
    }

    fn wait(&self, how: Wait, woken: &mut Vec<Waker>) {
        self.wait_in(&mut self.watch.lock(), how, woken);
    }

    /// Tells whether the alarm went off.
    fn wait_in(&self, watch: &mut Watch, how: Wait, woken: &mut Vec<Waker>) -> bool {
        self.stale.set(true);
        match watch.wait(how, woken) {
            Ok(heard) => heard.alarm,
            Err(error) => panic!("the I/O driver cannot wait: {error}"),
        }
    }

    /// Moves the wakers of what is due to `woken`; tells how many. Looks at the clock only if there is a timer.
    fn fire(&self, woken: &mut Vec<Waker>) -> usize {
        let before = woken.len();
        let mut wheel = self.wheel.lock();
        if !wheel.is_empty() {
            let now = self.now_nanos();
            wheel.advance(now, precision(&self.clock), woken);
            // Another worker may have looked at the clock later.
            self.fired_until.set(wheel.expired_until().min(now));
        } else if !self.clock.is_real() {
            self.now_nanos();
        }
        woken.len() - before
    }
}

impl Drop for Reactor {
    /// Wakes whoever waits for a timer or an event here, so that it learns that it will never come.
    fn drop(&mut self) {
        Handle::forget(self.id);
        let mut orphans = Vec::new();
        self.handle.requests.close(&mut orphans);
        self.wheel.lock().clear(&mut orphans);
        let driver = self.watch.lock().close();
        wake_all(&mut orphans);
        drop(driver);
    }
}

/// The earlier one of two times that there may be.
#[inline]
fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
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
