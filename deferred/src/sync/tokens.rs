//! A number of tokens, and the lock, which has one.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use super::Waiting;
use crate::{Deferred, Failure, IntoOutcome, Outcome, maybe_deferred};

struct Tokens<T> {
    limit: usize,
    free: Cell<usize>,
    waiting: Waiting<T>,
}

impl<T: 'static> Tokens<T> {
    fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self { limit, free: Cell::new(limit), waiting: Waiting::new() })
    }

    #[track_caller]
    fn acquire(self: &Rc<Self>, handle: T) -> Deferred<T> {
        let free = self.free.get();
        if free == 0 {
            return Waiting::join(self, |tokens| &tokens.waiting);
        }
        self.free.set(free - 1);
        Deferred::succeed(handle)
    }

    fn release(&self, handle: T) -> Result<(), NotAcquired> {
        let free = self.free.get();
        if free == self.limit {
            return Err(NotAcquired);
        }
        match self.waiting.next() {
            // The token goes on to who waited longest, who has not been fired: then it would not be in the line.
            Some(next) => drop(next.callback(handle)),
            None => self.free.set(free + 1),
        }
        Ok(())
    }
}

macro_rules! handle {
    ($name:ident, $one:literal, $make:literal) => {
        impl $name {
            #[doc = concat!("Fires with ", $one, " when it is this one's turn: at once if it is free.")]
            ///
            /// [`release`](Self::release) gives it back. Cancelling the Deferred leaves the line.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use rt_deferred::{", stringify!($name), ", State, success_result_of};")]
            ///
            #[doc = concat!("let one = ", $make, ";")]
            /// let (first, second) = (one.acquire(), one.acquire());
            /// assert_eq!(second.state(), State::Pending);
            /// success_result_of(first).release().unwrap();
            /// assert_eq!(second.state(), State::Succeeded);
            /// ```
            #[track_caller]
            pub fn acquire(&self) -> Deferred<$name> {
                self.tokens.acquire(self.clone())
            }

            #[doc = concat!("Gives ", $one, " back, and to who waits longest, before this returns.")]
            ///
            /// # Errors
            ///
            /// [`NotAcquired`] if nothing is out.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use rt_deferred::{", stringify!($name), ", NotAcquired, success_result_of};")]
            ///
            #[doc = concat!("let one = ", $make, ";")]
            /// let held = success_result_of(one.acquire());
            /// assert_eq!(held.release(), Ok(()));
            /// assert_eq!(held.release(), Err(NotAcquired));
            /// ```
            pub fn release(&self) -> Result<(), NotAcquired> {
                self.tokens.release(self.clone())
            }

            #[doc = concat!("Acquires ", $one, ", calls the function, and releases when its outcome is there.")]
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use rt_deferred::{Deferred, ", stringify!($name), ", State, success_result_of};")]
            ///
            #[doc = concat!("let one = ", $make, ";")]
            /// let (answer, resolver) = Deferred::new();
            /// let (first, second) = (one.run(|| answer), one.run(|| "second"));
            /// assert_eq!(second.state(), State::Pending);
            /// resolver.callback("first").unwrap();
            /// assert_eq!(success_result_of(first), "first");
            /// assert_eq!(success_result_of(second), "second");
            /// ```
            #[track_caller]
            pub fn run<T, K, R, F>(&self, function: F) -> Deferred<T>
            where
                T: 'static,
                F: FnOnce() -> R + 'static,
                R: IntoOutcome<T, K>,
            {
                self.acquire().add_callback(move |this| {
                    maybe_deferred(function).add_both(move |result| match this.release() {
                        Ok(()) => Outcome::from(result),
                        Err(error) => Outcome::Failure(Failure::new(error)),
                    })
                })
            }

            /// How many wait.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use rt_deferred::{", stringify!($name), ", success_result_of};")]
            ///
            #[doc = concat!("let one = ", $make, ";")]
            /// let (first, second) = (one.acquire(), one.acquire());
            /// assert_eq!(one.waiting(), 1);
            /// success_result_of(first).release().unwrap();
            /// assert_eq!(one.waiting(), 0);
            /// # drop(second);
            /// ```
            pub fn waiting(&self) -> usize {
                self.tokens.waiting.len()
            }

            /// Leaves who waits pending instead of abandoning them, as
            /// [`Resolver::detach`](crate::Resolver::detach) does.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use rt_deferred::{", stringify!($name), ", assert_no_result};")]
            ///
            #[doc = concat!("let one = ", $make, ";")]
            /// let (first, second) = (one.acquire(), one.acquire());
            /// one.detach();
            /// assert_no_result(&second);
            /// # drop(first);
            /// ```
            pub fn detach(self) {
                self.tokens.waiting.detach();
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (free, waiting) = (self.tokens.free.get(), self.waiting());
                f.debug_struct(stringify!($name)).field("free", &free).field("waiting", &waiting).finish()
            }
        }
    };
}

