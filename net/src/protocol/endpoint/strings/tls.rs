//! Certificates that a description names.

use super::arguments::Arguments;
use super::error::EndpointStringError;
use super::tokens::Piece;
use crate::tls::{TlsAcceptor, TlsConnector, TlsConnectorBuilder};
use std::fs;
use std::path::Path;

/// The acceptor with the certificate and the key in the files of these names; one file may have both.
pub(super) fn acceptor(
    arguments: &mut Arguments<'_>,
    certificate: &str,
    key: &str,
    chain: &str,
) -> Result<TlsAcceptor, EndpointStringError> {
    let (certificate, key) = (arguments.take(certificate), arguments.take(key));
    let chain = arguments.take(chain);
    let default = || arguments.at_end("server.pem");
    let key = key.or_else(|| certificate.clone()).unwrap_or_else(default);
    let certificate = certificate.unwrap_or_else(|| key.clone());
    let mut certificates = read(arguments, &certificate)?;
    if let Some(chain) = &chain {
        certificates.push(b'\n');
        certificates.extend(read(arguments, chain)?);
    }
    let built = TlsAcceptor::builder().certificate_pem(certificates, read(arguments, &key)?).build();
    built.map_err(|error| arguments.wrong(&certificate, error.to_string()))
}

/// The connector that trusts the certificates in the directory of this name, or whom the system trusts.
pub(super) fn connector(
    arguments: &mut Arguments<'_>,
    certificate: &str,
    key: &str,
    roots: &str,
) -> Result<TlsConnector, EndpointStringError> {
    let mut builder = TlsConnector::builder();
    let (roots, certificate, key) = (arguments.take(roots), arguments.take(certificate), arguments.take(key));
    if let Some(roots) = &roots {
        builder = trusting(builder.only_these_roots(), &roots.text)
            .map_err(|error| arguments.wrong(roots, format!("{:?} cannot be read: {error}", roots.text)))?;
    }
    match (&certificate, &key) {
        (None, None) => {}
        (None, Some(key)) => return Err(arguments.wrong(key, "there is a key, and no certificate that it is for")),
        (Some(certificate), key) => {
            let key = read(arguments, key.as_ref().unwrap_or(certificate))?;
            builder = builder.client_certificate_pem(read(arguments, certificate)?, key);
        }
    }
    builder.build().map_err(|error| match certificate.or(roots) {
        Some(piece) => arguments.wrong(&piece, error.to_string()),
        None => arguments.incomplete(error.to_string()),
    })
}

/// Whom the `*.pem` files of a directory certify.
fn trusting(mut builder: TlsConnectorBuilder, directory: &str) -> std::io::Result<TlsConnectorBuilder> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if is_pem(&path) {
            builder = builder.root_pem(fs::read(path)?);
        }
    }
    Ok(builder)
}

fn is_pem(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pem"))
}

fn read(arguments: &Arguments<'_>, path: &Piece) -> Result<Vec<u8>, EndpointStringError> {
    fs::read(&path.text).map_err(|error| arguments.wrong(path, format!("{:?} cannot be read: {error}", path.text)))
}
