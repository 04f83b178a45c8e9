//! An axum application over HTTP/1.1 and HTTP/2, plain or, with a certificate and its key, under TLS.
//!
//! ```text
//! http_server 127.0.0.1:8080
//! curl http://127.0.0.1:8080/
//! curl --http2-prior-knowledge --data-binary @README.md http://127.0.0.1:8080/echo
//! curl -N http://127.0.0.1:8080/count/5
//!
//! http_server 127.0.0.1:8443 cert.pem key.pem
//! curl --cacert cert.pem https://localhost:8443/
//! ```
//!
//! Ctrl-C lets the requests that have begun finish.

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path};
use axum::routing::{get, post};
use axum::{Router, response::Response};
use futures_util::stream;
use rt::axum::ListenerExt;
use rt::net::TcpListener;
use rt::net::tls::TlsAcceptor;
use rt::time::{Duration, sleep};
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

const USAGE: &str = "usage: http_server ADDRESS [CERTIFICATE.pem KEY.pem]";

#[rt::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let app = application().into_make_service_with_connect_info::<SocketAddr>();
    match &*arguments {
        [address] => {
            let listener = TcpListener::bind(address).await?;
            println!("Listening on http://{}", listener.local_addr()?);
            rt::axum::serve(listener, app).with_graceful_shutdown(interrupted()).await?;
        }
        [address, certificate, key] => {
            let acceptor =
                TlsAcceptor::builder().certificate_pem_files(certificate, key).alpn(["h2", "http/1.1"]).build()?;
            let listener = TcpListener::bind(address).await?;
            println!("Listening on https://{}", listener.local_addr()?);
            rt::axum::serve(listener.tls(acceptor), app).with_graceful_shutdown(interrupted()).await?;
        }
        _ => return Err(USAGE.into()),
    }
    println!("Every request is answered");
    Ok(())
}

fn application() -> Router {
    Router::new()
        .route("/", get(|| async { "Hello from rt\n" }))
        .route("/peer", get(peer))
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/upload", post(upload))
        .route("/count/{up_to}", get(count))
}

async fn peer(ConnectInfo(peer): ConnectInfo<SocketAddr>) -> String {
    format!("{}\n", peer.ip())
}

/// Takes a body of any length, holding one piece of it at a time.
async fn upload(body: Body) -> Result<String, String> {
    let mut pieces = body.into_data_stream();
    let mut length = 0;
    while let Some(piece) = stream::StreamExt::next(&mut pieces).await {
        length += piece.map_err(|error| error.to_string())?.len();
    }
    Ok(format!("{length} bytes\n"))
}

/// A line every ten milliseconds, each sent when it is due.
async fn count(Path(up_to): Path<u32>) -> Response {
    let lines = stream::unfold(1, move |number| async move {
        if number > up_to {
            return None;
        }
        sleep(Duration::from_millis(10)).await;
        Some((Ok::<_, Infallible>(format!("{number}\n")), number + 1))
    });
    Response::new(Body::from_stream(lines))
}

async fn interrupted() {
    if let Err(error) = rt::signal::ctrl_c().await {
        eprintln!("no Ctrl-C, for {error}");
        std::future::pending().await
    }
}
