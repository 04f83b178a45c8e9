//! What the tests of the reactor and of time stand on: a driver and an executor, both by hand.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::clock::Clock;
use super::driver::{Driver, DriverHandle};
use super::{Handle, Reactor, Wait};
use crate::{context, spawn};

/// What a [`HandDriver`] was asked and what it is to answer.
#[derive(Default)]
pub(crate) struct Script {
    /// The timeouts it was given.
    pub(crate) waits: Mutex<Vec<Option<Duration>>>,
    /// The wakers that it finds in its next wait.
    pub(crate) events: Mutex<Vec<Waker>>,
    /// Called once, in the next wait without a timeout, in the stead of another thread.
    pub(crate) meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// Events come from the script, the bell is a real one.
struct HandDriver {
    handle: Arc<DriverHandle>,
    script: Arc<Script>,
}

impl Driver for HandDriver {
    fn wait(&mut self, timeout: Option<Duration>, woken: &mut Vec<Waker>) -> io::Result<()> {
        self.script.waits.lock().unwrap().push(timeout);
        woken.append(&mut self.script.events.lock().unwrap());
        if timeout.is_none()
            && let Some(meanwhile) = self.script.meanwhile.lock().unwrap().take()
        {
            meanwhile();
        }
        let timeout = if woken.is_empty() { timeout } else { Some(Duration::ZERO) };
        self.handle.wait(timeout);
        Ok(())
    }

    fn handle(&self) -> &Arc<DriverHandle> {
        &self.handle
    }
}

/// A reactor with a minimal executor that drives it.
pub(crate) struct World {
    pub(crate) reactor: Rc<Reactor>,
    pub(crate) script: Arc<Script>,
}

impl World {
    /// With a clock that stands.
    pub(crate) fn paused() -> Self {
        Self::new(true)
    }

    /// With the system's clock.
    pub(crate) fn real() -> Self {
        Self::new(false)
    }

    fn new(start_paused: bool) -> Self {
        let script = Arc::<Script>::default();
        let driver = HandDriver { handle: Arc::default(), script: Arc::clone(&script) };
        let reactor = Rc::new(Reactor::new(Box::new(driver), Arc::new(Clock::new(start_paused))));
        Self { reactor, script }
    }

    pub(crate) fn handle(&self) -> Arc<Handle> {
        Arc::clone(self.reactor.handle())
    }

    /// Calls `f` as if this thread drove the reactor.
    pub(crate) fn drive<R>(&self, f: impl FnOnce() -> R) -> R {
        context::scope(Some(Rc::clone(&self.reactor)), None, f)
    }

    /// Calls `f` as if this thread had entered the runtime without driving it.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        context::scope(None, Some(self.handle()), f)
    }

    /// Drives `future`, and what is spawned meanwhile, until `future` is done.
    pub(crate) fn block_on<F: Future + 'static>(&self, future: F) -> F::Output
    where
        F::Output: 'static,
    {
        let output = Rc::new(std::cell::Cell::new(None));
        let (sink, ready) = (Rc::clone(&output), Arc::new(Ready::default()));
        let mut tasks: Vec<Option<Task>> = Vec::new();
        let root: Task = Box::pin(async move { sink.set(Some(future.await)) });
        self.drive(|| {
            ready.add(&mut tasks, root);
            loop {
                let Some(id) = ready.next() else {
                    self.reactor.turn(Wait::Block);
                    continue;
                };
                let waker = Waker::from(Arc::new(TaskWaker { id, ready: Arc::clone(&ready), handle: self.handle() }));
                if let Some(task) = &mut tasks[id]
                    && task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
                {
                    tasks[id] = None;
                }
                spawn::take_spawned().into_iter().for_each(|task| ready.add(&mut tasks, task));
                if let Some(output) = output.take() {
                    return output;
                }
                if ready.polls.fetch_add(1, Ordering::Relaxed) % 8 == 7 {
                    self.reactor.turn(Wait::Poll);
                }
            }
        })
    }
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<usize>>,
    polls: AtomicUsize,
}

impl Ready {
    fn add(&self, tasks: &mut Vec<Option<Task>>, task: Task) {
        tasks.push(Some(task));
        self.push(tasks.len() - 1);
    }

    fn push(&self, id: usize) {
        let mut queue = self.queue.lock().unwrap();
        if !queue.contains(&id) {
            queue.push_back(id);
        }
    }

    fn next(&self) -> Option<usize> {
        self.queue.lock().unwrap().pop_front()
    }
}

struct TaskWaker {
    id: usize,
    ready: Arc<Ready>,
    handle: Arc<Handle>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.id);
        if context::with_reactor(Reactor::id) != Some(self.handle.id()) {
            self.handle.wake();
        }
    }
}

/// A waker that tells whether it was woken.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Whether it was woken since this was asked last.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls once with `waker`.
pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}
