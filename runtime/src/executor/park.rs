//! Blocking a thread on one future, without running anything else.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::primitives::{Condvar, Mutex};

/// Blocks one thread until another unparks it; an unpark that comes first is kept.
#[derive(Default)]
pub(crate) struct Parker {
    unparked: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    pub(crate) fn park(&self) {
        let mut unparked = self.unparked.lock();
        while !*unparked {
            unparked = self.changed.wait(unparked);
        }
        *unparked = false;
    }

    /// The same, but no longer than `timeout`.
    pub(crate) fn park_timeout(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut unparked = self.unparked.lock();
        while !*unparked {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            (unparked, _) = self.changed.wait_timeout(unparked, left);
        }
        *unparked = false;
    }

    pub(crate) fn unpark(&self) {
        *self.unparked.lock() = true;
        self.changed.notify_one();
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}

/// Blocks this thread until `future` is ready.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match block_on_unless(future.as_mut(), &Arc::default(), || None::<std::convert::Infallible>) {
        Ok(output) => output,
        Err(never) => match never {},
    }
}

/// Blocks this thread until `future` is ready, or `interrupt` answers with something: it is asked whenever `parker` was
/// unparked.
pub(crate) fn block_on_unless<F: Future, I>(
    mut future: Pin<&mut F>,
    parker: &Arc<Parker>,
    interrupt: impl Fn() -> Option<I>,
) -> Result<F::Output, I> {
    let waker = Waker::from(Arc::clone(parker));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Some(interrupt) = interrupt() {
            return Err(interrupt);
        }
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        parker.park();
    }
}
