//! Forwarded connections, in memory.

use rt::deferred::unhandled;
use rt::protocol::{PortForwardFactory, ReactorTcp, Transport};
use rt::testing::{AccumulatingFactory, AccumulatingProtocol, Direction, IoPump, MemoryReactor, Trace};
use std::io;

struct Forwarded {
    reactor: MemoryReactor,
    client: AccumulatingProtocol,
    server: AccumulatingProtocol,
    /// Between the client and the forwarder, and between that and the server.
    near: IoPump,
    far: IoPump,
}

fn forwarded() -> Forwarded {
    forwarded_between(AccumulatingProtocol::half_open(), AccumulatingProtocol::half_open())
}

fn forwarded_between(client: AccumulatingProtocol, server: AccumulatingProtocol) -> Forwarded {
    let reactor = MemoryReactor::new();
    let endpoint = reactor.client_endpoint("example.com:80");
    let port = reactor.listen_tcp("127.0.0.1:8080", PortForwardFactory::new(endpoint)).unwrap();
    let (_, near) = reactor.dial(&port.host(), client.clone()).unwrap();
    let (_, far) = reactor.accept(server.clone()).unwrap();
    Forwarded { reactor, client, server, near, far }
}

impl Forwarded {
    fn up(&self) -> Transport {
        self.client.transport().unwrap()
    }

    fn down(&self) -> Transport {
        self.server.transport().unwrap()
    }
}

#[test]
fn bytes_go_both_ways() {
    let both = forwarded();
    both.up().write(b"question");
    both.down().write(b"answer");
    both.reactor.flush();
    assert_eq!(both.server.data(), b"question");
    assert_eq!(both.client.data(), b"answer");
}

#[test]
fn nothing_is_read_before_the_second_connection_is_there() {
    let reactor = MemoryReactor::new();
    let endpoint = reactor.client_endpoint("example.com:80");
    let port = reactor.listen_tcp("127.0.0.1:8080", PortForwardFactory::new(endpoint)).unwrap();
    let client = AccumulatingProtocol::new();
    let (_, near) = reactor.dial(&port.host(), client.clone()).unwrap();
    client.transport().unwrap().write(b"early");
    client.transport().unwrap().lose_write_connection();
    reactor.flush();
    assert_eq!(near.unsent(Direction::ToServer), 5);
    let server = AccumulatingProtocol::half_open();
    reactor.accept(server.clone()).unwrap();
    reactor.flush();
    assert_eq!(server.data(), b"early");
    assert!(server.is_read_connection_lost() && server.lost().is_none());
}

#[test]
fn half_close_is_handed_on_and_the_other_way_stays_open() {
    let both = forwarded();
    both.up().write(b"all of it");
    both.up().lose_write_connection();
    both.reactor.flush();
    assert!(both.server.is_read_connection_lost());
    assert_eq!(both.server.data(), b"all of it");
    both.down().write(b"the answer");
    both.down().lose_write_connection();
    both.reactor.flush();
    assert_eq!(both.client.data(), b"the answer");
    assert!(both.client.is_read_connection_lost());
    both.up().lose_connection();
    both.down().lose_connection();
    both.reactor.flush();
    assert!(both.near.is_over() && both.far.is_over());
    assert!(both.client.lost().unwrap().is_clean() && both.server.lost().unwrap().is_clean());
}

#[test]
fn a_loss_is_handed_on_after_what_came_before() {
    let both = forwarded();
    both.far.clog(Direction::ToServer);
    both.up().write(b"last words");
    both.reactor.flush();
    both.up().abort_connection();
    both.reactor.flush();
    assert!(both.near.is_over() && both.server.lost().is_none());
    both.far.unclog(Direction::ToServer);
    both.reactor.flush();
    assert_eq!(both.server.data(), b"last words");
    both.down().lose_connection();
    both.reactor.flush();
    assert!(both.far.is_over());
}

