//! The typed handles over a chain: [`Deferred`] for who wants the result, [`Resolver`] for who has it, [`Control`] for
//! who may stop it.

mod control;
mod resolver;

pub use control::Control;
pub use resolver::Resolver;

use std::fmt;
use std::marker::{PhantomData, PhantomPinned};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::chain::{Chain, Consumer, Slot};
use crate::reactor_time::{self, ReactorTime};
use crate::{AlreadyCalled, Failure, IntoOutcome, Outcome};

/// A result that will come, and the callbacks that work on it.
///
/// It is the consumer's handle: owned, and of one thread. Each callback gets the result of the one before it and gives
/// the next one its own, so adding one consumes the handle and returns one of the new type. Callbacks run in order,
/// inside the very call that fires the Deferred, or at once if it has its result already.
///
/// ```
/// use rt_deferred::{Deferred, Failure, success_result_of};
///
/// let (deferred, resolver) = Deferred::new();
/// let area = deferred
///     .add_callback(|side: u32| side * side)
///     .add_callback(|area| if area > 10_000 { Err(Failure::new("too large")) } else { Ok(area) })
///     .add_errback(|_too_large| 10_000);
///
/// resolver.callback(12)?;
/// assert_eq!(success_result_of(area), 144);
/// # Ok::<(), rt_deferred::Failure>(())
/// ```
///
/// # Success and failure
///
/// A result is a value or a [`Failure`]. [`add_callback`](Self::add_callback) takes values and lets failures pass;
/// [`add_errback`](Self::add_errback) takes failures and lets values pass; [`add_callbacks`](Self::add_callbacks) takes
/// each with one of two, and [`add_both`](Self::add_both) takes both with one. What they may return says [`IntoOutcome`];
/// a Deferred among it is waited for, and so is a future. A panic becomes a failure.
///
/// A failure that nobody handles is reported as soon as nobody can handle it any more: see
/// [`unhandled`](crate::unhandled).
///
/// # Dropping
///
/// Dropping the handle neither cancels the Deferred nor discards its callbacks. Its last [`Resolver`] dropped unfired
/// fails it with [`Abandoned`](crate::Abandoned).
///
/// Counterpart: `twisted.internet.defer.Deferred`.
#[must_use = "dropping it means that nobody looks at its failure; `drop` it explicitly where that is meant"]
pub struct Deferred<T> {
    consumer: Consumer,
    _value: PhantomData<T>,
    /// Not `Unpin`, so that it never counts as a plain value where a callback returns it.
    _not_unpin: PhantomPinned,
}

/// What a [`Deferred`] is at.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, State};
///
/// let (inner, resolver) = Deferred::new();
/// let outer = Deferred::succeed(()).add_callback(|()| inner);
/// assert_eq!(outer.state(), State::Chained);
/// resolver.callback(1).unwrap();
/// assert_eq!(outer.state(), State::Succeeded);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Not fired.
    Pending,
    /// Fired; a callback runs now.
    Running,
    /// Fired; a callback has returned a Deferred that has no result yet.
    Chained,
    /// Fired, and paused.
    Paused,
    /// It has a value.
    Succeeded,
    /// It has a failure.
    Failed,
}

impl State {
    /// Whether there is a result that a callback would get at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, State};
    ///
    /// assert!(Deferred::succeed(1).state().has_result());
    /// assert!(State::Failed.has_result());
    /// assert!(!State::Paused.has_result());
    /// ```
    pub fn has_result(self) -> bool {
        matches!(self, State::Succeeded | State::Failed)
    }
}

