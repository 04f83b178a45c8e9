//! `rt::axum::serve`: who is served, for how long, and how it ends.

use axum::extract::{ConnectInfo, Request};
use axum::handler::HandlerWithoutStateExt;
use axum::routing::{get, post};
use axum::{Router, body::Body};
use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use futures_util::stream;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use rt::axum::{Accepted, ListenerExt, Settings};
use rt::hyper::Executor;
use rt::net::{Listener, TcpListener, TcpStream};
use rt::time::{Duration, Instant, sleep};
use std::future::{IntoFuture, pending};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

const HELLO: &str = "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";

#[rt::test]
async fn routers_handlers_and_services() {
    let app = || Router::new().route("/", get(|| async { "router" }));
    assert_eq!(answer_of(rt::axum::serve(listener().await, app())).await, "router");
    assert_eq!(answer_of(rt::axum::serve(listener().await, app().into_make_service())).await, "router");
    assert_eq!(answer_of(rt::axum::serve(listener().await, get(|| async { "method" }))).await, "method");
    async fn handler() -> &'static str {
        "handler"
    }
    assert_eq!(answer_of(rt::axum::serve(listener().await, handler.into_service())).await, "handler");
    assert_eq!(answer_of(rt::axum::serve(listener().await, handler.into_make_service())).await, "handler");
    let peer = Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }));
    let peer = peer.into_make_service_with_connect_info::<SocketAddr>();
    assert_eq!(answer_of(rt::axum::serve(listener().await, peer)).await, "127.0.0.1");
}

async fn answer_of<M, K>(server: rt::axum::Serve<TcpListener, M, K>) -> String
where
    M: rt::axum::MakeService<TcpListener, K>,
    K: 'static,
{
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    let answer = ask(address, HELLO).await;
    server.abort();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    body.to_owned()
}

#[rt::test]
async fn http2_beside_http1_on_one_port() {
    let server = rt::axum::serve(listener().await, Router::new().route("/", post(|body: Bytes| async { body })));
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    let (mut sender, connection) =
        http2::handshake(Executor, TcpStream::connect(address).await.unwrap()).await.unwrap();
    let connection = rt::spawn(connection);
    let request = Request::post("http://here/").body(Full::new(Bytes::from("two"))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "two");
    let one = ask(address, "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\nConnection: close\r\n\r\none").await;
    assert!(one.ends_with("\r\n\r\none"), "{one}");
    drop(sender);
    connection.await.unwrap().unwrap();
    server.abort();
}

/// HTTP/2's opening, byte by byte, and an HTTP/1 request that begins like it.
#[rt::test]
async fn first_bytes_that_come_one_by_one() {
    let server = rt::axum::serve(
        listener().await,
        Router::new().fallback(|request: Request| async move { request.method().to_string() }),
    );
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    let mut client = TcpStream::connect(address).await.unwrap();
    client.set_nodelay(true).unwrap();
    for byte in "PRI /list HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".as_bytes() {
        client.write_all(&[*byte]).await.unwrap();
        rt::task::yield_now().await;
    }
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\nPRI"), "{answer}");

    let mut client = TcpStream::connect(address).await.unwrap();
    client.set_nodelay(true).unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" {
        client.write_all(&[*byte]).await.unwrap();
        rt::task::yield_now().await;
    }
    // The server's own settings: a frame of the kind 4 on stream 0.
    let mut frame = [0; 9];
    client.read_exact(&mut frame).await.unwrap();
    assert_eq!((frame[3], &frame[5..]), (4, &[0, 0, 0, 0][..]));
    server.abort();
}

/// Clients that say nothing, half a request's head, half of HTTP/2's opening, or nothing after an answer.
#[rt::test(start_paused = true)]
async fn clients_that_keep_the_server_waiting() {
    let app = Router::new().route("/", get(|| async { "hello" }));
    let settings = Settings::new().header_read_timeout(Duration::from_secs(7));
    let server = rt::axum::serve(listener().await, app).settings(settings);
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    for beginning in ["", "GET / HTTP/1.1\r\nHost", "PRI * HTTP/2.0\r\n"] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(beginning.as_bytes()).await.unwrap();
        let begin = Instant::now();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"", "{beginning:?}");
        assert_eq!(begin.elapsed(), Duration::from_secs(7), "{beginning:?}");
    }
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let begin = Instant::now();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!((7_000..=8_750).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    server.abort();
}

