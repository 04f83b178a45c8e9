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
        // Acquire pairs with the Release in `take`, also on failure: who is woken sees what the taker did before.
        if self.state.compare_exchange(0, REGISTERING, Ordering::Acquire, Ordering::Acquire).is_err() {
            // Being taken: what the slot would have waited for has happened.
            clone.wake();
            return;
        }
        // SAFETY: W1.
        let old = self.waker.with_mut(|place| unsafe { (*place).replace(clone) });
        // Release publishes the waker to `take`; Acquire as above.
        if self.state.compare_exchange(REGISTERING, 0, Ordering::AcqRel, Ordering::Acquire).is_err() {
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

#[cfg(test)]
mod checks {
    use std::sync::Arc;
    use std::task::Poll;

    use super::*;
    use crate::models::{explore, wait_for};
    use crate::primitives::thread;

    #[derive(Default)]
    struct Shared {
        state: AtomicU8,
        waker: UnsafeCell<Option<Waker>>,
        /// What the registrar waits for.
        done: AtomicU8,
    }

    // SAFETY: what the models are there to show (W1).
    unsafe impl Send for Shared {}
    // SAFETY: as above.
    unsafe impl Sync for Shared {}

    impl Shared {
        fn slot(&self) -> WakerSlot<'_> {
            WakerSlot::new(&self.state, &self.waker)
        }
    }

    /// The registrar leaves its waker `registrations` times in a poll and looks; the taker says that it is done and takes
    /// `takes` times, as the owner of a cell does. Broken once each: `register` that ends with a store, so that it overlooks the
    /// taker (lost wake-up); `register` that begins or ends with Relaxed, `take` that begins or ends with Relaxed (race on the
    /// waker, or what was done is not seen), Relaxed where `register` fails at its beginning (what was done is not seen).
    fn register_against_take(registrations: usize, takes: usize) {
        explore(move || {
            let shared = Arc::new(Shared::default());
            let taker = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    // Relaxed: the slot orders it.
                    shared.done.store(1, Ordering::Relaxed);
                    for _ in 0..takes {
                        if let Some(waker) = shared.slot().take() {
                            waker.wake();
                        }
                    }
                }
            });
            wait_for(|cx| {
                (0..registrations).for_each(|_| shared.slot().register(cx.waker()));
                if shared.done.load(Ordering::Relaxed) == 1 { Poll::Ready(()) } else { Poll::Pending }
            });
            taker.join().unwrap();
        });
    }

    #[test]
    fn registered_against_one_take() {
        register_against_take(1, 1);
    }

    #[test]
    fn registered_against_two_takes() {
        register_against_take(1, 2);
    }

    #[test]
    fn registered_twice_against_one_take() {
        register_against_take(2, 1);
    }
}
