//! The stream of a connection, and TLS over it.

use super::socket;
use crate::protocol::{ConnectionLost, StartTls};
#[cfg(feature = "tls")]
use crate::tls::{Accept, Connect, TlsStream};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_deferred::Failure;
use std::any::Any;
#[cfg(feature = "tls")]
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The stream of a connection, by how it is used.
pub(super) enum Layer<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Shaking(Box<Shaking<S>>),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<S>>),
    /// It is closed.
    Gone,
}

#[cfg(feature = "tls")]
pub(super) enum Shaking<S> {
    Server(Accept<S>),
    Client(Connect<S>),
}

/// Calls a method of the stream that bytes go through.
macro_rules! through {
    ($layer:expr, $stream:ident => $call:expr) => {
        match $layer {
            Layer::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            #[cfg(feature = "tls")]
            Layer::Tls($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $call
            }
            #[cfg(feature = "tls")]
            Layer::Shaking(_) => Poll::Pending,
            Layer::Gone => Poll::Ready(Err(gone())),
        }
    };
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Layer<S> {
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        through!(self, stream => stream.poll_read(cx, buf))
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        through!(self, stream => match stream.poll_write(cx, buf) {
            Poll::Ready(Ok(0)) if !buf.is_empty() => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            polled => polled,
        })
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self, stream => stream.poll_flush(cx))
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self, stream => stream.poll_close(cx))
    }

    /// Whether there is more to its end than to drop it.
    pub(super) fn says_goodbye(&self) -> bool {
        match self {
            Layer::Plain(stream) => !socket::closes_by_itself(stream),
            #[cfg(feature = "tls")]
            Layer::Tls(_) => true,
            #[cfg(feature = "tls")]
            Layer::Shaking(_) => false,
            Layer::Gone => false,
        }
    }

    /// What an error of reading means.
    pub(super) fn reason(&self, error: io::Error) -> ConnectionLost {
        #[cfg(feature = "tls")]
        if let (Layer::Tls(_), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) = (self, error.kind()) {
            return ConnectionLost::Tls(Failure::new(error));
        }
        error.into()
    }

    /// Gives the stream away, to be dropped; with a reset for the peer, if there is such a thing.
    pub(super) fn close(&mut self, reset: bool) -> Self {
        if let (true, Some(stream)) = (reset, self.socket()) {
            socket::reset_at_close(stream);
        }
        mem::replace(self, Layer::Gone)
    }

    /// The stream itself, under TLS or not.
    pub(super) fn socket(&self) -> Option<&dyn Any> {
        match self {
            Layer::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Layer::Tls(stream) => Some(stream.get_ref()),
            #[cfg(feature = "tls")]
            Layer::Shaking(shaking) => match &**shaking {
                Shaking::Server(accept) => accept.0.io().map(|stream| stream as &dyn Any),
                Shaking::Client(connect) => connect.0.io().map(|stream| stream as &dyn Any),
            },
            Layer::Gone => None,
        }
    }

    /// Begins the handshake. Nothing happens to a stream that is not a plain one.
    pub(super) fn start_tls(&mut self, tls: StartTls) {
        *self = match mem::replace(self, Layer::Gone) {
            #[cfg(feature = "tls")]
            Layer::Plain(stream) => Layer::Shaking(Box::new(match tls.side {
                crate::protocol::start_tls::Side::Server(acceptor) => {
                    Shaking::Server(acceptor.accept_with_buffer(stream, tls.received))
                }
                crate::protocol::start_tls::Side::Client(connector, name) => {
                    Shaking::Client(connector.connect_with_buffer(name, stream, tls.received))
                }
            })),
            #[cfg(not(feature = "tls"))]
            Layer::Plain(_) => match tls {},
            other => other,
        };
    }

    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        #[cfg(feature = "tls")]
        if let Layer::Shaking(shaking) = self {
            let shaken = match &mut **shaking {
                Shaking::Server(accept) => Pin::new(accept).poll(cx),
                Shaking::Client(connect) => Pin::new(connect).poll(cx),
            };
            return shaken.map(|shaken| match shaken {
                Ok(stream) => {
                    *self = Layer::Tls(Box::new(stream));
                    Ok(())
                }
                Err(error) => Err(Failure::new(error)),
            });
        }
        let _ = cx;
        Poll::Pending
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(&self) -> Option<&TlsStream<S>> {
        match self {
            Layer::Tls(stream) => Some(stream),
            _ => None,
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection is gone")
}
