//! A lock for what almost always one thread uses: taking it costs one exchange, giving it back a store.
//!
//! Where there is only one thread (a runtime of the current-thread flavor) it costs neither: it then only sees to it that nothing
//! is taken twice, as a `RefCell` does. Where there are several, the others come rarely and stay for microseconds, so who finds it
//! taken spins, and gives way soon.
//!
//! # Invariants
//!
//! - **G1** There is one [`Guard`] at a time: by the exchange, or because a lock of [`Users::One`] is used by one thread at a time.
#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};

use crate::primitives::UnsafeCell;
use crate::primitives::atomic::{AtomicBool, Ordering};
use crate::primitives::thread;

/// So often it is tried again before the thread gives way.
const SPINS: u32 = if cfg!(loom) { 0 } else { 50 };

/// Who uses a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Users {
    /// One thread at a time: who hands the lock to another thread synchronizes with it.
    One,
    Many,
}

/// See above.
pub(crate) struct Lock<T> {
    taken: AtomicBool,
    users: Users,
    value: UnsafeCell<T>,
}

// SAFETY: there is one guard at a time (G1), and taking it synchronizes with giving it back; a lock of `Users::One` is made by
// what is itself not `Sync` and refuses to be shared (see `Reactor::lone`).
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) fn new(value: T, users: Users) -> Self {
        Self { taken: AtomicBool::new(false), users, value: UnsafeCell::new(value) }
    }

    /// Waits until it is free.
    ///
    /// # Panics
    ///
    /// With one user, if it is taken.
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        match self.users {
            Users::One => {
                assert!(!self.taken.load(Ordering::Relaxed), "taken twice");
                self.taken.store(true, Ordering::Relaxed);
            }
            Users::Many if self.exchange() => {}
            Users::Many => self.wait(),
        }
        Guard(self)
    }

    /// Takes it if it is free.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        debug_assert_eq!(self.users, Users::Many, "whom could one user compete with?");
        self.exchange().then(|| Guard(self))
    }

    #[inline]
    fn exchange(&self) -> bool {
        // Acquire pairs with the Release in `Guard::drop`.
        self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn wait(&self) {
        let mut spins = 0;
        while !self.exchange() {
            if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }
}

/// What is under the lock; free again when it is dropped.
pub(crate) struct Guard<'a, T>(&'a Lock<T>);

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: G1.
        self.0.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: G1.
        self.0.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release publishes what was done under the lock.
        self.0.taken.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod checks {
    use std::sync::Arc;

    use super::*;
    use crate::models::explore;

    /// An owner and two who try: nobody meets another, and everything that was counted is seen. Broken once each: taken with
    /// Relaxed, given back with Relaxed (race on the value).
    #[test]
    fn owner_against_two_who_try() {
        explore(|| {
            let lock = Arc::new(Lock::new(0, Users::Many));
            let others = [(); 2].map(|()| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || match lock.try_lock() {
                    Some(mut value) => {
                        *value += 1;
                        1
                    }
                    None => 0,
                })
            });
            *lock.lock() += 1;
            let counted: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
            assert_eq!(*lock.lock(), counted + 1);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "taken twice")]
    fn one_user_that_takes_it_twice() {
        let lock = Lock::new(0, Users::One);
        let _first = lock.lock();
        let _second = lock.lock();
    }
}
