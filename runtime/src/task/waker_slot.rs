//! A place for one waker, filled by one thread and emptied by another, without a lock and without waiting.
//!
//! # Invariants
//!
//! - **W1** Who moves the state away from zero by setting REGISTERING or TAKING alone may touch the waker until it clears
//!   that bit. A taker that finds REGISTERING leaves the waking to the registrar, who finds TAKING when it is done.
//! - **W2** One thread registers at a time (the one join handle); any may take.
#![allow(unsafe_code)]

use std::task::Waker;

use crate::primitives::UnsafeCell;
use crate::primitives::atomic::{AtomicU8, Ordering};

const REGISTERING: u8 = 1;
const TAKING: u8 = 2;

/// The two fields of a slot, which lie apart to save padding.
pub(super) struct WakerSlot<'a> {
    state: &'a AtomicU8,
    waker: &'a UnsafeCell<Option<Waker>>,
}

impl<'a> WakerSlot<'a> {
    pub(super) fn new(state: &'a AtomicU8, waker: &'a UnsafeCell<Option<Waker>>) -> Self {
        Self { state, waker }
    }

    /// Leaves a clone of `waker`; if somebody takes at this moment, wakes it at once.
    pub(super) fn register(&self, waker: &Waker) {
        let clone = waker.clone();
        // Acquire pairs with the Release in `take`.
        if self.state.compare_exchange(0, REGISTERING, Ordering::Acquire, Ordering::Relaxed).is_err() {
            // Being taken: what the slot would have waited for has happened.
            clone.wake();
            return;
        }
        // SAFETY: W1.
        let old = self.waker.with_mut(|place| unsafe { (*place).replace(clone) });
        // Release publishes the waker to `take`.
        if self.state.compare_exchange(REGISTERING, 0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // A taker came meanwhile and left: its work is ours. SAFETY: W1, still ours.
            let waker = self.waker.with_mut(|place| unsafe { (*place).take() });
            self.state.store(0, Ordering::Release);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        drop(old);
    }

    /// Empties the slot. Nothing, if it is empty or being filled at this moment.
    pub(super) fn take(&self) -> Option<Waker> {
        // Acquire pairs with the Release in `register`.
        if self.state.fetch_or(TAKING, Ordering::AcqRel) != 0 {
            return None;
        }
        // SAFETY: W1.
        let waker = self.waker.with_mut(|place| unsafe { (*place).take() });
        self.state.fetch_and(!TAKING, Ordering::Release);
        waker
    }
}
