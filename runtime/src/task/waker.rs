//! The `Waker` over a task: a counted reference behind a vtable.
//!
//! # Invariants
//!
//! - **V1** The data pointer of a waker with this vtable is a `TaskRef` made raw: one counted reference (R1). A borrowed waker
//!   counts nothing and is never dropped.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::cell::Header;
use super::reference::TaskRef;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The waker that a poll is given: valid as long as the cell is, which outlives the poll.
#[inline]
pub(super) fn borrowed_waker(cell: NonNull<Header>) -> ManuallyDrop<Waker> {
    // SAFETY: V1; `ManuallyDrop`, so that the reference which was not counted is not given back.
    ManuallyDrop::new(unsafe { Waker::new(cell.as_ptr().cast_const().cast(), &VTABLE) })
}

impl TaskRef {
    /// The reference as a waker.
    pub(crate) fn into_waker(self) -> Waker {
        // SAFETY: V1.
        unsafe { Waker::new(self.into_raw().as_ptr().cast_const().cast(), &VTABLE) }
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
