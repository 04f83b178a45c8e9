//! Starting a process.

use super::pipes::{FromChild, Pipe, ToChild};
use super::running::{Running, State};
use super::waiter::Waiter;
use super::{ProcessHandle, ProcessProtocol};
use crate::protocol::driver::drive_from;
use crate::protocol::{Address, Transport};
use rt_runtime::process::Command;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::process::Stdio;
use std::rc::Rc;

/// What a descriptor of a child process is to be.
///
/// An example is at [`spawn_process_with_fds`].
///
/// Counterpart: the letters in Twisted's `childFDs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildFd {
    /// A pipe that this side reads from and the process writes to: `"r"`.
    Read,
    /// A pipe that this side writes to and the process reads from: `"w"`.
    Write,
}

/// Starts a process with pipes for its three standard streams, whatever the command says about those, and runs `protocol` on it, as
/// tasks of this thread. `connection_made` is called before this returns.
///
/// Everything else is said by the command: arguments, environment, directory, user. The process lives on when the handle is dropped, and
/// when the runtime ends, unless [`kill_on_drop`](Command::kill_on_drop) says that it is killed then.
///
/// For output or exit code of a process that needs no protocol there are [`Command::output`] and [`Command::status`].
///
/// Counterpart: `reactor.spawnProcess`; `getProcessOutput` and `getProcessValue` are the two of `Command`.
///
/// # Errors
///
/// Those of [`Command::spawn`]; the system has no pipe.
///
/// # Panics
///
/// If this thread does not drive a runtime.
#[track_caller]
pub fn spawn_process<P: ProcessProtocol>(command: Command, protocol: P) -> io::Result<ProcessHandle<P>> {
    spawn_process_with_fds(command, [(0, ChildFd::Write), (1, ChildFd::Read), (2, ChildFd::Read)], protocol)
}

/// [`spawn_process`], with a choice of the descriptors that get pipes. A standard stream that is not among them is what the command says;
/// numbers from 3 on need the feature `child-fds`.
///
/// Counterpart: `reactor.spawnProcess` with `childFDs`.
///
/// # Errors
///
/// - Those of [`spawn_process`].
/// - [`InvalidInput`](io::ErrorKind::InvalidInput) for a number that is there twice or is negative, and if the command has
///   `fd_mappings` already while `child_fds` has numbers from 3 on.
/// - [`Unsupported`](io::ErrorKind::Unsupported) for a number from 3 on without the feature.
///
/// # Panics
///
/// If this thread does not drive a runtime.
///
/// ```
/// use rt::process::Command;
/// use rt::protocol::{ChildFd, ProcessProtocol, ProcessTransport, spawn_process_with_fds};
///
/// /// Takes what comes by descriptor 3.
/// struct Report;
///
/// impl ProcessProtocol for Report {
///     fn child_data_received(&mut self, _: &ProcessTransport, child_fd: i32, data: &[u8]) {
///         assert_eq!((child_fd, data), (3, &b"all is well\n"[..]));
///     }
/// }
///
/// # #[cfg(feature = "child-fds")]
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let mut command = Command::new("sh");
/// command.args(["-c", "echo all is well >&3"]);
/// let process = spawn_process_with_fds(command, [(3, ChildFd::Read)], Report)?;
/// assert!(process.ended().await?.is_clean());
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(feature = "child-fds"))]
/// # fn main() {}
/// ```
#[track_caller]
pub fn spawn_process_with_fds<P: ProcessProtocol>(
    mut command: Command,
    child_fds: impl IntoIterator<Item = (i32, ChildFd)>,
    protocol: P,
) -> io::Result<ProcessHandle<P>> {
    let mut ends = BTreeMap::new();
    let mut theirs = BTreeMap::new();
    for (child_fd, kind) in child_fds {
        let (reader, writer) = io::pipe()?;
        let (here, there) = match kind {
            ChildFd::Read => (End::FromChild(FromChild::new(reader.into())?), OwnedFd::from(writer)),
            ChildFd::Write => (End::ToChild(ToChild::new(writer.into())?), OwnedFd::from(reader)),
        };
        if ends.insert(child_fd, here).is_some() {
            return Err(refused(format!("descriptor {child_fd} of the process is there twice: give each number once")));
        }
        theirs.insert(child_fd, there);
    }
    hand_over(&mut command, theirs)?;
    let child = command.spawn()?;
    // With it go the process's ends of the pipes.
    drop(command);
    let address = child.id().map_or(Address::Memory, Address::Process);
    let running = Rc::new(Running {
        protocol: RefCell::new(Some(protocol)),
        state: Rc::new(State::new(child)),
        started: Location::caller(),
    });
    for (child_fd, end) in ends {
        let is_from_child = matches!(end, End::FromChild(_));
        running.state.add_pipe(child_fd, end.run(&running, child_fd, &address), is_from_child);
    }
    drop(rt_runtime::spawn_local(Waiter(running.clone())));
    running.event(|protocol, transport| protocol.connection_made(transport));
    Ok(ProcessHandle(running))
}

/// This side's end of a pipe.
enum End {
    FromChild(FromChild),
    ToChild(ToChild),
}

impl End {
    fn run<P: ProcessProtocol>(self, process: &Rc<Running<P>>, child_fd: i32, address: &Address) -> Transport {
        let protocol = Pipe { process: process.clone(), child_fd };
        let address = address.clone();
        match self {
            End::FromChild(pipe) => drive_from(pipe, address, None, protocol).transport(),
            End::ToChild(pipe) => drive_from(pipe, address, None, protocol).transport(),
        }
    }
}

/// Gives the process its ends of the pipes.
fn hand_over(command: &mut Command, ends: BTreeMap<i32, OwnedFd>) -> io::Result<()> {
    let mut others = Vec::new();
    for (child_fd, end) in ends {
        match child_fd {
            0 => _ = command.stdin(Stdio::from(end)),
            1 => _ = command.stdout(Stdio::from(end)),
            2 => _ = command.stderr(Stdio::from(end)),
            3.. => others.push((child_fd, end)),
            _ => return Err(refused(format!("{child_fd} is no descriptor: they are numbers from 0 on"))),
        }
    }
    if others.is_empty() { Ok(()) } else { map(command, others) }
}

#[cfg(feature = "child-fds")]
fn map(command: &mut Command, ends: Vec<(i32, OwnedFd)>) -> io::Result<()> {
    use rt_runtime::process::FdMapping;
    let mappings = ends.into_iter().map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings).map(drop)
}

#[cfg(not(feature = "child-fds"))]
fn map(_: &mut Command, ends: Vec<(i32, OwnedFd)>) -> io::Result<()> {
    let (child_fd, _) = &ends[0];
    let what = format!(
        "descriptor {child_fd} of a process needs the feature `child-fds` of rt; without it there are 0, 1 and 2"
    );
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

fn refused(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
