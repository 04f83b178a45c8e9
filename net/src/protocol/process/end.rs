//! How a process has ended.

use rt_deferred::Failure;
use std::error::Error;
use std::fmt;
use std::process::ExitStatus;

/// How a process has ended, or why nobody waits for its end any more.
///
/// Counterpart: `ProcessDone` and `ProcessTerminated` in `twisted.internet.error`.
///
/// ```
/// use rt::process::Command;
/// use rt::protocol::{ProcessEnd, ProcessProtocol, spawn_process};
///
/// struct Quiet;
/// impl ProcessProtocol for Quiet {}
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let mut command = Command::new("sh");
/// command.args(["-c", "exit 3"]);
/// let end = spawn_process(command, Quiet)?.ended().await?;
/// assert!(matches!(end, ProcessEnd::Terminated { exit_code: Some(3), signal: None }));
/// assert_eq!(end.to_string(), "the process ended with exit code 3");
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProcessEnd {
    /// It exited with code 0.
    Done,
    /// It exited with another code, or a signal ended it.
    Terminated {
        /// With which code it exited; `None` if a signal ended it.
        exit_code: Option<i32>,
        /// Which signal ended it.
        signal: Option<i32>,
    },
    /// The system does not tell: somebody else has waited for it.
    Unknown(Failure),
    /// The runtime ended before the process: it goes on, or is killed if
    /// [`kill_on_drop`](rt_runtime::process::Command::kill_on_drop) says so.
    Abandoned,
    /// A method of the protocol panicked. The process goes on, or is killed if
    /// [`kill_on_drop`](rt_runtime::process::Command::kill_on_drop) says so.
    Panicked(Failure),
}

impl ProcessEnd {
    /// Whether it exited with code 0.
    pub fn is_clean(&self) -> bool {
        matches!(self, ProcessEnd::Done)
    }

    /// With which code it exited, if it did.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            ProcessEnd::Done => Some(0),
            ProcessEnd::Terminated { exit_code, .. } => *exit_code,
            _ => None,
        }
    }

    /// Which signal ended it, if one did.
    pub fn signal(&self) -> Option<i32> {
        match self {
            ProcessEnd::Terminated { signal, .. } => *signal,
            _ => None,
        }
    }
}

impl From<ExitStatus> for ProcessEnd {
    fn from(status: ExitStatus) -> ProcessEnd {
        if status.success() {
            return ProcessEnd::Done;
        }
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        ProcessEnd::Terminated { exit_code: status.code(), signal }
    }
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessEnd::Done => f.write_str("the process exited in good order"),
            ProcessEnd::Terminated { exit_code: Some(code), .. } => {
                write!(f, "the process ended with exit code {code}")
            }
            ProcessEnd::Terminated { signal: Some(signal), .. } => {
                write!(f, "the process was ended by signal {signal}")
            }
            ProcessEnd::Terminated { .. } => f.write_str("the process ended, neither with a code nor by a signal"),
            ProcessEnd::Unknown(failure) => write!(f, "how the process ended is not known: {failure}"),
            ProcessEnd::Abandoned => f.write_str("the runtime ended before the process"),
            ProcessEnd::Panicked(failure) => write!(f, "the protocol of the process panicked: {failure}"),
        }
    }
}

impl Error for ProcessEnd {}
