//! The driver over mio: epoll, kqueue or what Windows has.
//!
//! | | Linux, Android | macOS, BSDs | Windows |
//! |---|---|---|---|
//! | events | epoll, edge-triggered | kqueue, `EV_CLEAR` | AFD poll, re-armed by mio |
//! | bell | eventfd | user event of kqueue, or a pipe | completion packet |
//! | alarm | timerfd | timeout of each wait, in nanoseconds | timeout of each wait, rounded up to milliseconds |
//!
//! Linux is what is tested.

use crate::reactor::Wait;
use crate::reactor::driver::{Driver, DriverHandle};
use crate::reactor::ready::Ready;
use crate::reactor::registry::{BELL, TIMER};
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

/// The first implementation of [`Driver`]. Dropping it tells all sources that no event will come any more.
pub(crate) struct MioDriver {
    poll: mio::Poll,
    events: mio::Events,
    alarm: Alarm,
    handle: Arc<DriverHandle>,
}

/// How many events one wait fetches. What is beyond stays in the kernel's list for the next one.
const BATCH: usize = 1024;

impl MioDriver {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let bell = mio::Waker::new(poll.registry(), BELL)?;
        let handle = Arc::new(DriverHandle::new(poll.registry().try_clone()?, bell));
        Ok(Self { poll, events: mio::Events::with_capacity(BATCH), alarm: Alarm::default(), handle })
    }
}

impl Driver for MioDriver {
    fn wait(&mut self, how: Wait, woken: &mut Vec<Waker>) -> io::Result<bool> {
        if how == Wait::Poll && !self.handle.has_sources() {
            // Nothing could have happened: a bell or an alarm ends the next wait that blocks.
            return Ok(false);
        }
        let timeout = if how == Wait::Poll { Some(Duration::ZERO) } else { self.alarm.timeout() };
        match self.poll.poll(&mut self.events, timeout) {
            // A signal handler ran. The caller comes back.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            result => result?,
        }
        let mut went_off = self.alarm.is_due();
        if self.events.is_empty() {
            return Ok(went_off);
        }
        let sources = self.handle.sources.lock();
        for event in &self.events {
            // The bell means no source: that it ended the wait is all it had to do.
            if event.token() == TIMER {
                went_off = true;
            } else if let Some(readiness) = sources.find(event.token()) {
                readiness.mark(Ready::of_event(event), woken);
            }
        }
        Ok(went_off)
    }

    fn set_alarm(&mut self, after: Duration) {
        self.alarm.set(after, self.poll.registry());
    }

    fn handle(&self) -> &Arc<DriverHandle> {
        &self.handle
    }
}

/// Whether there is something to read from a descriptor, such as a poller's that is just waited for by another thread.
#[cfg(unix)]
pub(super) fn is_readable(descriptor: std::os::fd::RawFd) -> io::Result<bool> {
    let mut poll = mio::Poll::new()?;
    poll.registry().register(&mut mio::unix::SourceFd(&descriptor), BELL, mio::Interest::READABLE)?;
    let mut events = mio::Events::with_capacity(1);
    poll.poll(&mut events, Some(Duration::ZERO))?;
    Ok(!events.is_empty())
}

impl Drop for MioDriver {
    fn drop(&mut self) {
        let mut woken = Vec::new();
        self.handle.close(&mut woken);
        woken.into_iter().for_each(Waker::wake);
    }
}

/// Ends the driver's waits in time.
#[derive(Default)]
struct Alarm {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    timer: timer::Timer,
    /// When it goes off, if no timer of the system sees to that.
    at: Option<Instant>,
}

impl Alarm {
    fn set(&mut self, after: Duration, registry: &mio::Registry) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.timer.set(after, registry).is_ok() {
            self.at = None;
            return;
        }
        // Out of descriptors, or another system: waits are as exact as the system's poller is.
        let _ = registry;
        self.at = Instant::now().checked_add(after);
    }

    /// How long a wait may last.
    fn timeout(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether it goes off by the clock, now.
    fn is_due(&mut self) -> bool {
        let is_due = self.at.is_some_and(|at| Instant::now() >= at);
        if is_due {
            self.at = None;
        }
        is_due
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod timer {
    //! epoll counts milliseconds, and forgets how long it was to wait as soon as something happens. A timerfd does neither.

    use crate::reactor::registry::TIMER;
    use mio::unix::SourceFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    /// Made when it is set for the first time, so that a program without timers has none.
    #[derive(Default)]
    pub(super) struct Timer(Option<OwnedFd>);

    const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

    impl Timer {
        pub(super) fn set(&mut self, after: Duration, registry: &mio::Registry) -> io::Result<()> {
            let timer = match &self.0 {
                Some(timer) => timer,
                None => self.0.insert(new_timer(registry)?),
            };
            // Zero would mean never.
            let after = after.max(Duration::from_nanos(1));
            let tv_sec = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
            let it_value = Timespec { tv_sec, tv_nsec: after.subsec_nanos().into() };
            timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: ZERO, it_value })?;
            Ok(())
        }
    }

    /// Never read: each expiry is an edge of its own, and setting it again takes the old one back.
    fn new_timer(registry: &mio::Registry) -> io::Result<OwnedFd> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, mio::Interest::READABLE)?;
        Ok(timer)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_alarm_by_the_clock_goes_off_once() {
        let mut alarm = Alarm::default();
        assert!(alarm.timeout().is_none() && !alarm.is_due());
        alarm.at = Some(Instant::now());
        assert_eq!(alarm.timeout(), Some(Duration::ZERO));
        assert!(alarm.is_due() && !alarm.is_due());
        assert!(alarm.timeout().is_none());
        alarm.at = Some(Instant::now() + MS * 60_000);
        assert!(alarm.timeout() > Some(MS * 1_000) && !alarm.is_due());
    }

    #[test]
    fn a_driver_without_a_timer_ends_its_waits_by_the_clock() {
        let mut driver = MioDriver::new().unwrap();
        let start = Instant::now();
        driver.alarm.at = Some(start + MS);
        while !driver.wait(Wait::Block, &mut Vec::new()).unwrap() {}
        assert!(start.elapsed() >= MS);
    }
}
