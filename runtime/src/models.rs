//! What the models of this crate share.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::primitives::{Condvar, Mutex};

/// Runs `model` in every interleaving with at most three preemptions under `--cfg loom`, once otherwise.
pub(crate) fn explore(model: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(model);
    }
    #[cfg(not(loom))]
    model();
}

/// Polls until it is ready, asleep until it is woken: a wake that does not come is a deadlock, which loom reports.
pub(crate) fn wait_for<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(Arc::clone(&sleeper));
    loop {
        if let Poll::Ready(value) = poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        sleeper.sleep();
    }
}

#[derive(Default)]
struct Sleeper {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Sleeper {
    fn sleep(&self) {
        let mut woken = self.woken.lock();
        while !*woken {
            woken = self.bell.wait(woken);
        }
        *woken = false;
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        *self.woken.lock() = true;
        self.bell.notify_one();
    }
}
