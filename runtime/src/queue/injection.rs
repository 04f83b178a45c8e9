//! A queue that any thread fills and any worker empties: tasks that come from outside, and those that a ring had no room for.
//!
//! ```text
//!   push, push_batch ──► │ newest ◄─ … ◄─ … ◄─ oldest │ ──► pop_batch
//!                        └────────── one lock ────────┘      close ──► what is left
//! ```
//!
//! A lock around a list through the elements' own links. What is under the lock is a few instructions, in batches where many
//! elements move; asking whether there is anything costs one load.
//!
//! # Invariants
//!
//! - **N1** What is in the queue is alive, in no other queue through the same link, and may be used on any thread, until it has been
//!   taken out; who pushes guarantees it.
//! - **N2** Who takes an element may thereby let the queue's owner go, and with it the queue. So who pushes touches nothing of either
//!   from the moment that the lock is released but the lock itself, and prepares what it needs later while it holds it. The memory of
//!   the lock lives until the push has returned: who pushes sees to that.
//! - **N3** `length` is written under the lock only, and is the number of elements whenever the lock is free.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::{Fifo, Linked, PushError};
use crate::primitives::Mutex;
use crate::primitives::atomic::{AtomicUsize, Ordering};

/// A first-in, first-out queue without a limit of its own: its elements bring their places with them.
pub(crate) struct Injection<T: Linked> {
    state: Mutex<State<T>>,
    /// What can be asked without the lock.
    length: AtomicUsize,
    /// How many elements were ever taken out; written under the lock.
    taken: AtomicUsize,
}

struct State<T: Linked> {
    elements: Fifo<T>,
    closed: bool,
}

// SAFETY: the pointers in the list lead to elements that any thread may use (N1), and their links are touched by who has the lock,
// which passes on what was written to them.
unsafe impl<T: Linked> Send for State<T> {}

