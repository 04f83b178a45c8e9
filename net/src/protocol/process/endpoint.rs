//! A child process, as something that one connects to.

use super::ProcessEnd;
use crate::protocol::{Address, Factory, ProtocolHandle, StreamClientEndpoint, drive_factory};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_deferred::Deferred;
use rt_runtime::process::{Child, ChildStdin, ChildStdout, Command};
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::process::Stdio;
use std::task::{Context, Poll, ready};

/// Connects by starting a process, whose standard input and output are the connection.
///
/// Standard error is what the command says: that of this process, unless [`Command::stderr`] was called.
///
/// The connection ends when the process has closed its output and exited: in good order with exit code 0, else with
/// [`ConnectionLost::Lost`](crate::protocol::ConnectionLost::Lost) and an [`io::Error`] that holds the [`ProcessEnd`].
/// [`lose_write_connection`](crate::protocol::Transport::lose_write_connection) closes the input of the process;
/// [`lose_connection`](crate::protocol::Transport::lose_connection) closes both, and lets go of the process: it goes on if it likes, or
/// is killed if [`kill_on_drop`](Command::kill_on_drop) says so.
///
/// What the process does not read is thrown away when it has closed its input: what it makes of the rest is still received.
///
/// Each connection is a process of its own.
///
/// Counterpart: `twisted.internet.endpoints.ProcessEndpoint`; `StandardErrorBehavior` is the command's.
///
/// ```
/// use rt::process::Command;
/// use rt::protocol::{ProcessEndpoint, Protocol, Transport, connect_protocol};
///
/// struct Sort;
///
/// impl Protocol for Sort {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"b\na\n");
///         transport.lose_write_connection();
///     }
///     fn data_received(&mut self, _: &Transport, data: &[u8]) {
///         assert_eq!(data, b"a\nb\n");
///     }
/// }
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let sort = connect_protocol(&ProcessEndpoint::new(Command::new("sort")), Sort).await?;
/// assert!(sort.transport().closed().await?.is_clean());
/// # Ok(())
/// # })
/// # }
/// ```
pub struct ProcessEndpoint(RefCell<Command>);

impl ProcessEndpoint {
    /// What starts `command` for each connection, with pipes for standard input and output.
    pub fn new(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(RefCell::new(command))
    }
}

impl StreamClientEndpoint for ProcessEndpoint {
    /// Starts the process. It fails with the errors of [`Command::spawn`], and those of
    /// [`drive_factory`]: then the process is let go.
    fn connect<F: Factory>(&self, mut factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        let started = self.0.borrow_mut().spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) => return Deferred::fail(error),
        };
        let peer = child.id().map_or(Address::Memory, Address::Process);
        match drive_factory(Running::new(child), &peer, &mut factory) {
            Ok(handle) => Deferred::succeed(handle),
            Err(failure) => Deferred::fail(failure),
        }
    }
}

impl fmt::Debug for ProcessEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProcessEndpoint").field(&self.0.borrow()).finish()
    }
}

/// The process as a stream.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    /// `None` when it is at its end.
    stdout: Option<ChildStdout>,
}

impl Running {
    fn new(mut child: Child) -> Self {
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Self { child, stdin, stdout }
    }
}

impl AsyncRead for Running {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Some(stdout) = &mut this.stdout {
            match ready!(Pin::new(stdout).poll_read(cx, buf))? {
                0 => this.stdout = None,
                count => return Poll::Ready(Ok(count)),
            }
        }
        // The future has no state of its own.
        let status = ready!(pin!(this.child.wait()).poll(cx))?;
        match ProcessEnd::from(status) {
            ProcessEnd::Done => Poll::Ready(Ok(0)),
            end => Poll::Ready(Err(io::Error::other(end))),
        }
    }
}

impl AsyncWrite for Running {
    /// A process that does not want all of its input may have something to say all the same.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stdin) = &mut self.stdin else { return Poll::Ready(Ok(buf.len())) };
        match ready!(Pin::new(stdin).poll_write(cx, buf)) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.stdin = None;
                Poll::Ready(Ok(buf.len()))
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}
