//! The ways to start something on the runtime that this thread is in.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::context;
use crate::executor::worker::Worker;
use crate::handle::{Handle, NoSuchWorker};
use crate::runtime::Builder;
use crate::task::{Core, Id, JoinHandle, Unborn};

/// Starts `future` as a task: it runs beside its spawner, whether its handle is awaited or not.
///
/// The task belongs to the runtime that this thread is in. Dropping the handle detaches it. A panic in it is caught and handed
/// to whoever awaits the handle. While the runtime shuts down, the task is cancelled at once.
///
/// Counterpart: `tokio::spawn`. Twisted's nearest is `ensureDeferred`.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Examples
///
/// ```
/// # rt::block_on(async {
/// let tasks: Vec<_> = (1..=10).map(|n| rt::spawn(async move { n * n })).collect();
/// let mut sum = 0;
/// for task in tasks {
///     sum += task.await.unwrap();
/// }
/// assert_eq!(sum, 385);
/// # });
/// ```
#[inline(always)]
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawned_at = Location::caller();
    let spawned = context::with_worker(|worker| {
        let worker = worker.filter(|_| !context::has_entered());
        let future = Unborn::new(future, worker.map(Worker::pool));
        match worker {
            Some(worker) => Ok(worker.spawn(future, spawned_at)),
            None => Err(future),
        }
    });
    match spawned {
        Ok(handle) => handle,
        // Not in the closure, which does not know the caller that a panic is to name.
        Err(future) => Handle::spawn_entered(future, spawned_at),
    }
}

/// Starts `future`, which need not be `Send`, as a task of this thread.
///
/// It runs only on this thread, while the thread is in [`Runtime::block_on`](crate::runtime::Runtime::block_on), and is dropped
/// on it: with the runtime if that is shut down here, at the latest when the thread exits.
///
/// Counterpart: `tokio::task::spawn_local`, without a `LocalSet`.
///
/// # Panics
///
/// If this thread does not drive a runtime: in a blocking call, or where a runtime was only entered.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// # rt::block_on(async {
/// let shared = Rc::new(5);
/// let clone = Rc::clone(&shared);
/// let task = rt::spawn_local(async move { *clone + 1 });
/// assert_eq!(task.await.unwrap(), 6);
/// # });
/// ```
#[inline(always)]
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_local_at(future, Location::caller())
}

#[inline(always)]
#[track_caller]
pub(crate) fn spawn_local_at<F>(future: F, spawned_at: &'static Location<'static>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    context::with_worker(|worker| {
        let future = Unborn::new(future, worker.map(Worker::pool));
        worker.and_then(|worker| worker.spawn_local(future, spawned_at))
    })
    .expect(
        "rt::spawn_local needs a thread that drives a runtime: call it from a task, or within `Runtime::block_on`, \
         `rt::block_on` or `#[rt::main]`",
    )
}

/// Has `f` make a task on the thread of a certain worker, where the task stays: its future need not be `Send`.
///
/// For what has to be on one thread, or spread over all by hand: a listener per worker, a cache per worker. Workers are counted from
/// 0; the current-thread flavor has one. On the multi-thread flavor worker 0 is the place of who calls
/// [`Runtime::block_on`](crate::runtime::Runtime::block_on): what is pinned there stays with the thread that sits there when the task
/// is made, and waits while that drives nothing. If nobody sits at a place, a thread is started.
///
/// Aborting the task before `f` was called has no effect until it is. While the runtime shuts down, the task is cancelled at once.
///
/// Counterpart: tokio-util's `LocalPoolHandle::spawn_pinned_by_idx`.
///
/// # Errors
///
/// [`NoSuchWorker`](crate::runtime::NoSuchWorker) if the runtime has fewer workers.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// use std::rc::Rc;
///
/// # rt::block_on(async {
/// let task = rt::spawn_pinned(0, || {
///     let local = Rc::new(20);
///     async move { *local + 22 }
/// });
/// assert_eq!(task.unwrap().await.unwrap(), 42);
/// # });
/// ```
#[track_caller]
pub fn spawn_pinned<F, Fut>(worker: usize, f: F) -> Result<JoinHandle<Fut::Output>, NoSuchWorker>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future + 'static,
    Fut::Output: Send + 'static,
{
    Handle::current().spawn_pinned(worker, f)
}

