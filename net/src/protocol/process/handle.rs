//! A running process, seen from outside.

use super::running::Running;
use super::{ProcessEnd, ProcessProtocol, ProcessTransport};
use crate::protocol::HandleError;
use rt_deferred::Deferred;
use std::fmt;
use std::rc::Rc;

/// A child process that a protocol runs on. A cheap handle; dropping it ends neither the process nor the protocol.
///
/// Counterpart: what `reactor.spawnProcess` returns, with the protocol.
///
/// ```
/// use rt::process::Command;
/// use rt::protocol::{ProcessProtocol, spawn_process};
///
/// struct Quiet;
/// impl ProcessProtocol for Quiet {}
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let cat = spawn_process(Command::new("cat"), Quiet)?;
/// assert!(cat.transport().pid().is_some());
/// cat.transport().close_stdin();
/// assert!(cat.ended().await?.is_clean());
/// assert_eq!(cat.transport().pid(), None);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct ProcessHandle<P>(pub(super) Rc<Running<P>>);

impl<P: ProcessProtocol> ProcessHandle<P> {
    /// Calls `f` with the protocol and its transport.
    ///
    /// # Errors
    ///
    /// The process and its pipes are gone, and the protocol with them; or this was called from within one of the protocol's own events.
    pub fn with<R>(&self, f: impl FnOnce(&mut P, &ProcessTransport) -> R) -> Result<R, HandleError> {
        let mut protocol = self.0.protocol.try_borrow_mut().map_err(|_| HandleError::Busy)?;
        let protocol = protocol.as_mut().ok_or(HandleError::Lost)?;
        Ok(f(protocol, &self.transport()))
    }

    /// What the protocol is given with its events.
    pub fn transport(&self) -> ProcessTransport {
        ProcessTransport(self.0.state.clone())
    }

    /// Fires when the process has exited and all its pipes are closed, after the protocol was told; at once if that is so.
    pub fn ended(&self) -> Deferred<ProcessEnd> {
        self.0.state.ended()
    }
}

impl<P> Clone for ProcessHandle<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P> fmt::Debug for ProcessHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessHandle").field("pid", &self.0.state.pid()).finish_non_exhaustive()
    }
}
