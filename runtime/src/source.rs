//! An I/O object and its readiness: what every socket of `net` is built on, and what a type of your own can be.

use crate::reactor::readiness::{Direction, Observed};
use crate::reactor::ready::{Interest, Ready};
use crate::registration::Registration;
use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

/// Makes any [`mio::event::Source`] awaitable.
///
/// Operations go through [`poll_read_io`](Source::poll_read_io), [`async_io`](Source::async_io) and [`try_io`](Source::try_io): they
/// run a closure that does the non-blocking call, and when that says [`WouldBlock`](io::ErrorKind::WouldBlock) they wait for the
/// next event. Events are edge-triggered, so a closure must not report `WouldBlock` unless its call did.
///
/// A source belongs to the runtime in which it was made. It may be used and dropped on any thread. After that runtime has shut
/// down, operations that would have to wait fail.
///
/// The `poll_*` methods remember one waker per direction, that of the last call; the `async` ones remember all their callers.
///
/// Counterpart: tokio's internal `PollEvented`; for descriptors that mio does not know see [`AsyncFd`](crate::AsyncFd).
///
/// # Examples
///
/// A datagram, through mio's UDP socket:
///
/// ```
/// use rt::io::{Interest, Source};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let socket = Source::new(mio::net::UdpSocket::bind("127.0.0.1:0".parse().unwrap())?)?;
/// let address = socket.get_ref().local_addr()?;
/// socket.async_io(Interest::WRITABLE, |io| io.send_to(b"ping", address)).await?;
///
/// let mut datagram = [0; 16];
/// let (length, _from) = socket.async_io(Interest::READABLE, |io| io.recv_from(&mut datagram)).await?;
/// assert_eq!(&datagram[..length], b"ping");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct Source<T: mio::event::Source> {
    /// `None` only after [`into_inner`](Source::into_inner).
    io: Option<T>,
    registration: Registration,
}

