//! Values and callbacks of any type in three words: in place if they fit, in a box if not.
//!
//! This is what lets a chain with a few callbacks be one allocation. It is the only file of the crate with unsafe code,
//! and what it offers the others is safe: [`Value`] and [`ValuePlace`] check the type on the way out, [`Step`] is a
//! `FnOnce`, and a [`Row`] holds some of them.
//!
//! # Invariants
//!
//! - I1: The three words of a `Value`, a `Step`, a full `ValuePlace` or a full place of a `Row` hold what `Place::<T>::write` wrote there, for
//!   the very `T` whose table of functions stands beside them: both are written together, and a place without a table is
//!   empty.
//! - I2: What they hold is read out at most once: reading a `Value` or a place takes its table away, reading a `Step`
//!   consumes it without running its `Drop`, and `Drop` is the only other reader.
//! - I3: None is `Send` or `Sync`, so a `T` that is neither stays on its thread.
//! - I4: What they hold may be moved as bytes: they own a `T` (or its box), never pinned, never borrowed across a move.
//! - I5: The words of a `Row` or a `ValuePlace` are touched through raw pointers alone, and no pointer into them outlives the reading that
//!   comes before any code that is not of this file: whoever is called may fill the place again.

#![allow(unsafe_code)]

use std::any::TypeId;
use std::cell::{Cell, UnsafeCell};
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

impl ValueOps {
    #[inline(always)]
    fn is_of<T: 'static>(&self) -> bool {
        // One table may have several addresses, but tables of several types, whose contents differ, never have one.
        std::ptr::eq(self, &Place::<T>::VALUE) || self.type_id == TypeId::of::<T>()
    }
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
        let is_same = self.ops.take().is_some_and(|ops| ops.is_of::<T>());
        assert!(is_same, "a chain carries what its handles say");
        // SAFETY: the type was checked, so the words hold a `T` (I1); `ops` is taken, so nobody reads them again (I2).
        unsafe { Place::<T>::get(&raw const self.words) }
    }
}

impl Value {
    /// Puts another value where one was [taken out](Self::take_out).
    ///
    /// # Panics
    ///
    /// If it was not.
    #[inline(always)]
    pub(crate) fn refill<T: 'static>(&mut self, value: T) {
        assert!(self.ops.is_none(), "the value is still there");
        // SAFETY: the words are ours, and as their table is taken, nobody reads what was in them (I2).
        unsafe { Place::write(&mut self.words, value) };
        self.ops = Some(&Place::<T>::VALUE);
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

/// A place for one value of any type, which may be empty. What is put into it stays where it is.
pub(crate) struct ValuePlace {
    words: UnsafeCell<Words>,
    /// `None` when it is empty.
    ops: Cell<Option<&'static ValueOps>>,
    /// I3.
    _local: PhantomData<Rc<()>>,
}

impl ValuePlace {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { words: UnsafeCell::new(Words::uninit()), ops: Cell::new(None), _local: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.ops.get().is_some()
    }

    /// # Panics
    ///
    /// If it is full.
    #[inline(always)]
    pub(crate) fn put<T: 'static>(&self, value: T) {
        assert!(!self.is_full(), "the place of a value is full");
        // SAFETY: it is empty, so nobody will read what was there (I2), and no pointer into it is left (I5).
        unsafe { Place::write(self.words.get(), value) };
        self.ops.set(Some(&Place::<T>::VALUE));
    }

    /// # Panics
    ///
    /// If it is full.
    #[inline]
    pub(crate) fn put_value(&self, value: &mut Value) {
        assert!(!self.is_full(), "the place of a value is full");
        // SAFETY: as in `put`; moved as bytes (I4), and as its table is taken, nobody reads it there again (I2).
        unsafe { copy_words((&raw const value.words).cast(), self.words.get().cast(), 3) };
        self.ops.set(value.ops.take());
    }

    /// What is in it.
    ///
    /// # Panics
    ///
    /// As [`Value::take`].
    #[inline(always)]
    pub(crate) fn take<T: 'static>(&self) -> Option<T> {
        let ops = self.ops.get()?;
        assert!(ops.is_of::<T>(), "a chain carries what its handles say");
        self.ops.set(None);
        // SAFETY: the type was checked, so the words hold a `T` (I1); the table is taken, so nobody reads them again (I2).
        Some(unsafe { Place::<T>::get(self.words.get()) })
    }

    pub(crate) fn take_value(&self) -> Option<Value> {
        let ops = self.ops.take()?;
        // SAFETY: moved as bytes (I4); the table was taken, so nobody reads them here again (I2).
        Some(Value { words: unsafe { self.words.get().read() }, ops: Some(ops), _local: PhantomData })
    }
}

impl ValuePlace {
    /// Drops what is in it.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        if let Some(ValueOps { drop: Some(drop), .. }) = self.ops.take() {
            // SAFETY: as for `Value`; the table was taken (I2).
            unsafe { drop(self.words.get_mut()) }
        }
    }
}

