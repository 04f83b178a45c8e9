//! A function, again and again.

use super::{Service, ServiceHandle};
use rt_deferred::{Failure, IntoOutcome, LoopingCall, OneShotObservers, ReactorTime};
use std::cell::RefCell;
use std::time::Duration;

/// Calls a function while it runs: at once when it is started, then at every step of a grid, as [`LoopingCall`] does.
///
/// A failure of the function ends the calls and is reported as nobody's; the service counts as running until it is stopped, and
/// begins anew when it is started again. Stopping waits for a call that is under way.
///
/// Counterpart: `twisted.application.internet.TimerService`.
///
/// ```
/// use rt::deferred::Clock;
/// use rt::service::{ServiceHandle, TimerService};
/// use rt::time::Duration;
/// use std::{cell::Cell, rc::Rc};
///
/// let (clock, beats) = (Clock::new(), Rc::new(Cell::new(0)));
/// let count = beats.clone();
/// let heart = TimerService::new(Duration::from_secs(1), move || count.set(count.get() + 1)).clock(&clock);
/// let heart = ServiceHandle::named("heart", heart);
/// drop(heart.start_service());
/// clock.pump([Duration::from_secs(1); 2]);
/// drop(heart.stop_service());
/// clock.pump([Duration::from_secs(1); 2]);
/// assert_eq!(beats.get(), 3);
/// ```
#[derive(Debug)]
pub struct TimerService {
    step: Duration,
    looping: LoopingCall,
    /// That the last call is over.
    over: RefCell<Option<OneShotObservers<()>>>,
}

impl TimerService {
    /// Calls `function` every `step`. It may return nothing, a `Result`, a Deferred or a future, which is waited for. A closure that uses
    /// `?` says of what type its errors are: it ends in `Ok::<_, Failure>(())`.
    pub fn new<R, K>(step: Duration, function: impl FnMut() -> R + 'static) -> Self
    where
        R: IntoOutcome<(), K>,
    {
        Self { step, looping: LoopingCall::new(function), over: RefCell::default() }
    }

    /// What it waits by. [`Reactor`](rt_deferred::Reactor) unless it is set.
    #[must_use = "it is the service, to be put in its place"]
    pub fn clock(mut self, clock: &dyn ReactorTime) -> Self {
        self.looping = self.looping.clock(clock);
        self
    }
}

impl Service for TimerService {
    /// Fails if it runs already, or if it was stopped and its last call is not over.
    async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        // Before the first call, which may stop the service.
        let over = OneShotObservers::new();
        let former = self.over.replace(Some(over.clone()));
        match self.looping.start(self.step, true) {
            Ok(done) => {
                drop(done.add_both(move |result: Result<LoopingCall, Failure>| {
                    // Nobody else fires it.
                    let _ = over.fire(());
                    result.map(drop)
                }));
                Ok(())
            }
            Err(error) => {
                over.detach();
                *self.over.borrow_mut() = former;
                Err(error.into())
            }
        }
    }

    async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        // It does not run if the function has failed.
        let _ = self.looping.stop();
        let over = self.over.borrow().clone();
        match over {
            Some(over) => over.when_fired().await,
            None => Ok(()),
        }
    }
}
