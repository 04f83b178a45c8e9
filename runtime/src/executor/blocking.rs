//! The blocking pool: threads that run what must not hold up a worker.
//!
//! Threads are started on demand up to a limit, wait for more work for a while, and leave. Calls start in the order in
//! which they were made. The thread that went idle last is woken first, so that after a burst the others time out
//! instead of taking turns.
//!
//! # Invariants
//!
//! 1. A call that waits has a thread that will come for it: one that was woken, one that is being started, or, where
//!    neither could be had, one of the busy ones. A thread looks at the waiting calls before it goes idle, and it
//!    decides to leave and is counted out under one lock, so nobody relies on a thread that has left.
//! 2. Who takes the closure out of a [`Call`] runs or drops it: abort, shutdown and start cannot
//!    both have it.
//! 3. Nobody joins the threads: what runs for ever holds up neither shutdown nor exit.
//! 4. No lock is held while a closure runs or is dropped, or while a waker is woken, cloned or dropped.

mod call;
mod threads;
mod waiting;

#[cfg(test)]
mod checks;
#[cfg(all(test, not(loom)))]
mod tests;

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::task::BlockingJoin;
use call::{Call, Run};
use threads::Threads;

/// What a pool is made with.
pub(crate) struct Config {
    /// Most threads at a time; calls beyond that wait.
    pub(crate) max_threads: usize,
    /// How long a thread without work stays.
    pub(crate) keep_alive: Duration,
    /// Asked once per thread.
    pub(crate) thread_name: Arc<dyn Fn() -> String + Send + Sync>,
    /// Bytes; std's default if `None`.
    pub(crate) stack_size: Option<usize>,
    /// Called on each new thread before its first call, inside `inherit`.
    pub(crate) on_thread_start: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Called on each thread after its last call, inside `inherit`.
    pub(crate) on_thread_stop: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Runs a thread's whole life: calls what it is given exactly once, from within the runtime's context.
    pub(crate) inherit: Arc<Inherit>,
    /// Whether [`BlockingPool::calls`] is going to be asked.
    pub(crate) keeps_count: bool,
    /// Told while calls are out.
    pub(crate) hold: Arc<dyn Hold>,
}

/// See [`Config::inherit`].
pub(crate) type Inherit = dyn Fn(&mut dyn FnMut()) + Send + Sync;

/// What must stand still while a call is out (the virtual clock).
///
/// `release` follows each `hold` exactly once, on any thread: after the joiner was woken, or after the
/// closure was dropped unrun.
pub(crate) trait Hold: Send + Sync {
    fn hold(&self);
    fn release(&self);
}

impl Config {
    /// 512 threads that stay for 10 seconds, no hooks.
    pub(crate) fn new(hold: Arc<dyn Hold>) -> Self {
        Self {
            max_threads: 512,
            keep_alive: Duration::from_secs(10),
            thread_name: Arc::new(|| "rt-blocking".to_owned()),
            stack_size: None,
            on_thread_start: None,
            on_thread_stop: None,
            inherit: Arc::new(|life| life()),
            keeps_count: false,
            hold,
        }
    }
}

/// A handle on the pool; clones share it. It works until [`shutdown`](Self::shutdown); dropping handles ends nothing
/// but lets idle threads run out.
#[derive(Clone)]
pub(crate) struct BlockingPool {
    threads: Arc<Threads>,
}

impl BlockingPool {
    /// A pool without threads. A `max_threads` of 0 counts as 1: a call must be able to start.
    pub(crate) fn new(mut config: Config) -> Self {
        config.max_threads = config.max_threads.max(1);
        Self { threads: Arc::new(Threads::new(config)) }
    }

    /// Has `f` run on a pool thread. After shutdown the call is already cancelled.
    ///
    /// If the system refuses a thread while the pool has none, the call fails as if `f` had panicked with a sentence
    /// that says so.
    #[track_caller]
    pub(crate) fn spawn<F, R>(&self, id: u64, f: F) -> Arc<dyn BlockingJoin<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let call = Arc::new(Call::new(id, Location::caller(), f, Arc::clone(&self.threads)));
        self.threads.submit(Arc::clone(&call) as Arc<dyn Run>);
        call
    }

    /// Where the calls were made that wait or run; those that run only if [`Config::keeps_count`] says so.
    pub(crate) fn calls(&self) -> Vec<&'static Location<'static>> {
        self.threads.calls()
    }

    /// Cancels the calls that have not started, lets idle threads go, and refuses new calls. Waits for nothing; the
    /// second time it does nothing.
    pub(crate) fn shutdown(&self) {
        self.threads.close();
    }

    /// As [`shutdown`](Self::shutdown), and waits until all threads have left, at most for `timeout`. Tells whether
    /// they have.
    ///
    /// Called on a pool thread it waits for its own caller, so it runs into the timeout.
    pub(crate) fn shutdown_timeout(&self, timeout: Duration) -> bool {
        self.threads.close();
        self.threads.wait_until_empty(timeout)
    }
}
