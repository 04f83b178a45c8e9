//! Handshakes: both sides, one future, with a limit in time.

use crate::tls::error::{self, Peer};
use crate::tls::session::Session;
use crate::tls::stream::TlsStream;
use crate::tls::transport::Writing;
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_runtime::time::{Sleep, sleep};
use rustls::server::AcceptedAlert;
use rustls::{Connection, ProtocolVersion};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long a handshake may take where nobody says otherwise.
pub(crate) const HANDSHAKE_TIMEOUT: Option<Duration> = Some(Duration::from_secs(10));

/// The future of [`TlsConnector::connect`](crate::tls::TlsConnector::connect). Its limit in time counts from that call.
///
/// # Cancel safety
///
/// Dropping it drops the stream.
///
/// Counterpart: `tokio_rustls::Connect`.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::TcpStream;
/// use rt::net::tls::{Connect, TlsConnector};
///
/// fn shaking(connector: &TlsConnector, stream: TcpStream) -> Connect<TcpStream> {
///     connector.connect("example.org", stream)
/// }
/// # }
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Connect<S>(pub(crate) Handshake<S>);

/// The future of [`TlsAcceptor::accept`](crate::tls::TlsAcceptor::accept). Its limit in time counts from that call.
///
/// With TLS 1.3 it is over when the client has proved itself; the session tickets that a server sends then go out with what is
/// written or read next, if the stream below does not take them at once.
///
/// # Cancel safety
///
/// Dropping it drops the stream.
///
/// Counterpart: `tokio_rustls::Accept`, which waits for the tickets, too.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::TcpStream;
/// use rt::net::tls::{Accept, TlsAcceptor};
///
/// fn shaking(acceptor: &TlsAcceptor, stream: TcpStream) -> Accept<TcpStream> {
///     acceptor.accept(stream)
/// }
/// # }
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Accept<S>(pub(crate) Handshake<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Connect<S> {
    type Output = io::Result<TlsStream<S>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Accept<S> {
    type Output = io::Result<TlsStream<S>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<S> fmt::Debug for Connect<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Accept<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept").finish_non_exhaustive()
    }
}

pub(crate) struct Handshake<S> {
    state: State<S>,
    limit: Limit,
}

enum State<S> {
    Shaking {
        session: Session<S>,
        /// Records were handed to the stream below that it may hold back until it is flushed.
        is_unflushed: bool,
        /// What is told once the other side has been told.
        failure: Option<io::Error>,
    },
    /// The ClientHello was not to our liking.
    Refusing {
        io: S,
        alert: AcceptedAlert,
        failure: io::Error,
    },
    Failed(io::Error),
    Done,
}

impl<S> Handshake<S> {
    pub(crate) fn new(session: Session<S>, limit: Limit) -> Self {
        Self { state: State::Shaking { session, is_unflushed: false, failure: None }, limit }
    }

    pub(crate) fn refusing(io: S, alert: AcceptedAlert, failure: io::Error, limit: Limit) -> Self {
        Self { state: State::Refusing { io, alert, failure }, limit }
    }

    pub(crate) fn failed(failure: io::Error) -> Self {
        Self { state: State::Failed(failure), limit: Limit::after(None) }
    }

    /// The stream below, while there is one.
    pub(crate) fn io(&self) -> Option<&S> {
        match &self.state {
            State::Shaking { session, .. } => Some(&session.transport.io),
            State::Refusing { io, .. } => Some(io),
            State::Failed(_) | State::Done => None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Handshake<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TlsStream<S>>> {
        let polled = match &mut self.state {
            State::Shaking { session, is_unflushed, failure } => poll_shaking(session, is_unflushed, failure, cx),
            State::Refusing { io, alert, .. } => poll_alert(alert, io, cx).map(Ok),
            State::Failed(_) => Poll::Ready(Ok(())),
            State::Done => panic!("a TLS handshake was polled after it was over"),
        };
        let result = match polled {
            Poll::Ready(result) => result,
            Poll::Pending => {
                let peer = match &self.state {
                    State::Shaking { session, .. } => session.peer(),
                    _ => Peer::Client,
                };
                Err(ready!(self.limit.poll_elapsed(cx, peer)))
            }
        };
        Poll::Ready(match std::mem::replace(&mut self.state, State::Done) {
            State::Shaking { session, failure: None, .. } => result.map(|()| TlsStream::new(session)),
            State::Shaking { failure: Some(failure), .. }
            | State::Refusing { failure, .. }
            | State::Failed(failure) => Err(failure),
            State::Done => unreachable!("that was seen above"),
        })
    }
}

fn poll_shaking<S: AsyncRead + AsyncWrite + Unpin>(
    session: &mut Session<S>,
    is_unflushed: &mut bool,
    failure: &mut Option<io::Error>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let is_sent = poll_flight(session, is_unflushed, cx);
        if failure.is_some() {
            // Whether the alert could be sent changes nothing.
            return is_sent.map(|_| Ok(()));
        }
        if !session.connection.is_handshaking() && is_for_later(&session.connection) {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(result) = is_sent {
            result.map_err(|error| cause(session, cx).unwrap_or(error))?;
            if !session.connection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
        }
        // There is plaintext, or the end: all that is left is to send, and what comes now is for later.
        if !session.connection.is_handshaking() && session.is_readable {
            return Poll::Pending;
        }
        // Also while ours is not sent: with little room between them, both sides might write and nobody read.
        match ready!(session.poll_receive(cx)) {
            Ok(0) if session.connection.is_handshaking() => {
                return Poll::Ready(Err(error::ended_in_handshake(session.peer())));
            }
            Ok(_) => {}
            Err(error) => *failure = Some(error),
        }
    }
}

/// Why the other side takes no more, if it has said so.
fn cause<S: AsyncRead + AsyncWrite + Unpin>(session: &mut Session<S>, cx: &mut Context<'_>) -> Option<io::Error> {
    match session.poll_receive(cx) {
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Some(error),
        _ => None,
    }
}

/// Whether what a side sends after its handshake is of no consequence now. With TLS 1.3 that is a server's session tickets: a client
/// that does not read them yet, or has asked its question and closed, is welcome nevertheless.
fn is_for_later(connection: &Connection) -> bool {
    matches!(connection, Connection::Server(_)) && connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
}

fn poll_flight<S: AsyncRead + AsyncWrite + Unpin>(
    session: &mut Session<S>,
    is_unflushed: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if session.connection.wants_write() {
        *is_unflushed = true;
        ready!(session.poll_send(cx))?;
    }
    if *is_unflushed {
        ready!(Pin::new(&mut session.transport.io).poll_flush(cx))?;
        *is_unflushed = false;
    }
    Poll::Ready(Ok(()))
}

/// Sends an alert as far as the stream takes it. That it cannot be sent is no failure: there is one already.
pub(crate) fn poll_alert<S>(alert: &mut AcceptedAlert, io: &mut S, cx: &mut Context<'_>) -> Poll<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match alert.write(&mut Writing { io, cx }) {
            Ok(0) => return Pin::new(io).poll_flush(cx).map(drop),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(_) => return Poll::Ready(()),
        }
    }
}

/// When a handshake has to be over.
pub(crate) struct Limit {
    sleep: Option<(Sleep, Duration)>,
}

impl Limit {
    pub(crate) fn after(limit: Option<Duration>) -> Self {
        Self { sleep: limit.map(|limit| (sleep(limit), limit)) }
    }

    /// Resolves to the error that says so.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>, peer: Peer<'_>) -> Poll<io::Error> {
        let Some((sleep, limit)) = &mut self.sleep else { return Poll::Pending };
        ready!(Pin::new(sleep).poll(cx));
        Poll::Ready(error::timed_out(peer, *limit))
    }
}
