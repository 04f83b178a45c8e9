//! One call: its closure, then its result, and who waits for it. One allocation, seen by the pool as [`Run`] and by the
//! joiner as [`BlockingJoin`].
//!
//! ```text
//! Waiting ──take_closure (run, cancel, abort, fail)──▶ Out ──finish──▶ Finished ──poll_join──▶ Joined
//!                                                        └──finish, after detach──▶ Joined
//! ```

use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::threads::Threads;
use crate::panics::quietly;
use crate::primitives::Mutex;
use crate::primitives::atomic::{AtomicU64, Ordering::Relaxed};
use crate::task::{BlockingCall, BlockingJoin, JoinFailure, drop_unseen};

/// The pool's side of a call.
pub(super) trait Run: Send + Sync {
    /// Where in the queue it stands, for [`Threads::forget`].
    fn placed_at(&self, position: u64);

    /// Where the call was made; `None` if its result is there.
    fn unfinished(&self) -> Option<&'static Location<'static>>;

    /// Runs the closure unless it is gone.
    fn run(&self);

    /// Drops the closure unless it is gone.
    fn cancel(&self);

    /// As `cancel`, but the joiner finds a panic with `reason`.
    fn fail(&self, reason: &str);
}

pub(super) struct Call<F, R> {
    id: u64,
    spawned_at: &'static Location<'static>,
    threads: Arc<Threads>,
    /// Written before the call is in the queue, under its lock; read only to leave the queue, under its lock.
    position: AtomicU64,
    state: Mutex<State<F, R>>,
}

struct State<F, R> {
    stage: Stage<F, R>,
    /// Nobody will ask for the result.
    detached: bool,
    joiner: Option<Waker>,
}

enum Stage<F, R> {
    /// Nobody has taken the closure.
    Waiting(F),
    /// The closure runs, or is being dropped.
    Out,
    Finished(Result<R, JoinFailure>),
    /// The result has been taken, or dropped because nobody wants it.
    Joined,
}

impl<F, R> Call<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    /// From here to the end of [`finish`](Self::finish) the clock is held.
    pub(super) fn new(id: u64, spawned_at: &'static Location<'static>, f: F, threads: Arc<Threads>) -> Self {
        threads.config.hold.hold();
        let state = State { stage: Stage::Waiting(f), detached: false, joiner: None };
        Self { id, spawned_at, threads, position: AtomicU64::new(0), state: Mutex::new(state) }
    }

    /// The closure, for whoever comes first: who gets it owes a [`finish`](Self::finish).
    fn take_closure(&self) -> Option<F> {
        let mut state = self.state.lock();
        match mem::replace(&mut state.stage, Stage::Out) {
            Stage::Waiting(f) => Some(f),
            other => {
                state.stage = other;
                None
            }
        }
    }

    fn finish(&self, result: Result<R, JoinFailure>) {
        let mut state = self.state.lock();
        let (unwanted, joiner) = if state.detached {
            state.stage = Stage::Joined;
            (Some(result), None)
        } else {
            state.stage = Stage::Finished(result);
            (None, state.joiner.take())
        };
        drop(state);
        self.drop_unseen(unwanted);
        quietly(|| joiner.map(Waker::wake));
        self.threads.config.hold.release();
    }

    /// Drops a result that nobody has asked for.
    fn drop_unseen(&self, result: Option<Result<R, JoinFailure>>) {
        quietly(|| result.map(|result| drop_unseen(result, self.spawned_at)));
    }

    /// Drops a closure that was taken, unrun.
    fn drop_closure(&self, f: F, failure: JoinFailure) {
        let failure = match catch_unwind(AssertUnwindSafe(|| drop(f))) {
            Ok(()) => failure,
            Err(payload) => JoinFailure::Panicked(payload),
        };
        self.finish(Err(failure));
    }
}

impl<F, R> Run for Call<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn placed_at(&self, position: u64) {
        self.position.store(position, Relaxed);
    }

    fn unfinished(&self) -> Option<&'static Location<'static>> {
        (!self.is_finished()).then_some(self.spawned_at)
    }

    fn run(&self) {
        if let Some(f) = self.take_closure() {
            self.finish(catch_unwind(AssertUnwindSafe(f)).map_err(JoinFailure::Panicked));
        }
    }

    fn cancel(&self) {
        if let Some(f) = self.take_closure() {
            self.drop_closure(f, JoinFailure::Cancelled);
        }
    }

    fn fail(&self, reason: &str) {
        if let Some(f) = self.take_closure() {
            self.drop_closure(f, JoinFailure::Panicked(Box::new(reason.to_owned())));
        }
    }
}

impl<F, R> BlockingCall for Call<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn abort(&self) {
        if let Some(f) = self.take_closure() {
            self.threads.forget(self.position.load(Relaxed));
            self.drop_closure(f, JoinFailure::Cancelled);
        }
    }

    fn is_finished(&self) -> bool {
        matches!(self.state.lock().stage, Stage::Finished(_) | Stage::Joined)
    }

    fn id(&self) -> u64 {
        self.id
    }
}

impl<F, R> BlockingJoin<R> for Call<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn poll_join(&self, cx: &mut Context<'_>) -> Poll<Result<R, JoinFailure>> {
        // A waker's clone and drop are its owner's code, so both happen without the lock.
        let mut fresh = None;
        loop {
            let mut state = self.state.lock();
            match mem::replace(&mut state.stage, Stage::Joined) {
                Stage::Finished(result) => return Poll::Ready(result),
                Stage::Joined => panic!("a blocking call's result was asked for again after it had been given out"),
                other => state.stage = other,
            }
            if state.joiner.as_ref().is_some_and(|joiner| joiner.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if let Some(waker) = fresh.take() {
                let old = state.joiner.replace(waker);
                drop(state);
                drop(old);
                return Poll::Pending;
            }
            drop(state);
            fresh = Some(cx.waker().clone());
        }
    }

    fn detach(&self) {
        let (result, joiner) = {
            let mut state = self.state.lock();
            state.detached = true;
            let result = match mem::replace(&mut state.stage, Stage::Joined) {
                Stage::Finished(result) => Some(result),
                other => {
                    state.stage = other;
                    None
                }
            };
            (result, state.joiner.take())
        };
        drop(joiner);
        self.drop_unseen(result);
    }
}
