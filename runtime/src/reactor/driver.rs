//! The seam below the reactor.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// What waits: events, a ring of the bell, or the timeout. Only the thread that drives the core calls it.
pub(crate) trait Driver: Send {
    /// Waits at most `timeout` (None: until something happens; Some(ZERO): do not block), marks readiness and pushes the
    /// wakers it found into `woken` (it wakes none itself).
    fn wait(&mut self, timeout: Option<Duration>, woken: &mut Vec<Waker>) -> io::Result<()>;

    /// The outside half: any thread may ring.
    fn handle(&self) -> &Arc<DriverHandle>;
}

/// A bell and nothing else.
#[derive(Debug, Default)]
pub(crate) struct DriverHandle {
    rung: crate::primitives::Mutex<bool>,
    bell: crate::primitives::Condvar,
}

impl DriverHandle {
    pub(crate) fn wake(&self) {
        *self.rung.lock() = true;
        self.bell.notify_one();
    }

    /// Waits for the bell; false: the time ran out first.
    #[cfg(test)]
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        let mut rung = self.rung.lock();
        while !*rung {
            match timeout {
                Some(Duration::ZERO) => return false,
                Some(timeout) => {
                    let (guard, timed_out) = self.bell.wait_timeout(rung, timeout);
                    rung = guard;
                    if timed_out {
                        return std::mem::take(&mut *rung);
                    }
                }
                None => rung = self.bell.wait(rung),
            }
        }
        std::mem::take(&mut *rung)
    }
}
