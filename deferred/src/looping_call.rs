//! Twisted's `LoopingCall`.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::reactor_time::TakeBack;
use crate::{Deferred, Failure, IntoOutcome, Outcome, Reactor, ReactorTime, Resolver, maybe_deferred};

/// Calls a function again and again, a fixed interval apart.
///
/// The calls lie on a grid that begins with [`start`](Self::start): one that takes longer than the interval, or whose
/// Deferred or future does, leaves out the places in the grid that it has missed, and the next one is on time again. An
/// error ends the loop.
///
/// The function may return `()`, a `Result<(), E>`, a `Deferred<()>` or a future of these, which is waited for. A closure
/// that uses `?` says of what type its errors are: it ends in `Ok::<_, Failure>(())`. Clones are the same loop; dropping
/// them does not stop it.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, LoopingCall};
///
/// let (clock, beats) = (Clock::new(), Rc::new(Cell::new(0)));
/// let count = beats.clone();
/// let heart = LoopingCall::new(move || count.set(count.get() + 1)).clock(&clock);
/// let done = heart.start(Duration::from_secs(1), true)?;
/// clock.pump([Duration::from_secs(1); 3]);
/// assert_eq!(beats.get(), 4);
///
/// heart.stop()?;
/// assert!(done.state().has_result());
/// # Ok::<(), rt_deferred::Failure>(())
/// ```
///
/// On a runtime, without `clock`:
///
/// ```
/// # fn main() { rt::block_on(async {
/// use std::time::Duration;
///
/// use rt::deferred::{Failure, LoopingCall};
///
/// let mut left = 3;
/// let countdown = LoopingCall::new(move || {
///     left -= 1;
///     if left == 0 { Err(Failure::new("lift-off")) } else { Ok(()) }
/// });
/// let done = countdown.start(Duration::from_millis(1), true).unwrap();
/// assert_eq!(done.await.unwrap_err().to_string(), "lift-off");
/// # }) }
/// ```
///
/// Counterpart: `twisted.internet.task.LoopingCall`; `rt::time::interval` where a loop of one's own waits.
#[derive(Clone)]
pub struct LoopingCall {
    looping: Rc<Loop>,
}

struct Loop {
    function: RefCell<Box<dyn FnMut(u64) -> Deferred<()>>>,
    counts: bool,
    clock: RefCell<Rc<dyn ReactorTime>>,
    is_running: Cell<bool>,
    interval: Cell<Duration>,
    /// Where the grid begins.
    start: Cell<Duration>,
    started_now: Cell<bool>,
    /// The time of the last call that was counted.
    counted: Cell<Option<Duration>>,
    /// What takes the next call back; `None` while one goes on.
    next: Cell<Option<TakeBack>>,
    done: Cell<Option<Resolver<LoopingCall>>>,
}

