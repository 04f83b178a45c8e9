//! `task_local!`: a value that belongs to a future and is visible wherever that future is polled.
//!
//! The value rests in the [`TaskLocalFuture`] and is swapped into a thread-local slot for each poll, and out again after
//! it, also when the poll panics. What was in the slot before comes back, so scopes nest.

use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{mem, thread};

/// Declares task-local keys: statics of type [`LocalKey`](crate::LocalKey).
///
/// A key has no value until [`scope`](crate::LocalKey::scope) gives it one for the length of a future, or
/// [`sync_scope`](crate::LocalKey::sync_scope) for the length of a closure.
///
/// **Spawned tasks do not inherit.** A task started inside a scope runs outside of it; wrap its future in a scope of its
/// own if it needs the value.
///
/// Counterpart: `tokio::task_local!`.
///
/// # Examples
///
/// ```
/// rt::task_local! {
///     /// The request that this task serves.
///     pub static REQUEST: u32;
///     static USER: String;
/// }
///
/// async fn greeting() -> String {
///     format!("request {}: hello {}", REQUEST.get(), USER.with(|name| name.clone()))
/// }
///
/// # rt::block_on(async {
/// let text = REQUEST.scope(7, USER.scope("betty".to_owned(), greeting())).await;
/// assert_eq!(text, "request 7: hello betty");
/// assert!(REQUEST.try_with(|_| ()).is_err(), "no scope, no value");
/// # });
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty);* $(;)?) => {
        $(
            $(#[$attribute])*
            $visibility static $name: $crate::LocalKey<$type> = {
                ::std::thread_local! {
                    static SLOT: ::std::cell::RefCell<::std::option::Option<$type>> =
                        const { ::std::cell::RefCell::new(::std::option::Option::None) };
                }
                $crate::__private::local_key(SLOT)
            };
        )*
    };
}

/// A key for a task-local value, declared by [`task_local!`](crate::task_local).
///
/// The value of a key is the one that the innermost scope around the running code gave it. Tasks spawned inside a scope
/// do not inherit it.
///
/// Counterpart: `tokio::task::LocalKey`.
pub struct LocalKey<T: 'static> {
    slot: thread::LocalKey<RefCell<Option<T>>>,
}

/// For `task_local!`, which expands in other crates.
#[doc(hidden)]
pub const fn local_key<T>(slot: thread::LocalKey<RefCell<Option<T>>>) -> LocalKey<T> {
    LocalKey { slot }
}

impl<T: 'static> LocalKey<T> {
    /// Runs `future` with this key set to `value`.
    ///
    /// The value is there while the future is polled and while it is dropped, finished or not. It moves with the future
    /// from thread to thread. It is dropped with the returned future, or taken from it by
    /// [`take_value`](TaskLocalFuture::take_value).
    ///
    /// Counterpart: `tokio::task::LocalKey::scope`.
    ///
    /// # Panics
    ///
    /// The returned future panics when it is polled inside [`with`](Self::with) of the same key.
    ///
    /// # Examples
    ///
    /// ```
    /// rt::task_local! {
    ///     static DEPTH: u32;
    /// }
    ///
    /// # rt::block_on(async {
    /// let inner = DEPTH.scope(2, async { DEPTH.get() });
    /// let depths = DEPTH.scope(1, async { (inner.await, DEPTH.get()) }).await;
    /// assert_eq!(depths, (2, 1));
    /// # });
    /// ```
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> TaskLocalFuture<T, F> {
        TaskLocalFuture { key: self, value: Some(value), future: Some(future) }
    }

    /// Calls `f` with this key set to `value`.
    ///
    /// Counterpart: `tokio::task::LocalKey::sync_scope`.
    ///
    /// # Panics
    ///
    /// When called inside [`with`](Self::with) of the same key, or while this thread's locals are being destroyed.
    ///
    /// # Examples
    ///
    /// ```
    /// rt::task_local! {
    ///     static NAME: &'static str;
    /// }
    ///
    /// assert_eq!(NAME.sync_scope("betty", || NAME.get()), "betty");
    /// ```
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut value = Some(value);
        match Entered::enter(self, &mut value) {
            Ok(_entered) => f(),
            Err(refusal) => refusal.panic(),
        }
    }

    /// Calls `f` with a reference to the value.
    ///
    /// Counterpart: `tokio::task::LocalKey::with`.
    ///
    /// # Panics
    ///
    /// When no scope around the running code has set this key.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `f` with a reference to the value, if there is one.
    ///
    /// Counterpart: `tokio::task::LocalKey::try_with`.
    ///
    /// # Errors
    ///
    /// [`AccessError`] when no scope around the running code has set this key; `f` is not called then.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        // The slot is borrowed while `f` runs: that is why no scope of the same key can begin in there.
        self.slot.try_with(|slot| slot.borrow().as_ref().map(f)).ok().flatten().ok_or(AccessError { _private: () })
    }

    /// A clone of the value.
    ///
    /// Counterpart: `tokio::task::LocalKey::get`.
    ///
    /// # Panics
    ///
    /// When no scope around the running code has set this key.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that runs with a task-local value; made by [`LocalKey::scope`].
    ///
    /// Counterpart: `tokio::task::futures::TaskLocalFuture`.
    #[must_use = "futures do nothing unless they are awaited or polled"]
    pub struct TaskLocalFuture<T, F>
    where
        T: 'static,
    {
        key: &'static LocalKey<T>,
        value: Option<T>,
        #[pin]
        future: Option<F>,
    }

    impl<T: 'static, F> PinnedDrop for TaskLocalFuture<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                // Where the slot cannot be entered (inside `with`, at the thread's end), a drop must not panic: the
                // future is then dropped without its value.
                if let Ok(_entered) = Entered::enter(this.key, this.value) {
                    this.future.set(None);
                }
            }
        }
    }
}