/// Runs `f`, which may block, on a thread that is kept for such calls, so that it does not hold up the tasks of this one.
///
/// The call belongs to the runtime that this thread is in. A call that has started cannot be cancelled; one that still waits
/// for a thread can. Neither dropping the runtime nor the end of the program waits for it.
///
/// Counterpart: `tokio::task::spawn_blocking`; Twisted's `deferToThread`.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Examples
///
/// ```
/// # rt::block_on(async {
/// let sum = rt::spawn_blocking(|| (1..=1_000_u64).sum::<u64>()).await.unwrap();
/// assert_eq!(sum, 500_500);
/// # });
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    Handle::current().spawn_blocking(f)
}

/// Calls `f`, which may block, on this thread, while the worker that it holds up goes on elsewhere.
///
/// Tasks of the worker, its sockets and timers are served by another thread until `f` returns; tasks of
/// [`spawn_local`](crate::spawn_local) stay with this thread and wait, and so does what runs in the same task, such as the other
/// branches of a `join!`. In `f` the thread drives no runtime, so it may block on futures again. Outside of a runtime, and on the
/// threads of [`spawn_blocking`], this just calls `f`.
///
/// Counterpart: `tokio::task::block_in_place`.
///
/// # Panics
///
/// If this thread drives a runtime of the current-thread flavor: everything would stand still.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let runtime = rt::runtime::Runtime::new()?;
/// # runtime.block_on(async {
/// let (sender, receiver) = std::sync::mpsc::channel();
/// rt::spawn(async move { sender.send(42) });
/// let answer = rt::task::block_in_place(|| receiver.recv());
/// assert_eq!(answer, Ok(42));
/// # });
/// # Ok(()) }
/// ```
#[track_caller]
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    context::with_worker(|worker| match worker {
        Some(worker) => worker.block_in_place(f),
        None => f(),
    })
}

/// Blocks this thread until `future` is ready: on a current-thread runtime made for this call or, where a runtime was
/// [entered](Handle::enter) or in a blocking call, within that runtime as [`Handle::block_on`] does.
///
/// Counterpart: `futures::executor::block_on`, with everything that `rt` has.
///
/// # Panics
///
/// If this thread drives a runtime already, if `future` panics, and if the system has no descriptors left for a runtime.
///
/// # Examples
///
/// ```
/// let sum = rt::block_on(async {
///     let task = rt::spawn(async { 40 });
///     task.await.unwrap() + 2
/// });
/// assert_eq!(sum, 42);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(!context::is_driving(), "{}", context::NESTED);
    if let Some(handle) = context::handle() {
        return handle.block_on(future);
    }
    let runtime = Builder::new_current_thread().build().expect("a runtime needs a few free descriptors");
    runtime.block_on(future)
}

/// Lets every other task that is ready run before this one goes on.
///
/// Counterpart: `tokio::task::yield_now`.
///
/// # Cancel safety
///
/// Cancel safe: nothing is lost.
///
/// ```
/// # rt::block_on(async {
/// let other = rt::spawn(async { "done" });
/// rt::task::yield_now().await;
/// assert!(other.is_finished());
/// # });
/// ```
pub async fn yield_now() {
    struct YieldNow(bool);
    impl Future for YieldNow {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    YieldNow(false).await;
}

/// The id of the task that runs now.
///
/// Counterpart: `tokio::task::id`.
///
/// # Panics
///
/// Outside of a task: also in the future of `block_on`, and in a blocking call.
///
/// ```
/// # rt::block_on(async {
/// let task = rt::spawn(async { rt::task::id() });
/// let known = task.id();
/// assert_eq!(task.await.unwrap(), known);
/// # });
/// ```
#[track_caller]
pub fn id() -> Id {
    try_id().expect("there is no task here: `rt::task::id` is for the inside of what was spawned")
}

/// The id of the task that runs now; `None` outside of a task.
///
/// Counterpart: `tokio::task::try_id`.
///
/// ```
/// assert_eq!(rt::task::try_id(), None);
/// # rt::block_on(async {
/// let task = rt::spawn(async { rt::task::id() });
/// assert_eq!(task.id(), task.await.unwrap());
/// # });
/// ```
pub fn try_id() -> Option<Id> {
    Core::with_current(|core| core.and_then(Core::running))
}
