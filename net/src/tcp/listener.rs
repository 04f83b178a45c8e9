//! A socket that accepts connections.

use crate::accept::{Acceptor, Listen, Pause, accepts, nobody_waits};
use crate::addr::{ToSocketAddrs, first_that_works};
use crate::tcp::stream::TcpStream;
use futures_util::stream::{FusedStream, Stream};
use rt_runtime::Source;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A socket that accepts TCP connections.
///
/// A listener outlives what goes wrong with single connections and with the process's resources:
///
/// - A connection that fails before it is accepted (`ECONNABORTED` and the network errors that Linux reports there) is skipped.
/// - When descriptors or memory run out (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`), [`accept`](TcpListener::accept) and its
///   siblings neither fail nor spin: they pause for 1 ms, then twice as long each time up to 32 ms, until it works again.
///   Connections wait in the backlog meanwhile. [`try_accept`](TcpListener::try_accept) returns the error.
///
/// Counterpart: `tokio::net::TcpListener`, which returns those errors; Twisted's `listenTCP`.
///
/// ```
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
/// use rt::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Echoes one connection.
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let server = rt::spawn(async move {
///     let (mut stream, _peer) = listener.accept().await?;
///     let mut buf = [0; 1024];
///     let n = stream.read(&mut buf).await?;
///     stream.write_all(&buf[..n]).await
/// });
/// let mut client = TcpStream::connect(address).await?;
/// client.write_all(b"hello").await?;
/// let mut answer = [0; 5];
/// client.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"hello");
/// server.await.unwrap()?;
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TcpListener {
    acceptor: Acceptor<mio::net::TcpListener>,
}

const BACKLOG: u32 = 1024;

impl TcpListener {
    /// Listens on the first address of `addr` that can be bound, with `SO_REUSEADDR` on Unix and a backlog of 1024 connections.
    /// For other settings see [`TcpSocket`](crate::TcpSocket). Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// The name is not known, or no address could be bound: the failure of the last one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is left when the future is dropped.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        first_that_works(addr, |address| async move { TcpListener::bind_now(address, BACKLOG, false) }).await
    }

    pub(crate) fn bind_now(address: SocketAddr, backlog: u32, reuse_port: bool) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // On Windows the option means that anybody may take the port over.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if reuse_port {
            reuse_port_of(&socket)?;
        }
        socket.bind(&address.into())?;
        TcpListener::listening(socket, backlog.try_into().unwrap_or(i32::MAX))
    }

    /// Starts to listen on a bound socket.
    pub(crate) fn listening(socket: Socket, backlog: i32) -> io::Result<TcpListener> {
        socket.set_nonblocking(true)?;
        socket.listen(backlog)?;
        TcpListener::from_std(socket.into())
    }

    /// Takes a listener of the standard library, which must be in
    /// [non-blocking mode](std::net::TcpListener::set_nonblocking).
    ///
    /// # Errors
    ///
    /// None on Unix; elsewhere those of registering with the system's poller.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let source = Source::join_when_pending(mio::net::TcpListener::from_std(listener))?;
        Ok(TcpListener { acceptor: Acceptor::new(source) })
    }

    /// Gives the listener back to the standard library. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        Ok(into_std(self.acceptor.into_inner()))
    }

    /// Waits for the next connection. It does not fail while descriptors or memory are short, see [above](TcpListener).
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
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.acceptor.accept().await?;
        Ok((TcpStream::accepted(stream)?, peer))
    }

    accepts!(TcpListener, TcpStream, SocketAddr, TcpStream::accepted);

    /// The address that is listened on; it tells which port was taken for port 0.
    ///
    /// # Errors
    ///
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.get_ref().local_addr()
    }

    /// The time to live of the packets sent, in hops.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.acceptor.get_ref().ttl()
    }

    /// Sets the time to live of the packets sent, in hops.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.acceptor.get_ref().set_ttl(ttl)
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    /// [`from_std`](TcpListener::from_std).
    fn try_from(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.acceptor.get_ref().fmt(f)
    }
}

#[cfg(unix)]
mod unix {
    use super::TcpListener;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    impl AsFd for TcpListener {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.acceptor.get_ref().as_fd()
        }
    }

    impl AsRawFd for TcpListener {
        fn as_raw_fd(&self) -> RawFd {
            self.acceptor.get_ref().as_raw_fd()
        }
    }
}

impl Listen for mio::net::TcpListener {
    type Accepted = (mio::net::TcpStream, SocketAddr);

    fn accept_now(&self) -> io::Result<Self::Accepted> {
        self.accept()
    }

    fn nobody_waits(&self) -> bool {
        nobody_waits(self)
    }
}

/// The stream of [`TcpListener::incoming`].
///
/// Counterpart: `tokio_stream::wrappers::TcpListenerStream`, which owns its listener.
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    pause: Pause,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Incoming { listener, pause } = &mut *self;
        let accepted = ready!(listener.acceptor.poll_accept_with(cx, pause));
        Poll::Ready(Some(accepted.and_then(|(stream, _)| TcpStream::accepted(stream))))
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

#[cfg(unix)]
fn reuse_port_of(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn reuse_port_of(_: &Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no SO_REUSEPORT"))
}

fn into_std(listener: mio::net::TcpListener) -> std::net::TcpListener {
    #[cfg(unix)]
    return std::os::fd::OwnedFd::from(listener).into();
    #[cfg(windows)]
    return std::os::windows::io::OwnedSocket::from(listener).into();
}
