//! Runtimes that one makes, keeps and drops: [`Builder`], [`Runtime`], [`Handle`].
//!
//! `#[rt::main]` and [`rt::block_on`](crate::block_on) make one where that is all one wants.

mod builder;
mod leftovers;
mod many_threads;
mod one_thread;
mod stall;
mod unhandled;

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub use self::builder::Builder;
pub(crate) use self::leftovers::Leftovers;
pub use self::stall::Stall;
pub(crate) use self::stall::Stalls;
pub use self::unhandled::UnhandledFailure;
pub(crate) use self::unhandled::{Failures, OBSERVER};
pub use crate::handle::{EnterGuard, Handle, NoSuchWorker, TryCurrentError};

use self::many_threads::ManyThreads;
use self::one_thread::OneThread;
use crate::context;
use crate::executor::crew::Crew;
use crate::executor::worker::Worker;
use crate::task::JoinHandle;

/// An executor, a reactor, timers and a pool for blocking calls.
///
/// There are two flavors; [`Builder`] says which:
///
/// - *multi-thread* ([`new`](Self::new), `#[rt::main]`): tasks run on several workers. A thread in [`block_on`](Self::block_on) is one
///   of them if there is room; the others are started when there is work for them. What was spawned runs whether anybody blocks or not.
/// - *current-thread*: tasks run on the thread that is in [`block_on`](Self::block_on), and nothing runs while none is. When several
///   threads block at once, one of them drives the runtime, and another takes over when it leaves.
///
/// Dropping the runtime drops every task's future: those of [`spawn_local`](crate::spawn_local) on their own threads, the others on
/// this thread or on a worker's. It waits for the polls that are going on, unless a task of the runtime itself drops it; a worker that
/// is stuck then holds it up (see [`shutdown_timeout`](Self::shutdown_timeout)). Blocking calls that have not started are cancelled.
/// Those that have are not waited for.
///
/// Counterpart: `tokio::runtime::Runtime`; Twisted's reactor, except that one can have several, one after another or side by
/// side.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = rt::runtime::Builder::new_current_thread().build()?;
/// let task = runtime.spawn(async { "later" });
/// assert_eq!(runtime.block_on(task).unwrap(), "later");
/// # Ok(()) }
/// ```
pub struct Runtime {
    handle: Handle,
    flavor: Flavor,
    /// Shut down by name, with a patience of its own.
    shut_down: bool,
}

enum Flavor {
    CurrentThread(OneThread),
    MultiThread(ManyThreads),
}

impl Runtime {
    /// A runtime of the multi-thread flavor with the defaults of [`Builder::new_multi_thread`].
    ///
    /// Counterpart: `tokio::runtime::Runtime::new`.
    ///
    /// # Errors
    ///
    /// What the system says if it has no descriptors left.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = rt::runtime::Runtime::new()?;
    /// let task = runtime.spawn(async { 6 * 7 });
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// # Ok(()) }
    /// ```
    pub fn new() -> io::Result<Self> {
        Builder::new_multi_thread().build()
    }

    fn current_thread(worker: Worker) -> Self {
        let handle = Handle::from_shared(Arc::clone(worker.shared()));
        Self { handle, flavor: Flavor::CurrentThread(OneThread::new(worker)), shut_down: false }
    }

    fn multi_thread(handle: Handle, crew: Arc<Crew>) -> Self {
        Self { handle, flavor: Flavor::MultiThread(ManyThreads::new(crew)), shut_down: false }
    }

    /// Runs `future` on this thread until it is ready, and tasks besides: on the current-thread flavor all that are ready, on the
    /// multi-thread flavor as one of the workers, unless all places are taken. Tasks that are not finished by then go on: with the
    /// other workers, or in the next call.
    ///
    /// # Panics
    ///
    /// If this thread drives a runtime already, and if `future` panics. The runtime can be used afterwards. Also if a
    /// failure was not handled and [`Builder::unhandled_failure`] says so.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(!context::is_driving(), "{}", context::NESTED);
        let called_at = Location::caller();
        let failures = self.handle.shared().failures();
        if failures.may_shut_down() {
            let mut future = pin!(future);
            return self.drive(failures.watch(future.as_mut()), called_at);
        }
        self.drive(future, called_at)
    }

    fn drive<F: Future>(&self, future: F, called_at: &'static Location<'static>) -> F::Output {
        let future = Within(pin!(Some(future)));
        let output = match &self.flavor {
            Flavor::CurrentThread(one) => one.block_on(&self.handle, future, called_at),
            Flavor::MultiThread(many) => many.block_on(&self.handle, future, called_at),
        };
        crate::stdio::finish();
        output
    }

    /// What `#[rt::test]` expands to: as [`block_on`](Self::block_on), then drops the runtime, and panics if a failure
    /// was not handled or, where that is asked for, if something is left behind.
    #[doc(hidden)]
    #[track_caller]
    pub fn __block_on_test<F: Future>(self, future: F) -> F::Output {
        let output = self.block_on(future);
        let shared = Arc::clone(self.handle.shared());
        let others = shared.leftovers().map(|_| self.leftovers_but_tasks());
        // Tasks that are dropped may lose something, too.
        drop(self);
        let tasks = shared.leftovers().map(Leftovers::take_tasks);
        let left: Vec<_> = tasks.into_iter().chain(others).flatten().collect();
        let lost = shared.failures().take_collected();
        assert!(
            lost.is_empty(),
            "{} of this test's failures were not handled (if that is meant: `#[rt::test(unhandled = \"log\")]`):\n{}",
            lost.len(),
            lost.join("\n"),
        );
        assert!(
            left.is_empty(),
            "this test leaves behind what it should have ended (`leftovers = \"fail\"` asks for that):\n{}",
            left.join("\n"),
        );
        output
    }

    /// Spawns `future` onto the runtime. On the current-thread flavor it runs while some thread is in [`block_on`](Self::block_on).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs `f`, which may block, on a thread of the runtime's pool. See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(f)
    }

    /// The runtime's handle.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Enters the runtime without running anything. See [`Handle::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Shuts down and waits until no worker is in a poll and no blocking call runs any more, for at most `timeout`.
    ///
    /// Tasks are dropped at once, except those that only a stuck worker could drop: they are, whenever it comes to an end.
    pub fn shutdown_timeout(mut self, timeout: Duration) {
        let deadline = Instant::now().checked_add(timeout);
        self.shut_down(Patience::Some(timeout));
        let left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
        self.handle.shared().blocking().shutdown_timeout(left);
    }

    /// Shuts down without waiting for anything: neither for blocking calls nor for polls that are going on.
    pub fn shutdown_background(mut self) {
        self.shut_down(Patience::None);
    }

    fn shut_down(&mut self, patience: Patience) {
        if std::mem::replace(&mut self.shut_down, true) {
            return;
        }
        self.handle.shared().set_shut_down();
        match &self.flavor {
            Flavor::CurrentThread(one) => one.close(&self.handle),
            Flavor::MultiThread(many) => many.close(&self.handle, patience),
        }
        self.handle.shared().blocking().shutdown();
        self.handle.shared().tokio_context().shut_down();
    }
}

/// How long to wait for workers that are in a poll.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    None,
    Some(Duration),
    Endless,
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shut_down(Patience::Endless);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

/// A future that is dropped by who polls it, within the runtime, and not by the caller of `block_on`.
struct Within<'a, F>(Pin<&'a mut Option<F>>);

impl<F: Future> Future for Within<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().as_pin_mut().expect("it is there until this is dropped").poll(cx)
    }
}

impl<F> Drop for Within<'_, F> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}
