//! What is left in the spawner's hands: [`JoinHandle`], [`AbortHandle`], and why there may be no output, [`JoinError`].
//!
//! # Invariants
//!
//! - **J1** A `JoinHandle<T>` over a task is the one join handle of a cell whose future's output is `T`. It is `Send` only if
//!   `T` is, so it takes and drops the output only where that is allowed (C3, C4).
#![allow(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;

use super::Id;
use super::reference::{Done, Spawned, TaskRef};

/// Why a task or a blocking call has no output.
pub(crate) enum JoinFailure {
    /// It was aborted, or its runtime shut down, before it came to its end.
    Cancelled,
    /// It panicked with this.
    Panicked(Box<dyn Any + Send>),
}

/// A blocking call as an abort handle sees it.
pub(crate) trait BlockingCall: Send + Sync {
    /// Drops the closure if it has not started; a call that has started goes on.
    fn abort(&self);

    /// The closure has returned, panicked, or was dropped unrun.
    fn is_finished(&self) -> bool;

    fn id(&self) -> u64;
}

/// A blocking call whose result somebody may wait for.
pub(crate) trait BlockingJoin<T>: BlockingCall {
    /// Ready with the result once. The last waker that polled is woken.
    ///
    /// # Panics
    ///
    /// When polled after it was ready or detached.
    fn poll_join(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinFailure>>;

    /// Nobody will ask for the result. The call goes on; its result is dropped as soon as it is there, which may be now.
    fn detach(&self);
}

/// Owned permission to wait for a task.
///
/// Awaiting it gives the task's output, or a [`JoinError`] if the task panicked or was cancelled. Dropping it detaches the
/// task, which goes on; to stop it, call [`abort`](Self::abort).
///
/// Counterpart: `tokio::task::JoinHandle`. Twisted's nearest is the `Deferred` that `ensureDeferred` returns.
///
/// # Cancel safety
///
/// A `&mut JoinHandle` in [`select!`](crate::select) is cancel safe: if another branch wins, the output is still there for the
/// next await.
///
/// # Panics
///
/// When polled after it has completed.
///
/// # Examples
///
/// A panic in a task reaches whoever joins it, and nobody else:
///
/// ```
/// # rt::block_on(async {
/// let fine = rt::spawn(async { 40 + 2 });
/// let broken = rt::spawn(async { panic!("on purpose") });
///
/// assert_eq!(fine.await.unwrap(), 42);
/// assert!(broken.await.unwrap_err().is_panic());
/// # });
/// ```
pub struct JoinHandle<T> {
    target: ManuallyDrop<Target<Box<Arc<dyn BlockingJoin<T>>>>>,
    /// Like a channel's receiving end: it hands out a `T` and holds none.
    output: PhantomData<fn() -> T>,
}

enum Target<C> {
    Task(TaskRef),
    /// Boxed where it counts: the handle of a task is two words.
    Blocking(C),
    /// The output was handed out.
    Joined(Id),
}

// SAFETY: J1; a `TaskRef` and an `Arc<dyn BlockingJoin>` may go anywhere.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: through a shared reference one can ask and abort, which gives out no `T`.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// The handle over a task.
    #[inline]
    pub(crate) fn of(spawned: Spawned<T>) -> Self {
        // J1: a `Spawned` is the only one of its kind.
        Self { target: ManuallyDrop::new(Target::Task(spawned.task)), output: PhantomData }
    }

    /// The handle over a blocking call.
    pub(crate) fn blocking(call: Arc<dyn BlockingJoin<T>>) -> Self {
        Self { target: ManuallyDrop::new(Target::Blocking(Box::new(call))), output: PhantomData }
    }

    /// Cancels the task: its future is dropped the next time it would be polled, and awaiting this handle gives a
    /// [`JoinError`] that [`is_cancelled`](JoinError::is_cancelled). A task that has come to its end is not affected.
    ///
    /// A blocking call is only cancelled if it has not started.
    ///
    /// ```
    /// # rt::block_on(async {
    /// let task = rt::spawn(std::future::pending::<()>());
    /// task.abort();
    /// assert!(task.await.unwrap_err().is_cancelled());
    /// # });
    /// ```
    pub fn abort(&self) {
        match &*self.target {
            Target::Task(task) => task.abort(),
            Target::Blocking(call) => call.abort(),
            Target::Joined(_) => {}
        }
    }

    /// [Aborts](Self::abort) the task, and waits until its future has been dropped: what its destructors do is done then.
    ///
    /// The result is a [`JoinError`] that [`is_cancelled`](JoinError::is_cancelled), unless the task had come to its end.
    ///
    /// # Cancel safety
    ///
    /// Once it was called, the task is aborted, whether this is awaited or not.
    ///
    /// ```
    /// # rt::block_on(async {
    /// let task = rt::spawn(std::future::pending::<()>());
    /// assert!(task.cancel_and_wait().await.unwrap_err().is_cancelled());
    /// # });
    /// ```
    pub fn cancel_and_wait(self) -> impl Future<Output = Result<T, JoinError>> {
        self.abort();
        self
    }

    /// Whether the task has come to its end. After [`abort`](Self::abort) it may take until the next turn of its worker.
    pub fn is_finished(&self) -> bool {
        match &*self.target {
            Target::Task(task) => task.is_finished(),
            Target::Blocking(call) => call.is_finished(),
            Target::Joined(_) => true,
        }
    }

