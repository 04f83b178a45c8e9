//! An allocator that counts: what this thread has asked for and holds, and what the process holds.
#![allow(dead_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

/// How many bytes this thread has allocated and not freed. Less than none, if it frees what others have allocated.
pub(crate) fn held() -> isize {
    HELD.get()
}

/// How often this thread has allocated.
pub(crate) fn calls() -> usize {
    CALLS.get()
}

/// How many bytes are allocated now, by all threads.
pub(crate) fn held_by_all() -> isize {
    HELD_BY_ALL.load(Ordering::Relaxed)
}

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

static HELD_BY_ALL: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

fn allocates(layout: Layout) {
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    holds(layout.size() as isize);
}

fn holds(bytes: isize) {
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
    HELD_BY_ALL.fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: it passes every call on to the system's allocator, unchanged (growing too, through `alloc`), and only counts beside it, which
// allocates nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocates(layout);
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    // The one that the trait brings would touch all memory that is to be zero.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocates(layout);
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        holds(-(layout.size() as isize));
        // SAFETY: `block` came from `alloc` above, that is from the system's allocator, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}
