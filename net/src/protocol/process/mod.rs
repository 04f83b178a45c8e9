//! Protocols over child processes.

mod end;
mod endpoint;
mod spawn;
mod transport;
mod handle;
mod running;
mod pipes;
mod waiter;

pub use end::ProcessEnd;
pub use endpoint::ProcessEndpoint;
pub use handle::ProcessHandle;
pub use spawn::{ChildFd, spawn_process, spawn_process_with_fds};
pub use transport::ProcessTransport;

use super::ConnectionLost;

/// What happens to a child process and its pipes, told to an object that lives until both are gone.
///
/// Every method gets the process's [`ProcessTransport`], of which it may keep a clone. All methods have a body; those that are told of
/// a pipe by its number call those that have a name.
///
/// # Order
///
/// `connection_made` comes first, within [`spawn_process`]; `process_ended` last, when the process has exited and all its pipes are
/// closed. `process_exited` comes before that, and says nothing about the pipes: output may still come, as it does while a child of the
/// child has the pipe. No event comes while the protocol is in another one, and all of them come on one thread.
///
/// A panic in a method closes the pipes, lets go of the process as if its [`Child`](rt_runtime::process::Child) was dropped, and is
/// reported as an unhandled failure; of the events only `process_ended` comes after it, with [`ProcessEnd::Panicked`].
///
/// Counterpart: `twisted.internet.protocol.ProcessProtocol`.
///
/// ```
/// use rt::process::Command;
/// use rt::protocol::{ProcessEnd, ProcessProtocol, ProcessTransport, spawn_process};
///
/// /// Has `wc -c` count.
/// struct Count;
///
/// impl ProcessProtocol for Count {
///     fn connection_made(&mut self, transport: &ProcessTransport) {
///         transport.write(b"twelve bytes");
///         transport.close_stdin();
///     }
///     fn out_received(&mut self, _: &ProcessTransport, data: &[u8]) {
///         assert_eq!(data.trim_ascii(), b"12");
///     }
///     fn process_ended(&mut self, _: &ProcessTransport, reason: &ProcessEnd) {
///         assert!(reason.is_clean());
///     }
/// }
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let mut command = Command::new("wc");
/// command.arg("-c");
/// spawn_process(command, Count)?.ended().await?;
/// # Ok(())
/// # })
/// # }
/// ```
pub trait ProcessProtocol: 'static {
    /// The process was started. Called once, before anything else.
    fn connection_made(&mut self, transport: &ProcessTransport) {
        let _ = transport;
    }

    /// Bytes came from the process, by its descriptor `child_fd`: standard output is 1, standard error 2. Unless this is written,
    /// [`out_received`](ProcessProtocol::out_received) and [`err_received`](ProcessProtocol::err_received) get theirs, and what comes by
    /// others is ignored.
    fn child_data_received(&mut self, transport: &ProcessTransport, child_fd: i32, data: &[u8]) {
        match child_fd {
            1 => self.out_received(transport, data),
            2 => self.err_received(transport, data),
            _ => {}
        }
    }

    /// Bytes came from standard output.
    fn out_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        let _ = (transport, data);
    }

    /// Bytes came from standard error.
    fn err_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        let _ = (transport, data);
    }

    /// A pipe is closed, by this side or the other; `child_fd` is its number there. The reason is [`ConnectionLost::Done`] unless bytes
    /// were lost. Unless this is written, the method of that stream is called.
    fn child_connection_lost(&mut self, transport: &ProcessTransport, child_fd: i32, reason: &ConnectionLost) {
        match child_fd {
            0 => self.in_connection_lost(transport, reason),
            1 => self.out_connection_lost(transport, reason),
            2 => self.err_connection_lost(transport, reason),
            _ => {}
        }
    }

    /// Standard input of the process is closed. When the process did not read all that was written, the reason tells.
    fn in_connection_lost(&mut self, transport: &ProcessTransport, reason: &ConnectionLost) {
        let _ = (transport, reason);
    }

    /// Standard output of the process is closed: no more comes from there.
    fn out_connection_lost(&mut self, transport: &ProcessTransport, reason: &ConnectionLost) {
        let _ = (transport, reason);
    }

    /// Standard error of the process is closed: no more comes from there.
    fn err_connection_lost(&mut self, transport: &ProcessTransport, reason: &ConnectionLost) {
        let _ = (transport, reason);
    }

    /// The process has exited. Output may still come.
    fn process_exited(&mut self, transport: &ProcessTransport, reason: &ProcessEnd) {
        let _ = (transport, reason);
    }

    /// The process has exited and all its pipes are closed: nothing is called any more.
    fn process_ended(&mut self, transport: &ProcessTransport, reason: &ProcessEnd) {
        let _ = (transport, reason);
    }
}
