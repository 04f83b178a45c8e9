//! The reactors of one runtime with many workers: how they find each other, and how their common clock moves on when it is virtual.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use super::clock::{Clock, instant};
use super::handle::{Handle, ReactorId};
use super::mio::MioDriver;
use super::station::Station;
use super::wheel::Precision;
use super::{BUSY_TURNS, Reactor, wake_all};
use crate::primitives::atomic::AtomicU32;
use crate::primitives::atomic::Ordering::Relaxed;

pub(crate) struct Together {
    clock: Arc<Clock>,
    stations: Box<[Arc<Station>]>,
    /// Turns among tasks that never rest, since somebody is advancing the clock.
    busy: AtomicU32,
}

/// Reactors for `count` workers, over the operating system's poller, with one clock.
///
/// # Errors
///
/// What the system says if it has no descriptors left.
pub(crate) fn build_many(count: usize, start_paused: bool) -> io::Result<(Vec<Reactor>, Arc<Together>)> {
    let clock = Arc::new(Clock::new(start_paused));
    let first = ReactorId::block(count);
    let stations = (0..count).map(|index| {
        let driver = Box::new(MioDriver::new()?);
        Ok(Arc::new(Reactor::station_of_many(first.plus(index), driver, Arc::clone(&clock))))
    });
    let stations = stations.collect::<io::Result<_>>()?;
    let together = Arc::new(Together { clock, stations, busy: AtomicU32::new(0) });
    let reactor = |station: &Arc<Station>| {
        station.handle().set_together(&together);
        Reactor::among(Arc::clone(station), Arc::clone(&together))
    };
    let reactors = together.stations.iter().map(reactor).collect();
    Ok((reactors, together))
}

impl Together {
    /// The station of this name, if it is one of these.
    pub(crate) fn find(&self, id: ReactorId) -> Option<&Arc<Station>> {
        self.stations.get(id.after(self.stations[0].handle().id())?)
    }

    /// Rings everybody's bell.
    pub(crate) fn wake_all(&self) {
        self.stations.iter().for_each(|station| station.handle().wake());
    }

    /// What the last worker that goes to sleep does while the clock stands: looks for events and fires what is due; if there is
    /// neither, and no blocking call is out, moves the time to the next deadline and fires that. `true` if somebody was woken, or
    /// is about to be: then all this comes again when the last one sleeps.
    ///
    /// What is due at one time fires in the order of its deadlines within each station, and station after station.
    pub(crate) fn step(&self) -> bool {
        let mut woken = Vec::new();
        let mut stirred = false;
        for station in &self.stations {
            station.serve_requests();
            // All are asked, so that nothing is left over for the next time.
            stirred |= station.handle().take_rung();
            stirred |= station.look(&mut woken);
        }
        self.fire(&mut woken);
        if woken.is_empty() && !stirred {
            self.move_on(!self.clock.is_held(), &mut woken);
        }
        stirred |= !woken.is_empty();
        wake_all(&mut woken);
        stirred
    }

    /// The same among tasks that never rest, once in a while, for who advances the clock.
    pub(super) fn step_if_due(&self) {
        if self.clock.goal().is_none() || self.busy.fetch_add(1, Relaxed) + 1 < BUSY_TURNS {
            return;
        }
        self.busy.store(0, Relaxed);
        let mut woken = Vec::new();
        self.move_on(false, &mut woken);
        wake_all(&mut woken);
    }

    /// Moves the time to the next deadline or the goal of who advances it, whichever comes first. Without a goal only if it may move
    /// `freely`.
    fn move_on(&self, freely: bool, woken: &mut Vec<Waker>) {
        let goal = self.clock.goal();
        if !freely && goal.is_none() {
            return;
        }
        let deadlines = self.stations.iter().filter_map(|station| station.wheel.lock().next_deadline(Precision::Exact));
        if let Some(next) = deadlines.chain(goal).min() {
            self.clock.advance_to(instant(next));
            self.fire(woken);
        }
    }

    fn fire(&self, woken: &mut Vec<Waker>) {
        for station in &self.stations {
            station.fire(&self.clock, woken);
        }
    }
}

impl Handle {
    /// Whether other reactors go by the same clock.
    pub(crate) fn is_among_others(&self) -> bool {
        self.together().is_some()
    }

    /// Rings the bell, and those of all reactors that go by the same clock.
    pub(crate) fn wake_together(&self) {
        match self.together() {
            Some(together) => together.wake_all(),
            None => self.wake(),
        }
    }
}
