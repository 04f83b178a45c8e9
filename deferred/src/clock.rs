//! Time that only tests move.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::ReactorTime;

/// A clock that stands still until it is told to move on.
///
/// It takes the place of [`Reactor`](crate::Reactor) in tests: whatever works on a clock works on this one, without
/// waiting and without a runtime. Clones are the same clock, of one thread; with the last one go the calls that it has
/// not made.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, Deferred, TimedOut, assert_no_result, failure_result_of};
///
/// let clock = Clock::new();
/// let (answer, _resolver) = Deferred::<u8>::new();
/// let answer = answer.add_timeout(Duration::from_secs(30), &clock);
/// clock.advance(Duration::from_secs(29));
/// assert_no_result(&answer);
/// clock.advance(Duration::from_secs(1));
/// assert!(failure_result_of(answer).check::<TimedOut>());
/// ```
///
/// Counterpart: `twisted.internet.task.Clock`.
#[derive(Clone, Default)]
pub struct Clock {
    calls: Rc<Calls>,
}

#[derive(Default)]
struct Calls {
    /// Nanoseconds, as in [`Call`].
    now: Cell<i128>,
    /// In the order of their times, unless `is_moved`.
    waiting: RefCell<VecDeque<Rc<Call>>>,
    /// A call was given another time: as in Twisted, it finds its new place when another one is made or time goes on.
    is_moved: Cell<bool>,
}

struct Call {
    /// Nanoseconds since the clock was made; it may have been brought forward to before that.
    time: Cell<i128>,
    state: Cell<State>,
    function: Cell<Option<Box<dyn FnOnce()>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Active,
    Called,
    Cancelled,
}

impl Clock {
    /// A clock that shows zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// assert_eq!(Clock::new().now(), Duration::ZERO);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// How far it has been moved on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// clock.advance(Duration::from_millis(250));
    /// clock.advance(Duration::from_millis(750));
    /// assert_eq!(clock.now(), Duration::from_secs(1));
    /// ```
    ///
    /// Counterpart: `Clock.seconds`.
    pub fn now(&self) -> Duration {
        duration(self.calls.now.get())
    }

    /// Calls `function` when the clock has been moved on by `delay`: with a delay of zero at the next
    /// [`advance`](Self::advance), or in the one that goes on now, and never before this has returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// let call = clock.call_later(Duration::from_secs(2), || println!("two seconds are over"));
    /// clock.advance(Duration::from_secs(1));
    /// assert!(call.is_active());
    /// clock.advance(Duration::from_secs(1));
    /// assert!(!call.is_active());
    /// ```
    ///
    /// Counterpart: `Clock.callLater`.
    pub fn call_later(&self, delay: Duration, function: impl FnOnce() + 'static) -> DelayedCall {
        let call = Rc::new(Call {
            time: Cell::new(self.calls.now.get() + nanos(delay)),
            state: Cell::new(State::Active),
            function: Cell::new(Some(Box::new(function))),
        });
        self.calls.insert(Rc::clone(&call));
        DelayedCall { call, calls: Rc::downgrade(&self.calls) }
    }

    /// Moves the clock on and makes the calls that are due then, in the order of their times. All of them see the new
    /// time.
    ///
    /// A panic of one of them comes out of here; the others stay due.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc, time::Duration};
    ///
    /// use rt_deferred::Clock;
    ///
    /// let (clock, called) = (Clock::new(), Rc::new(RefCell::new(Vec::new())));
    /// for seconds in [3, 1, 2] {
    ///     let called = called.clone();
    ///     clock.call_later(Duration::from_secs(seconds), move || called.borrow_mut().push(seconds));
    /// }
    /// clock.advance(Duration::from_secs(2));
    /// assert_eq!(*called.borrow(), [1, 2]);
    /// ```
    ///
    /// Counterpart: `Clock.advance`.
    pub fn advance(&self, duration: Duration) {
        let now = self.calls.now.get() + nanos(duration);
        self.calls.now.set(now);
        while let Some(function) = self.calls.next_due() {
            function();
        }
    }

    /// [Advances](Self::advance) several times, for what has to see the steps between.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// clock.pump([Duration::from_secs(1); 60]);
    /// assert_eq!(clock.now(), Duration::from_secs(60));
    /// ```
    ///
    /// Counterpart: `Clock.pump`.
    pub fn pump(&self, steps: impl IntoIterator<Item = Duration>) {
        steps.into_iter().for_each(|step| self.advance(step));
    }

