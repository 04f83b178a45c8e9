//! One iterator among those of a cooperator.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::Scheduler;
use crate::{Deferred, Failure, Outcome, Resolver};

/// The next piece of work; `None` after the last.
type Work = Box<dyn FnMut() -> Option<Outcome<()>>>;

pub(super) struct Task {
    scheduler: Rc<Scheduler>,
    /// `None` while it runs and after its end.
    work: Cell<Option<Work>>,
    pauses: Cell<u32>,
    end: RefCell<Option<End>>,
    waiting: RefCell<Vec<Resolver<()>>>,
}

struct End {
    how: SchedulerError,
    result: Result<(), Failure>,
}

impl Task {
    pub(super) fn new(scheduler: &Rc<Scheduler>, work: Work) -> Rc<Self> {
        Rc::new(Self {
            scheduler: Rc::clone(scheduler),
            work: Cell::new(Some(work)),
            pauses: Cell::new(0),
            end: RefCell::new(None),
            waiting: RefCell::default(),
        })
    }

    /// Does one piece.
    pub(super) fn work(self: &Rc<Self>) {
        // It runs in a call further out if there is none: a piece of work may make the clock tick.
        let Some(mut work) = self.work.take() else { return };
        let piece = catch_unwind(AssertUnwindSafe(&mut work))
            .unwrap_or_else(|payload| Some(Outcome::Failure(Failure::from_panic(payload))));
        if self.end.borrow().is_none() {
            self.work.set(Some(work));
        }
        match piece {
            None => self.complete(SchedulerError::TaskDone, Ok(())),
            Some(Outcome::Value(())) => {}
            Some(Outcome::Failure(failure)) => self.complete(SchedulerError::TaskFailed, Err(failure)),
            Some(Outcome::Deferred(deferred)) => self.wait_for(deferred),
        }
    }

    fn wait_for(self: &Rc<Self>, deferred: Deferred<()>) {
        self.pause();
        let (good, bad) = (Rc::clone(self), Rc::clone(self));
        let went_on = deferred.add_callbacks(
            // If somebody has resumed it meanwhile, that failure is the result.
            move |()| good.resume().map_err(Failure::new),
            move |failure: Failure| {
                bad.complete(SchedulerError::TaskFailed, Err(failure));
                Ok::<(), Failure>(())
            },
        );
        drop(went_on);
    }

    fn pause(self: &Rc<Self>) {
        let pauses = self.pauses.get() + 1;
        self.pauses.set(pauses);
        if pauses == 1 {
            self.scheduler.leave(self);
        }
    }

    fn resume(self: &Rc<Self>) -> Result<(), SchedulerError> {
        let pauses = self.pauses.get().checked_sub(1).ok_or(SchedulerError::NotPaused)?;
        self.pauses.set(pauses);
        if pauses == 0 && self.end.borrow().is_none() {
            self.scheduler.enter(self);
        }
        Ok(())
    }

    pub(super) fn scheduler_stopped(self: &Rc<Self>) {
        let how = SchedulerError::SchedulerStopped;
        self.complete(how, Err(Failure::new(how)));
    }

    fn complete(self: &Rc<Self>, how: SchedulerError, result: Result<(), Failure>) {
        let former = self.end.replace(Some(End { how, result: result.clone() }));
        drop(former);
        if self.pauses.get() == 0 {
            self.scheduler.leave(self);
        }
        drop(self.work.take());
        // Last, as they may do anything with other tasks.
        let waiting = self.waiting.take();
        for resolver in waiting {
            // Who has cancelled it does not want to know.
            let _ = resolver.resolve_by_itself(result.clone());
        }
    }

    fn check_unfinished(&self) -> Result<(), SchedulerError> {
        self.end.borrow().as_ref().map_or(Ok(()), |end| Err(end.how))
    }
}

/// Work that a [`Cooperator`](super::Cooperator) does: a handle to pause, resume and stop it. Dropping it changes nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, Cooperator, SchedulerError, State};
///
/// let clock = Clock::new();
/// let task = Cooperator::new().clock(&clock).cooperate((0..3).map(|n| println!("{n}")));
/// let done = task.when_done();
/// task.pause()?;
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(done.state(), State::Pending);
///
/// task.resume()?;
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(done.state(), State::Succeeded);
/// assert_eq!(task.stop(), Err(SchedulerError::TaskDone));
/// # Ok::<(), SchedulerError>(())
/// ```
///
/// Counterpart: `twisted.internet.task.CooperativeTask`.
#[derive(Clone)]
pub struct CooperativeTask {
    task: Rc<Task>,
}