impl<T: 'static, F> TaskLocalFuture<T, F> {
    /// Takes the value out; a future polled after that finds none.
    ///
    /// `None` if it has been taken already. Useful after the future has finished, to get back what it worked with.
    ///
    /// Counterpart: `tokio::task::futures::TaskLocalFuture::take_value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::pin::pin;
    ///
    /// rt::task_local! {
    ///     static COUNT: Cell<u32>;
    /// }
    ///
    /// # rt::block_on(async {
    /// let mut counted = pin!(COUNT.scope(Cell::new(0), async { COUNT.with(|count| count.set(count.get() + 1)) }));
    /// counted.as_mut().await;
    /// assert_eq!(counted.as_mut().take_value().map(Cell::into_inner), Some(1));
    /// # });
    /// ```
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().value.take()
    }
}

impl<T: 'static, F: Future> Future for TaskLocalFuture<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = match Entered::enter(this.key, this.value) {
            Ok(entered) => entered,
            Err(refusal) => refusal.panic(),
        };
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("`TaskLocalFuture` was polled after it had finished");
        };
        let output = ready!(future.poll(context));
        // Dropped here, while it can still see its value.
        this.future.set(None);
        Poll::Ready(output)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for TaskLocalFuture<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocalFuture").field("value", &self.value).finish_non_exhaustive()
    }
}

/// No scope around the running code has set the key.
///
/// Returned by [`LocalKey::try_with`].
///
/// Counterpart: `std::thread::AccessError`.
///
/// ```
/// rt::task_local! {
///     static USER: &'static str;
/// }
///
/// assert!(USER.try_with(|user| user.len()).is_err());
/// assert_eq!(USER.sync_scope("betty", || USER.try_with(|user| user.len())), Ok(5));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccessError {
    _private: (),
}

impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessError")
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this task-local key has no value here: set it with `scope` or `sync_scope`; tasks do not inherit it",
        )
    }
}

impl Error for AccessError {}

/// Proof that `value` and the key's slot have changed places; they change back when this is dropped.
struct Entered<'a, T: 'static> {
    key: &'static LocalKey<T>,
    value: &'a mut Option<T>,
}

/// Why a scope cannot begin here.
enum Refusal {
    /// A reference to the value is out.
    Borrowed,
    /// This thread's locals are being destroyed.
    ThreadEnds,
}

impl<'a, T> Entered<'a, T> {
    fn enter(key: &'static LocalKey<T>, value: &'a mut Option<T>) -> Result<Self, Refusal> {
        exchange(key, value)?;
        Ok(Self { key, value })
    }
}

impl<T> Drop for Entered<'_, T> {
    fn drop(&mut self) {
        // Cannot be refused: `with` calls made since have returned, and the thread's locals outlive its frames.
        let left = exchange(self.key, self.value);
        debug_assert!(left.is_ok());
    }
}

fn exchange<T>(key: &'static LocalKey<T>, value: &mut Option<T>) -> Result<(), Refusal> {
    let exchanged = key.slot.try_with(|slot| match slot.try_borrow_mut() {
        Ok(mut slot) => {
            mem::swap(&mut *slot, value);
            Ok(())
        }
        Err(_) => Err(Refusal::Borrowed),
    });
    exchanged.unwrap_or(Err(Refusal::ThreadEnds))
}

impl Refusal {
    #[cold]
    #[track_caller]
    fn panic(&self) -> ! {
        match self {
            Self::Borrowed => panic!("a scope of a task-local key cannot begin inside `with` of the same key"),
            Self::ThreadEnds => panic!("a scope of a task-local key cannot begin while its thread is ending"),
        }
    }
}
