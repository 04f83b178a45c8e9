//! A thread that has Deferreds, as the other threads see it.
//!
//! What belongs to it stays in tables of its own; another thread holds a key and this way to it. The way leads through
//! the [home](crate::home) that the thread has at present. What is [posted](Thread::post) goes with that home.
//! What is [left](Thread::leave) does not: it waits here, and the home is only asked to look. So a coroutine outlives the
//! runtime in which it began, and goes on in the next, whenever it was woken.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::home::{self, Home, Remote, SendJob};

/// The way to a thread.
pub(crate) struct Thread {
    id: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The home that was noted last.
    remote: Option<Arc<dyn Remote>>,
    /// Jobs for whichever home comes to look, in order.
    left: VecDeque<SendJob>,
    /// The thread is ending: nobody will look.
    has_ended: bool,
}

struct Here {
    thread: Arc<Thread>,
    noted: Option<Weak<dyn Home>>,
}

impl Drop for Here {
    fn drop(&mut self) {
        let mut state = self.thread.lock();
        state.has_ended = true;
        let left = (mem::take(&mut state.left), state.remote.take());
        drop(state);
        // Outside of the lock: it is others'.
        drop(left);
    }
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

/// Lets what other threads have for this one come to the home that it has now. False if it has none: then nothing can come
/// from elsewhere.
pub(crate) fn note_home() -> bool {
    let Some(home) = home::current() else { return false };
    let thread = this();
    let former = HERE.try_with(|here| {
        let mut here = here.borrow_mut();
        let here = here.as_mut()?;
        let is_same = here.noted.as_ref().is_some_and(|noted| std::ptr::addr_eq(noted.as_ptr(), Rc::as_ptr(&home)));
        (!is_same).then(|| here.noted.replace(Rc::downgrade(&home)))
    });
    if let Ok(Some(_former)) = former {
        let remote = home.remote();
        let (former, count) = {
            let mut state = thread.lock();
            (state.remote.replace(remote), state.left.len())
        };
        // Outside of the lock: it is the runtime's.
        drop(former);
        // The former one may have been asked to look, and has not.
        (0..count).for_each(|_| home.schedule(Box::new(run_one_left)));
    }
    true
}

/// The thread may have another home from now on.
#[inline]
pub(crate) fn started() {
    // Without a number nobody knows this thread.
    if ID.get() != 0 {
        note_home();
    }
}

/// What a home is asked to do, once for each job that is left.
fn run_one_left() {
    let job = this().lock().left.pop_front();
    if let Some(job) = job {
        job();
    }
}

impl Thread {
    fn new() -> Arc<Self> {
        Arc::new(Self { id: this_id(), state: Mutex::default() })
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
        let mut job = job;
        let mut tried: Option<Arc<dyn Remote>> = None;
        loop {
            let remote = self.lock().remote.clone();
            let Some(remote) = remote else { return Err(job) };
            // A refusal counts only if that is its home still.
            if tried.as_ref().is_some_and(|tried| std::ptr::addr_eq(Arc::as_ptr(tried), Arc::as_ptr(&remote))) {
                return Err(job);
            }
            match remote.post(job) {
                Ok(()) => return Ok(()),
                Err(refused) => job = refused,
            }
            tried = Some(remote);
        }
    }

    /// Runs `job` there as soon as that thread has a home, this one or another. It is dropped if the thread ends before.
    ///
    /// Without a home nobody takes the jobs away, so who leaves them limits their number.
    pub(crate) fn leave(&self, job: SendJob) {
        let remote = {
            let mut state = self.lock();
            if state.has_ended {
                drop(state);
                drop(job);
                return;
            }
            state.left.push_back(job);
            state.remote.clone()
        };
        let home = if self.is_here() { home::current() } else { None };
        match (home, remote) {
            (Some(home), _) => home.schedule(Box::new(run_one_left)),
            // If that one is gone, the next one will look.
            (None, Some(remote)) => drop(remote.post(Box::new(run_one_left))),
            (None, None) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
