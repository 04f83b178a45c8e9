//! The seam to time: a clock is given, never assumed.

use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::{Deferred, Failure, Outcome};

/// A clock that calls functions later, on the thread it is used on.
///
/// The runtime's timers are one, and a virtual clock is one for tests.
///
/// Counterpart: `twisted.internet.interfaces.IReactorTime`.
pub trait Clock {
    /// The time since a fixed moment.
    fn now(&self) -> Duration;

    /// Calls `call` once after `delay`, never before this has returned. Returns a function that takes it back; it does
    /// nothing after the call.
    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()>;
}

pub(crate) fn add_timeout<T: 'static>(
    deferred: Deferred<T>,
    duration: Duration,
    clock: &dyn Clock,
    on_timeout: impl FnOnce(Result<T, Failure>) -> Outcome<T> + 'static,
) -> Deferred<T> {
    let place = Location::caller();
    let timed_out = Rc::new(Cell::new(false));
    let chain = Rc::downgrade(deferred.chain());
    let late = timed_out.clone();
    let take_back = clock.call_later(
        duration,
        Box::new(move || {
            late.set(true);
            if let Some(chain) = chain.upgrade() {
                chain.cancel(place);
            }
        }),
    );
    deferred
        .step::<T>(move |slot| {
            if !timed_out.get() {
                return;
            }
            if let Some(result) = slot.take_result() {
                *slot = on_timeout(result).into_slot();
            }
        })
        .step(move |_| take_back())
}
