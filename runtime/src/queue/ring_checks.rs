//! Models of the ring alone: an owner against thieves.
//!
//! Seen by none of them: `push` that loads `head` Relaxed (K3). It would let the processor write a place before a thief's read of it, and
//! loom executes each thread's accesses in the order of the program.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Ring;
use super::ring::CAPACITY;
use crate::models::explore;
use crate::primitives::{UnsafeCell, thread};

/// Sees a use before it was published.
struct Element {
    number: usize,
    content: UnsafeCell<usize>,
    /// Counts behind loom's back: it orders nothing.
    taken: AtomicUsize,
}

// SAFETY: `content` is written by the owner before the push, and used by who takes the element. That is what the models show.
unsafe impl Sync for Element {}

/// A ring, and what goes through it.
struct Bench {
    ring: Ring<Element>,
    elements: Vec<Element>,
}

impl Bench {
    /// A ring that has been used before: its places end after the next `until_wrap` pushes.
    fn new(elements: usize, until_wrap: usize) -> Arc<Self> {
        let element = |number| Element { number, content: UnsafeCell::new(0), taken: AtomicUsize::new(0) };
        let bench = Self { ring: Ring::new(), elements: (0..elements).map(element).collect() };
        for _ in until_wrap..CAPACITY {
            bench.ring.push(NonNull::dangling()).unwrap();
            bench.ring.pop().unwrap();
        }
        Arc::new(bench)
    }

    /// Writes the element, and pushes it; takes it itself if there is no room.
    fn push(&self, number: usize) {
        let element = &self.elements[number];
        element.content.with_mut(|content| {
            // SAFETY: nobody else has it yet.
            unsafe { *content = number + 1 }
        });
        if let Err(refused) = self.ring.push(NonNull::from(element)) {
            take(refused);
        }
    }

    /// Robs the ring once, through one of its own.
    fn rob(&self) {
        let own = Ring::new();
        let first = self.ring.steal_into(&own).map(take);
        let rest: Vec<_> = std::iter::from_fn(|| own.pop()).map(take).collect();
        let order: Vec<_> = first.into_iter().chain(rest).collect();
        assert!(order.is_sorted(), "stolen out of order: {order:?}");
    }

    fn thief(self: &Arc<Self>) -> thread::JoinHandle<()> {
        let bench = Arc::clone(self);
        thread::spawn(move || bench.rob())
    }

    /// Takes what is left; then everything has been taken.
    fn finish(&self) {
        while let Some(element) = self.ring.pop() {
            take(element);
        }
        for element in &self.elements {
            assert_eq!(element.taken.load(Ordering::Relaxed), 1, "element {} is lost", element.number);
        }
    }
}

/// Uses an element up: once, and after it was published.
fn take(element: NonNull<Element>) -> usize {
    // SAFETY: elements live as long as the bench, which every user of its ring holds.
    let element = unsafe { element.as_ref() };
    let content = element.content.with(|content| {
        // SAFETY: published, which loom checks.
        unsafe { *content }
    });
    assert_eq!(content, element.number + 1);
    assert_eq!(element.taken.fetch_add(1, Ordering::Relaxed), 0, "element {} is taken twice", element.number);
    element.number
}

/// Broken once each: `push` that moves `tail` Relaxed, and a thief that loads `tail` Relaxed (it reads a place that is not filled yet, and
/// the element is lost); `advance` all Relaxed (a thief sees `tail` behind `head`, moves `head` past the end, and an element is lost);
/// `pop` that stores `head` (an element is taken twice).
#[test]
fn pushed_and_popped_against_a_thief() {
    explore(|| {
        let bench = Bench::new(3, CAPACITY);
        let thief = bench.thief();
        bench.push(0);
        bench.push(1);
        bench.ring.pop().map(take);
        bench.push(2);
        bench.ring.pop().map(take);
        thief.join().unwrap();
        bench.finish();
    });
}

/// Broken once: a thief that reads the place after the exchange (it finds what the owner has put there meanwhile).
#[test]
fn places_are_used_again_against_a_thief() {
    explore(|| {
        let bench = Bench::new(CAPACITY + 2, 2);
        (0..CAPACITY).for_each(|number| bench.push(number));
        let thief = bench.thief();
        for number in CAPACITY..CAPACITY + 2 {
            bench.ring.pop().map(take);
            bench.push(number);
        }
        thief.join().unwrap();
        bench.finish();
    });
}

/// Broken once: `push` that finds room in a full ring (it overwrites the oldest while the thief takes it).
#[test]
fn full_ring_is_pushed_to_against_a_thief() {
    explore(|| {
        let bench = Bench::new(CAPACITY + 2, 1);
        (0..CAPACITY).for_each(|number| bench.push(number));
        let thief = bench.thief();
        (CAPACITY..CAPACITY + 2).for_each(|number| bench.push(number));
        thief.join().unwrap();
        bench.finish();
    });
}

/// Broken once each: a thief that goes on after a failed exchange, and one that moves its own `tail` before the exchange (an element is
/// taken twice).
#[test]
fn pushed_and_popped_against_two_thieves() {
    explore(|| {
        let bench = Bench::new(3, 2);
        let thieves = [bench.thief(), bench.thief()];
        (0..3).for_each(|number| bench.push(number));
        bench.ring.pop().map(take);
        thieves.into_iter().for_each(|thief| thief.join().unwrap());
        bench.finish();
    });
}

/// Broken once each: `take_half` that stores `head`, and one that hands out before the exchange (an element is taken twice).
#[test]
fn half_is_taken_against_a_thief() {
    explore(|| {
        let bench = Bench::new(CAPACITY + 1, 1);
        (0..CAPACITY).for_each(|number| bench.push(number));
        let thief = bench.thief();
        let mut half = Vec::new();
        bench.ring.take_half(|element| half.push(take(element)));
        assert!(half.is_sorted());
        bench.push(CAPACITY);
        thief.join().unwrap();
        bench.finish();
    });
}

/// Elements go through two rings. Broken once: a thief that moves its own `tail` Relaxed (who robs it reads a place that is not filled yet,
/// and the element is lost).
#[test]
fn thief_is_robbed() {
    explore(|| {
        let (bench, own) = (Bench::new(3, CAPACITY), Arc::new(Ring::new()));
        let thief = thread::spawn({
            let (bench, own) = (Arc::clone(&bench), Arc::clone(&own));
            move || {
                bench.ring.steal_into(&own).map(take);
                own.pop().map(take);
            }
        });
        let second = thread::spawn({
            let own = Arc::clone(&own);
            move || own.steal_into(&Ring::new()).map(take)
        });
        (0..3).for_each(|number| bench.push(number));
        thief.join().unwrap();
        second.join().unwrap();
        while let Some(element) = own.pop() {
            take(element);
        }
        bench.finish();
    });
}
