//! Locks, semaphores and queues whose waits are Deferreds.
//!
//! They are handles: clones are the same lock. Who waits is served in order, and a wait can be cancelled. Dropping the
//! last handle abandons who waits; `detach` leaves them pending.

mod queue;
mod tokens;

pub use queue::{DeferredQueue, QueueOverflow, QueueUnderflow};
pub use tokens::{DeferredLock, DeferredSemaphore, NotAcquired};

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use crate::{Deferred, Resolver};

/// Who waits, in order.
pub(crate) struct Waiting<T>(RefCell<VecDeque<Resolver<T>>>);

impl<T: 'static> Waiting<T> {
    pub(crate) fn new() -> Self {
        Self(RefCell::new(VecDeque::new()))
    }

    /// A wait at the end of the line of `owner`, which leaves the line when it is cancelled.
    #[track_caller]
    fn join<O: 'static>(owner: &Rc<O>, line: fn(&O) -> &Waiting<T>) -> Deferred<T> {
        Self::join_until(owner, line, |_| ())
    }

    /// As [`join`](Self::join); tells the owner when the wait has left.
    #[track_caller]
    pub(crate) fn join_until<O: 'static>(
        owner: &Rc<O>,
        line: fn(&O) -> &Waiting<T>,
        on_leave: fn(&Rc<O>),
    ) -> Deferred<T> {
        let weak: Weak<O> = Rc::downgrade(owner);
        let (deferred, resolver) = Deferred::with_canceller(move |resolver| {
            if let Some(owner) = weak.upgrade() {
                line(&owner).leave(resolver);
                on_leave(&owner);
            }
        });
        line(owner).0.borrow_mut().push_back(resolver);
        deferred
    }

    fn leave(&self, resolver: &Resolver<T>) {
        let left = {
            let mut line = self.0.borrow_mut();
            let place = line.iter().position(|other| other.is_same(resolver));
            place.and_then(|place| line.remove(place))
        };
        // Outside of the borrow.
        drop(left);
    }

    pub(crate) fn next(&self) -> Option<Resolver<T>> {
        self.0.borrow_mut().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn detach(&self) {
        let line = self.0.take();
        line.into_iter().for_each(Resolver::detach);
    }
}