#[test]
fn the_server_is_gone_and_the_client_is_closed() {
    let both = forwarded_between(AccumulatingProtocol::new(), AccumulatingProtocol::new());
    both.down().write(b"bye");
    both.down().lose_connection();
    both.reactor.flush();
    assert_eq!(both.client.data(), b"bye");
    assert!(both.client.lost().unwrap().is_clean());
    assert!(both.near.is_over() && both.far.is_over());
}

#[test]
fn who_sends_is_held_back_by_who_does_not_read() {
    let both = forwarded();
    both.far.clog(Direction::ToServer);
    both.near.set_chunk_size(1024);
    both.up().write(&[b'x'; 200 * 1024]);
    both.reactor.flush();
    let (before, within) = (both.near.unsent(Direction::ToServer), both.far.unsent(Direction::ToServer));
    assert_eq!(before + within, 200 * 1024);
    assert_eq!(within, 65 * 1024, "one piece more than 64 KiB");
    both.far.unclog(Direction::ToServer);
    both.reactor.flush();
    assert_eq!(both.server.data().len(), 200 * 1024);
}

#[test]
fn the_second_connection_cannot_be_made() {
    let reactor = MemoryReactor::new();
    let trace = Trace::new();
    let told = trace.clone();
    let forward = PortForwardFactory::new(reactor.client_endpoint("example.com:80"))
        .on_failure(move |failure| told.push(failure.to_string()));
    let port = reactor.listen_tcp("127.0.0.1:8080", forward).unwrap();
    let client = AccumulatingProtocol::new();
    reactor.dial(&port.host(), client.clone()).unwrap();
    reactor.fail_once(io::Error::other("no route"));
    reactor.flush();
    assert!(client.lost().unwrap().is_clean());
    assert_eq!(trace.take(), ["no route"]);
}

#[test]
fn a_failure_that_nobody_takes_is_reported() {
    let reactor = MemoryReactor::new();
    let forward = PortForwardFactory::new(reactor.client_endpoint("example.com:80"));
    let port = reactor.listen_tcp("127.0.0.1:8080", forward).unwrap();
    reactor.dial(&port.host(), AccumulatingProtocol::new()).unwrap();
    let (_, lost) = unhandled::capture(|| reactor.fail_once(io::Error::other("no route")));
    assert_eq!(lost.iter().map(|lost| lost.failure.to_string()).collect::<Vec<_>>(), ["no route"]);
}

#[test]
fn the_first_connection_is_gone_before_the_second_is_there() {
    let reactor = MemoryReactor::new();
    let forward = PortForwardFactory::new(reactor.client_endpoint("example.com:80"));
    let port = reactor.listen_tcp("127.0.0.1:8080", forward).unwrap();
    let (handle, _) = reactor.dial(&port.host(), AccumulatingProtocol::new()).unwrap();
    assert_eq!(reactor.attempts().len(), 1);
    handle.transport().abort_connection();
    let ((), lost) = unhandled::capture(|| assert!(reactor.flush()));
    assert!(lost.is_empty());
    assert!(reactor.attempts().is_empty());
}

#[test]
fn each_connection_gets_its_own() {
    let reactor = MemoryReactor::new();
    let servers = AccumulatingFactory::new();
    reactor.listen_tcp("127.0.0.1:80", servers.clone()).unwrap();
    let forward = PortForwardFactory::new(reactor.client_endpoint("127.0.0.1:80"));
    let port = reactor.listen_tcp("127.0.0.1:8080", forward).unwrap();
    for name in ["one", "two"] {
        let (handle, _) = reactor.dial(&port.host(), AccumulatingProtocol::new()).unwrap();
        handle.transport().write(name.as_bytes());
        reactor.succeed_once().unwrap();
    }
    reactor.flush();
    let data: Vec<_> = servers.protocols().iter().map(AccumulatingProtocol::data).collect();
    assert_eq!(data, [b"one", b"two"]);
}
