//! Leaving a worker in the middle of a poll, and coming back to it.
#![allow(unsafe_code)]

use std::sync::Arc;

use super::Worker;
use crate::context;
use crate::executor::crew::Crew;
use crate::executor::post::Post;
use crate::handle::Handle;
use crate::task::{Core, Interrupted};

/// What `block_in_place` says where it cannot help.
const ONE_THREAD: &str = "`block_in_place` would block the one thread that runs everything: use `rt::spawn_blocking`, or a runtime \
                          of the multi-thread flavor";

/// The way back, also by unwinding.
struct Back<'a> {
    worker: &'a Worker,
    crew: Arc<Crew>,
    seat: usize,
    interrupted: Interrupted,
}

impl Worker {
    /// Calls `f`, which may block this thread, while others drive the worker.
    ///
    /// # Panics
    ///
    /// If this is the only worker there ever is.
    #[track_caller]
    pub(crate) fn block_in_place<R>(&self, f: impl FnOnce() -> R) -> R {
        let among = self.among.as_ref().expect(ONE_THREAD);
        let handle = Handle::from_shared(Arc::clone(&self.shared));
        let (crew, seat) = (Arc::clone(&among.crew), among.seat);
        let back = Back { worker: self, crew, seat, interrupted: self.core.interrupt() };
        back.crew.idle.vacate(seat);
        back.crew.stations[seat].set_driven(false);
        // SAFETY: this thread drives the worker, and neither it nor what is further up its stack touches it before `back` has
        // ended the loan: all of that waits for us to return (D1).
        back.crew.lend(seat, unsafe { Post::lend(self) });
        Core::apart(|| context::apart(&handle, f))
    }
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.crew.end_loan(self.seat);
        self.crew.stations[self.seat].set_driven(true);
        self.crew.idle.rise(self.seat);
        self.worker.core.resume(&self.interrupted);
        // Meanwhile it may have driven another runtime, where other threads look for it now.
        rt_deferred::home::started();
    }
}
