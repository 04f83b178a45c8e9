//! The seam between the reactor and what tells it of events. Everything above sees [`Driver`] and [`DriverHandle`]; a simulated
//! network or another kernel interface would come in here.

use crate::primitives::Mutex;
use crate::reactor::Wait;
use crate::reactor::readiness::Readiness;
use crate::reactor::ready::Interest;
use crate::reactor::registry::Sources;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// What waits: for events, a ring of the bell, the alarm. Only the thread that drives the core calls it.
pub(crate) trait Driver: Send {
    /// Looks whether something has happened, or waits until something does, as `how` says; marks readiness and pushes the wakers
    /// it found into `woken` (it wakes none itself). Tells whether the alarm went off. It may come back early and with nothing.
    fn wait(&mut self, how: Wait, woken: &mut Vec<Waker>) -> io::Result<bool>;

    /// The alarm goes off once `after` from now, in the place of the one that was set before: it ends the wait that is going on
    /// then, or the next one that blocks. It stays set however many waits end before.
    fn set_alarm(&mut self, after: Duration);

    /// The outside half: any thread may ring, register, deregister.
    fn handle(&self) -> &Arc<DriverHandle>;
}

/// The outside half of a driver. It may outlive it: registering then fails, and ringing does nothing.
pub(crate) struct DriverHandle {
    registry: mio::Registry,
    bell: mio::Waker,
    pub(super) sources: Mutex<Sources>,
}

impl fmt::Debug for DriverHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverHandle").finish_non_exhaustive()
    }
}

impl DriverHandle {
    pub(super) fn new(registry: mio::Registry, bell: mio::Waker) -> Self {
        Self { registry, bell, sources: Mutex::new(Sources::new()) }
    }

    /// Ends the wait that is going on, or the next one.
    pub(crate) fn wake(&self) {
        self.bell.wake().expect("the bell is an open descriptor that takes a word at any time");
    }

    /// Whether there is anything that events could come from.
    pub(crate) fn has_sources(&self) -> bool {
        !self.sources.lock().is_empty()
    }

    /// Whether there are events that no wait has fetched yet. Where the system cannot tell: no.
    pub(crate) fn has_events(&self) -> bool {
        #[cfg(unix)]
        {
            super::mio::is_readable(std::os::fd::AsRawFd::as_raw_fd(&self.registry)).unwrap_or(false)
        }
        #[cfg(not(unix))]
        {
            false
        }
    }

    /// Watches `io` for `interest` and marks `readiness`. What is already the case is told by the first event.
    pub(crate) fn register(
        &self,
        io: &mut dyn mio::event::Source,
        readiness: &Arc<Readiness>,
        interest: Interest,
    ) -> io::Result<mio::Token> {
        let token = self.sources.lock().insert(readiness.clone())?;
        let registered = match io.register(&self.registry, token, interest.to_mio()) {
            // A duplicate of a descriptor that was closed under this number is still watched (`close` forgets an open file
            // only with its last duplicate): the registration is taken over, with a token of our own.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                io.reregister(&self.registry, token, interest.to_mio())
            }
            result => result,
        };
        match registered {
            Ok(()) => Ok(token),
            Err(error) => {
                self.forget(token);
                Err(error)
            }
        }
    }

    /// Changes what `io` is watched for. What is already the case is told once more, so nothing is missed in between.
    pub(crate) fn reregister(
        &self,
        io: &mut dyn mio::event::Source,
        token: mio::Token,
        interest: Interest,
    ) -> io::Result<()> {
        io.reregister(&self.registry, token, interest.to_mio())
    }

    /// Watches `io` no longer.
    pub(crate) fn deregister(&self, io: &mut dyn mio::event::Source, token: mio::Token) -> io::Result<()> {
        self.forget(token);
        io.deregister(&self.registry)
    }

    /// Drops what comes for `token` from now on: enough for a descriptor that is about to be closed.
    pub(crate) fn forget(&self, token: mio::Token) {
        let readiness = self.sources.lock().remove(token);
        drop(readiness);
    }

    /// The driver goes: tells all sources.
    pub(super) fn close(&self, woken: &mut Vec<Waker>) {
        let sources = self.sources.lock().close();
        for readiness in sources {
            readiness.abandon(woken);
        }
    }
}
