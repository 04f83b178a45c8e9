//! Descriptors for a child beyond the standard three.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use command_fds::CommandFdExt;
use rustix::io::fcntl_dupfd_cloexec;

use super::Command;

/// The first number that is not one of the standard streams.
const FIRST: RawFd = 3;

/// A descriptor of this process, and the number that it is to have in a child.
///
/// Counterpart: an entry of Twisted's `childFDs`.
///
/// ```
/// use rt::process::{Command, FdMapping};
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // The child reads what is written here as its descriptor 5.
/// let (mut near, far) = UnixStream::pair()?;
/// let mut command = Command::new("sh");
/// command.args(["-c", "head -n 1 <&5"]).fd_mappings([FdMapping { parent_fd: far.into(), child_fd: 5 }])?;
/// near.write_all(b"hello\n")?;
/// assert_eq!(command.output().await?.stdout, b"hello\n");
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct FdMapping {
    /// The descriptor here. It stays open as long as the [`Command`].
    pub parent_fd: OwnedFd,
    /// Its number in the child: 3 or more.
    pub child_fd: RawFd,
}

/// What a command has been given.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    numbers: Vec<RawFd>,
    /// Any descriptor at all, to take a number with.
    placeholder: Option<OwnedFd>,
}

impl Command {
    /// Gives descriptors to every child that is started from here on, beside its standard streams. What the child does not get this
    /// way it does not get, as everything that Rust opens is closed when a program is started.
    ///
    /// The command keeps them open: who waits for the end of a pipe or socket that the child has the other end of drops the command
    /// first. A child that is given descriptors is started by `fork`, which takes longer than what is used otherwise.
    ///
    /// Counterpart: Twisted's `childFDs`; the crate command-fds, which does it.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a number below 3 (these have methods of their own), for one that is there twice,
    /// and if it was called before: give all at once. Those of duplicating a descriptor.
    pub fn fd_mappings(&mut self, mappings: impl IntoIterator<Item = FdMapping>) -> io::Result<&mut Self> {
        if !self.descriptors.numbers.is_empty() {
            return Err(refused(
                "Command::fd_mappings can be called once: give it all descriptors together".to_owned(),
            ));
        }
        let mut wanted = Vec::new();
        for FdMapping { parent_fd, child_fd } in mappings {
            if child_fd < FIRST {
                return Err(refused(format!(
                    "descriptor {child_fd} of a child is a standard stream: use stdin, stdout or stderr; others begin at 3"
                )));
            }
            wanted.push(command_fds::FdMapping { parent_fd: above_standard(parent_fd)?, child_fd });
        }
        let numbers: Vec<_> = wanted.iter().map(|mapping| mapping.child_fd).collect();
        let placeholder = wanted.first().map(|mapping| above_standard(mapping.parent_fd.try_clone()?)).transpose()?;
        self.std.fd_mappings(wanted).map_err(|_| {
            let list = numbers.iter().map(RawFd::to_string).collect::<Vec<_>>().join(", ");
            refused(format!("two descriptors are to have the same number in the child, of these: {list}"))
        })?;
        self.descriptors = Descriptors { numbers, placeholder };
        Ok(self)
    }
}

impl Descriptors {
    /// Occupies the numbers that are free in this process as long as the answer lives. A child is started with a pipe through which
    /// it tells that the program can not be executed: that must not get a number which is then taken from it.
    pub(super) fn reserve(&self) -> io::Result<Vec<OwnedFd>> {
        let Some(placeholder) = &self.placeholder else { return Ok(Vec::new()) };
        let mut reserved = Vec::new();
        for number in &self.numbers {
            let duplicate = fcntl_dupfd_cloexec(placeholder, *number)?;
            if duplicate.as_raw_fd() == *number {
                reserved.push(duplicate);
            }
        }
        Ok(reserved)
    }
}

/// The standard streams of a child are put in place before its other descriptors, which must not be among them.
fn above_standard(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() >= FIRST {
        return Ok(descriptor);
    }
    Ok(fcntl_dupfd_cloexec(descriptor, FIRST)?)
}

fn refused(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
