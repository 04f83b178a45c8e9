//! A first-in, first-out queue through a link of its elements; only one thread touches it at a time.
//!
//! # Invariants
//!
//! - **L1** Who pushes an element guarantees that it stays alive, and is in no other queue through the same link, until it
//!   has been popped.
//! - **L2** `tail` is meaningful only while `head` is not null.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use crate::primitives::Cell;

/// An element that carries the link of a [`Fifo`].
///
/// # Safety
///
/// `link` returns the same place for the same element as long as it lives, and nobody else writes it while the element is
/// queued.
pub(crate) unsafe trait Linked {
    /// The link to the next element.
    fn link(&self) -> &Cell<*const Self>;
}

/// A queue of elements that live elsewhere.
pub(crate) struct Fifo<T: Linked> {
    head: Cell<*const T>,
    tail: Cell<*const T>,
}

impl<T: Linked> Fifo<T> {
    pub(crate) fn new() -> Self {
        Self { head: Cell::new(ptr::null()), tail: Cell::new(ptr::null()) }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// Appends `element`.
    ///
    /// # Safety
    ///
    /// - L1: the element lives, and is queued nowhere else through this link, until it has been popped.
    #[inline]
    pub(crate) unsafe fn push(&self, element: NonNull<T>) {
        // SAFETY: alive by the caller's promise (L1).
        unsafe { element.as_ref() }.link().set(ptr::null());
        if self.is_empty() {
            self.head.set(element.as_ptr());
        } else {
            // SAFETY: the queue is not empty, so `tail` is an element in it (L2), alive by L1.
            unsafe { &*self.tail.get() }.link().set(element.as_ptr());
        }
        self.tail.set(element.as_ptr());
    }

    /// Takes the oldest element.
    #[inline]
    pub(crate) fn pop(&self) -> Option<NonNull<T>> {
        let head = NonNull::new(self.head.get().cast_mut())?;
        // SAFETY: queued, so alive (L1).
        self.head.set(unsafe { head.as_ref() }.link().get());
        Some(head)
    }

    /// Moves everything that `other` holds to the end of this queue, in order and in one step.
    pub(crate) fn append(&self, other: &Self) {
        let first = other.head.replace(ptr::null());
        if first.is_null() {
            return;
        }
        if self.is_empty() {
            self.head.set(first);
        } else {
            // SAFETY: the queue is not empty, so `tail` is an element in it (L2), alive by L1.
            unsafe { &*self.tail.get() }.link().set(first);
        }
        // `other` was not empty, so this is the last of its elements (L2), now ours under the same promise (L1).
        self.tail.set(other.tail.get());
    }

    /// Takes the `count` oldest elements as a queue of their own; there are at least as many.
    pub(crate) fn split_front(&self, count: usize) -> Self {
        let front = Self::new();
        if count == 0 {
            return front;
        }
        let first = self.head.get();
        let mut last = first;
        for _ in 1..count {
            // SAFETY: there are `count` elements, so this is one of them, alive by L1.
            last = unsafe { &*last }.link().get();
        }
        // SAFETY: as above.
        self.head.set(unsafe { &*last }.link().replace(ptr::null()));
        front.head.set(first);
        front.tail.set(last);
        front
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Number(u32, Cell<*const Number>);

    // SAFETY: the link is a field of the element, written by the queue alone.
    unsafe impl Linked for Number {
        fn link(&self) -> &Cell<*const Self> {
            &self.1
        }
    }

    fn numbers(range: std::ops::Range<u32>) -> Vec<Number> {
        range.map(|n| Number(n, Cell::new(ptr::null()))).collect()
    }

    fn drain(queue: &Fifo<Number>) -> Vec<u32> {
        // SAFETY: every element outlives the queue in these tests (L1).
        std::iter::from_fn(|| queue.pop().map(|n| unsafe { n.as_ref() }.0)).collect()
    }

    #[test]
    fn elements_leave_in_the_order_they_came() {
        let elements = numbers(0..5);
        let queue = Fifo::new();
        for element in &elements {
            // SAFETY: L1, see `drain`.
            unsafe { queue.push(NonNull::from(element)) };
        }
        assert_eq!(drain(&queue), [0, 1, 2, 3, 4]);
        assert!(queue.is_empty());
    }

    #[test]
    fn push_after_pop_of_the_last() {
        let elements = numbers(0..2);
        let queue = Fifo::new();
        for element in &elements {
            // SAFETY: L1, see `drain`.
            unsafe { queue.push(NonNull::from(element)) };
            assert_eq!(drain(&queue), [element.0]);
        }
    }

    #[test]
    fn append_keeps_both_orders_and_empties_the_other() {
        let elements = numbers(0..6);
        let (first, second) = (Fifo::new(), Fifo::new());
        for element in &elements {
            let queue = if element.0 % 2 == 0 { &first } else { &second };
            // SAFETY: L1, see `drain`.
            unsafe { queue.push(NonNull::from(element)) };
        }
        first.append(&second);
        assert_eq!(drain(&first), [0, 2, 4, 1, 3, 5]);
        assert!(second.is_empty());
    }

    #[test]
    fn append_to_an_empty_queue_and_of_an_empty_queue() {
        let elements = numbers(0..3);
        let (first, second) = (Fifo::new(), Fifo::new());
        for element in &elements[..2] {
            // SAFETY: L1, see `drain`.
            unsafe { second.push(NonNull::from(element)) };
        }
        first.append(&second);
        first.append(&second);
        // SAFETY: L1, see `drain`.
        unsafe { first.push(NonNull::from(&elements[2])) };
        assert_eq!(drain(&first), [0, 1, 2]);
    }

    #[test]
    fn front_is_split_off_and_both_parts_take_more() {
        for count in 0..=4 {
            let elements = numbers(0..6);
            let queue = Fifo::new();
            for element in &elements[..4] {
                // SAFETY: L1, see `drain`.
                unsafe { queue.push(NonNull::from(element)) };
            }
            let front = queue.split_front(count as usize);
            // SAFETY: L1, see `drain`.
            unsafe { front.push(NonNull::from(&elements[4])) };
            // SAFETY: as above.
            unsafe { queue.push(NonNull::from(&elements[5])) };
            assert_eq!(drain(&front), (0..count).chain([4]).collect::<Vec<_>>());
            assert_eq!(drain(&queue), (count..4).chain([5]).collect::<Vec<_>>());
        }
    }
}
