//! The handle that stops and goes.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::chain::Chain;

/// Cancels, pauses and unpauses a [`Deferred`](crate::Deferred) from anywhere on its thread: after it has moved into a
/// list, a chain or a coroutine, and from inside its callbacks.
///
/// Clones are the same handle. It does not keep the Deferred alive, except while a pause that was made through it
/// stands. On a Deferred that is gone it does nothing.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Cancelled, Deferred, failure_result_of};
///
/// let (deferred, _resolver) = Deferred::<u8>::new();
/// let control = deferred.control();
/// let outer = Deferred::succeed(()).add_callback(move |()| deferred);
/// control.cancel();
/// assert!(failure_result_of(outer).check::<Cancelled>());
/// ```
///
/// Counterpart: any reference to a Deferred.
#[derive(Clone)]
pub struct Control {
    shared: Rc<Shared>,
}

struct Shared {
    chain: Weak<Chain>,
    /// How many pauses that were made here still stand.
    pauses: Cell<u32>,
    /// While they do.
    kept: Cell<Option<Rc<Chain>>>,
}

impl Control {
    pub(crate) fn of(chain: &Rc<Chain>) -> Self {
        let shared = Shared { chain: Rc::downgrade(chain), pauses: Cell::new(0), kept: Cell::new(None) };
        Self { shared: Rc::new(shared) }
    }

    /// As [`Deferred::cancel`](crate::Deferred::cancel).
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Cancelled, Deferred, failure_result_of};
    ///
    /// let (line, _resolver) = Deferred::<u8>::new();
    /// let control = line.control();
    /// let parsed = line.add_callback(|byte| byte.is_ascii());
    /// control.cancel();
    /// assert!(failure_result_of(parsed).check::<Cancelled>());
    /// ```
    #[track_caller]
    pub fn cancel(&self) {
        if let Some(chain) = self.shared.chain.upgrade() {
            chain.cancel(Location::caller());
        }
    }

    /// As [`Deferred::pause`](crate::Deferred::pause).
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, assert_no_result, success_result_of};
    ///
    /// let inner = Deferred::succeed("page 1");
    /// let control = inner.control();
    /// control.pause();
    /// let outer = Deferred::succeed(()).add_callback(|()| inner);
    /// assert_no_result(&outer);
    /// control.unpause();
    /// assert_eq!(success_result_of(outer), "page 1");
    /// ```
    pub fn pause(&self) {
        if let Some(chain) = self.shared.chain.upgrade() {
            chain.pause();
            self.shared.pauses.set(self.shared.pauses.get().saturating_add(1));
            self.shared.kept.set(Some(chain));
        }
    }

    /// As [`Deferred::unpause`](crate::Deferred::unpause).
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, State};
    ///
    /// let deferred = Deferred::succeed(1);
    /// deferred.pause();
    /// deferred.control().unpause();
    /// assert_eq!(deferred.state(), State::Succeeded);
    /// ```
    pub fn unpause(&self) {
        let Some(chain) = self.shared.chain.upgrade() else { return };
        let left = self.shared.pauses.get().saturating_sub(1);
        self.shared.pauses.set(left);
        if left == 0 {
            // `chain` still holds it.
            drop(self.shared.kept.take());
        }
        chain.unpause();
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("state", &self.shared.chain.upgrade().map(|c| c.state())).finish()
    }
}
