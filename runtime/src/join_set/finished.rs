//! Which tasks of a set have come to their end: an entry per wake, in the order of the wakes.
//!
//! # Invariants
//!
//! 1. Whoever finds the list empty has left its waker under the same lock, so the next entry wakes it.
//! 2. No lock is held while a waker is cloned, woken or dropped.
//! 3. A closed list stays empty: wakers that outlive the set, or that belong to tasks which the set gave up, fill nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::primitives::Mutex;
use crate::task::Id;

/// Below this many entries the list keeps its memory.
const KEPT: usize = 64;

/// The list; its set takes from it, the wakers of the set's tasks add to it.
#[derive(Default)]
pub(super) struct Finished(Mutex<State>);

#[derive(Default)]
struct State {
    tasks: VecDeque<Id>,
    joiner: Option<Waker>,
    closed: bool,
}

impl Finished {
    /// A waker that adds `task` whenever it is woken.
    pub(super) fn waker(self: &Arc<Self>, task: Id) -> Waker {
        Waker::from(Arc::new(Notify { finished: Arc::clone(self), task }))
    }

    /// Takes the task that was added first.
    pub(super) fn pop(&self) -> Option<Id> {
        self.0.lock().pop()
    }

    /// Takes the task that was added first, or leaves `waker` for the next one.
    pub(super) fn pop_or_wait(&self, waker: &Waker) -> Option<Id> {
        let mut fresh = None;
        loop {
            let mut state = self.0.lock();
            if let Some(task) = state.pop() {
                return Some(task);
            }
            if state.joiner.as_ref().is_some_and(|joiner| joiner.will_wake(waker)) {
                return None;
            }
            if let Some(fresh) = fresh.take() {
                let old = state.joiner.replace(fresh);
                drop(state);
                drop(old);
                return None;
            }
            drop(state);
            fresh = Some(waker.clone());
        }
    }

    /// Empties the list for good.
    pub(super) fn close(&self) {
        let State { tasks, joiner, .. } =
            std::mem::replace(&mut *self.0.lock(), State { closed: true, ..State::default() });
        drop((tasks, joiner));
    }

    fn push(&self, task: Id) {
        let mut state = self.0.lock();
        if state.closed {
            return;
        }
        state.tasks.push_back(task);
        let joiner = state.joiner.take();
        drop(state);
        if let Some(joiner) = joiner {
            joiner.wake();
        }
    }
}

impl State {
    fn pop(&mut self) -> Option<Id> {
        let task = self.tasks.pop_front()?;
        if self.tasks.capacity() > KEPT && self.tasks.len() < self.tasks.capacity() / 4 {
            self.tasks.shrink_to(self.tasks.len() * 2);
        }
        Some(task)
    }
}

/// What a task of the set is joined with.
struct Notify {
    finished: Arc<Finished>,
    task: Id,
}

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        self.finished.push(self.task);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.finished.push(self.task);
    }
}
