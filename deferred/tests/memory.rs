//! What a pending Deferred takes: counted by the allocator.

// An allocator cannot be written without.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use rt_deferred::{Deferred, success_result_of};

#[test]
fn pending_with_three_small_callbacks() {
    let ((deferred, resolver), allocated) = allocated(|| {
        let (deferred, resolver) = Deferred::<u64>::new();
        (deferred.add_callback(small(1)).add_callback(small(2)).add_callback(small(3)), resolver)
    });
    assert!(allocated.count <= 1, "{allocated:?}");
    assert!(allocated.bytes <= 256, "{allocated:?}");
    resolver.callback(1).unwrap();
    assert_eq!(success_result_of(deferred), 1 + 3 * (1 + 2 + 3));
}

#[test]
fn pending_with_three_small_callbacks_and_errbacks() {
    let ((deferred, resolver), allocated) = allocated(|| {
        let (deferred, resolver) = Deferred::<u64>::new();
        let handled = deferred.add_callback(small(1)).add_errback(|_| 0).add_both(|result| result.map(small(2)));
        (handled, resolver)
    });
    assert!(allocated.count <= 1 && allocated.bytes <= 256, "{allocated:?}");
    resolver.callback(1).unwrap();
    assert_eq!(success_result_of(deferred), 1 + 3 * (1 + 2));
}

#[test]
fn firing_and_callbacks_on_a_fired_one_allocate_nothing() {
    let (deferred, resolver) = Deferred::<u64>::new();
    let deferred = deferred.add_callback(small(1)).add_callback(small(2)).add_callback(small(3));
    let (deferred, allocated) = allocated(|| {
        resolver.callback(1).unwrap();
        deferred.add_callback(small(4)).add_callback(small(5)).add_callback(small(6)).add_callback(small(7))
    });
    assert_eq!(allocated, Allocated { count: 0, bytes: 0 });
    assert_eq!(success_result_of(deferred), 1 + 3 * (1..=7).sum::<u64>());
}

/// A callback that captures 24 bytes.
fn small(number: u64) -> impl FnOnce(u64) -> u64 + 'static {
    let captured = [black_box(number); 3];
    let callback = move |value| value + captured.iter().sum::<u64>();
    assert_eq!(size_of_val(&callback), 24);
    callback
}

/// What this thread has asked the allocator for; what it gave back is not subtracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allocated {
    count: usize,
    bytes: usize,
}

thread_local! {
    static ALLOCATED: Cell<Allocated> = const { Cell::new(Allocated { count: 0, bytes: 0 }) };
}

fn allocated<T>(make: impl FnOnce() -> T) -> (T, Allocated) {
    ALLOCATED.set(Allocated { count: 0, bytes: 0 });
    let made = make();
    (made, ALLOCATED.get())
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: everything is passed on to the system's allocator (growing too, through `alloc`); counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Allocated { count, bytes } = ALLOCATED.get();
        ALLOCATED.set(Allocated { count: count + 1, bytes: bytes + layout.size() });
        // SAFETY: passed on to the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: passed on to the caller.
        unsafe { System.dealloc(place, layout) }
    }
}
