//! A bounded queue that its owner fills and empties, and that others may rob.
//!
//! ```text
//!            head                    tail
//!             ▼                       ▼
//!   ┌───┬───┬───┬───┬───┬───┬───┬───┬───┬───┐      positions count on for ever; place = position modulo CAPACITY
//!   │   │   │ a │ b │ c │ d │ e │ f │   │   │
//!   └───┴───┴───┴───┴───┴───┴───┴───┴───┴───┘      push: write the place, then move tail (owner: a store)
//!             └── a thief: ──┘                     take: read the places, then move head past them (anybody: an exchange)
//! ```
//!
//! An exchange of `head` decides whose the elements are that it passes. Who reads places before it may read what is being
//! overwritten, but then `head` has moved on, the exchange fails, and what was read is forgotten.
//!
//! # Invariants
//!
//! - **K1** One thread at a time is the owner: only it calls [`push`](Ring::push), [`pop`](Ring::pop) and
//!   [`take_half`](Ring::take_half), and gives a ring as its own to [`steal_into`](Ring::steal_into). Another thread may become
//!   the owner if something else orders it after the one before.
//! - **K2** An element is the one's whose exchange of `head` passes its position, and nobody else's: positions are never used
//!   again, so an exchange cannot take one `head` for another.
//! - **K3** Only the owner writes a place, and only between `tail` and `head + CAPACITY`, with `head` loaded by Acquire: who took what
//!   was there before has read it.
//! - **K4** Who pushes an element guarantees that it lives until it has been taken, and by whom it may be used then. The ring
//!   keeps plain pointers and never follows them, so breaking K1 loses or repeats elements but touches no memory.

use std::ptr::{self, NonNull};

use crate::primitives::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// How many elements a ring holds.
pub(crate) const CAPACITY: usize = if cfg!(loom) { 4 } else { 2048 };

/// A first-in, first-out queue of [`CAPACITY`] places; one thread owns it, any thread steals.
pub(crate) struct Ring<T> {
    /// The position of the oldest element.
    head: OwnLine,
    /// Where the next element goes.
    tail: OwnLine,
    places: [AtomicPtr<T>; CAPACITY],
}

/// A position on a cache line of its own: thieves write one, the owner the other.
#[repr(align(64))]
struct OwnLine(AtomicUsize);

