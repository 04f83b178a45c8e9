//! One result, and everybody who waits for it.

mod flight;

pub(crate) use flight::Flight;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::chain::Slot;
use crate::sync::Waiting;
use crate::{AlreadyCalled, Cancelled, Deferred, Failure};

/// One result for many observers: those who wait for it now, and those who ask when it is there already.
///
/// A [`Deferred`] has one consumer. Here each gets a Deferred of its own, with a clone of the result; they fire in the
/// order in which they were asked for, before [`fire`](Self::fire) returns. One that is asked for while they fire (in a
/// callback of another) fires last, within the same call. Cancelling a Deferred takes this observer off the list and
/// nobody else. A panic in the `clone` of the value becomes the failure of the one it was for.
///
/// It is a handle: clones are the same list. Dropping the last one unfired fails those who wait with
/// [`Abandoned`](crate::Abandoned); [`detach`](Self::detach) leaves them pending. A failure that nobody has ever asked
/// for is reported as [unhandled](crate::unhandled) when the last handle goes. The number of observers has no limit but
/// what their owners ask for.
///
/// # Examples
///
/// ```
/// use rt_deferred::{OneShotObservers, success_result_of};
///
/// let connected = OneShotObservers::new();
/// let early = connected.when_fired().add_callback(|peer| format!("welcome, {peer}"));
/// connected.fire("alice").unwrap();
/// let late = connected.when_fired();
///
/// assert_eq!(success_result_of(early), "welcome, alice");
/// assert_eq!(success_result_of(late), "alice");
/// ```
///
/// Counterpart: `OneShotObserverList` of Foolscap and Tahoe-LAFS.
pub struct OneShotObservers<T> {
    shared: Rc<Shared<T>>,
}

/// A result that many look at.
pub(crate) type Common<T> = Rc<Result<T, Failure>>;

struct Shared<T> {
    result: RefCell<Option<Common<T>>>,
    is_firing: Cell<bool>,
    waiting: Waiting<T>,
    /// Holds a failure until somebody asks for it, and reports it if nobody does.
    unobserved: Cell<Option<Deferred<()>>>,
    canceller: Cell<Option<Box<dyn FnOnce()>>>,
    /// All who waited have cancelled once.
    is_forsaken: Cell<bool>,
}

