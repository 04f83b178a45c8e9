//! A pull producer for who takes push producers only.

use super::{Consumer, Producer};
use rt_deferred::{CooperativeTask, Cooperator, Failure, SchedulerError, cooperate, unhandled};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Makes a push producer of a pull producer: told to start, it asks the pull producer for a piece again and again, as a
/// cooperative task, until it is paused or stopped. A cheap handle.
///
/// [`Transport`](super::Transport) takes producers of both kinds; this is for consumers of your own that do not.
///
/// A panic of the pull producer is reported as an unhandled failure, and ends it: the consumer is told to unregister its producer.
///
/// Counterpart: `twisted.internet._producer_helpers._PullToPush`.
///
/// ```
/// use rt::deferred::{Clock, Cooperator};
/// use rt::protocol::{AlreadyRegistered, Consumer, Producer, PullToPush};
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// /// Counts the pieces.
/// struct Counter(Cell<u32>);
/// impl Consumer for Counter {
///     fn write(&self, _: &[u8]) {
///         self.0.set(self.0.get() + 1);
///     }
///     fn register_producer(&self, _: Rc<dyn Producer>, _: bool) -> Result<(), AlreadyRegistered> {
///         Ok(())
///     }
///     fn unregister_producer(&self) {}
/// }
///
/// struct Piece(Rc<Counter>);
/// impl Producer for Piece {
///     fn resume_producing(&self) {
///         self.0.write(b"piece");
///     }
///     fn stop_producing(&self) {}
/// }
///
/// let clock = Clock::new();
/// let one_by_one = Cooperator::new().clock(&clock).delay(Duration::from_millis(1)).terminate(|| || true);
/// let counter = Rc::new(Counter(Cell::new(0)));
/// let push = PullToPush::new(Piece(counter.clone()), counter.clone());
/// push.start_streaming_on(&one_by_one);
/// clock.pump([Duration::from_millis(1); 3]);
/// push.stop_streaming();
/// clock.pump([Duration::from_millis(1); 3]);
/// assert_eq!(counter.0.get(), 3);
/// ```
#[derive(Clone)]
pub struct PullToPush(Rc<Adapter>);

struct Adapter {
    producer: Rc<dyn Producer>,
    consumer: Rc<dyn Consumer>,
    task: RefCell<Option<CooperativeTask>>,
    is_finished: Cell<bool>,
    /// Paused as a [`Producer`], which is told so more than once.
    is_paused: Cell<bool>,
}

impl PullToPush {
    /// An adapter that does nothing yet.
    pub fn new(producer: impl Producer + 'static, consumer: impl Consumer + 'static) -> Self {
        Self(Rc::new(Adapter {
            producer: Rc::new(producer),
            consumer: Rc::new(consumer),
            task: RefCell::default(),
            is_finished: Cell::new(false),
            is_paused: Cell::new(false),
        }))
    }

    /// Begins to ask for pieces, beside the other tasks of this thread's cooperator.
    ///
    /// # Panics
    ///
    /// If no runtime drives this thread.
    #[track_caller]
    pub fn start_streaming(&self) {
        let task = cooperate(self.pieces());
        *self.0.task.borrow_mut() = Some(task);
    }

    /// [`start_streaming`](PullToPush::start_streaming) on another cooperator.
    pub fn start_streaming_on(&self, cooperator: &Cooperator) {
        let task = cooperator.cooperate(self.pieces());
        *self.0.task.borrow_mut() = Some(task);
    }

    fn pieces(&self) -> impl Iterator<Item = ()> + use<> {
        let adapter = self.clone();
        std::iter::from_fn(move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| adapter.0.producer.resume_producing())) {
                let failure = Failure::from_panic(panic);
                let place = failure.place();
                unhandled::report(unhandled::Unhandled::of_task(failure, place));
                adapter.0.consumer.unregister_producer();
                return None;
            }
            Some(())
        })
    }

    /// Asks no more. The consumer calls it when its producer is unregistered. At the second call it does nothing.
    pub fn stop_streaming(&self) {
        if !self.0.is_finished.replace(true) {
            // A task that has ended needs no stop.
            let _ = self.task(CooperativeTask::stop);
        }
    }

    /// Asks for nothing until [`resume_producing`](PullToPush::resume_producing). Pauses count.
    ///
    /// # Errors
    ///
    /// It was stopped, or the task has ended otherwise.
    pub fn pause_producing(&self) -> Result<(), SchedulerError> {
        self.task(CooperativeTask::pause)
    }

    /// Goes on.
    ///
    /// # Errors
    ///
    /// It is not paused.
    pub fn resume_producing(&self) -> Result<(), SchedulerError> {
        self.task(CooperativeTask::resume)
    }

    /// Stops, and tells the pull producer.
    pub fn stop_producing(&self) {
        self.stop_streaming();
        self.0.producer.stop_producing();
    }

    fn task(&self, ask: impl FnOnce(&CooperativeTask) -> Result<(), SchedulerError>) -> Result<(), SchedulerError> {
        let task = self.0.task.borrow().clone();
        task.map_or(Ok(()), |task| ask(&task))
    }
}

impl Producer for PullToPush {
    fn resume_producing(&self) {
        if self.0.is_paused.replace(false) {
            let _ = PullToPush::resume_producing(self);
        }
    }

    /// Not counted: a transport tells it at each write while it holds too much, and to resume once.
    fn pause_producing(&self) {
        if !self.0.is_paused.replace(true) {
            let _ = PullToPush::pause_producing(self);
        }
    }

    fn stop_producing(&self) {
        PullToPush::stop_producing(self);
    }
}

impl fmt::Debug for PullToPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullToPush").field("is_finished", &self.0.is_finished.get()).finish_non_exhaustive()
    }
}
