//! What all seats of a multi-thread runtime share: the injection queue, and the part of each seat that others may touch.
//!
//! # Invariants
//!
//! - **S1** A scheduler outlives every `Shared` task of it that is not DONE: it is given up by who has [closed](super::Core) all
//!   its seats, and until then every such task is in a list of a seat or in the injection queue. So `home` of a cell may be
//!   followed by who has made it ACTIVE, until the task is in a queue. What must be done after that (to wake a worker) is
//!   prepared under the injection queue's lock, while whoever would take the task still waits for it.
//! - **S2** What is in a slot, a ring or the injection queue is ACTIVE and not DONE, so alive, and in one of them only; who takes
//!   it out is responsible for it.
#![allow(unsafe_code)]

use std::future::Future;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::cell::{Birth, Header, Meta, Unborn};
use super::core::CURRENT;
use super::home::Bell;
use super::reference::Spawned;
use super::seat::Seat;
use crate::primitives::atomic::{AtomicBool, Ordering};
use crate::queue::{Injection, PushError};

/// Who decides which worker is woken, and keeps an eye on them.
pub(crate) trait Lookout: Send + Sync {
    /// A task is being injected, under the queue's lock. Answers whom to ring when the lock has been released.
    fn injected(&self) -> Option<Arc<dyn Bell>>;

    /// The worker of this seat should look at what came back.
    fn rouse(&self, seat: usize);
}

/// What all seats share.
pub(crate) struct Scheduler {
    seats: Box<[Seat]>,
    pub(super) injection: Injection<Header>,
    pub(super) lookout: Arc<dyn Lookout>,
    /// What is spawned is cancelled at once.
    closing: AtomicBool,
}

impl Scheduler {
    pub(crate) fn new(seats: usize, lookout: Arc<dyn Lookout>) -> Self {
        Self {
            seats: (0..seats).map(|_| Seat::new()).collect(),
            injection: Injection::new(),
            lookout,
            closing: AtomicBool::new(false),
        }
    }

    /// From now on what is spawned is cancelled at once; what slips through ends with all the others.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// Whether tasks wait in the injection queue. A hint.
    #[inline]
    pub(crate) fn has_injected(&self) -> bool {
        !self.injection.seems_empty()
    }

    /// How many tasks wait in the injection queue, and how many were ever taken out of it. Hints.
    pub(crate) fn injected_and_taken(&self) -> (usize, usize) {
        (self.injection.len(), self.injection.taken())
    }

    /// The same for who is about to sleep: a task that this does not see is injected later than whatever the caller has said
    /// before, so [`Lookout::injected`] hears of that.
    pub(crate) fn has_injected_before_now(&self) -> bool {
        !self.injection.is_empty()
    }

    /// Makes a task from a thread that drives no worker of this runtime.
    pub(crate) fn spawn<F>(self: &Arc<Self>, future: Unborn<F>, meta: Meta) -> Spawned<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let cell = future.be_born(Birth::Shared, meta, Arc::as_ptr(self).cast());
        // SAFETY: fresh: nobody else knows it, and it is ACTIVE. `self` keeps the scheduler (S1).
        unsafe {
            if self.closing.load(Ordering::Relaxed) || self.inject(cell) == Err(PushError) {
                Header::orphan_shared(cell);
            }
            Spawned::from_raw(cell)
        }
    }

    /// Puts an ACTIVE task into the injection queue and wakes somebody for it, if need be.
    ///
    /// # Safety
    ///
    /// - S1, S2: the caller is responsible for the task, and is not any more if this succeeds.
    pub(super) unsafe fn inject(&self, cell: NonNull<Header>) -> Result<(), PushError> {
        // SAFETY: alive, in no queue (S2).
        let bell = unsafe { self.injection.push(cell, || self.lookout.injected()) }?;
        // From here on the scheduler may be gone (S1).
        if let Some(bell) = bell {
            bell.ring();
        }
        Ok(())
    }
}

/// Puts a task that this thread has made ACTIVE where it will be run.
///
/// # Safety
///
/// - S1, S2: the caller is responsible for the task.
pub(super) unsafe fn schedule(cell: NonNull<Header>) {
    // SAFETY: alive, because it is not DONE, and so is its scheduler (S1).
    let scheduler = unsafe { cell.as_ref() }.scheduler();
    let here = CURRENT.with(|core| {
        let seat = core.and_then(|core| core.seat_of(scheduler))?;
        // SAFETY: the caller's promise.
        unsafe { seat.push_woken(cell) };
        Some(())
    });
    if here.is_none() {
        // SAFETY: as above. The queue is closed only when no task is left that could come here.
        if let Err(PushError) = unsafe { (*scheduler).inject(cell) } {
            unreachable!("the injection queue closes when every task has ended");
        }
    }
}

/// No scheduler: what a core without a seat compares with.
pub(super) fn no_scheduler() -> *const Scheduler {
    ptr::null()
}