impl CooperativeTask {
    pub(super) fn of(task: Rc<Task>) -> Self {
        Self { task }
    }

    /// Has it passed over until [`resume`](Self::resume) was called as often as this.
    ///
    /// # Errors
    ///
    /// How it ended, if it has.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Cooperator, State};
    ///
    /// let clock = Clock::new();
    /// let task = Cooperator::new().clock(&clock).cooperate([(); 3]);
    /// let done = task.when_done();
    /// task.pause()?;
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(done.state(), State::Pending);
    /// # task.resume()?;
    /// # Ok::<(), rt_deferred::SchedulerError>(())
    /// ```
    ///
    /// Counterpart: `CooperativeTask.pause`.
    pub fn pause(&self) -> Result<(), SchedulerError> {
        self.task.check_unfinished()?;
        self.task.pause();
        Ok(())
    }

    /// Takes one [`pause`](Self::pause) back.
    ///
    /// # Errors
    ///
    /// [`SchedulerError::NotPaused`].
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Clock, Cooperator, SchedulerError};
    ///
    /// let clock = Clock::new();
    /// let task = Cooperator::new().clock(&clock).cooperate([(); 3]);
    /// task.pause()?;
    /// assert_eq!(task.resume(), Ok(()));
    /// assert_eq!(task.resume(), Err(SchedulerError::NotPaused));
    /// # Ok::<(), SchedulerError>(())
    /// ```
    ///
    /// Counterpart: `CooperativeTask.resume`.
    pub fn resume(&self) -> Result<(), SchedulerError> {
        self.task.resume()
    }

    /// Ends it: its Deferreds fail with [`SchedulerError::TaskStopped`].
    ///
    /// # Errors
    ///
    /// How it ended, if it has.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Clock, Cooperator, SchedulerError, failure_result_of};
    ///
    /// let clock = Clock::new();
    /// let task = Cooperator::new().clock(&clock).cooperate(std::iter::repeat(()));
    /// let done = task.when_done();
    /// task.stop()?;
    /// assert_eq!(failure_result_of(done).downcast_ref(), Some(&SchedulerError::TaskStopped));
    /// # Ok::<(), SchedulerError>(())
    /// ```
    ///
    /// Counterpart: `CooperativeTask.stop`.
    pub fn stop(&self) -> Result<(), SchedulerError> {
        self.task.check_unfinished()?;
        let how = SchedulerError::TaskStopped;
        self.task.complete(how, Err(Failure::new(how)));
        Ok(())
    }

    /// A Deferred that fires when all is done, and fails with what ended it otherwise. Each call makes one of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Cooperator, success_result_of};
    ///
    /// let clock = Clock::new();
    /// let task = Cooperator::new().clock(&clock).cooperate([(); 3]);
    /// let message = task.when_done().add_callback(|()| "all three done");
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(success_result_of(message), "all three done");
    /// ```
    ///
    /// Counterpart: `CooperativeTask.whenDone`.
    #[track_caller]
    pub fn when_done(&self) -> Deferred<()> {
        if let Some(end) = &*self.task.end.borrow() {
            return Outcome::from(end.result.clone()).into_deferred();
        }
        let (deferred, resolver) = Deferred::new();
        self.task.waiting.borrow_mut().push(resolver);
        deferred
    }
}

impl fmt::Debug for CooperativeTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.task.check_unfinished().err();
        f.debug_struct("CooperativeTask").field("pauses", &self.task.pauses.get()).field("end", &end).finish()
    }
}

/// How a [`CooperativeTask`] ended, or what cannot be asked of it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, Cooperator, Failure, SchedulerError};
///
/// let clock = Clock::new();
/// let task = Cooperator::new().clock(&clock).cooperate([Err::<(), _>(Failure::new("no paper"))]);
/// assert_eq!(task.resume(), Err(SchedulerError::NotPaused));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(task.stop(), Err(SchedulerError::TaskFailed));
/// ```
///
/// Counterpart: `twisted.internet.task.SchedulerError` and what is derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchedulerError {
    /// All its work is done.
    TaskDone,
    /// It was stopped.
    TaskStopped,
    /// A piece of it has failed.
    TaskFailed,
    /// The cooperator was stopped.
    SchedulerStopped,
    /// It is not paused, so it cannot be resumed.
    NotPaused,
}

impl fmt::Display for SchedulerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TaskDone => "the task is done",
            Self::TaskStopped => "the task was stopped",
            Self::TaskFailed => "the task has failed",
            Self::SchedulerStopped => "the cooperator of the task was stopped",
            Self::NotPaused => "the task is not paused, so it cannot be resumed",
        })
    }
}

impl Error for SchedulerError {}