impl<T> Ring<T> {
    pub(crate) fn new() -> Self {
        Self {
            head: OwnLine(AtomicUsize::new(0)),
            tail: OwnLine(AtomicUsize::new(0)),
            places: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// Appends `element`, or gives it back if there is no room. Owner only (K1).
    #[inline]
    pub(crate) fn push(&self, element: NonNull<T>) -> Result<(), NonNull<T>> {
        let tail = self.tail.0.load(Ordering::Relaxed);
        // Acquire pairs with the Release in `advance` (K3).
        if tail.wrapping_sub(self.head.0.load(Ordering::Acquire)) >= CAPACITY {
            return Err(element);
        }
        self.place(tail).store(element.as_ptr(), Ordering::Relaxed);
        // Release publishes the place, and what the owner has done to the element, to `steal_into`.
        self.tail.0.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Takes the oldest element. Owner only (K1).
    #[inline]
    pub(crate) fn pop(&self) -> Option<NonNull<T>> {
        let tail = self.tail.0.load(Ordering::Relaxed);
        let mut head = self.head.0.load(Ordering::Relaxed);
        while head != tail {
            // Nobody else writes places (K3), so this is the element if the exchange says that it is still there.
            let element = self.place(head).load(Ordering::Relaxed);
            match self.advance(head, 1) {
                Ok(()) => return NonNull::new(element),
                Err(now) => head = now,
            }
        }
        None
    }

    /// Takes the older half, rounded down, and hands it out, oldest first; how many there were. Owner only (K1).
    ///
    /// `each` must leave this ring alone: what it pushed could take the place of what is still to be handed out.
    pub(crate) fn take_half(&self, mut each: impl FnMut(NonNull<T>)) -> usize {
        let tail = self.tail.0.load(Ordering::Relaxed);
        let mut head = self.head.0.load(Ordering::Relaxed);
        loop {
            let count = tail.wrapping_sub(head) / 2;
            if count == 0 {
                return 0;
            }
            match self.advance(head, count) {
                Ok(()) => {
                    // Ours now (K2), and nobody else writes places (K3).
                    (0..count).for_each(|offset| each(self.element(head.wrapping_add(offset))));
                    return count;
                }
                Err(now) => head = now,
            }
        }
    }

    /// Moves the older half, rounded up, to `own`, but no more than `own` has room for and one: the oldest is given back, to be
    /// used at once. `None` if this ring is empty. The caller owns `own` (K1), which is another ring.
    pub(crate) fn steal_into(&self, own: &Self) -> Option<NonNull<T>> {
        debug_assert!(!ptr::eq(self, own), "a ring robs itself");
        let own_tail = own.tail.0.load(Ordering::Relaxed);
        let room = own.free();
        let mut head = self.head.0.load(Ordering::Acquire);
        loop {
            // Acquire pairs with the Release in `push`, and below: places before `tail` can be read, and what they point to. `tail` is not
            // behind `head`: who moved `head` there had seen a `tail` as far, and published that (`advance`).
            let waiting = self.tail.0.load(Ordering::Acquire).wrapping_sub(head);
            if waiting == 0 {
                return None;
            }
            // More than CAPACITY says that `head` has grown old since it was loaded. What is read then is nonsense, and forgotten.
            let count = waiting.div_ceil(2).min(room + 1);
            let first = self.place(head).load(Ordering::Relaxed);
            for offset in 1..count {
                let element = self.place(head.wrapping_add(offset)).load(Ordering::Relaxed);
                // Within `room` (K3), and not to be seen before `tail` is moved.
                own.place(own_tail.wrapping_add(offset - 1)).store(element, Ordering::Relaxed);
            }
            match self.advance(head, count) {
                Ok(()) => {
                    if count > 1 {
                        // Release passes on what we have seen of the elements to who robs us.
                        own.tail.0.store(own_tail.wrapping_add(count - 1), Ordering::Release);
                    }
                    return NonNull::new(first);
                }
                Err(now) => head = now,
            }
        }
    }

    /// The place behind the newest element. Owner only.
    pub(crate) fn end(&self) -> usize {
        self.tail.0.load(Ordering::Relaxed)
    }

    /// Whether everything before the place that [`end`](Self::end) gave has been taken. Owner only.
    #[inline]
    pub(crate) fn has_passed(&self, end: usize) -> bool {
        end.wrapping_sub(self.head.0.load(Ordering::Relaxed)).cast_signed() <= 0
    }

    /// How many elements there is room for. For the owner it is at least that many: thieves only make more.
    pub(crate) fn free(&self) -> usize {
        CAPACITY - self.len()
    }

    /// How many elements wait. A hint.
    pub(crate) fn len(&self) -> usize {
        let head = self.head.0.load(Ordering::Acquire);
        self.tail.0.load(Ordering::Relaxed).wrapping_sub(head).min(CAPACITY)
    }

    /// Whether no element waits. A hint.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves `head` on from where it was seen.
    #[inline]
    fn advance(&self, head: usize, count: usize) -> Result<(), usize> {
        // Release: the places that are given up here have been read (K3). Acquire, also on failure: who sees where `head` is sees the
        // `tail` that it followed.
        self.head.0.compare_exchange(head, head.wrapping_add(count), Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }

    #[inline]
    fn place(&self, position: usize) -> &AtomicPtr<T> {
        &self.places[position % CAPACITY]
    }

    fn element(&self, position: usize) -> NonNull<T> {
        NonNull::new(self.place(position).load(Ordering::Relaxed)).expect("a place between head and tail was filled")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn number(n: usize) -> NonNull<u8> {
        NonNull::without_provenance(n.try_into().expect("not zero"))
    }

    fn drain(ring: &Ring<u8>) -> Vec<usize> {
        std::iter::from_fn(|| ring.pop()).map(|element| element.addr().get()).collect()
    }

    fn filled(numbers: std::ops::RangeInclusive<usize>) -> Ring<u8> {
        let ring = Ring::new();
        numbers.for_each(|n| ring.push(number(n)).expect("there is room"));
        ring
    }

    #[test]
    fn elements_leave_in_the_order_they_came() {
        assert_eq!(drain(&filled(1..=5)), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn full_ring_gives_the_element_back() {
        let ring = filled(1..=CAPACITY);
        assert_eq!(ring.push(number(999)), Err(number(999)));
        assert_eq!((ring.len(), ring.free()), (CAPACITY, 0));
        assert_eq!(ring.pop(), Some(number(1)));
        assert_eq!(ring.push(number(999)), Ok(()));
        assert_eq!(drain(&ring).last(), Some(&999));
        assert!(ring.is_empty());
    }

    #[test]
    fn places_are_used_again_and_again() {
        let ring = Ring::new();
        for n in 1..10 * CAPACITY {
            ring.push(number(n)).unwrap();
            assert_eq!(ring.pop(), Some(number(n)));
        }
    }

    #[test]
    fn older_half_is_taken_out() {
        let ring = filled(1..=7);
        let mut taken = Vec::new();
        assert_eq!(ring.take_half(|element| taken.push(element.addr().get())), 3);
        assert_eq!(taken, [1, 2, 3]);
        assert_eq!(drain(&ring), [4, 5, 6, 7]);
    }

    #[test]
    fn thief_gets_the_older_half_in_order() {
        let (victim, own) = (filled(1..=5), Ring::new());
        assert_eq!(victim.steal_into(&own), Some(number(1)));
        assert_eq!(drain(&own), [2, 3]);
        assert_eq!(drain(&victim), [4, 5]);
        assert_eq!(victim.steal_into(&own), None);
    }

    #[test]
    fn last_element_is_stolen_too() {
        let (victim, own) = (filled(1..=1), Ring::new());
        assert_eq!(victim.steal_into(&own), Some(number(1)));
        assert!(victim.is_empty() && own.is_empty());
    }

    #[test]
    fn thief_takes_no_more_than_it_has_room_for() {
        let (victim, own) = (filled(1..=CAPACITY), filled(1..=CAPACITY - 2));
        assert_eq!(victim.steal_into(&own), Some(number(1)));
        assert_eq!(own.free(), 0);
        assert_eq!(victim.len(), CAPACITY - 3);
    }

    #[test]
    fn passed_when_everything_before_the_end_is_taken() {
        let ring = filled(1..=2);
        let end = ring.end();
        ring.push(number(3)).unwrap();
        assert!(!ring.has_passed(end));
        ring.pop();
        assert!(!ring.has_passed(end));
        ring.pop();
        assert!(ring.has_passed(end) && !ring.has_passed(ring.end()));
    }

    #[test]
    fn single_element_has_no_older_half() {
        let ring = filled(1..=1);
        assert_eq!(ring.take_half(|_| panic!("handed out")), 0);
        assert_eq!(drain(&ring), [1]);
    }
}
