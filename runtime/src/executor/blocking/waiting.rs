//! The calls that wait for a thread, in order, with removal from anywhere.

use std::collections::VecDeque;
use std::sync::Arc;

use super::call::Run;

/// A queue whose entries keep their position. A removed entry leaves a gap of one pointer until the ends of the queue
/// reach it.
#[derive(Default)]
pub(super) struct Waiting {
    /// The first and the last entry are never gaps.
    entries: VecDeque<Option<Arc<dyn Run>>>,
    /// Position of the first entry.
    first: u64,
}

impl Waiting {
    /// Appends a call and tells it its position.
    pub(super) fn push(&mut self, call: Arc<dyn Run>) {
        call.placed_at(self.first + self.entries.len() as u64);
        self.entries.push_back(Some(call));
    }

    pub(super) fn pop(&mut self) -> Option<Arc<dyn Run>> {
        let call = self.entries.pop_front().flatten()?;
        self.first += 1;
        self.trim();
        Some(call)
    }

    /// Takes out the entry at `position`, if it is still there.
    ///
    /// To be asked at most once per pushed call, and not for one that was popped: positions at the end are given again.
    pub(super) fn remove(&mut self, position: u64) -> Option<Arc<dyn Run>> {
        let index = position.checked_sub(self.first)?;
        let call = self.entries.get_mut(usize::try_from(index).ok()?)?.take();
        self.trim();
        call
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Run>> {
        self.entries.iter().flatten()
    }

    pub(super) fn take_all(&mut self) -> Vec<Arc<dyn Run>> {
        self.first += self.entries.len() as u64;
        std::mem::take(&mut self.entries).into_iter().flatten().collect()
    }

    fn trim(&mut self) {
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
        while let Some(None) = self.entries.back() {
            self.entries.pop_back();
        }
    }
}
