//! A running child and how its end is noticed.

use std::io;
use std::process::ExitStatus;
use std::task::{Context, Poll, ready};

use rustix::process::{Pid, Signal};

use super::awaited::Awaited;
use super::reaper::{self, Orphan};
use crate::signal::unix::{self, SignalKind};

#[cfg(any(target_os = "linux", target_os = "android"))]
use {crate::async_fd::Descriptor, crate::source::Source, rustix::process::PidfdFlags, std::os::fd::OwnedFd};

/// A child that this program has not yet waited for, or what came of it.
///
/// Its id is the child's as long as `running` is there: only `try_wait` ends that, and it asks for the only reference.
#[derive(Debug)]
pub(super) struct Process {
    running: Option<Running>,
    ended: Option<ExitStatus>,
    pub(super) kill_on_drop: bool,
}

#[derive(Debug)]
struct Running {
    child: std::process::Child,
    notice: Notice,
    awaited: Awaited,
}

/// What tells of the end.
#[derive(Debug)]
pub(super) enum Notice {
    /// A descriptor of the process, which becomes readable then.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Descriptor(Source<Descriptor<OwnedFd>>),
    /// `SIGCHLD`, which tells that some child has changed.
    Signal(unix::Signal),
}

impl Process {
    /// Takes a child that was just started. If nothing can be had that tells of its end, the child is killed.
    pub(super) fn new(mut child: std::process::Child, kill_on_drop: bool) -> io::Result<Self> {
        match Notice::of(&child) {
            Ok(notice) => Ok(Self::with_notice(child, notice, kill_on_drop)),
            Err(error) => {
                // There is an end to what was killed, so this wait is short.
                let _ = child.kill();
                let _ = child.wait();
                Err(io::Error::new(
                    error.kind(),
                    format!("the child was killed: nothing would tell of its end: {error}"),
                ))
            }
        }
    }

    pub(super) fn with_notice(child: std::process::Child, notice: Notice, kill_on_drop: bool) -> Self {
        let awaited = Awaited::new(child.id());
        Self { running: Some(Running { child, notice, awaited }), ended: None, kill_on_drop }
    }

    /// `None` once the child was waited for.
    pub(super) fn id(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(running) = &mut self.running else { return Ok(self.ended) };
        let status = running.child.try_wait()?;
        if status.is_some() {
            self.running = None;
            self.ended = status;
        }
        Ok(status)
    }

    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        ready!(crate::coop::poll_proceed(cx));
        let mut renewed = false;
        loop {
            if let Some(status) = self.try_wait()? {
                return Poll::Ready(Ok(status));
            }
            let running = self.running.as_mut().expect("it has not ended");
            match ready!(running.poll_changed(cx)) {
                Ok(()) => {}
                // The runtime in which somebody waited before has shut down; this one may be another.
                Err(_) if !renewed => running.notice.renew(),
                Err(error) => return Poll::Ready(Err(error)),
            }
            renewed = true;
        }
    }

    pub(super) fn signal(&self, kind: SignalKind) -> io::Result<()> {
        let signal = named(kind)?;
        let running = self.running.as_ref().ok_or_else(ended)?;
        match &running.notice {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Notice::Descriptor(source) => Ok(rustix::process::pidfd_send_signal(source.get_ref(), signal)?),
            Notice::Signal(_) => Ok(rustix::process::kill_process(Pid::from_child(&running.child), signal)?),
        }
    }

    pub(super) fn signal_group(&self, kind: SignalKind) -> io::Result<()> {
        let signal = named(kind)?;
        let running = self.running.as_ref().ok_or_else(ended)?;
        let id = Pid::from_child(&running.child);
        if rustix::process::getpgid(Some(id))? != id {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the child does not lead a process group: start it with Command::process_group(0)",
            ));
        }
        Ok(rustix::process::kill_process_group(id, signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.kill_on_drop && self.running.is_some() {
            let _ = self.signal(SignalKind::from_raw(Signal::KILL.as_raw()));
        }
        // An error says that somebody else has waited for it.
        if let (Ok(None), Some(running)) = (self.try_wait(), self.running.take()) {
            reaper::adopt(running.orphan());
        }
    }
}

impl Running {
    /// Ready when the child may have ended since this was pending.
    fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.notice {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Notice::Descriptor(source) => {
                let observed = ready!(source.poll_observed(crate::reactor::readiness::Direction::Read, cx))?;
                // For a child under a debugger the event may come before there is something to wait for.
                source.clear(observed, crate::Ready::READABLE);
                Poll::Ready(Ok(()))
            }
            Notice::Signal(listener) => listener.poll_recv(cx).map(|_| Ok(())),
        }
    }

    fn orphan(self) -> Orphan {
        let Self { child, notice, awaited } = self;
        match notice {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Notice::Descriptor(source) => Orphan::with_descriptor(child, source.into_inner().0, awaited),
            Notice::Signal(listener) => Orphan::with_listener(child, listener, awaited),
        }
    }
}

impl Notice {
    fn of(child: &std::process::Child) -> io::Result<Self> {
        Self::by_descriptor(child).map_or_else(Self::by_signal, Ok)
    }

    /// Free of races: the child's id is its own until somebody has waited for it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn by_descriptor(child: &std::process::Child) -> Option<Self> {
        let descriptor = rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()?;
        Some(Self::Descriptor(Source::join_when_pending(Descriptor(descriptor)).ok()?))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn by_descriptor(_: &std::process::Child) -> Option<Self> {
        None
    }

    /// Made before the child is asked for the first time whether it has ended, so no end is missed.
    pub(super) fn by_signal() -> io::Result<Self> {
        unix::signal(SignalKind::child()).map(Self::Signal)
    }

    /// Forgets the runtime in which it was waited for.
    fn renew(&mut self) {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Descriptor(source) => source.rejoin(),
            Self::Signal(_) => {}
        }
    }
}

fn named(kind: SignalKind) -> io::Result<Signal> {
    Signal::from_named_raw(kind.as_raw_value()).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is no signal with a name: real-time signals can not be sent this way", kind.as_raw_value()),
        )
    })
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the child was waited for already: nothing is left to send a signal to")
}
