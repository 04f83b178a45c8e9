//! A Unix socket that accepts connections.

use crate::accept::{Acceptor, Listen, Pause, accepts, nobody_waits};
use crate::unix::addr::address;
use crate::unix::stream::UnixStream;
use futures_util::stream::{FusedStream, Stream};
use rt_runtime::Source;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A Unix socket that accepts connections.
///
/// A path stays in the file system when the listener is dropped: remove it, and remove an old one before [`bind`](Self::bind).
/// Abstract names (on Linux) go away by themselves.
///
/// When descriptors or memory run out, [`accept`](UnixListener::accept) and its siblings pause and go on by themselves, as those of
/// [`TcpListener`](crate::TcpListener) do.
///
/// Counterpart: `tokio::net::UnixListener`, which returns those errors; Twisted's `listenUNIX`.
///
/// ```
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
/// use rt::net::{UnixListener, UnixStream};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Greets one client.
/// let path = std::env::temp_dir().join(format!("greeter-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let mut client = UnixStream::connect(&path).await?;
/// std::fs::remove_file(&path)?;
///
/// let (mut server, _from) = listener.accept().await?;
/// server.write_all(b"hello").await?;
/// drop(server);
/// let mut text = String::new();
/// client.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct UnixListener {
    acceptor: Acceptor<mio::net::UnixListener>,
}

impl UnixListener {
    /// Listens at `path`, which must not exist. On Linux a path that begins with a NUL byte is an abstract name.
    ///
    /// # Errors
    ///
    /// The path exists (`AddrInUse`) or is too long (about 100 bytes are allowed), or the directory is not writable.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&address(path.as_ref())?)
    }

    /// Listens at an address, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](UnixListener::bind).
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::of(mio::net::UnixListener::bind_addr(socket_addr)?)
    }

    fn of(listener: mio::net::UnixListener) -> io::Result<UnixListener> {
        Ok(UnixListener { acceptor: Acceptor::new(Source::join_when_pending(listener)?) })
    }

    /// Takes a listener of the standard library, which must be in
    /// [non-blocking mode](std::os::unix::net::UnixListener::set_nonblocking).
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        UnixListener::of(mio::net::UnixListener::from_std(listener))
    }

    /// Gives the listener back to the standard library. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        Ok(OwnedFd::from(self.acceptor.into_inner()).into())
    }

    /// Waits for the next connection. It does not fail while descriptors or memory are short, see [above](UnixListener). The
    /// address is that of the client, which mostly has none.
    ///
    /// # Errors
    ///
    /// The listening socket itself is unusable, or the runtime has shut down.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped. Several tasks may accept at once.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, peer) = self.acceptor.accept().await?;
        Ok((UnixStream::of(stream)?, peer))
    }

    accepts!(UnixListener, UnixStream, SocketAddr, UnixStream::of);

    /// The address that is listened at.
    ///
    /// # Errors
    ///
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.get_ref().local_addr()
    }

    /// Takes the error that is pending on the socket.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.acceptor.get_ref().take_error()
    }
}

impl Listen for mio::net::UnixListener {
    type Accepted = (mio::net::UnixStream, SocketAddr);

    fn accept_now(&self) -> io::Result<Self::Accepted> {
        self.accept()
    }

    fn nobody_waits(&self) -> bool {
        nobody_waits(self)
    }
}

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    /// [`from_std`](UnixListener::from_std).
    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        UnixListener::from_std(listener)
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.acceptor.get_ref().fmt(f)
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.acceptor.get_ref().as_fd()
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.acceptor.get_ref().as_raw_fd()
    }
}

/// The stream of [`UnixListener::incoming`].
///
/// Counterpart: `tokio_stream::wrappers::UnixListenerStream`, which owns its listener.
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
    pause: Pause,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Incoming { listener, pause } = &mut *self;
        let accepted = ready!(listener.acceptor.poll_accept_with(cx, pause));
        Poll::Ready(Some(accepted.and_then(|(stream, _)| UnixStream::of(stream))))
    }
}

impl FusedStream for Incoming<'_> {
    fn is_terminated(&self) -> bool {
        false
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("listener", self.listener).finish()
    }
}
