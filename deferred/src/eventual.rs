//! Calls that are made soon: after the code that asks for them has returned, in order, on the same thread.
//!
//! A Deferred's callbacks run inside the call that fires it. Where that comes too soon (in the middle of a change to
//! data that the callback will look at, or deep in the stack) the firing is sent here instead.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use crate::home::{self, Job};
use crate::unhandled::{self, Unhandled};
use crate::{Deferred, Failure, OneShotObservers};

/// Calls `call` soon: on this thread, not before this has returned, and after all that was sent so before.
///
/// The [home](crate::home) of this thread makes the calls: one turn makes all that are there when it begins, and what
/// they send waits for the next, so that other work gets its turn between. On a thread without a home they wait for one,
/// or for [`run_eventual_queue`]. If the thread ends first they are dropped.
///
/// A panic in `call` is reported as [unhandled](crate::unhandled), with the place of this call; those behind it are made
/// nevertheless. The queue has no limit: as with anything that is sent on, who sends faster than the thread gets to it
/// fills the memory.
///
/// # Examples
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
///
/// use rt_deferred::{eventually, run_eventual_queue};
///
/// let words = Rc::new(RefCell::new(Vec::new()));
/// let later = words.clone();
/// eventually(move || later.borrow_mut().push("second"));
/// words.borrow_mut().push("first");
///
/// // A runtime does this by itself.
/// run_eventual_queue();
/// assert_eq!(*words.borrow(), ["first", "second"]);
/// ```
///
/// Counterpart: `eventually` of Foolscap; `reactor.callLater(0, …)`.
#[track_caller]
pub fn eventually(call: impl FnOnce() + 'static) {
    let call = Call { job: Box::new(call), place: Location::caller() };
    if enqueue(call, |queue| &queue.calls) {
        arrange_turn();
    }
}

/// A Deferred that [`eventually`] fires with this value.
///
/// # Examples
///
/// ```
/// use rt_deferred::{assert_no_result, fire_eventually, run_eventual_queue, success_result_of};
///
/// let deferred = fire_eventually("ready");
/// assert_no_result(&deferred);
/// run_eventual_queue();
/// assert_eq!(success_result_of(deferred), "ready");
/// ```
///
/// Counterpart: `fireEventually` of Foolscap.
#[track_caller]
pub fn fire_eventually<T: 'static>(value: T) -> Deferred<T> {
    let (deferred, resolver) = Deferred::new();
    let place = Location::caller();
    eventually(move || {
        // It may have been cancelled.
        let _ = resolver.resolve_at(Ok(value), place);
    });
    deferred
}

/// A Deferred that fires when all that was sent with [`eventually`] on this thread has been called, and what that sent
/// in its turn: when the queue is empty. At once if it is.
///
/// Cancelling it leaves the queue as it is.
///
/// # Examples
///
/// ```
/// use rt_deferred::{State, eventually, flush_eventual_queue, run_eventual_queue};
///
/// eventually(|| eventually(|| println!("the second turn")));
/// let empty = flush_eventual_queue();
/// run_eventual_queue();
/// assert_eq!(empty.state(), State::Pending);
/// run_eventual_queue();
/// assert_eq!(empty.state(), State::Succeeded);
/// ```
///
/// Counterpart: `flushEventualQueue` of Foolscap.
#[track_caller]
pub fn flush_eventual_queue() -> Deferred<()> {
    let is_idle = QUEUE.try_with(|queue| queue.calls.borrow().is_empty() && !queue.is_turning.get());
    if is_idle.unwrap_or(true) {
        return Deferred::succeed(());
    }
    let flushed = QUEUE.with(|queue| queue.flushed.borrow_mut().get_or_insert_with(OneShotObservers::new).clone());
    flushed.when_fired()
}

/// Makes the calls that were sent with [`eventually`] so far, and returns how many: one turn, for threads without a
/// runtime and for tests. With a runtime nobody needs it.
///
/// What the calls send waits for the next turn: `while run_eventual_queue() > 0 {}` empties the queue. From within such
/// a call it does nothing and returns 0.
///
/// # Examples
///
/// ```
/// use rt_deferred::{fire_eventually, run_eventual_queue, success_result_of};
///
/// let answer = fire_eventually("soon");
/// assert_eq!(run_eventual_queue(), 1);
/// assert_eq!(success_result_of(answer), "soon");
/// ```
pub fn run_eventual_queue() -> usize {
    let Some(turn) = Turn::begin() else { return 0 };
    let count = turn.make_calls();
    drop(turn);
    if has_calls() {
        arrange_turn();
    } else {
        tell_flushed();
    }
    count
}

