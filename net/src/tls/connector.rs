//! The client's side.

use crate::tls::error::{invalid, invalid_because};
use crate::tls::handshake::{Connect, HANDSHAKE_TIMEOUT, Handshake, Limit};
use crate::tls::pem::{Identity, Pem, provider};
use crate::tls::session::Session;
use crate::tls::transport::Transport;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Puts streams under TLS, as a client.
///
/// Make one and clone it: reading the system's roots takes milliseconds, and the clones remember sessions together, which saves
/// round trips and work with every further connection to the same server.
///
/// A handshake may take 10 s, unless [`handshake_timeout`](TlsConnectorBuilder::handshake_timeout) says otherwise.
///
/// Counterpart: `tokio_rustls::TlsConnector`; Twisted's `optionsForClientTLS`.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::TcpStream;
/// use rt::net::tls::{TlsConnector, TlsStream};
///
/// async fn dial(connector: &TlsConnector, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
///     let stream = TcpStream::connect((name, 443)).await?;
///     connector.connect(name, stream).await
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
    handshake_timeout: Option<Duration>,
    accept_truncated_close: bool,
}

impl TlsConnector {
    /// Trusts the roots of the system.
    ///
    /// # Errors
    ///
    /// The system has none.
    pub fn new() -> io::Result<TlsConnector> {
        TlsConnector::builder().build()
    }

    /// A connector to one's measure.
    pub fn builder() -> TlsConnectorBuilder {
        TlsConnectorBuilder {
            roots: Vec::new(),
            uses_system_roots: true,
            identity: None,
            alpn: Vec::new(),
            resumes_sessions: true,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            accept_truncated_close: false,
        }
    }

    /// Shakes hands with the server at the other end of `stream`, which has to prove that it is `domain`: a DNS name or an IP
    /// address.
    ///
    /// `stream` may have been in use before (STARTTLS), if all was read that the server has sent. If it was read through a buffer,
    /// see [`connect_with_buffer`](TlsConnector::connect_with_buffer).
    ///
    /// With TLS 1.3 the handshake is over for the client before the server has seen its certificate: that it refuses the
    /// client is told by the first read.
    ///
    /// # Errors
    ///
    /// `domain` is neither a name nor an address; the server's certificate is not good, or there is nothing that both sides support;
    /// the connection ended ([`UnexpectedEof`](io::ErrorKind::UnexpectedEof)) or broke, or time is up
    /// ([`TimedOut`](io::ErrorKind::TimedOut)). What TLS is unhappy with is of the kind
    /// [`InvalidData`](io::ErrorKind::InvalidData), the sentence tells domain and reason, and the `source` is the [`rustls::Error`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime, unless there is no timeout.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream: a handshake cannot be taken up again.
    pub fn connect<S>(&self, domain: impl AsRef<str>, stream: S) -> Connect<S> {
        self.connect_with_buffer(domain, stream, Vec::new())
    }

    /// [`connect`](TlsConnector::connect) for a stream from which `received` was read ahead, say by a `BufReader` that was taken
    /// apart.
    ///
    /// A server speaks TLS only after the client, so these bytes should be none. If there are, somebody has slipped them in behind
    /// the server's consent to STARTTLS; they must not pass for an answer under TLS. Here they make the handshake fail.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](TlsConnector::connect).
    ///
    /// # Panics
    ///
    /// Those of [`connect`](TlsConnector::connect).
    pub fn connect_with_buffer<S>(
        &self,
        domain: impl AsRef<str>,
        stream: S,
        received: impl Into<Vec<u8>>,
    ) -> Connect<S> {
        let domain = domain.as_ref();
        let connection = match ServerName::try_from(domain) {
            Ok(name) => ClientConnection::new(self.config.clone(), name.to_owned())
                .map_err(|fault| invalid_because(format!("no TLS connection to {domain} can begin: {fault}"), fault)),
            Err(fault) => Err(invalid_because(
                format!("{domain:?} is no name of a server: it has to be a DNS name or an IP address, without a port"),
                fault,
            )),
        };
        let handshake = match connection {
            Ok(connection) => {
                let session = Session::new(Transport::new(stream, received.into()), connection.into())
                    .with_domain(domain)
                    .with_accept_truncated_close(self.accept_truncated_close);
                Handshake::new(session, Limit::after(self.handshake_timeout))
            }
            Err(error) => Handshake::failed(error),
        };
        Connect(handshake)
    }

    /// The same with another limit for handshakes. `None`: they take as long as they take.
    #[must_use]
    pub fn with_handshake_timeout(mut self, limit: Option<Duration>) -> Self {
        self.handshake_timeout = limit;
        self
    }

    /// What rustls was told.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }
}

