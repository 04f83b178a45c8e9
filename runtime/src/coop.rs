//! The cooperative budget: after so many steps in one poll, the leaf futures of `rt` make a task give way, so that one which
//! always finds something ready starves neither the others nor I/O.
//!
//! Deferreds and foreign channels do not count.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::task::{BUDGET, Core, UNCONSTRAINED};

/// Ready if the task may make another step; else it is woken at once, and pending so that others run first.
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    let proceed = Core::with_current(|core| {
        let Some(budget) = core.map(Core::budget) else { return true };
        match budget.get() {
            0 => return false,
            UNCONSTRAINED => {}
            left => budget.set(left - 1),
        }
        true
    });
    if proceed {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Whether the task may make another step. For who drives two futures in one poll, so that the one which uses the budget up does
/// not hide the other.
pub(crate) fn has_budget() -> bool {
    Core::with_current(|core| core.is_none_or(|core| core.budget().get() > 0))
}

/// Takes one step from the task's budget, and waits for its next turn if it is used up.
///
/// For loops that await only what is always ready and is not `rt`'s own. A task has 128 steps in a poll.
///
/// Counterpart: `tokio::task::coop::consume_budget`.
///
/// # Cancel safety
///
/// Cancel safe: at worst a step is taken.
///
/// # Examples
///
/// ```
/// # rt::block_on(async {
/// let mut sum = 0_u64;
/// for n in 0..10_000 {
///     sum += n;
///     rt::task::consume_budget().await; // others get their turn 78 times
/// }
/// assert_eq!(sum, 49_995_000);
/// # });
/// ```
pub async fn consume_budget() {
    std::future::poll_fn(poll_proceed).await;
}

/// Exempts `future` from the budget.
///
/// A task that never runs out of ready work then starves everything else on its worker: use it for futures that bring a
/// fairness of their own.
///
/// Counterpart: `tokio::task::unconstrained`.
///
/// ```
/// # rt::block_on(async {
/// let sum = rt::task::unconstrained(async { 40 + 2 }).await;
/// assert_eq!(sum, 42);
/// # });
/// ```
pub fn unconstrained<F: Future>(future: F) -> Unconstrained<F> {
    Unconstrained { future }
}

pin_project! {
    /// The future of [`unconstrained`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited or polled"]
    pub struct Unconstrained<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        with_budget(UNCONSTRAINED, || self.project().future.poll(cx))
    }
}

/// Runs one poll of a future that is no task (what `block_on` waits for) with a full budget.
pub(crate) fn with_full_budget<R>(f: impl FnOnce() -> R) -> R {
    with_budget(BUDGET, f)
}

/// Calls `f` with another budget, and puts the old one back, also by unwinding.
fn with_budget<R>(budget: u8, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<u8>);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some(old) = self.0 {
                Core::with_current(|core| core.map(|core| core.budget().set(old)));
            }
        }
    }
    let _restore = Restore(Core::with_current(|core| core.map(|core| core.budget().replace(budget))));
    f()
}
