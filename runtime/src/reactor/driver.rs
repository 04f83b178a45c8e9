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

/// What a wait came across besides events of sources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The alarm went off.
    pub(crate) alarm: bool,
    /// The bell was rung.
    pub(crate) bell: bool,
}

/// What waits: for events, a ring of the bell, the alarm. One thread at a time calls it.
pub(crate) trait Driver: Send {
    /// Looks whether something has happened, or waits until something does, as `how` says; marks readiness and pushes the wakers
    /// it found into `woken` (it wakes none itself). Tells what else it heard. It may come back early and with nothing.
    ///
    /// With [`Wait::Poll`] it looks only if there are sources: a bell or an alarm may stay unheard until a wait that blocks. With
    /// [`Wait::AtMost`] it looks in any case; how exact the limit is depends on the system.
    fn wait(&mut self, how: Wait, woken: &mut Vec<Waker>) -> io::Result<Heard>;

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

    /// Whether the next wait would find something: an event, a ring, the alarm. It stays to be found. False if the system cannot
    /// tell.
    pub(crate) fn has_events(&self) -> bool {
        self.wait_for_events(Some(Duration::ZERO)).unwrap_or(false)
    }

    /// Waits until the next wait of the driver would find something, which stays to be found, or until `limit` has passed. Tells
    /// whether there is something; it may come back early. None, at once, if the system cannot tell.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn wait_for_events(&self, limit: Option<Duration>) -> Option<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        let mut descriptors = [PollFd::new(&self.registry, PollFlags::IN)];
        match poll(&mut descriptors, limit.as_ref()) {
            Ok(ready) => Some(ready > 0),
            // A signal handler ran.
            Err(rustix::io::Errno::INTR) => Some(false),
            Err(_) => None,
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn wait_for_events(&self, _limit: Option<Duration>) -> Option<bool> {
        None
    }

    /// Whether there is anything that events could come from.
    pub(crate) fn has_sources(&self) -> bool {
        !self.sources.lock().is_empty()
    }

    /// The descriptors of all sources; -1 for those that are not known.
    pub(crate) fn descriptors(&self) -> Vec<i32> {
        self.sources.lock().descriptors()
    }

    /// [`register_descriptor`](Self::register_descriptor) for tests.
    #[cfg(test)]
    pub(crate) fn register(
        &self,
        io: &mut dyn mio::event::Source,
        readiness: &Arc<Readiness>,
        interest: Interest,
    ) -> io::Result<mio::Token> {
        self.register_descriptor(io, None, readiness, interest)
    }

    /// Watches `io` for `interest` and marks `readiness`. What is already the case is told by the first event. Two sources that are
    /// known to have the same `descriptor` are not both watched.
    pub(crate) fn register_descriptor(
        &self,
        io: &mut dyn mio::event::Source,
        descriptor: Option<i32>,
        readiness: &Arc<Readiness>,
        interest: Interest,
    ) -> io::Result<mio::Token> {
        let token = self.sources.lock().insert(readiness.clone(), descriptor)?;
        let registered = match io.register(&self.registry, token, interest.to_mio()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.take_over(io, token, interest),
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

    /// A duplicate of a descriptor that was closed under this number is still watched (`close` forgets an open file only with its last
    /// duplicate): the registration is taken over, with a token of our own. Unless its source is there: it would hear of nothing.
    fn take_over(&self, io: &mut dyn mio::event::Source, token: mio::Token, interest: Interest) -> io::Result<()> {
        if self.sources.lock().is_second(token) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "another source of this runtime watches the descriptor: wait with that one, or with a duplicate of the descriptor",
            ));
        }
        io.reregister(&self.registry, token, interest.to_mio())
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
