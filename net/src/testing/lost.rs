//! What the doubles of a connection have in common: how it was lost, and who waits for that or for its buffer to drain.

use crate::protocol::ConnectionLost;
use rt_deferred::{Deferred, Resolver};
use std::cell::RefCell;

/// Whether the connection is gone, and who waits for it.
#[derive(Default)]
pub(super) struct Lost {
    reason: RefCell<Option<ConnectionLost>>,
    closed: RefCell<Vec<Resolver<ConnectionLost>>>,
    drained: RefCell<Vec<Resolver<()>>>,
}

impl Lost {
    pub(super) fn is_lost(&self) -> bool {
        self.reason.borrow().is_some()
    }

    /// The first reason counts.
    pub(super) fn set(&self, reason: ConnectionLost) {
        if self.is_lost() {
            return;
        }
        *self.reason.borrow_mut() = Some(reason.clone());
        for waiting in self.drained.take() {
            let _ = waiting.errback(reason.clone());
        }
        for waiting in self.closed.take() {
            let _ = waiting.callback(reason.clone());
        }
    }

    /// For `Transport::closed`.
    pub(super) fn closed(&self) -> Deferred<ConnectionLost> {
        match &*self.reason.borrow() {
            Some(reason) => Deferred::succeed(reason.clone()),
            None => wait_in(&self.closed),
        }
    }

    /// For `Transport::drained`, where `is_low` says that little waits to be sent.
    pub(super) fn drained(&self, is_low: bool) -> Deferred<()> {
        match &*self.reason.borrow() {
            Some(reason) => Deferred::fail(reason.clone()),
            None if is_low => Deferred::succeed(()),
            None => wait_in(&self.drained),
        }
    }

    /// Little waits to be sent.
    pub(super) fn has_drained(&self) {
        for waiting in self.drained.take() {
            let _ = waiting.callback(());
        }
    }
}

/// Cancelled, it is simply not told.
fn wait_in<T: 'static>(waiting: &RefCell<Vec<Resolver<T>>>) -> Deferred<T> {
    let (deferred, resolver) = Deferred::new();
    waiting.borrow_mut().push(resolver);
    deferred
}
