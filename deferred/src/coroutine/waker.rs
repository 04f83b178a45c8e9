//! The waker of a coroutine, and the scopes in which its wakes land.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use super::{Key, find, remove};
use crate::home;
use crate::thread::{self, Thread};

thread_local! {
    /// Whether a step of a chain is waking somebody now.
    static OPEN: Cell<bool> = const { Cell::new(false) };
    /// Whose wakes have landed and who has not been polled yet: those of inner scopes behind those of outer ones.
    static LANDED: RefCell<Vec<Arc<CoroutineWaker>>> = const { RefCell::new(Vec::new()) };
}

/// Wakes `waker` inside a scope and polls the coroutines whose wakes have landed in it.
pub(crate) fn wake(waker: Waker) {
    if OPEN.get() {
        // Inside somebody's waker: the scope that is open takes it, and polls when that waker has returned.
        waker.wake();
        return;
    }
    // If the thread ends, nobody goes on.
    let first = LANDED.try_with(|landed| landed.borrow().len()).unwrap_or(0);
    // Dropped after the scope.
    let _landed = Landed { first };
    let _open = Open::new();
    waker.wake();
}

/// What has landed since there were `first`; they are polled when the scope has closed, also if a waker has panicked.
struct Landed {
    first: usize,
}

impl Landed {
    fn next(&self) -> Option<Arc<CoroutineWaker>> {
        let next = |landed: &RefCell<Vec<_>>| {
            let mut landed = landed.borrow_mut();
            (landed.len() > self.first).then(|| landed.remove(self.first))
        };
        LANDED.try_with(next).ok().flatten()
    }
}

impl Drop for Landed {
    fn drop(&mut self) {
        while let Some(waker) = self.next() {
            if let Some(coroutine) = find(waker.key) {
                coroutine.has_landed.set(false);
                coroutine.run(&waker);
            }
        }
    }
}

/// A key into the table of a thread. When the last clone is gone, nobody can wake the coroutine any more.
pub(super) struct CoroutineWaker {
    key: Key,
    thread: Arc<Thread>,
    /// Another thread has left word that it is to be resumed. One is enough.
    is_left: AtomicBool,
}

impl CoroutineWaker {
    pub(super) fn new(key: Key) -> Arc<Self> {
        Arc::new(Self { key, thread: thread::this(), is_left: AtomicBool::new(false) })
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }
}

impl Wake for CoroutineWaker {
    fn wake(self: Arc<Self>) {
        if self.thread.is_here() {
            land(self);
        } else if !self.is_left.swap(true, Ordering::AcqRel) {
            leave(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.clone().wake();
    }
}

fn land(waker: Arc<CoroutineWaker>) {
    let Some(coroutine) = find(waker.key) else { return };
    let is_running = coroutine.is_running();
    if OPEN.get() {
        if is_running {
            // It will be polled again when that poll returns.
            coroutine.is_woken.set(true);
        } else if !coroutine.has_landed.replace(true) {
            let _ = LANDED.try_with(|landed| landed.borrow_mut().push(waker));
        }
    } else if is_running && home::current().is_none() {
        // Who wakes itself wants others to have their turn. Here nobody else has one.
        coroutine.is_woken.set(true);
    } else if !waker.is_left.swap(true, Ordering::AcqRel) {
        leave(waker);
    }
}

/// Has it resumed by the home of its thread, as soon as there is one.
fn leave(waker: Arc<CoroutineWaker>) {
    let thread = Arc::clone(&waker.thread);
    thread.leave(Box::new(move || {
        // AcqRel, here and where it is set: who has found it set has done what it woke for before this poll.
        waker.is_left.swap(false, Ordering::AcqRel);
        if let Some(coroutine) = find(waker.key) {
            coroutine.run(&waker);
        }
    }));
}

impl Drop for CoroutineWaker {
    fn drop(&mut self) {
        let key = self.key;
        if self.thread.is_here() {
            forsake(key);
        } else {
            self.thread.leave(Box::new(move || forsake(key)));
        }
    }
}

fn forsake(key: Key) {
    if let Some(coroutine) = remove(key) {
        coroutine.forsaken();
    }
}

struct Open;

impl Open {
    fn new() -> Self {
        OPEN.set(true);
        Open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.set(false);
    }
}
