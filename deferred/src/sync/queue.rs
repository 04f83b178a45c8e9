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
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredQueue;
    ///
    /// let queue = DeferredQueue::new();
    /// for n in 0..1_000 {
    ///     queue.put(n).unwrap();
    /// }
    /// assert_eq!(queue.len(), 1_000);
    /// ```
    #[expect(clippy::new_without_default, reason = "a queue has an identity; two defaults are not equal")]
    pub fn new() -> Self {
        Self::with_limits(None, None)
    }

    /// A queue that stores at most `size` values and lets at most `backlog` wait; `None` is no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredQueue, QueueUnderflow};
    ///
    /// let queue = DeferredQueue::with_limits(Some(1), Some(0));
    /// assert_eq!(queue.get().unwrap_err(), QueueUnderflow);
    /// queue.put("kept").unwrap();
    /// assert_eq!(queue.put("one too many").unwrap_err().value, "one too many");
    /// ```
    pub fn with_limits(size: Option<usize>, backlog: Option<usize>) -> Self {
        let shared = Shared { size, backlog, stored: RefCell::new(VecDeque::new()), waiting: Waiting::new() };
        Self { shared: Rc::new(shared) }
    }

    /// Gives a value to who waits longest, before this returns, or stores it.
    ///
    /// # Errors
    ///
    /// The value, if nobody waits and the queue is full.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredQueue, success_result_of};
    ///
    /// let queue = DeferredQueue::new();
    /// let length = queue.get()?.add_callback(|word: &str| word.len());
    /// queue.put("four")?;
    /// assert_eq!(success_result_of(length), 4);
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredQueue, success_result_of};
    ///
    /// let queue = DeferredQueue::new();
    /// let (impatient, patient) = (queue.get()?, queue.get()?);
    /// impatient.cancel();
    /// queue.put("for who still waits")?;
    /// assert_eq!(success_result_of(patient), "for who still waits");
    /// # drop(impatient.add_errback(|_| ""));
    /// # Ok::<(), rt_deferred::Failure>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredQueue;
    ///
    /// let queue = DeferredQueue::new();
    /// assert_eq!(queue.try_get(), None);
    /// queue.put(1).unwrap();
    /// assert_eq!(queue.try_get(), Some(1));
    /// ```
    pub fn try_get(&self) -> Option<T> {
        self.shared.stored.borrow_mut().pop_front()
    }

    /// How many values are stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredQueue;
    ///
    /// let queue = DeferredQueue::new();
    /// queue.put('a').unwrap();
    /// queue.put('b').unwrap();
    /// assert_eq!(queue.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.shared.stored.borrow().len()
    }

    /// Whether no value is stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredQueue;
    ///
    /// let queue = DeferredQueue::new();
    /// assert!(queue.is_empty());
    /// queue.put('a').unwrap();
    /// assert!(!queue.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait for a value.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredQueue;
    ///
    /// let queue = DeferredQueue::new();
    /// let next = queue.get().unwrap();
    /// assert_eq!(queue.waiting(), 1);
    /// queue.put('a').unwrap();
    /// assert_eq!(queue.waiting(), 0);
    /// # drop(next);
    /// ```
    pub fn waiting(&self) -> usize {
        self.shared.waiting.len()
    }

    /// Leaves who waits pending instead of abandoning them, as [`Resolver::detach`](crate::Resolver::detach) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredQueue, assert_no_result};
    ///
    /// let queue = DeferredQueue::<u8>::new();
    /// let next = queue.get().unwrap();
    /// queue.detach();
    /// assert_no_result(&next);
    /// ```
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
///
/// # Examples
///
/// ```
/// use rt_deferred::{DeferredQueue, QueueOverflow};
///
/// let queue = DeferredQueue::with_limits(Some(0), None);
/// let QueueOverflow { value } = queue.put("letter").unwrap_err();
/// assert_eq!(value, "letter");
/// ```
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
///
/// # Examples
///
/// ```
/// use rt_deferred::{DeferredQueue, QueueUnderflow};
///
/// let one_reader = DeferredQueue::<u8>::with_limits(None, Some(1));
/// let first = one_reader.get().unwrap();
/// assert_eq!(one_reader.get().unwrap_err(), QueueUnderflow);
/// # one_reader.put(1).unwrap();
/// # drop(first);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueUnderflow;

impl fmt::Display for QueueUnderflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is in the queue, and as many wait for it as its backlog allows")
    }
}

impl Error for QueueUnderflow {}