impl Drop for ValuePlace {
    #[inline]
    fn drop(&mut self) {
        self.clear();
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
    call: unsafe fn(*const Words, &mut A),
    drop: unsafe fn(&mut Words),
}

impl<A: 'static> Step<A> {
    pub(crate) fn new<F: FnOnce(&mut A) + 'static>(function: F) -> Self {
        Self { words: Place::put(function), ops: &StepPlace::<F, A>::STEP, _local: PhantomData }
    }

    pub(crate) fn call(self, argument: &mut A) {
        let this = ManuallyDrop::new(self);
        // SAFETY: `ops` belongs to the type of what the words hold (I1); `this` is not used again nor dropped (I2).
        unsafe { (this.ops.call)(&raw const this.words, argument) }
    }
}

impl<A: 'static> Drop for Step<A> {
    fn drop(&mut self) {
        // SAFETY: as for `Value`.
        unsafe { (self.ops.drop)(&mut self.words) }
    }
}

/// Room for [`ROW`] callbacks, first in, first out: they are written where they will be called from.
pub(crate) struct Row<A: 'static> {
    places: [RowPlace<A>; ROW],
    first: Cell<u8>,
    count: Cell<u8>,
    /// I3.
    _local: PhantomData<Rc<()>>,
}

/// How many a row holds.
const ROW: usize = 3;

struct RowPlace<A: 'static> {
    words: UnsafeCell<Words>,
    /// `None` when it is empty.
    ops: Cell<Option<&'static StepOps<A>>>,
}

impl<A: 'static> Row<A> {
    #[inline]
    pub(crate) fn new() -> Self {
        let place = || RowPlace { words: UnsafeCell::new(Words::uninit()), ops: Cell::new(None) };
        Self { places: [place(), place(), place()], first: Cell::new(0), count: Cell::new(0), _local: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn has_room(&self) -> bool {
        usize::from(self.count.get()) < ROW
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.get() == 0
    }

    /// # Panics
    ///
    /// If there is no room.
    #[inline(always)]
    pub(crate) fn push<F: FnOnce(&mut A) + 'static>(&self, function: F) {
        let index = usize::from(self.first.get() + self.count.get());
        let place = &self.places[if index < ROW { index } else { index - ROW }];
        assert!(place.ops.get().is_none(), "the row is full");
        // SAFETY: the place is empty, so nobody will read what was there (I2), and no pointer into it is left (I5).
        unsafe { Place::<F>::write(place.words.get(), function) };
        place.ops.set(Some(&StepPlace::<F, A>::STEP));
        self.count.set(self.count.get() + 1);
    }

    /// Calls the first and takes it out; it may add others, and call what is left. False if there is none.
    #[inline(always)]
    pub(crate) fn call_first(&self, argument: &mut A) -> bool {
        let count = self.count.get();
        if count == 0 {
            return false;
        }
        let first = self.first.get();
        let place = &self.places[usize::from(first)];
        let Some(ops) = place.ops.take() else { return false };
        self.count.set(count - 1);
        self.first.set(if count > 1 && usize::from(first) + 1 < ROW { first + 1 } else { 0 });
        // SAFETY: `ops` belongs to the type of what the words hold (I1), and was taken away (I2); the function is read out
        // before it is called (I5).
        unsafe { (ops.call)(place.words.get(), argument) };
        true
    }
}

impl<A: 'static> Drop for Row<A> {
    fn drop(&mut self) {
        for place in &mut self.places {
            if let Some(ops) = place.ops.take() {
                // SAFETY: as in `call_first`.
                unsafe { (ops.drop)(place.words.get_mut()) }
            }
        }
    }
}

/// Copies so many words, and loads each by itself.
///
/// The processor hands on what it has just stored to a load of the same width or less; a wider load waits until all of it
/// has reached the cache, and the compiler likes to move three words with two loads. What is moved here was mostly stored
/// a moment ago, a word at a time: that wait was half of the time that adding a callback took.
///
/// # Safety
///
/// Both are valid for so many words; what is copied may be uninitialized.
#[inline(always)]
unsafe fn copy_words(from: *const MaybeUninit<usize>, to: *mut MaybeUninit<usize>, count: usize) {
    for index in 0..count {
        // SAFETY: passed on to the caller. Volatile only to keep the loads apart.
        unsafe { to.add(index).write(from.add(index).read_volatile()) };
    }
}

/// How a `T` lies in the words.
struct Place<T>(PhantomData<T>);

impl<T> Place<T> {
    const FITS: bool = size_of::<T>() <= size_of::<Words>() && align_of::<T>() <= align_of::<Words>();
    /// It fits, and is made of several whole words.
    const IS_WORDS: bool = Self::FITS && align_of::<T>() == align_of::<usize>() && size_of::<T>() > size_of::<usize>();

    #[inline(always)]
    fn put(value: T) -> Words {
        let mut words = Words::uninit();
        // SAFETY: they are ours.
        unsafe { Self::write(&mut words, value) };
        words
    }

