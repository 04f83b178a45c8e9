//! What a server needs to know, in sentences.

use crate::tls::acceptor::{Options, TlsAcceptor};
use crate::tls::connector::check_alpn;
use crate::tls::error::{invalid, invalid_because};
use crate::tls::pem::{Identity, Pem, provider};
use crate::tls::resolver::{Names, SniResolver};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
    pub(crate) fn new() -> Self {
        Self {
            identities: Vec::new(),
            resolver: None,
            alpn: Vec::new(),
            client_roots: Vec::new(),
            is_client_certificate_optional: false,
            resumes_sessions: true,
            options: Options::default(),
        }
    }

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

    /// Chooses among these certificates, which can be changed while the server runs. Those of the other options are added, and none of
    /// them becomes the default.
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
        let resolver = self.all_certificates()?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|fault| invalid_because(format!("the process's rustls provider cannot do TLS: {fault}"), fault))?;
        let config = match self.client_verifier()? {
            None => config.with_no_client_auth(),
            Some(verifier) => config.with_client_cert_verifier(verifier),
        };
        let mut config = config.with_cert_resolver(resolver.clone());
        config.alpn_protocols = self.alpn;
        if !self.resumes_sessions {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(TlsAcceptor::new(config, resolver, self.options))
    }

    fn all_certificates(&self) -> io::Result<Arc<SniResolver>> {
        if self.resolver.is_none() && self.identities.is_empty() {
            return Err(invalid("a TLS server needs a certificate: certificate_pem_files adds one"));
        }
        let has_default = self.resolver.is_some();
        let resolver = self.resolver.clone().unwrap_or_default();
        for (index, identity) in self.identities.iter().enumerate() {
            resolver.add(identity, Names::OfTheCertificate, index == 0 && !has_default)?;
        }
        Ok(resolver)
    }

    fn client_verifier(&self) -> io::Result<Option<Arc<dyn ClientCertVerifier>>> {
        if self.client_roots.is_empty() {
            return match self.is_client_certificate_optional {
                false => Ok(None),
                true => Err(invalid(
                    "client_certificate_optional needs to know whom to trust: client_root_pem_file says so",
                )),
            };
        }
        let mut roots = RootCertStore::empty();
        for pem in &self.client_roots {
            pem.add_to(&mut roots)?;
        }
        let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        if self.is_client_certificate_optional {
            verifier = verifier.allow_unauthenticated();
        }
        verifier
            .build()
            .map(Some)
            .map_err(|fault| invalid_because(format!("client certificates cannot be judged: {fault}"), fault))
    }
}

impl fmt::Debug for TlsAcceptorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptorBuilder").finish_non_exhaustive()
    }
}
