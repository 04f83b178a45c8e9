//! Listening and connecting in memory.

use rt::deferred::{Cancelled, Failure, ReactorTime};
use rt::net::DnsResolver;
use rt::protocol::{
    Address, ClientFactory, ConnectionLost, Connector, Factory, NoProtocol, Port, Protocol, ReactorTcp,
    ReconnectingClientFactory, StreamClientEndpoint, StreamServerEndpoint, Transport, connect_protocol, for_protocol,
};
use rt::testing::{
    AccumulatingFactory, AccumulatingProtocol, FakeResolver, MemoryReactor, Trace, assert_no_result, failure_result_of,
    success_result_of,
};
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// Writes down what it is told, and connects again after `again` failures and losses.
struct Client {
    trace: Trace,
    again: usize,
    gives_up: bool,
}

impl Client {
    fn new(trace: &Trace) -> Self {
        Self { trace: trace.clone(), again: 0, gives_up: false }
    }

    fn connect_again(&mut self, connector: &Connector) {
        if self.again > 0 {
            self.again -= 1;
            connector.connect();
        }
    }
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

impl Factory for Client {
    type Protocol = Quiet;
    fn build_protocol(&mut self, peer: &Address) -> Option<Quiet> {
        self.trace.push(format!("build for {peer}"));
        Some(Quiet)
    }
    fn start_factory(&mut self) {
        self.trace.push("start");
    }
    fn stop_factory(&mut self) {
        self.trace.push("stop");
    }
}

impl ClientFactory for Client {
    fn started_connecting(&mut self, connector: &Connector) {
        self.trace.push(format!("connecting to {}", connector.destination()));
        if self.gives_up {
            connector.stop_connecting();
        }
    }
    fn client_connection_failed(&mut self, connector: &Connector, reason: &Failure) {
        self.trace.push(format!("failed: {reason}"));
        self.connect_again(connector);
    }
    fn client_connection_lost(&mut self, connector: &Connector, reason: &ConnectionLost) {
        self.trace.push(format!("lost: {reason}"));
        self.connect_again(connector);
    }
}

#[test]
fn client_and_server_of_a_program_meet() {
    let (reactor, trace, server) = (MemoryReactor::new(), Trace::new(), AccumulatingFactory::new());
    let _port = reactor.listen_tcp("127.0.0.1:80", server.clone()).unwrap();
    let connector = reactor.connect_tcp("127.0.0.1:80", Client::new(&trace));
    assert_eq!(reactor.attempts(), ["127.0.0.1:80"]);
    reactor.succeed_once().unwrap();
    assert!(reactor.attempts().is_empty() && reactor.succeed_once().is_none());
    assert_eq!(trace.take(), ["start", "connecting to 127.0.0.1:80", "build for 127.0.0.1:80"]);
    assert_eq!(server.peers(), [SocketAddr::from(([127, 0, 0, 1], 49152)).into()]);
    connector.disconnect();
    assert!(reactor.flush());
    assert_eq!(trace.take(), ["lost: the connection was closed", "stop"]);
    assert!(server.protocols()[0].lost().unwrap().is_clean());
}

#[test]
fn a_client_connects_again_from_within_its_events() {
    let (reactor, trace) = (MemoryReactor::new(), Trace::new());
    reactor.connect_tcp("example.com:80", Client { again: 2, ..Client::new(&trace) });
    assert!(reactor.fail_once(io::Error::other("no luck")));
    assert_eq!(
        trace.take(),
        ["start", "connecting to example.com:80", "failed: no luck", "connecting to example.com:80"]
    );
    let (server, _) = reactor.accept(AccumulatingProtocol::new()).unwrap();
    server.transport().abort_connection();
    reactor.flush();
    assert_eq!(trace.take()[1..], ["lost: the connection was lost: connection reset", "connecting to example.com:80"]);
    assert!(reactor.fail_once("no more"));
    assert_eq!(trace.take(), ["failed: no more", "stop"]);
    assert!(!reactor.fail_once("nobody tries"));
}

#[test]
fn a_client_gives_up() {
    let (reactor, trace) = (MemoryReactor::new(), Trace::new());
    reactor.connect_tcp("example.com:80", Client { gives_up: true, ..Client::new(&trace) });
    assert!(reactor.attempts().is_empty());
    let events = trace.take();
    assert!(events[2].starts_with("failed: ") && events[3..] == ["stop"], "{events:?}");
    let connector = reactor.connect_tcp("example.com:80", AccumulatingFactory::new());
    assert_eq!(reactor.attempts().len(), 1);
    connector.stop_connecting();
    assert!(reactor.attempts().is_empty());
}

#[test]
fn reconnecting_goes_by_the_reactors_clock() {
    let (reactor, factory) = (MemoryReactor::new(), AccumulatingFactory::new());
    let reconnecting = ReconnectingClientFactory::new(factory.clone()).clock(&reactor).jitter(0.0).factor(2.0);
    let _connector = reactor.connect_tcp("example.com:80", reconnecting);
    reactor.fail_once("no");
    assert!(reactor.attempts().is_empty());
    reactor.clock().advance(Duration::from_secs(2));
    assert_eq!(reactor.attempts().len(), 1);
    reactor.accept(Quiet).unwrap();
    assert_eq!(factory.protocols().len(), 1);
}

#[test]
fn a_factory_refuses() {
    let (reactor, server) = (MemoryReactor::new(), AccumulatingFactory::new());
    let port = reactor.listen_tcp("127.0.0.1:0", server.clone()).unwrap();
    server.refuse(true);
    let client = AccumulatingProtocol::new();
    reactor.dial(&port.host(), client.clone()).unwrap();
    reactor.flush();
    assert!(client.lost().unwrap().is_clean());

    server.refuse(false);
    let refusing = AccumulatingFactory::new();
    refusing.refuse(true);
    let connecting = reactor.client_endpoint(port.host().ip().unwrap()).connect(refusing.clone());
    assert!(reactor.succeed_once().is_none());
    assert!(failure_result_of(connecting).check::<NoProtocol>());
    assert_eq!((refusing.starts(), refusing.running(), server.protocols().len()), (1, 0, 0));
}

#[test]
fn an_endpoint_connects_when_both_were_told() {
    let (reactor, server) = (MemoryReactor::new(), AccumulatingFactory::new());
    success_result_of(reactor.server_endpoint("[::1]:80").listen(server.clone()));
    let client = AccumulatingProtocol::new();
    let connecting = connect_protocol(&reactor.client_endpoint("localhost:80"), client.clone());
    assert_no_result(&connecting);
    let pump = reactor.succeed_once().unwrap();
    let handle = success_result_of(connecting);
    assert_eq!(handle.transport().peer().to_string(), "[::1]:80");
    assert_eq!(handle.transport().host(), server.peers()[0]);
    handle.transport().write(b"hello");
    pump.flush();
    assert_eq!(server.protocols()[0].data(), b"hello");
}

#[test]
fn an_attempt_is_cancelled() {
    let (reactor, factory) = (MemoryReactor::new(), AccumulatingFactory::new());
    let connecting = reactor.client_endpoint("example.com:80").connect(factory.clone());
    assert_eq!(factory.running(), 1);
    connecting.control().cancel();
    assert!(failure_result_of(connecting).check::<Cancelled>());
    assert_eq!((reactor.attempts().len(), factory.running()), (0, 0));
}

#[test]
fn ports_are_free_again_when_they_are_closed() {
    let reactor = MemoryReactor::new();
    let port = reactor.listen_tcp("127.0.0.1:80", for_protocol(|| Quiet)).unwrap();
    let taken = reactor.listen_tcp("127.0.0.1:80", for_protocol(|| Quiet)).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    let other = reactor.listen_tcp("127.0.0.1:0", for_protocol(|| Quiet)).unwrap();
    assert_eq!(reactor.listening(), [port.host(), other.host()]);
    success_result_of(port.stop_listening());
    success_result_of(port.stop_listening());
    assert_eq!(reactor.listening(), [other.host()]);
    let refused = reactor.dial(&port.host(), Quiet).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(refused.to_string().contains(&other.host().to_string()));
}

#[test]
fn everything_fails() {
    let (reactor, trace) = (MemoryReactor::new(), Trace::new());
    reactor.set_listen_error(Some(io::ErrorKind::PermissionDenied));
    let refused = reactor.listen_tcp("127.0.0.1:80", for_protocol(|| Quiet)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    reactor.set_connect_error(Some(io::ErrorKind::NetworkUnreachable));
    let failed = failure_result_of(reactor.client_endpoint("example.com:80").connect(AccumulatingFactory::new()));
    assert_eq!(failed.kind(), Some(io::ErrorKind::NetworkUnreachable));
    reactor.connect_tcp("example.com:80", Client::new(&trace));
    assert_eq!(trace.take()[2..], ["failed: network unreachable", "stop"]);
    let malformed = failure_result_of(reactor.client_endpoint("no port").connect(AccumulatingFactory::new()));
    assert_eq!(malformed.kind(), Some(io::ErrorKind::InvalidInput));
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_told_apart_by_their_paths() {
    use rt::protocol::ReactorUnix;
    let (reactor, server) = (MemoryReactor::new(), AccumulatingFactory::new());
    reactor.listen_unix("/run/one", server.clone()).unwrap();
    reactor.connect_unix("/run/two", AccumulatingFactory::new());
    assert!(reactor.succeed_once().is_none());
    reactor.connect_unix("/run/one", AccumulatingFactory::new());
    assert_eq!(reactor.attempts(), ["unix:/run/two", "unix:/run/one"]);
    assert!(reactor.succeed_once().is_some());
    assert_eq!(server.peers(), [Address::Unix(None)]);
}

#[test]
fn the_reactor_is_a_clock() {
    let (reactor, trace) = (MemoryReactor::new(), Trace::new());
    let time: &dyn ReactorTime = &reactor;
    let due = trace.clone();
    let _take_back = time.call_later(Duration::from_secs(1), Box::new(move || due.push("now")));
    reactor.clock().advance(Duration::from_secs(1));
    assert_eq!((trace.take(), time.now()), (vec!["now".to_owned()], Duration::from_secs(1)));
}

#[rt::test]
async fn a_name_is_held_until_the_test_says_so() {
    let names = FakeResolver::new();
    names.hold("slow.example");
    names.fail("broken.example", io::ErrorKind::TimedOut);
    let resolver = DnsResolver::with(names.clone());
    assert_eq!(resolver.lookup("broken.example").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    let task = rt::spawn(async move { resolver.lookup("slow.example").await });
    rt::task::yield_now().await;
    assert!(!task.is_finished());
    names.set("SLOW.example", [[192, 0, 2, 7].into()]);
    assert_eq!(task.await.unwrap().unwrap(), [std::net::IpAddr::from([192, 0, 2, 7])]);
}

/// Runs `f` when it is to make a protocol.
struct Meddling<F>(AccumulatingFactory, F);

impl<F: FnMut() + 'static> Factory for Meddling<F> {
    type Protocol = AccumulatingProtocol;
    fn build_protocol(&mut self, peer: &Address) -> Option<AccumulatingProtocol> {
        (self.1)();
        self.0.build_protocol(peer)
    }
    fn start_factory(&mut self) {
        self.0.start_factory();
    }
    fn stop_factory(&mut self) {
        self.0.stop_factory();
    }
}

#[test]
fn a_factory_closes_its_port_when_it_is_to_make_a_protocol() {
    let (reactor, factory) = (MemoryReactor::new(), AccumulatingFactory::new());
    let port = Rc::new(RefCell::new(None::<Port>));
    let own = port.clone();
    let close = move || drop(own.borrow().as_ref().unwrap().stop_listening());
    let listening = reactor.listen_tcp("127.0.0.1:80", Meddling(factory.clone(), close)).unwrap();
    *port.borrow_mut() = Some(listening.clone());
    let client = AccumulatingProtocol::new();
    reactor.dial(&listening.host(), client.clone()).unwrap();
    client.transport().unwrap().write(b"the first and last");
    reactor.flush();
    assert_eq!(factory.protocols()[0].data(), b"the first and last");
    assert_eq!((factory.starts(), factory.running(), reactor.listening().len()), (1, 0, 0));
    success_result_of(listening.stop_listening());
}

#[test]
fn an_endpoints_factory_is_stopped_when_its_connection_is_gone() {
    let (reactor, factory) = (MemoryReactor::new(), AccumulatingFactory::new());
    let connecting = reactor.client_endpoint("example.com:80").connect(factory.clone());
    let (server, _) = reactor.accept(AccumulatingProtocol::new()).unwrap();
    success_result_of(connecting);
    assert_eq!(factory.running(), 1);
    server.transport().lose_connection();
    reactor.flush();
    assert_eq!((factory.starts(), factory.running()), (1, 0));
}

/// Gives up when it is to make a protocol, and makes one nevertheless.
struct Undecided {
    client: Client,
    connector: Option<Connector>,
}

impl Factory for Undecided {
    type Protocol = Quiet;
    fn build_protocol(&mut self, peer: &Address) -> Option<Quiet> {
        let connector = self.connector.take().unwrap();
        connector.disconnect();
        connector.stop_connecting();
        self.client.build_protocol(peer)
    }
    fn start_factory(&mut self) {
        self.client.start_factory();
    }
    fn stop_factory(&mut self) {
        self.client.stop_factory();
    }
}

impl ClientFactory for Undecided {
    fn started_connecting(&mut self, connector: &Connector) {
        self.connector = Some(connector.clone());
    }
    fn client_connection_failed(&mut self, connector: &Connector, reason: &Failure) {
        self.client.client_connection_failed(connector, reason);
    }
    fn client_connection_lost(&mut self, connector: &Connector, reason: &ConnectionLost) {
        self.client.client_connection_lost(connector, reason);
    }
}

#[test]
fn a_client_gives_up_when_it_is_to_make_a_protocol() {
    let trace = Trace::new();
    let events = ["start", "build for 127.0.0.1:80", "lost: the connection was closed", "stop"];
    let reactor = MemoryReactor::new();
    reactor.connect_tcp("127.0.0.1:80", Undecided { client: Client::new(&trace), connector: None });
    reactor.accept(AccumulatingProtocol::new());
    reactor.flush();
    assert_eq!(trace.take(), events);

    // As with sockets.
    rt::block_on(async {
        let listener = rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        rt::protocol::connect_tcp(address, Undecided { client: Client::new(&trace), connector: None });
        let mut server = listener.accept().await.unwrap().0;
        let closed = rt::io::AsyncReadExt::read(&mut server, &mut [0]).await.unwrap();
        assert_eq!(closed, 0);
        rt::task::yield_now().await;
        assert_eq!(trace.take(), events.map(|event| event.replace("127.0.0.1:80", &address.to_string())));
    });
}
