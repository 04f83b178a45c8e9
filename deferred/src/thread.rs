//! A thread that has Deferreds, as the other threads see it.
//!
//! What belongs to it stays in tables of its own; another thread holds a key and this way to it. The way leads through
//! the [home](crate::home) that the thread has at present, so a coroutine outlives the runtime in which it began, and
//! goes on in the next.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::home::{self, Home, Remote, SendJob};

/// The way to a thread.
pub(crate) struct Thread {
    id: u64,
    /// The home that was noted last.
    remote: Mutex<Option<Arc<dyn Remote>>>,
}

struct Here {
    thread: Arc<Thread>,
    noted: Option<Weak<dyn Home>>,
}

thread_local! {
    /// Which thread this is; 0 before the first question.
    static ID: Cell<u64> = const { Cell::new(0) };
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// This thread. If it ends, one that nothing leads to.
pub(crate) fn this() -> Arc<Thread> {
    let this = |here: &RefCell<Option<Here>>| {
        let mut here = here.borrow_mut();
        let here = here.get_or_insert_with(|| Here { thread: Thread::new(), noted: None });
        Arc::clone(&here.thread)
    };
    HERE.try_with(this).unwrap_or_else(|_| Thread::new())
}

/// What [`note_home`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// There is none: nothing can come from elsewhere.
    NoHome,
    /// The same as before.
    Same,
    /// Another one. What came in until now may have gone to the former.
    Changed,
}

/// Lets what other threads have for this one come to the home that it has now.
pub(crate) fn note_home() -> Noted {
    let Some(home) = home::current() else { return Noted::NoHome };
    let thread = this();
    let former = HERE.try_with(|here| {
        let mut here = here.borrow_mut();
        let here = here.as_mut()?;
        let is_same = here.noted.as_ref().is_some_and(|noted| std::ptr::addr_eq(noted.as_ptr(), Rc::as_ptr(&home)));
        (!is_same).then(|| here.noted.replace(Rc::downgrade(&home)))
    });
    match former {
        Ok(Some(_former)) => {
            let former = thread.lock().replace(home.remote());
            // Outside of the lock: it is the runtime's.
            drop(former);
            Noted::Changed
        }
        Ok(None) | Err(_) => Noted::Same,
    }
}

/// The thread may have another home from now on.
#[inline]
pub(crate) fn started() {
    // Without a number nobody knows this thread.
    if ID.get() != 0 {
        note_home();
    }
}

impl Thread {
    fn new() -> Arc<Self> {
        Arc::new(Self { id: this_id(), remote: Mutex::new(None) })
    }

    pub(crate) fn is_here(&self) -> bool {
        self.id == this_id()
    }

    /// Runs `job` there, soon.
    ///
    /// # Errors
    ///
    /// The job, if that thread has no home.
    pub(crate) fn post(&self, job: SendJob) -> Result<(), SendJob> {
        let remote = self.lock().clone();
        match remote {
            Some(remote) => remote.post(job),
            None => Err(job),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn Remote>>> {
        self.remote.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn this_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let known = ID.get();
    if known != 0 {
        return known;
    }
    // Relaxed: only the number counts.
    let new = NEXT.fetch_add(1, Ordering::Relaxed);
    ID.set(new);
    new
}
