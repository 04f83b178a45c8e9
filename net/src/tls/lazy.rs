//! Accepting in two steps: see what the client asks for, then choose.

use crate::tls::acceptor::{TlsAcceptor, check_early_data};
use crate::tls::error::{self, Peer};
use crate::tls::handshake::{Accept, Handshake, Limit, poll_alert};
use crate::tls::session::Session;
use crate::tls::transport::Transport;
use futures_util::io::{AsyncRead, AsyncWrite};
use rustls::ServerConfig;
use rustls::server::{Accepted, AcceptedAlert, Acceptor, ClientHello};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The future of [`TlsAcceptor::accept_lazy`]: waits for the ClientHello.
///
/// # Cancel safety
///
/// Dropping the future drops the stream.
///
/// Counterpart: `tokio_rustls::LazyConfigAcceptor`.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::TcpStream;
/// use rt::net::tls::{TlsAcceptor, TlsStream};
///
/// async fn accept(public: &TlsAcceptor, admin: &TlsAcceptor, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
///     let start = public.accept_lazy(stream).await?;
///     match start.client_hello().server_name() {
///         Some("admin.example.org") => start.accept_with(admin.config().clone()).await,
///         _ => start.accept().await,
///     }
/// }
/// # }
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct LazyAccept<S> {
    tls: TlsAcceptor,
    /// Until it is over.
    inner: Option<(Transport<S>, Limit)>,
    acceptor: Acceptor,
    /// What the client still has to be told, and then we tell.
    refusal: Option<(AcceptedAlert, io::Error)>,
}

impl<S> LazyAccept<S> {
    pub(crate) fn new(tls: TlsAcceptor, stream: S) -> Self {
        let inner = (Transport::new(stream, Vec::new()), Limit::after(tls.options.handshake_timeout));
        Self { tls, inner: Some(inner), acceptor: Acceptor::default(), refusal: None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for LazyAccept<S> {
    type Output = io::Result<StartHandshake<S>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (transport, limit) = this.inner.as_mut().expect("a lazy accept was polled after it was over");
        let accepted = match poll_hello(&mut this.acceptor, transport, &mut this.refusal, cx) {
            Poll::Ready(accepted) => accepted,
            Poll::Pending => {
                let elapsed = ready!(limit.poll_elapsed(cx, Peer::Client));
                Err(this.refusal.take().map_or(elapsed, |(_, failure)| failure))
            }
        };
        let (transport, limit) = this.inner.take().expect("it was there above");
        Poll::Ready(accepted.map(|accepted| StartHandshake { tls: this.tls.clone(), accepted, transport, limit }))
    }
}

fn poll_hello<S: AsyncRead + AsyncWrite + Unpin>(
    acceptor: &mut Acceptor,
    transport: &mut Transport<S>,
    refusal: &mut Option<(AcceptedAlert, io::Error)>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Accepted>> {
    while refusal.is_none() {
        let mut records = ready!(transport.poll_records(cx))?;
        let count = acceptor.read_tls(&mut records)?;
        if count == 0 {
            return Poll::Ready(Err(error::ended_in_handshake(Peer::Client)));
        }
        transport.consume(count);
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Poll::Ready(Ok(accepted)),
            Err((fault, alert)) => *refusal = Some((alert, error::broken(Peer::Client, true, fault))),
        }
    }
    if let Some((alert, _)) = refusal {
        ready!(poll_alert(alert, &mut transport.io, cx));
    }
    let (_, failure) = refusal.take().expect("the loop has ended with one");
    Poll::Ready(Err(failure))
}

impl<S> fmt::Debug for LazyAccept<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyAccept").finish_non_exhaustive()
    }
}

/// A client whose ClientHello is there and that waits for an answer. Dropping it closes the connection.
///
/// Counterpart: `tokio_rustls::StartHandshake`.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::TcpStream;
/// use rt::net::tls::StartHandshake;
///
/// fn speaks_http2(start: &StartHandshake<TcpStream>) -> bool {
///     start.client_hello().alpn().is_some_and(|mut protocols| protocols.any(|protocol| protocol == b"h2"))
/// }
/// # }
/// ```
pub struct StartHandshake<S> {
    tls: TlsAcceptor,
    accepted: Accepted,
    transport: Transport<S>,
    limit: Limit,
}

impl<S> StartHandshake<S> {
    /// What the client asks for: a server name, application protocols, cipher suites.
    pub fn client_hello(&self) -> ClientHello<'_> {
        self.accepted.client_hello()
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.transport.io
    }

    /// Goes on as the acceptor would have.
    ///
    /// # Errors
    ///
    /// Those of [`TlsAcceptor::accept`]; its limit began with [`TlsAcceptor::accept_lazy`].
    pub fn accept(self) -> Accept<S> {
        let config = self.tls.config().clone();
        self.accept_with(config)
    }

    /// Goes on with another configuration, such as another acceptor's.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](StartHandshake::accept).
    pub fn accept_with(self, config: Arc<ServerConfig>) -> Accept<S> {
        let StartHandshake { tls, accepted, transport, limit } = self;
        if let Err(error) = check_early_data(&config) {
            return Accept(Handshake::failed(error));
        }
        Accept(match accepted.into_connection(config) {
            Ok(connection) => {
                let session = Session::new(transport, connection.into())
                    .with_accept_truncated_close(tls.options.accept_truncated_close);
                Handshake::new(session, limit)
            }
            Err((fault, alert)) => {
                Handshake::refusing(transport.io, alert, error::broken(Peer::Client, true, fault), limit)
            }
        })
    }
}

impl<S> fmt::Debug for StartHandshake<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartHandshake").field("client_hello", &self.client_hello()).finish_non_exhaustive()
    }
}
