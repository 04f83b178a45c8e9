//! How a run ended.

use rt_runtime::signal::unix::SignalKind;
use std::process::{ExitCode, Termination};

/// How a run of an [`Application`](crate::app::Application) ended, and the exit code that says so. It can be what `main` returns.
///
/// ```
/// use rt::app::Exit;
/// use rt::signal::unix::SignalKind;
/// use std::process::ExitCode;
///
/// assert_eq!(ExitCode::from(Exit::Stopped), ExitCode::SUCCESS);
/// assert_eq!(ExitCode::from(Exit::Interrupted(SignalKind::terminate())), ExitCode::from(143));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// All stopped in good order. Exit code 0.
    Stopped,
    /// It could not be started; what had been was stopped. Exit code 1.
    StartFailed,
    /// All stopped, some with a failure. Exit code 2.
    StopFailed,
    /// Some had not stopped at the deadline. Exit code 3.
    Late,
    /// It was told to end now, by this signal. Exit code 128 and the signal's number: 130 for `SIGINT`, 143 for `SIGTERM`.
    Interrupted(SignalKind),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Stopped => 0,
            Exit::StartFailed => 1,
            Exit::StopFailed => 2,
            Exit::Late => 3,
            Exit::Interrupted(signal) => u8::try_from(128 + signal.as_raw_value()).unwrap_or(u8::MAX),
        })
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}
