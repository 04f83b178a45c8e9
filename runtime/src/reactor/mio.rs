//! The driver over mio: epoll, kqueue or what Windows has.
//!
//! | | Linux, Android | macOS, BSDs | Windows |
//! |---|---|---|---|
//! | events | epoll, edge-triggered | kqueue, `EV_CLEAR` | AFD poll, re-armed by mio |
//! | bell | eventfd | user event of kqueue, or a pipe | completion packet |
//! | waits below a millisecond | timerfd | exact (kqueue counts nanoseconds) | rounded up to milliseconds |
//!
//! Linux is what is tested.

use crate::reactor::driver::{Driver, DriverHandle};
use crate::reactor::ready::Ready;
use crate::reactor::registry::BELL;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// The first implementation of [`Driver`]. Dropping it tells all sources that no event will come any more.
pub(crate) struct MioDriver {
    poll: mio::Poll,
    events: mio::Events,
    short_waits: ShortWaits,
    handle: Arc<DriverHandle>,
}

/// How many events one wait fetches. What is beyond stays in the kernel's list for the next one.
const BATCH: usize = 1024;

impl MioDriver {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let bell = mio::Waker::new(poll.registry(), BELL)?;
        let handle = Arc::new(DriverHandle::new(poll.registry().try_clone()?, bell));
        Ok(Self { poll, events: mio::Events::with_capacity(BATCH), short_waits: ShortWaits::default(), handle })
    }
}

impl Driver for MioDriver {
    fn wait(&mut self, timeout: Option<Duration>, woken: &mut Vec<Waker>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) && !self.handle.has_sources() {
            // Nothing could have happened: a bell that was rung ends the next wait that blocks.
            return Ok(());
        }
        let timeout = self.short_waits.prepare(timeout, self.poll.registry());
        match self.poll.poll(&mut self.events, timeout) {
            // A signal handler ran. The caller looks at its clock and comes back.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        if self.events.is_empty() {
            return Ok(());
        }
        let sources = self.handle.sources.lock();
        for event in &self.events {
            // The bell and the timer mean no source: that they ended the wait is all they had to do.
            if let Some(readiness) = sources.find(event.token()) {
                readiness.mark(Ready::of_event(event), woken);
            }
        }
        Ok(())
    }

    fn handle(&self) -> &Arc<DriverHandle> {
        &self.handle
    }
}

impl Drop for MioDriver {
    fn drop(&mut self) {
        let mut woken = Vec::new();
        self.handle.close(&mut woken);
        woken.into_iter().for_each(Waker::wake);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use short_waits::ShortWaits;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod short_waits {
    //! epoll counts milliseconds and may be late by a thousandth of the wait: a timerfd ends the last few of them exactly.

    use crate::reactor::registry::TIMER;
    use mio::unix::SourceFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::{Duration, Instant};

    /// Made on the first short wait, so that a program without timers has none.
    #[derive(Default)]
    pub(crate) struct ShortWaits {
        timer: Option<OwnedFd>,
        armed: Option<Instant>,
    }

    /// Longer waits sleep in epoll first and are then asked for again with what is left.
    const SHORT: Duration = Duration::from_millis(10);
    /// The same deadline, asked for twice, is seen later by what passed since its timeout was computed. It is not armed again for that.
    const SAME_DEADLINE: Duration = Duration::from_micros(20);
    const NANOS_PER_MILLI: u32 = 1_000_000;
    const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

    impl ShortWaits {
        /// The timeout to give to epoll in the place of `timeout`; the timer is armed if it is to end the wait.
        pub(crate) fn prepare(&mut self, timeout: Option<Duration>, registry: &mio::Registry) -> Option<Duration> {
            let timeout = timeout?;
            if timeout >= SHORT {
                // Never later than asked: epoll rounds down here, and its slack of a thousandth is taken off before.
                let early = timeout - timeout / 500;
                return Some(early - Duration::from_nanos((early.subsec_nanos() % NANOS_PER_MILLI).into()));
            }
            if timeout.subsec_nanos().is_multiple_of(NANOS_PER_MILLI) {
                return Some(timeout);
            }
            match self.arm(timeout, registry) {
                Ok(()) => None,
                // Out of descriptors: mio's rounding makes the wait up to a millisecond late, which beats failing.
                Err(_) => Some(timeout),
            }
        }

        /// After this the timer ends an endless wait at `timeout` from now, or earlier if it was armed for an earlier deadline.
        fn arm(&mut self, timeout: Duration, registry: &mio::Registry) -> io::Result<()> {
            let now = Instant::now();
            let deadline = now + timeout;
            if self.is_armed_for(deadline, now) {
                return Ok(());
            }
            let timer = match &self.timer {
                Some(timer) => timer,
                None => self.timer.insert(new_timer(registry)?),
            };
            let value = Timespec { tv_sec: 0, tv_nsec: timeout.subsec_nanos().into() };
            timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: ZERO, it_value: value })?;
            self.armed = Some(deadline);
            Ok(())
        }

        /// Whether the timer goes off by itself, early enough. What lies behind us has gone off, and may have been told already.
        fn is_armed_for(&self, deadline: Instant, now: Instant) -> bool {
            self.armed.is_some_and(|armed| now < armed && armed <= deadline + SAME_DEADLINE)
        }
    }

