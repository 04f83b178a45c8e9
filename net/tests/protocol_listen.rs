//! Ports: connections run protocols, factories may fail, and an end is an end.

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/protocols.rs"]
mod protocols;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use protocols::{Echo, Log, NotingFactory, Quirk};
use rt::deferred::unhandled;
use rt::net::{TcpListener, TcpStream};
use rt::protocol::{
    Address, Factory, ListenOptions, Port, Protocol, StreamServerEndpoint, TcpServerEndpoint, Transport, for_protocol,
    listen_on, listen_tcp,
};
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

fn address(port: &Port) -> SocketAddr {
    port.host().ip().unwrap()
}

/// Sends a word and has it echoed.
async fn talk(stream: &mut TcpStream, word: &str) {
    stream.write_all(word.as_bytes()).await.unwrap();
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, word.as_bytes());
}

async fn at_end(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0]).await.unwrap() == 0
}

#[test]
fn each_connection_has_a_protocol_of_its_own() {
    struct Counting(usize);
    impl Protocol for Counting {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            self.0 += data.len();
            transport.write(&[self.0 as u8]);
        }
    }
    flavor::block_on(async {
        let port = listen_tcp("127.0.0.1:0", |_: &Address| Counting(0)).unwrap();
        let mut clients = Vec::new();
        for _ in 0..200 {
            clients.push(TcpStream::connect(address(&port)).await.unwrap());
        }
        for round in 1..=3 {
            for client in &mut clients {
                client.write_all(b"x").await.unwrap();
            }
            for client in &mut clients {
                let mut count = [0];
                client.read_exact(&mut count).await.unwrap();
                assert_eq!(count, [round]);
            }
        }
    });
}

#[test]
fn factory_is_told_of_peers_and_of_its_beginning_and_end() {
    struct Telling(Log);
    impl Factory for Telling {
        type Protocol = Echo;
        fn build_protocol(&mut self, peer: &Address) -> Option<Echo> {
            self.0.note(peer.to_string());
            Some(Echo)
        }
        fn start_factory(&mut self) {
            self.0.note("start");
        }
        fn stop_factory(&mut self) {
            self.0.note("stop");
        }
    }
    flavor::block_on(async {
        let log = Log::default();
        let port = listen_tcp("127.0.0.1:0", Telling(log.clone())).unwrap();
        assert_eq!(log.take(), ["start"]);
        let mut client = TcpStream::connect(address(&port)).await.unwrap();
        talk(&mut client, "hello").await;
        assert_eq!(log.take(), [client.local_addr().unwrap().to_string()]);
        port.stop_listening().await.unwrap();
        assert_eq!(log.take(), ["stop"]);
    });
}