impl LoopingCall {
    /// A loop that calls `function`, on [`Reactor`] unless [`clock`](Self::clock) says otherwise. It does nothing before
    /// [`start`](Self::start).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Failure, LoopingCall, failure_result_of};
    ///
    /// let (clock, mut left) = (Clock::new(), 3);
    /// let countdown = LoopingCall::new(move || {
    ///     left -= 1;
    ///     if left == 0 { Err(Failure::new("lift-off")) } else { Ok(()) }
    /// });
    /// let done = countdown.clock(&clock).start(Duration::from_secs(1), true)?;
    /// clock.pump([Duration::from_secs(1); 2]);
    /// assert_eq!(failure_result_of(done).to_string(), "lift-off");
    /// # Ok::<(), Failure>(())
    /// ```
    pub fn new<R, K>(mut function: impl FnMut() -> R + 'static) -> Self
    where
        R: IntoOutcome<(), K>,
    {
        Self::of(false, move |_| function().into_outcome())
    }

    /// A loop that tells `function` how many places in the grid have gone by since its last call: 1 if it is on time.
    ///
    /// With an interval of zero that is always 1. A place in the grid at which nothing is to be told is passed over.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, LoopingCall};
    ///
    /// let (clock, frames) = (Clock::new(), Rc::new(Cell::new(0)));
    /// let shown = frames.clone();
    /// let animation = LoopingCall::with_count(move |count| shown.set(shown.get() + count)).clock(&clock);
    /// drop(animation.start(Duration::from_millis(40), false)?);
    /// clock.advance(Duration::from_millis(100)); // a slow machine
    /// assert_eq!(frames.get(), 2);
    /// # animation.stop()?;
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
    ///
    /// Counterpart: `LoopingCall.withCount`.
    pub fn with_count<R, K>(mut function: impl FnMut(u64) -> R + 'static) -> Self
    where
        R: IntoOutcome<(), K>,
    {
        Self::of(true, move |count| function(count).into_outcome())
    }

    fn of(counts: bool, mut function: impl FnMut(u64) -> Outcome<()> + 'static) -> Self {
        let looping = Loop {
            function: RefCell::new(Box::new(move |count| maybe_deferred(|| function(count)))),
            counts,
            clock: RefCell::new(Rc::new(Reactor)),
            is_running: Cell::new(false),
            interval: Cell::new(Duration::ZERO),
            start: Cell::new(Duration::ZERO),
            started_now: Cell::new(false),
            counted: Cell::new(None),
            next: Cell::new(None),
            done: Cell::new(None),
        };
        Self { looping: Rc::new(looping) }
    }

    /// Has it run on this clock, from the next start on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, LoopingCall};
    ///
    /// let clock = Clock::new();
    /// let heart = LoopingCall::new(|| println!("beat")).clock(&clock);
    /// drop(heart.start(Duration::from_secs(1), false)?);
    /// assert_eq!(clock.delayed_calls().len(), 1);
    /// # heart.stop()?;
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
    ///
    /// Counterpart: `LoopingCall.clock`.
    #[must_use = "it is the loop, to be started"]
    pub fn clock(self, clock: &dyn ReactorTime) -> Self {
        let former = self.looping.clock.replace(clock.weak());
        drop(former);
        self
    }

    /// Starts it: with the first call at once, if `now`, otherwise after one `interval`. With an interval of zero it is
    /// called again as soon as other things have had their turn.
    ///
    /// The Deferred fires with this loop when it has been [stopped](Self::stop), and fails if the function does.
    ///
    /// # Errors
    ///
    /// [`AlreadyRunning`], also if it was stopped and its last call is not over.
    ///
    /// # Panics
    ///
    /// If it runs on [`Reactor`] and no runtime drives this thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{AlreadyRunning, Clock, LoopingCall, success_result_of};
    ///
    /// let clock = Clock::new();
    /// let heart = LoopingCall::new(|| println!("beat")).clock(&clock);
    /// let done = heart.start(Duration::from_secs(1), true)?;
    /// assert_eq!(heart.start(Duration::from_secs(2), true).unwrap_err(), AlreadyRunning);
    /// heart.stop()?;
    /// let heart = success_result_of(done);
    /// assert!(heart.start(Duration::from_secs(2), true).is_ok());
    /// # heart.stop()?;
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
    ///
    /// Counterpart: `LoopingCall.start`.
    #[track_caller]
    pub fn start(&self, interval: Duration, now: bool) -> Result<Deferred<LoopingCall>, AlreadyRunning> {
        let looping = &self.looping;
        let former = looping.done.take();
        if former.is_some() {
            looping.done.set(former);
            return Err(AlreadyRunning);
        }
        let (deferred, resolver) = Deferred::new();
        looping.start.set(looping.clock.borrow().now());
        looping.is_running.set(true);
        looping.interval.set(interval);
        looping.started_now.set(now);
        looping.done.set(Some(resolver));
        if now {
            looping.call();
        } else {
            looping.schedule();
        }
        Ok(deferred)
    }

    /// Stops it: no call follows. If one goes on, because its Deferred or future does, its Deferred fires after that.
    ///
    /// # Errors
    ///
    /// [`NotRunning`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, LoopingCall, NotRunning};
    ///
    /// let clock = Clock::new();
    /// let heart = LoopingCall::new(|| println!("beat")).clock(&clock);
    /// drop(heart.start(Duration::from_secs(1), true)?);
    /// heart.stop()?;
    /// assert!(clock.delayed_calls().is_empty());
    /// assert_eq!(heart.stop(), Err(NotRunning));
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
    ///
    /// Counterpart: `LoopingCall.stop`.
    pub fn stop(&self) -> Result<(), NotRunning> {
        if !self.looping.is_running.replace(false) {
            return Err(NotRunning);
        }
        if let Some(take_back) = self.looping.next.take() {
            take_back();
            self.looping.finish(Ok(()));
        }
        Ok(())
    }

    /// Lets the grid begin anew: the next call is one interval from now. While a call goes on it does nothing.
    ///
    /// # Errors
    ///
    /// [`NotRunning`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, LoopingCall};
    ///
    /// let clock = Clock::new();
    /// let heart = LoopingCall::new(|| println!("beat")).clock(&clock);
    /// drop(heart.start(Duration::from_secs(10), false)?);
    /// clock.advance(Duration::from_secs(4));
    /// heart.reset()?;
    /// assert_eq!(clock.delayed_calls()[0].time(), Duration::from_secs(14));
    /// # heart.stop()?;
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
    ///
    /// Counterpart: `LoopingCall.reset`.
    pub fn reset(&self) -> Result<(), NotRunning> {
        if !self.looping.is_running.get() {
            return Err(NotRunning);
        }
        if let Some(take_back) = self.looping.next.take() {
            take_back();
            let now = self.looping.clock.borrow().now();
            self.looping.start.set(now);
            self.looping.schedule();
        }
        Ok(())
    }

    /// Whether it was started and neither stopped nor ended by an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, LoopingCall};
    ///
    /// let clock = Clock::new();
    /// let heart = LoopingCall::new(|| println!("beat")).clock(&clock);
    /// assert!(!heart.is_running());
    /// drop(heart.start(Duration::from_secs(1), true)?);
    /// assert!(heart.is_running());
    /// # heart.stop()?;
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
    ///
    /// Counterpart: `LoopingCall.running`.
    pub fn is_running(&self) -> bool {
        self.looping.is_running.get()
    }

    /// The interval of the last start.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, LoopingCall};
    ///
    /// let clock = Clock::new();
    /// let heart = LoopingCall::new(|| println!("beat")).clock(&clock);
    /// drop(heart.start(Duration::from_secs(1), true)?);
    /// assert_eq!(heart.interval(), Duration::from_secs(1));
    /// # heart.stop()?;
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
    ///
    /// Counterpart: `LoopingCall.interval`.
    pub fn interval(&self) -> Duration {
        self.looping.interval.get()
    }
}

impl Loop {
    /// Waits for the next place in the grid.
    fn schedule(self: &Rc<Self>) {
        let interval = self.interval.get();
        let clock = Rc::clone(&self.clock.borrow());
        let since_start = clock.now().saturating_sub(self.start.get());
        let delay = if interval.is_zero() { interval } else { interval - remainder(since_start, interval) };
        let looping = Rc::clone(self);
        let call = move || {
            drop(looping.next.take());
            looping.call();
        };
        self.next.set(Some(clock.call_later(delay, Box::new(call))));
    }

    fn call(self: &Rc<Self>) {
        let outcome = match self.count() {
            0 => Deferred::succeed(()),
            count => self.call_function(count),
        };
        let (good, bad) = (Rc::clone(self), Rc::clone(self));
        let outcome = outcome.add_callback(move |()| {
            if good.is_running.get() {
                good.schedule();
            } else {
                good.finish(Ok(()));
            }
        });
        drop(outcome.add_errback(move |failure: Failure| {
            bad.is_running.set(false);
            bad.finish(Err(failure));
        }));
    }

    fn call_function(&self, count: u64) -> Deferred<()> {
        match self.function.try_borrow_mut() {
            Ok(mut function) => function(count),
            // It stops the loop and starts it again: refused there, so it does not come here.
            Err(_) => Deferred::fail("a looping call was called from within itself"),
        }
    }

    /// How many places in the grid have gone by since the last call; 0 if there is nothing to tell.
    fn count(&self) -> u64 {
        let interval = self.interval.get();
        if !self.counts {
            return 1;
        }
        let now = self.clock.borrow().now();
        if interval.is_zero() {
            self.counted.set(Some(now));
            return 1;
        }
        // Towards zero, also for what was before the start.
        let start = nanos(self.start.get());
        let place = |time: i128| (time - start) / nanos(interval);
        let last = match self.counted.get() {
            Some(last) => nanos(last),
            // The first call of a loop that was started with `now` counts as one interval late.
            None if self.started_now.get() => start - nanos(interval),
            None => start,
        };
        let count = u64::try_from(place(nanos(now)) - place(last)).unwrap_or(0);
        if count > 0 {
            self.counted.set(Some(now));
        }
        count
    }

    fn finish(self: &Rc<Self>, result: Result<(), Failure>) {
        if let Some(done) = self.done.take() {
            let looping = LoopingCall { looping: Rc::clone(self) };
            // Nobody else fires it; who has cancelled it does not want to know.
            let _ = done.resolve_by_itself(result.map(|()| looping));
        }
    }
}

fn remainder(time: Duration, interval: Duration) -> Duration {
    let nanos = time.as_nanos() % interval.as_nanos();
    Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32)
}

fn nanos(duration: Duration) -> i128 {
    // A Duration has fewer than 2^95.
    duration.as_nanos() as i128
}

impl fmt::Debug for LoopingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopingCall")
            .field("is_running", &self.is_running())
            .field("interval", &self.interval())
            .finish_non_exhaustive()
    }
}

/// The loop runs already, or its last call is not over.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::{AlreadyRunning, Clock, LoopingCall};
///
/// let clock = Clock::new();
/// let heart = LoopingCall::new(|| println!("beat")).clock(&clock);
/// let _done = heart.start(Duration::from_secs(1), false).unwrap();
/// assert_eq!(heart.start(Duration::from_secs(1), false).unwrap_err(), AlreadyRunning);
/// # heart.stop().unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlreadyRunning;

impl fmt::Display for AlreadyRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this looping call is running; stop it, and wait for its Deferred, before starting it again")
    }
}

impl Error for AlreadyRunning {}

/// The loop does not run.
///
/// # Examples
///
/// ```
/// use rt_deferred::{LoopingCall, NotRunning};
///
/// let heart = LoopingCall::new(|| println!("beat"));
/// assert_eq!(heart.stop(), Err(NotRunning));
/// assert_eq!(heart.reset(), Err(NotRunning));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NotRunning;

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this looping call is not running")
    }
}

impl Error for NotRunning {}
