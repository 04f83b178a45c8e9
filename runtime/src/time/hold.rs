//! Virtual time stands still while a thread that the runtime does not know works for one of its tasks.

use std::fmt;

use crate::context;
use crate::handle::Handle;

/// While one lives, the paused clock of its runtime does not advance by itself, as if a blocking call were out.
///
/// For pools of threads beside the runtime's own. To be dropped after the waker of whoever waits was called: else the clock may
/// jump before the task has seen the result.
#[doc(hidden)]
pub struct Hold {
    runtime: Handle,
}

impl Hold {
    /// Of the runtime that this thread is in; `None` outside of one.
    pub fn current() -> Option<Self> {
        let runtime = context::handle()?;
        runtime.shared().hold().hold();
        Some(Self { runtime })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.runtime.shared().hold().release();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
