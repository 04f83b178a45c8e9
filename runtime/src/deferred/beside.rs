//! The home of a thread that is in `block_on` without a worker: others drive them all, so only its own future runs there.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rt_deferred::home::{self, Home, Job, Remote, SendJob};
use rt_deferred::{Reactor, ReactorTime, call_when_running, ensure_deferred};

use super::jobs::Jobs;
use super::run_away;
use crate::coop;
use crate::handle::Handle;
use crate::panics::quietly;
use crate::time::{Instant, sleep};

thread_local! {
    /// The innermost one of this thread.
    static BESIDE: RefCell<Option<Rc<dyn Home>>> = const { RefCell::new(None) };
}

pub(super) fn current() -> Option<Rc<dyn Home>> {
    BESIDE.try_with(|beside| beside.borrow().clone()).ok().flatten()
}

/// Calls `f` where `home` is the one of this thread, unless it drives a worker.
pub(super) fn at(home: Rc<dyn Home>, f: impl FnOnce()) {
    struct Back(Option<Rc<dyn Home>>);
    impl Drop for Back {
        fn drop(&mut self) {
            let _home = BESIDE.try_with(|beside| beside.replace(self.0.take()));
        }
    }
    let _back = Back(BESIDE.try_with(|beside| beside.replace(Some(home))).ok().flatten());
    f();
}

/// As [`call_later`](crate::time::call_later) where there are no local tasks.
pub(super) fn call_later(delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
    let calling = ensure_deferred(async move {
        // Never before this has returned.
        crate::spawn::yield_now().await;
        sleep(delay).await;
        call();
    });
    Box::new(move || {
        calling.cancel();
        drop(calling.add_errback(|_| ()));
    })
}

/// The future of a `block_on`. Once it had to do [without a worker](Self::without_worker), the jobs of its thread are run
/// whenever it is polled: also when it has got a worker, as some may be on their way.
pub(crate) struct Beside<F> {
    pub(crate) future: F,
    aside: Option<Aside>,
}

struct Aside {
    home: Rc<BesideHome>,
    former: Option<Rc<dyn Home>>,
}

struct BesideHome {
    runtime: Handle,
    origin: Instant,
    jobs: Jobs,
}

impl<F> Beside<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future, aside: None }
    }

    /// This thread has a home from now on, also where it drives no worker.
    pub(crate) fn without_worker(&mut self, runtime: &Handle) {
        self.aside.get_or_insert_with(|| Aside::new(runtime));
    }
}

impl Aside {
    fn new(runtime: &Handle) -> Self {
        let home = Rc::new(BesideHome { runtime: runtime.clone(), origin: Instant::now(), jobs: Jobs::new() });
        let former = BESIDE.replace(Some(Rc::clone(&home) as Rc<dyn Home>));
        Self { home, former }
    }
}

impl<F: Future + Unpin> Future for Beside<F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if this.aside.is_some() {
            // Each time: in the last poll another runtime may have driven this thread.
            home::started();
        }
        let ready = Pin::new(&mut this.future).poll(cx);
        if ready.is_pending()
            && let Some(aside) = &this.aside
        {
            coop::with_full_budget(|| {
                aside.home.jobs.run(cx);
                // What was posted while it had a worker.
                run_away(aside.home.runtime.shared(), cx.waker());
            });
        }
        ready
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _home = BESIDE.try_with(|beside| beside.replace(self.former.take()));
        // In the next home they are run. The jobs of this thread may be dropped: who schedules them asks that one, too.
        self.home.jobs.mailbox.end().into_iter().for_each(call_when_running);
        quietly(|| self.home.jobs.clear());
    }
}

impl Home for BesideHome {
    fn schedule(&self, job: Job) {
        self.jobs.push(job);
    }

    fn remote(&self) -> Arc<dyn Remote> {
        self.jobs.remote()
    }

    fn call_in_thread(&self, job: SendJob) {
        drop(self.runtime.spawn_blocking(job));
    }

    fn time(&self) -> Option<&dyn ReactorTime> {
        Some(self)
    }
}

impl ReactorTime for BesideHome {
    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }

    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
        call_later(delay, call)
    }

    fn weak(&self) -> Rc<dyn ReactorTime> {
        Rc::new(Reactor)
    }
}
