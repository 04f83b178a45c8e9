//! An axum application over HTTP/1.1 and HTTP/2.
//!
//! ```text
//! http_server 127.0.0.1:8080
//! curl http://127.0.0.1:8080/
//! curl --http2-prior-knowledge --data-binary @README.md http://127.0.0.1:8080/echo
//! curl -N http://127.0.0.1:8080/count/5
//! ```
//!
//! Ctrl-C lets the requests that have begun finish.

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path};
use axum::routing::{get, post};
use axum::{Router, response::Response};
use futures_util::stream;
use rt::net::TcpListener;
use rt::time::{Duration, sleep};
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

const USAGE: &str = "usage: http_server ADDRESS";

#[rt::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), None) = (arguments.next(), arguments.next()) else { return Err(USAGE.into()) };
    let listener = TcpListener::bind(address).await?;
    println!("Listening on http://{}", listener.local_addr()?);

    let app = application().into_make_service_with_connect_info::<SocketAddr>();
    rt::axum::serve(listener, app).with_graceful_shutdown(interrupted()).await?;
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