impl<T: Clone + 'static> OneShotObservers<T> {
    /// A list that has not fired.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::OneShotObservers;
    ///
    /// let connected = OneShotObservers::<u8>::new();
    /// assert!(!connected.is_fired());
    /// ```
    #[expect(clippy::new_without_default, reason = "a list has an identity; two defaults are not equal")]
    pub fn new() -> Self {
        let shared = Shared {
            result: RefCell::new(None),
            is_firing: Cell::new(false),
            waiting: Waiting::new(),
            unobserved: Cell::new(None),
            canceller: Cell::new(None),
            is_forsaken: Cell::new(false),
        };
        Self { shared: Rc::new(shared) }
    }

    /// As [`new`](Self::new), with a function that is called, once, when all who waited have cancelled.
    ///
    /// That is: when a cancelled observer has left the list, nobody else waits and it has not fired. It may fire the list
    /// or not; who was cancelled gets [`Cancelled`] either way.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// use rt_deferred::{Cancelled, OneShotObservers, failure_result_of};
    ///
    /// let is_stopped = Rc::new(Cell::new(false));
    /// let stop = is_stopped.clone();
    /// let download = OneShotObservers::<u8>::with_canceller(move || stop.set(true));
    /// let (first, second) = (download.when_fired(), download.when_fired());
    ///
    /// first.cancel();
    /// assert!(!is_stopped.get(), "the second one still wants it");
    /// second.cancel();
    /// assert!(is_stopped.get());
    /// # for one in [first, second] { assert!(failure_result_of(one).check::<Cancelled>()); }
    /// ```
    pub fn with_canceller(canceller: impl FnOnce() + 'static) -> Self {
        let this = Self::new();
        this.shared.canceller.set(Some(Box::new(canceller)));
        this
    }

    /// A list that fires as the Deferred does: the way to give its result to several.
    ///
    /// The Deferred keeps the list, so nobody is abandoned when this handle goes. Cancelling the observers does not cancel
    /// it. If it is detached, so are they.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, OneShotObservers, success_result_of};
    ///
    /// let (address, resolver) = Deferred::new();
    /// let address = OneShotObservers::from_deferred(address);
    /// let (one, other) = (address.when_fired(), address.when_fired());
    /// resolver.callback("127.0.0.1").unwrap();
    /// assert_eq!(success_result_of(one), success_result_of(other));
    /// ```
    pub fn from_deferred(deferred: Deferred<T>) -> Self {
        let this = Self::new();
        this.follow(deferred, |_| ());
        this
    }

    /// A Deferred of the result, with a clone of it for this observer alone.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Cancelled, OneShotObservers, failure_result_of, success_result_of};
    ///
    /// let connected = OneShotObservers::new();
    /// let (impatient, patient) = (connected.when_fired(), connected.when_fired());
    /// impatient.cancel();
    /// connected.fire("alice").unwrap();
    /// assert!(failure_result_of(impatient).check::<Cancelled>());
    /// assert_eq!(success_result_of(patient), "alice");
    /// ```
    #[track_caller]
    pub fn when_fired(&self) -> Deferred<T> {
        let shared = &self.shared;
        if let Some(failure) = shared.unobserved.take() {
            drop(failure.add_errback(|_| ()));
        }
        let result = if shared.is_firing.get() { None } else { shared.result.borrow().clone() };
        match result.map(|result| copy(&result)) {
            Some(Ok(value)) => Deferred::succeed(value),
            Some(Err(failure)) => Deferred::fail(failure),
            None => Waiting::join_until(shared, |shared| &shared.waiting, Shared::cancel_if_forsaken),
        }
    }

    /// Gives everybody the value: those who wait before this returns, in order.
    ///
    /// # Errors
    ///
    /// [`AlreadyCalled`] if it has a result already, which stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{AlreadyCalled, OneShotObservers, success_result_of};
    ///
    /// let connected = OneShotObservers::new();
    /// let peer = connected.when_fired();
    /// assert_eq!(connected.fire("alice"), Ok(()));
    /// assert_eq!(success_result_of(peer), "alice");
    /// assert_eq!(connected.fire("bob"), Err(AlreadyCalled));
    /// ```
    #[track_caller]
    pub fn fire(&self, value: T) -> Result<(), AlreadyCalled> {
        self.resolve(Ok(value))
    }

    /// Gives everybody a failure. As [`fire`](Self::fire) otherwise.
    ///
    /// # Errors
    ///
    /// [`AlreadyCalled`] if it has a result already, which stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{AlreadyCalled, OneShotObservers, failure_result_of};
    ///
    /// let connected = OneShotObservers::<()>::new();
    /// connected.fail("connection refused").unwrap();
    /// assert_eq!(failure_result_of(connected.when_fired()).to_string(), "connection refused");
    /// assert_eq!(connected.fire(()), Err(AlreadyCalled));
    /// ```
    #[track_caller]
    pub fn fail(&self, failure: impl Into<Failure>) -> Result<(), AlreadyCalled> {
        self.resolve(Err(failure.into()))
    }

    /// Gives everybody what a `Result` holds. As [`fire`](Self::fire) otherwise.
    ///
    /// # Errors
    ///
    /// [`AlreadyCalled`] if it has a result already, which stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Failure, OneShotObservers, failure_result_of};
    ///
    /// let port = OneShotObservers::<u16>::new();
    /// let asked = port.when_fired();
    /// port.resolve("80a".parse().map_err(Failure::from)).unwrap();
    /// assert!(failure_result_of(asked).check::<std::num::ParseIntError>());
    /// ```
    #[track_caller]
    pub fn resolve(&self, result: Result<T, Failure>) -> Result<(), AlreadyCalled> {
        self.resolve_with(Rc::new(result))
    }

    /// Whether it has its result.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::OneShotObservers;
    ///
    /// let connected = OneShotObservers::new();
    /// assert!(!connected.is_fired());
    /// connected.fire("alice").unwrap();
    /// assert!(connected.is_fired());
    /// ```
    pub fn is_fired(&self) -> bool {
        self.shared.result.borrow().is_some()
    }

    /// How many wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::OneShotObservers;
    ///
    /// let connected = OneShotObservers::new();
    /// let both = [connected.when_fired(), connected.when_fired()];
    /// assert_eq!(connected.waiting(), 2);
    /// connected.fire("alice").unwrap();
    /// assert_eq!(connected.waiting(), 0);
    /// # drop(both);
    /// ```
    pub fn waiting(&self) -> usize {
        self.shared.waiting.len()
    }

    /// Leaves who waits pending instead of abandoning them, as [`Resolver::detach`](crate::Resolver::detach) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{OneShotObservers, assert_no_result};
    ///
    /// let connected = OneShotObservers::<u8>::new();
    /// let peer = connected.when_fired();
    /// connected.detach();
    /// assert_no_result(&peer);
    /// ```
    pub fn detach(self) {
        self.shared.waiting.detach();
    }

    /// Fires as `deferred` does, after `first` has seen the result.
    pub(crate) fn follow(&self, deferred: Deferred<T>, first: impl FnOnce(&Common<T>) + 'static) {
        let follower = Follower(self.clone());
        drop(deferred.step::<()>(move |slot| {
            if let Some(result) = slot.take_result() {
                *slot = Slot::ok(());
                let result = Rc::new(result);
                first(&result);
                // If somebody has fired it by hand, that one was first.
                let _ = follower.0.resolve_with(result);
            }
        }));
    }

    #[track_caller]
    fn resolve_with(&self, result: Common<T>) -> Result<(), AlreadyCalled> {
        let shared = &self.shared;
        if self.is_fired() {
            return Err(AlreadyCalled);
        }
        shared.result.replace(Some(result.clone()));
        drop(shared.canceller.take());
        if let Err(failure) = &*result
            && shared.waiting.len() == 0
            // That is what those who have cancelled asked for.
            && !(shared.is_forsaken.get() && failure.check::<Cancelled>())
        {
            shared.unobserved.set(Some(Deferred::fail(failure.clone())));
        }
        shared.is_firing.set(true);
        while let Some(next) = shared.waiting.next() {
            // It has not been fired: then it would not be in the line.
            let _ = next.resolve(copy(&result));
        }
        shared.is_firing.set(false);
        Ok(())
    }
}

