//! Values from who has them to who waits for them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use super::Waiting;
use crate::Deferred;

/// A queue of values whose `get` is a Deferred.
///
/// # Examples
///
/// ```
/// use rt_deferred::{DeferredQueue, success_result_of};
///
/// let queue = DeferredQueue::new();
/// let first = queue.get().unwrap();
/// queue.put("one").unwrap();
/// queue.put("two").unwrap();
/// assert_eq!(success_result_of(first), "one");
/// assert_eq!(success_result_of(queue.get().unwrap()), "two");
/// ```
///
/// Counterpart: `twisted.internet.defer.DeferredQueue`.
pub struct DeferredQueue<T> {
    shared: Rc<Shared<T>>,
}

struct Shared<T> {
    size: Option<usize>,
    backlog: Option<usize>,
    stored: RefCell<VecDeque<T>>,
    waiting: Waiting<T>,
}

impl<T: 'static> DeferredQueue<T> {
    /// A queue without limits. It may grow without end; see [`with_limits`](Self::with_limits).
    #[expect(clippy::new_without_default, reason = "a queue has an identity; two defaults are not equal")]
    pub fn new() -> Self {
        Self::with_limits(None, None)
    }

    /// A queue that stores at most `size` values and lets at most `backlog` wait; `None` is no limit.
    pub fn with_limits(size: Option<usize>, backlog: Option<usize>) -> Self {
        let shared = Shared { size, backlog, stored: RefCell::new(VecDeque::new()), waiting: Waiting::new() };
        Self { shared: Rc::new(shared) }
    }

    /// Gives a value to who waits longest, before this returns, or stores it.
    ///
    /// # Errors
    ///
    /// The value, if nobody waits and the queue is full.
    #[track_caller]
    pub fn put(&self, value: T) -> Result<(), QueueOverflow<T>> {
        if let Some(next) = self.shared.waiting.next() {
            // It has not been fired: then it would not be in the line.
            let _ = next.callback(value);
            return Ok(());
        }
        let mut stored = self.shared.stored.borrow_mut();
        if self.shared.size.is_some_and(|size| stored.len() >= size) {
            return Err(QueueOverflow { value });
        }
        stored.push_back(value);
        Ok(())
    }

    /// A Deferred of the next value: fired already if one is stored. Cancelling it leaves the line.
    ///
    /// # Errors
    ///
    /// [`QueueUnderflow`] if nothing is stored and as many wait as may.
    #[track_caller]
    pub fn get(&self) -> Result<Deferred<T>, QueueUnderflow> {
        if let Some(value) = self.try_get() {
            return Ok(Deferred::succeed(value));
        }
        if self.shared.backlog.is_some_and(|backlog| self.shared.waiting.len() >= backlog) {
            return Err(QueueUnderflow);
        }
        Ok(Waiting::join(&self.shared, |shared| &shared.waiting))
    }

    /// The next stored value.
    pub fn try_get(&self) -> Option<T> {
        self.shared.stored.borrow_mut().pop_front()
    }

    /// How many values are stored.
    pub fn len(&self) -> usize {
        self.shared.stored.borrow().len()
    }

    /// Whether no value is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait for a value.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.len()
    }

    /// Leaves who waits pending instead of abandoning them, as [`Resolver::detach`](crate::Resolver::detach) does.
    pub fn detach(self) {
        self.shared.waiting.detach();
    }
}

impl<T> Clone for DeferredQueue<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for DeferredQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferredQueue").field("stored", &self.shared.stored.borrow().len()).finish_non_exhaustive()
    }
}

/// The queue is full. Here is the value again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueueOverflow<T> {
    /// What was to be put.
    pub value: T,
}

impl<T> fmt::Debug for QueueOverflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueOverflow").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for QueueOverflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full")
    }
}

impl<T> Error for QueueOverflow<T> {}

/// As many wait for a value of the queue as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueUnderflow;

impl fmt::Display for QueueUnderflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is in the queue, and as many wait for it as its backlog allows")
    }
}

impl Error for QueueUnderflow {}
