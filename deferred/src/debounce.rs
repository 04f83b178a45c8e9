//! Many calls in a row, made as one.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::observers::Flight;
use crate::{Cancelled, Deferred, Failure, IntoOutcome, ReactorTime, maybe_deferred};

/// Makes one call of a burst of them, when there has been no further one for a while.
///
/// Each [`call`](Self::call) puts the function off until `delay` after it: the function runs at the trailing edge of a
/// burst, not at its beginning. It gets the argument of the last call, and its result goes to all who called in that
/// burst, as a clone for each. With [`max_wait`](Self::max_wait) a burst without an end does not put it off for ever.
///
/// A call that comes while the function's Deferred is still pending begins another burst, so the function may be under
/// way more than once. Cancelling one caller's Deferred concerns that caller alone; when all callers of a burst have
/// cancelled, the function is not called, or its Deferred is cancelled if it was.
///
/// It is a handle: clones are the same one. Dropping the last one takes back what is put off and fails its callers with
/// [`Abandoned`](crate::Abandoned); what is under way goes on. Who waits in a burst is limited only by the callers.
///
/// # Examples
///
/// It searches once for what was typed in one go, 300 ms after the last key.
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, Debounce, success_result_of};
///
/// let clock = Clock::new();
/// let search = Debounce::new(&clock, Duration::from_millis(300), |text: &str| format!("results for {text}"));
/// let (first, last) = (search.call("d"), search.call("deferred"));
/// clock.advance(Duration::from_millis(300));
/// assert_eq!(success_result_of(first), "results for deferred");
/// assert_eq!(success_result_of(last), "results for deferred");
/// ```
///
/// Counterpart: `debounce` of many JavaScript libraries; in Twisted, `DelayedCall.reset` by hand.
pub struct Debounce<A, T> {
    shared: Rc<Shared<A, T>>,
}

struct Shared<A, T> {
    clock: Rc<dyn ReactorTime>,
    delay: Duration,
    max_wait: Cell<Option<Duration>>,
    function: Box<dyn Fn(A) -> Deferred<T>>,
    burst: Cell<Option<Burst<A, T>>>,
    /// How many bursts there were.
    bursts: Cell<u64>,
}

/// Calls that have come and are put off.
struct Burst<A, T> {
    number: u64,
    /// That of the last call.
    argument: A,
    flight: Flight<T>,
    /// The moment to which it can be put off at most.
    latest: Option<Duration>,
    timer: Timer,
}

