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
    /// `None` when somebody else lets go.
    key: Option<Key>,
    thread: Arc<Thread>,
}

impl Anchor {
    pub(super) fn new(value: Rc<dyn Any>) -> Self {
        thread::note_home();
        Self { key: Some(table::insert(&TABLE, value)), thread: thread::this() }
    }

    /// Calls `f` with what it holds: at once on its own thread, soon from another one. Not at all if it has been let go.
    ///
    /// # Errors
    ///
    /// If its thread runs nothing any more. `f` has been dropped then.
    pub(super) fn reach<T: 'static>(mut self, f: impl FnOnce(&T) + Send + 'static) -> Result<(), Unreachable> {
        let key = self.key.take();
        let call = move || {
            if let Some(value) = key.and_then(let_go)
                && let Some(value) = value.downcast_ref::<T>()
            {
                f(value);
            }
        };
        if self.thread.is_here() {
            call();
            return Ok(());
        }
        self.thread.post(Box::new(call)).map_err(|_| Unreachable)
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
            // If that thread runs no jobs any more, its table goes with it.
            let _ = self.thread.post(Box::new(move || drop(let_go(key))));
        }
    }
}

/// The thread runs nothing any more.
pub(super) struct Unreachable;
