//! Where a chain keeps what it carries. A value, which is the usual case, is put and taken without being moved.

use std::cell::Cell;

use super::{Slot, Source};
use crate::Failure;
use crate::inline::ValuePlace;

pub(super) struct SlotPlace {
    value: ValuePlace,
    /// Empty while there is a value.
    other: Cell<Other>,
}

/// What is no value.
enum Other {
    Empty,
    Err(Failure),
    Waiting(Source),
}

impl SlotPlace {
    #[inline]
    pub(super) fn new() -> Self {
        Self { value: ValuePlace::new(), other: Cell::new(Other::Empty) }
    }

    /// Puts `slot` in place of what is there.
    pub(super) fn set(&self, mut slot: Slot) {
        let former = self.take();
        self.fill(&mut slot);
        drop(former);
    }

    /// Puts `slot` where nothing is.
    #[inline]
    pub(super) fn fill(&self, slot: &mut Slot) {
        if let Slot::Ok(value) = slot {
            self.value.put_value(value);
            return;
        }
        match slot.take() {
            Slot::Err(failure) => self.other.set(Other::Err(failure)),
            Slot::Waiting(source) => self.other.set(Other::Waiting(source)),
            Slot::Empty | Slot::Ok(_) => {}
            Slot::Returned(_) => unreachable!("the loop looks at what a callback has returned before it puts it here"),
        }
    }

    /// Takes what is there.
    pub(super) fn take(&self) -> Slot {
        if let Some(value) = self.value.take_value() {
            return Slot::Ok(value);
        }
        match self.other.replace(Other::Empty) {
            Other::Empty => Slot::Empty,
            Other::Err(failure) => Slot::Err(failure),
            Other::Waiting(source) => Slot::Waiting(source),
        }
    }

    /// Puts a value where nothing is.
    #[inline(always)]
    pub(super) fn put<T: 'static>(&self, value: T) {
        self.value.put(value);
    }

    /// Takes the value, if there is one.
    #[inline(always)]
    pub(super) fn take_value<T: 'static>(&self) -> Option<T> {
        self.value.take()
    }

    /// Drops what is there.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.value.clear();
        if !matches!(self.other.get_mut(), Other::Empty) {
            drop(self.other.replace(Other::Empty));
        }
    }

    /// Looks at what is there.
    pub(super) fn with<R>(&self, look: impl FnOnce(&Slot) -> R) -> R {
        let slot = self.take();
        let result = look(&slot);
        self.set(slot);
        result
    }
}