/// A lock for what callbacks do over several steps. One holds it; the others wait in order.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, DeferredLock, State, success_result_of};
///
/// let lock = DeferredLock::new();
/// let (answer, resolver) = Deferred::new();
/// let first = lock.run(move || answer);
/// let second = lock.run(|| "second");
/// assert_eq!(second.state(), State::Pending);
///
/// resolver.callback("first").unwrap();
/// assert_eq!(success_result_of(first), "first");
/// assert_eq!(success_result_of(second), "second");
/// ```
///
/// Counterpart: `twisted.internet.defer.DeferredLock`.
#[derive(Clone)]
pub struct DeferredLock {
    tokens: Rc<Tokens<DeferredLock>>,
}

impl DeferredLock {
    /// A lock that is free.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredLock;
    ///
    /// let lock = DeferredLock::new();
    /// assert!(!lock.is_locked());
    /// ```
    #[expect(clippy::new_without_default, reason = "a lock has an identity; two defaults are not equal")]
    pub fn new() -> Self {
        Self { tokens: Tokens::new(1) }
    }

    /// Whether somebody holds it.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredLock, success_result_of};
    ///
    /// let lock = DeferredLock::new();
    /// let held = success_result_of(lock.acquire());
    /// assert!(lock.is_locked());
    /// held.release().unwrap();
    /// assert!(!lock.is_locked());
    /// ```
    pub fn is_locked(&self) -> bool {
        self.tokens.free.get() == 0
    }
}

handle!(DeferredLock, "the lock", "DeferredLock::new()");

/// A number of tokens; who finds none waits in order.
///
/// # Examples
///
/// ```
/// use rt_deferred::{DeferredSemaphore, State, success_result_of};
///
/// let two = DeferredSemaphore::new(2);
/// let (first, second, third) = (two.acquire(), two.acquire(), two.acquire());
/// assert_eq!(third.state(), State::Pending);
/// success_result_of(first).release().unwrap();
/// assert_eq!(third.state(), State::Succeeded);
/// # drop(second);
/// ```
///
/// Counterpart: `twisted.internet.defer.DeferredSemaphore`.
#[derive(Clone)]
pub struct DeferredSemaphore {
    tokens: Rc<Tokens<DeferredSemaphore>>,
}

impl DeferredSemaphore {
    /// A semaphore with this many tokens, all free.
    ///
    /// # Panics
    ///
    /// If there are none.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredSemaphore;
    ///
    /// let connections = DeferredSemaphore::new(2);
    /// assert_eq!(connections.free(), 2);
    /// ```
    pub fn new(tokens: usize) -> Self {
        assert!(tokens > 0, "a semaphore has at least 1 token, not 0: nobody could ever acquire it");
        Self { tokens: Tokens::new(tokens) }
    }

    /// How many tokens are free.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredSemaphore, success_result_of};
    ///
    /// let two = DeferredSemaphore::new(2);
    /// let held = success_result_of(two.acquire());
    /// assert_eq!(two.free(), 1);
    /// held.release().unwrap();
    /// assert_eq!(two.free(), 2);
    /// ```
    pub fn free(&self) -> usize {
        self.tokens.free.get()
    }
}

handle!(DeferredSemaphore, "a token", "DeferredSemaphore::new(1)");

/// A release of what nobody has acquired.
///
/// # Examples
///
/// ```
/// use rt_deferred::{DeferredLock, NotAcquired};
///
/// assert_eq!(DeferredLock::new().release(), Err(NotAcquired));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAcquired;

impl fmt::Display for NotAcquired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("released more often than acquired")
    }
}

impl Error for NotAcquired {}
