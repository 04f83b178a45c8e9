//! No failure is lost: what nobody handled is reported.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::Failure;

/// A failure that nobody can handle any more.
///
/// That of a Deferred is one as soon as the last handle is gone that could add a callback; that of a task, as soon as it
/// has ended and its `JoinHandle` is gone. It prints as a report of several lines.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, unhandled};
///
/// let ((), lost) = unhandled::capture(|| drop(Deferred::<()>::fail("no paper")));
/// let unhandled::Unhandled { failure, .. } = &lost[0];
/// assert_eq!(failure.to_string(), "no paper");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Unhandled {
    /// The failure itself.
    pub failure: Failure,
    /// Where it comes from.
    pub origin: Origin,
}

/// What has failed, and where in the program it was made.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, unhandled};
///
/// let line = line!();
/// let ((), lost) = unhandled::capture(|| {
///     let (deferred, resolver) = Deferred::<()>::new();
///     drop(deferred);
///     resolver.errback("no paper").unwrap();
/// });
/// let unhandled::Origin::Deferred { created, fired } = lost[0].origin else { unreachable!("it is no task") };
/// assert_eq!((created.line(), fired.line()), (line + 2, line + 4));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A Deferred.
    Deferred {
        /// Where it was made.
        created: &'static Location<'static>,
        /// Where it was fired, or, if it was abandoned, made.
        fired: &'static Location<'static>,
    },
    /// A task or a blocking call.
    Task {
        /// Where it was spawned.
        spawned: &'static Location<'static>,
    },
    /// A function that was sent to be called later: by another thread, or with [`eventually`](crate::eventually).
    Call {
        /// Where it was sent.
        sent: &'static Location<'static>,
    },
}

impl Unhandled {
    /// Where the Deferred was made, the task spawned, or the call sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, unhandled};
    ///
    /// let line = line!() + 1;
    /// let ((), lost) = unhandled::capture(|| drop(Deferred::<()>::fail("no paper")));
    /// assert_eq!(lost[0].place().line(), line);
    /// ```
    pub fn place(&self) -> &'static Location<'static> {
        match self.origin {
            Origin::Deferred { created, .. } => created,
            Origin::Task { spawned } => spawned,
            Origin::Call { sent } => sent,
        }
    }

    /// That of a task or a blocking call. For runtimes; see [`report`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    ///
    /// use rt_deferred::{Failure, unhandled::Unhandled};
    ///
    /// let spawned = Location::caller();
    /// let lost = Unhandled::of_task(Failure::new("no paper"), spawned);
    /// assert_eq!(lost.place(), spawned);
    /// assert!(lost.to_string().starts_with("Unhandled error in task: no paper"));
    /// ```
    pub fn of_task(failure: Failure, spawned: &'static Location<'static>) -> Self {
        Self { failure, origin: Origin::Task { spawned } }
    }

    pub(crate) fn of_deferred(
        failure: Failure,
        created: &'static Location<'static>,
        fired: &'static Location<'static>,
    ) -> Self {
        Self { failure, origin: Origin::Deferred { created, fired } }
    }

    pub(crate) fn of_call(failure: Failure, sent: &'static Location<'static>) -> Self {
        Self { failure, origin: Origin::Call { sent } }
    }
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Deferred { created, fired } => {
                writeln!(f, "Unhandled error in Deferred: {:#}", self.failure)?;
                writeln!(f, "  Deferred created at {created}")?;
                writeln!(f, "  Deferred fired at {fired}")?;
            }
            Origin::Task { spawned } => {
                writeln!(f, "Unhandled error in task: {:#}", self.failure)?;
                writeln!(f, "  task spawned at {spawned}")?;
            }
            Origin::Call { sent } => {
                writeln!(f, "Unhandled error in call: {:#}", self.failure)?;
                writeln!(f, "  call sent at {sent}")?;
            }
        }
        write!(f, "  {:?}", self.failure)
    }
}

type Hook = Arc<dyn Fn(&Unhandled) + Send + Sync>;

/// What a runtime has to say about failures that go unhandled on its threads.
///
/// # Examples
///
/// ```
/// use rt_deferred::unhandled::{Observer, Unhandled};
/// use rt_deferred::{Abandoned, Failure};
///
/// let observer = Observer {
///     is_reported: |unhandled| !unhandled.failure.check::<Abandoned>(),
///     was_reported: |unhandled| println!("one more, of {}", unhandled.place()),
/// };
/// let abandoned = Unhandled::of_task(Failure::new(Abandoned), std::panic::Location::caller());
/// assert!(!(observer.is_reported)(&abandoned));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Observer {
    /// Whether it is to be reported: not what is abandoned because the runtime shuts down.
    pub is_reported: fn(&Unhandled) -> bool,
    /// Told of what was reported, after that.
    pub was_reported: fn(&Unhandled),
}

static OBSERVER: OnceLock<Observer> = OnceLock::new();

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

