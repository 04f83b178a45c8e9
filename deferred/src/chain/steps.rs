//! The steps of a chain, first in, first out: three in place, more of them on the heap.

use std::collections::VecDeque;

use super::Slot;
use crate::inline::Step;

const INLINE: usize = 3;

pub(super) struct Steps {
    /// A ring.
    near: [Option<Step<Slot>>; INLINE],
    first: u8,
    count: u8,
    /// What came while the ring was full. As long as there is anything, new ones go here. Boxed, and so one word in
    /// the many chains that never need it.
    #[expect(clippy::box_collection, reason = "one word instead of four in every chain")]
    far: Option<Box<VecDeque<Step<Slot>>>>,
}

impl Steps {
    #[inline]
    pub(super) fn new() -> Self {
        Self { near: [None, None, None], first: 0, count: 0, far: None }
    }

    #[inline]
    pub(super) fn push(&mut self, step: impl FnOnce(&mut Slot) + 'static) {
        let place = usize::from(self.first + self.count);
        let place = if place < INLINE { place } else { place - INLINE };
        if usize::from(self.count) < INLINE && self.far.is_none() && place < INLINE {
            self.count += 1;
            self.near[place] = Some(Step::new(step));
        } else {
            self.push_far(Step::new(step));
        }
    }

    fn push_far(&mut self, step: Step<Slot>) {
        self.far.get_or_insert_default().push_back(step);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Step<Slot>> {
        if self.count > 0 {
            let step = self.near[usize::from(self.first)].take();
            self.count -= 1;
            let next = self.first + 1;
            self.first = if usize::from(next) < INLINE && self.count > 0 { next } else { 0 };
            return step;
        }
        let far = self.far.as_mut()?;
        let step = far.pop_front();
        if far.is_empty() {
            self.far = None;
        }
        step
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.far.is_none()
    }
}
