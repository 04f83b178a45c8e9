//! Models of the injection queue alone.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic;

use super::{Fifo, Injection, Linked};
use crate::models::explore;
use crate::primitives::atomic::{AtomicBool, Ordering};
use crate::primitives::{Cell, UnsafeCell, thread};

struct Element {
    number: usize,
    link: Cell<*const Element>,
    content: UnsafeCell<usize>,
    /// Counts behind loom's back: it orders nothing.
    taken: atomic::AtomicUsize,
}

// SAFETY: the link is a field that only the queue writes.
unsafe impl Linked for Element {
    fn link(&self) -> &Cell<*const Self> {
        &self.link
    }
}

/// A queue, what goes through it, and what the owner of the queue has.
struct Bench {
    queue: Injection<Element>,
    elements: Vec<Element>,
    /// Written when the owner goes, as freeing it would be.
    owner: UnsafeCell<bool>,
}

// SAFETY: elements are used by one thread at a time, and `owner` as N2 says. That is what the models show.
unsafe impl Sync for Bench {}
// SAFETY: as above.
unsafe impl Send for Bench {}

impl Bench {
    fn new(elements: usize) -> Arc<Self> {
        let element = |number| Element {
            number,
            link: Cell::new(ptr::null()),
            content: UnsafeCell::new(0),
            taken: atomic::AtomicUsize::new(0),
        };
        let elements = (0..elements).map(element).collect();
        Arc::new(Self { queue: Injection::new(), elements, owner: UnsafeCell::new(true) })
    }

    /// Writes the element before it is pushed.
    fn prepare(&self, number: usize) -> NonNull<Element> {
        let element = &self.elements[number];
        element.content.with_mut(|content| {
            // SAFETY: nobody else has it yet.
            unsafe { *content = number + 1 }
        });
        NonNull::from(element)
    }

    /// Pushes one; whether the queue took it.
    fn push(&self, number: usize) -> bool {
        // SAFETY: in no queue, and as alive as the bench (N1), which we hold (N2).
        unsafe { self.queue.push(self.prepare(number), || ()) }.is_ok()
    }

    /// Pushes several as one.
    fn push_batch(&self, numbers: std::ops::Range<usize>) -> bool {
        let (batch, count) = (Fifo::new(), numbers.len());
        // SAFETY: in no queue, and as alive as the bench (L1).
        numbers.for_each(|number| unsafe { batch.push(self.prepare(number)) });
        // SAFETY: as in `push` (N1, N2), and it is their number (N3).
        unsafe { self.queue.push_batch(batch, count, || ()) }.is_ok()
    }

    /// Appends what is popped, at most `most`.
    fn pop(&self, most: usize, taken: &mut Vec<usize>) {
        self.queue.pop_batch(most, |element| taken.push(take(element)));
    }

    fn owner_is_there(&self) -> bool {
        self.owner.with(|owner| {
            // SAFETY: who asks knows that it is not gone, which loom checks.
            unsafe { *owner }
        })
    }

    fn owner_goes(&self) {
        self.owner.with_mut(|owner| {
            // SAFETY: nobody looks any more, which loom checks.
            unsafe { *owner = false }
        });
    }
}

/// Uses an element up: once, and after it was published.
fn take(element: NonNull<Element>) -> usize {
    // SAFETY: elements live as long as the bench, which every user of its queue holds.
    let element = unsafe { element.as_ref() };
    let content = element.content.with(|content| {
        // SAFETY: published, which loom checks.
        unsafe { *content }
    });
    assert_eq!(content, element.number + 1);
    assert_eq!(element.taken.fetch_add(1, atomic::Ordering::Relaxed), 0, "element {} is taken twice", element.number);
    element.number
}

