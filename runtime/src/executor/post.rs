//! The right to drive a worker.
//!
//! # Invariants
//!
//! - **D1** There is one `Post` for each worker at any time that is not [lent](Post::lend), and who has it is the only one to touch
//!   the worker. While a post is lent, who lends it touches nothing of the worker until it has the lent one back; so does
//!   everybody who has borrowed from it further up the stack.
#![allow(unsafe_code)]

use std::mem;
use std::ops::Deref;
use std::ptr::NonNull;

use super::worker::Worker;

/// Owns a worker, and moves between threads.
pub(crate) struct Post(NonNull<Worker>);

// SAFETY: a worker holds tasks that are `Send`, and plain data that moves along; what belongs to a thread (its locals) is attached
// only while that thread drives.
unsafe impl Send for Post {}

impl Post {
    pub(crate) fn new(worker: Worker) -> Self {
        Self(NonNull::from(Box::leak(Box::new(worker))))
    }

    /// Gives another post for the worker that `worker` refers to, to be taken back with [`take_back`](Self::take_back).
    ///
    /// # Safety
    ///
    /// - D1: the caller holds the post, and touches nothing of the worker until it has taken this one back.
    pub(crate) unsafe fn lend(worker: &Worker) -> Self {
        Self(NonNull::from(worker))
    }

    /// The end of a loan.
    pub(crate) fn take_back(self) {
        mem::forget(self);
    }
}

impl Deref for Post {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        // SAFETY: D1.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        // SAFETY: made from a box, and ours alone (D1).
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
