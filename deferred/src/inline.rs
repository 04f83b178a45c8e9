//! Values and callbacks of any type in three words: in place if they fit, in a box if not.
//!
//! This is what lets a chain with a few callbacks be one allocation. It is the only file of the crate with unsafe code,
//! and what it offers the others is safe: [`Value`] checks its type on the way out, and [`Step`] is a `FnOnce`.
//!
//! # Invariants
//!
//! - I1: The three words of a `Value` or `Step` hold what `Place::<T>::put` wrote there, for the very `T` whose table
//!   of functions stands beside them: the private constructor writes both, and nothing changes them later.
//! - I2: What they hold is read out at most once: reading a `Value` takes its table away, reading a `Step` consumes it
//!   without running its `Drop`, and `Drop` is the only other reader.
//! - I3: Neither is `Send` or `Sync`, so a `T` that is neither stays on its thread.
//! - I4: What they hold may be moved as bytes: they own a `T` (or its box), never pinned, never borrowed across a move.

#![allow(unsafe_code)]

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::rc::Rc;

type Words = MaybeUninit<[usize; 3]>;

/// One value of any type.
pub(crate) struct Value {
    words: Words,
    /// `None` when it was taken out.
    ops: Option<&'static ValueOps>,
    /// I3.
    _local: PhantomData<Rc<()>>,
}

struct ValueOps {
    type_id: TypeId,
    /// `None` if there is nothing to do.
    drop: Option<unsafe fn(&mut Words)>,
}

impl Value {
    #[inline]
    pub(crate) fn new<T: 'static>(value: T) -> Self {
        Self { words: Place::put(value), ops: Some(&Place::<T>::VALUE), _local: PhantomData }
    }

    /// The value.
    ///
    /// # Panics
    ///
    /// If it is not a `T`: the typed handles of a chain say what it carries, so that would be a mistake of this crate.
    #[inline]
    pub(crate) fn take<T: 'static>(mut self) -> T {
        self.take_out()
    }

    /// As `take`, where it stands: this saves moving three words of which one may be all there is.
    #[inline]
    pub(crate) fn take_out<T: 'static>(&mut self) -> T {
        // One table may have several addresses, but tables of several types, whose contents differ, never have one.
        let same = self
            .ops
            .take()
            .is_some_and(|ops| std::ptr::eq(ops, &Place::<T>::VALUE) || ops.type_id == TypeId::of::<T>());
        assert!(same, "a chain carries what its handles say");
        // SAFETY: the type was checked, so the words hold a `T` (I1); `ops` is taken, so nobody reads them again (I2).
        unsafe { Place::<T>::get(&self.words) }
    }
}

impl Drop for Value {
    #[inline]
    fn drop(&mut self) {
        if let Some(ValueOps { drop: Some(drop), .. }) = self.ops {
            // SAFETY: `ops` belongs to the type of what the words hold (I1), and nobody has read it (I2).
            unsafe { drop(&mut self.words) }
        }
    }
}

/// One `FnOnce(&mut A)` of any type.
pub(crate) struct Step<A: 'static> {
    words: Words,
    ops: &'static StepOps<A>,
    /// I3.
    _local: PhantomData<Rc<()>>,
}

struct StepOps<A> {
    call: unsafe fn(&Words, &mut A),
    drop: unsafe fn(&mut Words),
}

impl<A: 'static> Step<A> {
    #[inline]
    pub(crate) fn new<F: FnOnce(&mut A) + 'static>(function: F) -> Self {
        Self { words: Place::put(function), ops: &StepPlace::<F, A>::STEP, _local: PhantomData }
    }

    #[inline]
    pub(crate) fn call(self, argument: &mut A) {
        let this = ManuallyDrop::new(self);
        // SAFETY: `ops` belongs to the type of what the words hold (I1); `this` is not used again nor dropped (I2).
        unsafe { (this.ops.call)(&this.words, argument) }
    }
}

impl<A: 'static> Drop for Step<A> {
    fn drop(&mut self) {
        // SAFETY: as for `Value`.
        unsafe { (self.ops.drop)(&mut self.words) }
    }
}

/// How a `T` lies in the words.
struct Place<T>(PhantomData<T>);

impl<T> Place<T> {
    const FITS: bool = size_of::<T>() <= size_of::<Words>() && align_of::<T>() <= align_of::<Words>();

