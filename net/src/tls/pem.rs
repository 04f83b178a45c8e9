//! Certificates and keys from PEM, and what to say when a file holds something else.

use crate::tls::error::{self, invalid, invalid_because};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the process has chosen for all of rustls, else ring.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    match CryptoProvider::get_default() {
        Some(provider) => provider.clone(),
        None => Arc::new(rustls::crypto::ring::default_provider()),
    }
}

/// PEM, and where it is from.
#[derive(Clone)]
pub(crate) enum Pem {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Pem {
    pub(crate) fn file(path: impl AsRef<Path>) -> Self {
        Pem::File(path.as_ref().to_owned())
    }

    pub(crate) fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Pem::Bytes(bytes.as_ref().to_owned())
    }

    fn name(&self) -> String {
        match self {
            Pem::File(path) => path.display().to_string(),
            Pem::Bytes(_) => "the PEM text given".to_owned(),
        }
    }

    fn read(&self) -> io::Result<Text> {
        let name = self.name();
        let bytes = match self {
            Pem::File(path) => std::fs::read(path)
                .map_err(|error| io::Error::new(error.kind(), format!("{name} cannot be read: {error}")))?,
            Pem::Bytes(bytes) => bytes.clone(),
        };
        Ok(Text { name, bytes })
    }

    /// A chain, the certificate of its owner first; not empty.
    fn certificates(&self) -> io::Result<(String, Vec<CertificateDer<'static>>)> {
        let text = self.read()?;
        let certificates = text.all::<CertificateDer<'static>>("CERTIFICATE")?;
        Ok((text.name, certificates))
    }

    fn private_key(&self) -> io::Result<(String, PrivateKeyDer<'static>)> {
        let text = self.read()?;
        let mut keys = text.all::<PrivateKeyDer<'static>>("PRIVATE KEY")?;
        match keys.len() {
            1 => Ok((text.name, keys.remove(0))),
            count => Err(invalid(format!("{} holds {count} private keys, and there must be one", text.name))),
        }
    }

    pub(crate) fn add_to(&self, roots: &mut RootCertStore) -> io::Result<()> {
        let (name, certificates) = self.certificates()?;
        for certificate in certificates {
            roots.add(certificate).map_err(|fault| {
                invalid_because(format!("a certificate in {name} cannot be a root: {fault}"), fault)
            })?;
        }
        Ok(())
    }
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificates: Pem,
    pub(crate) key: Pem,
}

impl Identity {
    pub(crate) fn files(certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self { certificates: Pem::file(certificates), key: Pem::file(key) }
    }

    pub(crate) fn bytes(certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self { certificates: Pem::bytes(certificates), key: Pem::bytes(key) }
    }

    pub(crate) fn is_of_files(&self) -> bool {
        matches!((&self.certificates, &self.key), (Pem::File(_), Pem::File(_)))
    }

    /// Of the certificates.
    pub(crate) fn name(&self) -> String {
        self.certificates.name()
    }

    pub(crate) fn load(&self) -> io::Result<CertifiedKey> {
        let (chain_name, chain) = self.certificates.certificates()?;
        let (key_name, key) = self.key.private_key()?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|fault| {
            let sentence = if error::is_mismatch(&fault) {
                format!(
                    "the private key in {key_name} does not belong to the first certificate in {chain_name}, \
                     which has to be that of the key's owner"
                )
            } else {
                format!("the certificate in {chain_name} with the private key in {key_name} cannot be used: {fault}")
            };
            invalid_because(sentence, fault)
        })
    }
}

struct Text {
    name: String,
    bytes: Vec<u8>,
}

impl Text {
    fn all<T: PemObject>(&self, expected: &str) -> io::Result<Vec<T>> {
        let sections =
            T::pem_slice_iter(&self.bytes).collect::<Result<Vec<T>, _>>().map_err(|fault| self.malformed(fault))?;
        if sections.is_empty() { Err(self.lacks(expected)) } else { Ok(sections) }
    }

    fn malformed(&self, fault: pem::Error) -> io::Error {
        let what = match &fault {
            // What stands before the key, as older programs encrypt it.
            pem::Error::Base64Decode(_) if self.has(b"Proc-Type: 4,ENCRYPTED") => {
                "holds an encrypted key; `openssl pkey` decrypts it".to_owned()
            }
            pem::Error::MissingSectionEnd { end_marker } => {
                format!("is not well-formed PEM: END {} is missing", String::from_utf8_lossy(end_marker))
            }
            fault => format!("is not well-formed PEM: {fault}"),
        };
        invalid_because(format!("{} {what}", self.name), fault)
    }

    fn has(&self, part: &[u8]) -> bool {
        self.bytes.windows(part.len()).any(|window| window == part)
    }

    fn lacks(&self, expected: &str) -> io::Error {
        let text = String::from_utf8_lossy(&self.bytes);
        let labels: Vec<&str> =
            text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----")).collect();
        let found = match &labels[..] {
            [] if self.bytes.is_empty() => "nothing".to_owned(),
            // DER of anything that concerns us begins so.
            [] if self.bytes.starts_with(&[0x30]) => {
                "no PEM but DER, perhaps; `openssl x509` or `openssl pkey` converts it".to_owned()
            }
            [] => "no PEM".to_owned(),
            labels => labels.join(", "),
        };
        let advice = if labels.contains(&"ENCRYPTED PRIVATE KEY") && expected == "PRIVATE KEY" {
            "; `openssl pkey` decrypts a key"
        } else {
            ""
        };
        invalid(format!("{} has to hold a {expected} in PEM, and it holds {found}{advice}", self.name))
    }
}
