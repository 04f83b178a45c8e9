//! Many tasks, joined as they end.

mod ended;
mod finished;

#[cfg(test)]
mod checks;

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use self::ended::Ended;
use self::finished::Finished;
use crate::coop;
use crate::handle::Handle;
use crate::spawn::{spawn, spawn_blocking, spawn_local};
use crate::task::{AbortHandle, Id, JoinError, JoinHandle};

/// Below this many tasks the map keeps its memory.
const KEPT: usize = 64;

/// Tasks with one type of output, joined in the order in which they end.
///
/// Tasks are added at any time, whether others have ended or not; a task leaves the set when [`join_next`](Self::join_next)
/// or one of its relatives hands its result out. Adding, joining and the end of a task cost the same however many there are.
/// Dropping the set aborts all of its tasks.
///
/// Counterpart: `tokio::task::JoinSet`. Twisted's nearest is `DeferredList`, which knows its members from the start.
///
/// # Examples
///
/// ```
/// use rt::task::JoinSet;
///
/// # rt::block_on(async {
/// let mut set = JoinSet::new();
/// for n in 1..=10 {
///     set.spawn(async move { n * n });
/// }
/// let mut sum = 0;
/// while let Some(square) = set.join_next().await {
///     sum += square.unwrap();
/// }
/// assert_eq!(sum, 385);
/// # });
/// ```
#[must_use = "dropping a JoinSet aborts its tasks; `detach_all` lets them go on"]
pub struct JoinSet<T> {
    members: HashMap<Id, Member<T>, BuildHasherDefault<IdHasher>>,
    finished: Arc<Finished>,
}

impl<T> JoinSet<T> {
    /// A set without tasks.
    pub fn new() -> Self {
        Self { members: HashMap::default(), finished: Arc::default() }
    }

    /// How many tasks are in the set: those that run, and those that have ended and whose results nobody took yet.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the set has no tasks.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Aborts every task. They stay in the set until they are joined, those that had not ended with a [`JoinError`] that
    /// [`is_cancelled`](JoinError::is_cancelled).
    pub fn abort_all(&mut self) {
        for member in self.members.values() {
            if let Member::Running(handle) = member {
                handle.abort();
            }
        }
    }

    /// Gives up every task without aborting it: the set is empty afterwards, and they go on in the background.
    pub fn detach_all(&mut self) {
        // Their wakers must not add to a list in which they have no business any more.
        std::mem::take(&mut self.finished).close();
        self.members = HashMap::default();
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns `future` as [`rt::spawn`](crate::spawn()) does, as a task of the set. The handle that this returns can abort it.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(spawn(future))
    }

    /// Spawns `future` onto another runtime than that of this thread, as a task of the set.
    ///
    /// ```
    /// use rt::task::JoinSet;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = rt::runtime::Builder::new_current_thread().build()?;
    /// let mut set = JoinSet::new();
    /// set.spawn_on(async { "here" }, runtime.handle()); // this thread is in no runtime yet
    /// assert_eq!(runtime.block_on(set.join_all()), ["here"]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn(future))
    }

    /// Spawns `future`, which need not be `Send`, as [`rt::spawn_local`](crate::spawn_local) does, as a task of the set.
    ///
    /// # Panics
    ///
    /// If this thread does not drive a runtime.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(spawn_local(future))
    }

    /// Runs `f`, which may block, as [`rt::spawn_blocking`](crate::spawn_blocking) does, as a task of the set. Aborting it has an
    /// effect only until it has started.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(spawn_blocking(f))
    }

    /// The same on the pool of another runtime than that of this thread.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn_blocking(f))
    }

    #[track_caller]
    fn insert(&mut self, mut handle: JoinHandle<T>) -> AbortHandle {
        let (id, abort) = (handle.id(), handle.abort_handle());
        let waker = self.finished.waker(id);
        let member = match Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => Member::Running(handle),
            Poll::Ready(result) => {
                waker.wake();
                Member::Ended(Box::new(Ended::new(result, Location::caller())))
            }
        };
        self.members.insert(id, member);
        abort
    }
}

