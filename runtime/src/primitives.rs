//! What the two sides of a data structure share, from `std` or, under `--cfg loom`, from loom. The only file that names loom.
//!
//! `Arc` stays std's in both builds: `Waker::from` and `Arc<dyn _>` need the real one.

#![allow(unused_imports)]

#[cfg(not(loom))]
mod imp {
    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::cell::Cell;
    pub(crate) use std::sync::atomic;
    pub(crate) use std::thread;

    /// Declares a thread-local null pointer: const, without destructor.
    macro_rules! thread_local_pointer {
        ($name:ident: $type:ty) => {
            ::std::thread_local! {
                static $name: ::std::cell::Cell<*const $type> = const { ::std::cell::Cell::new(::std::ptr::null()) }
            }
        };
    }
    pub(crate) use thread_local_pointer;

    impl super::LoadToExchange for atomic::AtomicIsize {
        type Value = isize;

        #[inline(always)]
        fn load_to_exchange(&self, order: atomic::Ordering) -> isize {
            self.load(order)
        }
    }

    impl<T> super::LoadToExchange for atomic::AtomicPtr<T> {
        type Value = *mut T;

        #[inline(always)]
        fn load_to_exchange(&self, order: atomic::Ordering) -> *mut T {
            self.load(order)
        }
    }

    /// The global allocator.
    pub(crate) mod alloc {
        pub(crate) use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
    }

    /// parking_lot's condition variable; waiting consumes the guard and gives it back, which loom can do too.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        pub(crate) const fn new() -> Self {
            Self(parking_lot::Condvar::new())
        }

        pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(&mut guard);
            guard
        }

        /// Waits at most `timeout`; the second value tells whether that ran out.
        pub(crate) fn wait_timeout<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            timeout: std::time::Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            let timed_out = self.0.wait_for(&mut guard, timeout).timed_out();
            (guard, timed_out)
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// `std::cell::UnsafeCell` with the interface of loom's, which sees who looks while another writes.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Calls `f` with a pointer for reading.
        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Calls `f` with a pointer for writing.
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(loom)]
mod imp {
    pub(crate) use loom::cell::{Cell, UnsafeCell};
    pub(crate) use loom::sync::atomic;
    pub(crate) use loom::thread;

    /// Declares a thread-local null pointer.
    macro_rules! thread_local_pointer {
        ($name:ident: $type:ty) => {
            ::loom::thread_local! {
                static $name: ::loom::cell::Cell<*const $type> = ::loom::cell::Cell::new(::std::ptr::null())
            }
        };
    }
    pub(crate) use thread_local_pointer;

    impl super::LoadToExchange for atomic::AtomicIsize {
        type Value = isize;

        fn load_to_exchange(&self, order: atomic::Ordering) -> isize {
            self.compare_exchange(0, 0, order, order).unwrap_or_else(|value| value)
        }
    }

    impl<T> super::LoadToExchange for atomic::AtomicPtr<T> {
        type Value = *mut T;

        fn load_to_exchange(&self, order: atomic::Ordering) -> *mut T {
            let null = std::ptr::null_mut();
            self.compare_exchange(null, null, order, order).unwrap_or_else(|value| value)
        }
    }

    /// The global allocator under loom's eyes: it reports what a model leaks.
    pub(crate) mod alloc {
        pub(crate) use loom::alloc::{Layout, alloc, dealloc};
        pub(crate) use std::alloc::handle_alloc_error;
    }

    /// loom's mutex with parking_lot's interface: no poisoning.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    pub(crate) type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }

    /// loom's condition variable with the interface above. Time stands still in a model: a timeout never runs out.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(loom::sync::Condvar::new())
        }

        pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _timeout: std::time::Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            (self.wait(guard), false)
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

/// The load that a compare-exchange begins with.
///
/// loom remembers one access of each atomic, so a thread that loads before it writes hides from loom that another has loaded
/// before, and the executions in which the other loads later are not explored. In a model this is an exchange that changes
/// nothing.
pub(crate) trait LoadToExchange {
    type Value;

    fn load_to_exchange(&self, order: imp::atomic::Ordering) -> Self::Value;
}

pub(crate) use imp::*;
