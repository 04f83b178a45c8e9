//! A task that is made by a closure on the thread of a certain worker: what the spawner holds of it.

use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::primitives::Mutex;
use crate::task::{AbortHandle, BlockingCall, BlockingJoin, JoinFailure, JoinHandle, drop_unseen};

/// The spawner's end.
pub(crate) struct Pinned<T> {
    id: u64,
    spawned_at: &'static Location<'static>,
    state: Mutex<State<T>>,
}

struct State<T> {
    task: Task<T>,
    /// How to abort the task, once there is one.
    switch: Option<AbortHandle>,
    aborted: bool,
    /// Of who waits for a task that is not there yet.
    waker: Option<Waker>,
}

enum Task<T> {
    /// The closure has not run.
    Awaited,
    Running(JoinHandle<T>),
    /// The closure was dropped, or has panicked with this.
    Never(JoinFailure),
    /// Handed out, or nobody wants it.
    Gone,
}

/// The worker's end: says what became of the closure, also if that is dropped.
pub(crate) struct Start<T>(Arc<Pinned<T>>);

impl<T> Pinned<T> {
    pub(crate) fn new(id: u64, spawned_at: &'static Location<'static>) -> (Arc<Self>, Start<T>) {
        let state = State { task: Task::Awaited, switch: None, aborted: false, waker: None };
        let pinned = Arc::new(Self { id, spawned_at, state: Mutex::new(state) });
        (Arc::clone(&pinned), Start(pinned))
    }

    fn settle(&self, task: Task<T>, switch: Option<AbortHandle>) {
        let (waker, aborted, old) = {
            let mut state = self.state.lock();
            let wanted = !matches!(state.task, Task::Gone);
            state.switch.clone_from(&switch);
            let old = if wanted { mem::replace(&mut state.task, task) } else { task };
            (state.waker.take(), state.aborted, old)
        };
        // Nothing is locked: all of these may run code that is not ours.
        self.drop_unseen(old);
        if aborted && let Some(switch) = switch {
            switch.abort();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Pinned<T> {
    /// Drops what nobody will look at.
    fn drop_unseen(&self, task: Task<T>) {
        if let Task::Never(failure) = task {
            drop_unseen::<()>(Err(failure), self.spawned_at);
        }
    }
}

impl<T> Start<T> {
    /// The closure has made this task.
    pub(crate) fn started(self, task: JoinHandle<T>)
    where
        T: 'static,
    {
        let switch = task.abort_handle();
        self.0.settle(Task::Running(task), Some(switch));
    }

    /// The closure has panicked.
    pub(crate) fn failed(self, failure: JoinFailure) {
        self.0.settle(Task::Never(failure), None);
    }
}

impl<T> Drop for Start<T> {
    fn drop(&mut self) {
        if matches!(self.0.state.lock().task, Task::Awaited) {
            self.0.settle(Task::Never(JoinFailure::Cancelled), None);
        }
    }
}

impl<T: Send> BlockingCall for Pinned<T> {
    fn abort(&self) {
        let switch = {
            let mut state = self.state.lock();
            state.aborted = true;
            state.switch.clone()
        };
        if let Some(switch) = switch {
            switch.abort();
        }
    }

    fn is_finished(&self) -> bool {
        let state = self.state.lock();
        match &state.task {
            Task::Awaited => false,
            Task::Never(_) => true,
            Task::Running(_) | Task::Gone => state.switch.as_ref().is_none_or(AbortHandle::is_finished),
        }
    }

    fn id(&self) -> u64 {
        self.id
    }
}

impl<T: Send> BlockingJoin<T> for Pinned<T> {
    fn poll_join(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinFailure>> {
        let waker = cx.waker().clone();
        let (task, _old) = {
            let mut state = self.state.lock();
            if matches!(state.task, Task::Awaited) {
                let old = state.waker.replace(waker);
                drop(state);
                drop(old);
                return Poll::Pending;
            }
            (mem::replace(&mut state.task, Task::Gone), state.waker.take())
        };
        match task {
            Task::Running(mut task) => match Pin::new(&mut task).poll(cx) {
                Poll::Ready(result) => Poll::Ready(result.map_err(|error| match error.try_into_panic() {
                    Ok(payload) => JoinFailure::Panicked(payload),
                    Err(_) => JoinFailure::Cancelled,
                })),
                Poll::Pending => {
                    self.state.lock().task = Task::Running(task);
                    Poll::Pending
                }
            },
            Task::Never(failure) => Poll::Ready(Err(failure)),
            Task::Awaited | Task::Gone => panic!("a JoinHandle was polled after it had completed"),
        }
    }

    fn detach(&self) {
        let old = mem::replace(&mut self.state.lock().task, Task::Gone);
        self.drop_unseen(old);
    }
}
