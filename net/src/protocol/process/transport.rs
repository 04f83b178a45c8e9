//! What a protocol may ask of its process.

use super::ProcessEnd;
use super::running::State;
use crate::protocol::{AlreadyRegistered, ConnectionLost, Producer, Transport};
use rt_deferred::Deferred;
use rt_runtime::signal::unix::SignalKind;
use std::fmt;
use std::io;
use std::rc::Rc;

/// A child process, as a protocol sees it: what it may ask of it. A cheap handle that may be cloned and kept.
///
/// It records what it is asked, never blocks, and never calls the protocol. Each pipe is a connection of its own, with a [`Transport`]
/// of its own: see [`child_fd`](ProcessTransport::child_fd). What is asked of a pipe that is closed or was never there is ignored.
///
/// As a [`Producer`] it is what the process writes: paused, it reads none of it, and the process waits when its pipes are full.
///
/// Counterpart: `IProcessTransport`.
///
/// ```
/// use rt::process::Command;
/// use rt::protocol::{ProcessProtocol, ProcessTransport, spawn_process};
///
/// /// Kills a process that talks too much.
/// struct Patience(usize);
///
/// impl ProcessProtocol for Patience {
///     fn out_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
///         self.0 = self.0.saturating_sub(data.len());
///         if self.0 == 0 {
///             transport.pause_producing();
///             transport.kill().expect("it has not exited");
///             transport.lose_connection();
///         }
///     }
/// }
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let process = spawn_process(Command::new("yes"), Patience(100_000))?;
/// assert_eq!(process.ended().await?.signal(), Some(9));
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone)]
pub struct ProcessTransport(pub(super) Rc<State>);

impl ProcessTransport {
    /// Sends `data` to the standard input of the process.
    ///
    /// What the pipe does not take waits, up to a limit: see [`WriteLimits`](crate::protocol::WriteLimits). Above its `cap` the process
    /// is killed, as it must not take what it got for everything, and `in_connection_lost` is told.
    pub fn write(&self, data: &[u8]) {
        self.write_to_child(0, data);
    }

    /// Sends `data` to the descriptor `child_fd` of the process, as [`write`](ProcessTransport::write) does.
    pub fn write_to_child(&self, child_fd: i32, data: &[u8]) {
        self.child_fd(child_fd).inspect(|pipe| pipe.write(data));
    }

