//! The outside view of a runtime: what any thread may hold and call.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::context;
use crate::executor::blocking::{BlockingPool, Hold};
use crate::executor::crew::Crew;
use crate::executor::park;
use crate::executor::pinned::Pinned;
use crate::executor::worker::Worker;
use crate::panics::quietly;
use crate::reactor;
use crate::reactor::clock::Clock;
use crate::runtime::{Failures, Leftovers, Stall, Stalls};
use crate::spawn::spawn_local_at;
use crate::task::{Bell, HomeShared, Id, JoinFailure, JoinHandle, Meta, Unborn, spawn_remote};
use crate::tokio_context::{Entered, TokioContext};

/// What all handles of one runtime share.
pub(crate) struct Shared {
    tasks: Tasks,
    blocking: BlockingPool,
    stalls: Stalls,
    failures: Failures,
    leftovers: Option<Leftovers>,
    tokio_context: TokioContext,
    shut_down: AtomicBool,
}

/// Where the tasks of a runtime are.
pub(crate) enum Tasks {
    /// On the one thread that drives the runtime.
    Here(Arc<HomeShared>, Arc<reactor::Handle>),
    /// On any of many.
    Among(Arc<Crew>),
}

impl Shared {
    pub(crate) fn new(
        tasks: Tasks,
        blocking: BlockingPool,
        stalls: Stalls,
        failures: Failures,
        leftovers: Option<Leftovers>,
        tokio_context: TokioContext,
    ) -> Self {
        Self { tasks, blocking, stalls, failures, leftovers, tokio_context, shut_down: AtomicBool::new(false) }
    }

    pub(crate) fn tokio_context(&self) -> &TokioContext {
        &self.tokio_context
    }

    pub(crate) fn failures(&self) -> &Failures {
        &self.failures
    }

    /// What notes what is left behind, if somebody wants to know.
    pub(crate) fn leftovers(&self) -> Option<&Leftovers> {
        self.leftovers.as_ref()
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub(crate) fn blocking(&self) -> &BlockingPool {
        &self.blocking
    }

    /// The reactor for sources and timers of threads that drive nothing here.
    pub(crate) fn reactor(&self) -> &Arc<reactor::Handle> {
        match &self.tasks {
            Tasks::Here(_, reactor) => reactor,
            Tasks::Among(crew) => crew.outside(),
        }
    }

    /// The runtime's clock.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        match &self.tasks {
            Tasks::Here(_, reactor) => reactor.clock(),
            Tasks::Among(crew) => crew.stations[0].handle().clock(),
        }
    }

    /// Who holds the runtime's clock while something is out.
    pub(crate) fn hold(&self) -> &dyn Hold {
        match &self.tasks {
            Tasks::Here(_, reactor) => &**reactor,
            Tasks::Among(crew) => &**crew,
        }
    }

    /// A poll took this long, of what was spawned or called there.
    #[cold]
    pub(crate) fn report_stall(&self, duration: Duration, place: Option<&'static Location<'static>>) {
        quietly(|| (self.stalls)(&Stall::new(duration, place)));
    }

    /// Whether the runtime is gone; its threads may learn of it late.
    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Relaxed)
    }

    pub(crate) fn set_shut_down(&self) {
        self.shut_down.store(true, Ordering::Relaxed);
    }
}

impl Bell for reactor::Handle {
    fn ring(&self) {
        self.wake();
    }
}

impl Hold for reactor::Handle {
    fn hold(&self) {
        self.hold_time();
    }

    fn release(&self) {
        self.release_time();
    }
}