    /// The calls that are still to be made, in their order.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// clock.call_later(Duration::from_secs(2), || ());
    /// // At the end of a test nothing should be left:
    /// for call in clock.delayed_calls() {
    ///     call.cancel().unwrap();
    /// }
    /// assert!(clock.delayed_calls().is_empty());
    /// ```
    ///
    /// Counterpart: `Clock.getDelayedCalls`.
    pub fn delayed_calls(&self) -> Vec<DelayedCall> {
        self.calls.sort();
        let handle = |call: &Rc<Call>| DelayedCall { call: Rc::clone(call), calls: Rc::downgrade(&self.calls) };
        self.calls.waiting.borrow().iter().map(handle).collect()
    }
}

impl ReactorTime for Clock {
    fn now(&self) -> Duration {
        self.now()
    }

    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
        let call = self.call_later(delay, call);
        Box::new(move || {
            // It does nothing after the call.
            let _ = call.cancel();
        })
    }

    fn weak(&self) -> Rc<dyn ReactorTime> {
        Rc::new(WeakClock(Rc::downgrade(&self.calls)))
    }
}

/// What does not keep the clock. Without it nothing is called any more.
struct WeakClock(Weak<Calls>);

impl WeakClock {
    fn clock(&self) -> Option<Clock> {
        self.0.upgrade().map(|calls| Clock { calls })
    }
}

