//! Child processes, awaited.
//!
//! [`Command`] says what to run and with which streams, [`Child`] is the running process. A whole run in one line:
//! `Command::new("date").output().await`.
//!
//! # How it works, and what that means for a program
//!
//! - **The end of a child** is noticed, on Linux, by a descriptor of the process (a pidfd), which the runtime's driver watches as it
//!   watches a socket. No handler for `SIGCHLD` is installed, and children that the program starts by other means are not touched.
//!   Where there are no such descriptors (Linux before 5.3, other Unix systems, a sandbox), a listener for `SIGCHLD` takes their
//!   place: see [`signal`](crate::signal) for what that installs.
//! - **No zombies.** A child that was not waited for when its [`Child`] is dropped goes on, and one small thread of the process
//!   waits for it: the thread exists only while there is such a child, and holds up neither a runtime's end nor the exit of the
//!   process. With [`Command::kill_on_drop`] the child is killed first.
//! - **No runtime is needed to start a child**, and none owns it. Waiting, and reading and writing its streams, is done in any
//!   runtime; when that shuts down, the child goes on, and can be waited for in another one. (As long as a runtime in which it was
//!   waited for exists and nobody drives it, waiting in another one does not end.)
//! - **Signals hit the child or nobody**: a process id is free for others only once the child was waited for, and with a pidfd not
//!   even code that waits for every child of the process can redirect a signal.
//! - **Streams**: only this side of a pipe is in non-blocking mode, so the child finds the ordinary kind.
//!
//! Starting a child takes the calling thread as long as the system needs to start a program, usually well under a millisecond.
//!
//! Counterpart: `tokio::process`; Twisted's `spawnProcess` and `getProcessOutput`.

mod command;
mod child;
mod awaited;
mod exit;
mod reaper;
mod pipes;
mod output;
#[cfg(feature = "child-fds")]
mod fds;

#[cfg(all(test, not(loom)))]
mod tests;

#[doc(hidden)]
pub use awaited::{__is_awaited, __unless_awaited};
pub use child::Child;
pub use command::Command;
#[cfg(feature = "child-fds")]
pub use fds::FdMapping;
pub use output::OutputTooLong;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout};
#[doc(hidden)]
pub use reaper::__wait_until_reaped;
