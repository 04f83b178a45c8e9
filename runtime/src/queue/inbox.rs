//! Where other threads leave what a core must look at: a stack in one word, taken whole by the owner and served in the
//! order of arrival.
//!
//! "Asleep" is a value of the same word, so there is no lost wake-up and no fence: a push either finds the sleeper, and
//! must ring, or the sleeper finds the push.
//!
//! ```text
//!             push                push (ring!)
//!   EMPTY ──────────► stack ◄────────────────── SLEEPING
//!     │ ▲   take        │                          ▲ │
//!     │ └───────────────┘          sleep           │ │ take
//!     ├────────────────────────────────────────────┘ │
//!     │ ▲─────────────────────────────────────────────┘
//!     └──► CLOSED (for ever)
//! ```
//!
//! # Invariants
//!
//! - **Q1** An element is pushed by one thread at a time and stays alive until the owner has taken it; from the start of the
//!   push to the end of the taking, its link belongs first to the pusher, then to the owner.
//! - **Q2** The inbox itself stays alive until the push has returned. A pusher that may outlive the owner takes a counted
//!   handle *before* the exchange that could release the owner, which is why [`Inbox::push`] asks for the bell early.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use crate::primitives::atomic::{AtomicPtr, Ordering};
use crate::primitives::{Cell, LoadToExchange};

/// An element that carries the link of an [`Inbox`].
///
/// # Safety
///
/// `link` returns the same place for the same element as long as it lives, apart from the link of any other queue, and
/// nobody but the inbox writes it while the element is queued.
pub(crate) unsafe trait Queued {
    /// The link to the element that was pushed before.
    fn link(&self) -> &Cell<*const Self>;
}

/// The inbox is closed: the element was not pushed and is the caller's again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PushError;

/// Many threads push, one takes.
pub(crate) struct Inbox<T> {
    head: AtomicPtr<T>,
}

fn empty<T>() -> *mut T {
    ptr::null_mut()
}

fn sleeping<T>() -> *mut T {
    ptr::without_provenance_mut(1)
}

fn closed<T>() -> *mut T {
    ptr::without_provenance_mut(2)
}

impl<T: Queued> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self { head: AtomicPtr::new(empty()) }
    }

    /// Pushes `element`; answers with what `bell` returned if the owner sleeps and must be rung.
    ///
    /// `bell` is called before the exchange, and only if the owner seemed asleep: after the exchange the owner may go on,
    /// close and free the inbox (Q2).
    ///
    /// # Safety
    ///
    /// - Q1: the element is not in any inbox, and lives until the owner has taken it.
    /// - Q2: the inbox lives until the exchange.
    pub(crate) unsafe fn push<B>(&self, element: NonNull<T>, bell: impl Fn() -> B) -> Result<Option<B>, PushError> {
        let mut head = self.head.load_to_exchange(Ordering::Relaxed);
        loop {
            if head == closed() {
                return Err(PushError);
            }
            let asleep = head == sleeping();
            let ring = asleep.then(&bell);
            // SAFETY: alive, and the link is ours until the exchange succeeds (Q1).
            unsafe { element.as_ref() }.link().set(if asleep { ptr::null() } else { head });
            // Release publishes the element and its link to `take`.
            match self.head.compare_exchange_weak(head, element.as_ptr(), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(ring),
                Err(now) => head = now,
            }
        }
    }

    /// Whether nothing was pushed since the last take. A hint: the answer may be old.
    #[inline]
    pub(crate) fn seems_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == empty()
    }

    /// Takes everything, oldest first. Ends sleep. Owner only, and not after [`close`](Self::close).
    pub(crate) fn take(&self) -> Batch<T> {
        // Acquire pairs with the Release in `push`.
        let head = self.head.swap(empty(), Ordering::AcqRel);
        debug_assert!(head != closed(), "take after close");
        if head == sleeping() {
            return Batch { next: ptr::null() };
        }
        Batch { next: reverse(head) }
    }

    /// Goes to sleep; `false` if something arrived meanwhile. Owner only.
    pub(crate) fn sleep(&self) -> bool {
        // Nothing is published to a pusher but the fact itself.
        self.head.compare_exchange(empty(), sleeping(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Makes it a new inbox at the same address.
    #[cfg(test)]
    pub(crate) fn reopen(&self) {
        self.head.store(empty(), Ordering::Relaxed);
    }

    /// Closes for ever; `false` if something arrived meanwhile. Owner only.
    pub(crate) fn close(&self) -> bool {
        self.head.compare_exchange(empty(), closed(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// What one take found.
pub(crate) struct Batch<T> {
    next: *const T,
}

impl<T: Queued> Iterator for Batch<T> {
    type Item = NonNull<T>;

    /// The next element; its link has been read already, so the caller may let it be pushed again.
    fn next(&mut self) -> Option<NonNull<T>> {
        let element = NonNull::new(self.next.cast_mut())?;
        // SAFETY: taken, so alive and its link ours (Q1).
        self.next = unsafe { element.as_ref() }.link().get();
        Some(element)
    }
}

/// A stack holds the newest first; requests are served in the order of arrival.
fn reverse<T: Queued>(newest: *mut T) -> *const T {
    let mut next = newest.cast_const();
    let mut done = ptr::null();
    while !next.is_null() {
        // SAFETY: everything on the stack was taken by us (Q1).
        let link = unsafe { &*next }.link();
        let rest = link.get();
        link.set(done);
        done = next;
        next = rest;
    }
    done
}
