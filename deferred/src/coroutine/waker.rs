//! The waker of a coroutine, and the scopes in which its wakes land.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
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
    let first = LANDED.with_borrow(Vec::len);
    {
        let _open = Open::new();
        waker.wake();
    }
    while let Some(waker) = LANDED.with_borrow_mut(|landed| (landed.len() > first).then(|| landed.remove(first))) {
        resume(&waker);
    }
}

/// A key into the table of a thread. When the last clone is gone, nobody can wake the coroutine any more.
pub(super) struct CoroutineWaker {
    key: Key,
    thread: Arc<Thread>,
}

impl CoroutineWaker {
    pub(super) fn new(key: Key) -> Arc<Self> {
        Arc::new(Self { key, thread: thread::this() })
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }
}

impl Wake for CoroutineWaker {
    fn wake(self: Arc<Self>) {
        if self.thread.is_here() {
            land(self);
        } else {
            let thread = Arc::clone(&self.thread);
            // If that thread runs no jobs any more, its coroutines do not run either.
            let _ = thread.post(Box::new(move || resume(&self)));
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.clone().wake();
    }
}

fn land(waker: Arc<CoroutineWaker>) {
    let Some(coroutine) = find(waker.key) else { return };
    let home = if OPEN.get() { None } else { home::current() };
    // Who wakes itself wants others to have their turn, so it goes home, too; without one it has to go on right here.
    if coroutine.is_running() && home.is_none() {
        // It will be polled again when that poll returns.
        coroutine.is_woken.set(true);
        return;
    }
    if coroutine.is_queued.replace(true) {
        return;
    }
    if OPEN.get() {
        LANDED.with_borrow_mut(|landed| landed.push(waker));
        return;
    }
    match home {
        Some(home) => home.schedule(Box::new(move || resume(&waker))),
        // It waits for Deferreds besides (otherwise it would have failed with `NoHome`), so it will be polled for them.
        None => coroutine.is_queued.set(false),
    }
}

fn resume(waker: &Arc<CoroutineWaker>) {
    if let Some(coroutine) = find(waker.key) {
        coroutine.is_queued.set(false);
        coroutine.run(waker);
    }
}

impl Drop for CoroutineWaker {
    fn drop(&mut self) {
        let key = self.key;
        if self.thread.is_here() {
            forsake(key);
        } else {
            // If that thread runs no jobs any more, its table goes with it.
            let _ = self.thread.post(Box::new(move || forsake(key)));
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
