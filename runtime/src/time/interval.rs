//! Ticks at a fixed distance.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::{Instant, Sleep};
use crate::coop;

/// A tick that comes later than this counts as missed.
const TOLERANCE: Duration = Duration::from_millis(5);

/// Ticks at once, and then every `period`.
///
/// Counterpart: `tokio::time::interval`.
///
/// # Panics
///
/// If `period` is zero; outside a runtime.
///
/// ```
/// use rt::time::{Duration, interval};
///
/// rt::block_on(async {
///     let mut interval = interval(Duration::from_millis(1));
///     let first = interval.tick().await;
///     assert_eq!(interval.tick().await, first + Duration::from_millis(1));
/// });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    Interval::new(Sleep::after(Duration::ZERO), period)
}

/// Ticks at `start`, and then every `period`.
///
/// Counterpart: `tokio::time::interval_at`.
///
/// # Panics
///
/// If `period` is zero; outside a runtime.
///
/// ```
/// use rt::time::{Duration, Instant, interval_at};
///
/// rt::block_on(async {
///     let start = Instant::now() + Duration::from_millis(1);
///     let mut interval = interval_at(start, Duration::from_millis(1));
///     assert_eq!(interval.tick().await, start);
/// });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::new(Sleep::until(start), period)
}

/// A series of ticks; made by [`interval`] and [`interval_at`]. Also a [`Stream`] that never ends.
///
/// Counterpart: `tokio::time::Interval`.
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    period: Duration,
    missed_tick_behavior: MissedTickBehavior,
}

impl Interval {
    #[track_caller]
    fn new(sleep: Sleep, period: Duration) -> Self {
        assert!(!period.is_zero(), "the period of an interval must be longer than zero");
        Self { sleep, period, missed_tick_behavior: MissedTickBehavior::default() }
    }

    /// Waits for the next tick, and tells when it was due.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// The next tick, if it is due; else the task is woken when it is.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.sleep.poll_elapsed(cx));
        ready!(coop::poll_proceed(cx));
        let due = self.sleep.deadline();
        let now = Instant::now();
        let next = if now > due.saturating_add(TOLERANCE) {
            self.missed_tick_behavior.next(due, now, self.period)
        } else {
            due.saturating_add(self.period)
        };
        self.sleep.reset_to(next);
        Poll::Ready(due)
    }

    /// The next tick is one period from now.
    pub fn reset(&mut self) {
        self.reset_after(self.period);
    }

    /// The next tick is now.
    pub fn reset_immediately(&mut self) {
        self.reset_after(Duration::ZERO);
    }

    /// The next tick is `after` from now.
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(Instant::now().saturating_add(after));
    }

    /// The next tick is at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.sleep.reset_to(deadline);
    }

    /// What happens after a tick was missed.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_tick_behavior
    }

    /// Sets what happens after a tick was missed; [`MissedTickBehavior::Burst`] unless set.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_tick_behavior = behavior;
    }

    /// The distance of the ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

/// When an [`Interval`] ticks again after a tick was asked for more than 5 ms too late.
///
/// Counterpart: `tokio::time::MissedTickBehavior`.
///
/// ```
/// use rt::time::{Duration, MissedTickBehavior, interval};
///
/// rt::block_on(async {
///     let mut interval = interval(Duration::from_millis(50));
///     interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
///     assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Delay);
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTickBehavior {
    /// At once, until all missed ticks are made up for: the number of ticks is kept.
    #[default]
    Burst,
    /// One period after the late tick: the distance of ticks is kept.
    Delay,
    /// At the next multiple of the period from the start: the rhythm is kept.
    Skip,
}

impl MissedTickBehavior {
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due.saturating_add(period),
            Self::Delay => now.saturating_add(period),
            Self::Skip => {
                let late = now.saturating_duration_since(due).as_nanos() % period.as_nanos();
                let nanos_per_second = 1_000_000_000;
                // Less than the period, so its seconds fit.
                let late = Duration::new((late / nanos_per_second) as u64, (late % nanos_per_second) as u32);
                now.saturating_add(period - late)
            }
        }
    }
}
