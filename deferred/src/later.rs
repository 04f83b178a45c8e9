//! A Deferred that fires after a time.

use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::reactor_time::TakeBack;
use crate::{Deferred, IntoOutcome, ReactorTime};

/// Calls a function after `delay` on `clock`, and makes a Deferred of what it returns. Cancelling the Deferred before
/// that takes the call back.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, assert_no_result, defer_later, success_result_of};
///
/// let clock = Clock::new();
/// let sum = defer_later(&clock, Duration::from_secs(1), || 1 + 2);
/// assert_no_result(&sum);
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(success_result_of(sum), 3);
/// ```
///
/// On a runtime the clock is [`Reactor`](crate::Reactor):
///
/// ```
/// # fn main() { rt::block_on(async {
/// use std::time::Duration;
///
/// use rt::deferred::{Reactor, defer_later};
///
/// let word = defer_later(&Reactor, Duration::from_millis(1), || "later");
/// assert_eq!(word.await.unwrap(), "later");
/// # }) }
/// ```
///
/// Counterpart: `twisted.internet.task.deferLater`.
#[track_caller]
pub fn defer_later<T, K, R, F>(clock: &dyn ReactorTime, delay: Duration, function: F) -> Deferred<T>
where
    T: 'static,
    F: FnOnce() -> R + 'static,
    R: IntoOutcome<T, K>,
{
    let take_back: Rc<Cell<Option<TakeBack>>> = Rc::default();
    let cancelling = Rc::clone(&take_back);
    let (deferred, resolver) = Deferred::with_canceller(move |_| {
        if let Some(take_back) = cancelling.take() {
            take_back();
        }
    });
    let place = Location::caller();
    let call = move || {
        // It was not cancelled, or the call would have been taken back.
        let _ = resolver.resolve_at(Ok(()), place);
    };
    take_back.set(Some(clock.call_later(delay, Box::new(call))));
    deferred.add_callback(move |()| function())
}