impl<A: 'static, T: Clone + 'static> Debounce<A, T> {
    /// Puts calls of `function` off by `delay` on `clock`.
    ///
    /// `function` may return what callbacks may; see [`IntoOutcome`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Debounce, success_result_of};
    ///
    /// let clock = Clock::new();
    /// let port: Debounce<&str, u16> =
    ///     Debounce::new(&clock, Duration::from_millis(300), |text: &str| text.parse::<u16>());
    /// let typed = port.call("8080");
    /// clock.advance(Duration::from_millis(300));
    /// assert_eq!(success_result_of(typed), 8080);
    /// ```
    pub fn new<K, R>(clock: &dyn ReactorTime, delay: Duration, function: impl Fn(A) -> R + 'static) -> Self
    where
        R: IntoOutcome<T, K>,
    {
        let function = Box::new(move |argument| maybe_deferred(|| function(argument)));
        let (max_wait, burst, bursts) = (Cell::new(None), Cell::new(None), Cell::new(0));
        let shared = Shared { clock: clock.weak(), delay, max_wait, function, burst, bursts };
        Self { shared: Rc::new(shared) }
    }

    /// Runs the function no later than `limit` after the first call of a burst, for all clones, from the next burst on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Debounce, State};
    ///
    /// let clock = Clock::new();
    /// let second = Duration::from_secs(1);
    /// let save = Debounce::new(&clock, 2 * second, |text: &str| println!("saving {text}")).max_wait(3 * second);
    /// let first = save.call("a");
    /// for text in ["ab", "abc"] {
    ///     clock.advance(second);
    ///     drop(save.call(text));
    /// }
    /// clock.advance(second);
    /// assert_eq!(first.state(), State::Succeeded);
    /// ```
    pub fn max_wait(self, limit: Duration) -> Self {
        self.shared.max_wait.set(Some(limit));
        self
    }

    /// Joins the burst, or begins one: the function is put off until `delay` from now, and gets this argument unless
    /// another call follows.
    ///
    /// The Deferred fires with what the function returns. Who does not care drops it, and gets the failure reported as
    /// [unhandled](crate::unhandled), if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Debounce, assert_no_result, success_result_of};
    ///
    /// let clock = Clock::new();
    /// let double = Debounce::new(&clock, Duration::from_secs(2), |n: u32| n * 2);
    /// let first = double.call(1);
    /// clock.advance(Duration::from_secs(1));
    /// let last = double.call(10);
    /// clock.advance(Duration::from_secs(1));
    /// assert_no_result(&first);
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!((success_result_of(first), success_result_of(last)), (20, 20));
    /// ```
    #[track_caller]
    pub fn call(&self, argument: A) -> Deferred<T> {
        let shared = &self.shared;
        let former = shared.burst.take();
        let (number, flight, latest, superseded) = match former {
            Some(Burst { number, flight, latest, argument, timer }) => {
                (number, flight, latest, Some((argument, timer)))
            }
            None => {
                let latest = shared.max_wait.get().map(|limit| shared.clock.now().saturating_add(limit));
                let number = shared.bursts.get();
                shared.bursts.set(number + 1);
                (number, shared.flight(number), latest, None)
            }
        };
        let delay = match latest {
            Some(latest) => shared.delay.min(latest.saturating_sub(shared.clock.now())),
            None => shared.delay,
        };
        let weak = Rc::downgrade(shared);
        let call = Box::new(move || {
            if let Some(shared) = weak.upgrade() {
                shared.run();
            }
        });
        let timer = Timer(Some(shared.clock.call_later(delay, call)));
        let caller = flight.join();
        let replaced = shared.burst.replace(Some(Burst { number, argument, flight, latest, timer }));
        drop((superseded, replaced));
        caller
    }

    /// Makes the call that is put off now. False if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Debounce, success_result_of};
    ///
    /// let clock = Clock::new();
    /// let save = Debounce::new(&clock, Duration::from_secs(2), |text: &str| format!("saved {text}"));
    /// let saved = save.call("letter");
    /// assert!(save.flush());
    /// assert_eq!(success_result_of(saved), "saved letter");
    /// assert!(!save.flush());
    /// ```
    pub fn flush(&self) -> bool {
        self.shared.run()
    }

    /// Takes back the call that is put off; its callers fail with [`Cancelled`]. False if there is none. What is under
    /// way already goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Cancelled, Clock, Debounce, failure_result_of};
    ///
    /// let clock = Clock::new();
    /// let save = Debounce::new(&clock, Duration::from_secs(2), |text: &str| println!("saving {text}"));
    /// let saved = save.call("letter");
    /// assert!(save.cancel());
    /// assert!(failure_result_of(saved).check::<Cancelled>());
    /// assert!(!save.cancel());
    /// ```
    pub fn cancel(&self) -> bool {
        let Some(burst) = self.shared.burst.take() else { return false };
        let callers = burst.flight.callers().clone();
        drop(burst);
        // Nothing else fires a flight that has not begun.
        let _ = callers.fail(Failure::new(Cancelled::default()));
        true
    }

    /// Whether a call is put off.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Debounce};
    ///
    /// let clock = Clock::new();
    /// let save = Debounce::new(&clock, Duration::from_secs(2), |text: &str| println!("saving {text}"));
    /// drop(save.call("letter"));
    /// assert!(save.is_pending());
    /// clock.advance(Duration::from_secs(2));
    /// assert!(!save.is_pending());
    /// ```
    pub fn is_pending(&self) -> bool {
        let burst = self.shared.burst.take();
        let is_pending = burst.is_some();
        self.shared.burst.set(burst);
        is_pending
    }
}

impl<A: 'static, T: Clone + 'static> Shared<A, T> {
    /// A flight whose callers, when all have cancelled, take the burst with this number back.
    fn flight(self: &Rc<Self>, number: u64) -> Flight<T> {
        let weak = Rc::downgrade(self);
        Flight::new(move || {
            let Some(shared) = weak.upgrade() else { return };
            match shared.burst.take() {
                Some(ours) if ours.number == number => drop(ours),
                other => shared.burst.set(other),
            }
        })
    }

    fn run(&self) -> bool {
        let Some(Burst { argument, flight, timer, .. }) = self.burst.take() else { return false };
        drop(timer);
        flight.begin((self.function)(argument), |_| ());
        true
    }
}

impl<A, T> Clone for Debounce<A, T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<A, T> fmt::Debug for Debounce<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debounce").field("delay", &self.shared.delay).finish_non_exhaustive()
    }
}

/// What takes a delayed call back; that does nothing after the call.
struct Timer(Option<Box<dyn FnOnce()>>);

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(take_back) = self.0.take() {
            take_back();
        }
    }
}
