//! What this thread belongs to: the worker that it drives now, and the runtimes that it has entered. Nothing below this line
//! of the module map imports it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::executor::worker::Worker;
use crate::handle::Handle;
use crate::reactor::{self, Reactor};
use crate::scoped::scoped_thread_local;

/// What to say to who needs a runtime and has none.
pub(crate) const NO_RUNTIME: &str = "there is no rt runtime on this thread: call this from within `#[rt::main]`, `rt::block_on`, \
                                     `Runtime::block_on` or a task, or enter a runtime with `Handle::enter` first";

/// What to say to who would block the thread that must not be blocked.
pub(crate) const NESTED: &str = "this thread drives a runtime already, so it cannot block on another future: `.await` the future \
                                 instead, or move the blocking code into `rt::spawn_blocking`";

scoped_thread_local!(
    /// The worker that this thread drives now.
    static WORKER: Worker
);

thread_local! {
    /// How many entered runtimes there are; no destructor, so that the common case is one load.
    static ENTERED_COUNT: Cell<usize> = const { Cell::new(0) };
    static ENTERED: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` while this thread drives `worker`.
pub(crate) fn driving<R>(worker: &Worker, f: impl FnOnce() -> R) -> R {
    let hidden = ENTERED_COUNT.replace(0);
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            ENTERED_COUNT.set(self.0);
        }
    }
    let _restore = Restore(hidden);
    WORKER.scope(worker, f)
}

/// Calls `f` with the worker that this thread drives.
#[inline(always)]
pub(crate) fn with_worker<R>(f: impl FnOnce(Option<&Worker>) -> R) -> R {
    WORKER.with(f)
}

/// Calls `f` with the reactor that this thread drives.
#[inline(always)]
pub(crate) fn with_reactor<R>(f: impl FnOnce(&Reactor) -> R) -> Option<R> {
    WORKER.with(|worker| worker.map(|worker| f(worker.reactor())))
}

/// Whether this thread drives a worker.
pub(crate) fn is_driving() -> bool {
    WORKER.with(|worker| worker.is_some())
}

/// Whether a runtime was entered since this thread began to drive what it drives now.
#[inline(always)]
pub(crate) fn has_entered() -> bool {
    ENTERED_COUNT.get() > 0
}

/// The runtime that this thread is in: the one entered last, else the one it drives.
pub(crate) fn handle() -> Option<Handle> {
    if has_entered() {
        return ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten();
    }
    with_worker(|worker| worker.map(|worker| Handle::from_shared(worker.shared().clone())))
}

/// The reactor of the runtime that this thread is in.
pub(crate) fn reactor_handle() -> Option<Arc<reactor::Handle>> {
    handle().map(|handle| Arc::clone(handle.reactor()))
}

/// Enters a runtime; answers with the depth that [`leave`] must be given.
pub(crate) fn enter(handle: Handle) -> Option<usize> {
    let depth = ENTERED
        .try_with(|entered| {
            let mut entered = entered.borrow_mut();
            entered.push(handle);
            entered.len()
        })
        .ok()?;
    ENTERED_COUNT.set(ENTERED_COUNT.get() + 1);
    Some(depth)
}

/// Leaves the runtime that was entered last; `false` if `depth` says that it was another.
pub(crate) fn leave(depth: usize) -> bool {
    let left = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        if entered.len() != depth {
            return Err(());
        }
        Ok(entered.pop())
    });
    match left {
        Ok(Ok(handle)) => {
            ENTERED_COUNT.set(ENTERED_COUNT.get().saturating_sub(1));
            drop(handle);
            true
        }
        Ok(Err(())) => false,
        // Thread-local storage is gone, and the handles with it.
        Err(_) => true,
    }
}
