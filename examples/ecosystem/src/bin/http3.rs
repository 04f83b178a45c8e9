//! HTTP/3 over quinn: a server and a client.
//!
//! ```text
//! http3 serve 127.0.0.1:4433 cert.pem key.pem
//! http3 get localhost 127.0.0.1:4433 cert.pem /hello page
//! http3 get localhost 127.0.0.1:4433 cert.pem /bytes/1000000 page
//! ```
//!
//! The client writes what it gets into a file.

use bytes::{Buf, Bytes};
use futures_util::future::poll_fn;
use futures_util::io::AsyncWriteExt;
use h3::server::RequestResolver;
use http::{Request, Response, StatusCode};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, EndpointConfig, ServerConfig, VarInt};
use rt::fs::File;
use rt::quinn::RtRuntime;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

const USAGE: &str = "usage: http3 serve ADDRESS CERTIFICATE.pem KEY.pem | http3 get NAME ADDRESS ROOT.pem PATH FILE";
/// HTTP/3, as TLS knows it.
const ALPN: &[u8] = b"h3";
/// The longest answer, in bytes.
const LONGEST: u64 = 100_000_000;

type Failure = Box<dyn Error + Send + Sync>;

#[rt::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["serve", address, certificate, key] => serve(address.parse()?, certificate, key).await,
        ["get", name, address, root, path, file] => get(name, address.parse()?, root, path, file).await,
        _ => Err(USAGE.into()),
    }
}

async fn serve(address: SocketAddr, certificate: &str, key: &str) -> Result<(), Failure> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let mut tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let socket = UdpSocket::bind(address)?;
    let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(RtRuntime))?;
    println!("Listening on {}", endpoint.local_addr()?);

    let accepting = async {
        while let Some(incoming) = endpoint.accept().await {
            rt::spawn(async move {
                if let Err(error) = converse(incoming).await {
                    eprintln!("a connection ended with: {error}");
                }
            });
        }
    };
    rt::select! {
        () = accepting => {}
        interrupted = rt::signal::ctrl_c() => interrupted?,
    }
    endpoint.close(VarInt::from_u32(0x100), b"goodbye");
    endpoint.wait_idle().await;
    println!("Everybody has left");
    Ok(())
}

async fn converse(incoming: quinn::Incoming) -> Result<(), Failure> {
    let connection = h3_quinn::Connection::new(incoming.await?);
    let mut connection = h3::server::Connection::new(connection).await?;
    // The client has said goodbye when there is no further request, or when it closes the connection without an error.
    loop {
        match connection.accept().await {
            Ok(Some(request)) => {
                rt::spawn(async move {
                    if let Err(error) = answer(request).await {
                        eprintln!("a request ended with: {error}");
                    }
                });
            }
            Ok(None) => return Ok(()),
            Err(error) if error.is_h3_no_error() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn answer(request: RequestResolver<h3_quinn::Connection, Bytes>) -> Result<(), Failure> {
    let (request, mut stream) = request.resolve_request().await?;
    let length = request.uri().path().strip_prefix("/bytes/").and_then(|length| length.parse().ok());
    let (status, mut rest) = match (request.uri().path(), length) {
        ("/hello", _) => {
            stream.send_response(Response::new(())).await?;
            stream.send_data(Bytes::from_static(b"Hello over HTTP/3\n")).await?;
            return Ok(stream.finish().await?);
        }
        (_, Some(length)) if length <= LONGEST => (StatusCode::OK, length),
        _ => (StatusCode::NOT_FOUND, 0),
    };
    stream.send_response(Response::builder().status(status).body(())?).await?;
    let piece = Bytes::from_static(&[b'x'; 16 * 1024]);
    while rest > 0 {
        let length = rest.min(piece.len() as u64);
        stream.send_data(piece.slice(..length as usize)).await?;
        rest -= length;
    }
    Ok(stream.finish().await?)
}

async fn get(name: &str, address: SocketAddr, root: &str, path: &str, file: &str) -> Result<(), Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let mut tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let here: SocketAddr = if address.is_ipv4() { "0.0.0.0:0".parse()? } else { "[::]:0".parse()? };
    let endpoint = Endpoint::new(EndpointConfig::default(), None, UdpSocket::bind(here)?, Arc::new(RtRuntime))?;
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let connection = endpoint.connect_with(config, address, name)?.await?;

    let (mut driver, mut sender) = h3::client::new(h3_quinn::Connection::new(connection)).await?;
    let driver = rt::spawn(async move { poll_fn(|cx| driver.poll_close(cx)).await });
    let mut stream = sender.send_request(Request::get(format!("https://{name}{path}")).body(())?).await?;
    stream.finish().await?;
    let response = stream.recv_response().await?;
    let mut output = File::create(file).await?;
    let mut length = 0;
    while let Some(mut piece) = stream.recv_data().await? {
        length += piece.remaining();
        output.write_all(&piece.copy_to_bytes(piece.remaining())).await?;
    }
    output.close().await?;
    drop(stream);
    drop(sender);
    let end = driver.await?;
    if !end.is_h3_no_error() {
        return Err(end.into());
    }
    endpoint.wait_idle().await;
    println!("{:?} {}: {length} bytes in {file}", response.version(), response.status());
    Ok(())
}
