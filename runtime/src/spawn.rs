//! Spawning: a place holder, so that the leaves can be tested.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

thread_local! {
    static SPAWNED: RefCell<Vec<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn spawn_local<F: Future<Output = ()> + 'static>(future: F) {
    SPAWNED.with(|spawned| spawned.borrow_mut().push(Box::pin(future)));
}

#[cfg(test)]
pub(crate) fn take_spawned() -> Vec<Pin<Box<dyn Future<Output = ()>>>> {
    SPAWNED.take()
}
