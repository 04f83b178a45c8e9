//! Which children somebody is going to wait for: a handle, or the reaper.
//!
//! An application that reaps orphans leaves these alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often each id is awaited. More than once in the moment between the end of a wait and its being noted here, in which the
/// system may have given the id to another child.
static AWAITED: Mutex<BTreeMap<u32, u32>> = Mutex::new(BTreeMap::new());

/// That a child is awaited, as long as this is there.
#[derive(Debug)]
pub(super) struct Awaited(u32);

impl Awaited {
    pub(super) fn new(id: u32) -> Self {
        *awaited().entry(id).or_default() += 1;
        Self(id)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut awaited = awaited();
        if let Some(count) = awaited.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                awaited.remove(&self.0);
            }
        }
    }
}

/// Whether the child with this id was started by [`Command`](super::Command) and not waited for yet.
#[doc(hidden)]
pub fn __is_awaited(id: u32) -> bool {
    awaited().contains_key(&id)
}

fn awaited() -> MutexGuard<'static, BTreeMap<u32, u32>> {
    AWAITED.lock().unwrap_or_else(PoisonError::into_inner)
}
