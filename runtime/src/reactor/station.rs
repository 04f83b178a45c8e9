//! The part of a reactor that others may use: driver, sources and wheel, each under its lock.
//!
//! The owner holds the driver while it sleeps in it. So others only ever try to take it: an owner that sleeps needs no help. The
//! wheel is held for a few instructions, never over a wait. Nothing that is not ours (a waker's clone, wake or drop) runs under
//! either.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::clock::Clock;
use super::driver::Driver;
use super::handle::Handle;
use super::lock::{Lock, Users};
use super::wheel::{Key, Precision, Wheel};
use super::{Wait, wake_all};
use crate::primitives::atomic::AtomicU64;
use crate::primitives::atomic::Ordering::Relaxed;

/// No alarm is set, as far as is known.
pub(super) const NO_ALARM: u64 = u64::MAX;

pub(crate) struct Station {
    handle: Arc<Handle>,
    driver: Lock<Box<dyn Driver>>,
    pub(super) wheel: Lock<Wheel<Waker>>,
    /// When the driver's alarm goes off at the latest. Written by who holds the driver.
    alarm: AtomicU64,
}

impl Station {
    pub(super) fn new(driver: Box<dyn Driver>, handle: Arc<Handle>, users: Users) -> Self {
        let now = handle.clock().now_nanos();
        Self {
            handle,
            driver: Lock::new(driver, users),
            wheel: Lock::new(Wheel::new(now), users),
            alarm: AtomicU64::new(NO_ALARM),
        }
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Whether anything here needs a thread: sources, timers, or requests for timers.
    pub(crate) fn has_work(&self) -> bool {
        !self.wheel.lock().is_empty() || self.handle.requests.are_pending() || self.handle.driver().has_sources()
    }

    /// Does what the owner, which is stuck in a task, does not get to: serves requests, looks for events, fires what is due. How many
    /// wakers were woken.
    pub(crate) fn serve(&self) -> usize {
        let mut woken = Vec::new();
        self.serve_requests();
        if let Some(mut driver) = self.driver.try_lock() {
            // An error is the owner's to report, when it meets it.
            if let Ok(true) = driver.wait(Wait::Poll, &mut woken) {
                self.alarm.store(NO_ALARM, Relaxed);
            }
        }
        self.fire(self.handle.clock(), &mut woken);
        let count = woken.len();
        wake_all(&mut woken);
        count
    }

    /// When the alarm is known to go off.
    #[inline]
    pub(super) fn alarm(&self) -> u64 {
        self.alarm.load(Relaxed)
    }

    /// Has the alarm go off `after` from now, which is at `time`.
    pub(super) fn set_alarm(&self, after: Duration, time: u64) {
        let mut driver = self.driver.lock();
        driver.set_alarm(after);
        self.alarm.store(time, Relaxed);
    }

    /// Waits; whether the alarm went off. One that blocks relies on the alarm being what it was for the caller: if another thread has
    /// served the station since and met the alarm, it has gone off for the owner, too.
    pub(super) fn wait(&self, how: Wait, alarm: u64, woken: &mut Vec<Waker>) -> io::Result<bool> {
        let mut driver = self.driver.lock();
        if how != Wait::Poll && self.alarm.load(Relaxed) != alarm {
            return Ok(true);
        }
        let went_off = driver.wait(how, woken)?;
        if went_off {
            self.alarm.store(NO_ALARM, Relaxed);
        }
        Ok(went_off)
    }

    pub(super) fn serve_requests(&self) {
        if self.handle.requests.are_pending() {
            let mut removed = Vec::new();
            self.handle.requests.serve(&mut self.wheel.lock(), &mut removed);
        }
    }

    /// Moves the wakers of what is due by `clock` to `woken`, and answers with the time if it looked at it.
    pub(super) fn fire(&self, clock: &Clock, woken: &mut Vec<Waker>) -> Option<u64> {
        let mut wheel = self.wheel.lock();
        if wheel.is_empty() {
            return None;
        }
        let now = clock.now_nanos();
        wheel.advance(now, if clock.is_paused() { Precision::Exact } else { Precision::Tick }, woken);
        Some(now)
    }

    /// Takes a timer out on behalf of a sleep that has moved away.
    pub(crate) fn cancel(&self, key: Key) {
        let removed = self.wheel.lock().remove(key);
        drop(removed);
    }

    /// Whether the driver has events that nobody has fetched. If nobody waits in it, they are fetched.
    pub(super) fn look(&self, woken: &mut Vec<Waker>) -> bool {
        if let Some(mut driver) = self.driver.try_lock() {
            let before = woken.len();
            if let Ok(true) = driver.wait(Wait::Poll, woken) {
                self.alarm.store(NO_ALARM, Relaxed);
            }
            return woken.len() > before;
        }
        self.handle.driver().has_events()
    }

    /// Everything that waits here for a timer.
    pub(super) fn close(&self, orphans: &mut Vec<Waker>) {
        self.handle.requests.close(orphans);
        self.wheel.lock().clear(orphans);
    }
}
