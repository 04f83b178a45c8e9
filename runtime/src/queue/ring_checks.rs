//! Models of the queues that many workers share.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::injection::Injection;
use super::list::Linked;
use super::ring::Ring;
use crate::models::explore;
use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::primitives::{Cell, UnsafeCell, thread};

/// Says when it is used twice, or before it was published.
struct Element {
    number: usize,
    link: Cell<*const Element>,
    content: UnsafeCell<usize>,
}

// SAFETY: the link is a field that only the queue writes.
unsafe impl Linked for Element {
    fn link(&self) -> &Cell<*const Self> {
        &self.link
    }
}

fn element(number: usize) -> NonNull<Element> {
    let element = Element { number, link: Cell::new(ptr::null()), content: UnsafeCell::new(0) };
    let element = Box::new(element);
    element.content.with_mut(|content| {
        // SAFETY: ours alone.
        unsafe { *content = number }
    });
    NonNull::from(Box::leak(element))
}

/// Uses an element up.
fn finish(element: NonNull<Element>) -> usize {
    // SAFETY: who takes an element is the only one to have it; that is what the models show.
    let element = unsafe { Box::from_raw(element.as_ptr()) };
    let content = element.content.with_mut(|content| {
        // SAFETY: as above.
        unsafe { *content }
    });
    assert_eq!(content, element.number);
    element.number
}

/// The owner of `victim` pushes `count` elements and takes some in between; thieves rob it, each into a ring of its own. Everything
/// arrives once.
fn owner_against_thieves(count: usize, thieves: usize, owner_takes: fn(&Ring<Element>, &mut usize)) {
    explore(move || {
        let victim = Arc::new(Ring::new());
        let thieves: Vec<_> = (0..thieves)
            .map(|_| {
                let victim = Arc::clone(&victim);
                thread::spawn(move || {
                    let own = Ring::new();
                    let mut sum = victim.steal_into(&own).map_or(0, finish);
                    while let Some(element) = own.pop() {
                        sum += finish(element);
                    }
                    sum
                })
            })
            .collect();
        let mut sum = 0;
        for number in 1..=count {
            if let Err(refused) = victim.push(element(number)) {
                sum += finish(refused);
            }
            owner_takes(&victim, &mut sum);
        }
        for thief in thieves {
            sum += thief.join().unwrap();
        }
        while let Some(element) = victim.pop() {
            sum += finish(element);
        }
        assert_eq!(sum, (1..=count).sum());
    });
}

/// Broken once each: tail moved with Relaxed, or loaded with Relaxed by the thief (race on the content); `pop` that stores head
/// instead of exchanging it (an element arrives twice).
#[test]
fn pushed_and_popped_against_a_thief() {
    owner_against_thieves(3, 1, |ring, sum| {
        if let Some(element) = ring.pop() {
            *sum += finish(element);
        }
    });
}

/// Broken once: a thief that reads the places only after the exchange (it finds what the owner has put there meanwhile).
#[test]
fn places_are_used_again_against_a_thief() {
    owner_against_thieves(6, 1, |ring, sum| {
        if ring.free() == 0
            && let Some(element) = ring.pop()
        {
            *sum += finish(element);
        }
    });
}

/// Broken once: a thief that does not look whether the exchange has succeeded (elements arrive twice).
#[test]
fn two_thieves_and_the_owner() {
    owner_against_thieves(2, 2, |_, _| ());
}

/// Broken once: `take_half` that stores head (elements arrive twice).
#[test]
fn half_is_taken_against_a_thief() {
    owner_against_thieves(4, 1, |ring, sum| {
        if ring.free() == 0 {
            ring.take_half(|element| *sum += finish(element));
        }
    });
}

/// Two threads push, a third takes, and what is left comes out at closing. Broken once: elements taken out after the lock was
/// released (race on the links).
#[test]
fn injected_by_two_against_taking_and_closing() {
    explore(|| {
        let queue = Arc::new(Injection::new());
        let pushers = [1, 2].map(|number| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let element = element(number);
                // SAFETY: in no queue, and alive until it is used up.
                match unsafe { queue.push(element, || ()) } {
                    Ok(()) => 0,
                    Err(_) => finish(element),
                }
            })
        });
        let mut sum = 0;
        queue.pop_batch(1, |element| sum += finish(element));
        let left = queue.close();
        while let Some(element) = left.pop() {
            sum += finish(element);
        }
        for pusher in pushers {
            sum += pusher.join().unwrap();
        }
        assert_eq!(sum, 3);
    });
}

/// Who says that it rests and then finds the queue empty is seen by who injects. Broken once: `is_empty` that reads the length
/// (a task waits and nobody comes).
#[test]
fn who_rests_is_seen_by_who_injects() {
    explore(|| {
        let queue = Arc::new(Injection::new());
        let awake = Arc::new(AtomicUsize::new(1));
        let pusher = thread::spawn({
            let (queue, awake) = (Arc::clone(&queue), Arc::clone(&awake));
            move || {
                // SAFETY: in no queue, and alive until it is used up.
                unsafe { queue.push(element(1), || awake.load(Ordering::Relaxed) == 0) }.expect("it is open")
            }
        });
        awake.store(0, Ordering::Relaxed);
        let found = !queue.is_empty();
        let rung = pusher.join().unwrap();
        assert!(found || rung, "the element waits, and nobody knows of it");
        queue.pop_batch(1, |element| _ = finish(element));
    });
}
