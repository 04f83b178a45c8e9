//! How long to wait before the next attempt.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Waits longer from attempt to attempt: `initial` times `factor` to the power of the attempt's number, which begins with 1, at most
/// `max`; and what `jitter` adds to that each time, so that clients which lost the same server do not come back all at once.
///
/// A `factor` below zero, or one that is no number, waits for `max` or not at all.
///
/// Counterpart: `backoffPolicy`.
///
/// ```
/// use rt::service::backoff_policy;
/// use rt::time::Duration;
///
/// let policy = backoff_policy(Duration::from_secs(1), Duration::from_secs(60), 2.0, || Duration::ZERO);
/// assert_eq!(policy(1), Duration::from_secs(2));
/// assert_eq!(policy(3), Duration::from_secs(8));
/// assert_eq!(policy(100), Duration::from_secs(60));
/// ```
pub fn backoff_policy(
    initial: Duration,
    max: Duration,
    factor: f64,
    jitter: impl Fn() -> Duration + 'static,
) -> impl Fn(u32) -> Duration + 'static {
    move |attempt| backoff(initial, max, factor, attempt).saturating_add(jitter())
}

/// What a [`ClientService`](crate::service::ClientService) does unless it is told otherwise: 1.5 s after the first failure, half as
/// much more each time, up to a minute, and up to a second of jitter.
///
/// ```
/// use rt::service::default_backoff_policy;
/// use rt::time::Duration;
///
/// let policy = default_backoff_policy();
/// assert!(policy(1) >= Duration::from_millis(1500) && policy(1) <= Duration::from_millis(2500));
/// ```
///
/// Counterpart: `backoffPolicy()`.
pub fn default_backoff_policy() -> impl Fn(u32) -> Duration + 'static {
    backoff_policy(Duration::from_secs(1), Duration::from_secs(60), 1.5, || random_below(Duration::from_secs(1)))
}

fn backoff(initial: Duration, max: Duration, factor: f64, attempt: u32) -> Duration {
    // In milliseconds, where those of everyday life are exact.
    let grown = millis(initial) * factor.powf(f64::from(attempt.min(100)));
    // `min` passes over what is no number.
    let nanos = grown.min(millis(max)) * 1e6;
    // Saturates, also below zero.
    Duration::from_nanos(nanos as u64).min(max)
}

fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

/// Good enough to spread clients in time.
fn random_below(limit: Duration) -> Duration {
    // The standard library seeds each of these differently.
    let random = RandomState::new().build_hasher().finish();
    limit.mul_f64(random as f64 / (u64::MAX as f64 + 1.0))
}
