//! The producer's handle.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;

use super::Fired;
use crate::Failure;
use crate::chain::{Chain, ChainRef, Slot};

/// Fires a [`Deferred`](crate::Deferred): once, with a value or a failure.
///
/// It is the producer's handle; clones fire the same Deferred. When the last one is dropped unfired, the Deferred fails
/// with [`Abandoned`](crate::Abandoned), so that nobody waits for ever.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Abandoned, AlreadyCalled, Deferred, failure_result_of, success_result_of};
///
/// let (deferred, resolver) = Deferred::new();
/// resolver.callback(1).unwrap();
/// assert_eq!(resolver.callback(2), Err(AlreadyCalled));
/// assert_eq!(success_result_of(deferred), 1);
///
/// let (deferred, resolver) = Deferred::<u8>::new();
/// drop(resolver);
/// assert!(failure_result_of(deferred).check::<Abandoned>());
/// ```
///
/// Counterpart: the producer's side of `twisted.internet.defer.Deferred`.
pub struct Resolver<T> {
    chain: ChainRef,
    _value: PhantomData<fn(T)>,
}

impl<T: 'static> Resolver<T> {
    /// Fires it with a value. Its callbacks run before this returns, unless it is paused.
    ///
    /// After a [cancel](crate::Deferred::cancel) of a Deferred without a canceller, one firing is ignored and no error:
    /// its producer could not know.
    ///
    /// # Errors
    ///
    /// [`AlreadyCalled`](crate::AlreadyCalled) if it has been fired.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{AlreadyCalled, Deferred, success_result_of};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// let doubled = deferred.add_callback(|n| n * 2);
    /// resolver.callback(21)?;
    /// assert_eq!(success_result_of(doubled), 42);
    /// assert_eq!(resolver.callback(22), Err(AlreadyCalled));
    /// # Ok::<(), AlreadyCalled>(())
    /// ```
    ///
    /// Counterpart: `Deferred.callback`.
    #[track_caller]
    #[inline]
    pub fn callback(&self, value: T) -> Fired {
        self.chain.fire_value(value, Location::caller())
    }

    /// Fires it with a failure. As [`callback`](Self::callback) otherwise.
    ///
    /// # Errors
    ///
    /// [`AlreadyCalled`](crate::AlreadyCalled) if it has been fired.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, failure_result_of};
    ///
    /// let (deferred, resolver) = Deferred::<u8>::new();
    /// resolver.errback("no paper").unwrap();
    /// assert_eq!(failure_result_of(deferred).to_string(), "no paper");
    /// ```
    ///
    /// Counterpart: `Deferred.errback`.
    #[track_caller]
    pub fn errback(&self, failure: impl Into<Failure>) -> Fired {
        self.chain.fire(Slot::Err(failure.into()), Location::caller())
    }

    /// Fires it with what a `Result` holds.
    ///
    /// # Errors
    ///
    /// [`AlreadyCalled`](crate::AlreadyCalled) if it has been fired.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, Failure, failure_result_of};
    ///
    /// let (port, resolver) = Deferred::<u16>::new();
    /// resolver.resolve("80a".parse().map_err(Failure::from)).unwrap();
    /// assert!(failure_result_of(port).check::<std::num::ParseIntError>());
    /// ```
    #[track_caller]
    pub fn resolve(&self, result: Result<T, Failure>) -> Fired {
        match result {
            Ok(value) => self.callback(value),
            Err(failure) => self.errback(failure),
        }
    }
}

impl<T: 'static> Resolver<T> {
    /// As [`resolve`](Self::resolve), by the library itself: reports name the place where the Deferred was made.
    pub(crate) fn resolve_by_itself(&self, result: Result<T, Failure>) -> Fired {
        self.resolve_at(result, self.chain.created())
    }

    /// As [`resolve`](Self::resolve), fired there as far as reports are concerned.
    pub(crate) fn resolve_at(&self, result: Result<T, Failure>, place: &'static Location<'static>) -> Fired {
        match result {
            Ok(value) => self.chain.fire_value(value, place),
            Err(failure) => self.chain.fire(Slot::Err(failure), place),
        }
    }
}

impl<T> Resolver<T> {
    /// Gives this handle up without abandoning the Deferred: unless another handle fires it, it stays pending until it
    /// is cancelled.
    ///
    /// What nobody can fire any more is freed: a Deferred that waits for such a one (because a callback returned it)
    /// stays pending, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, assert_no_result};
    ///
    /// let (deferred, resolver) = Deferred::<u8>::new();
    /// resolver.detach();
    /// assert_no_result(&deferred);
    /// ```
    pub fn detach(self) {
        self.chain.detach();
    }

    /// Whether it has been fired, by whomever.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Deferred;
    ///
    /// let (_deferred, resolver) = Deferred::new();
    /// let other = resolver.clone();
    /// assert!(!resolver.is_called());
    /// other.callback(1).unwrap();
    /// assert!(resolver.is_called());
    /// ```
    pub fn is_called(&self) -> bool {
        self.chain.is_called()
    }

    /// Whether the two fire the same Deferred.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Deferred;
    ///
    /// let (_first, resolver) = Deferred::<u8>::new();
    /// let (_second, other) = Deferred::<u8>::new();
    /// assert!(resolver.is_same(&resolver.clone()));
    /// assert!(!resolver.is_same(&other));
    /// ```
    pub fn is_same(&self, other: &Resolver<T>) -> bool {
        Rc::ptr_eq(&self.chain, &other.chain)
    }

    pub(crate) fn chain(&self) -> &Rc<Chain> {
        &self.chain
    }

    pub(crate) fn of(chain: Rc<Chain>) -> Self {
        chain.resolver_made();
        Self { chain: ChainRef::new(chain), _value: PhantomData }
    }
}

impl<T> Clone for Resolver<T> {
    fn clone(&self) -> Self {
        Self::of(Rc::clone(&self.chain))
    }
}

impl<T> Drop for Resolver<T> {
    #[inline]
    fn drop(&mut self) {
        self.chain.resolver_dropped();
    }
}

impl<T> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("is_called", &self.is_called()).finish_non_exhaustive()
    }
}