    /// The pipe to or from the descriptor `child_fd` of the process; `None` if it is closed.
    ///
    /// Its transport can do more than there are methods for here: producers, limits, [`drained`](Transport::drained). And a protocol in a
    /// field can be told what comes by the pipe, to have it in lines, say:
    ///
    /// ```
    /// use rt::process::Command;
    /// use rt::protocol::{LineHandler, LineReceiver, Lines, ProcessProtocol, ProcessTransport, Protocol, spawn_process};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// struct Print(Rc<RefCell<Vec<String>>>);
    ///
    /// impl LineHandler for Print {
    ///     fn line_received(&mut self, _: &mut Lines<'_>, line: &[u8]) {
    ///         self.0.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
    ///     }
    /// }
    ///
    /// struct Supervised {
    ///     output: LineReceiver<Print>,
    /// }
    ///
    /// impl ProcessProtocol for Supervised {
    ///     fn out_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
    ///         if let Some(pipe) = transport.child_fd(1) {
    ///             self.output.data_received(&pipe, data);
    ///         }
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), rt::Failure> {
    /// # rt::block_on(async {
    /// let lines = Rc::new(RefCell::new(Vec::new()));
    /// let output = LineReceiver::new(Print(lines.clone())).delimiter(b"\n");
    /// let mut command = Command::new("printf");
    /// command.arg("one\ntwo\n");
    /// spawn_process(command, Supervised { output })?.ended().await?;
    /// assert_eq!(*lines.borrow(), ["one", "two"]);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn child_fd(&self, child_fd: i32) -> Option<Transport> {
        self.0.pipe(child_fd)
    }

    /// Closes the standard input of the process when what was written is sent and no producer is registered.
    pub fn close_stdin(&self) {
        self.close_child_fd(0);
    }

    /// Closes the standard output of the process: its next write there finds nobody, which ends most programs.
    pub fn close_stdout(&self) {
        self.close_child_fd(1);
    }

    /// Closes the standard error of the process.
    pub fn close_stderr(&self) {
        self.close_child_fd(2);
    }

    /// Closes the pipe to or from the descriptor `child_fd` of the process; one to it when what was written is sent.
    pub fn close_child_fd(&self, child_fd: i32) {
        self.child_fd(child_fd).inspect(Transport::lose_connection);
    }

    /// Closes all pipes; those to the process when what was written is sent. The process itself goes on if it likes.
    pub fn lose_connection(&self) {
        self.0.pipes().iter().for_each(Transport::lose_connection);
    }

    /// Sends a signal to the process: to this one or to nobody, also if it has ended.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the process has exited, and for a number that is no signal with a name.
    /// - [`PermissionDenied`](io::ErrorKind::PermissionDenied) if it runs as another user by now.
    pub fn signal_process(&self, kind: SignalKind) -> io::Result<()> {
        self.0.signal(kind)
    }

    /// Kills the process (`SIGKILL`).
    ///
    /// # Errors
    ///
    /// Those of [`signal_process`](ProcessTransport::signal_process).
    pub fn kill(&self) -> io::Result<()> {
        self.0.kill()
    }

    /// The id that the system has given to the process; `None` once it has exited, when others may have the id.
    pub fn pid(&self) -> Option<u32> {
        self.0.pid()
    }

    /// How many bytes wait to be sent to standard input.
    pub fn unsent(&self) -> usize {
        self.child_fd(0).map_or(0, |pipe| pipe.unsent())
    }

    /// Registers who produces at the pace of standard input: see [`Transport::register_producer`]. When that is closed, it is told to
    /// stop at once.
    ///
    /// # Errors
    ///
    /// There is one already.
    pub fn register_producer(
        &self,
        producer: impl Producer + 'static,
        streaming: bool,
    ) -> Result<(), AlreadyRegistered> {
        match self.child_fd(0) {
            Some(pipe) => pipe.register_producer(producer, streaming),
            None => {
                producer.stop_producing();
                Ok(())
            }
        }
    }

    /// The producer has written its last.
    pub fn unregister_producer(&self) {
        self.child_fd(0).inspect(Transport::unregister_producer);
    }

    /// Reads nothing of the process until [`resume_producing`](ProcessTransport::resume_producing).
    pub fn pause_producing(&self) {
        self.0.pipes_from_child().iter().for_each(Transport::pause_producing);
    }

    /// Reads again.
    pub fn resume_producing(&self) {
        self.0.pipes_from_child().iter().for_each(Transport::resume_producing);
    }

    /// Fires when standard input has at most [`WriteLimits::low`](crate::protocol::WriteLimits::low) bytes to be sent. It fails with a
    /// [`ConnectionLost`] if it is closed first, or is closed.
    pub fn drained(&self) -> Deferred<()> {
        self.child_fd(0)
            .map_or_else(|| Deferred::fail(rt_deferred::Failure::new(ConnectionLost::Done)), |pipe| pipe.drained())
    }

    /// Fires when the process has exited and all its pipes are closed, after the protocol was told; at once if that is so.
    pub fn ended(&self) -> Deferred<ProcessEnd> {
        self.0.ended()
    }
}

/// What the process writes is produced at the pace of who it is registered with.
impl Producer for ProcessTransport {
    fn resume_producing(&self) {
        ProcessTransport::resume_producing(self);
    }

    fn pause_producing(&self) {
        ProcessTransport::pause_producing(self);
    }

    fn stop_producing(&self) {
        self.lose_connection();
    }
}

impl fmt::Debug for ProcessTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessTransport").field("pid", &self.pid()).finish_non_exhaustive()
    }
}
