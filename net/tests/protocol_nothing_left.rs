//! What ports, endpoints, connectors and policies leave behind when all is over: nothing, on sockets and the runtime's timers.

#![cfg(all(feature = "macros", feature = "tls", target_os = "linux"))]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/silence.rs"]
mod silence;

use certificates::Authority;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::deferred::{Cancelled, Deferred};
use rt::net::{DnsResolver, TcpListener, TcpStream};
use rt::protocol::policy::{LimitTotalConnectionsFactory, ThrottlingFactory, TimeoutFactory};
use rt::protocol::{
    ConnectOptions, ConnectionLost, HostnameEndpoint, Port, PortForwardFactory, ReconnectingClientFactory,
    StreamClientEndpoint, StreamServerEndpoint, TcpClientEndpoint, TcpServerEndpoint, connect_tcp, listen_tcp,
    wrap_client_tls, wrap_server_tls,
};
use rt::testing::{AccumulatingFactory, AccumulatingProtocol, FakeResolver};
use rt::time::Duration;
use silence::Silence;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;

fn address(port: &Port) -> SocketAddr {
    port.host().ip().unwrap()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn forwarder_to(address: SocketAddr) -> Port {
    let forward = PortForwardFactory::new(TcpClientEndpoint::new(address)).on_failure(drop);
    listen_tcp("127.0.0.1:0", forward).unwrap()
}

async fn first_of(factory: &AccumulatingFactory) -> AccumulatingProtocol {
    loop {
        if let Some(protocol) = factory.protocols().first() {
            return protocol.clone();
        }
        rt::task::yield_now().await;
    }
}

/// Much more than sockets and buffers hold.
const MUCH: usize = 4 << 20;

/// A piece that is lost shows, unless it is a multiple of the period.
fn noise() -> Vec<u8> {
    (0..251).collect::<Vec<u8>>().repeat(MUCH / 251)
}

/// Writes all and closes the writing side.
async fn say(mut stream: impl futures_util::io::AsyncWrite + Unpin, words: Vec<u8>) {
    stream.write_all(&words).await.unwrap();
    stream.close().await.unwrap();
}

async fn both_ways_and_half_closed(client_first: bool) {
    let (listener, far) = listener().await;
    let port = forwarder_to(far).await;
    let client = TcpStream::connect(address(&port)).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let (first, second) = if client_first { (client, server) } else { (server, client) };
    let ((mut heard_first, said_first), (mut heard_second, said_second)) =
        (AsyncReadExt::split(first), AsyncReadExt::split(second));
    // The one speaks and closes while nobody listens, then the other, then both listen.
    let noise = noise();
    let saying = rt::spawn_local(say(said_first, noise.clone()));
    let mut some = vec![0; 1000];
    heard_second.read_exact(&mut some).await.unwrap();
    let answering = rt::spawn_local(say(said_second, noise.clone()));
    heard_second.read_to_end(&mut some).await.unwrap();
    assert!(some == noise);
    saying.await.unwrap();
    let mut answer = Vec::new();
    heard_first.read_to_end(&mut answer).await.unwrap();
    assert!(answer == noise);
    answering.await.unwrap();
    port.stop_listening().await.unwrap();
}

#[rt::test(leftovers = "fail")]
async fn forwarded_both_ways_and_half_closed() {
    both_ways_and_half_closed(true).await;
    both_ways_and_half_closed(false).await;
}

#[rt::test(leftovers = "fail", flavor = "multi_thread", worker_threads = 2)]
async fn forwarded_both_ways_and_half_closed_by_many_threads() {
    both_ways_and_half_closed(true).await;
    both_ways_and_half_closed(false).await;
}

#[rt::test(leftovers = "fail")]
async fn one_side_of_a_forwarded_connection_resets() {
    for client_resets in [true, false] {
        let (listener, far) = listener().await;
        let port = forwarder_to(far).await;
        let mut client = TcpStream::connect(address(&port)).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"hello").await.unwrap();
        server.read_exact(&mut [0; 5]).await.unwrap();
        let (gone, mut other) = if client_resets { (client, server) } else { (server, client) };
        gone.set_linger(Some(Duration::ZERO)).unwrap();
        drop(gone);
        assert_eq!(other.read(&mut [0]).await.unwrap_or(0), 0);
        port.stop_listening().await.unwrap();
    }
}

#[rt::test(leftovers = "fail")]
async fn forwarded_to_where_nobody_listens() {
    let (listener, far) = listener().await;
    drop(listener);
    let port = forwarder_to(far).await;
    let mut client = TcpStream::connect(address(&port)).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    port.stop_listening().await.unwrap();
}

/// Cancels `connecting` after `turns` turns of the other tasks; it must not be connected by then.
async fn cancelled_after<T: 'static>(turns: usize, connecting: Deferred<T>) {
    for _ in 0..turns {
        rt::task::yield_now().await;
    }
    connecting.cancel();
    assert!(connecting.await.err().unwrap().check::<Cancelled>());
}

#[rt::test(leftovers = "fail")]
async fn attempts_are_cancelled_at_each_stage() {
    let names = FakeResolver::new();
    names.hold("nowhere.example");
    let silence = Silence::new().await;
    let factory = AccumulatingFactory::new();
    let options = || ConnectOptions::new().resolver(DnsResolver::with(names.clone()));
    let connector = Authority::new("roots").connector();
    let server = listen_tcp("127.0.0.1:0", AccumulatingFactory::new()).unwrap();
    for turns in [0, 1, 2, 5] {
        let unknown = HostnameEndpoint::new("nowhere.example", 80).with_options(options());
        cancelled_after(turns, unknown.connect(factory.clone())).await;
        let silent = TcpClientEndpoint::new(silence.address).with_options(options());
        cancelled_after(turns, silent.connect(factory.clone())).await;
        cancelled_after(turns, wrap_client_tls(&connector, "localhost", silent).connect(factory.clone())).await;
        assert_eq!(factory.running(), 0);
    }
    // Before the socket has answered.
    cancelled_after(0, TcpClientEndpoint::new(address(&server)).connect(factory.clone())).await;
    assert_eq!((factory.running(), factory.protocols().len()), (0, 0));
    server.stop_listening().await.unwrap();
}