impl<T: 'static> JoinSet<T> {
    /// Waits until a task of the set has ended, and takes its result; `None` if the set has no tasks.
    ///
    /// The result of a task that panicked or was aborted is a [`JoinError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if another branch of a [`select!`](crate::select) wins, no task has left the set.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the id of the task; that of a task without output is in the
    /// [`JoinError`](JoinError::id).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as `join_next` is.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// Takes the result of a task that has ended, without waiting; `None` if there is none now.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(without_id)
    }

    /// As [`try_join_next`](Self::try_join_next), with the id of the task.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        loop {
            let id = self.finished.pop()?;
            if let Some(result) = self.take(id) {
                return Some(result);
            }
        }
    }

    /// Aborts every task and waits until all have ended. Their results are dropped.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped before it is ready, all tasks are aborted, and those that were not waited for are still in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks and returns their outputs, in the order in which they ended.
    ///
    /// # Panics
    ///
    /// If a task panicked, with its panic; if one was aborted. The other tasks are aborted then.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the set is part of this future, and dropping it aborts the tasks.
    ///
    /// ```
    /// use rt::task::JoinSet;
    ///
    /// # rt::block_on(async {
    /// let set: JoinSet<u32> = (1..=3).map(|n| async move { n * 10 }).collect();
    /// assert_eq!(set.join_all().await, [10, 20, 30]);
    /// # });
    /// ```
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next().await {
            match result.map_err(JoinError::try_into_panic) {
                Ok(output) => outputs.push(output),
                Err(Ok(payload)) => resume_unwind(payload),
                Err(Err(cancelled)) => panic!("{cancelled}, and `join_all` has no output for it"),
            }
        }
        outputs
    }

    /// What [`join_next`](Self::join_next) does, for hand-written futures. `Pending` leaves the waker of the last call with the
    /// set; `Ready(None)` means that the set has no tasks.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx).map(|next| next.map(without_id))
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the id of the task.
    pub fn poll_join_next_with_id(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        ready!(coop::poll_proceed(cx));
        loop {
            let Some(id) = self.finished.pop_or_wait(cx.waker()) else { return Poll::Pending };
            if let Some(result) = self.take(id) {
                return Poll::Ready(Some(result));
            }
        }
    }

    /// Takes the task from the set, if it is there and has ended: one may be announced twice, and after it has left.
    fn take(&mut self, id: Id) -> Option<Result<(Id, T), JoinError>> {
        let member = self.members.get_mut(&id)?;
        if let Member::Running(handle) = member {
            // One that has ended needs no waker, which would be an allocation.
            let waker = if handle.is_finished() { Waker::noop().clone() } else { self.finished.waker(id) };
            let Poll::Ready(result) = Pin::new(handle).poll(&mut Context::from_waker(&waker)) else { return None };
            self.remove(id);
            return Some(result.map(|output| (id, output)));
        }
        match self.remove(id) {
            Some(Member::Ended(ended)) => Some(ended.take().map(|output| (id, output))),
            _ => unreachable!("it is a member, and does not run"),
        }
    }

    fn remove(&mut self, id: Id) -> Option<Member<T>> {
        let removed = self.members.remove(&id);
        if self.members.capacity() > KEPT && self.members.len() < self.members.capacity() / 4 {
            self.members.shrink_to(self.members.len() * 2);
        }
        removed
    }
}

fn without_id<T>(result: Result<(Id, T), JoinError>) -> Result<T, JoinError> {
    result.map(|(_, output)| output)
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.finished.close();
        self.abort_all();
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Spawns each future, as [`JoinSet::spawn`] does.
impl<F> FromIterator<F> for JoinSet<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

/// Spawns each future, as [`JoinSet::spawn`] does.
impl<F> Extend<F> for JoinSet<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}

/// What is in the set for one task.
enum Member<T> {
    /// Its waker adds it to the list of those that have ended.
    Running(JoinHandle<T>),
    /// It had ended before it could be waited for, and is in the list. Boxed, because that is rare.
    Ended(Box<Ended<T>>),
}

/// Spreads ids, which are numbers in a row, over the bits that a hash table looks at.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, n: u64) {
        // 2^64 over the golden ratio (Fibonacci hashing).
        self.0 = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