/// What takes its time with good reason is not taken for one of those: a handler, an answer that comes in pieces, a client that
/// reads slowly.
#[rt::test(start_paused = true)]
async fn requests_that_take_longer_than_a_head_may() {
    let minute = || sleep(Duration::from_secs(60));
    let pieces = move || {
        stream::unfold(0, move |number| async move {
            minute().await;
            (number < 3).then_some((Ok::<_, io::Error>(number.to_string()), number + 1))
        })
    };
    let app = Router::new()
        .route("/handler", get(minute))
        .route("/pieces", get(move || async move { Body::from_stream(pieces()) }))
        .route("/much", get(|| async { vec![b'x'; 20_000_000] }));
    let server =
        rt::axum::serve(listener().await, app).settings(Settings::new().header_read_timeout(Duration::from_secs(7)));
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    assert!(ask(address, &request("/handler")).await.starts_with("HTTP/1.1 200 "));
    assert!(ask(address, &request("/pieces")).await.ends_with("1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\n"));

    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request("/much").as_bytes()).await.unwrap();
    let mut piece = vec![0; 1_000_000];
    let mut length = 0;
    loop {
        sleep(Duration::from_secs(5)).await;
        match client.read(&mut piece).await.unwrap() {
            0 => break,
            count => length += count,
        }
    }
    assert!(length > 20_000_000, "{length}");
    server.abort();
}

#[rt::test]
async fn more_headers_than_allowed() {
    let app = Router::new().route("/", get(|| async { "hello" }));
    let server = rt::axum::serve(listener().await, app).settings(Settings::new().max_headers(2));
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    let answer = ask(address, "GET / HTTP/1.1\r\nHost: here\r\nA: 1\r\nB: 2\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    server.abort();
}

/// The end comes while one request is under way on each version, and some clients ask for nothing.
#[rt::test]
async fn graceful_end() {
    let (asked, mut is_asked) = futures_channel::mpsc::unbounded::<oneshot::Sender<&'static str>>();
    let app = Router::new().route(
        "/",
        get(move || {
            let (answer, answered) = oneshot::channel();
            asked.unbounded_send(answer).unwrap();
            async { answered.await.unwrap() }
        }),
    );
    let (end, ended) = oneshot::channel::<()>();
    let server = rt::axum::serve(listener().await, app).with_graceful_shutdown(async move { _ = ended.await });
    let address = server.local_addr().unwrap();
    let mut server = rt::spawn(server.into_future());

    let mut silent = TcpStream::connect(address).await.unwrap();
    let http1 = rt::spawn(async move { ask(address, "GET / HTTP/1.1\r\nHost: here\r\n\r\n").await });
    let first = futures_util::StreamExt::next(&mut is_asked).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(Executor, TcpStream::connect(address).await.unwrap()).await.unwrap();
    let connection = rt::spawn(connection);
    let http2 = rt::spawn(sender.send_request(Request::get("http://here/").body(Body::empty()).unwrap()));
    let second = futures_util::StreamExt::next(&mut is_asked).await.unwrap();

    end.send(()).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err());
    assert!(futures_util::poll!(&mut server).is_pending());
    first.send("first").unwrap();
    assert!(http1.await.unwrap().ends_with("\r\n\r\nfirst"));
    second.send("second").unwrap();
    let answer = http2.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, "second");
    server.await.unwrap().unwrap();
    connection.await.unwrap().unwrap();
    drop(sender);
}

/// One request is not answered in time: its connection is aborted, and the report names it.
#[rt::test(start_paused = true)]
async fn end_that_does_not_wait_for_ever() {
    let app = Router::new().route("/", get(pending::<()>));
    let (end, ended) = oneshot::channel::<()>();
    let server = rt::axum::serve(listener().await, app)
        .drain_timeout(Duration::from_secs(9))
        .with_graceful_shutdown(async move { _ = ended.await });
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.run());
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(HELLO.as_bytes()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    end.send(()).unwrap();
    let report = server.await.unwrap().unwrap();
    assert_eq!((report.accepted, report.late.len()), (1, 1));
    assert_eq!(report.late[0].peer, client.local_addr().unwrap());
    assert_eq!(report.late[0].open_for, Duration::from_secs(10));
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
}