    /// A handle that can cancel the task and cannot wait for it.
    pub fn abort_handle(&self) -> AbortHandle
    where
        T: 'static,
    {
        AbortHandle(match &*self.target {
            Target::Task(task) => Target::Task(task.clone()),
            Target::Blocking(call) => Target::Blocking(Arc::clone(call) as Arc<dyn BlockingCall>),
            Target::Joined(id) => Target::Joined(*id),
        })
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        match &*self.target {
            Target::Task(task) => task.id(),
            Target::Blocking(call) => Id::from_u64(call.id()),
            Target::Joined(id) => *id,
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    // No cooperative budget: a handle is ready once, so there is no loop to break.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.id();
        let result = match &mut *self.target {
            Target::Task(task) => {
                let done = task.poll_done(cx.waker());
                if done == Done::No {
                    return Poll::Pending;
                }
                // SAFETY: J1; the output is there, and the handle forgets the task with the next step.
                let output = unsafe { task.take_output() };
                if let Target::Task(task) = mem::replace(&mut *self.target, Target::Joined(id)) {
                    task.joined(done);
                }
                output
            }
            Target::Blocking(call) => ready!(call.poll_join(cx)),
            Target::Joined(_) => panic!("a JoinHandle was polled after it had completed"),
        };
        Poll::Ready(result.map_err(|failure| JoinError::new(id, failure)))
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // SAFETY: the target is not used again.
        match unsafe { ManuallyDrop::take(&mut self.target) } {
            // SAFETY: J1.
            Target::Task(task) => unsafe { task.drop_join() },
            Target::Blocking(call) => call.detach(),
            Target::Joined(_) => {}
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("id", &self.id()).field("finished", &self.is_finished()).finish()
    }
}

/// Cancels a task without being able to wait for it; cheap to clone.
///
/// Counterpart: `tokio::task::AbortHandle`.
///
/// ```
/// # rt::block_on(async {
/// let task = rt::spawn(std::future::pending::<()>());
/// let switch = task.abort_handle();
/// rt::spawn(async move { switch.abort() });
/// assert!(task.await.unwrap_err().is_cancelled());
/// # });
/// ```
pub struct AbortHandle(Target<Arc<dyn BlockingCall>>);

impl AbortHandle {
    /// Cancels the task, as [`JoinHandle::abort`] does.
    pub fn abort(&self) {
        match &self.0 {
            Target::Task(task) => task.abort(),
            Target::Blocking(call) => call.abort(),
            Target::Joined(_) => {}
        }
    }

    /// Whether the task has come to its end.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Target::Task(task) => task.is_finished(),
            Target::Blocking(call) => call.is_finished(),
            Target::Joined(_) => true,
        }
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        match &self.0 {
            Target::Task(task) => task.id(),
            Target::Blocking(call) => Id::from_u64(call.id()),
            Target::Joined(id) => *id,
        }
    }
}

impl Clone for AbortHandle {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Target::Task(task) => Target::Task(task.clone()),
            Target::Blocking(call) => Target::Blocking(Arc::clone(call)),
            Target::Joined(id) => Target::Joined(*id),
        })
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").field("id", &self.id()).field("finished", &self.is_finished()).finish()
    }
}

/// Why a task has no output: it panicked, or it was cancelled.
///
/// Counterpart: `tokio::task::JoinError`.
///
/// ```
/// # rt::block_on(async {
/// let error = rt::spawn(async { panic!("out of tea") }).await.unwrap_err();
/// assert!(error.to_string().ends_with("panicked: out of tea"));
/// assert_eq!(error.into_panic().downcast_ref(), Some(&"out of tea"));
/// # });
/// ```
pub struct JoinError {
    id: Id,
    /// `None`: cancelled. The mutex makes the error `Sync`, so that it fits into `Box<dyn Error + Send + Sync>`.
    payload: Option<Mutex<Box<dyn Any + Send>>>,
}

impl JoinError {
    pub(crate) fn new(id: Id, failure: JoinFailure) -> Self {
        let payload = match failure {
            JoinFailure::Cancelled => None,
            JoinFailure::Panicked(payload) => Some(Mutex::new(payload)),
        };
        Self { id, payload }
    }

    /// Whether the task was cancelled: aborted, or dropped with its runtime.
    pub fn is_cancelled(&self) -> bool {
        self.payload.is_none()
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.payload.is_some()
    }

    /// What the task panicked with, to go on with [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic; [`try_into_panic`](Self::try_into_panic) gives the error back instead.
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        self.try_into_panic().expect("the task was cancelled, it did not panic: ask `is_panic` first")
    }

    /// What the task panicked with.
    ///
    /// # Errors
    ///
    /// This error itself, if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.payload {
            Some(payload) => Ok(payload.into_inner()),
            None => Err(self),
        }
    }

    /// The id of the task.
    pub fn id(&self) -> Id {
        self.id
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(payload) = &self.payload else { return write!(f, "task {} was cancelled", self.id) };
        match message(&**payload.lock()) {
            Some(message) => write!(f, "task {} panicked: {message}", self.id),
            None => write!(f, "task {} panicked with something that is not text", self.id),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.payload {
            None => write!(f, "JoinError::Cancelled({})", self.id),
            Some(payload) => {
                write!(f, "JoinError::Panic({}, {:?})", self.id, message(&**payload.lock()).unwrap_or("..."))
            }
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        Self::other(error)
    }
}

/// The text that `panic!` leaves in a payload.
fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
