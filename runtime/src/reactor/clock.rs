//! The clock of a runtime: the system's monotonic clock until it is paused for the first time, virtual from then on.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::primitives::Mutex;
use crate::primitives::atomic::AtomicBool;
use crate::primitives::atomic::AtomicUsize;
use crate::primitives::atomic::Ordering::{Acquire, Relaxed, Release};

/// One per runtime, shared by all its threads.
#[derive(Debug)]
pub(crate) struct Clock {
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
    /// Where somebody is advancing the paused clock to, step by step.
    goal: Option<u64>,
}

/// The clock is not in the state that the call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongState;

impl Clock {
    pub(crate) fn new(start_paused: bool) -> Self {
        let time = Instant::now();
        let running_since = (!start_paused).then_some(time);
        Self {
            is_virtual: AtomicBool::new(start_paused),
            virtual_time: Mutex::new(VirtualTime { time, running_since, goal: None }),
            holds: AtomicUsize::new(0),
        }
    }

    /// One read of the system's clock and a relaxed load, unless the clock has been paused before.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        if self.is_real() { Instant::now() } else { self.virtual_time.lock().now() }
    }

    /// As `now`, counted as timers count.
    #[inline]
    pub(crate) fn now_nanos(&self) -> u64 {
        if self.is_real() { system_nanos() } else { nanos(self.virtual_time.lock().now()) }
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
        virtual_time.time = if self.is_real() { Instant::now() } else { virtual_time.now() };
        virtual_time.running_since = None;
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

    /// From now on, whenever tasks rest (or do not for very long), the paused clock steps to the next deadline, held or not,
    /// until it has reached `goal`.
    pub(crate) fn set_goal(&self, goal: u64) {
        let mut virtual_time = self.virtual_time.lock();
        virtual_time.goal = virtual_time.goal.max(Some(goal));
    }

    /// Nobody waits for the clock to reach `goal` any more.
    pub(crate) fn drop_goal(&self, goal: u64) {
        let mut virtual_time = self.virtual_time.lock();
        if virtual_time.goal == Some(goal) {
            virtual_time.goal = None;
        }
    }

    /// Where the clock is being advanced to, if it is not there yet.
    pub(super) fn goal(&self) -> Option<u64> {
        let virtual_time = self.virtual_time.lock();
        virtual_time.goal.filter(|&goal| goal > nanos(virtual_time.now()))
    }

    /// A blocking call goes out. `release` is owed.
    pub(crate) fn hold(&self) {
        self.holds.fetch_add(1, Relaxed);
    }

    /// A blocking call is back. True: ring the bells of the clock's reactors, they may advance the time now.
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
}

/// Where timers count from, in the whole process.
///
/// An instant and a count are read together to find it. The pair that took the shortest was disturbed the least; that the
/// instant is read first makes deadlines later by what is left, some 20 ns, and never earlier.
static ORIGIN: LazyLock<Instant> = LazyLock::new(|| {
    let pair = |_| {
        let before = Instant::now();
        let count = system_nanos();
        (before.elapsed(), before, count)
    };
    let (_, instant, count) = (0..8).map(pair).min().expect("there are some");
    instant.checked_sub(Duration::from_nanos(count)).expect("the system's clock reaches back to where counting begins")
});

/// How long before the system's clock began to count timers begin: no program knows an earlier time.
#[cfg(any(target_os = "linux", target_os = "android"))]
const AGE: u64 = 1 << 62;

/// The system's time, counted as timers count. It is the clock of `Instant`, without the detour.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn system_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    AGE + time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The system's time, counted as timers count.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn system_nanos() -> u64 {
    /// When the first timer counted, and how long before that counting began.
    static START: LazyLock<(Instant, u64)> = LazyLock::new(|| {
        let now = Instant::now();
        let mut age = 1 << 62;
        while now.checked_sub(Duration::from_nanos(age)).is_none() {
            age /= 2;
        }
        (now, age)
    });
    let (start, age) = *START;
    age + length(start.elapsed())
}

/// An instant, counted as timers count. What is more than 400 years away is the end of time.
#[inline]
pub(crate) fn nanos(time: Instant) -> u64 {
    length(time.saturating_duration_since(*ORIGIN))
}

/// The nanoseconds of a duration, or as many as can be counted.
#[inline]
pub(crate) fn length(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

/// The opposite of `nanos`.
pub(crate) fn instant(nanos: u64) -> Instant {
    let origin = *ORIGIN;
    origin.checked_add(Duration::from_nanos(nanos)).unwrap_or_else(|| origin + Duration::from_nanos(nanos / 2))
}

impl VirtualTime {
    fn now(&self) -> Instant {
        self.time + self.running_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const YEAR: Duration = Duration::from_secs(365 * 86_400);

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
        let now = Instant::now();
        for time in [now, now + Duration::new(3, 5), now + YEAR * 430, now - YEAR * 140] {
            assert_eq!(instant(nanos(time)), time);
        }
        assert_eq!(nanos(now + Duration::new(3, 5)) - nanos(now), 3_000_000_005);
    }

    #[test]
    fn system_time_and_instants_count_alike() {
        for _ in 0..100 {
            let before = nanos(Instant::now());
            let time = system_nanos();
            let after = nanos(Instant::now());
            // What `ORIGIN` is off by.
            assert!(before <= time + 1_000_000 && time <= after, "{before} {time} {after}");
        }
    }

    #[test]
    fn nanoseconds_end_somewhere() {
        let now = Instant::now();
        assert_eq!(nanos(now - YEAR * 200), 0);
        assert_eq!(nanos(now + YEAR * 500), u64::MAX);
        assert!(instant(u64::MAX) > now + YEAR * 200);
        assert_eq!(length(Duration::new(2, 7)), 2_000_000_007);
        assert_eq!(length(Duration::MAX), u64::MAX);
    }
}
