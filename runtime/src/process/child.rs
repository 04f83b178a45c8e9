//! A process that was started.

use std::future::poll_fn;
use std::io;
use std::process::{ExitStatus, Output};

use rustix::process::Signal;

use super::exit::Process;
use super::output;
use super::{ChildStderr, ChildStdin, ChildStdout};
use crate::signal::unix::SignalKind;

/// A process that was started by [`Command::spawn`](super::Command::spawn).
///
/// Dropping it lets the process go on, unless [`kill_on_drop`](super::Command::kill_on_drop) was asked for, and closes the pipes that
/// were not taken out of it. In either case the process leaves no zombie behind: see the [module](super).
///
/// Counterpart: `tokio::process::Child`; Twisted's `IProcessTransport`.
///
/// ```
/// use rt::process::Command;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Asks a process to end that would not do so by itself.
/// let mut child = Command::new("sleep").arg("1000").spawn()?;
/// child.signal(rt::signal::unix::SignalKind::terminate())?;
/// assert!(!child.wait().await?.success());
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Child {
    /// The pipe to its standard input, if that was asked to be [piped](std::process::Stdio::piped).
    pub stdin: Option<ChildStdin>,
    /// The pipe from its standard output, if that was asked to be [piped](std::process::Stdio::piped).
    pub stdout: Option<ChildStdout>,
    /// The pipe from its standard error, if that was asked to be [piped](std::process::Stdio::piped).
    pub stderr: Option<ChildStderr>,
    process: Process,
    output_limit: Option<usize>,
}

impl Child {
    pub(super) fn new(
        mut child: std::process::Child,
        kill_on_drop: bool,
        output_limit: Option<usize>,
    ) -> io::Result<Self> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // First the process: if something fails from here on, it is waited for.
        let process = Process::new(child, kill_on_drop)?;
        Ok(Self {
            stdin: stdin.map(ChildStdin::from_std).transpose()?,
            stdout: stdout.map(ChildStdout::from_std).transpose()?,
            stderr: stderr.map(ChildStderr::from_std).transpose()?,
            process,
            output_limit,
        })
    }

    /// The id that the system has given it; `None` once it was waited for, when others may have the id.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits until the process has ended. Closes the pipe to its standard input first, if it is still here, so that a process that
    /// reads to the end comes to one.
    ///
    /// The answer stays the same however often one asks. A process that writes more to a pipe than that holds, with nobody who reads,
    /// does not end: see [`wait_with_output`](Self::wait_with_output).
    ///
    /// # Errors
    ///
    /// - Somebody else has waited for the process, such as code that waits for every child, or the program ignores `SIGCHLD`.
    /// - The runtime has shut down. The child goes on, and can be waited for in another one.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing but the pipe to standard input: one can wait again.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        poll_fn(|cx| self.process.poll_wait(cx)).await
    }

    /// Says how the process has ended, or `None` if it has not. Leaves standard input open. Works outside of a runtime, too.
    ///
    /// # Errors
    ///
    /// Somebody else has waited for the process.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// Sends a signal to the process: to this one or to nobody, also if it has ended.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the process was waited for, and for a number that is no signal with a name.
    /// - [`PermissionDenied`](io::ErrorKind::PermissionDenied) if it runs as another user by now.
    pub fn signal(&self, kind: SignalKind) -> io::Result<()> {
        self.process.signal(kind)
    }

    /// Sends a signal to the process group that the process leads, which are its own children, too, unless they have left it.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the process was waited for, as its group may be another one then; if it does
    ///   not lead a group, which [`Command::process_group(0)`](super::Command::process_group) makes it do; and for a number that is no
    ///   signal with a name.
    /// - [`PermissionDenied`](io::ErrorKind::PermissionDenied) if nobody in the group may be sent signals.
    pub fn signal_group(&self, kind: SignalKind) -> io::Result<()> {
        self.process.signal_group(kind)
    }

    /// Has the process killed (`SIGKILL`), and does not wait until that has happened.
    ///
    /// # Errors
    ///
    /// Those of [`signal`](Self::signal).
    pub fn start_kill(&mut self) -> io::Result<()> {
        self.process.signal(SignalKind::from_raw(Signal::KILL.as_raw()))
    }

    /// Kills the process and waits for its end.
    ///
    /// # Errors
    ///
    /// Those of [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Once the future was polled the process is killed, also if it is dropped then; one can wait again.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// Closes standard input, reads standard output and standard error to their ends, as far as they are pipes that were not taken
    /// out, and waits for the process. The two are read at the same time, so that it does not matter in which order they are written.
    ///
    /// The ends come when every process that has inherited the pipes has closed them, which may be later than the end of this one.
    ///
    /// # Errors
    ///
    /// - [`FileTooLarge`](io::ErrorKind::FileTooLarge) as soon as one of the streams has more bytes than
    ///   [`Command::output_limit`](super::Command::output_limit) allows. The error holds [`OutputTooLong`](super::OutputTooLong), with
    ///   what was read up to there.
    /// - Those of reading a pipe and of [`wait`](Self::wait).
    ///
    /// With an error, the child is dropped as by [`Drop`](Child): the pipes are closed, and it goes on, unless it is to be killed.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child, with what was read.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let limit = self.output_limit;
        output::collect(self.wait(), stdout, stderr, limit).await
    }
}
