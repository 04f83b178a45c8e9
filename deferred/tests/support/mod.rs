//! What several tests need: a home that the test drives, and a list of words.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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
