//! Bytes, ends and faults of one stream under TLS.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/pipe.rs"]
mod pipe;

use certificates::Authority;
use futures_util::future::{join, try_join};
use futures_util::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use pipe::{End, pipe};
use rt_net::tls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};
use rt_net::tls::{TlsConnector, TlsStream};
use rt_net::{TcpListener, TcpStream};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

#[test]
fn echo_with_both_versions() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        for version in VERSIONS {
            let connector = only(version, &authority);
            let (near, far) = tcp().await;
            let (mut near, mut far) =
                try_join(connector.connect("localhost", near), acceptor.accept(far)).await.unwrap();
            for text in ["one", "two", "three"] {
                near.write_all(text.as_bytes()).await.unwrap();
                let mut buf = [0; 64];
                let n = far.read(&mut buf).await.unwrap();
                far.write_all(&buf[..n]).await.unwrap();
                let n = near.read(&mut buf).await.unwrap();
                assert_eq!(&buf[..n], text.as_bytes());
            }
            for stream in [&near, &far] {
                assert_eq!(stream.protocol_version(), Some(version.version));
                assert_eq!(stream.server_name(), Some("localhost"));
                assert!(stream.cipher_suite().is_some());
                assert_eq!(stream.alpn_protocol(), None);
            }
            assert_eq!(near.peer_certificates().unwrap().len(), 1);
            assert!(far.peer_certificates().is_none());
            near.close().await.unwrap();
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
            far.close().await.unwrap();
            assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
        }
    });
}

#[test]
fn eight_mebibytes_there_and_back() {
    flavor::block_on(async {
        for version in VERSIONS {
            let (near, far) = tcp().await;
            let (near, far) = shake(version, near, far).await;
            let sent: Vec<u8> = (0..8 << 20).map(|i: u32| (i / 1000) as u8).collect();
            let (mut near_reader, mut near_writer) = near.split();
            let sending = async {
                near_writer.write_all(&sent).await.unwrap();
                near_writer.close().await.unwrap();
            };
            let echoing = async {
                let (reader, mut writer) = far.split();
                copy(reader, &mut writer).await.unwrap();
                writer.close().await.unwrap();
            };
            let receiving = async {
                let mut received = Vec::new();
                near_reader.read_to_end(&mut received).await.unwrap();
                received
            };
            let ((), (received, ())) = join(sending, join(receiving, echoing)).await;
            assert!(received == sent);
        }
    });
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

fn only(version: &'static SupportedProtocolVersion, authority: &Authority) -> TlsConnector {
    use rt_net::tls::rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rt_net::tls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

/// Both sides under TLS.
async fn shake<S>(version: &'static SupportedProtocolVersion, near: S, far: S) -> (TlsStream<S>, TlsStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let authority = Authority::new("roots");
    let acceptor = authority.identity(&["localhost"]).acceptor();
    try_join(only(version, &authority).connect("localhost", near), acceptor.accept(far)).await.unwrap()
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = join(TcpStream::connect(listener.local_addr().unwrap()), listener.accept()).await;
    (near.unwrap(), far.unwrap().0)
}
