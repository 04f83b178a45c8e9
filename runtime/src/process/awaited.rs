//! Which children somebody is going to wait for: a handle, or the reaper.
//!
//! An application that reaps orphans leaves these alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// How often each id is awaited. More than once in the moment between the end of a wait and its being noted here, in which the
/// system may have given the id to another child.
static AWAITED: Mutex<BTreeMap<u32, u32>> = Mutex::new(BTreeMap::new());

/// Held by those that start a child, until it is noted.
static STARTING: RwLock<()> = RwLock::new(());

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

/// Calls `f` if the child with this id is not awaited. No child is on its way meanwhile from its start to being noted here.
#[doc(hidden)]
pub fn __unless_awaited<R>(id: u32, f: impl FnOnce() -> R) -> Option<R> {
    let _nobody_starts = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    let is_awaited = __is_awaited(id);
    (!is_awaited).then(f)
}

/// To be held from before a child is started until it is [`Awaited`].
pub(super) fn starting() -> RwLockReadGuard<'static, ()> {
    STARTING.read().unwrap_or_else(PoisonError::into_inner)
}

fn awaited() -> MutexGuard<'static, BTreeMap<u32, u32>> {
    AWAITED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{__unless_awaited, Awaited, starting};
    use std::sync::mpsc::channel;
    use std::thread::{spawn, yield_now};

    #[test]
    fn child_that_ends_before_its_start_is_noted_is_left_alone() {
        // No process has this number.
        const ID: u32 = u32::MAX;
        let (started, is_started) = channel();
        let starts = spawn(move || {
            let starting = starting();
            started.send(()).unwrap();
            (0..100).for_each(|_| yield_now());
            let awaited = Awaited::new(ID);
            drop(starting);
            awaited
        });
        is_started.recv().unwrap();
        assert_eq!(__unless_awaited(ID, || ()), None);
        drop(starts.join().unwrap());
        assert_eq!(__unless_awaited(ID, || ()), Some(()));
    }
}