    /// # Safety
    ///
    /// The words may be written, and what was in them is not read again.
    #[inline(always)]
    unsafe fn write(words: *mut Words, value: T) {
        if Self::IS_WORDS {
            let value = ManuallyDrop::new(value);
            // SAFETY: it is made of whole words, not more than there are, and not used nor dropped after this.
            unsafe { copy_words((&raw const value).cast(), words.cast(), size_of::<T>() / size_of::<usize>()) }
        } else if Self::FITS {
            // SAFETY: size and alignment fit, and the caller allows it.
            unsafe { words.cast::<T>().write(value) }
        } else {
            // SAFETY: a box is one word, and the caller allows it.
            unsafe { words.cast::<Box<T>>().write(Box::new(value)) }
        }
    }

    /// # Safety
    ///
    /// The words come from `write` of the same `T` and are not read again.
    #[inline(always)]
    unsafe fn get(words: *const Words) -> T {
        if Self::FITS {
            // SAFETY: `write` wrote a `T` here (I1), and this is the only reading (I2).
            unsafe { words.cast::<T>().read() }
        } else {
            // SAFETY: `write` wrote a box here (I1), and this is the only reading (I2).
            *unsafe { words.cast::<Box<T>>().read() }
        }
    }

    /// # Safety
    ///
    /// As for `get`.
    unsafe fn drop(words: &mut Words) {
        let place = words.as_mut_ptr();
        if Self::FITS {
            // SAFETY: `write` wrote a `T` here (I1), and nobody reads it again (I2).
            unsafe { place.cast::<T>().drop_in_place() }
        } else {
            // SAFETY: `write` wrote a box here (I1), and nobody reads it again (I2).
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
    unsafe fn call(words: *const Words, argument: &mut A) {
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
    fn place_filled_and_emptied() {
        let place = ValuePlace::new();
        assert_eq!(place.take::<u8>(), None);
        place.put(String::from("in place"));
        assert_eq!(place.take::<String>().as_deref(), Some("in place"));
        place.put([7_u64; 9]);
        let mut value = place.take_value().unwrap();
        assert!(!place.is_full());
        place.put_value(&mut value);
        assert_eq!(place.take::<[u64; 9]>(), Some([7; 9]));
    }

    #[test]
    #[should_panic(expected = "what its handles say")]
    fn place_asked_for_another_type() {
        let place = ValuePlace::new();
        place.put(1_u32);
        place.take::<i32>();
    }

    #[test]
    #[should_panic(expected = "is full")]
    fn place_filled_twice() {
        let place = ValuePlace::new();
        place.put(1_u32);
        place.put(2_u32);
    }

    #[test]
    fn place_dropped_full() {
        let drops = Rc::new(std::cell::Cell::new(0));
        let place = ValuePlace::new();
        place.put(Counted(drops.clone()));
        drop(place);
        assert_eq!(drops.get(), 1);
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
    fn row_in_order_round_and_round() {
        let row = Row::<Vec<u32>>::new();
        let mut called = Vec::new();
        for n in 0..10 {
            while row.has_room() {
                let number = n * 10 + u32::from(row.count.get());
                row.push(move |called: &mut Vec<u32>| called.push(number));
            }
            assert!(row.call_first(&mut called));
        }
        while row.call_first(&mut called) {}
        assert!(row.is_empty());
        assert_eq!(called, [0, 1, 2, 12, 22, 32, 42, 52, 62, 72, 82, 92]);
    }

    #[test]
    fn row_filled_by_what_it_calls() {
        let row = Rc::new(Row::<Vec<u64>>::new());
        let mut called = Vec::new();
        let (own, words) = (row.clone(), [1, 2]);
        row.push(move |called: &mut Vec<u64>| {
            // Into the very place that this was read from.
            own.push(|called: &mut Vec<u64>| called.push(5));
            own.push(|called: &mut Vec<u64>| called.push(6));
            own.push(|called: &mut Vec<u64>| called.push(7));
            called.extend(words);
            while own.call_first(called) {}
        });
        assert!(row.call_first(&mut called));
        assert_eq!(called, [1, 2, 5, 6, 7]);
        assert!(!row.call_first(&mut called));
    }

    #[test]
    #[should_panic(expected = "the row is full")]
    fn row_without_room() {
        let row = Row::<u32>::new();
        (0..4).for_each(|n| row.push(move |sum: &mut u32| *sum += n));
    }

    #[test]
    fn row_dropped_with_callbacks() {
        let drops = Rc::new(std::cell::Cell::new(0));
        let (small, large) = (Counted(drops.clone()), (Counted(drops.clone()), [1_u32; 20]));
        let row = Row::<u32>::new();
        row.push(move |sum: &mut u32| *sum += small.0.get());
        row.push(move |sum: &mut u32| *sum += large.0.0.get() + large.1[0]);
        assert!(row.call_first(&mut 0));
        assert_eq!(drops.get(), 1);
        drop(row);
        assert_eq!(drops.get(), 2);
    }

    #[test]
    fn four_words() {
        assert_eq!((size_of::<Value>(), size_of::<ValuePlace>()), (32, 32));
        assert_eq!(size_of::<Option<Step<u32>>>(), 32);
        assert_eq!(size_of::<Row<u32>>(), 3 * 32 + 8);
    }
}
