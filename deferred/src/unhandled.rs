//! No failure is lost: what nobody handled is reported.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};

use crate::Failure;

/// A failure at the end of a chain that nobody can handle any more, because the last handle that could add a callback
/// is gone.
///
/// It prints as a report of several lines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Unhandled {
    /// The failure itself.
    pub failure: Failure,
    /// Where the Deferred was made.
    pub created: &'static Location<'static>,
    /// Where it was fired, or what fired it was dropped.
    pub fired: &'static Location<'static>,
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Unhandled error in Deferred: {:#}", self.failure)?;
        writeln!(f, "  Deferred created at {}", self.created)?;
        writeln!(f, "  Deferred fired at {}", self.fired)?;
        write!(f, "  {:?}", self.failure)
    }
}

type Hook = Arc<dyn Fn(&Unhandled) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

thread_local! {
    /// The collections of `capture` that are open on this thread, innermost last.
    static CAPTURED: RefCell<Vec<Vec<Unhandled>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `hook` for every unhandled failure in this process, in place of a text on stderr.
///
/// It is called on the thread of the Deferred, in the very call that gave up the last handle; it should not panic.
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
/// assert_eq!(lost[0].created.file(), file!());
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

pub(crate) fn report(unhandled: Unhandled) {
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
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    match hook {
        Some(hook) => hook(&unhandled),
        None => eprintln!("{unhandled}"),
    }
}
