//! A counted reference to a task, and the choice that every operation begins with: are we the owner, or remote?
//!
//! # Invariants
//!
//! - **R1** A `TaskRef` is one of the references that the cell counts, on either side; it keeps the cell alive (C1).
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;
use std::task::Waker;

use super::cell::Header;
use super::core::{CURRENT, Core, pay};
use super::owner::Excess;
use super::shared::{Owed, Request};
use super::{Id, JoinFailure};

/// A counted reference to a task.
pub(crate) struct TaskRef(pub(super) NonNull<Header>);

// SAFETY: a reference may be used from any thread: the owner's side is chosen only where this thread drives the home, and the
// output is reached only through the unsafe functions below.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// Takes over one reference.
    ///
    /// # Safety
    ///
    /// - R1: the reference is counted, and nobody else gives it back.
    #[inline]
    pub(super) unsafe fn from_raw(cell: NonNull<Header>) -> Self {
        Self(cell)
    }

    /// Gives the reference out of hand, still counted.
    #[inline]
    pub(super) fn into_raw(self) -> NonNull<Header> {
        mem::ManuallyDrop::new(self).0
    }

    #[inline]
    pub(super) fn header(&self) -> &Header {
        // SAFETY: R1.
        unsafe { self.0.as_ref() }
    }

    /// Calls `f` if this thread is the owner.
    #[inline(always)]
    fn as_owner<R>(&self, f: impl FnOnce(&Core) -> R) -> Option<R> {
        CURRENT.with(|core| core.filter(|core| core.owns(self.header())).map(f))
    }

    pub(crate) fn id(&self) -> Id {
        self.header().id()
    }

    /// Schedules the task.
    #[inline]
    pub(crate) fn wake_by_ref(&self) {
        // SAFETY: this thread is the owner.
        if self.as_owner(|core| unsafe { core.wake(self.0) }).is_none() {
            if self.is_shared() {
                return self.wake_shared_by_ref();
            }
            pay(self.header().word.request(Request::Wake), self.0);
        }
    }

    /// Schedules the task and gives the reference back.
    #[inline]
    pub(crate) fn wake(self) {
        if self.is_shared() {
            return self.wake_shared();
        }
        // SAFETY: this thread is the owner, and the reference goes out of hand below.
        let owned = self.as_owner(|core| unsafe {
            core.wake(self.0);
            core.drop_reference(self.0);
        });
        let cell = self.into_raw();
        if owned.is_none() {
            // SAFETY: the reference lives on until the step itself gives it back.
            pay(unsafe { cell.as_ref() }.word.wake_by_value(), cell);
        }
    }

    /// Asks for the task to be cancelled.
    pub(crate) fn abort(&self) {
        let header = self.header();
        if self.is_shared() {
            return self.abort_shared();
        }
        let owned = self.as_owner(|core| {
            if !header.owner.is_done() {
                header.owner.cancel();
                // SAFETY: this thread is the owner.
                unsafe { core.wake(self.0) };
            }
        });
        if owned.is_none() {
            pay(header.word.request(Request::Abort), self.0);
        }
    }

    /// Whether the output is there (or was taken).
    pub(crate) fn is_finished(&self) -> bool {
        if self.is_shared() { self.header().life().is_done() } else { self.header().is_output_ready() }
    }

    /// Whether the output is there; if not, `waker` is left behind.
    ///
    /// Apart from [`take_output`](Self::take_output), because an output that is handed through several layers is copied in each.
    #[inline(always)]
    pub(super) fn poll_done(&self, waker: &Waker) -> Done {
        let header = self.header();
        let here = self.as_owner(|_| {
            if header.owner.is_done() {
                return Done::Here;
            }
            // SAFETY: this thread is the owner.
            unsafe { header.set_local_joiner(waker) };
            Done::No
        });
        here.unwrap_or_else(|| self.poll_done_remote(waker))
    }

    #[cold]
    fn poll_done_remote(&self, waker: &Waker) -> Done {
        if self.is_shared() {
            return self.poll_done_shared(waker);
        }
        let header = self.header();
        if !header.is_output_ready() {
            header.remote_join().register(waker);
            pay(header.word.request(Request::JoinWait), self.0);
            // If the cell was merged meanwhile, nobody will look at the request; but then the output is there, and the step
            // above has made that visible.
            if !header.is_output_ready() {
                return Done::No;
            }
        }
        Done::Elsewhere
    }

    /// The output.
    ///
    /// # Safety
    ///
    /// - C3: the caller is the join handle, and [`poll_done`](Self::poll_done) said that the output is there; `T` is the output
    ///   of the task's future, and was not taken before.
    #[inline(always)]
    pub(super) unsafe fn take_output<T>(&self) -> Result<T, JoinFailure> {
        // SAFETY: the caller's promise.
        unsafe { Header::take_output(self.0).unwrap_unchecked() }
    }

    /// Gives back the reference of a join handle that has had its output, at the place that
    /// [`poll_done`](Self::poll_done) has named just before.
    #[inline(always)]
    pub(super) fn joined(self, done: Done) {
        if done == Done::Here {
            let cell = self.into_raw();
            // SAFETY: this thread is the owner, and the reference is out of hand.
            CURRENT.with(|core| core.map(|core| unsafe { core.drop_reference(cell) }));
        }
    }

    /// Gives the join handle's reference back, with the output if nobody took it.
    ///
    /// # Safety
    ///
    /// - C3, C4: the caller is the join handle, on a thread where the output may be dropped.
    #[inline]
    pub(super) unsafe fn drop_join(self) {
        if self.is_shared() {
            // SAFETY: the caller's promise.
            return unsafe { self.drop_join_shared() };
        }
        let cell = self.0;
        let header = self.header();
        // SAFETY: this thread is the owner; if the task is done, the output is the join handle's; the reference goes out of hand
        // below.
        let owned = self.as_owner(|core| unsafe {
            header.owner.end_join_interest();
            if header.owner.is_done() {
                Header::drop_output(cell);
            }
            core.drop_reference(cell);
        });
        self.into_raw();
        if owned.is_none() {
            // SAFETY: the reference lives on until the step itself gives it back.
            let header = unsafe { cell.as_ref() };
            let owed = if header.is_output_ready() { None } else { header.word.join_gone() };
            let owed = owed.unwrap_or_else(|| {
                // SAFETY: `done` says whose the output is: it was set, or has been by the time that the cell was merged.
                unsafe { Header::drop_output(cell) };
                header.word.drop_remote()
            });
            pay(owed, cell);
        }
    }
}

