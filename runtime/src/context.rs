//! What this thread belongs to: the worker that it drives now, and the runtimes that it has entered. Nothing below this line
//! of the module map imports it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::executor::worker::Worker;
use crate::handle::{Handle, Shared};
use crate::reactor::clock::Clock;
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
    /// The runtimes whose workers this thread has lent.
    static LENT: RefCell<Vec<*const Shared>> = const { RefCell::new(Vec::new()) };
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
    let _tokio = worker.shared().tokio_context().enter();
    WORKER.scope(worker, f)
}

/// Calls `f` as if this thread drove nothing, within the runtime of `handle`: its worker is driven by others meanwhile.
pub(crate) fn apart<R>(handle: &Handle, f: impl FnOnce() -> R) -> R {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            LENT.with_borrow_mut(|lent| lent.pop());
        }
    }
    LENT.with_borrow_mut(|lent| lent.push(Arc::as_ptr(handle.shared())));
    let _back = Back;
    WORKER.apart(|| handle.enter_quietly(f))
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

/// Whether this thread drives a worker of this runtime, or has left one in the middle of a poll.
pub(crate) fn is_at_work_in(handle: &Handle) -> bool {
    with_worker(|worker| worker.is_some_and(|worker| Arc::ptr_eq(worker.shared(), handle.shared())))
        || LENT.try_with(|lent| lent.borrow().contains(&Arc::as_ptr(handle.shared()))).unwrap_or(false)
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

/// The reactor for what this thread waits for: that of the worker it drives, or one of the runtime that it has entered.
pub(crate) fn reactor_handle() -> Option<Arc<reactor::Handle>> {
    if !has_entered() {
        return with_reactor(|reactor| Arc::clone(reactor.handle()));
    }
    let entered = handle()?;
    let driven = with_worker(|worker| {
        worker
            .filter(|worker| Arc::ptr_eq(worker.shared(), entered.shared()))
            .map(|worker| Arc::clone(worker.reactor().handle()))
    });
    driven.or_else(|| Some(Arc::clone(entered.shared().reactor())))
}

/// The clock of the runtime that this thread is in.
pub(crate) fn clock() -> Option<Arc<Clock>> {
    handle().map(|handle| Arc::clone(handle.shared().clock()))
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