impl From<Arc<ClientConfig>> for TlsConnector {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self { config, handshake_timeout: HANDSHAKE_TIMEOUT, accept_truncated_close: false }
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").field("handshake_timeout", &self.handshake_timeout).finish_non_exhaustive()
    }
}

/// Builds a [`TlsConnector`]. Files are read by [`build`](TlsConnectorBuilder::build).
///
/// Counterpart: `rustls::ClientConfig::builder`.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::tls::TlsConnector;
///
/// fn for_our_own_servers() -> std::io::Result<TlsConnector> {
///     TlsConnector::builder()
///         .only_these_roots()
///         .root_pem_file("our-ca.pem")
///         .client_certificate_pem_files("me.pem", "me.key")
///         .alpn(["h2", "http/1.1"])
///         .build()
/// }
/// # }
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct TlsConnectorBuilder {
    roots: Vec<Pem>,
    uses_system_roots: bool,
    identity: Option<Identity>,
    alpn: Vec<Vec<u8>>,
    resumes_sessions: bool,
    handshake_timeout: Option<Duration>,
    accept_truncated_close: bool,
}

impl TlsConnectorBuilder {
    /// Trusts who is certified by a certificate in this file, besides the system's roots.
    pub fn root_pem_file(mut self, path: impl AsRef<Path>) -> Self {
        self.roots.push(Pem::file(path));
        self
    }

    /// [`root_pem_file`](TlsConnectorBuilder::root_pem_file) with the contents of the file.
    pub fn root_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.roots.push(Pem::bytes(pem));
        self
    }

    /// Does not trust the system's roots.
    pub fn only_these_roots(mut self) -> Self {
        self.uses_system_roots = false;
        self
    }

    /// Shows this certificate, followed by those of its issuers if the server does not have them, to servers that ask for one.
    pub fn client_certificate_pem_files(mut self, certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.identity = Some(Identity::files(certificates, key));
        self
    }

    /// [`client_certificate_pem_files`](TlsConnectorBuilder::client_certificate_pem_files) with the contents of the files.
    pub fn client_certificate_pem(mut self, certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identity = Some(Identity::bytes(certificates, key));
        self
    }

    /// Offers application protocols, the best first. The server's choice is [`alpn_protocol`](crate::tls::TlsStream::alpn_protocol).
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(|protocol| protocol.as_ref().to_owned()).collect();
        self
    }

    /// Whether sessions are taken up again. They are, unless this says otherwise.
    pub fn session_resumption(mut self, resume: bool) -> Self {
        self.resumes_sessions = resume;
        self
    }

    /// How long a handshake may take: 10 s, unless this says otherwise. `None`: as long as it takes.
    pub fn handshake_timeout(mut self, limit: Option<Duration>) -> Self {
        self.handshake_timeout = limit;
        self
    }

    /// Whether the end of a connection without a close_notify is an end, and not an error: see
    /// [`TlsStream`](crate::tls::TlsStream).
    pub fn accept_truncated_close(mut self, accept: bool) -> Self {
        self.accept_truncated_close = accept;
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    ///
    /// A file cannot be read or holds something else, the key does not belong to the certificate, the name of an application
    /// protocol is empty or longer than 255 bytes, or there is no root at all.
    pub fn build(self) -> io::Result<TlsConnector> {
        let roots = self.roots()?;
        check_alpn(&self.alpn)?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|fault| invalid_because(format!("the process's rustls provider cannot do TLS: {fault}"), fault))?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => config.with_no_client_auth(),
            Some(identity) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.load()?))),
        };
        config.alpn_protocols = self.alpn;
        if !self.resumes_sessions {
            config.resumption = Resumption::disabled();
        }
        Ok(TlsConnector {
            config: Arc::new(config),
            handshake_timeout: self.handshake_timeout,
            accept_truncated_close: self.accept_truncated_close,
        })
    }

    fn roots(&self) -> io::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for pem in &self.roots {
            pem.add_to(&mut roots)?;
        }
        let mut faults = Vec::new();
        if self.uses_system_roots {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
            faults = system.errors;
        }
        if roots.is_empty() {
            let faults: String = faults.iter().map(|fault| format!("; {fault}")).collect();
            let source = if self.uses_system_roots { "this system has no root certificates, and" } else { "" };
            return Err(invalid(format!("{source} no other was given: root_pem_file adds some{faults}").trim_start()));
        }
        Ok(roots)
    }
}

impl fmt::Debug for TlsConnectorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnectorBuilder").finish_non_exhaustive()
    }
}

pub(crate) fn check_alpn(protocols: &[Vec<u8>]) -> io::Result<()> {
    match protocols.iter().find(|protocol| !(1..=255).contains(&protocol.len())) {
        None => Ok(()),
        Some(protocol) => Err(invalid(format!(
            "the name of an application protocol (ALPN) has 1 to 255 bytes, and this one has {}",
            protocol.len()
        ))),
    }
}
