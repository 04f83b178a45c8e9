//! A value that a thread can reach for as long as a call lasts.
//!
//! # Invariants
//!
//! - **P1** The pointer is either null or was made from a reference that outlives the `scope` call which set it; that call
//!   puts the old pointer back before it returns, also by unwinding.
#![allow(unsafe_code)]

use std::ptr;

use crate::primitives::{Cell, LocalKey};

/// The pointer of one thread-local; declared by [`scoped_thread_local!`].
pub(crate) struct Scoped<T: 'static> {
    key: &'static LocalKey<Cell<*const T>>,
}

impl<T> Scoped<T> {
    #[doc(hidden)]
    pub(crate) const fn new(key: &'static LocalKey<Cell<*const T>>) -> Self {
        Self { key }
    }

    /// Calls `f` while `value` is what [`with`](Self::with) finds on this thread; afterwards it is what it was before.
    pub(crate) fn scope<R>(&'static self, value: &T, f: impl FnOnce() -> R) -> R {
        struct Restore<T: 'static>(&'static Scoped<T>, *const T);
        impl<T> Drop for Restore<T> {
            fn drop(&mut self) {
                self.0.key.with(|cell| cell.set(self.1));
            }
        }
        let before = self.key.with(|cell| cell.replace(ptr::from_ref(value)));
        let _restore = Restore(self, before);
        f()
    }

    /// Calls `f` with the value of the innermost scope, or `None` outside of any.
    #[inline(always)]
    pub(crate) fn with<R>(&'static self, f: impl FnOnce(Option<&T>) -> R) -> R {
        let value = self.key.with(Cell::get);
        // SAFETY: P1: not null means that the call which borrowed the value has not returned.
        f(unsafe { value.as_ref() })
    }
}

/// Declares a [`Scoped`]: a const thread-local without destructor, so that it can be read until the thread is gone.
macro_rules! scoped_thread_local {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty) => {
        $(#[$meta])*
        $vis static $name: $crate::scoped::Scoped<$type> = {
            $crate::primitives::thread_local_pointer!(POINTER: $type);
            $crate::scoped::Scoped::new(&POINTER)
        };
    };
}
pub(crate) use scoped_thread_local;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    scoped_thread_local!(static NUMBER: u32);

    fn number() -> Option<u32> {
        NUMBER.with(|n| n.copied())
    }

    #[test]
    fn nested_scopes_are_put_back() {
        assert_eq!(number(), None);
        NUMBER.scope(&1, || {
            NUMBER.scope(&2, || assert_eq!(number(), Some(2)));
            assert_eq!(number(), Some(1));
        });
        assert_eq!(number(), None);
    }

    #[test]
    fn unwinding_puts_it_back() {
        let unwound = std::panic::catch_unwind(|| NUMBER.scope(&1, || panic!("on purpose")));
        assert!(unwound.is_err());
        assert_eq!(number(), None);
    }
}
