//! What a runtime is to Deferreds: a home for the jobs of each thread that drives it, with timers and threads.
//!
//! A thread's jobs are run by one of its local tasks, which is made when they are first asked for and lives as long as the
//! thread's other local tasks may. Other threads leave theirs in the [`mailbox`]; [`jobs`] has both. A thread in `block_on` that has no worker,
//! as others drive them all, runs its jobs [`beside`] its future.

mod beside;
mod jobs;
mod mailbox;
#[cfg(test)]
mod mailbox_checks;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rt_deferred::home::{self, Home, Job, Remote, SendJob};
use rt_deferred::{Reactor, ReactorTime};

use crate::context;
use crate::executor::worker::Worker;
use crate::handle::{Handle, Shared};
use crate::task::Unborn;
use crate::time::{Instant, call_later};

pub(crate) use self::beside::Beside;
use self::jobs::Jobs;

/// Tells Deferreds that there are runtimes.
pub(crate) fn introduce() {
    home::set_finder(|| {
        let driven = context::with_worker(|worker| worker.map(|worker| ThreadHome::of(worker) as Rc<dyn Home>));
        driven.or_else(beside::current)
    });
}

thread_local! {
    /// Those of the runtimes that this thread has driven.
    static HOMES: RefCell<Vec<Rc<ThreadHome>>> = const { RefCell::new(Vec::new()) };
}

/// Where the tasks that run jobs are spawned.
fn own_place() -> &'static Location<'static> {
    Location::caller()
}

/// Whether what was spawned there is a task that runs jobs, of which the user knows nothing.
pub(crate) fn is_own_task(spawned_at: &Location<'static>) -> bool {
    spawned_at == own_place()
}

/// A thread in a runtime.
struct ThreadHome {
    runtime: Weak<Shared>,
    /// When it was made: the moment from which its clock counts.
    origin: Instant,
    jobs: Jobs,
    /// The waker of the task that runs them, when it was polled last.
    task: Cell<Option<Waker>>,
    /// The thread has lost its worker to others since, and [runs](run_away) the jobs itself.
    is_away: Cell<bool>,
    /// That task is gone, and the runtime with it.
    ended: Cell<bool>,
}

/// Runs the jobs that this thread has in `runtime`, though it drives no worker at present: who has one may keep it for ever.
/// `waker` is woken when there are more.
pub(crate) fn run_away(runtime: &Arc<Shared>, waker: &Waker) {
    if context::is_driving() {
        return;
    }
    let find = |homes: &RefCell<Vec<Rc<ThreadHome>>>| homes.borrow().iter().find(|home| home.is_of(runtime)).cloned();
    let Ok(Some(home)) = HOMES.try_with(find) else { return };
    home.is_away.set(true);
    beside::at(Rc::clone(&home) as Rc<dyn Home>, || {
        Handle::from_shared(Arc::clone(runtime)).enter_quietly(|| home.jobs.run(&Context::from_waker(waker)));
    });
}

impl ThreadHome {
    /// The one for the runtime of `worker`, which this thread drives.
    fn of(worker: &Worker) -> Rc<Self> {
        let find = |homes: &RefCell<Vec<Rc<Self>>>| {
            let homes = homes.borrow();
            homes.iter().find(|home| home.is_of(worker.shared())).cloned()
        };
        match HOMES.try_with(find) {
            Ok(Some(home)) => {
                if home.is_away.replace(false)
                    && let Some(task) = home.task.take()
                {
                    task.wake();
                }
                home
            }
            _ => Self::make(worker),
        }
    }

    fn is_of(&self, runtime: &Arc<Shared>) -> bool {
        std::ptr::eq(self.runtime.as_ptr(), Arc::as_ptr(runtime)) && !self.ended.get()
    }

    #[cold]
    fn make(worker: &Worker) -> Rc<Self> {
        let home = Rc::new(Self {
            runtime: Arc::downgrade(worker.shared()),
            origin: Instant::now(),
            jobs: Jobs::new(),
            task: Cell::new(None),
            is_away: Cell::new(false),
            ended: Cell::new(false),
        });
        let run = RunJobs(Rc::clone(&home));
        // Without locals, which is while the worker closes, it is dropped at once.
        drop(worker.spawn_local(Unborn::new(run, Some(worker.pool())), own_place()));
        let _ = HOMES.try_with(|homes| {
            let mut homes = homes.borrow_mut();
            homes.retain(|home| !home.ended.get());
            homes.push(Rc::clone(&home));
        });
        home
    }
}

impl Home for ThreadHome {
    fn schedule(&self, job: Job) {
        if self.ended.get() {
            return;
        }
        self.jobs.push(job);
    }

    fn remote(&self) -> Arc<dyn Remote> {
        self.jobs.remote()
    }

    fn call_in_thread(&self, job: SendJob) {
        if let Some(runtime) = self.runtime.upgrade() {
            drop(Handle::from_shared(runtime).spawn_blocking(job));
        }
    }

    fn time(&self) -> Option<&dyn ReactorTime> {
        Some(self)
    }
}

impl ReactorTime for ThreadHome {
    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }

    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
        if !context::is_driving() {
            return beside::call_later(delay, call);
        }
        let call = call_later(delay, call);
        Box::new(move || {
            // It does nothing after the call.
            let _ = call.cancel();
        })
    }

    fn weak(&self) -> Rc<dyn ReactorTime> {
        Rc::new(Reactor)
    }
}

/// The task that runs the jobs of a home. With it they end.
struct RunJobs(Rc<ThreadHome>);

impl Future for RunJobs {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let home = &self.0;
        home.task.set(Some(cx.waker().clone()));
        home.jobs.run(cx);
        Poll::Pending
    }
}

impl Drop for RunJobs {
    fn drop(&mut self) {
        self.0.ended.set(true);
        self.0.jobs.mailbox.close();
        self.0.jobs.clear();
        drop(self.0.task.take());
    }
}
