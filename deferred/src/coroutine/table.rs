//! The coroutines of this thread, by key.

use std::cell::RefCell;
use std::rc::Rc;

use super::Coroutine;

/// A place in the table, and which of its tenants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

struct Table {
    places: Vec<(u32, Option<Rc<Coroutine>>)>,
    free: Vec<u32>,
}

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table { places: Vec::new(), free: Vec::new() }) };
}

pub(super) fn insert(coroutine: Rc<Coroutine>) -> Key {
    TABLE.with_borrow_mut(|table| {
        let index = table.free.pop().unwrap_or_else(|| {
            table.places.push((0, None));
            u32::try_from(table.places.len() - 1).expect("fewer than 2^32 coroutines on one thread")
        });
        let place = &mut table.places[index as usize];
        place.1 = Some(coroutine);
        Key { index, generation: place.0 }
    })
}

/// `None` after its end, and if the thread ends.
pub(super) fn find(key: Key) -> Option<Rc<Coroutine>> {
    let find = |table: &RefCell<Table>| {
        let table = table.borrow();
        let place = &table.places[key.index as usize];
        if place.0 == key.generation { place.1.clone() } else { None }
    };
    TABLE.try_with(find).ok().flatten()
}

pub(super) fn remove(key: Key) -> Option<Rc<Coroutine>> {
    let remove = |table: &RefCell<Table>| {
        let mut table = table.borrow_mut();
        let place = &mut table.places[key.index as usize];
        if place.0 != key.generation {
            return None;
        }
        place.0 = place.0.wrapping_add(1);
        let coroutine = place.1.take();
        table.free.push(key.index);
        coroutine
    };
    // The coroutine is dropped by the caller, outside of the borrow.
    TABLE.try_with(remove).ok().flatten()
}