impl<T: 'static> Deferred<T> {
    /// A Deferred and the handle that fires it.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, assert_no_result, success_result_of};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// assert_no_result(&deferred);
    /// resolver.callback("now").unwrap();
    /// assert_eq!(success_result_of(deferred), "now");
    /// ```
    #[track_caller]
    pub fn new() -> (Self, Resolver<T>) {
        let chain = Chain::new(Location::caller());
        (Self::of(chain.clone()), Resolver::of(chain))
    }

    /// As [`new`](Self::new), with a function that [`cancel`](Self::cancel) calls while there is no result.
    ///
    /// It may fire the Deferred through the resolver that it gets; if it does not, the result is
    /// [`Cancelled`](crate::Cancelled). It is called once at most and dropped with the firing.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Cancelled, Deferred, failure_result_of, success_result_of};
    ///
    /// let (download, _resolver) = Deferred::with_canceller(|resolver| {
    ///     let _ = resolver.callback("the part that is here");
    /// });
    /// download.cancel();
    /// assert_eq!(success_result_of(download), "the part that is here");
    ///
    /// let (download, _resolver) = Deferred::<&str>::with_canceller(|_| println!("closing the connection"));
    /// download.cancel();
    /// assert!(failure_result_of(download).check::<Cancelled>());
    /// ```
    #[track_caller]
    pub fn with_canceller(canceller: impl FnOnce(&Resolver<T>) + 'static) -> (Self, Resolver<T>) {
        let (deferred, resolver) = Self::new();
        let mut canceller = Some(canceller);
        deferred.consumer.0.set_canceller(Box::new(move |chain: &Rc<Chain>, place| {
            let Some(canceller) = canceller.take() else { return };
            let resolver = Resolver::of(chain.clone());
            canceller(&resolver);
            // Before the resolver goes: what is cancelled is not abandoned.
            chain.fail_pending(Failure::at(place, crate::Cancelled::default()), place);
        }));
        (deferred, resolver)
    }

    /// A Deferred that has this value.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, success_result_of};
    ///
    /// assert_eq!(success_result_of(Deferred::succeed(2).add_callback(|two| two + 2)), 4);
    /// ```
    ///
    /// Counterpart: `twisted.internet.defer.succeed`.
    #[track_caller]
    #[inline]
    pub fn succeed(value: T) -> Self {
        Self::of(Chain::succeeded(Location::caller(), value))
    }

    /// A Deferred that has failed with this.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, failure_result_of};
    ///
    /// assert_eq!(failure_result_of(Deferred::<u8>::fail("no paper")).to_string(), "no paper");
    /// ```
    ///
    /// Counterpart: `twisted.internet.defer.fail`.
    #[track_caller]
    pub fn fail(failure: impl Into<Failure>) -> Self {
        Self::of(Chain::fired(Location::caller(), Slot::Err(failure.into())))
    }

    /// A Deferred for a function that takes a completion callback, as C and Node have them.
    ///
    /// `start` gets the [`Resolver`]; it clones it if success and failure come back through two callbacks. If it drops
    /// them all, the Deferred fails with [`Abandoned`](crate::Abandoned).
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, Failure, success_result_of};
    ///
    /// fn read_sensor(done: impl FnOnce(Result<f32, String>)) {
    ///     done(Ok(21.5));
    /// }
    ///
    /// let celsius = Deferred::from_callback(|done| {
    ///     read_sensor(move |answer| {
    ///         let _ = done.resolve(answer.map_err(Failure::from));
    ///     })
    /// });
    /// assert_eq!(success_result_of(celsius), 21.5);
    /// ```
    #[track_caller]
    pub fn from_callback(start: impl FnOnce(Resolver<T>)) -> Self {
        let (deferred, resolver) = Self::new();
        start(resolver);
        deferred
    }

    /// Calls `callback` with the value; a failure passes by.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, success_result_of};
    ///
    /// let words = Deferred::succeed("callbacks in a row")
    ///     .add_callback(|text| text.split(' ').count())
    ///     .add_callback(|count| Deferred::succeed(count + 1));
    /// assert_eq!(success_result_of(words), 5);
    /// ```
    ///
    /// Counterpart: `Deferred.addCallback`.
    #[inline(always)]
    pub fn add_callback<U: 'static, K, R, F>(self, callback: F) -> Deferred<U>
    where
        F: FnOnce(T) -> R + 'static,
        R: IntoOutcome<U, K>,
    {
        let chain = &self.consumer.0;
        if chain.calls_at_once() {
            chain.call_at_once(move |value| callback(value).into_outcome());
        } else {
            chain.add(move |slot| {
                if let Slot::Ok(value) = slot {
                    match callback(value.take_out()).into_outcome() {
                        Outcome::Value(new) => value.refill(new),
                        other => *slot = other.into_slot(),
                    }
                }
            });
        }
        self.retyped()
    }

    /// As [`add_callback`](Self::add_callback), for closures that use `?` and end in a bare `Ok`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, failure_result_of};
    ///
    /// let port = Deferred::succeed("80a").try_callback(|text| {
    ///     let port: u16 = text.parse()?;
    ///     Ok(port)
    /// });
    /// assert!(failure_result_of(port).check::<std::num::ParseIntError>());
    /// ```
    #[inline]
    pub fn try_callback<U: 'static>(self, callback: impl FnOnce(T) -> Result<U, Failure> + 'static) -> Deferred<U> {
        self.add_callback(callback)
    }

    /// Calls `errback` with the failure; a value passes by.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::ParseIntError;
    ///
    /// use rt_deferred::{Deferred, Failure, success_result_of};
    ///
    /// let port = Deferred::succeed("x").add_callback(|text| text.parse::<u16>()).add_errback(|failure: Failure| {
    ///     failure.trap::<ParseIntError>()?;
    ///     Ok::<u16, Failure>(8080)
    /// });
    /// assert_eq!(success_result_of(port), 8080);
    /// ```
    ///
    /// Counterpart: `Deferred.addErrback`.
    #[inline]
    pub fn add_errback<K, R, F>(self, errback: F) -> Deferred<T>
    where
        F: FnOnce(Failure) -> R + 'static,
        R: IntoOutcome<T, K>,
    {
        self.step(move |slot| {
            if let Slot::Err(_) = slot
                && let Slot::Err(failure) = slot.take()
            {
                *slot = errback(failure).into_outcome().into_slot();
            }
        })
    }

    /// Calls `callback` with the value or `errback` with the failure: one of the two, as one step.
    ///
    /// A failure that `callback` returns does not go to this `errback`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, success_result_of};
    ///
    /// let line = Deferred::<u32>::fail("offline").add_callbacks(|n| format!("{n} new"), |f| format!("none: {f}"));
    /// assert_eq!(success_result_of(line), "none: offline");
    /// ```
    ///
    /// Counterpart: `Deferred.addCallbacks`.
    pub fn add_callbacks<U: 'static, K, L, R, S, F, G>(self, callback: F, errback: G) -> Deferred<U>
    where
        F: FnOnce(T) -> R + 'static,
        R: IntoOutcome<U, K>,
        G: FnOnce(Failure) -> S + 'static,
        S: IntoOutcome<U, L>,
    {
        self.step(move |slot| {
            *slot = match slot.take_result() {
                Some(Ok(value)) => callback(value).into_outcome().into_slot(),
                Some(Err(failure)) => errback(failure).into_outcome().into_slot(),
                None => return,
            }
        })
    }

    /// Calls `callback` with the result, whichever it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, Failure, failure_result_of};
    ///
    /// let deferred = Deferred::<u8>::fail("out of range").add_both(|result: Result<u8, Failure>| {
    ///     println!("the connection can be closed now");
    ///     result
    /// });
    /// assert_eq!(failure_result_of(deferred).to_string(), "out of range");
    /// ```
    ///
    /// Counterpart: `Deferred.addBoth`.
    pub fn add_both<U: 'static, K, R, F>(self, callback: F) -> Deferred<U>
    where
        F: FnOnce(Result<T, Failure>) -> R + 'static,
        R: IntoOutcome<U, K>,
    {
        self.step(move |slot| {
            if let Some(result) = slot.take_result() {
                *slot = callback(result).into_outcome().into_slot();
            }
        })
    }

    /// Fires another Deferred with the result of this one, which then has `()`.
    ///
    /// The callback owns the resolver: two Deferreds chained to each other are freed by firing or abandoning one of them,
    /// not by dropping all else.
    ///
    /// If the other one has been fired already, the result here is the failure
    /// [`AlreadyCalled`](crate::AlreadyCalled).
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, success_result_of};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// let rest = Deferred::succeed(5).chain_deferred(resolver);
    /// assert_eq!(success_result_of(deferred), 5);
    /// assert_eq!(success_result_of(rest), ());
    /// ```
    ///
    /// Counterpart: `Deferred.chainDeferred`.
    #[track_caller]
    pub fn chain_deferred(self, to: Resolver<T>) -> Deferred<()> {
        let place = Location::caller();
        self.add_both(move |result| to.resolve_at(result, place).map_err(Failure::from))
    }

    /// Cancels it if it has no result after `duration` on `clock`; the failure is [`TimedOut`](crate::TimedOut) then.
    ///
    /// If cancelling it leads to another result than the failure [`Cancelled`](crate::Cancelled), that one stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Deferred, TimedOut, failure_result_of};
    ///
    /// let clock = Clock::new();
    /// let (answer, _resolver) = Deferred::<u8>::new();
    /// let answer = answer.add_timeout(Duration::from_secs(30), &clock);
    /// clock.advance(Duration::from_secs(30));
    /// assert_eq!(failure_result_of(answer).downcast_ref::<TimedOut>().unwrap().after, Duration::from_secs(30));
    /// ```
    ///
    /// Counterpart: `Deferred.addTimeout`.
    #[track_caller]
    pub fn add_timeout(self, duration: Duration, clock: &dyn ReactorTime) -> Deferred<T> {
        let place = Location::caller();
        reactor_time::add_timeout(self, duration, clock, move |result| match result {
            Err(failure) if failure.check::<crate::Cancelled>() => {
                Outcome::Failure(Failure::at(place, crate::TimedOut::new(duration)))
            }
            result => Outcome::from(result),
        })
    }

    /// As [`add_timeout`](Self::add_timeout), with a function that decides about the result of the cancelling.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Deferred, Failure, success_result_of};
    ///
    /// let clock = Clock::new();
    /// let (weather, _resolver) = Deferred::new();
    /// let weather = weather.add_timeout_with(Duration::from_secs(2), &clock, |_late: Result<&str, Failure>| "unknown");
    /// clock.advance(Duration::from_secs(2));
    /// assert_eq!(success_result_of(weather), "unknown");
    /// ```
    ///
    /// Counterpart: `Deferred.addTimeout` with `onTimeoutCancel`.
    #[track_caller]
    pub fn add_timeout_with<K, R, F>(self, duration: Duration, clock: &dyn ReactorTime, on_timeout: F) -> Deferred<T>
    where
        F: FnOnce(Result<T, Failure>) -> R + 'static,
        R: IntoOutcome<T, K>,
    {
        reactor_time::add_timeout(self, duration, clock, move |result| on_timeout(result).into_outcome())
    }

    /// The result if it is there.
    ///
    /// # Errors
    ///
    /// The Deferred itself again, if it is pending, paused or waits for another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Deferred;
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// let deferred = deferred.try_take().expect_err("nobody has fired it");
    /// resolver.callback(1).unwrap();
    /// assert_eq!(deferred.try_take().ok().expect("it has been fired").unwrap(), 1);
    /// ```
    pub fn try_take(self) -> Result<Result<T, Failure>, Self> {
        if let Some(value) = self.consumer.0.take_value() {
            return Ok(Ok(value));
        }
        match self.consumer.0.take_result() {
            Some(Slot::Ok(value)) => Ok(Ok(value.take())),
            Some(Slot::Err(failure)) => Ok(Err(failure)),
            _ => Err(self),
        }
    }
}

