//! The server's side.

use crate::tls::connector::check_alpn;
use crate::tls::error::{invalid, invalid_because};
use crate::tls::handshake::{Accept, HANDSHAKE_TIMEOUT, Handshake, Limit};
use crate::tls::lazy::LazyAccept;
use crate::tls::pem::{Identity, Pem, provider};
use crate::tls::resolver::{Names, SniResolver};
use crate::tls::session::Session;
use crate::tls::transport::Transport;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection};
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
        TlsAcceptorBuilder {
            identities: Vec::new(),
            resolver: None,
            alpn: Vec::new(),
            client_roots: Vec::new(),
            is_client_certificate_optional: false,
            resumes_sessions: true,
            options: Options::default(),
        }
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
        let handshake = match ServerConnection::new(self.config.clone()) {
            Ok(connection) => {
                let session = Session::new(Transport::new(stream, received.into()), connection.into())
                    .with_accept_truncated_close(self.options.accept_truncated_close);
                Handshake::new(session, Limit::after(self.options.handshake_timeout))
            }
            Err(fault) => Handshake::failed(invalid_because(format!("no TLS connection can begin: {fault}"), fault)),
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

/// Builds a [`TlsAcceptor`]. Files are read by [`build`](TlsAcceptorBuilder::build).
///
/// Counterpart: `rustls::ServerConfig::builder`.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::tls::TlsAcceptor;
///
/// fn acceptor() -> std::io::Result<TlsAcceptor> {
///     TlsAcceptor::builder()
///         .certificate_pem_files("www.pem", "www.key")
///         .certificate_pem_files("shop.pem", "shop.key")
///         .alpn(["h2", "http/1.1"])
///         .client_root_pem_file("our-customers.pem")
///         .build()
/// }
/// # }
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct TlsAcceptorBuilder {
    identities: Vec<Identity>,
    resolver: Option<Arc<SniResolver>>,
    alpn: Vec<Vec<u8>>,
    client_roots: Vec<Pem>,
    is_client_certificate_optional: bool,
    resumes_sessions: bool,
    options: Options,
}

impl TlsAcceptorBuilder {
    /// Adds a certificate, followed in its file by those of its issuers, and its key. The first one is the default; the others are
    /// for clients that ask for a name that they bear.
    pub fn certificate_pem_files(mut self, certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.identities.push(Identity::files(certificates, key));
        self
    }

    /// [`certificate_pem_files`](TlsAcceptorBuilder::certificate_pem_files) with the contents of the files.
    pub fn certificate_pem(mut self, certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identities.push(Identity::bytes(certificates, key));
        self
    }

    /// Chooses among certificates of your own making. Those of the other options are added to them.
    pub fn resolver(mut self, resolver: Arc<SniResolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Speaks these application protocols, the best first. A client that offers only others is refused, one that offers none is not.
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(|protocol| protocol.as_ref().to_owned()).collect();
        self
    }

    /// Asks clients for a certificate that is certified by one in this file, and refuses those without.
    pub fn client_root_pem_file(mut self, path: impl AsRef<Path>) -> Self {
        self.client_roots.push(Pem::file(path));
        self
    }

    /// [`client_root_pem_file`](TlsAcceptorBuilder::client_root_pem_file) with the contents of the file.
    pub fn client_root_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.client_roots.push(Pem::bytes(pem));
        self
    }

    /// Does not refuse clients without a certificate. One that is not good is refused nevertheless.
    pub fn client_certificate_optional(mut self) -> Self {
        self.is_client_certificate_optional = true;
        self
    }

    /// Whether sessions are taken up again. They are, unless this says otherwise.
    pub fn session_resumption(mut self, resume: bool) -> Self {
        self.resumes_sessions = resume;
        self
    }

    /// How long a handshake may take: 10 s, unless this says otherwise. `None`: as long as it takes.
    pub fn handshake_timeout(mut self, limit: Option<Duration>) -> Self {
        self.options.handshake_timeout = limit;
        self
    }

    /// Whether the end of a connection without a close_notify is an end, and not an error: see
    /// [`TlsStream`](crate::tls::TlsStream).
    pub fn accept_truncated_close(mut self, accept: bool) -> Self {
        self.options.accept_truncated_close = accept;
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    ///
    /// A file cannot be read or holds something else, a key does not belong to its certificate, a certificate other than the first
    /// bears no DNS name, the name of an application protocol is empty or longer than 255 bytes, or there is no certificate at all.
    pub fn build(self) -> io::Result<TlsAcceptor> {
        check_alpn(&self.alpn)?;
        let resolver = match self.resolver {
            Some(resolver) => {
                for identity in &self.identities {
                    resolver.add(identity, Names::OfTheCertificate, false)?;
                }
                resolver
            }
            None if self.identities.is_empty() => {
                return Err(invalid("a TLS server needs a certificate: certificate_pem_files adds one"));
            }
            None => {
                let resolver = SniResolver::new();
                for (index, identity) in self.identities.iter().enumerate() {
                    resolver.add(identity, Names::OfTheCertificate, index == 0)?;
                }
                Arc::new(resolver)
            }
        };
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|fault| invalid_because(format!("the process's rustls provider cannot do TLS: {fault}"), fault))?;
        let config = if self.client_roots.is_empty() {
            if self.is_client_certificate_optional {
                return Err(invalid(
                    "client_certificate_optional needs to know whom to trust: client_root_pem_file says so",
                ));
            }
            config.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for pem in &self.client_roots {
                pem.add_to(&mut roots)?;
            }
            let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            if self.is_client_certificate_optional {
                verifier = verifier.allow_unauthenticated();
            }
            let verifier = verifier
                .build()
                .map_err(|fault| invalid_because(format!("client certificates cannot be judged: {fault}"), fault))?;
            config.with_client_cert_verifier(verifier)
        };
        let mut config = config.with_cert_resolver(resolver.clone());
        config.alpn_protocols = self.alpn;
        if !self.resumes_sessions {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(TlsAcceptor { config: Arc::new(config), resolver: Some(resolver), options: self.options })
    }
}

impl fmt::Debug for TlsAcceptorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptorBuilder").finish_non_exhaustive()
    }
}