/// Broken once each: `push_batch` that lets go of the lock within a batch (it is torn apart); elements unlinked after the lock was released
/// (race on the links).
#[test]
fn two_push_against_a_popper() {
    explore(|| {
        let bench = Bench::new(4);
        let pushers = [
            thread::spawn({
                let bench = Arc::clone(&bench);
                move || bench.push(0) && bench.push(1)
            }),
            thread::spawn({
                let bench = Arc::clone(&bench);
                move || bench.push_batch(2..4)
            }),
        ];
        let mut taken = Vec::new();
        bench.pop(1, &mut taken);
        bench.pop(2, &mut taken);
        assert!(pushers.into_iter().all(|pusher| pusher.join().unwrap()));
        assert_eq!(bench.queue.len(), 4 - taken.len());
        bench.pop(4, &mut taken);
        assert!(bench.queue.seems_empty());
        let place = |number| taken.iter().position(|taken| *taken == number).expect("it is lost");
        assert!(place(0) < place(1));
        assert_eq!(place(2) + 1, place(3), "a batch stays together: {taken:?}");
    });
}

/// Broken once each: elements unlinked after the lock was released (race on the links); the length read before the lock was taken (it walks
/// past the end of the list).
#[test]
fn two_poppers_share() {
    explore(|| {
        let bench = Bench::new(3);
        assert!(bench.push_batch(0..3));
        let popper = thread::spawn({
            let bench = Arc::clone(&bench);
            move || {
                let mut taken = Vec::new();
                bench.pop(2, &mut taken);
                taken
            }
        });
        let mut taken = Vec::new();
        bench.pop(2, &mut taken);
        taken.extend(popper.join().unwrap());
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2]);
    });
}

/// What a push says and what closing hands out agree. Broken once each: `close` that takes the elements under one lock and refuses from
/// the next on, and a push that looks whether it is closed under a lock before (an element is lost).
#[test]
fn pushed_against_close() {
    explore(|| {
        let bench = Bench::new(3);
        let one = thread::spawn({
            let bench = Arc::clone(&bench);
            move || usize::from(bench.push(0))
        });
        let two = thread::spawn({
            let bench = Arc::clone(&bench);
            move || 2 * usize::from(bench.push_batch(1..3))
        });
        let left = bench.queue.close();
        let left = std::iter::from_fn(|| left.pop()).map(take).count();
        assert_eq!(one.join().unwrap() + two.join().unwrap(), left);
        assert!(bench.queue.is_empty() && bench.queue.seems_empty());
    });
}

/// Who pushes may use the owner under the lock, even if taking the element lets the owner go. Broken once: `under_lock` called after the lock
/// was released (race on the owner).
#[test]
fn owner_goes_when_its_last_element_is_taken() {
    explore(|| {
        let bench = Bench::new(1);
        let pusher = thread::spawn({
            let bench = Arc::clone(&bench);
            // SAFETY: as in `push` (N1, N2).
            move || unsafe { bench.queue.push(bench.prepare(0), || bench.owner_is_there()) }
        });
        let mut taken = Vec::new();
        bench.pop(1, &mut taken);
        if !taken.is_empty() {
            bench.owner_goes();
        }
        assert_eq!(pusher.join().unwrap(), Ok(true));
    });
}

/// Who says that it rests and then finds the queue empty is seen under the lock of who pushes after. Broken once each: `is_empty` that
/// reads the length, and `under_lock` called before the lock is taken (an element waits, and nobody comes).
#[test]
fn who_rests_is_seen_by_who_pushes() {
    explore(|| {
        let (bench, rests) = (Bench::new(1), Arc::new(AtomicBool::new(false)));
        let pusher = thread::spawn({
            let (bench, rests) = (Arc::clone(&bench), Arc::clone(&rests));
            // SAFETY: as in `push` (N1, N2).
            move || unsafe { bench.queue.push(bench.prepare(0), || rests.load(Ordering::Relaxed)) }
        });
        rests.store(true, Ordering::Relaxed);
        let found = !bench.queue.is_empty();
        let rung = pusher.join().unwrap().expect("it is open");
        assert!(found || rung, "an element waits, and nobody comes");
    });
}
