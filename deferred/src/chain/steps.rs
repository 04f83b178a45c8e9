//! The steps of a chain, first in, first out: three in place, more of them on the heap.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::Slot;
use crate::inline::{Row, Step};

pub(super) struct Steps {
    near: Row<Slot>,
    /// What came while the row was full. As long as there is anything, new ones go here. Boxed, and so few words in the
    /// many chains that never need it.
    #[expect(clippy::box_collection, reason = "one word instead of four in every chain")]
    far: RefCell<Option<Box<VecDeque<Step<Slot>>>>>,
}

impl Steps {
    #[inline]
    pub(super) fn new() -> Self {
        Self { near: Row::new(), far: RefCell::new(None) }
    }

    #[inline(always)]
    pub(super) fn push(&self, step: impl FnOnce(&mut Slot) + 'static) {
        if self.near.has_room() && self.far.borrow().is_none() {
            self.near.push(step);
        } else {
            self.push_far(Step::new(step));
        }
    }

    #[inline(never)]
    fn push_far(&self, step: Step<Slot>) {
        self.far.borrow_mut().get_or_insert_default().push_back(step);
    }

    /// Calls the first. False if there is none.
    #[inline(always)]
    pub(super) fn call_first(&self, slot: &mut Slot) -> bool {
        self.near.call_first(slot) || self.call_far(slot)
    }

    #[inline]
    fn call_far(&self, slot: &mut Slot) -> bool {
        let step = {
            let mut place = self.far.borrow_mut();
            let Some(far) = place.as_mut() else { return false };
            let step = far.pop_front();
            if far.is_empty() {
                *place = None;
            }
            step
        };
        step.map(|step| step.call(slot)).is_some()
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.near.is_empty() && self.far.borrow().is_none()
    }
}
