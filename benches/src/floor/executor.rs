//! A bare single-threaded executor: one `Rc` per task, a queue, and wakers that count references without atomics.
//!
//! What a task pays here is the least that a future which is polled through a `Waker` can cost without reusing memory:
//! an allocation, a place in a queue, and an indirect call. There are no results to join, only a count of live tasks.
//!
//! # Invariants
//!
//! 1. A waker never leaves the thread of its executor, although its type would let it. Nothing checks that: the scenarios
//!    that wake from another thread have a floor of their own in [`remote`](super::remote).
//! 2. `Task::future` is never moved after the task was made: it lives in the `Rc`, and is dropped in place.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::wheel::Timers;

/// The executor of one thread.
#[derive(Default)]
pub struct Executor {
    queue: RefCell<VecDeque<Rc<dyn Run>>>,
    live: Cell<usize>,
    root_woken: Cell<bool>,
    pub(super) timers: RefCell<Timers>,
}

thread_local! {
    static CURRENT: Cell<Option<&'static Executor>> = const { Cell::new(None) };
}

/// Runs `root` and the tasks it spawns until `root` is done; the executor is leaked with what is then still live.
///
/// # Panics
///
/// Panics if everything waits and no timer is armed.
pub fn block_on<T>(root: impl Future<Output = T>) -> T {
    /// Tasks that run before the root future is looked at again.
    const BURST: usize = 64;

    let executor: &'static Executor = Box::leak(Box::default());
    CURRENT.set(Some(executor));
    let waker = root_waker(executor);
    let mut root = pin!(root);
    executor.root_woken.set(true);
    loop {
        if executor.root_woken.replace(false)
            && let Poll::Ready(output) = root.as_mut().poll(&mut Context::from_waker(&waker))
        {
            CURRENT.set(None);
            return output;
        }
        for _ in 0..BURST {
            let Some(task) = executor.pop() else { break };
            task.run();
        }
        if !executor.root_woken.get() && executor.queue.borrow().is_empty() {
            Timers::wait(&executor.timers);
        }
    }
}

/// Queues a new task.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    let executor = current();
    executor.live.set(executor.live.get() + 1);
    executor.queue.borrow_mut().push_back(Rc::new(Task {
        executor,
        queued: Cell::new(true),
        future: RefCell::new(Some(future)),
    }));
}

/// Waits, in the root future, until every task has ended.
pub async fn all_ended() {
    let executor = current();
    poll_fn(|_| if executor.live.get() == 0 { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// The executor that this thread runs.
pub fn current() -> &'static Executor {
    CURRENT.get().expect("the floor's spawn and sleep work inside its block_on")
}

impl Executor {
    fn one_less(&self) {
        self.live.set(self.live.get() - 1);
        if self.live.get() == 0 {
            self.root_woken.set(true);
        }
    }

    fn pop(&self) -> Option<Rc<dyn Run>> {
        self.queue.borrow_mut().pop_front()
    }
}

struct Task<F> {
    executor: &'static Executor,
    queued: Cell<bool>,
    future: RefCell<Option<F>>,
}

trait Run {
    fn run(self: Rc<Self>);
}

impl<F: Future<Output = ()> + 'static> Run for Task<F> {
    fn run(self: Rc<Self>) {
        self.queued.set(false);
        // SAFETY: the waker is not dropped, so it borrows the reference that `self` holds.
        let waker = ManuallyDrop::new(unsafe { Waker::new(Rc::as_ptr(&self).cast(), &Self::VTABLE) });
        let mut slot = self.future.borrow_mut();
        let Some(future) = slot.as_mut() else { return };
        // SAFETY: invariant 2.
        let future = unsafe { Pin::new_unchecked(future) };
        if future.poll(&mut Context::from_waker(&waker)).is_ready() {
            *slot = None;
            self.executor.one_less();
        }
    }
}

impl<F: Future<Output = ()> + 'static> Task<F> {
    // SAFETY: the data pointer of each waker is one reference of an `Rc<Self>`; by invariant 1 it stays on its thread.
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            // SAFETY: as above; the clone's reference is added here.
            unsafe { Rc::increment_strong_count(data.cast::<Self>()) };
            RawWaker::new(data, &Self::VTABLE)
        },
        // SAFETY: as above; waking by value gives the reference away.
        |data| Self::schedule(unsafe { Rc::from_raw(data.cast()) }),
        // SAFETY: as above; the reference stays the waker's.
        |data| Self::schedule(Rc::clone(&ManuallyDrop::new(unsafe { Rc::from_raw(data.cast()) }))),
        // SAFETY: as above.
        |data| drop(unsafe { Rc::from_raw(data.cast::<Self>()) }),
    );

    fn schedule(self: Rc<Self>) {
        if !self.queued.replace(true) {
            let executor = self.executor;
            executor.queue.borrow_mut().push_back(self);
        }
    }
}

fn root_waker(executor: &'static Executor) -> Waker {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(|data| RawWaker::new(data, &VTABLE), wake, wake, |_| ());
    fn wake(data: *const ()) {
        // SAFETY: the data pointer is the leaked executor; by invariant 1 no other thread is here.
        unsafe { &*data.cast::<Executor>() }.root_woken.set(true);
    }
    // SAFETY: the executor is never freed, so its address may be copied at will.
    unsafe { Waker::new(std::ptr::from_ref(executor).cast(), &VTABLE) }
}
