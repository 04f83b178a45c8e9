//! A future with a time limit.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::{Instant, Sleep};
use crate::coop;

/// Waits for `future`, for at most `duration` from this call.
///
/// A duration too long for the clock means some 30 years. The future is polled before the time is looked at: one that is
/// ready at once is never too late.
///
/// Counterpart: `tokio::time::timeout`.
///
/// # Errors
///
/// The future gives [`Elapsed`] if the time ran out first; `future` is dropped together with it.
///
/// # Panics
///
/// Outside a runtime; when polled, if the runtime was shut down while this was waiting.
///
/// # Cancel safety
///
/// Dropping it drops `future` and takes the timer out.
///
/// ```
/// use rt::time::{Duration, timeout};
///
/// rt::block_on(async {
///     assert_eq!(timeout(Duration::from_secs(1), async { 7 }).await, Ok(7));
///     assert!(timeout(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
/// });
/// ```
#[track_caller]
#[inline]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: future.into_future(), sleep: Sleep::after(duration) }
}

/// Waits for `future`, until `deadline` at the latest.
///
/// Counterpart: `tokio::time::timeout_at`.
///
/// # Errors
///
/// The future gives [`Elapsed`] if the time ran out first; `future` is dropped together with it.
///
/// # Panics
///
/// Outside a runtime; when polled, if the runtime was shut down while this was waiting.
///
/// # Cancel safety
///
/// Dropping it drops `future` and takes the timer out.
///
/// ```
/// use rt::time::{Instant, timeout_at};
///
/// rt::block_on(async {
///     assert!(timeout_at(Instant::now(), std::future::pending::<()>()).await.is_err());
/// });
/// ```
#[track_caller]
#[inline]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: future.into_future(), sleep: Sleep::until(deadline) }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    ///
    /// Counterpart: `tokio::time::Timeout`.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F> Timeout<F> {
    /// The future that is waited for.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future that is waited for.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future without a limit.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = coop::has_budget();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        ready!(this.sleep.poll_elapsed(cx));
        // A future that uses up the whole budget each time must not outlive its limit by that.
        if !had_budget || coop::has_budget() {
            ready!(coop::poll_proceed(cx));
        }
        Poll::Ready(Err(Elapsed(())))
    }
}

/// The time limit of a [`Timeout`] ran out.
///
/// Counterpart: `tokio::time::error::Elapsed`.
///
/// ```
/// use rt::time::{Duration, timeout};
/// use std::io;
///
/// async fn answer() -> io::Result<u8> {
///     timeout(Duration::from_millis(1), std::future::pending()).await?
/// }
/// assert_eq!(rt::block_on(answer()).unwrap_err().kind(), io::ErrorKind::TimedOut);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit ran out")
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}