impl<T: 'static> Shared<T> {
    /// Called when a wait has been cancelled.
    fn cancel_if_forsaken(shared: &Rc<Self>) {
        if shared.waiting.len() > 0 || shared.result.borrow().is_some() {
            return;
        }
        shared.is_forsaken.set(true);
        if let Some(canceller) = shared.canceller.take() {
            canceller();
        }
    }
}

/// The step of what a list follows. It goes unused only if that was detached.
struct Follower<T: Clone + 'static>(OneShotObservers<T>);

impl<T: Clone + 'static> Drop for Follower<T> {
    fn drop(&mut self) {
        if !self.0.is_fired() {
            self.0.shared.waiting.detach();
        }
    }
}

impl<T> Clone for OneShotObservers<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for OneShotObservers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_fired = self.shared.result.borrow().is_some();
        f.debug_struct("OneShotObservers").field("is_fired", &is_fired).finish_non_exhaustive()
    }
}

/// A clone of the result, for one observer. Its panic must not take the others' results away.
pub(crate) fn copy<T: Clone>(result: &Result<T, Failure>) -> Result<T, Failure> {
    match result {
        Ok(value) => catch_unwind(AssertUnwindSafe(|| value.clone())).map_err(Failure::from_panic),
        Err(failure) => Err(failure.clone()),
    }
}
