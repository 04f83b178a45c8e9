//! Both sides of a connection under TLS.
#![allow(dead_code)]

use crate::certificates::Authority;
use futures_util::future::{join, try_join};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_net::tls::rustls::pki_types::{CertificateDer, pem::PemObject};
use rt_net::tls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::ring, version};
use rt_net::tls::{TlsConnector, TlsStream};
use rt_net::{TcpListener, TcpStream};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// A client of one version.
pub(crate) fn only(version: &'static SupportedProtocolVersion, authority: &Authority) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

/// Client and server on a stream's two ends.
pub(crate) async fn shake<S>(
    version: &'static SupportedProtocolVersion,
    near: S,
    far: S,
) -> (TlsStream<S>, TlsStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let authority = Authority::new("roots");
    let acceptor = authority.identity(&["localhost"]).acceptor();
    try_join(only(version, &authority).connect("localhost", near), acceptor.accept(far)).await.unwrap()
}

pub(crate) async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = join(TcpStream::connect(listener.local_addr().unwrap()), listener.accept()).await;
    (near.unwrap(), far.unwrap().0)
}

pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