/// Whether a task's output is there, and for whom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    No,
    /// For the owner's side, where this thread is.
    Here,
    Elsewhere,
}

/// The join handle's reference to a task whose output is a `T`, on its way into a [`JoinHandle`](super::JoinHandle).
pub(crate) struct Spawned<T> {
    pub(super) task: TaskRef,
    output: PhantomData<fn() -> T>,
}

impl<T> Spawned<T> {
    /// Takes over the join handle's reference.
    ///
    /// # Safety
    ///
    /// - R1; `T` is the output of the cell's future, and no other `Spawned` or `JoinHandle` of this cell exists.
    #[inline]
    pub(super) unsafe fn from_raw(cell: NonNull<Header>) -> Self {
        Self { task: TaskRef(cell), output: PhantomData }
    }

    /// A waker of the task.
    pub(crate) fn waker(&self) -> Waker {
        self.task.clone().into_waker()
    }
}

impl Clone for TaskRef {
    #[inline]
    fn clone(&self) -> Self {
        let header = self.header();
        // A `Shared` cell counts everything there, as a merged one.
        if self.as_owner(|_| header.owner.increment()) != Some(Excess(0)) {
            header.word.clone_remote();
        }
        Self(self.0)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this thread is the owner, and the reference is gone after this.
        if self.as_owner(|core| unsafe { core.drop_reference(self.0) }).is_none() {
            // A `Shared` cell counts everything there, as a merged one.
            let owed: Owed = self.header().word.drop_remote();
            pay(owed, self.0);
        }
    }
}