/// Dropping the server's future closes the listener and nothing else.
#[rt::test]
async fn server_that_is_dropped() {
    let (asked, mut is_asked) = futures_channel::mpsc::unbounded::<oneshot::Sender<&'static str>>();
    let handler = move || {
        let (answer, answered) = oneshot::channel();
        asked.unbounded_send(answer).unwrap();
        async { answered.await.unwrap() }
    };
    let app = Router::new().route("/", get(handler));
    let server = rt::axum::serve(listener().await, app);
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    let asking = rt::spawn(ask(address, HELLO));
    let answer = futures_util::StreamExt::next(&mut is_asked).await.unwrap();
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    assert!(TcpStream::connect(address).await.is_err());
    answer.send("still here").unwrap();
    assert!(asking.await.unwrap().ends_with("\r\n\r\nstill here"));
}

#[rt::test]
async fn listener_that_fails() {
    struct Broken;
    impl Listener for Broken {
        type Io = TcpStream;
        type Addr = ();
        fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<(TcpStream, ())>> {
            Poll::Ready(Err(io::Error::other("no more")))
        }
        fn local_addr(&self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = rt::axum::serve(Broken, Router::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "no more");
}

/// What has to happen before HTTP happens in the connection's task: it holds up nobody else, has a time limit, and may say that
/// HTTP/2 was agreed upon.
#[rt::test(start_paused = true)]
async fn connections_that_are_not_established() {
    struct Opening(TcpStream);
    impl Accepted for Opening {
        type Stream = TcpStream;
        async fn establish(mut self) -> io::Result<(TcpStream, Option<http::Version>)> {
            let mut word = [0; 1];
            self.0.read_exact(&mut word).await?;
            match &word {
                b"1" => Ok((self.0, Some(http::Version::HTTP_11))),
                b"2" => Ok((self.0, Some(http::Version::HTTP_2))),
                b"?" => Ok((self.0, None)),
                b"!" => Err(io::Error::other("refused")),
                _ => pending().await,
            }
        }
    }
    struct Openings(TcpListener);
    impl Listener for Openings {
        type Io = Opening;
        type Addr = SocketAddr;
        fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Opening, SocketAddr)>> {
            self.0.poll_accept(cx).map_ok(|(stream, peer)| (Opening(stream), peer))
        }
        fn local_addr(&self) -> io::Result<SocketAddr> {
            self.0.local_addr()
        }
    }
    let server = rt::axum::serve(Openings(listener().await), Router::new().route("/", get(|| async { "hello" })));
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(address, "!").await, "");
    assert!(ask(address, &format!("1{HELLO}")).await.ends_with("\r\n\r\nhello"));
    assert!(ask(address, &format!("?{HELLO}")).await.ends_with("\r\n\r\nhello"));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"2").await.unwrap();
    let (mut sender, connection) = http2::handshake(Executor, stream).await.unwrap();
    let connection = rt::spawn(connection);
    let response = sender.send_request(Request::get("http://here/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let begin = Instant::now();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(begin.elapsed() <= Duration::from_secs(30));
    server.abort();
    connection.abort();
}

#[rt::test]
async fn streams_are_tapped() {
    let (tell, told) = std::sync::mpsc::channel();
    let listener = listener().await.tap_io(move |stream| tell.send(stream.peer_addr().unwrap()).unwrap());
    let server = rt::axum::serve(listener, Router::new());
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    assert!(ask(address, HELLO).await.starts_with("HTTP/1.1 404 "));
    assert!(told.try_recv().unwrap().ip().is_loopback());
    server.abort();
}

/// A handler takes the stream over; what it has written is not cut off when the server ends.
#[rt::test]
async fn upgrade() {
    let app = Router::new().route(
        "/",
        get(|mut request: Request| async move {
            rt::spawn(async move {
                let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                let (mut reading, mut writing) = rt::hyper::Io::new(upgraded).split();
                futures_util::io::copy(&mut reading, &mut writing).await.unwrap();
                writing.close().await.unwrap();
            });
            http::Response::builder()
                .status(101)
                .header("connection", "upgrade")
                .header("upgrade", "echo")
                .body(Body::empty())
                .unwrap()
        }),
    );
    let server = rt::axum::serve(listener().await, app);
    let address = server.local_addr().unwrap();
    let server = rt::spawn(server.into_future());
    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\none ")
        .await
        .unwrap();
    client.write_all(b"two").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\none two"), "{answer}");
    server.abort();
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// All that comes back.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    answer
}
