//! Any descriptor that can be polled.

use crate::reactor::readiness::{Direction, Observed};
use crate::reactor::ready::{Interest, Ready};
use crate::source::Source;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

/// Makes a descriptor awaitable that this project has no type for: a pipe, an inotify or GPIO descriptor, a library's socket.
///
/// The descriptor must be in non-blocking mode, must stay the same as long as `T` lives, and must be one that the system can poll
/// (regular files can not be). Events are edge-triggered: [`readable`](AsyncFd::readable) gives a guard, and who has found that an
/// operation would block says so with [`AsyncFdReadyGuard::clear_ready`] or leaves it to [`AsyncFdReadyGuard::try_io`]. Without
/// that, the next wait returns at once.
///
/// Dropping it watches the descriptor no longer and drops `T`.
///
/// Counterpart: `tokio::io::unix::AsyncFd`, which asks for `AsRawFd`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// use rt::io::unix::AsyncFd;
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// // Waits for a byte on a socket that something else made.
/// let (mut near, far) = UnixStream::pair()?;
/// far.set_nonblocking(true)?;
/// let far = AsyncFd::new(far)?;
/// near.write_all(b"x")?;
///
/// let mut byte = [0];
/// loop {
///     let mut guard = far.readable().await?;
///     match guard.try_io(|far| far.get_ref().read(&mut byte)) {
///         Ok(result) => break assert_eq!(result?, 1),
///         Err(_would_block) => continue,
///     }
/// }
/// assert_eq!(byte, *b"x");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct AsyncFd<T: AsFd> {
    source: Source<Descriptor<T>>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Watches `inner` for both directions.
    ///
    /// # Errors
    ///
    /// Those of registering with the system's poller, such as a descriptor that can not be polled;
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if the runtime watches it for somebody else: take a duplicate then.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn new(inner: T) -> io::Result<Self> {
        Self::with_interest(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// Watches `inner` for what is in `interest`; waiting for something else is an error later.
    ///
    /// # Errors
    ///
    /// Those of registering with the system's poller, such as a descriptor that can not be polled;
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if the runtime watches it for somebody else: take a duplicate then.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<Self> {
        let descriptor = inner.as_fd().as_raw_fd();
        Ok(Self { source: Source::with_descriptor(Descriptor(inner), descriptor, interest)? })
    }

    /// What was handed in.
    pub fn get_ref(&self) -> &T {
        &self.source.get_ref().0
    }

    /// Watches the descriptor no longer and gives back what was handed in.
    pub fn into_inner(self) -> T {
        self.source.into_inner().0
    }

    /// Waits until the descriptor is readable.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or this interest was not asked for.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; others that wait go on waiting.
    pub async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::READABLE).await
    }

    /// Waits until the descriptor is writable.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or this interest was not asked for.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; others that wait go on waiting.
    pub async fn writable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::WRITABLE).await
    }

    /// Waits until any of `interest` is the case.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or this interest was not asked for.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; others that wait go on waiting.
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let observed = self.source.observed(interest).await?;
        Ok(AsyncFdReadyGuard { fd: self, observed })
    }

    /// Waits until the descriptor is readable, for one caller at a time.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or this interest was not asked for.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<AsyncFdReadyGuard<'_, T>>> {
        self.poll_ready(Direction::Read, cx)
    }

    /// Waits until the descriptor is writable, for one caller at a time.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or this interest was not asked for.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<AsyncFdReadyGuard<'_, T>>> {
        self.poll_ready(Direction::Write, cx)
    }

    fn poll_ready(&self, direction: Direction, cx: &Context<'_>) -> Poll<io::Result<AsyncFdReadyGuard<'_, T>>> {
        let observed = ready!(self.source.poll_observed(direction, cx))?;
        Poll::Ready(Ok(AsyncFdReadyGuard { fd: self, observed }))
    }

    /// Calls `operation` when `interest` is satisfied, until it says something else than `WouldBlock`.
    ///
    /// # Errors
    ///
    /// Those of `operation` (interrupted calls are repeated), and those of [`ready`](AsyncFd::ready).
    ///
    /// # Cancel safety
    ///
    /// A dropped future has either not completed `operation`, or has returned its result.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.source.async_io(interest, |descriptor| operation(&descriptor.0)).await
    }

    /// Calls `operation` once, unless it is known that it would block.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) without a call when the descriptor is known not to be ready; otherwise those of
    /// `operation`.
    pub fn try_io<R>(&self, interest: Interest, operation: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        self.source.try_io(interest, |descriptor| operation(&descriptor.0))
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd").field("inner", self.get_ref()).finish()
    }
}

/// What was seen to be ready, to be taken back once it is used up.
///
/// An event that comes after the guard was made is not lost by clearing it.
///
/// Counterpart: `tokio::io::unix::AsyncFdReadyGuard`.
#[must_use = "says what is ready: use it, then clear it"]
pub struct AsyncFdReadyGuard<'a, T: AsFd> {
    fd: &'a AsyncFd<T>,
    observed: Observed,
}

impl<'a, T: AsFd> AsyncFdReadyGuard<'a, T> {
    /// Says that an operation was tried and would have blocked: the next wait is for a new event.
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(self.ready());
    }

    /// The same for a part of what was ready.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        self.fd.source.clear(self.observed, ready);
    }

    /// Says nothing: what was ready counts as ready still. Dropping the guard does the same.
    pub fn retain_ready(&mut self) {}

    /// What was ready.
    pub fn ready(&self) -> Ready {
        self.observed.ready
    }

    /// The descriptor's owner.
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.fd
    }

    /// What was handed in to [`AsyncFd::new`].
    pub fn get_inner(&self) -> &'a T {
        self.fd.get_ref()
    }

    /// Calls `operation`; if it would block, clears the readiness.
    ///
    /// # Errors
    ///
    /// [`TryIoError`] if `operation` would block. The inner result is that of `operation` otherwise.
    pub fn try_io<R>(
        &mut self,
        operation: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match operation(self.fd) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFdReadyGuard").field("fd", self.fd).field("ready", &self.ready()).finish()
    }
}

/// An operation under an [`AsyncFdReadyGuard`] would have blocked; the readiness is cleared.
///
/// Counterpart: `tokio::io::unix::TryIoError`.
#[derive(Debug)]
pub struct TryIoError(());

impl fmt::Display for TryIoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operation would block: wait for the descriptor to become ready again")
    }
}

impl std::error::Error for TryIoError {}

/// A descriptor's owner in the shape that mio asks for.
#[derive(Debug)]
pub(crate) struct Descriptor<T>(pub(crate) T);

impl<T: AsFd> AsFd for Descriptor<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<T: AsFd> Descriptor<T> {
    fn with<R>(&self, f: impl FnOnce(&mut mio::unix::SourceFd<'_>) -> R) -> R {
        f(&mut mio::unix::SourceFd(&self.0.as_fd().as_raw_fd()))
    }
}

impl<T: AsFd> mio::event::Source for Descriptor<T> {
    fn register(&mut self, registry: &mio::Registry, token: mio::Token, interests: mio::Interest) -> io::Result<()> {
        self.with(|fd| registry.register(fd, token, interests))
    }

    fn reregister(&mut self, registry: &mio::Registry, token: mio::Token, interests: mio::Interest) -> io::Result<()> {
        self.with(|fd| registry.reregister(fd, token, interests))
    }

    fn deregister(&mut self, registry: &mio::Registry) -> io::Result<()> {
        self.with(|fd| registry.deregister(fd))
    }
}
