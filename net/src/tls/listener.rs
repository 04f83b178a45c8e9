//! Accepting and shaking hands, many at once.

use crate::tcp::{TcpListener, TcpStream};
use crate::tls::acceptor::TlsAcceptor;
use crate::tls::handshake::Accept;
use crate::tls::stream::TlsStream;
use futures_util::FutureExt;
use rt_runtime::JoinSet;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

/// How many handshakes are under way where nobody says otherwise.
const MOST_HANDSHAKES: usize = 128;

/// A TCP listener whose connections come under TLS.
///
/// Each handshake is a task of its own, so a slow client keeps nobody waiting, and takes no longer than the acceptor's limit. 128 are
/// under way at most, unless [`with_max_handshakes`](TlsListener::with_max_handshakes) says otherwise; further connections wait in
/// the backlog. Handshakes go on while nobody accepts; dropping the listener breaks them off.
///
/// Counterpart: Twisted's `listenSSL`; tokio has none.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::TcpListener;
/// use rt::net::tls::{TlsAcceptor, TlsListener};
///
/// async fn serve() -> std::io::Result<()> {
///     let acceptor = TlsAcceptor::from_pem_files("cert.pem", "key.pem")?;
///     let mut listener = TlsListener::new(TcpListener::bind("0.0.0.0:443").await?, acceptor);
///     loop {
///         let (stream, peer) = listener.accept().await?;
///         println!("{peer} asked for {:?}", stream.server_name());
///     }
/// }
/// # }
/// ```
pub struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<(io::Result<TlsStream<TcpStream>>, SocketAddr)>,
    max_handshakes: usize,
    on_failure: Option<OnFailure>,
}

type OnFailure = Box<dyn FnMut(io::Error, SocketAddr) + Send>;

impl TlsListener {
    /// Accepts from `listener` and shakes hands by `acceptor`.
    pub fn new(listener: TcpListener, acceptor: TlsAcceptor) -> Self {
        Self { listener, acceptor, handshakes: JoinSet::new(), max_handshakes: MOST_HANDSHAKES, on_failure: None }
    }

    /// How many handshakes may be under way, or be over and wait to be accepted.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn with_max_handshakes(mut self, count: usize) -> Self {
        assert!(count > 0, "a listener that may shake no hands accepts nobody");
        self.max_handshakes = count;
        self
    }

    /// Hears of handshakes that failed, or panicked in a resolver or verifier. Without it they are passed over.
    #[must_use]
    pub fn on_failure(mut self, f: impl FnMut(io::Error, SocketAddr) + Send + 'static) -> Self {
        self.on_failure = Some(Box::new(f));
        self
    }

    /// Waits for the next connection whose handshake is over, in the order in which they end.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::accept`]. A handshake that fails is none.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: the handshakes go on.
    pub async fn accept(&mut self) -> io::Result<(TlsStream<TcpStream>, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// [`accept`](TlsListener::accept) for hand-written futures.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](TlsListener::accept).
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TlsStream<TcpStream>, SocketAddr)>> {
        loop {
            match self.handshakes.poll_join_next(cx) {
                Poll::Ready(Some(Ok((Ok(stream), peer)))) => return Poll::Ready(Ok((stream, peer))),
                Poll::Ready(Some(Ok((Err(error), peer)))) => {
                    if let Some(f) = &mut self.on_failure {
                        f(error, peer);
                    }
                    continue;
                }
                Poll::Ready(Some(Err(_))) => unreachable!("a handshake's panic is caught, and nobody aborts it"),
                Poll::Ready(None) | Poll::Pending => {}
            }
            if self.handshakes.len() == self.max_handshakes {
                return Poll::Pending;
            }
            match self.listener.poll_accept(cx) {
                Poll::Ready(Ok((stream, peer))) => {
                    let handshake = self.acceptor.accept(stream);
                    self.handshakes.spawn(async move { (or_panic(handshake).await, peer) });
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The listener below.
    pub fn get_ref(&self) -> &TcpListener {
        &self.listener
    }

    /// The address that is listened on.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A resolver or verifier that panics fails one handshake, and not the listener.
async fn or_panic(handshake: Accept<TcpStream>) -> io::Result<TlsStream<TcpStream>> {
    AssertUnwindSafe(handshake).catch_unwind().await.unwrap_or_else(|payload| {
        let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        Err(io::Error::other(format!("the handshake panicked: {}", message.unwrap_or("without a message"))))
    })
}

impl fmt::Debug for TlsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsListener")
            .field("listener", &self.listener)
            .field("handshakes", &self.handshakes.len())
            .finish_non_exhaustive()
    }
}
