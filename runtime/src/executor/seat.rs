//! A seat: what `spawn_local` makes belongs to one thread in one runtime, runs only while that thread drives the runtime, and
//! is dropped on it, at the latest when the thread exits.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::handle::{Handle, Shared};
use crate::task::{Core, Home};

thread_local! {
    /// The seats of this thread that are not in use now.
    static SEATS: RefCell<Vec<Seat>> = const { RefCell::new(Vec::new()) };
}

/// One thread's local tasks in one runtime.
struct Seat {
    runtime: Arc<Shared>,
    home: Rc<Home>,
}

/// Calls `f` with this thread's seat in `runtime`.
pub(crate) fn with<R>(runtime: &Arc<Shared>, f: impl FnOnce(&Home) -> R) -> R {
    struct Leave(Option<Seat>);
    impl Drop for Leave {
        fn drop(&mut self) {
            let mut seat = self.0.take();
            // If thread-local storage is gone, this thread is exiting: the seat ends here.
            let _ = SEATS.try_with(|seats| seats.borrow_mut().extend(seat.take()));
        }
    }
    close_abandoned();
    let seat = take(|seat| Arc::ptr_eq(&seat.runtime, runtime))
        .unwrap_or_else(|| Seat { runtime: Arc::clone(runtime), home: Home::new(runtime.bell()) });
    let leave = Leave(Some(seat));
    f(&leave.0.as_ref().expect("there until `leave` drops").home)
}

/// Ends this thread's tasks in `runtime`, which is shutting down.
pub(crate) fn close(runtime: &Arc<Shared>) {
    drop(take(|seat| Arc::ptr_eq(&seat.runtime, runtime)));
}

/// Ends this thread's tasks in runtimes that were shut down on another thread.
fn close_abandoned() {
    while let Some(seat) = take(|seat| seat.runtime.is_shut_down()) {
        drop(seat);
    }
}

fn take(which: impl FnMut(&Seat) -> bool) -> Option<Seat> {
    SEATS
        .try_with(|seats| {
            let mut seats = seats.borrow_mut();
            seats.iter().position(which).map(|found| seats.swap_remove(found))
        })
        .ok()
        .flatten()
}

impl Drop for Seat {
    fn drop(&mut self) {
        let handle = Handle::from_shared(Arc::clone(&self.runtime));
        handle.enter_quietly(|| Core::close_seat(&self.home));
    }
}
