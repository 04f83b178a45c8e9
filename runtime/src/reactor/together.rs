//! Several reactors of one runtime: one clock, and how it moves while it is virtual.
//!
//! # Who moves the time
//!
//! The last worker to go to sleep calls [`Reactor::step_time`] before it does. Time moves only if nobody is about to do anything,
//! and what others are about to do must show, whatever moment they are in:
//!
//! - While time stands, a worker does not wait *in* its driver, where events vanish as the wait ends, but for the driver to have
//!   some. Then it says that it is stirring, and only then takes them out. So an event shows in the driver, or as a worker that
//!   stirs, or has become a task that is ready.
//! - The same holds for the bell. Besides, who rings it says so before (`Handle::wake`), and its worker does not take that back
//!   unless it stirs.
//! - A worker stirs from then on until it has found nothing in a whole turn and lies down again.
//! - Blocking calls are asked for first of all: one that is back by then has woken who waits for it.

#[cfg(all(test, unix, not(loom)))]
mod tests;

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::clock::{Clock, instant};
use super::driver::Driver;
use super::lock::Sharing;
use super::mio::MioDriver;
use super::station::Found;
use super::{Handle, Reactor, ReactorId, Station, Wait};
use crate::primitives::Mutex;

/// The reactors of one runtime, one per seat, in the order of the seats.
pub(crate) struct Together {
    first: ReactorId,
    clock: Arc<Clock>,
    stations: Box<[Arc<Station>]>,
    /// Held by who moves the time: one step after the other.
    stepping: Mutex<()>,
}

impl Together {
    /// Makes so many reactors over the operating system's poller.
    ///
    /// # Errors
    ///
    /// What the system says if it has no descriptors left.
    pub(crate) fn new(count: usize, start_paused: bool) -> io::Result<(Vec<Reactor>, Arc<Self>)> {
        let driver = |_| Ok(Box::new(MioDriver::new()?) as Box<dyn Driver>);
        let drivers = (0..count).map(driver).collect::<io::Result<Vec<_>>>()?;
        Ok(Self::over(drivers, Arc::new(Clock::new(start_paused))))
    }

    pub(super) fn over(drivers: Vec<Box<dyn Driver>>, clock: Arc<Clock>) -> (Vec<Reactor>, Arc<Self>) {
        let count = u32::try_from(drivers.len()).expect("a builder takes fewer workers");
        let first = ReactorId::block(count);
        let mut reactors = Vec::with_capacity(drivers.len());
        for (place, driver) in (0..count).zip(drivers) {
            reactors.push(Reactor::with_id(first.plus(place), driver, Arc::clone(&clock), Sharing::Shared));
        }
        let stations = reactors.iter().map(|reactor| Arc::clone(&reactor.station)).collect();
        let together = Arc::new(Self { first, clock, stations, stepping: Mutex::default() });
        for reactor in &mut reactors {
            reactor.handle.join(&together);
            reactor.together = Some(Arc::clone(&together));
        }
        (reactors, together)
    }

    pub(crate) fn handles(&self) -> impl Iterator<Item = &Arc<Handle>> {
        self.stations.iter().map(|station| station.handle())
    }

    /// The station of this name, if it is one of these.
    #[inline]
    pub(super) fn find(&self, id: ReactorId) -> Option<&Arc<Station>> {
        self.stations.get(id.places_after(self.first))
    }

    /// One step in time, unless a worker other than `own` is up or about to be. Tells whether anything has happened.
    fn step(&self, own: ReactorId, is_held: bool, found: &mut Found) -> bool {
        let Some(_alone) = self.stepping.try_lock() else { return true };
        let mut up = false;
        for station in self.stations.iter().filter(|station| station.id() != own) {
            up |= station.look(found);
        }
        if up || !found.woken.is_empty() {
            return true;
        }
        let goal = self.clock.goal();
        (goal.is_some() || !is_held) && self.advance(goal, found)
    }

    /// Moves the time to the next deadline of all, or to the goal. False: there is neither.
    fn advance(&self, goal: Option<u64>, found: &mut Found) -> bool {
        let next = self.stations.iter().filter_map(|station| station.next_deadline()).chain(goal).min();
        if let Some(next) = next {
            self.clock.advance_to(instant(next));
            self.stations.iter().for_each(|station| station.fire(found));
        }
        next.is_some()
    }

    /// One step towards the goal, whoever is up.
    fn step_to_goal(&self, found: &mut Found) {
        if let Some(_alone) = self.stepping.try_lock()
            && let Some(goal) = self.clock.goal()
        {
            self.advance(Some(goal), found);
        }
    }
}

impl Station {
    /// For virtual time: takes out what is there, and tells whether the worker is up or about to be.
    fn look(&self, found: &mut Found) -> bool {
        self.serve_requests(found);
        let up = if self.is_driven() {
            // In this order: what is no longer in the driver was taken out by who stirred before.
            self.handle.driver().has_events() || self.handle.is_rung() || self.is_stirring()
        } else {
            let rung = self.handle.take_rung();
            if self.poll(found).is_ok_and(|heard| heard.bell) && self.is_driven() {
                self.pass_on();
            }
            rung
        };
        self.fire(found);
        up
    }
}

impl Reactor {
    /// For the last worker of a runtime to go to sleep: if time stands and nothing else is about to happen, moves it to the next
    /// deadline. False: go to sleep; else look for tasks once more.
    ///
    /// The deadline may be of any worker; who waits for it is woken on this thread. If a blocking call is out, time stands, unless
    /// somebody advances it.
    pub(crate) fn step_time(&self) -> bool {
        let Some(together) = self.together.as_ref().filter(|_| self.clock.is_paused()) else { return false };
        let is_held = self.clock.is_held();
        let mut found = Found::default();
        self.serve_requests();
        let happened = self.is_up(&mut found.woken) || together.step(self.id, is_held, &mut found);
        self.stale.set(true);
        found.wake();
        happened
    }

    /// A turn while the clock stands, of one reactor among several: it moves no time, unless somebody advances it and tasks never
    /// rest.
    pub(super) fn turn_together(&self, together: &Together, how: Wait, woken: &mut Vec<Waker>) {
        if self.is_up(woken) {
            return;
        }
        let limit = match how {
            Wait::Poll => return self.turn_towards_goal(together, woken),
            Wait::Block => None,
            Wait::AtMost(limit) => Some(limit),
        };
        self.wheel.lock().trim();
        self.station.set_stirring(false);
        let waited = self.handle.driver().wait_for_events(limit);
        self.station.set_stirring(true);
        match waited {
            Some(true) => self.wait(Wait::AtMost(Duration::ZERO), woken),
            Some(false) => {}
            // The system cannot tell without taking them out.
            None => self.wait_limited(how, woken),
        }
        self.fire(woken);
    }

    /// Tasks of this worker are ready. If that goes on for long, a clock that is being advanced takes its next step all the same.
    fn turn_towards_goal(&self, together: &Together, woken: &mut Vec<Waker>) {
        if self.clock.goal().is_some() && self.may_step(Wait::Poll) {
            let mut found = Found::default();
            together.step_to_goal(&mut found);
            woken.append(&mut found.woken);
            self.stale.set(true);
        }
    }

    /// Takes out what is there, and tells whether that was anything.
    fn is_up(&self, woken: &mut Vec<Waker>) -> bool {
        self.station.set_stirring(true);
        let rung = self.handle.take_rung();
        self.wait(Wait::Poll, woken);
        self.fire(woken);
        rung || !woken.is_empty()
    }
}