/// A reference to a runtime: spawns onto it from anywhere; cheap to clone.
///
/// A handle does not keep the runtime running. When the runtime is gone, what is spawned is cancelled at once.
///
/// Counterpart: `tokio::runtime::Handle`.
///
/// # Examples
///
/// A plain thread hands work to a runtime:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = rt::runtime::Builder::new_current_thread().build()?;
/// let handle = runtime.handle().clone();
/// let thread = std::thread::spawn(move || handle.spawn(async { 6 * 7 }));
///
/// let task = thread.join().unwrap();
/// assert_eq!(runtime.block_on(task).unwrap(), 42);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The runtime that this thread is in: the one whose tasks it runs, or that it has [entered](Self::enter). The threads of
    /// [`spawn_blocking`](crate::spawn_blocking) are in the runtime that they belong to.
    ///
    /// # Panics
    ///
    /// Outside of a runtime; [`try_current`](Self::try_current) does not.
    #[track_caller]
    pub fn current() -> Self {
        context::handle().expect(context::NO_RUNTIME)
    }

    /// The runtime that this thread is in.
    ///
    /// # Errors
    ///
    /// [`TryCurrentError`] outside of a runtime.
    pub fn try_current() -> Result<Self, TryCurrentError> {
        context::handle().ok_or(TryCurrentError(()))
    }

    /// Spawns `future` onto this runtime. On the current-thread flavor it makes progress only while some thread is in
    /// [`Runtime::block_on`](crate::runtime::Runtime::block_on).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let spawned_at = Location::caller();
        context::with_worker(|worker| {
            let worker = worker.filter(|worker| Arc::ptr_eq(worker.shared(), &self.shared));
            let future = Unborn::new(future, worker.map(Worker::pool));
            match worker {
                Some(worker) => worker.spawn(future, spawned_at),
                None => self.spawn_remote(future, spawned_at),
            }
        })
    }

    /// Spawns from a thread that does not drive the runtime.
    fn spawn_remote<F>(&self, future: Unborn<F>, spawned_at: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let meta = Meta { id: Id::next(), spawned_at };
        JoinHandle::of(match &self.shared.tasks {
            Tasks::Here(home, _) => spawn_remote(home, future, meta),
            Tasks::Among(crew) => crew.scheduler.spawn(future, meta),
        })
    }

    /// Spawns onto the runtime that this thread has entered.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[cold]
    #[track_caller]
    pub(crate) fn spawn_entered<F>(future: Unborn<F>, spawned_at: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = Self::current();
        let driven =
            context::with_worker(|worker| worker.is_some_and(|worker| Arc::ptr_eq(worker.shared(), &handle.shared)));
        if driven {
            return context::with_worker(|worker| worker.expect("seen above").spawn(future, spawned_at));
        }
        handle.spawn_remote(future, spawned_at)
    }

    /// Has `f` make a task on the thread of a certain worker. See [`spawn_pinned`](crate::spawn_pinned).
    ///
    /// # Errors
    ///
    /// [`NoSuchWorker`] if the runtime has fewer workers.
    #[track_caller]
    pub fn spawn_pinned<F, Fut>(&self, worker: usize, f: F) -> Result<JoinHandle<Fut::Output>, NoSuchWorker>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future + 'static,
        Fut::Output: Send + 'static,
    {
        let workers = self.workers();
        if worker >= workers {
            return Err(NoSuchWorker { worker, workers });
        }
        let spawned_at = Location::caller();
        let (pinned, start) = Pinned::new(Id::next().as_u64(), spawned_at);
        let begin = move || match catch_unwind(AssertUnwindSafe(f)) {
            Ok(future) => start.started(spawn_local_at(future, spawned_at)),
            Err(payload) => start.failed(JoinFailure::Panicked(payload)),
        };
        match &self.shared.tasks {
            Tasks::Here(..) => drop(self.spawn(async move { begin() })),
            Tasks::Among(crew) => crew.send(worker, Box::new(begin)),
        }
        Ok(JoinHandle::blocking(pinned))
    }

    /// How many workers the runtime has: 1 on the current-thread flavor.
    fn workers(&self) -> usize {
        match &self.shared.tasks {
            Tasks::Here(..) => 1,
            Tasks::Among(crew) => crew.stations.len(),
        }
    }

    /// Runs `f`, which may block, on a thread of this runtime's pool. See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        JoinHandle::blocking(self.shared.blocking.spawn(Id::next().as_u64(), f))
    }

    /// Blocks this thread until `future` is ready, within this runtime: what it spawns, and the sockets and timers that it makes,
    /// belong to it.
    ///
    /// Nothing but `future` runs on this thread, so a caller that holds a lock cannot meet a task that wants it. On the
    /// current-thread flavor tasks, sockets and timers need some other thread in
    /// [`Runtime::block_on`](crate::runtime::Runtime::block_on); without one this waits for ever.
    ///
    /// # Panics
    ///
    /// If this thread drives a runtime already, and if `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(!context::is_driving(), "{}", context::NESTED);
        let _entered = self.enter();
        let output = park::block_on(future);
        crate::stdio::finish();
        output
    }

    /// Enters the runtime: until the guard is dropped, [`rt::spawn`](crate::spawn), sockets and timers on this thread belong to
    /// it. Guards are dropped in the opposite order of their making.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = rt::runtime::Builder::new_current_thread().build()?;
    /// let sleep = {
    ///     let _entered = runtime.enter();
    ///     rt::time::sleep(std::time::Duration::from_millis(1))
    /// };
    /// runtime.block_on(sleep);
    /// # Ok(()) }
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        let depth = context::enter(self.clone());
        EnterGuard { depth, _tokio: self.shared.tokio_context.enter(), _handle: std::marker::PhantomData }
    }

    /// Calls `f` within the runtime, also on a thread that is exiting.
    pub(crate) fn enter_quietly<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        f()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("shut_down", &self.shared.is_shut_down()).finish_non_exhaustive()
    }
}

/// Leaves the runtime when it is dropped; from [`Handle::enter`].
///
/// Counterpart: `tokio::runtime::EnterGuard`.
///
/// # Panics
///
/// Dropping it panics if a guard that was made later on this thread is still there.
#[must_use = "the runtime is left when the guard is dropped, so keep it: `let _entered = handle.enter();`"]
#[derive(Debug)]
pub struct EnterGuard<'a> {
    /// `None`: this thread is exiting and could not enter.
    depth: Option<usize>,
    /// Left after this runtime, as it was entered.
    _tokio: Entered<'a>,
    /// Not `Send`: what was entered here is left here.
    _handle: std::marker::PhantomData<(&'a Handle, *const ())>,
}

impl Drop for EnterGuard<'_> {
    #[track_caller]
    fn drop(&mut self) {
        if let Some(depth) = self.depth
            && !context::leave(depth)
            && !std::thread::panicking()
        {
            panic!("guards of `Handle::enter` are dropped in the opposite order of their making, and these were not");
        }
    }
}

/// A runtime has fewer workers; from [`spawn_pinned`](crate::spawn_pinned).
///
/// ```
/// # rt::block_on(async {
/// let error = rt::spawn_pinned(7, || async {}).unwrap_err();
/// assert_eq!(error.to_string(), "there is no worker 7: this runtime has 1, and they are counted from 0");
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchWorker {
    worker: usize,
    workers: usize,
}

impl fmt::Display for NoSuchWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no worker {}: this runtime has {}, and they are counted from 0", self.worker, self.workers)
    }
}

impl std::error::Error for NoSuchWorker {}

/// This thread is in no runtime; from [`Handle::try_current`].
///
/// Counterpart: `tokio::runtime::TryCurrentError`.
///
/// ```
/// let error = rt::runtime::Handle::try_current().unwrap_err();
/// assert!(error.to_string().starts_with("there is no rt runtime on this thread"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TryCurrentError(());

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(context::NO_RUNTIME)
    }
}

impl std::error::Error for TryCurrentError {}
