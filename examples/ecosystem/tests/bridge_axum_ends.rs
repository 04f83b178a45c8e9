//! `rt::axum::serve`: connections that end in unusual ways, and the end of the server beside them.

use axum::body::Body;
use axum::extract::Request;
use axum::routing::{any, get, post};
use axum::{Router, body::Bytes};
use futures_channel::oneshot;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::axum::{ListenerExt, Settings};
use rt::net::tls::{TlsAcceptor, TlsConnector};
use rt::net::{TcpListener, TcpStream};
use rt::time::{Duration, sleep};
use std::future::IntoFuture;
use std::net::SocketAddr;

struct Server {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    task: rt::JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(app: Router, settings: Settings) -> Server {
        let (end, ended) = oneshot::channel::<()>();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = rt::axum::serve(listener, app).settings(settings);
        let address = server.local_addr().unwrap();
        let server = server.with_graceful_shutdown(async move { _ = ended.await });
        Server { address, end: Some(end), task: rt::spawn(server.into_future()) }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// It ends at once, by a clock that jumps.
    async fn ends_at_once(mut self) {
        let began = rt::time::Instant::now();
        self.end.take();
        self.task.await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
}

async fn rest(client: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = client.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[rt::test(start_paused = true)]
async fn idle_connections_end_with_the_server_at_once() {
    let server = Server::start(Router::new().route("/", get(|| async { "hi" })), Settings::new()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\nhi") {
        length += idle.read(&mut answer[length..]).await.unwrap();
    }
    server.ends_at_once().await;
    assert_eq!(rest(&mut idle).await, "");
}

#[rt::test(start_paused = true)]
async fn tls_clients_that_agreed_on_http2_and_are_silent_end_with_the_server_at_once() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let acceptor = TlsAcceptor::builder().certificate_pem(&certificate, key).alpn(["h2"]).build().unwrap();
    let connector = TlsConnector::builder().only_these_roots().root_pem(certificate).alpn(["h2"]).build().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap().tls(acceptor);
    let server = rt::axum::serve(listener, Router::new()).with_graceful_shutdown(async move { _ = ended.await });
    let address = server.local_addr().unwrap();
    let task = rt::spawn(server.into_future());
    let stream = connector.connect("localhost", TcpStream::connect(address).await.unwrap()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    Server { address, end: Some(end), task }.ends_at_once().await;
    drop(stream);
}

#[rt::test(start_paused = true)]
async fn limit_without_end() {
    let settings = Settings::new().header_read_timeout(Duration::MAX);
    let server = Server::start(Router::new().route("/", get(|| async { "hi" })), settings).await;
    let mut client = server.connect().await;
    sleep(Duration::from_secs(100_000)).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut client).await.ends_with("\r\n\r\nhi"));
    server.ends_at_once().await;
}

#[rt::test(start_paused = true, unhandled = "log")]
async fn handler_that_panics_ends_its_connection_and_no_other() {
    async fn panics() -> &'static str {
        panic!("on purpose")
    }
    let app = Router::new().route("/panic", get(panics)).route("/", get(|| async { "hi" }));
    let server = Server::start(app, Settings::new()).await;
    let mut other = server.connect().await;
    other.write_all(b"GET / HT").await.unwrap();
    let mut client = server.connect().await;
    client.write_all(b"GET /panic HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    assert_eq!(rest(&mut client).await, "");
    other.write_all(b"TP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut other).await.ends_with("\r\n\r\nhi"));
    server.ends_at_once().await;
}

/// Pipelined, with HEAD, and with a body that the client sends when it is asked for it.
#[rt::test(start_paused = true)]
async fn requests_one_behind_the_other() {
    let app = Router::new()
        .route("/", any(|request: Request| async move { request.method().to_string() }))
        .route("/echo", post(|body: Bytes| async { body }));
    let server = Server::start(app, Settings::new()).await;
    let mut client = server.connect().await;
    let requests = "GET / HTTP/1.1\r\nHost: here\r\n\r\nHEAD / HTTP/1.1\r\nHost: here\r\n\r\n\
                    POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nbodyPUT / HTTP/1.1\r\nHost: here\r\n\
                    Connection: close\r\n\r\n";
    client.write_all(requests.as_bytes()).await.unwrap();
    let text = rest(&mut client).await;
    let bodies: Vec<&str> =
        text.split("HTTP/1.1 200 OK").skip(1).map(|answer| answer.split_once("\r\n\r\n").unwrap().1).collect();
    assert_eq!(bodies, ["GET", "", "body", "PUT"], "{text}");

    let mut client = server.connect().await;
    let head =
        "POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    client.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"late").await.unwrap();
    assert!(rest(&mut client).await.ends_with("\r\n\r\nlate"));
    server.ends_at_once().await;
}

/// A handler that waits for a body that never comes, one that does not want it, and an answer that the client does not wait for.
#[rt::test(start_paused = true)]
async fn bodies_that_stop_in_the_middle() {
    let pieces = || {
        futures_util::stream::unfold((), |()| async {
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>("piece"), ()))
        })
    };
    let app = Router::new()
        .route("/wants", post(|body: Bytes| async { body }))
        .route("/refuses", post(|| async { "no" }))
        .route("/endless", get(move || async move { Body::from_stream(pieces()) }));
    let server = Server::start(app, Settings::new()).await;
    let mut wants = server.connect().await;
    wants.write_all(b"POST /wants HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
    let mut refuses = server.connect().await;
    refuses.write_all(b"POST /refuses HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
    assert!(rest(&mut refuses).await.ends_with("\r\n\r\nno"));
    let mut endless = server.connect().await;
    endless.write_all(b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    endless.read_exact(&mut [0; 200]).await.unwrap();
    drop(endless);
    drop(wants);
    sleep(Duration::from_secs(10)).await;
    server.ends_at_once().await;
}

/// What is not HTTP at all.
#[rt::test(start_paused = true)]
async fn garbage() {
    let server = Server::start(Router::new(), Settings::new()).await;
    for text in [
        &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense and more of it",
    ] {
        let mut client = server.connect().await;
        client.write_all(text).await.unwrap();
        client.shutdown().await.unwrap();
        rest(&mut client).await;
    }
    server.ends_at_once().await;
}
