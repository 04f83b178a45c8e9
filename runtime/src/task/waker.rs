//! The `Waker` over a task: a counted reference behind a vtable.
//!
//! # Invariants
//!
//! - **V1** The data pointer of a waker with one of these vtables is a `TaskRef` made raw: one counted reference (R1). A borrowed waker
//!   counts nothing and is never dropped.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::cell::Header;
use super::reference::TaskRef;

/// Of `Shared` tasks, which need not ask whether this thread is the owner.
static SHARED_VTABLE: RawWakerVTable = RawWakerVTable::new(clone_shared, wake_shared, wake_shared_by_ref, drop_shared);

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The waker that a poll is given: valid as long as the cell is, which outlives the poll.
#[inline]
pub(super) fn borrowed_waker(cell: NonNull<Header>) -> ManuallyDrop<Waker> {
    // SAFETY: V1; `ManuallyDrop`, so that the reference which was not counted is not given back.
    ManuallyDrop::new(unsafe { Waker::new(cell.as_ptr().cast_const().cast(), &VTABLE) })
}

/// The same for a `Shared` task.
#[inline]
pub(super) fn borrowed_shared_waker(cell: NonNull<Header>) -> ManuallyDrop<Waker> {
    // SAFETY: as above.
    ManuallyDrop::new(unsafe { Waker::new(cell.as_ptr().cast_const().cast(), &SHARED_VTABLE) })
}

impl TaskRef {
    /// The reference as a waker.
    pub(crate) fn into_waker(self) -> Waker {
        let vtable = if self.is_shared() { &SHARED_VTABLE } else { &VTABLE };
        // SAFETY: V1.
        unsafe { Waker::new(self.into_raw().as_ptr().cast_const().cast(), vtable) }
    }
}

/// The reference that `data` is.
///
/// # Safety
///
/// - V1.
unsafe fn reference(data: *const ()) -> ManuallyDrop<TaskRef> {
    // SAFETY: made from a `NonNull`, so not null; V1.
    unsafe { ManuallyDrop::new(TaskRef::from_raw(NonNull::new_unchecked(data.cast_mut().cast()))) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: V1, by the contract of `RawWaker`; so below.
    let clone = unsafe { reference(data) }.clone();
    std::mem::forget(ManuallyDrop::into_inner(clone));
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: V1; the waker is consumed.
    ManuallyDrop::into_inner(unsafe { reference(data) }).wake();
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: V1.
    unsafe { reference(data) }.wake_by_ref();
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: V1; the waker is consumed.
    drop(ManuallyDrop::into_inner(unsafe { reference(data) }));
}

unsafe fn clone_shared(data: *const ()) -> RawWaker {
    // SAFETY: V1; so below.
    unsafe { reference(data) }.clone_shared();
    RawWaker::new(data, &SHARED_VTABLE)
}

unsafe fn wake_shared(data: *const ()) {
    // SAFETY: V1; the waker is consumed.
    ManuallyDrop::into_inner(unsafe { reference(data) }).wake_shared();
}

unsafe fn wake_shared_by_ref(data: *const ()) {
    // SAFETY: V1.
    unsafe { reference(data) }.wake_shared_by_ref();
}

unsafe fn drop_shared(data: *const ()) {
    // SAFETY: V1; the waker is consumed.
    ManuallyDrop::into_inner(unsafe { reference(data) }).release_shared();
}
