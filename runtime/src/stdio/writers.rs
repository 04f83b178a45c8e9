//! Standard output and standard error, awaited.

use std::fmt;
use std::io::{self, Write};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use futures_io::AsyncWrite;
use rt_deferred::Failure;
use rt_deferred::unhandled::{self, Unhandled};

use super::direct::Direct;
use super::output::Output;

#[cfg(unix)]
use {crate::async_fd::AsyncFd, crate::reactor::ready::Interest, std::os::fd::OwnedFd};

static STDOUT: OnceLock<Arc<Output>> = OnceLock::new();
static STDERR: OnceLock<Arc<Output>> = OnceLock::new();

/// A handle on the standard output of the process.
///
/// All handles write to the same output. See the [module](super) for how, and for what is certain at the end of a program.
///
/// Counterpart: `tokio::io::stdout`.
///
/// ```
/// use futures_util::io::AsyncWriteExt;
///
/// # fn main() -> std::io::Result<()> {
/// rt::block_on(async {
///     let mut stdout = rt::io::stdout();
///     stdout.write_all(b"a slow reader holds up this task only\n").await
/// })
/// # }
/// ```
pub fn stdout() -> Stdout {
    let output =
        STDOUT.get_or_init(|| Arc::new(Output::new("standard output", direct(io::stdout()), sink(io::stdout()))));
    Stdout(Writer::over(Arc::clone(output)))
}

/// A handle on the standard error of the process: as [`stdout`].
///
/// Counterpart: `tokio::io::stderr`.
pub fn stderr() -> Stderr {
    let output =
        STDERR.get_or_init(|| Arc::new(Output::new("standard error", direct(io::stderr()), sink(io::stderr()))));
    Stderr(Writer::over(Arc::clone(output)))
}

/// Blocks until the system has everything that was written: what [`Runtime::block_on`](crate::runtime::Runtime::block_on) ends with.
pub(crate) fn finish() {
    for output in [&STDOUT, &STDERR] {
        if let Some(error) = output.get().and_then(|output| output.wait_until_written()) {
            unhandled::report(Unhandled::of_task(Failure::from(error), Location::caller()));
        }
    }
}

macro_rules! stream {
    ($name:ident, $function:ident, $stream:literal) => {
        #[doc = concat!("Writes to ", $stream, "; made by [`", stringify!($function), "`].")]
        ///
        /// It works in any runtime and outside of one, too; but where it has waited in a runtime that exists still and that nobody drives,
        /// waiting in another one does not end.
        ///
        /// # Errors
        ///
        /// Those of the system. What was accepted and could not be written is told by the next write or flush, through any handle; bytes that
        /// were accepted after it are lost, too.
        ///
        /// # Cancel safety
        ///
        /// A write that is dropped while it is pending has accepted nothing; a flush can be repeated.
        ///
        #[doc = concat!("Counterpart: `tokio::io::", stringify!($name), "`.")]
        ///
        /// ```
        /// use futures_util::io::AsyncWriteExt;
        ///
        /// # fn main() -> std::io::Result<()> {
        /// rt::block_on(async {
        #[doc = concat!("    let mut stream = rt::io::", stringify!($function), "();")]
        ///     stream.write_all(b"before what may end the process: ").await?;
        ///     stream.flush().await
        /// })
        /// # }
        /// ```
        pub struct $name(Writer);

        impl AsyncWrite for $name {
            fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.0.poll_write(cx, buf)
            }

            /// Waits until everything that was accepted, by any handle, is with the system.
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.output.poll_flush(cx)
            }

            /// As `poll_flush`: the stream stays open.
            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_flush(cx)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

stream!(Stdout, stdout, "standard output");
stream!(Stderr, stderr, "standard error");

/// One handle's way to the output.
pub(super) struct Writer {
    pub(super) output: Arc<Output>,
    /// Waits for the descriptor, in the runtime where it first had to.
    #[cfg(unix)]
    watch: Option<AsyncFd<OwnedFd>>,
}

impl Writer {
    pub(super) fn over(output: Arc<Output>) -> Self {
        Self {
            output,
            #[cfg(unix)]
            watch: None,
        }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(crate::coop::poll_proceed(cx));
        match self.poll_direct(cx, buf) {
            Some(poll) => poll,
            None => self.output.poll_accept(cx, buf),
        }
    }

    /// `None` if it is to go by the thread.
    #[cfg(unix)]
    fn poll_direct(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Option<Poll<io::Result<usize>>> {
        let mut renewed = false;
        loop {
            match self.output.try_direct(buf)? {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Some(Poll::Ready(result)),
            }
            match self.watch()?.poll_write_ready(cx) {
                Poll::Ready(Ok(mut guard)) => guard.clear_ready(),
                // The runtime in which this handle has waited before has shut down.
                Poll::Ready(Err(_)) if !renewed => {
                    self.watch = None;
                    renewed = true;
                }
                Poll::Ready(Err(_)) => return None,
                Poll::Pending => return Some(Poll::Pending),
            }
        }
    }

    #[cfg(not(unix))]
    fn poll_direct(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Option<Poll<io::Result<usize>>> {
        self.output.try_direct(buf).map(Poll::Ready)
    }

    /// `None` if there is no runtime to wait in, or the system refuses to.
    #[cfg(unix)]
    fn watch(&mut self) -> Option<&AsyncFd<OwnedFd>> {
        if self.watch.is_none() {
            crate::context::reactor_handle()?;
            let duplicate = self.output.direct()?.duplicate().ok()?;
            self.watch = Some(AsyncFd::with_interest(duplicate, Interest::WRITABLE).ok()?);
        }
        self.watch.as_ref()
    }
}

#[cfg(unix)]
fn direct(stream: impl std::os::fd::AsFd + Send + Sync + 'static) -> Option<Direct> {
    Some(Direct::new(stream))
}

#[cfg(not(unix))]
fn direct<T>(_: T) -> Option<Direct> {
    None
}

#[cfg(unix)]
fn sink(stream: impl Write + std::os::fd::AsFd + Send + 'static) -> impl Write + Send + 'static {
    Patient(stream)
}

#[cfg(not(unix))]
fn sink(stream: impl Write + Send + 'static) -> impl Write + Send + 'static {
    stream
}

/// A stream that also waits if somebody has put its open file into non-blocking mode.
#[cfg(unix)]
pub(super) struct Patient<S>(pub(super) S);

#[cfg(unix)]
impl<S: Write + std::os::fd::AsFd> Write for Patient<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // First what `print!` has held back.
        self.flush()?;
        loop {
            match rustix::io::write(&self.0, buf) {
                Err(rustix::io::Errno::AGAIN) => wait_until_writable(&self.0)?,
                // As std does it: a standard stream that is closed swallows everything.
                Err(rustix::io::Errno::BADF) => return Ok(buf.len()),
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        loop {
            match self.0.flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_until_writable(&self.0)?,
                result => return result,
            }
        }
    }
}

#[cfg(unix)]
fn wait_until_writable(descriptor: &impl std::os::fd::AsFd) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(descriptor, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
