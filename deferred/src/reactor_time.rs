//! The seam to time: a clock is given, never assumed.

use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::home;
use crate::{Deferred, Failure, Outcome};

/// What takes a call back that has not been made.
pub(crate) type TakeBack = Box<dyn FnOnce()>;

/// What calls functions later, on the thread it is used on.
///
/// [`Reactor`] is the runtime's timers.
///
/// # Examples
///
/// ```
/// use std::{rc::Rc, time::Duration};
///
/// use rt_deferred::{Clock, ReactorTime, defer_later, success_result_of};
///
/// /// Shows the time of another clock, twice as fast.
/// struct Fast(Rc<dyn ReactorTime>);
///
/// impl ReactorTime for Fast {
///     fn now(&self) -> Duration {
///         self.0.now() * 2
///     }
///
///     fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
///         self.0.call_later(delay / 2, call)
///     }
///
///     fn weak(&self) -> Rc<dyn ReactorTime> {
///         Rc::new(Fast(self.0.weak()))
///     }
/// }
///
/// let clock = Clock::new();
/// let word = defer_later(&Fast(clock.weak()), Duration::from_secs(60), || "already");
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(success_result_of(word), "already");
/// ```
///
/// Counterpart: `twisted.internet.interfaces.IReactorTime`.
pub trait ReactorTime {
    /// The time since a fixed moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, ReactorTime};
    ///
    /// /// Calls `f`, and tells how long it took on this clock.
    /// fn timed(clock: &dyn ReactorTime, f: impl FnOnce()) -> Duration {
    ///     let before = clock.now();
    ///     f();
    ///     clock.now() - before
    /// }
    ///
    /// let clock = Clock::new();
    /// assert_eq!(timed(&clock, || clock.advance(Duration::from_secs(2))), Duration::from_secs(2));
    /// ```
    fn now(&self) -> Duration;

    /// Calls `call` once after `delay`, never before this has returned. Returns a function that takes it back; it does
    /// nothing after the call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, ReactorTime};
    ///
    /// let clock = Clock::new();
    /// let time: &dyn ReactorTime = &clock;
    /// let take_back = time.call_later(Duration::from_secs(1), Box::new(|| unreachable!("it is taken back")));
    /// take_back();
    /// clock.advance(Duration::from_secs(1));
    /// ```
    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()>;

    /// A handle for who goes on using it. It does not keep alive what is to be called: a call that owns such a handle
    /// would own itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, ReactorTime};
    ///
    /// /// Has a clock, but not the calls that wait for it.
    /// struct Session {
    ///     clock: Rc<dyn ReactorTime>,
    /// }
    ///
    /// let clock = Clock::new();
    /// let session = Session { clock: clock.weak() };
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(session.clock.now(), Duration::from_secs(5));
    /// ```
    fn weak(&self) -> Rc<dyn ReactorTime>;
}

/// The timers of the runtime that drives this thread, whichever that is when it is asked.
///
/// # Panics
///
/// Its methods do so on a thread that drives no runtime.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::{Deferred, Reactor, TimedOut};
/// use rt::time::Duration;
///
/// let (answer, _resolver) = Deferred::<u8>::new();
/// let answer = answer.add_timeout(Duration::from_millis(1), &Reactor);
/// assert!(answer.await.unwrap_err().check::<TimedOut>());
/// # }) }
/// ```
///
/// Counterpart: `twisted.internet.reactor`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reactor;

impl Reactor {
    #[track_caller]
    fn with<R>(self, ask: impl FnOnce(&dyn ReactorTime) -> R) -> R {
        let home = home::current();
        let time = home.as_ref().and_then(|home| home.time());
        ask(time.expect(
            "there are no timers on this thread: use them in a task, within `block_on` or `#[rt::main]`, or give a `Clock`",
        ))
    }
}

impl ReactorTime for Reactor {
    #[track_caller]
    fn now(&self) -> Duration {
        self.with(|time| time.now())
    }

    #[track_caller]
    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
        self.with(|time| time.call_later(delay, call))
    }

    fn weak(&self) -> Rc<dyn ReactorTime> {
        Rc::new(Self)
    }
}

#[track_caller]
pub(crate) fn add_timeout<T: 'static>(
    deferred: Deferred<T>,
    duration: Duration,
    clock: &dyn ReactorTime,
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