impl<T> Deferred<T> {
    /// Asks for it to be cancelled.
    ///
    /// Without a result, its canceller is called, or the next firing is ignored (one, once); if that has brought no
    /// result, it fails with [`Cancelled`](crate::Cancelled). If it waits for a Deferred that a callback has returned,
    /// that one is cancelled. Otherwise nothing happens.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Cancelled, Deferred, failure_result_of};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// deferred.cancel();
    /// resolver.callback("too late").expect("ignored, as nobody told its producer");
    /// assert!(failure_result_of(deferred).check::<Cancelled>());
    /// ```
    ///
    /// Counterpart: `Deferred.cancel`.
    #[track_caller]
    pub fn cancel(&self) {
        self.consumer.0.cancel(Location::caller());
    }

    /// Lets no callback run until [`unpause`](Self::unpause) has been called as often as this.
    ///
    /// From inside one of its callbacks it does not stop those that follow in the same firing.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, State, success_result_of};
    ///
    /// let deferred = Deferred::succeed(1);
    /// deferred.pause();
    /// let deferred = deferred.add_callback(|n| n + 1);
    /// assert_eq!(deferred.state(), State::Paused);
    /// deferred.unpause();
    /// assert_eq!(success_result_of(deferred), 2);
    /// ```
    ///
    /// Counterpart: `Deferred.pause`.
    pub fn pause(&self) {
        self.consumer.0.pause();
    }