impl<T: Linked> Injection<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State { elements: Fifo::new(), closed: false }),
            length: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }
    }

    /// Appends `element`; answers with what `under_lock` gave.
    ///
    /// `under_lock` is called when the element is in and while the lock is held, so that nobody can have taken it yet (N2). If the
    /// queue is closed, it is not called, and the element is the caller's again.
    ///
    /// # Safety
    ///
    /// - N1: the element is in no queue, and lives and may be used on any thread until it is taken out.
    /// - N2: the queue lives until the push returns.
    pub(crate) unsafe fn push<B>(&self, element: NonNull<T>, under_lock: impl FnOnce() -> B) -> Result<B, PushError> {
        let state = self.state.lock();
        if state.closed {
            return Err(PushError);
        }
        // SAFETY: N1, by the caller's promise.
        unsafe { state.elements.push(element) };
        self.lengthen(1);
        Ok(under_lock())
    }

    /// Appends all of `batch`, which are `count`, in one step; answers as [`push`](Self::push) does, but gives the batch back if the
    /// queue is closed.
    ///
    /// # Safety
    ///
    /// - N1, N2: as for `push`, for each element.
    /// - N3: there are `count` elements.
    pub(crate) unsafe fn push_batch<B>(
        &self,
        batch: Fifo<T>,
        count: usize,
        under_lock: impl FnOnce() -> B,
    ) -> Result<B, Fifo<T>> {
        let state = self.state.lock();
        if state.closed {
            return Err(batch);
        }
        state.elements.append(&batch);
        self.lengthen(count);
        Ok(under_lock())
    }

    /// Takes the `most` oldest elements, or all if there are fewer, and hands them out in order after the lock is released; how many
    /// there were. If `each` panics, the rest of them is lost.
    pub(crate) fn pop_batch(&self, most: usize, each: impl FnMut(NonNull<T>)) -> usize {
        let state = self.state.lock();
        let length = self.length.load(Ordering::Relaxed);
        let count = length.min(most);
        // N3: there are that many.
        let batch = state.elements.split_front(count);
        self.length.store(length - count, Ordering::Relaxed);
        self.taken.store(self.taken.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
        drop(state);
        std::iter::from_fn(|| batch.pop()).for_each(each);
        count
    }

    /// How many elements wait. A hint: the answer may be old.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // Nothing is read on the strength of it: who wants the elements takes the lock.
        self.length.load(Ordering::Relaxed)
    }

    /// How many elements were ever taken out. A hint, as [`len`](Self::len), and it comes round.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether nothing waits. A hint, as [`len`](Self::len).
    #[inline]
    pub(crate) fn seems_empty(&self) -> bool {
        self.length.load(Ordering::Relaxed) == 0
    }

    /// Whether nothing waits, with certainty: a push that is not seen here comes later, and sees what the caller did before.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().elements.is_empty()
    }

    /// Refuses pushes from now on; what is left.
    pub(crate) fn close(&self) -> Fifo<T> {
        let mut state = self.state.lock();
        state.closed = true;
        self.length.store(0, Ordering::Relaxed);
        std::mem::replace(&mut state.elements, Fifo::new())
    }

    /// Under the lock only (N3).
    fn lengthen(&self, count: usize) {
        self.length.store(self.length.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitives::Cell;

    struct Number(u32, Cell<*const Number>);

    // SAFETY: the link is a field of the element, written by the queue alone.
    unsafe impl Linked for Number {
        fn link(&self) -> &Cell<*const Self> {
            &self.1
        }
    }

    fn numbers(range: std::ops::Range<u32>) -> Vec<Number> {
        range.map(|n| Number(n, Cell::new(std::ptr::null()))).collect()
    }

    fn batch(elements: &[Number]) -> Fifo<Number> {
        let batch = Fifo::new();
        for element in elements {
            // SAFETY: every element outlives the queues in these tests (L1, N1).
            unsafe { batch.push(NonNull::from(element)) };
        }
        batch
    }

    fn filled(elements: &[Number]) -> Injection<Number> {
        let queue = Injection::new();
        for element in elements {
            // SAFETY: as in `batch`.
            assert_eq!(unsafe { queue.push(NonNull::from(element), || "in") }, Ok("in"));
        }
        queue
    }

    fn pop(queue: &Injection<Number>, most: usize) -> Vec<u32> {
        let mut taken = Vec::new();
        // SAFETY: as in `batch`.
        let count = queue.pop_batch(most, |element| taken.push(unsafe { element.as_ref() }.0));
        assert_eq!(count, taken.len());
        taken
    }

    fn drain(left: &Fifo<Number>) -> Vec<u32> {
        // SAFETY: as in `batch`.
        std::iter::from_fn(|| left.pop().map(|element| unsafe { element.as_ref() }.0)).collect()
    }

    #[test]
    fn elements_leave_in_the_order_they_came() {
        let elements = numbers(0..5);
        let queue = filled(&elements);
        assert_eq!(queue.len(), 5);
        assert_eq!(pop(&queue, 2), [0, 1]);
        assert_eq!((queue.len(), queue.seems_empty(), queue.is_empty()), (3, false, false));
        assert_eq!(pop(&queue, 0), []);
        assert_eq!(pop(&queue, usize::MAX), [2, 3, 4]);
        assert_eq!((queue.len(), queue.seems_empty(), queue.is_empty()), (0, true, true));
        assert_eq!(pop(&queue, 1), []);
    }

    #[test]
    fn batch_comes_after_what_was_there() {
        let elements = numbers(0..6);
        let queue = filled(&elements[..2]);
        // SAFETY: as in `batch`; they are three.
        let pushed = unsafe { queue.push_batch(batch(&elements[2..5]), 3, || queue.len()) };
        assert_eq!(pushed.ok(), Some(5));
        // SAFETY: as in `batch`.
        unsafe { queue.push(NonNull::from(&elements[5]), || ()) }.unwrap();
        assert_eq!(pop(&queue, 9), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn popped_element_is_pushed_again_by_each() {
        let elements = numbers(0..2);
        let queue = filled(&elements);
        // SAFETY: as in `batch`; just taken out.
        queue.pop_batch(1, |element| unsafe { queue.push(element, || ()) }.unwrap());
        assert_eq!(pop(&queue, 2), [1, 0]);
    }

    #[test]
    fn closed_queue_hands_out_the_rest_and_gives_back_what_comes() {
        let elements = numbers(0..5);
        let queue = filled(&elements[..2]);
        assert_eq!(drain(&queue.close()), [0, 1]);
        assert!(queue.seems_empty());
        // SAFETY: as in `batch`.
        let refused = unsafe { queue.push(NonNull::from(&elements[2]), || panic!("called")) };
        assert_eq!(refused, Err::<(), _>(PushError));
        // SAFETY: as in `batch`; they are two.
        let refused = unsafe { queue.push_batch(batch(&elements[3..]), 2, || -> () { panic!("called") }) };
        assert_eq!(drain(&refused.err().unwrap()), [3, 4]);
        assert!(queue.is_empty() && queue.close().is_empty());
    }
}
