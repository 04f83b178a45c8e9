//! The pipes to and from a child.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::async_fd::Descriptor;
use crate::source::Source;

/// How many buffers the system takes at a time at least. What it leaves of more does not mean that a pipe is full, or drained.
const MOST_BUFFERS: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 1024 } else { 16 };

/// The pipe to the standard input of a child.
///
/// What is written is in the pipe, there is nothing to flush. Closing or dropping it is the end of the child's input. A child that does
/// not read, or has ended, is seen as [`BrokenPipe`](io::ErrorKind::BrokenPipe) once nobody has the other end.
///
/// As standard output of another command, `TryInto<Stdio>` hands the pipe itself on.
///
/// # Cancel safety
///
/// A write that is dropped while it is pending has written nothing.
///
/// Counterpart: `tokio::process::ChildStdin`, whose `shutdown` does not close it.
///
/// ```
/// use futures_util::io::AsyncWriteExt;
/// use rt::process::Command;
/// use std::process::Stdio;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let mut input = child.stdin.take().expect("it is a pipe");
/// input.write_all(b"b\na\n").await?;
/// input.close().await?;
/// assert_eq!(child.wait_with_output().await?.stdout, b"a\nb\n");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct ChildStdin {
    /// `None` once it is closed.
    pipe: Option<Pipe>,
}

impl ChildStdin {
    /// Takes a pipe of the standard library, and puts this end of it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of `fcntl`.
    pub fn from_std(stdin: std::process::ChildStdin) -> io::Result<Self> {
        Ok(Self { pipe: Some(Pipe::new(stdin.into())?) })
    }

    /// The descriptor, in blocking mode.
    ///
    /// # Errors
    ///
    /// Those of `fcntl`; [`BrokenPipe`](io::ErrorKind::BrokenPipe) if it was closed.
    pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
        self.pipe.ok_or_else(closed)?.into_blocking()
    }

    fn pipe(&self) -> io::Result<&Pipe> {
        self.pipe.as_ref().ok_or_else(closed)
    }
}

impl AsyncWrite for ChildStdin {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = |pipe: &Descriptor<OwnedFd>| Ok(rustix::io::write(pipe, buf)?);
        self.pipe()?.0.poll_write_bytes(cx, buf.len(), write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = bufs.iter().take(MOST_BUFFERS).map(|buf| buf.len()).sum();
        let write = |pipe: &Descriptor<OwnedFd>| Ok(rustix::io::writev(pipe, bufs)?);
        self.pipe()?.0.poll_write_bytes(cx, offered, write)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the descriptor: the child's input ends. Writing is an error from then on.
    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe = None;
        Poll::Ready(Ok(()))
    }
}

impl AsFd for ChildStdin {
    /// # Panics
    ///
    /// If it was closed by `poll_close`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_ref().expect("a pipe that was closed has no descriptor").0.get_ref().as_fd()
    }
}

impl AsRawFd for ChildStdin {
    /// # Panics
    ///
    /// If it was closed by `poll_close`.
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl TryFrom<ChildStdin> for Stdio {
    type Error = io::Error;

    /// For the standard output of another command: the pipe, in blocking mode.
    fn try_from(stdin: ChildStdin) -> io::Result<Stdio> {
        Ok(stdin.into_owned_fd()?.into())
    }
}

impl fmt::Debug for ChildStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildStdin").field("pipe", &self.pipe).finish()
    }
}

macro_rules! output {
    ($name:ident, $what:literal, $method:literal, $shell:literal) => {
        #[doc = concat!("The pipe from the ", $what, " of a child.")]
        ///
        /// Its end comes when all who can write to it have closed it: usually with the end of the child. Dropped before that, the child's
        /// next write finds nobody, which ends most programs.
        ///
        /// As standard input of another command, `TryInto<Stdio>` hands the pipe itself on; what was read from it before, the other one
        /// does not see.
        ///
        /// # Cancel safety
        ///
        /// A read that is dropped while it is pending has taken nothing.
        ///
        #[doc = concat!("Counterpart: `tokio::process::", stringify!($name), "`.")]
        ///
        /// ```
        /// use futures_util::io::{AsyncBufReadExt, BufReader};
        /// use rt::process::Command;
        /// use std::process::Stdio;
        ///
        /// # fn main() -> std::io::Result<()> {
        /// # rt::block_on(async {
        /// // The first line, while the child is still running.
        #[doc = concat!("let mut child = Command::new(\"sh\").args([\"-c\", \"", $shell, "\"])")]
        #[doc = concat!("    .", $method, "(Stdio::piped()).kill_on_drop(true).spawn()?;")]
        #[doc = concat!("let mut lines = BufReader::new(child.", $method, ".take().expect(\"it is a pipe\"));")]
        /// let mut line = String::new();
        /// lines.read_line(&mut line).await?;
        /// assert_eq!(line, "ready\n");
        /// # Ok(())
        /// # })
        /// # }
        /// ```
        pub struct $name {
            pipe: Pipe,
        }

        impl $name {
            /// Takes a pipe of the standard library, and puts this end of it into non-blocking mode.
            ///
            /// # Errors
            ///
            /// Those of `fcntl`.
            pub fn from_std(pipe: std::process::$name) -> io::Result<Self> {
                Ok(Self { pipe: Pipe::new(pipe.into())? })
            }

            /// The descriptor, in blocking mode.
            ///
            /// # Errors
            ///
            /// Those of `fcntl`.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                self.pipe.into_blocking()
            }
        }

        impl AsyncRead for $name {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                let room = buf.len();
                let read = |pipe: &Descriptor<OwnedFd>| Ok(rustix::io::read(pipe, &mut *buf)?);
                self.pipe.0.poll_read_bytes(cx, room, read)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let room = bufs.iter().take(MOST_BUFFERS).map(|buf| buf.len()).sum();
                let read = |pipe: &Descriptor<OwnedFd>| Ok(rustix::io::readv(pipe, bufs)?);
                self.pipe.0.poll_read_bytes(cx, room, read)
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.pipe.0.get_ref().as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        impl TryFrom<$name> for Stdio {
            type Error = io::Error;

            /// For the standard input of another command: the pipe, in blocking mode.
            fn try_from(pipe: $name) -> io::Result<Stdio> {
                Ok(pipe.into_owned_fd()?.into())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("pipe", &self.pipe).finish()
            }
        }
    };
}

output!(ChildStdout, "standard output", "stdout", "echo ready; exec sleep 1000");
output!(ChildStderr, "standard error", "stderr", "echo ready >&2; exec sleep 1000");

/// This side's end of a pipe. The mode is that of the end, which has an open file description of its own.
#[derive(Debug)]
struct Pipe(Source<Descriptor<OwnedFd>>);

impl Pipe {
    fn new(end: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&end, true)?;
        Ok(Self(Source::join_when_pending(Descriptor(end))?))
    }

    fn into_blocking(self) -> io::Result<OwnedFd> {
        let Descriptor(end) = self.0.into_inner();
        set_nonblocking(&end, false)?;
        Ok(end)
    }
}

fn set_nonblocking(end: &OwnedFd, nonblocking: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(end)?;
    flags.set(OFlags::NONBLOCK, nonblocking);
    Ok(fcntl_setfl(end, flags)?)
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "this end of the pipe to the child's standard input was closed before")
}
