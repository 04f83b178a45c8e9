//! A connection between two processes of one host.

use crate::accept::Pause;
use crate::readiness::{operations_of_the_users, waits, waits_to_read, waits_to_write};
use crate::unix::addr::address;
use crate::unix::creds::{self, UCred};
use crate::unix::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use rt_runtime::Source;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// A Unix stream, made by [`connect`](UnixStream::connect), [`UnixListener::accept`](crate::UnixListener::accept) or
/// [`pair`](UnixStream::pair).
///
/// It reads and writes through futures' `AsyncRead` and `AsyncWrite` (and their `Ext` traits), through a half of
/// [`split`](UnixStream::split) or [`into_split`](UnixStream::into_split), or by hand: [`readable`](UnixStream::readable) and
/// [`try_read`](UnixStream::try_read). `poll_read` and `poll_write` remember one task each; `readable` and its siblings any number.
/// A stream buffers nothing: what `write` has taken is in the system's hands, and `flush` has nothing to do.
///
/// Descriptors travel with [`send_with_fds`](UnixStream::send_with_fds) and [`recv_with_fds`](UnixStream::recv_with_fds); a plain
/// read closes those that come with its bytes.
///
/// Counterpart: `tokio::net::UnixStream`; Twisted's `IUNIXTransport`.
///
/// ```
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
/// use rt::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Both ends of a connection in one task.
/// let (mut near, mut far) = UnixStream::pair()?;
/// near.write_all(b"hello").await?;
/// near.close().await?;
/// let mut text = String::new();
/// far.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct UnixStream {
    source: Source<mio::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at `path`. On Linux a path that begins with a NUL byte is an abstract name.
    ///
    /// While the listener's backlog is full it tries again, after 1 ms, then twice as long each time up to 32 ms. (Elsewhere than on
    /// Linux and Android a full backlog refuses the connection.)
    ///
    /// # Errors
    ///
    /// There is no such path (`NotFound`), nobody listens there (`ConnectionRefused`), or this process may not.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, when it has to wait.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket; the peer may have seen a connection.
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&address(path.as_ref())?).await
    }

    /// [`connect`](UnixStream::connect) to an address, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](UnixStream::connect).
    ///
    /// # Panics
    ///
    /// Outside of a runtime, when it has to wait.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket; the peer may have seen a connection.
    pub async fn connect_addr(socket_addr: &SocketAddr) -> io::Result<UnixStream> {
        let mut pause = Pause::new();
        loop {
            match mio::net::UnixStream::connect_addr(socket_addr) {
                // No event tells when the backlog has room again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => pause.begin(),
                connected => return UnixStream::connecting(connected?).await,
            }
            poll_fn(|cx| pause.poll(cx)).await;
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    async fn connecting(stream: mio::net::UnixStream) -> io::Result<UnixStream> {
        // Here `connect` either connects at once or not at all.
        UnixStream::of(stream)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    async fn connecting(stream: mio::net::UnixStream) -> io::Result<UnixStream> {
        let source = Source::join_connecting(stream)?;
        source.writable().await?;
        match source.get_ref().take_error()? {
            Some(error) => Err(error),
            None => Ok(UnixStream { source }),
        }
    }

    /// Two streams that are connected with each other.
    ///
    /// # Errors
    ///
    /// Those of `socketpair`, such as running out of descriptors.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (near, far) = mio::net::UnixStream::pair()?;
        Ok((UnixStream::of(near)?, UnixStream::of(far)?))
    }

    /// A connected stream.
    pub(super) fn of(stream: mio::net::UnixStream) -> io::Result<UnixStream> {
        Ok(UnixStream { source: Source::join_when_pending(stream)? })
    }

    /// Takes a connected stream of the standard library, which must be in
    /// [non-blocking mode](std::os::unix::net::UnixStream::set_nonblocking).
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        UnixStream::of(mio::net::UnixStream::from_std(stream))
    }

    /// Gives the stream back to the standard library. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        Ok(OwnedFd::from(self.source.into_inner()).into())
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of `getpeername`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io().peer_addr()
    }

    /// Who is at the other end: the process that connected, listened or made the pair, at the time when it did.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`; [`Unsupported`](io::ErrorKind::Unsupported) elsewhere than on Linux and Android.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        creds::of_peer(self.io())
    }

    /// Takes the error that is pending on the socket.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io().take_error()
    }

    /// Ends writing: the other end reads up to its end of file. Reading goes on.
    ///
    /// A connection that is gone already counts as shut down.
    ///
    /// # Errors
    ///
    /// Those of `shutdown`.
    ///
    /// # Cancel safety
    ///
    /// It completes the first time it is polled.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.shutdown_now(Shutdown::Write)
    }

    pub(super) fn shutdown_now(&self, how: Shutdown) -> io::Result<()> {
        match self.io().shutdown(how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    waits!();
    waits_to_read!(UnixStream, try_read, poll_read_ready);
    waits_to_write!(UnixStream, try_write, poll_write_ready);
    operations_of_the_users!();

    /// Two halves that borrow the stream, for reading and writing at the same time in one task.
    ///
    /// Where futures' `AsyncReadExt` is in scope, `stream.split()` is that trait's method, whose halves own the stream behind a
    /// lock: write `UnixStream::split(&mut stream)` for these.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Two halves that can go to different tasks. Dropping the writing half ends writing.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    fn io(&self) -> &mio::net::UnixStream {
        self.source.get_ref()
    }

    pub(super) fn source(&self) -> &Source<mio::net::UnixStream> {
        &self.source
    }
}

impl TryFrom<std::os::unix::net::UnixStream> for UnixStream {
    type Error = io::Error;

    /// [`from_std`](UnixStream::from_std).
    fn try_from(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        UnixStream::from_std(stream)
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl AsRawFd for UnixStream {
    fn as_raw_fd(&self) -> RawFd {
        self.io().as_raw_fd()
    }
}
