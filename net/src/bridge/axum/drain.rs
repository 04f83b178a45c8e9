//! How the connections of a server learn that it ends, and it learns that they have.

use parking_lot::Mutex;
use slab::Slab;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

/// The server's side.
#[derive(Clone, Default)]
pub(super) struct Drain(Arc<Shared>);

#[derive(Default)]
struct Shared {
    begun: AtomicBool,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    wakers: Slab<Option<Waker>>,
    /// Of who waits for the last one to go.
    waiting: Option<Waker>,
}

/// One connection's side.
pub(super) struct Member {
    shared: Arc<Shared>,
    key: usize,
    /// What is stored under the key.
    waker: Option<Waker>,
}

impl Drain {
    pub(super) fn join(&self) -> Member {
        let key = self.0.members.lock().wakers.insert(None);
        Member { shared: self.0.clone(), key, waker: None }
    }

    /// Tells all who have joined, and who will.
    pub(super) fn begin(&self) {
        // Under the lock, as who stores a waker looks once more under it: one of the two sees the other.
        let wakers: Vec<Waker> = {
            let mut members = self.0.members.lock();
            self.0.begun.store(true, Ordering::Release);
            members.wakers.iter_mut().filter_map(|(_, waker)| waker.take()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until all are gone.
    pub(super) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        let mut members = self.0.members.lock();
        if members.wakers.is_empty() {
            return Poll::Ready(());
        }
        members.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Member {
    /// Waits until the server ends. Asked on every turn of a connection: no lock unless there is something new.
    pub(super) fn poll_begun(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.shared.begun.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        let mut members = self.shared.members.lock();
        if self.shared.begun.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let replaced = members.wakers[self.key].replace(cx.waker().clone());
        drop(members);
        drop(replaced);
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut members = self.shared.members.lock();
        let waker = members.wakers.remove(self.key);
        let waiting = if members.wakers.is_empty() { members.waiting.take() } else { None };
        drop(members);
        drop(waker);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}
