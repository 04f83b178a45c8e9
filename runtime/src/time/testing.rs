//! A runtime whose clock and turns are in the hands of the test.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::context;
use crate::reactor::testing::{scripted, scripted_pair};
use crate::reactor::{Handle, Reactor, Wait};
use crate::runtime::{Builder, Runtime};

pub(crate) struct World {
    runtime: Runtime,
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

    /// Two whose reactors are siblings, with one clock.
    pub(crate) fn siblings(start_paused: bool) -> [Self; 2] {
        let (reactors, _scripts, _together) = scripted_pair(start_paused);
        reactors.map(Self::over)
    }

    fn new(start_paused: bool) -> Self {
        let (reactor, _script) = scripted(start_paused);
        Self::over(reactor)
    }

    fn over(reactor: Reactor) -> Self {
        Self { runtime: Builder::new_current_thread().build_over(reactor) }
    }

    pub(crate) fn handle(&self) -> Arc<Handle> {
        Arc::clone(self.runtime.handle().shared().reactor())
    }

    /// Calls `f` while this thread drives the runtime.
    pub(crate) fn drive<R>(&self, f: impl FnOnce() -> R) -> R {
        if context::is_driving() { f() } else { self.runtime.block_on(async { f() }) }
    }

    /// Calls `f` while this thread has entered the runtime without driving it.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = self.runtime.enter();
        f()
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn reactor<R>(&self, f: impl FnOnce(&Reactor) -> R) -> R {
        self.drive(|| context::with_reactor(f)).expect("driven")
    }

    pub(crate) fn turn(&self, how: Wait) {
        self.reactor(|reactor| reactor.turn(how));
    }

    pub(crate) fn armed_timers(&self) -> usize {
        self.reactor(Reactor::armed_timers)
    }
}

/// Polls once with `waker`.
pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}
