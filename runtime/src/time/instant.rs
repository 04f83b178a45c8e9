//! A point in time of the runtime's clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use super::sleep::on_own_reactor;
use crate::context;
use crate::reactor::Reactor;
use crate::reactor::clock::nanos;

/// A point in time, as the clock of the runtime shows it: [`std::time::Instant`] that stands still when time is paused.
///
/// Counterpart: `tokio::time::Instant`.
///
/// ```
/// use rt::time::{Duration, Instant};
///
/// let deadline = Instant::now() + Duration::from_secs(5);
/// assert!(deadline.saturating_duration_since(Instant::now()) <= Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(std::time::Instant);

/// Nanoseconds since a fixed moment, by the clock of the runtime that this thread is in: as its worker saw it last in this turn, which
/// is a few polls ago at most. A look at the system's clock takes ten times as long.
#[doc(hidden)]
#[inline]
pub fn turn_nanos() -> u64 {
    on_own_reactor(Reactor::turn_nanos).unwrap_or_else(|| nanos(Instant::now().0))
}

impl Instant {
    /// The time by the clock of the runtime that this thread is in, else by the system's.
    pub fn now() -> Self {
        let time = on_own_reactor(Reactor::now)
            .or_else(|| Some(context::clock()?.now()))
            .unwrap_or_else(std::time::Instant::now);
        Self(time)
    }

    /// The instant of the standard library that this stands for.
    pub const fn from_std(std: std::time::Instant) -> Self {
        Self(std)
    }

    /// As an instant of the standard library. That of a clock which has been paused means nothing to others.
    pub const fn into_std(self) -> std::time::Instant {
        self.0
    }

    /// The time from `earlier` until this, zero if `earlier` is later.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0)
    }

    /// The time from `earlier` until this, `None` if `earlier` is later.
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// The time from `earlier` until this, zero if `earlier` is later.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The time from this until now, zero if this is in the future.
    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    /// `self + duration`, `None` if that cannot be represented.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    /// `self - duration`, `None` if that cannot be represented.
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Self)
    }

    /// `self + duration`; what cannot be represented is far away.
    #[inline]
    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or_else(|| self.far_future())
    }

    /// About 30 years from this: later than anybody waits, and near enough that some more can be added.
    #[cold]
    fn far_future(self) -> Self {
        self + Duration::from_secs(30 * 365 * 86_400)
    }
}

impl From<std::time::Instant> for Instant {
    fn from(std: std::time::Instant) -> Self {
        Self(std)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

/// Panics if the sum cannot be represented, as the standard library's does.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

/// Panics if the difference cannot be represented, as the standard library's does.
impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

/// The time from `earlier` until this, zero if `earlier` is later.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
