//! The jobs of a home: those of its own thread, and those that other threads leave.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};

use rt_deferred::home::{Job, Remote, SendJob};

use super::mailbox::Mailbox;
use crate::panics::quietly;

/// Jobs that are run before others of this thread get their turn, if there are so many.
const JOBS_PER_POLL: usize = 61;

pub(super) struct Jobs {
    own: RefCell<VecDeque<Job>>,
    /// Of who runs them, while there are none.
    waker: Cell<Option<Waker>>,
    pub(super) mailbox: Arc<Mailbox>,
}

impl Jobs {
    pub(super) fn new() -> Self {
        Self { own: RefCell::default(), waker: Cell::new(None), mailbox: Arc::new(Mailbox::new()) }
    }

    /// Adds one of this thread.
    pub(super) fn push(&self, job: Job) {
        self.own.borrow_mut().push_back(job);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Where other threads leave theirs.
    pub(super) fn remote(&self) -> Arc<dyn Remote> {
        Arc::clone(&self.mailbox) as Arc<dyn Remote>
    }

    /// Runs those that are there, or some of them. Whoever is to do so next is woken then.
    pub(super) fn run(&self, cx: &Context<'_>) {
        let mut posted = self.mailbox.take(cx.waker());
        drop(self.waker.take());
        for _ in 0..JOBS_PER_POLL {
            if !self.run_one(&mut posted) {
                self.waker.set(Some(cx.waker().clone()));
                return;
            }
        }
        self.mailbox.put_back(posted);
        cx.waker().wake_by_ref();
    }

    /// A job of this thread and, in turn, one of others.
    fn run_one(&self, posted: &mut VecDeque<SendJob>) -> bool {
        let job = self.own.borrow_mut().pop_front();
        let post = posted.pop_front();
        let is_one = job.is_some() || post.is_some();
        job.map(quietly);
        post.map(quietly);
        is_one
    }

    /// Drops those of this thread, outside of the borrow: they are others'.
    pub(super) fn clear(&self) {
        let own = self.own.take();
        drop(own);
        drop(self.waker.take());
    }
}
