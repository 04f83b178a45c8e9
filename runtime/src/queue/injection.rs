//! A queue that any thread fills and any worker empties: tasks that come from outside, and those that a ring had no room for.
//!
//! A lock around a list through the elements' own links. What is under the lock is a few instructions, in batches where many
//! elements move; asking whether there is anything costs one load.
//!
//! # Invariants
//!
//! - **N1** What is in the queue is alive, and in no other queue through this link, until it has been taken out.
//! - **N2** Who takes an element may give the queue's owner up, and with it the queue. So who pushes touches nothing of it after the
//!   lock is released; what it needs later it prepares under the lock.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::{Fifo, Linked, PushError};
use crate::primitives::Mutex;
use crate::primitives::atomic::{AtomicUsize, Ordering};

/// See above.
pub(crate) struct Injection<T: Linked> {
    state: Mutex<State<T>>,
    /// Written under the lock.
    length: AtomicUsize,
    /// How many elements were ever taken out; written under the lock.
    taken: AtomicUsize,
}

struct State<T: Linked> {
    elements: Fifo<T>,
    closed: bool,
}

// SAFETY: the elements' links are touched by who has the lock (N1), which passes on what was written to them.
unsafe impl<T: Linked> Send for State<T> {}

impl<T: Linked> Injection<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State { elements: Fifo::new(), closed: false }),
            length: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }
    }

    /// Appends `element`; answers with what `under_lock` gave, which is called when the element is in and the lock still held.
    ///
    /// # Safety
    ///
    /// - N1: the element is in no queue, and lives until it is taken out.
    pub(crate) unsafe fn push<B>(&self, element: NonNull<T>, under_lock: impl FnOnce() -> B) -> Result<B, PushError> {
        let state = self.state.lock();
        if state.closed {
            return Err(PushError);
        }
        // SAFETY: N1, by the caller's promise.
        unsafe { state.elements.push(element) };
        self.add(1);
        Ok(under_lock())
    }

    /// Appends all of `batch`, which are `count`.
    ///
    /// # Safety
    ///
    /// - N1: as above, for each.
    pub(crate) unsafe fn push_batch(&self, batch: &Fifo<T>, count: usize) -> Result<(), PushError> {
        let state = self.state.lock();
        if state.closed {
            return Err(PushError);
        }
        state.elements.append(batch);
        self.add(count);
        Ok(())
    }

    /// Takes at most `most` elements, oldest first, out of the lock; how many there were.
    pub(crate) fn pop_batch(&self, most: usize, each: impl FnMut(NonNull<T>)) -> usize {
        let batch = Fifo::new();
        let mut count = 0;
        {
            let state = self.state.lock();
            while count < most
                && let Some(element) = state.elements.pop()
            {
                // SAFETY: just taken, so in no queue (N1).
                unsafe { batch.push(element) };
                count += 1;
            }
            self.length.store(self.length.load(Ordering::Relaxed) - count, Ordering::Relaxed);
            self.taken.store(self.taken.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
        }
        std::iter::from_fn(|| batch.pop()).for_each(each);
        count
    }

    /// Whether there is nothing in it. A hint: the answer may be old.
    #[inline]
    pub(crate) fn seems_empty(&self) -> bool {
        self.length.load(Ordering::Relaxed) == 0
    }

    /// How many elements wait. A hint.
    pub(crate) fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// How many were ever taken out. A hint, and it comes round.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether there is nothing in it: who pushes after this sees what the caller did before.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().elements.is_empty()
    }

    /// Takes nothing more from now on; what is left.
    pub(crate) fn close(&self) -> Fifo<T> {
        let mut state = self.state.lock();
        state.closed = true;
        self.length.store(0, Ordering::Relaxed);
        std::mem::replace(&mut state.elements, Fifo::new())
    }

    /// Under the lock.
    fn add(&self, count: usize) {
        self.length.store(self.length.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }
}
