//! The server's side.

use crate::tls::acceptor_builder::TlsAcceptorBuilder;
use crate::tls::error::{invalid, invalid_because};
use crate::tls::handshake::{Accept, HANDSHAKE_TIMEOUT, Handshake, Limit};
use crate::tls::lazy::LazyAccept;
use crate::tls::resolver::SniResolver;
use crate::tls::session::Session;
use crate::tls::transport::Transport;
use rustls::{ServerConfig, ServerConnection};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Puts streams under TLS, as a server.
///
/// Clones share everything. A handshake may take 10 s, unless [`handshake_timeout`](TlsAcceptorBuilder::handshake_timeout) says
/// otherwise. Give each handshake a task of its own, or one slow client keeps the others waiting;
/// [`TlsListener`](crate::tls::TlsListener) does so.
///
/// Counterpart: `tokio_rustls::TlsAcceptor`; Twisted's `CertificateOptions` with `listenSSL`.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::TcpListener;
/// use rt::net::tls::TlsAcceptor;
///
/// async fn serve() -> std::io::Result<()> {
///     let acceptor = TlsAcceptor::from_pem_files("cert.pem", "key.pem")?;
///     let listener = TcpListener::bind("0.0.0.0:443").await?;
///     loop {
///         let (stream, _) = listener.accept().await?;
///         let acceptor = acceptor.clone();
///         rt::spawn(async move {
///             let stream = acceptor.accept(stream).await?;
///             let (reader, mut writer) = futures_util::io::AsyncReadExt::split(stream);
///             futures_util::io::copy(reader, &mut writer).await
///         });
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
    resolver: Option<Arc<SniResolver>>,
    pub(crate) options: Options,
}

/// What is ours and not rustls'.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) accept_truncated_close: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { handshake_timeout: HANDSHAKE_TIMEOUT, accept_truncated_close: false }
    }
}

impl TlsAcceptor {
    /// A server with one certificate, followed in its file by those of its issuers, shown to every client.
    ///
    /// # Errors
    ///
    /// A file cannot be read or holds something else, or the key does not belong to the certificate: the sentence names the file.
    pub fn from_pem_files(certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> io::Result<TlsAcceptor> {
        TlsAcceptor::builder().certificate_pem_files(certificates, key).build()
    }

    /// An acceptor to one's measure.
    pub fn builder() -> TlsAcceptorBuilder {
        TlsAcceptorBuilder::new()
    }

    pub(crate) fn new(config: ServerConfig, resolver: Arc<SniResolver>, options: Options) -> Self {
        Self { config: Arc::new(config), resolver: Some(resolver), options }
    }

    /// Shakes hands with the client at the other end of `stream`.
    ///
    /// `stream` may have been in use before (STARTTLS). If it was read through a buffer, see
    /// [`accept_with_buffer`](TlsAcceptor::accept_with_buffer).
    ///
    /// # Errors
    ///
    /// There is nothing that both sides support, no certificate for the name that the client asks for, or its certificate is not good;
    /// the connection ended ([`UnexpectedEof`](io::ErrorKind::UnexpectedEof)) or broke, or time is up
    /// ([`TimedOut`](io::ErrorKind::TimedOut)). What TLS is unhappy with is of the kind
    /// [`InvalidData`](io::ErrorKind::InvalidData), and its `source` is the [`rustls::Error`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime, unless there is no timeout.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream: a handshake cannot be taken up again.
    pub fn accept<S>(&self, stream: S) -> Accept<S> {
        self.accept_with_buffer(stream, Vec::new())
    }

    /// [`accept`](TlsAcceptor::accept) for a stream from which `received` was read ahead and not used, say by a `BufReader` that was
    /// taken apart.
    ///
    /// After STARTTLS, hand in **all** that the client sent behind that command. A client has to wait for the consent, so what is
    /// there already is commands that somebody slipped in to have them obeyed under TLS: here they make the handshake fail. To obey
    /// or to drop them would be a hole.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](TlsAcceptor::accept).
    ///
    /// # Panics
    ///
    /// Those of [`accept`](TlsAcceptor::accept).
    pub fn accept_with_buffer<S>(&self, stream: S, received: impl Into<Vec<u8>>) -> Accept<S> {
        let connection = check_early_data(&self.config).and_then(|()| {
            ServerConnection::new(self.config.clone())
                .map_err(|fault| invalid_because(format!("no TLS connection can begin: {fault}"), fault))
        });
        let handshake = match connection {
            Ok(connection) => {
                let session = Session::new(Transport::new(stream, received.into()), connection.into())
                    .with_accept_truncated_close(self.options.accept_truncated_close);
                Handshake::new(session, Limit::after(self.options.handshake_timeout))
            }
            Err(error) => Handshake::failed(error),
        };
        Accept(handshake)
    }

    /// Waits for what the client asks for, and lets you choose with which configuration to go on.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, unless there is no timeout. It is one limit for this and the rest of the handshake.
    pub fn accept_lazy<S>(&self, stream: S) -> LazyAccept<S> {
        LazyAccept::new(self.clone(), stream)
    }

    /// The same with another limit for handshakes. `None`: they take as long as they take.
    #[must_use]
    pub fn with_handshake_timeout(mut self, limit: Option<Duration>) -> Self {
        self.options.handshake_timeout = limit;
        self
    }

    /// The certificates, to be added to or reloaded. There is none if rustls was told by hand.
    pub fn resolver(&self) -> Option<&Arc<SniResolver>> {
        self.resolver.as_ref()
    }

    /// What rustls was told.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

impl From<Arc<ServerConfig>> for TlsAcceptor {
    /// Its `max_early_data_size` has to be 0, as it is by default: no handshake begins otherwise.
    fn from(config: Arc<ServerConfig>) -> Self {
        Self { config, resolver: None, options: Options::default() }
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor")
            .field("resolver", &self.resolver)
            .field("handshake_timeout", &self.options.handshake_timeout)
            .finish_non_exhaustive()
    }
}

/// Early data is read apart from the rest in rustls, and would be lost here.
pub(crate) fn check_early_data(config: &ServerConfig) -> io::Result<()> {
    match config.max_early_data_size {
        0 => Ok(()),
        size => Err(invalid(format!(
            "early data (0-RTT) is not read by a TlsStream: max_early_data_size has to be 0, and it is {size}"
        ))),
    }
}
