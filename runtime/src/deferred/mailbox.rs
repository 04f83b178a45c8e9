//! Jobs that other threads leave for one.

use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

use rt_deferred::home::{Remote, SendJob};

use crate::primitives::Mutex;

/// Many post, in order; one takes all that is there. Without a limit, as Twisted's `callFromThread`: who posts is not
/// slowed down by who takes.
pub(super) struct Mailbox<T = SendJob>(Mutex<State<T>>);

struct State<T> {
    jobs: VecDeque<T>,
    /// Of who takes, while it waits.
    waker: Option<Waker>,
    closed: bool,
}

impl<T> Mailbox<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { jobs: VecDeque::new(), waker: None, closed: false }))
    }

    pub(super) fn push(&self, job: T) -> Result<(), T> {
        let waker = {
            let mut state = self.0.lock();
            if state.closed {
                return Err(job);
            }
            state.jobs.push_back(job);
            state.waker.take()
        };
        // Outside of the lock: it goes its own ways.
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// All that is there; `waker` is woken at the next push.
    pub(super) fn take(&self, waker: &Waker) -> VecDeque<T> {
        let waker = waker.clone();
        let (jobs, former) = {
            let mut state = self.0.lock();
            (mem::take(&mut state.jobs), state.waker.replace(waker))
        };
        drop(former);
        jobs
    }

    /// Puts what was taken in front of what has come since.
    pub(super) fn put_back(&self, mut jobs: VecDeque<T>) {
        let mut state = self.0.lock();
        jobs.append(&mut state.jobs);
        state.jobs = jobs;
    }

    /// Nothing is accepted any more, and what is there is dropped.
    pub(super) fn close(&self) {
        drop(self.end());
    }

    /// Nothing is accepted any more. What is there.
    pub(super) fn end(&self) -> VecDeque<T> {
        let (jobs, waker) = {
            let mut state = self.0.lock();
            state.closed = true;
            (mem::take(&mut state.jobs), state.waker.take())
        };
        drop(waker);
        jobs
    }
}

impl Remote for Mailbox {
    fn post(&self, job: SendJob) -> Result<(), SendJob> {
        self.push(job)
    }
}
