//! Where connections come from, and what has to happen before HTTP is spoken on one.

use crate::TcpListener;
use hyper::Version;
use std::fmt;
use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;

/// Where [`serve`](super::serve()) takes its connections from.
///
/// Counterpart: `axum::serve::Listener`; this one may fail, which ends the server.
///
/// Connections that are made within the program, for a test:
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod example {
/// use rt::axum::Listener;
/// use rt::net::{TcpListener, TcpStream};
/// use std::{future::pending, io};
///
/// /// One connection, and no other.
/// struct Once(Option<TcpStream>);
///
/// impl Listener for Once {
///     type Io = TcpStream;
///     type Addr = ();
///
///     async fn accept(&mut self) -> io::Result<(TcpStream, ())> {
///         match self.0.take() {
///             Some(stream) => Ok((stream, ())),
///             None => pending().await,
///         }
///     }
///
///     fn local_addr(&self) -> io::Result<()> {
///         Ok(())
///     }
/// }
/// # }
/// ```
pub trait Listener: Send + 'static {
    /// What a connection is when it is accepted.
    type Io: Accepted;
    /// Who is at the other end.
    type Addr: Send + 'static;

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// No further connection will come.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Addr)>> + Send;

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// It cannot be told.
    fn local_addr(&self) -> io::Result<Self::Addr>;
}

/// Each connection with `TCP_NODELAY`: HTTP writes whole messages, which the system need not collect.
/// [`tap_io`](ListenerExt::tap_io) can take that back.
impl Listener for TcpListener {
    type Io = crate::TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(crate::TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        // It fails only on a connection that is gone already, which the first read will tell.
        let _ = stream.set_nodelay(true);
        Ok((stream, peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

/// A connection before HTTP.
///
/// For a plain stream there is nothing to do. A TLS connection has its handshake here, within the task of the connection and within
/// the time that [`Settings::header_read_timeout`](super::Settings::header_read_timeout) allows.
pub trait Accepted: Send + 'static {
    /// What HTTP is spoken on.
    type Stream: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static;

    /// Makes the stream, and tells which version of HTTP the two ends have agreed upon, if they have: HTTP/2 or another. Otherwise the
    /// client's first bytes decide.
    ///
    /// # Errors
    ///
    /// It cannot be made; the connection is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    fn establish(self) -> impl Future<Output = io::Result<(Self::Stream, Option<Version>)>> + Send;
}

impl Accepted for crate::TcpStream {
    type Stream = Self;

    fn establish(self) -> impl Future<Output = io::Result<(Self, Option<Version>)>> + Send {
        ready(Ok((self, None)))
    }
}

/// Additions to [`Listener`].
///
/// Counterpart: `axum::serve::ListenerExt`.
pub trait ListenerExt: Listener + Sized {
    /// Calls `tap` with each connection that is accepted.
    ///
    /// ```no_run
    /// # #[cfg(feature = "axum")]
    /// # async fn example() -> std::io::Result<()> {
    /// use rt::axum::ListenerExt;
    /// use rt::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("0.0.0.0:80").await?.tap_io(|stream| {
    ///     let _ = stream.set_ttl(16);
    /// });
    /// rt::axum::serve(listener, axum::Router::new()).await
    /// # }
    /// ```
    fn tap_io<F>(self, tap: F) -> TapIo<Self, F>
    where
        F: FnMut(&mut Self::Io) + Send + 'static,
    {
        TapIo { listener: self, tap }
    }
}

impl<L: Listener> ListenerExt for L {}

/// The listener of [`ListenerExt::tap_io`].
///
/// Counterpart: `axum::serve::TapIo`.
pub struct TapIo<L, F> {
    listener: L,
    tap: F,
}

impl<L, F> Listener for TapIo<L, F>
where
    L: Listener,
    F: FnMut(&mut L::Io) + Send + 'static,
{
    type Io = L::Io;
    type Addr = L::Addr;

    async fn accept(&mut self) -> io::Result<(L::Io, L::Addr)> {
        let (mut io, addr) = self.listener.accept().await?;
        (self.tap)(&mut io);
        Ok((io, addr))
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

impl<L: fmt::Debug, F> fmt::Debug for TapIo<L, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapIo").field("listener", &self.listener).finish_non_exhaustive()
    }
}
