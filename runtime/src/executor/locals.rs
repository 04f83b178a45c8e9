//! The locals of a thread: what `spawn_local` makes belongs to one thread in one runtime, runs only while that thread drives the
//! runtime, and is dropped on it, at the latest when the thread exits.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::handle::{Handle, Shared};
use crate::primitives::Mutex;
use crate::reactor;
use crate::task::{Bell, Core, Home};

thread_local! {
    /// The locals of this thread that are not served now.
    static LOCALS: RefCell<Vec<Locals>> = const { RefCell::new(Vec::new()) };
}

/// One thread's local tasks in one runtime.
struct Locals {
    runtime: Arc<Shared>,
    home: Rc<Home>,
    bell: Arc<LocalBell>,
}

/// Rings where the thread drives now.
struct LocalBell(Mutex<Arc<reactor::Handle>>);

impl Bell for LocalBell {
    fn ring(&self) {
        let reactor = Arc::clone(&self.0.lock());
        reactor.wake();
    }
}

/// Calls `f` with this thread's locals in `runtime`, of which it is going to drive `reactor`.
pub(crate) fn with<R>(runtime: &Arc<Shared>, reactor: &Arc<reactor::Handle>, f: impl FnOnce(&Home) -> R) -> R {
    struct Leave(Option<Locals>);
    impl Drop for Leave {
        fn drop(&mut self) {
            let mut locals = self.0.take();
            // If thread-local storage is gone, this thread is exiting: the locals end here.
            let _ = LOCALS.try_with(|all| all.borrow_mut().extend(locals.take()));
        }
    }
    close_abandoned();
    let locals = take(|locals| Arc::ptr_eq(&locals.runtime, runtime)).unwrap_or_else(|| Locals::new(runtime, reactor));
    *locals.bell.0.lock() = Arc::clone(reactor);
    let leave = Leave(Some(locals));
    f(&leave.0.as_ref().expect("there until `leave` drops").home)
}

/// Ends this thread's tasks in `runtime`, which is shutting down.
pub(crate) fn close(runtime: &Arc<Shared>) {
    drop(take(|locals| Arc::ptr_eq(&locals.runtime, runtime)));
}

/// Ends this thread's tasks in runtimes that were shut down on another thread.
fn close_abandoned() {
    while let Some(locals) = take(|locals| locals.runtime.is_shut_down()) {
        drop(locals);
    }
}

fn take(which: impl FnMut(&Locals) -> bool) -> Option<Locals> {
    LOCALS
        .try_with(|all| {
            let mut all = all.borrow_mut();
            all.iter().position(which).map(|found| all.swap_remove(found))
        })
        .ok()
        .flatten()
}

impl Locals {
    fn new(runtime: &Arc<Shared>, reactor: &Arc<reactor::Handle>) -> Self {
        if let Some(leftovers) = runtime.leftovers() {
            leftovers.thread_opened();
        }
        let bell = Arc::new(LocalBell(Mutex::new(Arc::clone(reactor))));
        Self { runtime: Arc::clone(runtime), home: Home::new(Arc::clone(&bell) as Arc<dyn Bell>), bell }
    }
}

impl Drop for Locals {
    fn drop(&mut self) {
        let handle = Handle::from_shared(Arc::clone(&self.runtime));
        handle.enter_quietly(|| Core::close_locals(&self.home));
        if let Some(leftovers) = self.runtime.leftovers() {
            leftovers.thread_closed();
        }
    }
}