#[test]
fn stopped_port_refuses_newcomers_and_leaves_open_connections_alone() {
    flavor::block_on(async {
        let log = Log::default();
        let port = listen_tcp("127.0.0.1:0", NotingFactory::new(&log)).unwrap();
        let mut client = TcpStream::connect(address(&port)).await.unwrap();
        talk(&mut client, "one").await;
        // All who ask are told, also those who ask later.
        let (first, second) = (port.stop_listening(), port.stop_listening());
        first.await.unwrap();
        second.await.unwrap();
        port.stop_listening().await.unwrap();
        assert_eq!(TcpStream::connect(address(&port)).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        talk(&mut client, "two").await;
        assert_eq!(log.take(), ["start", "build", "made", "data one", "stop", "data two"]);
        // The address is free again.
        listen_tcp(address(&port), NotingFactory::new(&log)).unwrap().stop_listening().await.unwrap();
    });
}

#[test]
fn cancelled_wait_for_the_end_of_a_port_leaves_others_waiting() {
    flavor::block_on(async {
        let port = listen_tcp("127.0.0.1:0", for_protocol(|| Echo)).unwrap();
        let (impatient, patient) = (port.stop_listening(), port.stop_listening());
        impatient.cancel();
        assert!(impatient.await.is_err());
        patient.await.unwrap();
    });
}

#[test]
fn port_without_a_handle_stays_open() {
    flavor::block_on(async {
        let port = listen_tcp("127.0.0.1:0", for_protocol(|| Echo)).unwrap();
        let address = address(&port);
        drop(port);
        talk(&mut TcpStream::connect(address).await.unwrap(), "hello").await;
    });
}

#[test]
fn end_of_the_runtime_closes_the_port() {
    let log = Log::default();
    let port = flavor::block_on(async { listen_tcp("127.0.0.1:0", NotingFactory::new(&log)).unwrap() });
    assert_eq!(log.take(), ["start", "stop"]);
    assert!(std::net::TcpStream::connect(address(&port)).is_err());
    assert!(port.stop_listening().state().has_result());
}

#[test]
fn factory_without_a_protocol_closes_the_connection() {
    flavor::block_on(async {
        let log = Log::default();
        let port = listen_tcp("127.0.0.1:0", NotingFactory::new(&log).with_quirks(&[Quirk::None])).unwrap();
        assert!(at_end(&mut TcpStream::connect(address(&port)).await.unwrap()).await);
        talk(&mut TcpStream::connect(address(&port)).await.unwrap(), "hello").await;
        assert_eq!(log.take(), ["start", "build", "build", "made", "data hello"]);
    });
}

#[test]
fn panic_in_a_factory_ends_one_connection_and_is_reported() {
    let log = Log::default();
    let ((), lost) = unhandled::capture(|| {
        flavor::one_thread().block_on(async {
            let port = listen_tcp("127.0.0.1:0", NotingFactory::new(&log).with_quirks(&[Quirk::Panic])).unwrap();
            assert!(at_end(&mut TcpStream::connect(address(&port)).await.unwrap()).await);
            talk(&mut TcpStream::connect(address(&port)).await.unwrap(), "hello").await;
            port.stop_listening().await.unwrap();
        });
    });
    let [lost] = &lost[..] else { panic!("{lost:?}") };
    assert_eq!(lost.failure.to_string(), "panicked: no mood for protocols");
}

#[test]
fn panic_at_the_end_of_a_factory_is_reported_and_the_port_closed() {
    struct Sorry;
    impl Factory for Sorry {
        type Protocol = Echo;
        fn build_protocol(&mut self, _: &Address) -> Option<Echo> {
            Some(Echo)
        }
        fn stop_factory(&mut self) {
            panic!("sorry to go");
        }
    }
    let ((), lost) = unhandled::capture(|| {
        flavor::one_thread().block_on(async {
            let port = listen_tcp("127.0.0.1:0", Sorry).unwrap();
            port.stop_listening().await.unwrap();
            assert!(TcpStream::connect(address(&port)).await.is_err());
        });
    });
    assert_eq!(lost.len(), 1);
}

#[test]
fn addresses_that_cannot_be_listened_on() {
    flavor::block_on(async {
        let kind = |address: &str| listen_tcp(address, for_protocol(|| Echo)).unwrap_err().kind();
        assert_eq!(kind("192.0.2.1:0"), ErrorKind::AddrNotAvailable);
        assert_eq!(kind("no port"), ErrorKind::InvalidInput);
        let name = listen_tcp("localhost:0", for_protocol(|| Echo)).unwrap_err();
        assert_eq!(
            name.to_string(),
            "localhost:0 would have to be looked up; allowed here is an IP address with a port"
        );
        let port = listen_tcp("127.0.0.1:0", for_protocol(|| Echo)).unwrap();
        let taken = listen_tcp(port.host(), for_protocol(|| Echo)).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        let said = format!("cannot listen on {}: Address already in use", port.host());
        assert!(taken.to_string().starts_with(&said), "{taken}");
        let source =
            taken.get_ref().and_then(std::error::Error::source).and_then(|error| error.downcast_ref::<Error>());
        assert!(source.is_some_and(|error| error.raw_os_error().is_some()), "the system's error is in it");
        let none: &[SocketAddr] = &[];
        assert_eq!(listen_tcp(none, for_protocol(|| Echo)).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn first_address_that_works() {
    flavor::block_on(async {
        let addresses: [SocketAddr; 2] = ["192.0.2.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()];
        let port = listen_tcp(&addresses[..], for_protocol(|| Echo)).unwrap();
        assert!(address(&port).ip().is_loopback());
    });
}

#[test]
fn endpoint_looks_a_name_up() {
    flavor::block_on(async {
        let endpoint = TcpServerEndpoint::new("localhost:0");
        let port = endpoint.listen(for_protocol(|| Echo)).await.unwrap();
        talk(&mut TcpStream::connect(address(&port)).await.unwrap(), "hello").await;
        // It can be used again.
        let other = endpoint.listen(for_protocol(|| Echo)).await.unwrap();
        assert_ne!(address(&other), address(&port));
        let failure = TcpServerEndpoint::new("192.0.2.1:0").listen(for_protocol(|| Echo)).await.unwrap_err();
        assert_eq!(failure.kind(), Some(ErrorKind::AddrNotAvailable));
    });
}

#[test]
fn listener_that_is_there_already() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // It waits in the backlog.
        let mut early = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let port = listen_on(listener, for_protocol(|| Echo)).unwrap();
        talk(&mut early, "hello").await;
        port.stop_listening().await.unwrap();
    });
}

#[test]
fn broken_listener_is_closed_and_told() {
    use rt::net::Listener;
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};

    struct Broken(TcpListener);
    impl Listener for Broken {
        type Io = TcpStream;
        type Addr = SocketAddr;
        fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
            Poll::Ready(Err(io::Error::other("out of order")))
        }
        fn local_addr(&self) -> io::Result<SocketAddr> {
            self.0.local_addr()
        }
    }
    flavor::block_on(async {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let told = notices.clone();
        let options = ListenOptions::new().on_notice(move |notice| told.lock().unwrap().push(notice.to_string()));
        let listener = Broken(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let log = Log::default();
        let port = options.listen_on(listener, NotingFactory::new(&log)).unwrap();
        log.until(2).await;
        assert_eq!(log.take(), ["start", "stop"]);
        let host = address(&port);
        assert_eq!(*notices.lock().unwrap(), [format!("{host} is listened on no more: out of order")]);
        port.stop_listening().await.unwrap();
    });
}

/// One port for each worker, on one address.
#[cfg(unix)]
#[test]
fn several_ports_on_one_address() {
    flavor::block_on(async {
        let options = ListenOptions::new().reuse_port(true);
        let here = || for_protocol(|| Telling(std::thread::current().id()));
        let first = options.listen_tcp("127.0.0.1:0", here()).unwrap();
        let address = address(&first);
        let mut workers = vec![std::thread::current().id()];
        for worker in 1..flavor::workers() {
            let options = options.clone();
            let listening = rt::spawn_pinned(worker, move || async move {
                options.listen_tcp(address, here()).unwrap();
                std::thread::current().id()
            });
            workers.push(listening.unwrap().await.unwrap());
        }
        let mut seen = Vec::new();
        for _ in 0..64 * workers.len() {
            let mut text = String::new();
            TcpStream::connect(address).await.unwrap().read_to_string(&mut text).await.unwrap();
            seen.push(text);
        }
        for worker in workers {
            assert!(seen.contains(&format!("{worker:?}")), "{worker:?} has served somebody: {seen:?}");
        }
    });

    /// Says on which thread it runs.
    struct Telling(std::thread::ThreadId);
    impl Protocol for Telling {
        fn connection_made(&mut self, transport: &Transport) {
            assert_eq!(std::thread::current().id(), self.0);
            transport.write(format!("{:?}", self.0).as_bytes());
            transport.lose_connection();
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
}