#[rt::test(leftovers = "fail", start_paused = true)]
async fn a_handshake_that_hangs_on_either_side() {
    let authority = Authority::new("roots");
    let (listener, silent) = listener().await;
    let factory = AccumulatingFactory::new();
    let endpoint = wrap_client_tls(&authority.connector(), "localhost", TcpClientEndpoint::new(silent));
    let client = endpoint.connect(factory.clone()).await.unwrap();
    let _server = listener.accept().await.unwrap();
    client.transport().write(b"waits for the handshake");
    let reason = client.transport().closed().await.unwrap();
    assert!(matches!(reason, ConnectionLost::Tls(_)), "{reason}");
    assert_eq!(factory.running(), 0);

    let acceptor = authority.identity(&["localhost"]).acceptor();
    let servers = AccumulatingFactory::new();
    let endpoint = wrap_server_tls(&acceptor, TcpServerEndpoint::new("127.0.0.1:0"));
    let port = endpoint.listen(servers.clone()).await.unwrap();
    let mut client = TcpStream::connect(address(&port)).await.unwrap();
    let server = first_of(&servers).await;
    server.transport().unwrap().lose_connection();
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(matches!(server.lost(), Some(ConnectionLost::Tls(_) | ConnectionLost::Done)), "{:?}", server.lost());
    port.stop_listening().await.unwrap();
    assert_eq!(servers.running(), 0);
}

#[rt::test(leftovers = "fail")]
async fn a_handshake_that_fails() {
    let acceptor = Authority::new("roots").identity(&["localhost"]).acceptor();
    let stranger = Authority::new("roots").connector();
    let (servers, clients) = (AccumulatingFactory::new(), AccumulatingFactory::new());
    let port = wrap_server_tls(&acceptor, TcpServerEndpoint::new("127.0.0.1:0")).listen(servers.clone()).await.unwrap();
    let endpoint = wrap_client_tls(&stranger, "localhost", TcpClientEndpoint::new(address(&port)));
    let client = endpoint.connect(clients.clone()).await.unwrap();
    assert!(matches!(client.transport().closed().await.unwrap(), ConnectionLost::Tls(_)));
    let server = first_of(&servers).await;
    assert!(matches!(server.closed().await.unwrap(), ConnectionLost::Tls(_)));
    assert_eq!(clients.running(), 0);
    port.stop_listening().await.unwrap();
}

#[rt::test(leftovers = "fail")]
async fn stops_trying_in_each_state() {
    let silence = Silence::new().await;
    let (listener, live) = listener().await;
    let (nobody, dead) = self::listener().await;
    drop(nobody);
    for (target, turns) in [(silence.address, 0), (silence.address, 3), (dead, 0), (dead, 1), (live, 0), (live, 1)] {
        let factory = AccumulatingFactory::new();
        let reconnecting = ReconnectingClientFactory::new(factory.clone()).initial_delay(Duration::from_secs(100));
        let handle = reconnecting.reconnecting();
        connect_tcp(target, reconnecting);
        for _ in 0..turns {
            rt::task::yield_now().await;
        }
        let is_connected = target == live && turns > 0;
        if is_connected {
            first_of(&factory).await;
        }
        while target == dead && turns > 0 && handle.retries() == 0 {
            rt::task::yield_now().await;
        }
        handle.stop_trying();
        if is_connected {
            let (server, _) = listener.accept().await.unwrap();
            let client = first_of(&factory).await;
            assert!(client.lost().is_none());
            drop(server);
            client.closed().await.unwrap();
        }
        while factory.starts() == 0 || factory.running() > 0 {
            rt::task::yield_now().await;
        }
        assert_eq!(factory.protocols().len(), usize::from(is_connected));
    }
}

#[rt::test(leftovers = "fail")]
async fn policies_rest_when_the_last_connection_is_gone() {
    let servers = AccumulatingFactory::new();
    let throttled = ThrottlingFactory::new(servers.clone()).read_limit(1).write_limit(1);
    let timed = TimeoutFactory::new(throttled, Duration::from_secs(100));
    let port = listen_tcp("127.0.0.1:0", LimitTotalConnectionsFactory::new(timed, 2)).unwrap();
    for _ in 0..3 {
        let clients = [connect_to(&port).await, connect_to(&port).await];
        let mut refused = connect_to(&port).await;
        assert_eq!(refused.read(&mut [0]).await.unwrap_or(0), 0);
        drop(clients);
        while servers.protocols().iter().any(|protocol| protocol.lost().is_none()) {
            rt::task::yield_now().await;
        }
    }
    assert_eq!(servers.protocols().len(), 6);
    port.stop_listening().await.unwrap();
}

/// A connection on which a byte was sent.
async fn connect_to(port: &Port) -> TcpStream {
    let mut stream = TcpStream::connect(address(port)).await.unwrap();
    // It may be refused by now.
    let _ = poll_fn(|cx| match futures_util::FutureExt::poll_unpin(&mut stream.write_all(b"x"), cx) {
        Poll::Pending => Poll::Ready(Ok(())),
        ready => ready,
    })
    .await;
    stream
}
