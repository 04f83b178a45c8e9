//! A stream under TLS, either side.

use crate::tls::session::Session;
use futures_util::io::{AsyncBufRead, AsyncRead, AsyncWrite};
use rustls::pki_types::CertificateDer;
use rustls::{Connection, HandshakeKind, ProtocolVersion, SupportedCipherSuite};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A stream under TLS: what [`TlsConnector::connect`](crate::tls::TlsConnector::connect) and
/// [`TlsAcceptor::accept`](crate::tls::TlsAcceptor::accept) make of a stream `S`. Both sides have this type.
///
/// It reads and writes through futures' `AsyncRead`, `AsyncBufRead` and `AsyncWrite`; futures' `AsyncReadExt::split` makes halves
/// for two tasks. After the handshake it needs no runtime.
///
/// # Writing
///
/// `write` encrypts what it takes and hands it to the stream below at once, in one system call if that takes it all. What that does
/// not take waits in the stream: 64 KiB of yours at most, for a further `write` waits until there is nothing left. A write that is dropped
/// while it waits has taken nothing. What was taken is sent by the next `write`, `flush` or `close`, and while a read is polled:
/// **flush before you wait for something else**, and close in the end. What waits in a stream that is dropped is lost.
///
/// `close` sends what waits and TLS's close_notify, then closes the writing side of the stream below. Reading goes on.
///
/// # Reading
///
/// `read` gives `Ok(0)` when the other side has sent its close_notify. If the connection ends without, somebody on the way may have
/// cut it short, and the error is [`UnexpectedEof`](io::ErrorKind::UnexpectedEof); many programs do end so.
/// [`set_accept_truncated_close`](TlsStream::set_accept_truncated_close) makes that an end, too: for protocols that mark the end of
/// each message themselves.
///
/// A record that was tampered with is an error of the kind [`InvalidData`](io::ErrorKind::InvalidData), behind all that was sent
/// before it, and the end of the stream. `std::error::Error::source` of such an error is the [`rustls::Error`].
///
/// # Memory
///
/// A stream that waits holds rustls' state, its read buffer of 4 KiB, and none of ours. One whose reader is slow holds up to 33 KiB
/// of records and what the last of them became, at most 16 KiB; the rest stays in the stream below, and so with the sender.
///
/// # Cancel safety
///
/// `poll_read` and `poll_write` move bytes in the poll that says so, or not at all, so futures of single reads and writes can be
/// dropped between polls; `write_all` then has written a part.
///
/// Counterpart: `tokio_rustls::TlsStream`; Twisted's `TLSMemoryBIOProtocol`.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
/// use rt::net::TcpStream;
/// use rt::net::tls::TlsConnector;
///
/// async fn first_line_of_a_page() -> std::io::Result<String> {
///     let connector = TlsConnector::new()?;
///     let mut stream = connector.connect("example.org", TcpStream::connect("example.org:443").await?).await?;
///     stream.write_all(b"GET / HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\n\r\n").await?;
///     stream.flush().await?;
///     let mut page = String::new();
///     stream.read_to_string(&mut page).await?;
///     Ok(page.lines().next().unwrap_or_default().to_owned())
/// }
/// # }
/// ```
pub struct TlsStream<S> {
    session: Session<S>,
}

impl<S> TlsStream<S> {
    pub(crate) fn new(session: Session<S>) -> Self {
        Self { session }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.session.transport.io
    }

    /// The stream below. Reading from it or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.session.transport.io
    }

    /// Gives up TLS and returns the stream below.
    ///
    /// No close_notify is sent; `close` does that, and closes the writing side. What was written and not flushed is lost, and so is
    /// what was read from the stream below and not from this one: decrypted bytes and records. So the stream can go on without
    /// TLS only if both sides have agreed on it, and nothing was sent meanwhile.
    pub fn into_inner(self) -> S {
        self.session.transport.io
    }

    /// The rustls connection, for what is not here.
    pub fn connection(&self) -> &Connection {
        &self.session.connection
    }

    /// The application protocol that both sides agreed on, such as `b"h2"`.
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.connection().alpn_protocol()
    }

    /// The name of the server: the one that was connected to; on the server, the one that the client asked for, if any.
    pub fn server_name(&self) -> Option<&str> {
        self.session.server_name()
    }

    /// The certificates of the other side, its own first. A server sees some only if it asked for them.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.connection().peer_certificates()
    }

    /// TLS 1.2 or 1.3.
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.connection().protocol_version()
    }

    /// What it encrypts with.
    pub fn cipher_suite(&self) -> Option<SupportedCipherSuite> {
        self.connection().negotiated_cipher_suite()
    }

    /// Whether the handshake was a full one or resumed an earlier session.
    pub fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.connection().handshake_kind()
    }

    /// Whether the end of the connection without a close_notify reads as `Ok(0)`. It is an error unless this, or the option of the
    /// same name on connector or acceptor, says otherwise.
    pub fn set_accept_truncated_close(&mut self, accept: bool) {
        self.session.accepts_truncated_close = accept;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.session.poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.session.poll_read_vectored(cx, bufs)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for TlsStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_mut().session.poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.session.consume(count);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.session.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.session.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.poll_close(cx)
    }
}

impl<S: fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("stream", self.get_ref())
            .field("server_name", &self.server_name())
            .field("protocol_version", &self.protocol_version())
            .finish_non_exhaustive()
    }
}
