//! What a thread belongs to: a place holder, so that the leaves can be tested.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::reactor::{Handle, Reactor};

pub(crate) const NO_RUNTIME: &str = "there is no runtime here: call this within `Runtime::block_on` or a task";

thread_local! {
    static REACTOR: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
    static HANDLE: RefCell<Option<Arc<Handle>>> = const { RefCell::new(None) };
}

pub(crate) fn with_reactor<R>(f: impl FnOnce(&Reactor) -> R) -> Option<R> {
    let reactor = REACTOR.try_with(|reactor| reactor.borrow().clone()).ok()??;
    Some(f(&reactor))
}

pub(crate) fn reactor_handle() -> Option<Arc<Handle>> {
    with_reactor(|reactor| reactor.handle().clone())
        .or_else(|| HANDLE.try_with(|handle| handle.borrow().clone()).ok().flatten())
}

#[cfg(test)]
pub(crate) fn scope<R>(reactor: Option<Rc<Reactor>>, handle: Option<Arc<Handle>>, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Rc<Reactor>>, Option<Arc<Handle>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            REACTOR.set(self.0.take());
            HANDLE.set(self.1.take());
        }
    }
    let _restore = Restore(REACTOR.replace(reactor), HANDLE.replace(handle));
    f()
}
