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
use crate::reactor::driver::{Driver, DriverHandle, Heard};
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
    fn wait(&mut self, how: Wait, woken: &mut Vec<Waker>) -> io::Result<Heard> {
        if how == Wait::Poll && !self.handle.has_sources() {
            // Nothing could have happened: a bell or an alarm ends the next wait that blocks.
            return Ok(Heard::default());
        }
        let timeout = match how {
            Wait::Poll => Some(Duration::ZERO),
            Wait::Block => self.alarm.timeout(),
            Wait::AtMost(limit) => Some(self.alarm.timeout().map_or(limit, |timeout| timeout.min(limit))),
        };
        match self.poll.poll(&mut self.events, timeout) {
            // A signal handler ran. The caller comes back.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Heard::default()),
            result => result?,
        }
        let mut heard = Heard { alarm: self.alarm.is_due(), bell: false };
        if self.events.is_empty() {
            return Ok(heard);
        }
        let sources = self.handle.sources.lock();
        for event in &self.events {
            if event.token() == TIMER {
                heard.alarm = true;
            } else if event.token() == BELL {
                heard.bell = true;
            } else if let Some(readiness) = sources.find(event.token()) {
                readiness.mark(Ready::of_event(event), woken);
            }
        }
        Ok(heard)
    }

    fn set_alarm(&mut self, after: Duration) {
        self.alarm.set(after, self.poll.registry());
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
        while !driver.wait(Wait::Block, &mut Vec::new()).unwrap().alarm {}
        assert!(start.elapsed() >= MS);
    }
}
