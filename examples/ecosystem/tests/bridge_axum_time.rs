//! `rt::axum::serve`: how long a client may take, and for what it has all the time of the world.

use axum::{Router, routing::get};
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::axum::{ListenerExt, Settings};
use rt::io::{DuplexStream, duplex};
use rt::net::tls::{TlsAcceptor, TlsConnector};
use rt::net::{Listener, TcpListener, TcpStream};
use rt::time::{Duration, Instant, sleep};
use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::task::{Context, Poll};

const LIMIT: Duration = Duration::from_secs(40);
/// It is looked at every ten seconds whether anything has happened.
const WITHIN: RangeInclusive<u64> = 40..=50;

#[rt::test(start_paused = true)]
async fn the_limit_counts_from_the_end_of_an_answer() {
    for seconds in [1, 9, 11, 19] {
        let app = Router::new().route("/", get(move || sleep(Duration::from_secs(seconds))));
        let address = serve(app).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        let answered = Instant::now();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        let idle = answered.elapsed().as_secs();
        assert!(WITHIN.contains(&idle), "{idle} seconds after an answer that took {seconds}");
    }
}

#[rt::test(start_paused = true)]
async fn the_limit_counts_from_the_connection_and_not_from_the_first_byte() {
    let address = serve(Router::new()).await;
    for seconds in [1, 11, 39] {
        let connected = Instant::now();
        let mut client = TcpStream::connect(address).await.unwrap();
        sleep(Duration::from_secs(seconds)).await;
        client.write_all(b"G").await.unwrap();
        assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        let open = connected.elapsed().as_secs();
        assert!(WITHIN.contains(&open), "{open} seconds with a byte after {seconds}");
    }
}

/// Both have agreed on HTTP/2 in the handshake, and its opening does not come.
#[rt::test(start_paused = true)]
async fn http2_that_is_agreed_upon_and_does_not_begin() {
    let (acceptor, connector) = tls("h2");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = rt::axum::serve(listener.tls(acceptor), Router::new()).settings(settings());
    let address = server.local_addr().unwrap();
    let _server = rt::spawn(server.into_future());
    for beginning in ["", "PRI * HT"] {
        let connected = Instant::now();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = connector.connect("localhost", stream).await.unwrap();
        assert_eq!(stream.alpn_protocol(), Some(&b"h2"[..]));
        stream.write_all(beginning.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream.set_accept_truncated_close(true);
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        assert_eq!(connected.elapsed(), LIMIT);
    }
}

/// Under TLS the whole answer is written, as far as the server can see, long before the client has taken it.
#[rt::test(start_paused = true)]
async fn answer_under_tls_that_nobody_reads_yet() {
    let (acceptor, connector) = tls("http/1.1");
    let (here, there) = duplex(1024);
    let app = Router::new().route("/", get(|| async { "x".repeat(30_000) }));
    let server = rt::axum::serve(One(Some(there)).tls(acceptor), app).settings(settings());
    let _server = rt::spawn(server.into_future());
    let mut client = connector.connect("localhost", here).await.unwrap();
    client.set_accept_truncated_close(true);
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    client.flush().await.unwrap();
    sleep(Duration::from_secs(1_000)).await;
    let began = Instant::now();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(&"x".repeat(30_000)), "{} bytes", answer.len());
    let idle = began.elapsed().as_secs();
    assert!(WITHIN.contains(&idle), "{idle} seconds after the answer");
}

/// A listener with one connection.
struct One(Option<DuplexStream>);

impl Listener for One {
    type Io = DuplexStream;
    type Addr = ();

    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<(DuplexStream, ())>> {
        self.0.take().map_or(Poll::Pending, |stream| Poll::Ready(Ok((stream, ()))))
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = rt::axum::serve(listener, app).settings(settings());
    let address = server.local_addr().unwrap();
    drop(rt::spawn(server.into_future()));
    address
}

fn settings() -> Settings {
    Settings::new().header_read_timeout(LIMIT)
}

/// A server of both versions, and a client of one.
fn tls(offered: &str) -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let acceptor = TlsAcceptor::builder().certificate_pem(&certificate, key).alpn(["h2", "http/1.1"]).build().unwrap();
    let connector = TlsConnector::builder().only_these_roots().root_pem(certificate).alpn([offered]).build().unwrap();
    (acceptor, connector)
}