    /// Takes one [`pause`](Self::pause) back; after the last one the callbacks run. Without a pause it does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, State};
    ///
    /// let deferred = Deferred::succeed(1);
    /// deferred.pause();
    /// deferred.pause();
    /// deferred.unpause();
    /// assert_eq!(deferred.state(), State::Paused);
    /// deferred.unpause();
    /// assert_eq!(deferred.state(), State::Succeeded);
    /// ```
    ///
    /// Counterpart: `Deferred.unpause`.
    pub fn unpause(&self) {
        self.consumer.0.unpause();
    }

    /// What it is at.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, State};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// assert_eq!(deferred.state(), State::Pending);
    /// resolver.callback(1).unwrap();
    /// assert_eq!(deferred.state(), State::Succeeded);
    /// ```
    pub fn state(&self) -> State {
        self.consumer.0.state()
    }

    /// A handle to cancel, pause and unpause it, also after it has moved into a list, a chain or a coroutine.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, ensure_deferred, success_result_of};
    ///
    /// let (line, _resolver) = Deferred::<String>::new();
    /// let control = line.control();
    /// let session = ensure_deferred(async { if line.await.is_ok() { "heard" } else { "hung up" } });
    /// control.cancel();
    /// assert_eq!(success_result_of(session), "hung up");
    /// ```
    pub fn control(&self) -> Control {
        Control::of(&self.consumer.0)
    }

    #[inline]
    pub(crate) fn of(chain: Rc<Chain>) -> Self {
        Self { consumer: Consumer::of(chain), _value: PhantomData, _not_unpin: PhantomPinned }
    }

    pub(crate) fn chain(&self) -> &Rc<Chain> {
        &self.consumer.0
    }

    pub(crate) fn into_consumer(self) -> Consumer {
        self.consumer
    }

    /// Adds a step that leaves a `U` or a failure.
    #[inline]
    pub(crate) fn step<U>(self, step: impl FnOnce(&mut Slot) + 'static) -> Deferred<U> {
        self.consumer.0.add(step);
        self.retyped()
    }

    /// The handle for what the chain carries since a step was added.
    #[inline(always)]
    fn retyped<U>(self) -> Deferred<U> {
        Deferred { consumer: self.consumer, _value: PhantomData, _not_unpin: PhantomPinned }
    }
}

impl<T> fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// What [`Resolver`] and the callers of the chain agree on.
pub(crate) type Fired = Result<(), AlreadyCalled>;
