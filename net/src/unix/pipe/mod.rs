//! Pipes, with and without a name.
//!
//! Counterpart: `tokio::net::unix::pipe`.

mod open;
mod receiver;
mod sender;

pub use open::OpenOptions;
pub use receiver::Receiver;
pub use sender::Sender;

use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A new pipe without a name.
///
/// Counterpart: `tokio::net::unix::pipe::pipe`.
///
/// # Errors
///
/// Those of `pipe`, such as running out of descriptors.
///
/// ```
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Bytes go through, and dropping the sender is the end.
/// let (mut sender, mut receiver) = rt::net::unix::pipe::pipe()?;
/// sender.write_all(b"hello").await?;
/// drop(sender);
/// let mut text = String::new();
/// receiver.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # })
/// # }
/// ```
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (sender, receiver) = mio::unix::pipe::new()?;
    Ok((Sender::of(sender)?, Receiver::of_a_byte_stream(receiver)?))
}

/// An end of a pipe, by what it is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Sender,
    Receiver,
}

/// Makes sure that `fd` is that end of a pipe, and in non-blocking mode.
fn checked(fd: impl AsFd, end: End) -> io::Result<()> {
    if !is_a_pipe(fd.as_fd())? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file is not a pipe"));
    }
    let flags = fcntl_getfl(&fd)?;
    let mode = flags & OFlags::RWMODE;
    let (wanted, deed) = match end {
        End::Sender => (OFlags::WRONLY, "writing"),
        End::Receiver => (OFlags::RDONLY, "reading"),
    };
    if mode != OFlags::RDWR && mode != wanted {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the pipe is not open for {deed}")));
    }
    if !flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
    }
    Ok(())
}

fn is_a_pipe(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(fstat(fd)?.st_mode) == FileType::Fifo)
}

/// Out of non-blocking mode.
fn set_blocking(fd: impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(&fd)?;
    Ok(fcntl_setfl(&fd, flags - OFlags::NONBLOCK)?)
}

/// From descriptors and back, the same for both ends.
macro_rules! from_and_to_descriptors {
    ($end:ident, $is_open_for:literal) => {
        #[doc = concat!("Takes a file, which must be a pipe that is open for ", $is_open_for, ", and puts it into non-blocking mode.")]
        ///
        /// # Errors
        ///
        /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if it is no such pipe.
        pub fn from_file(file: std::fs::File) -> std::io::Result<$end> {
            $end::from_owned_fd(file.into())
        }

        #[doc = concat!("Takes a descriptor, which must be a pipe that is open for ", $is_open_for, ", and puts it into non-blocking mode.")]
        ///
        /// # Errors
        ///
        /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if it is no such pipe.
        pub fn from_owned_fd(owned_fd: std::os::fd::OwnedFd) -> std::io::Result<$end> {
            super::checked(&owned_fd, super::End::$end)?;
            $end::from_owned_fd_unchecked(owned_fd)
        }

        /// Takes a file without looking what it is. It must be in non-blocking mode.
        ///
        /// # Errors
        ///
        /// None today; the signature is that of the counterpart.
        pub fn from_file_unchecked(file: std::fs::File) -> std::io::Result<$end> {
            $end::from_owned_fd_unchecked(file.into())
        }

        /// Takes a descriptor without looking what it is. It must be in non-blocking mode.
        ///
        /// # Errors
        ///
        /// None today; the signature is that of the counterpart.
        pub fn from_owned_fd_unchecked(owned_fd: std::os::fd::OwnedFd) -> std::io::Result<$end> {
            $end::of(owned_fd.into())
        }

        /// Gives the descriptor back, in blocking mode: as a standard stream of a child process, for example.
        ///
        /// # Errors
        ///
        /// Those of `fcntl`.
        pub fn into_blocking_fd(self) -> std::io::Result<std::os::fd::OwnedFd> {
            let fd = self.into_nonblocking_fd()?;
            super::set_blocking(&fd)?;
            Ok(fd)
        }

        /// Gives the descriptor back. It stays in non-blocking mode.
        ///
        /// # Errors
        ///
        /// None today; the signature is that of the counterpart.
        pub fn into_nonblocking_fd(self) -> std::io::Result<std::os::fd::OwnedFd> {
            Ok(self.source.into_inner().into())
        }
    };
}

use from_and_to_descriptors;
