//! What has to happen on a connection before HTTP is spoken there, and additions to listeners.

use crate::Listener;
#[cfg(feature = "tls")]
use crate::tls::{TlsAcceptor, TlsStream};
#[cfg(feature = "tls")]
use futures_util::io::{AsyncRead, AsyncWrite};
use hyper::Version;
use std::fmt;
use std::future::{Future, ready};
use std::io;
use std::task::{Context, Poll, ready};

/// A connection before HTTP.
///
/// For a plain stream there is nothing to do. A TLS connection has its handshake here, within the task of the connection and within
/// the time that [`Settings::header_read_timeout`](super::Settings::header_read_timeout) allows.
///
/// Connections that begin with the client's true address, as a proxy in front of the server sends it:
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod example {
/// use futures_util::io::AsyncReadExt;
/// use rt::axum::Accepted;
/// use rt::net::TcpStream;
/// use std::io;
///
/// struct BehindProxy(TcpStream);
///
/// impl Accepted for BehindProxy {
///     type Stream = TcpStream;
///
///     async fn establish(mut self) -> io::Result<(TcpStream, Option<hyper::Version>)> {
///         let mut address = [0; 16];
///         self.0.read_exact(&mut address).await?;
///         Ok((self.0, None))
///     }
/// }
/// # }
/// ```
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

/// With `TCP_NODELAY`: HTTP writes whole messages, which the system need not collect.
impl Accepted for crate::TcpStream {
    type Stream = Self;

    fn establish(self) -> impl Future<Output = io::Result<(Self, Option<Version>)>> + Send {
        // It fails only on a connection that is gone already, which the first read will tell.
        let _ = self.set_nodelay(true);
        ready(Ok((self, None)))
    }
}

#[cfg(unix)]
impl Accepted for crate::UnixStream {
    type Stream = Self;

    fn establish(self) -> impl Future<Output = io::Result<(Self, Option<Version>)>> + Send {
        ready(Ok((self, None)))
    }
}

impl Accepted for crate::io::DuplexStream {
    type Stream = Self;

    fn establish(self) -> impl Future<Output = io::Result<(Self, Option<Version>)>> + Send {
        ready(Ok((self, None)))
    }
}

#[cfg(feature = "tls")]
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Accepted for TlsStream<S> {
    type Stream = Self;

    fn establish(self) -> impl Future<Output = io::Result<(Self, Option<Version>)>> + Send {
        let version = agreed_version(&self);
        ready(Ok((self, version)))
    }
}

/// A connection of [`ListenerExt::tls`], before its handshake.
#[cfg(feature = "tls")]
#[derive(Debug)]
pub struct BeforeTls<S> {
    stream: S,
    acceptor: TlsAcceptor,
}

#[cfg(feature = "tls")]
impl<S> Accepted for BeforeTls<S>
where
    S: Accepted<Stream: AsyncRead + AsyncWrite>,
{
    type Stream = TlsStream<S::Stream>;

    async fn establish(self) -> io::Result<(Self::Stream, Option<Version>)> {
        let (stream, _) = self.stream.establish().await?;
        let stream = self.acceptor.accept(stream).await?;
        let version = agreed_version(&stream);
        Ok((stream, version))
    }
}

#[cfg(feature = "tls")]
fn agreed_version<S>(stream: &TlsStream<S>) -> Option<Version> {
    match stream.alpn_protocol() {
        Some(b"h2") => Some(Version::HTTP_2),
        Some(_) => Some(Version::HTTP_11),
        None => None,
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

    /// Puts each connection under TLS, in the connection's own task. Clients may choose HTTP/2 if the acceptor offers it: with
    /// `alpn(["h2", "http/1.1"])`.
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "axum", feature = "tls"))]
    /// # async fn example() -> std::io::Result<()> {
    /// use rt::axum::ListenerExt;
    /// use rt::net::{TcpListener, tls::TlsAcceptor};
    ///
    /// let acceptor = TlsAcceptor::builder()
    ///     .certificate_pem_files("cert.pem", "key.pem")
    ///     .alpn(["h2", "http/1.1"])
    ///     .build()?;
    /// let listener = TcpListener::bind("0.0.0.0:443").await?.tls(acceptor);
    /// rt::axum::serve(listener, axum::Router::new()).await
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    fn tls(self, acceptor: TlsAcceptor) -> Tls<Self> {
        Tls { listener: self, acceptor }
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

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(L::Io, L::Addr)>> {
        let (mut io, addr) = ready!(self.listener.poll_accept(cx))?;
        (self.tap)(&mut io);
        Poll::Ready(Ok((io, addr)))
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

/// The listener of [`ListenerExt::tls`].
#[cfg(feature = "tls")]
#[derive(Debug)]
pub struct Tls<L> {
    listener: L,
    acceptor: TlsAcceptor,
}

#[cfg(feature = "tls")]
impl<L: Listener> Listener for Tls<L> {
    type Io = BeforeTls<L::Io>;
    type Addr = L::Addr;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(BeforeTls<L::Io>, L::Addr)>> {
        let (stream, addr) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(Ok((BeforeTls { stream, acceptor: self.acceptor.clone() }, addr)))
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}