impl ReactorTime for WeakClock {
    fn now(&self) -> Duration {
        self.clock().map_or(Duration::ZERO, |clock| clock.now())
    }

    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
        match self.clock() {
            Some(clock) => ReactorTime::call_later(&clock, delay, call),
            None => Box::new(|| ()),
        }
    }

    fn weak(&self) -> Rc<dyn ReactorTime> {
        Rc::new(Self(self.0.clone()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.calls.waiting.borrow().len();
        f.debug_struct("Clock").field("now", &self.now()).field("delayed_calls", &waiting).finish()
    }
}

impl Calls {
    /// Behind those of the same time.
    fn insert(&self, call: Rc<Call>) {
        self.sort();
        let mut waiting = self.waiting.borrow_mut();
        let place = waiting.partition_point(|other| other.time.get() <= call.time.get());
        waiting.insert(place, call);
    }

    fn sort(&self) {
        if self.is_moved.replace(false) {
            self.waiting.borrow_mut().make_contiguous().sort_by_key(|call| call.time.get());
        }
    }

    fn next_due(&self) -> Option<Box<dyn FnOnce()>> {
        self.sort();
        let mut waiting = self.waiting.borrow_mut();
        waiting.front().filter(|call| call.time.get() <= self.now.get())?;
        let call = waiting.pop_front()?;
        call.state.set(State::Called);
        call.function.take()
    }

    fn remove(&self, call: &Rc<Call>) {
        let removed = {
            let mut waiting = self.waiting.borrow_mut();
            let place = waiting.iter().position(|other| Rc::ptr_eq(other, call));
            place.and_then(|place| waiting.remove(place))
        };
        drop(removed);
    }
}

impl Drop for Calls {
    /// They will never be made, whoever holds a handle.
    fn drop(&mut self) {
        for call in std::mem::take(self.waiting.get_mut()) {
            call.state.set(State::Cancelled);
            drop(call.function.take());
        }
    }
}

/// A call that a [`Clock`] is to make. Dropping it changes nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::Clock;
///
/// let clock = Clock::new();
/// let hang_up = clock.call_later(Duration::from_secs(60), || println!("nobody has said anything for a minute"));
/// clock.advance(Duration::from_secs(59));
/// hang_up.reset(Duration::from_secs(60))?; // somebody has
/// clock.advance(Duration::from_secs(59));
/// assert!(hang_up.is_active());
/// # Ok::<(), rt_deferred::DelayedCallError>(())
/// ```
///
/// Counterpart: `twisted.internet.interfaces.IDelayedCall`; `rt::time::DelayedCall` is that of the runtime's timers.
#[derive(Clone)]
pub struct DelayedCall {
    call: Rc<Call>,
    calls: Weak<Calls>,
}

impl DelayedCall {
    /// Takes it back; the function is dropped.
    ///
    /// # Errors
    ///
    /// If it was called or cancelled already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, DelayedCallError};
    ///
    /// let clock = Clock::new();
    /// let call = clock.call_later(Duration::from_secs(1), || unreachable!("it was taken back"));
    /// assert_eq!(call.cancel(), Ok(()));
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCancelled));
    /// ```
    ///
    /// Counterpart: `DelayedCall.cancel`.
    pub fn cancel(&self) -> Result<(), DelayedCallError> {
        self.check_active()?;
        self.call.state.set(State::Cancelled);
        if let Some(calls) = self.calls.upgrade() {
            calls.remove(&self.call);
        }
        let function = self.call.function.take();
        drop(function);
        Ok(())
    }

    /// Lets it wait for `delay` from now.
    ///
    /// # Errors
    ///
    /// If it was called or cancelled already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// let call = clock.call_later(Duration::from_secs(10), || ());
    /// clock.advance(Duration::from_secs(4));
    /// call.reset(Duration::from_secs(10))?;
    /// assert_eq!(call.time(), Duration::from_secs(14));
    /// # Ok::<(), rt_deferred::DelayedCallError>(())
    /// ```
    ///
    /// Counterpart: `DelayedCall.reset`.
    pub fn reset(&self, delay: Duration) -> Result<(), DelayedCallError> {
        let now = self.calls.upgrade().map_or(0, |calls| calls.now.get());
        self.move_to(now + nanos(delay))
    }

    /// Lets it wait for `extra` longer than it would.
    ///
    /// # Errors
    ///
    /// If it was called or cancelled already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// let call = clock.call_later(Duration::from_secs(10), || ());
    /// call.delay(Duration::from_secs(5))?;
    /// assert_eq!(call.time(), Duration::from_secs(15));
    /// # Ok::<(), rt_deferred::DelayedCallError>(())
    /// ```
    ///
    /// Counterpart: `DelayedCall.delay`.
    pub fn delay(&self, extra: Duration) -> Result<(), DelayedCallError> {
        self.move_to(self.call.time.get() + nanos(extra))
    }

    /// Lets it wait for `less` shorter than it would; if that is in the past, until the next
    /// [`advance`](Clock::advance).
    ///
    /// # Errors
    ///
    /// If it was called or cancelled already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// let call = clock.call_later(Duration::from_secs(10), || ());
    /// call.bring_forward(Duration::from_secs(4))?;
    /// assert_eq!(call.time(), Duration::from_secs(6));
    /// # Ok::<(), rt_deferred::DelayedCallError>(())
    /// ```
    ///
    /// Counterpart: `DelayedCall.delay` with a negative number.
    pub fn bring_forward(&self, less: Duration) -> Result<(), DelayedCallError> {
        self.move_to(self.call.time.get() - nanos(less))
    }

    /// Whether it is still to be called.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// let call = clock.call_later(Duration::from_secs(1), || ());
    /// assert!(call.is_active());
    /// clock.advance(Duration::from_secs(1));
    /// assert!(!call.is_active());
    /// ```
    ///
    /// Counterpart: `DelayedCall.active`.
    pub fn is_active(&self) -> bool {
        self.check_active().is_ok()
    }

    /// What the clock shows when it is due; zero if it was brought forward to before that.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::Clock;
    ///
    /// let clock = Clock::new();
    /// clock.advance(Duration::from_secs(30));
    /// let call = clock.call_later(Duration::from_secs(10), || ());
    /// assert_eq!(call.time(), Duration::from_secs(40));
    /// ```
    ///
    /// Counterpart: `DelayedCall.getTime`.
    pub fn time(&self) -> Duration {
        duration(self.call.time.get())
    }

    fn move_to(&self, time: i128) -> Result<(), DelayedCallError> {
        self.check_active()?;
        self.call.time.set(time);
        if let Some(calls) = self.calls.upgrade() {
            calls.is_moved.set(true);
        }
        Ok(())
    }

    fn check_active(&self) -> Result<(), DelayedCallError> {
        match self.call.state.get() {
            State::Active => Ok(()),
            State::Called => Err(DelayedCallError::AlreadyCalled),
            State::Cancelled => Err(DelayedCallError::AlreadyCancelled),
        }
    }
}

impl fmt::Debug for DelayedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayedCall").field("time", &self.time()).field("is_active", &self.is_active()).finish()
    }
}

/// The call is not waiting any more.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, DelayedCallError};
///
/// let clock = Clock::new();
/// let call = clock.call_later(Duration::ZERO, || ());
/// clock.advance(Duration::ZERO);
/// assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCalled));
/// ```
///
/// Counterpart: `twisted.internet.error.{AlreadyCalled, AlreadyCancelled}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DelayedCallError {
    /// It has been made, or is being made.
    AlreadyCalled,
    /// It was cancelled.
    AlreadyCancelled,
}

impl fmt::Display for DelayedCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyCalled => "the delayed call has been made already",
            Self::AlreadyCancelled => "the delayed call has been cancelled already",
        })
    }
}

impl Error for DelayedCallError {}

fn nanos(duration: Duration) -> i128 {
    // A Duration has fewer than 2^95.
    duration.as_nanos() as i128
}

fn duration(nanos: i128) -> Duration {
    u128::try_from(nanos).map_or(Duration::ZERO, |nanos| {
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        Duration::new(seconds, (nanos % 1_000_000_000) as u32)
    })
}
