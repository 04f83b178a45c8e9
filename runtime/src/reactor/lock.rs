//! A lock with an owner: what one thread uses all the time, and others now and then or never.
//!
//! Taking it is one compare-exchange, or, where there are no others, a look at a plain flag, as with a `RefCell`. It is held for
//! a few hundred instructions, so who finds it taken looks again instead of going to sleep. The exception is the owner's own
//! doing (it waits for events with the driver in its hands), and that is why others only ever [try](Lock::try_lock) for a driver.
//!
//! # Invariants
//!
//! - **K1** The value is touched only through a [`Guard`], and `taken` is true from before the guard is made until after its
//!   last use.
//! - **K2** A lock that is not `shared` is taken through its [`Owner`] only. There is one `Owner`, a reference to it stays on one
//!   thread, and so does a guard: whoever looks at `taken` there sees what the guard before wrote, without any ordering.
//! - **K3** A lock that is `shared` is taken by an exchange from false to true with Acquire, and given back by a store with Release.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::primitives::atomic::AtomicBool;
use crate::primitives::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::primitives::{UnsafeCell, thread};

/// So often who finds the lock taken looks again before the processor is given to others, one of whom may hold it.
const SPINS: u32 = 100;

/// Who may take a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Its owner.
    OwnerOnly,
    /// Any thread.
    Shared,
}

/// The lock as others than its owner see it.
pub(crate) struct Lock<T> {
    shared: bool,
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: K1, K2 and K3: at any time one thread at most has access to the value, and each sees what the one before did.
unsafe impl<T: Send> Sync for Lock<T> {}

/// The owner's side. It may move from thread to thread, but is on one at a time.
pub(crate) struct Owner<T> {
    lock: Arc<Lock<T>>,
    /// K2: not `Sync`.
    _here: PhantomData<std::cell::Cell<()>>,
}

/// Access to the value, until it is dropped.
#[must_use = "the lock is given back when this is dropped"]
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
    /// K2: neither `Send` nor `Sync`.
    _here: PhantomData<*const T>,
}

impl<T> Owner<T> {
    pub(crate) fn new(value: T, sharing: Sharing) -> Self {
        let shared = sharing == Sharing::Shared;
        let lock = Lock { shared, taken: AtomicBool::new(false), value: UnsafeCell::new(value) };
        Self { lock: Arc::new(lock), _here: PhantomData }
    }

    /// What others may have of it.
    pub(crate) fn lock_of_others(&self) -> &Arc<Lock<T>> {
        &self.lock
    }

    /// Takes the lock. No code of others runs while it is held, so it is never taken twice.
    ///
    /// # Panics
    ///
    /// If the owner holds it already, unless it is shared: then that would wait for ever.
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let lock = &*self.lock;
        if lock.shared {
            lock.take();
        } else {
            if lock.taken.load(Relaxed) {
                held_already();
            }
            lock.taken.store(true, Relaxed);
        }
        Guard { lock, _here: PhantomData }
    }
}

impl<T> Lock<T> {
    /// Takes the lock; it is free within a moment. None: it is the owner's only.
    pub(crate) fn lock(&self) -> Option<Guard<'_, T>> {
        self.shared.then(|| {
            self.take();
            Guard { lock: self, _here: PhantomData }
        })
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        (self.shared && self.try_take()).then(|| Guard { lock: self, _here: PhantomData })
    }

    #[inline]
    fn take(&self) {
        if !self.try_take() {
            self.take_later();
        }
    }

    #[inline]
    fn try_take(&self) -> bool {
        // Acquire pairs with the Release of the guard before this one.
        self.taken.compare_exchange(false, true, Acquire, Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn take_later(&self) {
        let mut looks = 0;
        loop {
            looks += 1;
            if looks < SPINS && cfg!(not(loom)) {
                std::hint::spin_loop();
            } else {
                thread::yield_now();
            }
            // Looking first leaves the line to who holds it; it would hide interleavings from loom.
            if (cfg!(loom) || !self.taken.load(Relaxed)) && self.try_take() {
                return;
            }
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: K1: the lock is held for as long as `self` lives, and `self` is borrowed: nobody changes the value.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: K1: the lock is held for as long as `self` lives, and `self` is borrowed mutably: nobody else has access.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release pairs with the Acquire in `try_take`.
        self.lock.taken.store(false, Release);
    }
}

#[cold]
fn held_already() -> ! {
    panic!("a part of the reactor was used while it was in use: that is a bug in rt");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two threads that take it in turns lose nothing, and the value is one thread's at a time. Broken: the exchange that takes it
    /// Relaxed, the store that gives it back Relaxed (each: a causality violation).
    #[test]
    fn owner_against_helper() {
        crate::models::explore(|| {
            let owner = Owner::new(0, Sharing::Shared);
            let others = Arc::clone(owner.lock_of_others());
            let helper = thread::spawn(move || {
                let tried = others.try_lock().map(|mut value| *value += 1).is_some();
                *others.lock().expect("shared") += 1;
                u32::from(tried) + 1
            });
            *owner.lock() += 1;
            let helped = helper.join().unwrap();
            assert_eq!(*owner.lock(), helped + 1);
        });
    }

    #[cfg(not(loom))]
    mod plain {
        use super::super::*;

        #[test]
        fn held_by_its_owner_others_do_not_get_it() {
            let owner = Owner::new(1, Sharing::Shared);
            let others = Arc::clone(owner.lock_of_others());
            let guard = owner.lock();
            assert!(others.try_lock().is_none());
            drop(guard);
            assert_eq!(others.try_lock().map(|value| *value), Some(1));
        }

        #[test]
        fn one_that_is_not_shared_is_the_owners_only() {
            let owner = Owner::new(1, Sharing::OwnerOnly);
            assert!(owner.lock_of_others().try_lock().is_none() && owner.lock_of_others().lock().is_none());
            *owner.lock() = 2;
            assert_eq!(std::thread::spawn(move || *owner.lock()).join().unwrap(), 2);
        }

        #[test]
        #[should_panic(expected = "was used while it was in use")]
        fn taken_twice_by_its_owner() {
            let owner = Owner::new((), Sharing::OwnerOnly);
            let _first = owner.lock();
            let _second = owner.lock();
        }
    }
}