/// Calls `call` when a runtime drives this thread: soon, as [`eventually`] does, if one does now; otherwise it is kept
/// until one begins to.
///
/// It has its place in the order of [`eventually`] from the moment at which there is a runtime.
///
/// # Examples
///
/// ```
/// use rt_deferred::{call_when_running, run_eventual_queue};
///
/// call_when_running(|| println!("listening"));
/// // It waits for a runtime, so this is not yet its time.
/// assert_eq!(run_eventual_queue(), 0);
/// ```
///
/// Counterpart: `reactor.callWhenRunning`.
#[track_caller]
pub fn call_when_running(call: impl FnOnce() + 'static) {
    let call = Call { job: Box::new(call), place: Location::caller() };
    if enqueue(call, |queue| &queue.kept) {
        arrange_all();
    }
}

/// See [`home::started`].
#[inline]
pub(crate) fn home_started() {
    if IS_USED.get() {
        arrange_all();
    }
}

thread_local! {
    static QUEUE: Queue = const {
        Queue {
            calls: RefCell::new(VecDeque::new()),
            kept: RefCell::new(VecDeque::new()),
            is_turning: Cell::new(false),
            is_arranged: Cell::new(false),
            flushed: RefCell::new(None),
        }
    };
    /// Whether there may be calls; apart from the queue, so that the usual look needs no destructor's registration.
    static IS_USED: Cell<bool> = const { Cell::new(false) };
}

struct Queue {
    calls: RefCell<VecDeque<Call>>,
    /// Until there is a home.
    kept: RefCell<VecDeque<Call>>,
    is_turning: Cell<bool>,
    /// The home has been asked for a turn.
    is_arranged: Cell<bool>,
    /// Who waits for the queue to be empty.
    flushed: RefCell<Option<OneShotObservers<()>>>,
}

struct Call {
    job: Job,
    /// Where it was sent.
    place: &'static Location<'static>,
}

impl Call {
    fn make(self) {
        let place = self.place;
        if let Err(payload) = catch_unwind(AssertUnwindSafe(self.job)) {
            let failure = Failure::from_panic(payload);
            unhandled::report(Unhandled::of_call(failure, place));
        }
    }
}

/// While it exists the queue has its turn.
struct Turn;

impl Turn {
    fn begin() -> Option<Self> {
        let is_free = QUEUE.try_with(|queue| !queue.is_turning.replace(true)).unwrap_or(false);
        is_free.then_some(Turn)
    }

    /// Makes those that are there now.
    fn make_calls(&self) -> usize {
        let count = QUEUE.with(|queue| queue.calls.borrow().len());
        for _ in 0..count {
            let next = QUEUE.with(|queue| queue.calls.borrow_mut().pop_front());
            next.into_iter().for_each(Call::make);
        }
        count
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        QUEUE.with(|queue| queue.is_turning.set(false));
    }
}

/// What a home is given. If it drops it unused, the queue can ask the next one.
struct Arranged;

impl Drop for Arranged {
    fn drop(&mut self) {
        let _ = QUEUE.try_with(|queue| queue.is_arranged.set(false));
    }
}

/// False if the thread ends, and nobody would make the call; it is gone then.
fn enqueue(call: Call, line: fn(&Queue) -> &RefCell<VecDeque<Call>>) -> bool {
    let mut call = Some(call);
    // The call is dropped outside of the borrow if it is not taken.
    let is_there = QUEUE.try_with(|queue| line(queue).borrow_mut().extend(call.take())).is_ok();
    IS_USED.set(true);
    is_there
}

fn has_calls() -> bool {
    QUEUE.with(|queue| !queue.calls.borrow().is_empty())
}

/// Asks the home for a turn, unless that has been done or the queue has one now, and asks itself at the end.
fn arrange_turn() {
    if QUEUE.with(|queue| !queue.is_turning.get() && !queue.is_arranged.get()) {
        ask_for_turn();
    }
}

/// If there is a home: gives the queue what was kept for one, and asks that home for a turn, as another one may have been
/// asked before.
fn arrange_all() {
    if home::current().is_none() {
        return;
    }
    let is_idle = QUEUE.try_with(|queue| {
        let mut kept = queue.kept.take();
        let mut calls = queue.calls.borrow_mut();
        calls.append(&mut kept);
        IS_USED.set(!calls.is_empty() || queue.is_turning.get());
        !calls.is_empty() && !queue.is_turning.get()
    });
    if is_idle == Ok(true) {
        ask_for_turn();
    }
}

fn ask_for_turn() {
    let Some(home) = home::current() else { return };
    QUEUE.with(|queue| queue.is_arranged.set(true));
    let arranged = Arranged;
    home.schedule(Box::new(move || {
        drop(arranged);
        run_eventual_queue();
    }));
}

fn tell_flushed() {
    let flushed = QUEUE.with(|queue| queue.flushed.take());
    if let Some(flushed) = flushed {
        // It was in the queue, so it has not been fired.
        let _ = flushed.fire(());
    }
}