    #[inline]
    fn put(value: T) -> Words {
        let mut words = Words::uninit();
        let place = words.as_mut_ptr();
        if Self::FITS {
            // SAFETY: size and alignment fit, and the words are ours.
            unsafe { place.cast::<T>().write(value) }
        } else {
            // SAFETY: a box is one word.
            unsafe { place.cast::<Box<T>>().write(Box::new(value)) }
        }
        words
    }

    /// # Safety
    ///
    /// The words come from `put` of the same `T` and are not read again.
    #[inline]
    unsafe fn get(words: &Words) -> T {
        let place = words.as_ptr();
        if Self::FITS {
            // SAFETY: `put` wrote a `T` here, and this is the only reading.
            unsafe { place.cast::<T>().read() }
        } else {
            // SAFETY: `put` wrote a box here, and this is the only reading.
            *unsafe { place.cast::<Box<T>>().read() }
        }
    }

    /// # Safety
    ///
    /// As for `get`.
    unsafe fn drop(words: &mut Words) {
        let place = words.as_mut_ptr();
        if Self::FITS {
            // SAFETY: `put` wrote a `T` here, and nobody reads it again.
            unsafe { place.cast::<T>().drop_in_place() }
        } else {
            // SAFETY: `put` wrote a box here, and nobody reads it again.
            unsafe { place.cast::<Box<T>>().drop_in_place() }
        }
    }
}

impl<T: 'static> Place<T> {
    const VALUE: ValueOps = ValueOps {
        type_id: TypeId::of::<T>(),
        drop: if Self::FITS && !std::mem::needs_drop::<T>() { None } else { Some(Self::drop) },
    };
}

struct StepPlace<F, A>(PhantomData<(F, A)>);

impl<F: FnOnce(&mut A), A: 'static> StepPlace<F, A> {
    const STEP: StepOps<A> = StepOps { call: Self::call, drop: Place::<F>::drop };

    /// # Safety
    ///
    /// As for `Place::get`.
    unsafe fn call(words: &Words, argument: &mut A) {
        // SAFETY: passed on to the caller.
        let function = unsafe { Place::<F>::get(words) };
        function(argument);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it is dropped.
    struct Counted(Rc<std::cell::Cell<u32>>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn value_in_place() {
        assert_eq!(Value::new(String::from("in place")).take::<String>(), "in place");
        Value::new(()).take::<()>();
    }

    #[test]
    fn value_too_large_or_too_aligned() {
        #[repr(align(64))]
        struct Aligned(u8);
        assert_eq!(Value::new([7_u64; 9]).take::<[u64; 9]>(), [7; 9]);
        assert_eq!(Value::new(Aligned(3)).take::<Aligned>().0, 3);
    }

    #[test]
    #[should_panic(expected = "what its handles say")]
    fn value_of_another_type() {
        Value::new(1_u32).take::<i32>();
    }

    #[test]
    fn dropped_once_taken_or_not() {
        let drops = Rc::new(std::cell::Cell::new(0));
        drop(Value::new(Counted(drops.clone())));
        assert_eq!(drops.get(), 1);
        drop(Value::new((Counted(drops.clone()), [0_u8; 99])));
        assert_eq!(drops.get(), 2);
        drop(Value::new(Counted(drops.clone())).take::<Counted>());
        assert_eq!(drops.get(), 3);
    }

    #[test]
    fn step_called_or_dropped() {
        let drops = Rc::new(std::cell::Cell::new(0));
        let (small, large) = (Counted(drops.clone()), (Counted(drops.clone()), [1_u32; 20]));
        let mut sum = 0;
        Step::new(move |sum: &mut u32| *sum += small.0.get() + 1).call(&mut sum);
        assert_eq!((sum, drops.get()), (1, 1));
        Step::new(move |sum: &mut u32| *sum += large.1.iter().sum::<u32>() + large.0.0.get()).call(&mut sum);
        assert_eq!((sum, drops.get()), (22, 2));
        let unused = Counted(drops.clone());
        drop(Step::new(move |sum: &mut u32| *sum += unused.0.get()));
        assert_eq!((sum, drops.get()), (22, 3));
    }

    #[test]
    fn four_words() {
        assert_eq!(size_of::<Value>(), 32);
        assert_eq!(size_of::<Option<Step<u32>>>(), 32);
    }
}
