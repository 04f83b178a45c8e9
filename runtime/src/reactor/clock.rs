//! The clock of a runtime: the system's monotonic clock until it is paused for the first time, virtual from then on.

use std::time::{Duration, Instant};

use crate::primitives::Mutex;
use crate::primitives::atomic::AtomicBool;
use crate::primitives::atomic::AtomicUsize;
use crate::primitives::atomic::Ordering::{Acquire, Relaxed, Release};

/// One per runtime, shared by all its threads.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Where the wheels count from.
    origin: Instant,
    /// Whether `virtual_time` says what the time is; once true it stays so.
    is_virtual: AtomicBool,
    virtual_time: Mutex<VirtualTime>,
    /// Blocking calls that are out: virtual time does not advance by itself while there are any.
    holds: AtomicUsize,
}

#[derive(Debug)]
struct VirtualTime {
    /// The time now if the clock is paused, else the time at `running_since`.
    time: Instant,
    /// When, in the system's time, the clock was resumed. None: it is paused.
    running_since: Option<Instant>,
}

/// The clock is not in the state that the call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongState;

impl Clock {
    pub(crate) fn new(start_paused: bool) -> Self {
        let origin = Instant::now();
        let running_since = (!start_paused).then_some(origin);
        Self {
            origin,
            is_virtual: AtomicBool::new(start_paused),
            virtual_time: Mutex::new(VirtualTime { time: origin, running_since }),
            holds: AtomicUsize::new(0),
        }
    }

    /// One read of the system's clock and a relaxed load, unless the clock has been paused before.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        if self.is_real() { Instant::now() } else { self.virtual_time.lock().now() }
    }

    /// Whether this has always been the system's clock, which other runtimes may have too.
    #[inline]
    pub(crate) fn is_real(&self) -> bool {
        // Relaxed: whoever depends on a `pause` by another thread has learnt of it by other means.
        !self.is_virtual.load(Relaxed)
    }

    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        !self.is_real() && self.virtual_time.lock().running_since.is_none()
    }

    /// Stops the time.
    pub(crate) fn pause(&self) -> Result<(), WrongState> {
        let mut virtual_time = self.virtual_time.lock();
        if virtual_time.running_since.is_none() {
            return Err(WrongState);
        }
        *virtual_time =
            VirtualTime { time: if self.is_real() { Instant::now() } else { virtual_time.now() }, running_since: None };
        self.is_virtual.store(true, Relaxed);
        Ok(())
    }

    /// Lets the time run on from where it was stopped.
    pub(crate) fn resume(&self) -> Result<(), WrongState> {
        let mut virtual_time = self.virtual_time.lock();
        if virtual_time.running_since.is_some() {
            return Err(WrongState);
        }
        virtual_time.running_since = Some(Instant::now());
        Ok(())
    }

    /// Moves a paused clock forward to `time`. One that has been resumed meanwhile goes its own way.
    pub(crate) fn advance_to(&self, time: Instant) {
        let mut virtual_time = self.virtual_time.lock();
        if virtual_time.running_since.is_none() && time > virtual_time.time {
            virtual_time.time = time;
        }
    }

    /// A blocking call goes out. `release` is owed.
    pub(crate) fn hold(&self) {
        self.holds.fetch_add(1, Relaxed);
    }

    /// A blocking call is back. True: ring the bell of the reactor, it may advance the time now.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // Release pairs with the Acquire in `is_held`: who finds no holds sees what the calls did.
        let holds = self.holds.fetch_sub(1, Release);
        debug_assert_ne!(holds, 0, "a release without a hold");
        holds == 1 && !self.is_real()
    }

    pub(crate) fn is_held(&self) -> bool {
        self.holds.load(Acquire) > 0
    }

    /// The nanoseconds that the wheels count; what was before the clock is zero, what is out of reach the end of time.
    #[inline]
    pub(crate) fn nanos(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.origin);
        since.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(since.subsec_nanos()))
    }

    /// The opposite of `nanos`. What no `Instant` can say, is now.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        self.origin.checked_add(Duration::from_nanos(nanos)).unwrap_or_else(|| self.now())
    }
}

impl VirtualTime {
    fn now(&self) -> Instant {
        self.time + self.running_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_paused_clock_stands_still() {
        let clock = Clock::new(true);
        let start = clock.now();
        assert!(clock.is_paused());
        clock.advance_to(start + Duration::from_secs(5));
        assert_eq!(clock.now(), start + Duration::from_secs(5));
        clock.advance_to(start);
        assert_eq!(clock.now(), start + Duration::from_secs(5), "never backwards");
    }

    #[test]
    fn pause_and_resume_in_the_wrong_state() {
        let clock = Clock::new(false);
        assert!(clock.is_real());
        assert_eq!(clock.resume(), Err(WrongState));
        assert_eq!(clock.pause(), Ok(()));
        assert_eq!(clock.pause(), Err(WrongState));
        assert_eq!(clock.resume(), Ok(()));
        assert!(!clock.is_paused() && !clock.is_real());
    }

    #[test]
    fn a_resumed_clock_goes_on_from_where_it_stood() {
        let clock = Clock::new(false);
        clock.pause().unwrap();
        let stood = clock.now() + Duration::from_secs(1_000);
        clock.advance_to(stood);
        clock.resume().unwrap();
        let now = clock.now();
        assert!(now >= stood);
        clock.advance_to(stood + Duration::from_secs(1_000));
        assert!(clock.now() < stood + Duration::from_secs(1_000), "a running clock is not moved");
        clock.pause().unwrap();
        assert!(clock.now() >= now);
    }

    #[test]
    fn the_last_release_rings_if_time_is_virtual() {
        let clock = Clock::new(false);
        clock.hold();
        assert!(!clock.release());
        clock.pause().unwrap();
        clock.hold();
        clock.hold();
        assert!(clock.is_held());
        assert!(!clock.release());
        assert!(clock.release());
        assert!(!clock.is_held());
    }

    #[test]
    fn nanoseconds_and_back() {
        let clock = Clock::new(true);
        let time = clock.now() + Duration::new(3, 5);
        assert_eq!(clock.nanos(time), 3_000_000_005);
        assert_eq!(clock.instant(3_000_000_005), time);
        assert_eq!(clock.nanos(clock.now() - Duration::from_secs(9)), 0);
    }
}