    /// Never read: each expiry is an edge of its own, and arming it again takes the old one back.
    fn new_timer(registry: &mio::Registry) -> io::Result<OwnedFd> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, mio::Interest::READABLE)?;
        Ok(timer)
    }

    #[cfg(all(test, not(loom)))]
    mod tests {
        use super::*;

        #[test]
        fn long_waits_end_early_and_in_whole_milliseconds() {
            let poll = mio::Poll::new().unwrap();
            let mut waits = ShortWaits::default();
            for (asked, given) in [(10_000, 9), (10_300, 10), (1_000_500, 998), (60_000_000, 59_880)] {
                let timeout = waits.prepare(Some(Duration::from_micros(asked)), poll.registry());
                assert_eq!(timeout, Some(Duration::from_millis(given)));
            }
            assert!(waits.prepare(Some(Duration::MAX), poll.registry()).unwrap() < Duration::MAX);
            assert!(waits.timer.is_none(), "nothing of this takes a timer");
        }

        #[test]
        fn short_waits_in_whole_milliseconds_take_no_timer() {
            let poll = mio::Poll::new().unwrap();
            let mut waits = ShortWaits::default();
            assert_eq!(waits.prepare(None, poll.registry()), None);
            for millis in 0..10 {
                let timeout = Some(Duration::from_millis(millis));
                assert_eq!(waits.prepare(timeout, poll.registry()), timeout);
            }
            assert!(waits.timer.is_none());
        }

        #[test]
        fn other_short_waits_are_ended_by_the_timer() {
            let poll = mio::Poll::new().unwrap();
            let mut waits = ShortWaits::default();
            assert_eq!(waits.prepare(Some(Duration::from_micros(1_500)), poll.registry()), None);
            assert!(waits.timer.is_some() && waits.armed.is_some());
        }

        #[test]
        fn timer_is_armed_again_only_for_an_earlier_deadline_or_when_it_went_off() {
            let now = Instant::now();
            let at = |micros| now + Duration::from_micros(micros);
            let waits = ShortWaits { timer: None, armed: Some(at(1_000)) };
            assert!(waits.is_armed_for(at(1_000), now));
            assert!(waits.is_armed_for(at(5_000), now));
            assert!(waits.is_armed_for(at(990), now), "the same deadline, seen a little later");
            assert!(!waits.is_armed_for(at(900), now));
            assert!(!waits.is_armed_for(at(5_000), at(1_000)), "it went off");
        }
    }
}

/// Here the system's own granularity is what there is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Default)]
pub(crate) struct ShortWaits;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl ShortWaits {
    pub(crate) fn prepare(&mut self, timeout: Option<Duration>, _: &mio::Registry) -> Option<Duration> {
        timeout
    }
}