impl<T: mio::event::Source> Source<T> {
    /// Watches `io` for both directions. It must be in non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of registering with the system's poller.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn new(io: T) -> io::Result<Self> {
        Self::with_interest(io, Interest::READABLE | Interest::WRITABLE)
    }

    /// Watches `io` for what is in `interest`; waiting for something else is an error later.
    ///
    /// # Errors
    ///
    /// Those of registering with the system's poller.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn with_interest(mut io: T, interest: Interest) -> io::Result<Self> {
        let registration = Registration::join_now(&mut io, interest)?;
        Ok(Self { io: Some(io), registration })
    }

    /// For sockets that own their descriptor: joins the driver of the runtime in which it first has to wait. Reading counts as not
    /// ready until then, writing as ready. Elsewhere than on Unix it joins at once, with the panic and errors of [`new`](Self::new).
    #[doc(hidden)]
    #[cfg(unix)]
    pub fn join_when_pending(io: T) -> io::Result<Self>
    where
        T: std::os::fd::AsFd,
    {
        use std::os::fd::AsRawFd;
        let registration = Registration::join_when_pending(io.as_fd().as_raw_fd(), Ready::WRITABLE);
        Ok(Self { io: Some(io), registration })
    }

    #[doc(hidden)]
    #[cfg(not(unix))]
    pub fn join_when_pending(io: T) -> io::Result<Self> {
        Self::new(io)
    }

    /// The same for a socket that is connecting: it joins now, for both directions, and neither is ready.
    #[doc(hidden)]
    #[cfg(unix)]
    pub fn join_connecting(io: T) -> io::Result<Self>
    where
        T: std::os::fd::AsFd,
    {
        use std::os::fd::AsRawFd;
        let registration = Registration::join_when_pending(io.as_fd().as_raw_fd(), Ready::EMPTY);
        registration.watch(Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { io: Some(io), registration })
    }

    #[doc(hidden)]
    #[cfg(not(unix))]
    pub fn join_connecting(io: T) -> io::Result<Self> {
        Self::new(io)
    }

    /// The I/O object.
    pub fn get_ref(&self) -> &T {
        self.io.as_ref().expect("only into_inner takes it, together with the source")
    }

    /// Watches the I/O object no longer and gives it back.
    pub fn into_inner(mut self) -> T {
        let mut io = self.io.take().expect("only this takes it");
        self.leave(&mut io);
        io
    }

    /// Forgets the driver that a source which joins late has joined: it joins another where it pends next.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn rejoin(&mut self)
    where
        T: std::os::fd::AsFd,
    {
        use std::os::fd::AsRawFd;
        self.registration.leave_by_descriptor();
        let descriptor = self.get_ref().as_fd().as_raw_fd();
        self.registration = Registration::join_when_pending(descriptor, Ready::WRITABLE);
    }

    fn leave(&self, io: &mut T) {
        #[cfg(unix)]
        self.registration.leave_by_descriptor();
        self.registration.leave(io);
    }

    /// Waits until reading would not block, for one caller at a time.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or the source was made without this interest.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration.poll_ready(Direction::Read, cx).map_ok(|_| ())
    }

    /// Waits until writing would not block, for one caller at a time.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or the source was made without this interest.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration.poll_ready(Direction::Write, cx).map_ok(|_| ())
    }

    /// Calls `operation` when reading would not block, until it says something else than `WouldBlock`.
    ///
    /// # Errors
    ///
    /// Those of `operation` (interrupted calls are repeated), and those of [`poll_read_ready`](Source::poll_read_ready).
    pub fn poll_read_io<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_io(Direction::Read, cx, operation, |_| false)
    }

    /// Calls `operation` when writing would not block, until it says something else than `WouldBlock`.
    ///
    /// # Errors
    ///
    /// Those of `operation` (interrupted calls are repeated), and those of [`poll_write_ready`](Source::poll_write_ready).
    pub fn poll_write_io<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_io(Direction::Write, cx, operation, |_| false)
    }

    /// [`poll_read_io`](Source::poll_read_io) for byte streams: `operation` read into `room` bytes. Fewer bytes than that mean that
    /// the stream is drained, so the next read waits without asking the system first.
    ///
    /// # Errors
    ///
    /// Those of [`poll_read_io`](Source::poll_read_io).
    #[inline]
    pub fn poll_read_bytes(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(Direction::Read, cx, operation, |&count| falls_short(count, room))
    }

    /// [`poll_write_io`](Source::poll_write_io) for byte streams: `operation` wrote from `offered` bytes. Fewer bytes than that mean
    /// that the stream is full, so the next write waits without asking the system first.
    ///
    /// # Errors
    ///
    /// Those of [`poll_write_io`](Source::poll_write_io).
    #[inline]
    pub fn poll_write_bytes(
        &self,
        cx: &mut Context<'_>,
        offered: usize,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(Direction::Write, cx, operation, |&count| falls_short(count, offered))
    }

    /// [`poll_read_io`](Source::poll_read_io) for who can tell after a success, cheaper than by trying again, that the next
    /// operation would block. `is_drained` must ask the system after the operation: what comes later is a new event.
    #[doc(hidden)]
    pub fn poll_read_until_drained<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
        is_drained: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<R>> {
        self.poll_io(Direction::Read, cx, operation, |_| is_drained(self.get_ref()))
    }

    /// The same for any number of callers.
    #[doc(hidden)]
    pub async fn read_until_drained<R>(
        &self,
        operation: impl FnMut(&T) -> io::Result<R>,
        is_drained: impl Fn(&T) -> bool,
    ) -> io::Result<R> {
        self.wait_and_do(Interest::READABLE, operation, |_| is_drained(self.get_ref())).await
    }

    #[inline]
    fn poll_io<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        used_up: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        loop {
            let observed = ready!(self.registration.poll_ready(direction, cx))?;
            ready!(crate::coop::poll_proceed(cx));
            match self.attempt(direction.interest(), Some(observed), &mut operation, &used_up) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Calls `operation` once and draws the conclusion for what was `observed` before.
    #[inline]
    fn attempt<R>(
        &self,
        interest: Interest,
        observed: Option<Observed>,
        operation: impl FnOnce(&T) -> io::Result<R>,
        used_up: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let result = operation(self.get_ref());
        let Some(observed) = observed else { return result };
        match &result {
            // A read stops at urgent data, and an event for what is behind it has been.
            Ok(done) if !observed.ready.is_priority() && used_up(done) => {
                self.registration.clear(observed, interest.cleared_by());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.registration.clear(observed, interest.cleared_by() | interest.ends_disproved(observed.ready));
            }
            _ => {}
        }
        result
    }

    /// Waits until reading would not block.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or the source was made without this interest.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; others that wait go on waiting.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until writing would not block.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or the source was made without this interest.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; others that wait go on waiting.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Waits until any of `interest` is the case, and tells what is.
    ///
    /// # Errors
    ///
    /// The runtime has shut down, or the source was made without this interest.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; others that wait go on waiting.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.observed(interest).await.map(|observed| observed.ready)
    }

    pub(crate) async fn observed(&self, interest: Interest) -> io::Result<Observed> {
        self.registration.wait(interest).await
    }

    pub(crate) fn poll_observed(&self, direction: Direction, cx: &Context<'_>) -> Poll<io::Result<Observed>> {
        self.registration.poll_ready(direction, cx)
    }

    /// Takes back what is `used_up`. An end stays: it is not known which operation found that it would block.
    pub(crate) fn clear(&self, observed: Observed, used_up: Ready) {
        self.registration.clear(observed, used_up - (Ready::READ_CLOSED | Ready::WRITE_CLOSED));
    }

    /// Calls `operation` when `interest` is satisfied, until it says something else than `WouldBlock`.
    ///
    /// # Errors
    ///
    /// Those of `operation` (interrupted calls are repeated), and those of [`ready`](Source::ready).
    ///
    /// # Cancel safety
    ///
    /// Between two calls of `operation` nothing is lost: a dropped future has either not completed one, or has returned its result.
    pub async fn async_io<R>(&self, interest: Interest, operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.wait_and_do(interest, operation, |_| false).await
    }

    async fn wait_and_do<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        used_up: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        loop {
            let observed = self.observed(interest).await?;
            match self.attempt(interest, Some(observed), &mut operation, &used_up) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Calls `operation` once, unless it is known that it would block.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) without a call when the source is known not to be ready; otherwise those of
    /// `operation`.
    pub fn try_io<R>(&self, interest: Interest, operation: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        self.try_operation(interest, operation, |_| false)
    }

    /// [`try_io`](Source::try_io) for byte streams, as [`poll_read_bytes`](Source::poll_read_bytes) and its sibling are.
    pub fn try_bytes(
        &self,
        interest: Interest,
        length: usize,
        operation: impl FnOnce(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.try_operation(interest, operation, |&count| falls_short(count, length))
    }

    fn try_operation<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
        used_up: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let observed = self.registration.observe(interest);
        if observed.is_none() && self.registration.watches(interest) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.attempt(interest, observed, operation, used_up)
    }
}

impl<T: mio::event::Source> Drop for Source<T> {
    fn drop(&mut self) {
        if self.registration.leaves_by_closing() {
            return;
        }
        if let Some(mut io) = self.io.take() {
            self.registration.leave(&mut io);
        }
    }
}

impl<T: mio::event::Source + fmt::Debug> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get_ref().fmt(f)
    }
}

/// Whether a byte stream that moved `count` of `length` bytes has no more for now. Nothing moved is its end, or nothing was asked
/// for. Where mio has to see `WouldBlock` in order to arm the poller again, every stream is asked until it says so.
#[inline]
fn falls_short(count: usize, length: usize) -> bool {
    cfg!(unix) && 0 < count && count < length
}
