//! What a monitor has to tell.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitStatus;
use std::time::Duration;

/// What happened to a process of a [`ProcessMonitor`](crate::service::ProcessMonitor).
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessEvent {
    /// It has started, with this process id.
    Started {
        /// The process id.
        id: u32,
    },
    /// It has ended.
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// After which time it is started again; `None` if it is not.
        restart_in: Option<Duration>,
    },
    /// The system could not start it, or does not tell of its end.
    Failed {
        /// Why.
        error: io::Error,
        /// After which time that is tried again; `None` if it is not.
        restart_in: Option<Duration>,
    },
}

impl fmt::Display for ProcessEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let restart_in = match self {
            ProcessEvent::Started { id } => return write!(f, "started as process {id}"),
            ProcessEvent::Exited { status, restart_in } => {
                write!(f, "ended: {status}")?;
                restart_in
            }
            ProcessEvent::Failed { error, restart_in } => {
                write!(f, "failed: {error}")?;
                restart_in
            }
        };
        match restart_in {
            Some(Duration::ZERO) => f.write_str("; starting it again"),
            Some(delay) => write!(f, "; starting it again in {delay:?}"),
            None => Ok(()),
        }
    }
}

/// Where a process wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// A [`ProcessMonitor`](crate::service::ProcessMonitor) has a process of this name already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessExists(pub(super) String);

impl fmt::Display for ProcessExists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is a process named {:?} already; remove it first", self.0)
    }
}

impl Error for ProcessExists {}

pub(super) fn print(name: &str, event: &ProcessEvent) {
    #[cfg(feature = "tracing")]
    if tracing::dispatcher::has_been_set() {
        match event {
            ProcessEvent::Failed { .. } => tracing::error!(target: "rt::service", process = name, "{event}"),
            _ => tracing::info!(target: "rt::service", process = name, "{event}"),
        }
        return;
    }
    let _ = writeln!(io::stderr(), "rt: process {name}: {event}");
}
