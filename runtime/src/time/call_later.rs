//! Twisted's `callLater`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pub use rt_deferred::DelayedCallError;

use super::{Instant, Sleep};
use crate::spawn::spawn_local;

/// Calls `f` on this thread when `delay` has passed.
///
/// Calls that are due together happen in the order of their times, those of equal times in the order in which they were made;
/// never within `call_later` itself, not even with a delay of zero. Dropping the [`DelayedCall`] does not cancel the call.
/// A panic in `f` is that of a task: it is caught and ends nothing else.
///
/// Counterpart: Twisted's `reactor.callLater`.
///
/// # Panics
///
/// Outside a runtime.
///
/// ```
/// use rt::time::{Duration, call_later, sleep};
/// use std::{cell::Cell, rc::Rc};
///
/// rt::block_on(async {
///     let called = Rc::new(Cell::new(false));
///     let setter = called.clone();
///     let call = call_later(Duration::from_millis(1), move || setter.set(true));
///     assert!(call.is_active());
///     sleep(Duration::from_millis(20)).await;
///     assert!(called.get() && !call.is_active());
/// });
/// ```
#[track_caller]
pub fn call_later<F: FnOnce() + 'static>(delay: Duration, f: F) -> DelayedCall {
    let (running, call) = prepare(delay, f);
    spawn_local(running);
    call
}

/// The two ends of a delayed call: the future that makes it, and the handle.
#[track_caller]
pub(super) fn prepare<F: FnOnce() + 'static>(delay: Duration, f: F) -> (Running<F>, DelayedCall) {
    let sleep = Sleep::after(delay);
    let call = Rc::new(Call {
        state: Cell::new(State::Active),
        time: Cell::new(sleep.deadline()),
        sleep: RefCell::new(sleep),
        f: Cell::new(Some(f)),
    });
    (Running(Rc::clone(&call)), DelayedCall(call))
}

/// A call that [`call_later`] will make.
///
/// Counterpart: Twisted's `DelayedCall`. Clones stand for the same call.
#[derive(Clone)]
pub struct DelayedCall(Rc<dyn Delayed>);

impl DelayedCall {
    /// Cancels the call; its closure is dropped before this returns.
    ///
    /// # Errors
    ///
    /// If it was called or cancelled before.
    ///
    /// ```
    /// use rt::time::{DelayedCallError, Duration, call_later};
    ///
    /// rt::block_on(async {
    ///     let call = call_later(Duration::from_secs(60), || unreachable!());
    ///     assert_eq!(call.cancel(), Ok(()));
    ///     assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCancelled));
    /// });
    /// ```
    pub fn cancel(&self) -> Result<(), DelayedCallError> {
        self.0.check_active()?;
        self.0.cancel();
        Ok(())
    }

    /// The call is to happen `delay` from now instead.
    ///
    /// # Errors
    ///
    /// If it was called or cancelled before.
    pub fn reset(&self, delay: Duration) -> Result<(), DelayedCallError> {
        self.move_to(Instant::now().saturating_add(delay))
    }

    /// The call is to happen later by `extra` than it would.
    ///
    /// # Errors
    ///
    /// If it was called or cancelled before.
    pub fn delay(&self, extra: Duration) -> Result<(), DelayedCallError> {
        self.move_to(self.time().saturating_add(extra))
    }

    /// Whether the call is still to come.
    pub fn is_active(&self) -> bool {
        self.0.check_active().is_ok()
    }

    /// When the call is to happen, or was.
    pub fn time(&self) -> Instant {
        self.0.time()
    }

    fn move_to(&self, time: Instant) -> Result<(), DelayedCallError> {
        self.0.check_active()?;
        self.0.move_to(time);
        Ok(())
    }
}

impl fmt::Debug for DelayedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayedCall").field("time", &self.time()).field("state", &self.0.check_active()).finish()
    }
}

/// A delayed call whatever its closure.
trait Delayed {
    fn check_active(&self) -> Result<(), DelayedCallError>;
    fn cancel(&self);
    fn move_to(&self, time: Instant);
    fn time(&self) -> Instant;
}

struct Call<F> {
    state: Cell<State>,
    time: Cell<Instant>,
    sleep: RefCell<Sleep>,
    f: Cell<Option<F>>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Active,
    Called,
    Cancelled,
}

impl<F> Delayed for Call<F> {
    fn check_active(&self) -> Result<(), DelayedCallError> {
        match self.state.get() {
            State::Active => Ok(()),
            State::Called => Err(DelayedCallError::AlreadyCalled),
            State::Cancelled => Err(DelayedCallError::AlreadyCancelled),
        }
    }

    fn cancel(&self) {
        self.state.set(State::Cancelled);
        // The task is woken in the next turn, finds out, and ends.
        self.sleep.borrow_mut().reset_to(Instant::now());
        drop(self.f.take());
    }

    fn move_to(&self, time: Instant) {
        self.time.set(time);
        self.sleep.borrow_mut().reset_to(time);
    }

    fn time(&self) -> Instant {
        self.time.get()
    }
}

/// The task of a delayed call.
pub(super) struct Running<F>(Rc<Call<F>>);

impl<F: FnOnce()> Future for Running<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Active = self.0.state.get() {
            ready!(self.0.sleep.borrow_mut().poll_fired(cx));
            self.0.state.set(State::Called);
            if let Some(f) = self.0.f.take() {
                f();
            }
        }
        Poll::Ready(())
    }
}

impl<F> Drop for Running<F> {
    /// The runtime is shut down before the time came: nobody will make the call.
    fn drop(&mut self) {
        if let State::Active = self.0.state.get() {
            self.0.state.set(State::Cancelled);
            drop(self.0.f.take());
        }
    }
}
