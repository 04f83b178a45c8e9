//! Long work in pieces.

use super::{Service, ServiceHandle};
use rt_deferred::{CooperativeTask, Cooperator, Deferred, Failure, IntoOutcome, ReactorTime};

/// Works on long tasks piece by piece while it runs, between other things. Tasks that are given before wait for the start; those
/// that are not done when it stops fail with `SchedulerStopped`.
///
/// Counterpart: `twisted.application.internet.CooperatorService`.
///
/// ```
/// use rt::deferred::{Clock, assert_no_result, success_result_of};
/// use rt::service::{CooperatorService, ServiceHandle};
/// use rt::time::Duration;
///
/// let clock = Clock::new();
/// let worker = ServiceHandle::named("worker", CooperatorService::new().clock(&clock));
/// let done = worker.coiterate((0..3).map(|n| println!("piece {n}")));
/// clock.advance(Duration::ZERO);
/// assert_no_result(&done);
/// drop(worker.start_service());
/// clock.advance(Duration::ZERO);
/// success_result_of(done);
/// # drop(worker.stop_service());
/// ```
#[derive(Debug)]
pub struct CooperatorService {
    cooperator: Cooperator,
}

impl CooperatorService {
    /// With a cooperator of its own.
    #[expect(clippy::new_without_default, reason = "as for the cooperator that it has: two are not equal")]
    pub fn new() -> Self {
        Self { cooperator: Cooperator::new().not_started() }
    }

    /// What it takes turns by. [`Reactor`](rt_deferred::Reactor) unless it is set.
    #[must_use = "it is the service, to be put in its place"]
    pub fn clock(mut self, clock: &dyn ReactorTime) -> Self {
        self.cooperator = self.cooperator.clock(clock);
        self
    }

    /// Adds a task, as [`Cooperator::coiterate`] does.
    pub fn coiterate<I, K>(&self, work: I) -> Deferred<()>
    where
        I: IntoIterator<IntoIter: 'static>,
        I::Item: IntoOutcome<(), K>,
    {
        self.cooperator.coiterate(work)
    }

    /// Adds a task, as [`Cooperator::cooperate`] does.
    pub fn cooperate<I, K>(&self, work: I) -> CooperativeTask
    where
        I: IntoIterator<IntoIter: 'static>,
        I::Item: IntoOutcome<(), K>,
    {
        self.cooperator.cooperate(work)
    }
}

impl Service for CooperatorService {
    async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.cooperator.start();
        Ok(())
    }

    async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.cooperator.stop();
        Ok(())
    }
}
