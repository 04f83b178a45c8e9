//! What several tests need: a clock that the test turns, a home that the test drives, and a list of words.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rt_deferred::ReactorTime;
use rt_deferred::home::{Home, Job, Remote, SendJob};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn push(&self, word: impl Into<String>) {
        self.0.borrow_mut().push(word.into());
    }

    /// The words since the last look.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

type Slot = Rc<Cell<Option<Box<dyn FnOnce()>>>>;

/// Virtual time.
#[derive(Clone, Default)]
pub(crate) struct Clock(Rc<ClockInner>);

#[derive(Default)]
struct ClockInner {
    now: Cell<Duration>,
    calls: RefCell<Vec<(Duration, Slot)>>,
}

impl Clock {
    /// Makes the calls that are due by then, each at its own moment.
    pub(crate) fn advance(&self, by: Duration) {
        let end = self.0.now.get() + by;
        loop {
            let next = {
                let mut calls = self.0.calls.borrow_mut();
                let first = (0..calls.len()).min_by_key(|&index| calls[index].0);
                first.filter(|&index| calls[index].0 <= end).map(|index| calls.remove(index))
            };
            let Some((at, call)) = next else { break };
            self.0.now.set(at);
            if let Some(call) = call.take() {
                call();
            }
        }
        self.0.now.set(end);
    }

    /// How many calls are still to be made.
    pub(crate) fn pending(&self) -> usize {
        let is_pending = |slot: &Slot| {
            let call = slot.take();
            let is_some = call.is_some();
            slot.set(call);
            is_some
        };
        self.0.calls.borrow().iter().filter(|(_, slot)| is_pending(slot)).count()
    }
}

impl ReactorTime for Clock {
    fn now(&self) -> Duration {
        self.0.now.get()
    }

    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
        let slot: Slot = Rc::new(Cell::new(Some(call)));
        self.0.calls.borrow_mut().push((self.now() + delay, slot.clone()));
        Box::new(move || drop(slot.take()))
    }
}

/// A home whose jobs the test runs.
#[derive(Default)]
pub(crate) struct Hand {
    jobs: RefCell<VecDeque<Job>>,
}

impl Hand {
    /// Runs one job. False if there is none.
    pub(crate) fn turn(&self) -> bool {
        let job = self.jobs.borrow_mut().pop_front();
        job.map(|job| job()).is_some()
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs.borrow().len()
    }

    pub(crate) fn drop_jobs(&self) {
        drop(self.jobs.take());
    }
}

impl Home for Hand {
    fn schedule(&self, job: Job) {
        self.jobs.borrow_mut().push_back(job);
    }

    fn remote(&self) -> Arc<dyn Remote> {
        Arc::new(Gone)
    }
}

struct Gone;

impl Remote for Gone {
    fn post(&self, job: SendJob) -> Result<(), SendJob> {
        Err(job)
    }
}
