//! What goes wrong with a Deferred itself.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::Failure;

/// It has its result already, so it cannot be fired again.
///
/// # Examples
///
/// ```
/// use rt_deferred::{AlreadyCalled, Deferred};
///
/// let (deferred, resolver) = Deferred::new();
/// resolver.callback("first").unwrap();
/// assert_eq!(resolver.callback("second"), Err(AlreadyCalled));
/// # drop(deferred);
/// ```
///
/// Counterpart: `twisted.internet.defer.AlreadyCalledError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlreadyCalled;

impl fmt::Display for AlreadyCalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this Deferred has been fired already; it can be fired once")
    }
}

impl Error for AlreadyCalled {}

/// It was cancelled before it had a result.
///
/// # Examples
///
/// ```
/// use rt_deferred::Cancelled;
///
/// assert_eq!(Cancelled::default().to_string(), "cancelled");
/// assert_eq!(Cancelled::because("shutting down").to_string(), "cancelled: shutting down");
/// ```
///
/// Counterpart: `twisted.internet.defer.CancelledError`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Cancelled {
    reason: Option<Box<str>>,
}

impl Cancelled {
    /// A cancellation that says why, for cancellers and callbacks that fail with it themselves.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Cancelled, Deferred, failure_result_of};
    ///
    /// let (upload, _resolver) = Deferred::<()>::with_canceller(|resolver| {
    ///     let _ = resolver.errback(Cancelled::because("the disk is full"));
    /// });
    /// upload.cancel();
    /// assert_eq!(failure_result_of(upload).to_string(), "cancelled: the disk is full");
    /// ```
    pub fn because(reason: impl Into<Box<str>>) -> Self {
        Self { reason: Some(reason.into()) }
    }

    /// Why, if anyone said so.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Cancelled;
    ///
    /// assert_eq!(Cancelled::because("shutting down").reason(), Some("shutting down"));
    /// assert_eq!(Cancelled::default().reason(), None);
    /// ```
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "cancelled: {reason}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl Error for Cancelled {}

/// Its last [`Resolver`](crate::Resolver) was dropped without firing it, so a result would never have come.
///
/// Twisted's Deferred would wait for ever. [`Resolver::detach`](crate::Resolver::detach) asks for that.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Abandoned, Deferred, failure_result_of};
///
/// let (answer, resolver) = Deferred::<u8>::new();
/// drop(resolver);
/// assert!(failure_result_of(answer).check::<Abandoned>());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Abandoned;

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("abandoned: the last resolver was dropped without firing")
    }
}

impl Error for Abandoned {}

/// A callback returned the Deferred it belongs to, which would have waited for itself.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// use rt_deferred::{Deferred, ReturnedItself, unhandled};
///
/// let itself: Rc<Cell<Option<Deferred<u8>>>> = Rc::default();
/// let (deferred, resolver) = Deferred::<u8>::new();
/// let returned = itself.clone();
/// itself.set(Some(deferred.add_callback(move |_| returned.take().expect("it was put there"))));
/// let (_fired, lost) = unhandled::capture(|| resolver.callback(1));
/// assert!(lost[0].failure.check::<ReturnedItself>());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReturnedItself;

impl fmt::Display for ReturnedItself {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a callback returned its own Deferred, which cannot wait for itself; return another one or a value")
    }
}

impl Error for ReturnedItself {}

/// The result did not come in time. See [`Deferred::add_timeout`](crate::Deferred::add_timeout).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, Deferred, failure_result_of};
///
/// let clock = Clock::new();
/// let (answer, _resolver) = Deferred::<u8>::new();
/// let answer = answer.add_timeout(Duration::from_secs(5), &clock);
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(failure_result_of(answer).to_string(), "timed out after 5s");
/// ```
///
/// Counterpart: `twisted.internet.defer.TimeoutError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TimedOut {
    /// How long it was waited for.
    pub after: Duration,
}

impl TimedOut {
    pub(crate) fn new(after: Duration) -> Self {
        Self { after }
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {:?}", self.after)
    }
}

impl Error for TimedOut {}

/// The first failure among several Deferreds, and whose it is.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, DeferredList, FirstError, failure_result_of};
///
/// let (slow, _resolver) = Deferred::<u8>::new();
/// let both = DeferredList::new([slow, Deferred::fail("no paper")]).consume_errors(true).gather();
/// let failure = failure_result_of(both);
/// let first: &FirstError = failure.downcast_ref().unwrap();
/// assert_eq!((first.index, first.failure.to_string()), (1, "no paper".to_owned()));
/// ```
///
/// Counterpart: `twisted.internet.defer.FirstError`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FirstError {
    /// Which of them, counted from 0 in the order in which they were given.
    pub index: usize,
    /// What it failed with.
    pub failure: Failure,
}

impl FirstError {
    pub(crate) fn new(index: usize, failure: Failure) -> Self {
        Self { index, failure }
    }
}

impl fmt::Display for FirstError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} failed first: {}", self.index, self.failure)
    }
}

impl Error for FirstError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.error().map(|error| error as _)
    }
}

/// All members of a [`race`](crate::race) failed.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, FailureGroup, failure_result_of, race};
///
/// let failure = failure_result_of(race([Deferred::<u8>::fail("no paper"), Deferred::fail("no ink")]));
/// assert_eq!(failure.downcast_ref::<FailureGroup>().unwrap().failures.len(), 2);
/// assert_eq!(failure.to_string(), "all 2 failed: no paper; no ink");
/// ```
///
/// Counterpart: `twisted.internet.defer.FailureGroup`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FailureGroup {
    /// What they failed with, in the order in which they were given.
    pub failures: Vec<Failure>,
}

impl FailureGroup {
    pub(crate) fn new(failures: Vec<Failure>) -> Self {
        Self { failures }
    }
}

impl fmt::Display for FailureGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all {} failed", self.failures.len())?;
        let mut separator = ": ";
        for failure in &self.failures {
            write!(f, "{separator}{failure}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl Error for FailureGroup {}