thread_local! {
    /// The collections of `capture` that are open on this thread, innermost last.
    static CAPTURED: RefCell<Vec<Vec<Unhandled>>> = const { RefCell::new(Vec::new()) };
    /// The hook is called on this thread now.
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// Calls `hook` for every unhandled failure in this process, in place of a text on stderr.
///
/// It is called on the thread of the Deferred, in the very call that gave up the last handle. What the hook itself loses,
/// and what it was told of if it panics, goes where it goes without a hook; its panic ends there.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use rt_deferred::{Deferred, unhandled};
///
/// static LOST: AtomicU32 = AtomicU32::new(0);
///
/// unhandled::set_hook(|_| {
///     LOST.fetch_add(1, Ordering::Relaxed);
/// });
/// drop(Deferred::<()>::fail("nobody looks"));
/// assert_eq!(LOST.load(Ordering::Relaxed), 1);
/// ```
pub fn set_hook(hook: impl Fn(&Unhandled) + Send + Sync + 'static) {
    let old = HOOK.write().unwrap_or_else(PoisonError::into_inner).replace(Arc::new(hook));
    // Outside of the lock: it is the user's.
    drop(old);
}

/// Runs `f` and collects the failures that go unhandled on this thread meanwhile; the hook does not see them.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, unhandled};
///
/// let ((), lost) = unhandled::capture(|| drop(Deferred::<()>::fail("nobody looks")));
/// assert_eq!(lost.len(), 1);
/// assert_eq!(lost[0].failure.to_string(), "nobody looks");
/// assert!(lost[0].to_string().starts_with("Unhandled error in Deferred: nobody looks"));
/// ```
///
/// Counterpart: `flushLoggedErrors` of Twisted's trial.
pub fn capture<R>(f: impl FnOnce() -> R) -> (R, Vec<Unhandled>) {
    /// Closes the collection, also when `f` panics.
    struct Open;
    impl Open {
        fn close(&self) -> Vec<Unhandled> {
            CAPTURED.with_borrow_mut(Vec::pop).unwrap_or_default()
        }
    }
    impl Drop for Open {
        fn drop(&mut self) {
            self.close();
        }
    }

    CAPTURED.with_borrow_mut(|open| open.push(Vec::new()));
    let open = Open;
    let result = f();
    let lost = open.close();
    std::mem::forget(open);
    (result, lost)
}

/// Reports a failure: to the innermost [`capture`] of this thread, else to the [hook](set_hook), else, with the feature
/// `tracing` and where a subscriber is set, as an event of the level `ERROR`, else on stderr. A runtime may do more about it, as its
/// builder was told.
///
/// Deferreds and tasks come here by themselves.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
///
/// use rt_deferred::{Failure, unhandled};
///
/// let ((), lost) = unhandled::capture(|| {
///     unhandled::report(unhandled::Unhandled::of_task(Failure::new("no paper"), Location::caller()));
/// });
/// assert!(lost[0].to_string().contains("no paper"));
/// ```
///
/// Counterpart: `twisted.python.log.err`.
pub fn report(unhandled: Unhandled) {
    let mut left = Some(unhandled);
    // Without the thread-local (the thread ends) nobody collects any more.
    let _ = CAPTURED.try_with(|open| {
        if let Ok(mut open) = open.try_borrow_mut()
            && let Some(innermost) = open.last_mut()
        {
            innermost.extend(left.take());
        }
    });
    let Some(unhandled) = left else { return };
    let observer = OBSERVER.get();
    if observer.is_some_and(|observer| !(observer.is_reported)(&unhandled)) {
        return;
    }
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if !hook.is_some_and(|hook| call(&*hook, &unhandled)) {
        log(&unhandled);
    }
    if let Some(observer) = observer {
        (observer.was_reported)(&unhandled);
    }
}

/// Whether the hook has been told. Whoever reports is in the middle of something, often in a destructor, so that a panic
/// must not go through it; and a hook that loses something each time must not call itself for ever.
fn call(hook: &(dyn Fn(&Unhandled) + Send + Sync), unhandled: &Unhandled) -> bool {
    struct Inside;
    impl Drop for Inside {
        fn drop(&mut self) {
            IN_HOOK.set(false);
        }
    }
    if IN_HOOK.replace(true) {
        return false;
    }
    let _inside = Inside;
    match catch_unwind(AssertUnwindSafe(|| hook(unhandled))) {
        Ok(()) => true,
        Err(payload) => {
            // A payload whose destructor panics is left where it is.
            if let Err(nested) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(nested);
            }
            false
        }
    }
}

#[cfg(feature = "tracing")]
fn log(unhandled: &Unhandled) {
    if tracing::dispatcher::has_been_set() {
        tracing::error!(target: "rt::unhandled", failure = %unhandled.failure, "{unhandled}");
    } else {
        eprintln!("{unhandled}");
    }
}

#[cfg(not(feature = "tracing"))]
fn log(unhandled: &Unhandled) {
    eprintln!("{unhandled}");
}

/// Has `observer` asked and told of each failure that no [`capture`] has taken. For runtimes: the first one of a process
/// stays.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use rt_deferred::{Deferred, unhandled};
///
/// static LOST: AtomicU32 = AtomicU32::new(0);
///
/// unhandled::set_observer(unhandled::Observer {
///     is_reported: |_| true,
///     was_reported: |_| {
///         LOST.fetch_add(1, Ordering::Relaxed);
///     },
/// });
/// drop(Deferred::<()>::fail("nobody looks"));
/// assert_eq!(LOST.load(Ordering::Relaxed), 1);
/// ```
pub fn set_observer(observer: Observer) {
    // A second copy of a runtime in the same process goes without.
    let _ = OBSERVER.set(observer);
}
