//! The worker: one core with its reactor, and the loop that drives both. [`many`] has the loop of one among many.

mod lend;
mod many;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

pub(crate) use self::many::Intervals;
use crate::context;
use crate::coop;
use crate::handle::Shared;
use crate::reactor::{Reactor, Wait};

use self::many::Among;
use crate::task::{Core, Home, Id, JoinHandle, Meta, Pool, Unborn};

/// Ids that a worker takes at a time, so that a spawn touches no shared line.
const ID_BLOCK: u64 = 256;

/// What one thread at a time drives.
pub(crate) struct Worker {
    core: Core,
    reactor: Reactor,
    shared: Arc<Shared>,
    /// Tasks that run before requests of other threads, events and deadlines are looked at, if there are so many.
    event_interval: u32,
    /// How many of those are left; kept from one `block_on` to the next, so that many short ones starve nothing.
    until_turn: Cell<u32>,
    /// The future of `block_on` was woken.
    root_woken: Cell<bool>,
    next_id: Cell<Id>,
    end_of_ids: Cell<Id>,
    /// A poll that lasts longer is reported.
    stall_threshold: Option<Duration>,
    /// What it shares with others, if there are any.
    among: Option<Among>,
}

impl Worker {
    pub(crate) fn new(
        home: Rc<Home>,
        reactor: Reactor,
        shared: Arc<Shared>,
        event_interval: u32,
        stall_threshold: Option<Duration>,
    ) -> Self {
        Self::with(Core::new(home), reactor, shared, event_interval, stall_threshold, None)
    }

    fn with(
        core: Core,
        reactor: Reactor,
        shared: Arc<Shared>,
        event_interval: u32,
        stall_threshold: Option<Duration>,
        among: Option<Among>,
    ) -> Self {
        let id = Id::block(ID_BLOCK);
        core.set_watched(stall_threshold.is_some());
        Self {
            core,
            reactor,
            shared,
            event_interval,
            until_turn: Cell::new(event_interval),
            root_woken: Cell::new(false),
            next_id: Cell::new(id),
            end_of_ids: Cell::new(id.plus(ID_BLOCK)),
            stall_threshold,
            among,
        }
    }

    /// Where blocks for new tasks come from.
    #[inline(always)]
    pub(crate) fn pool(&self) -> &Pool {
        self.core.pool()
    }

    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What a task that is spawned here and now is called.
    #[inline]
    pub(crate) fn meta(&self, spawned_at: &'static Location<'static>) -> Meta {
        let id = self.next_id.get();
        if id == self.end_of_ids.get() {
            return self.meta_of_next_block(spawned_at);
        }
        self.next_id.set(id.successor());
        Meta { id, spawned_at }
    }

    #[cold]
    fn meta_of_next_block(&self, spawned_at: &'static Location<'static>) -> Meta {
        let id = Id::block(ID_BLOCK);
        self.next_id.set(id.successor());
        self.end_of_ids.set(id.plus(ID_BLOCK));
        Meta { id, spawned_at }
    }

    /// Makes a task of the runtime.
    #[inline(always)]
    pub(crate) fn spawn<F>(&self, future: Unborn<F>, spawned_at: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        JoinHandle::of(self.core.spawn(future, self.meta(spawned_at)))
    }

    /// Makes a task of this thread; `None` when it serves no locals, which is only while the worker closes.
    #[inline(always)]
    pub(crate) fn spawn_local<F>(
        &self,
        future: Unborn<F>,
        spawned_at: &'static Location<'static>,
    ) -> Option<JoinHandle<F::Output>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.core.spawn_local(future, self.meta(spawned_at)).map(JoinHandle::of)
    }

    /// Drives everything until `future` is ready.
    pub(crate) fn block_on<F: Future>(
        &self,
        locals: &Home,
        future: F,
        called_at: &'static Location<'static>,
    ) -> F::Output {
        self.drive(|| self.with_locals(locals, || self.run_until(future, called_at)))
    }

    /// Calls `f` while the worker serves the tasks of this thread, which can be reached from now on.
    fn with_locals<R>(&self, locals: &Home, f: impl FnOnce() -> R) -> R {
        self.core.with_locals(locals, || {
            rt_deferred::home::started();
            f()
        })
    }

    /// Calls `f` while this thread drives the worker.
    fn drive<R>(&self, f: impl FnOnce() -> R) -> R {
        context::driving(self, || self.core.drive(f))
    }

    fn run_until<F: Future>(&self, future: F, called_at: &'static Location<'static>) -> F::Output {
        let mut future = pin!(future);
        let (waker, _root) = self.root(called_at);
        let mut cx = Context::from_waker(&waker);
        let mut until_turn = self.until_turn.get();
        // What was spawned or woken while nobody drove comes before what the future spawns.
        self.core.receive();
        loop {
            if self.root_woken.take()
                && let Poll::Ready(output) =
                    self.watched(Some(called_at), || coop::with_full_budget(|| future.as_mut().poll(&mut cx)))
            {
                self.until_turn.set(until_turn);
                return output;
            }
            if until_turn == 0 {
                self.core.receive();
                self.reactor.turn(Wait::Poll);
                until_turn = self.event_interval;
            }
            if self.watched(None, || self.core.run_one()) {
                until_turn -= 1;
            } else if self.core.sleep() {
                self.reactor.turn(Wait::Block);
                self.core.receive();
                until_turn = self.event_interval;
            } else {
                self.core.receive();
            }
        }
    }

    /// Calls `f`, which is one poll: of a task, or of the root that was called here. Reports it if it took too long.
    #[inline(always)]
    fn watched<R>(&self, root: Option<&'static Location<'static>>, f: impl FnOnce() -> R) -> R {
        match self.stall_threshold {
            None => f(),
            Some(threshold) => self.timed(threshold, root, f),
        }
    }

    #[cold]
    fn timed<R>(&self, threshold: Duration, root: Option<&'static Location<'static>>, f: impl FnOnce() -> R) -> R {
        self.core.begin_watched(root);
        let begin = Instant::now();
        let result = f();
        let duration = begin.elapsed();
        if duration >= threshold && self.core.claim_stall_report() {
            self.shared.report_stall(duration, self.core.watched());
        }
        result
    }

    /// A task that stands for the future of `block_on`: it is woken like any other, from any thread, and takes its turn in the
    /// same queue; to run it means to poll that future next.
    fn root(&self, spawned_at: &'static Location<'static>) -> (Waker, AbortOnDrop) {
        self.root_woken.set(true);
        let mark = poll_fn(|_| {
            context::with_worker(|worker| worker.expect("the root runs on a worker").root_woken.set(true));
            Poll::<()>::Pending
        });
        let task = self.core.spawn_local_idle(Unborn::new(mark, Some(self.pool())), self.meta(spawned_at));
        let task = task.expect("`block_on` brings the thread's locals");
        let waker = task.waker();
        (waker, AbortOnDrop(JoinHandle::of(task)))
    }

    /// Ends every task, on this thread.
    pub(crate) fn close(self) {
        context::driving(&self, || self.core.close());
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
