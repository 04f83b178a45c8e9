//! A value that a thread can reach for as long as a call lasts.
//!
//! # Invariants
//!
//! - **P1** The pointer is either null or was made from a reference that outlives the `scope` call which set it; that call
//!   puts the old pointer back before it returns, also by unwinding.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr;

/// Where the pointer of one [`Scoped`] lies. A type and not a reference, so that every access compiles to one load.
///
/// # Safety
///
/// - P1: nobody but `Scoped` calls `set`, and `load` answers with what this thread set last, or null.
pub(crate) unsafe trait Place<T> {
    fn load() -> *const T;
    fn set(pointer: *const T);
}

/// The pointer of one thread-local; declared by [`scoped_thread_local!`].
pub(crate) struct Scoped<T, P>(PhantomData<fn() -> (*const T, P)>);

impl<T, P: Place<T>> Scoped<T, P> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }

    /// Calls `f` while `value` is what [`with`](Self::with) finds on this thread; afterwards it is what it was before.
    pub(crate) fn scope<R>(&self, value: &T, f: impl FnOnce() -> R) -> R {
        let _restore = Restore::<T, P>(P::load(), PhantomData);
        P::set(ptr::from_ref(value));
        f()
    }

    /// Calls `f` as if it were outside of any scope.
    pub(crate) fn apart<R>(&self, f: impl FnOnce() -> R) -> R {
        let _restore = Restore::<T, P>(P::load(), PhantomData);
        P::set(ptr::null());
        f()
    }

    /// Calls `f` with the value of the innermost scope, or `None` outside of any.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        // SAFETY: P1: not null means that the call which borrowed the value has not returned.
        f(unsafe { P::load().as_ref() })
    }
}

/// Puts the old pointer back.
struct Restore<T, P: Place<T>>(*const T, PhantomData<P>);

impl<T, P: Place<T>> Drop for Restore<T, P> {
    fn drop(&mut self) {
        P::set(self.0);
    }
}

/// Declares a [`Scoped`]: a const thread-local without destructor, so that it can be read until the thread is gone.
macro_rules! scoped_thread_local {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty) => {
        $(#[$meta])*
        $vis static $name: $crate::scoped::Scoped<$type, impl_place::Here> = $crate::scoped::Scoped::new();

        #[allow(unsafe_code, unused_imports, unreachable_pub)]
        mod impl_place {
            use super::*;

            $crate::primitives::thread_local_pointer!(POINTER: $type);

            /// The place, by type.
            pub struct Here;

            // SAFETY: P1: the pointer is private to this module.
            unsafe impl $crate::scoped::Place<$type> for Here {
                #[inline(always)]
                fn load() -> *const $type {
                    POINTER.with(|pointer| pointer.get())
                }

                #[inline(always)]
                fn set(value: *const $type) {
                    POINTER.with(|pointer| pointer.set(value));
                }
            }
        }
    };
}
pub(crate) use scoped_thread_local;

#[cfg(all(test, not(loom)))]
mod tests {

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
