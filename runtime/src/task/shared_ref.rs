//! What a reference to a `Shared` task can do: the same on every thread.
#![allow(unsafe_code)]

use std::task::Waker;

use super::cell::{self, Header};
use super::core::{CURRENT, Core};
use super::life::Woken;
use super::reference::{Done, TaskRef};
use super::scheduler::schedule;

impl TaskRef {
    #[inline(always)]
    pub(super) fn is_shared(&self) -> bool {
        self.header().is_shared()
    }

    /// Counts one more reference, which the caller owns.
    #[inline]
    pub(super) fn clone_shared(&self) {
        self.header().word.clone_remote();
    }

    #[inline]
    pub(super) fn wake_shared_by_ref(&self) {
        if !self.is_running_here() && self.header().life().wake() {
            // SAFETY: this thread has made it ACTIVE.
            unsafe { schedule(self.0) };
        }
    }

    #[inline]
    pub(super) fn wake_shared(self) {
        if self.is_running_here() {
            return self.release_shared();
        }
        let cell = self.into_raw();
        // SAFETY: the reference lives on until the step itself gives it back.
        match unsafe { cell.as_ref() }.life().wake_by_value() {
            Woken::Nothing => {}
            // SAFETY: this thread has made it ACTIVE, and it is not DONE, so alive.
            Woken::Schedule => unsafe { schedule(cell) },
            Woken::Free => free(cell),
        }
    }

    /// If the task runs on this thread, now: notes that it is to run again, without an exchange.
    #[inline(always)]
    fn is_running_here(&self) -> bool {
        CURRENT.with(|core| core.is_some_and(|core| core.wakes_itself(self.0)))
    }

    /// Gives the reference back.
    #[inline]
    pub(super) fn release_shared(self) {
        let cell = self.into_raw();
        // SAFETY: the reference lives on until the step itself gives it back.
        if unsafe { cell.as_ref() }.life().release() {
            free(cell);
        }
    }

    pub(super) fn abort_shared(&self) {
        if self.header().life().cancel() {
            // SAFETY: this thread has made it ACTIVE.
            unsafe { schedule(self.0) };
        }
    }

    /// Whether the output is there; if not, `waker` is left behind. For the join handle only.
    #[inline]
    pub(super) fn poll_done_shared(&self, waker: &Waker) -> Done {
        let header = self.header();
        let life = header.life();
        if life.is_done() || life.waits() && !life.stop_waiting() {
            return Done::Elsewhere;
        }
        // SAFETY: the slot is the join handle's, until `wait`.
        unsafe { header.set_local_joiner(waker) };
        if life.wait() { Done::No } else { Done::Elsewhere }
    }

    /// Gives the join handle's reference back, with the output if nobody took it.
    ///
    /// # Safety
    ///
    /// - C3, C4: the caller is the join handle, on a thread where the output may be dropped.
    pub(super) unsafe fn drop_join_shared(self) {
        let life = self.header().life();
        if life.waits() && life.stop_waiting() {
            // SAFETY: the slot is the join handle's again.
            drop(unsafe { self.header().take_local_joiner() });
        }
        if life.join_gone() {
            // The reference went with it.
            self.into_raw();
        } else {
            // SAFETY: the output is there, so the join handle's.
            unsafe { Header::drop_output(self.0) };
            self.release_shared();
        }
    }
}

/// Frees a cell whose last reference this thread has given back.
fn free(cell: std::ptr::NonNull<Header>) {
    // SAFETY: nobody else knows it.
    CURRENT.with(|core| unsafe { cell::free(cell, core.map(Core::pool)) });
}
