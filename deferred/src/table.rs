//! What belongs to this thread, by key: other threads can name it, and a key outlives what it names.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread::LocalKey;

/// A place in a table, and which of its tenants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

pub(crate) struct Table<T: ?Sized> {
    places: Vec<(u32, Option<Rc<T>>)>,
    free: Vec<u32>,
}

/// Where a thread keeps one.
pub(crate) type Local<T> = LocalKey<RefCell<Table<T>>>;

impl<T: ?Sized> Table<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

/// If the thread ends, the key names nothing.
pub(crate) fn insert<T: ?Sized>(table: &'static Local<T>, value: Rc<T>) -> Key {
    let insert = |table: &RefCell<Table<T>>| {
        let mut table = table.borrow_mut();
        let index = table.free.pop().unwrap_or_else(|| {
            table.places.push((0, None));
            u32::try_from(table.places.len() - 1).expect("fewer than 2^32 things of one thread")
        });
        let place = &mut table.places[index as usize];
        place.1 = Some(value);
        Key { index, generation: place.0 }
    };
    // Nobody looks there any more.
    table.try_with(insert).unwrap_or(Key { index: 0, generation: 0 })
}

/// `None` if it was removed, and if the thread ends.
pub(crate) fn find<T: ?Sized>(table: &'static Local<T>, key: Key) -> Option<Rc<T>> {
    let find = |table: &RefCell<Table<T>>| {
        let table = table.borrow();
        let place = &table.places[key.index as usize];
        if place.0 == key.generation { place.1.clone() } else { None }
    };
    table.try_with(find).ok().flatten()
}

/// What it named, for the caller to drop outside of the borrow.
pub(crate) fn remove<T: ?Sized>(table: &'static Local<T>, key: Key) -> Option<Rc<T>> {
    let remove = |table: &RefCell<Table<T>>| {
        let mut table = table.borrow_mut();
        let place = &mut table.places[key.index as usize];
        if place.0 != key.generation {
            return None;
        }
        place.0 = place.0.wrapping_add(1);
        let value = place.1.take();
        table.free.push(key.index);
        value
    };
    table.try_with(remove).ok().flatten()
}
