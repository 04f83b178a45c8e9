//! Something of one thread that another one holds.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::table::{self, Key, Table};
use crate::thread::{self, Thread};

thread_local! {
    static TABLE: RefCell<Table<dyn Any>> = const { RefCell::new(Table::new()) };
}

/// It holds what is in the table of its thread, from wherever it is; dropping it lets that go, on its own thread.
pub(super) struct Anchor {
    /// `None` when it has been let go.
    key: Option<Key>,
    thread: Arc<Thread>,
}

impl Anchor {
    pub(super) fn new(value: Rc<dyn Any>) -> Self {
        thread::note_home();
        Self { key: Some(table::insert(&TABLE, value)), thread: thread::this() }
    }

    /// Calls `f` with what it holds, and lets that go: at once on its own thread, soon from another one. If `f` is dropped
    /// with the home that was to call it, what it holds is let go nevertheless.
    ///
    /// # Errors
    ///
    /// If its thread runs nothing any more. `f` has been dropped then.
    pub(super) fn reach<T: 'static>(self, f: impl FnOnce(&T) + Send + 'static) -> Result<(), Unreachable> {
        let thread = Arc::clone(&self.thread);
        if thread.is_here() {
            self.call(f);
            return Ok(());
        }
        thread.post(Box::new(move || self.call(f))).map_err(|_| Unreachable)
    }

    /// As `reach`; if its thread runs nothing now, as soon as it does.
    pub(super) fn reach_some_time<T: 'static>(self, f: impl FnOnce(&T) + Send + 'static) {
        let thread = Arc::clone(&self.thread);
        if thread.is_here() {
            self.call(f);
        } else {
            thread.leave(Box::new(move || self.call(f)));
        }
    }

    fn call<T: 'static>(mut self, f: impl FnOnce(&T)) {
        if let Some(value) = self.key.take().and_then(let_go)
            && let Some(value) = value.downcast_ref::<T>()
        {
            f(value);
        }
    }
}

fn let_go(key: Key) -> Option<Rc<dyn Any>> {
    table::remove(&TABLE, key)
}

impl Drop for Anchor {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        if self.thread.is_here() {
            drop(let_go(key));
        } else {
            self.thread.leave(Box::new(move || drop(let_go(key))));
        }
    }
}

/// The thread runs nothing any more.
pub(super) struct Unreachable;
