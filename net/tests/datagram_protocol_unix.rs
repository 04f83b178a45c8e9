//! Protocols over Unix sockets for datagrams, with what waits for room.
#![cfg(unix)]

#[path = "support/directory.rs"]
mod directory;
#[path = "../../tests/support/flavor.rs"]
mod flavor;

use directory::Directory;
use flavor::block_on;
use rt_net::UnixDatagram;
use rt_net::protocol::{
    ConnectedDatagramProtocol, ConnectionLost, DatagramProtocol, UnixDatagramPort, UnixDatagramTransport,
    adopt_unix_datagram, connect_unix_datagram, listen_unix_datagram,
};
use rt_runtime::yield_now;
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::os::unix::net::SocketAddr;
use std::rc::Rc;

#[derive(Clone, Default)]
struct Traced(Rc<RefCell<Vec<String>>>);

impl Traced {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

impl DatagramProtocol<SocketAddr> for Traced {
    fn datagram_received(&mut self, transport: &UnixDatagramTransport, data: &[u8], from: SocketAddr) {
        self.note(String::from_utf8_lossy(data));
        if from.as_pathname().is_some() {
            transport.write(data, from);
        }
    }

    fn connection_refused(&mut self, _: &UnixDatagramTransport) {
        self.note("refused");
    }

    fn send_failed(&mut self, _: &UnixDatagramTransport, _: Option<SocketAddr>, error: io::Error) {
        self.note(format!("failed: {:?}", error.kind()));
    }

    fn stop_protocol(&mut self, _: &UnixDatagramTransport, reason: &ConnectionLost) {
        self.note(format!("stop: {reason}"));
    }
}

/// A port that is connected to a socket that nobody reads, whose queue is full: with it that socket, and how many are in there.
async fn before_a_full_queue() -> (UnixDatagramPort<Traced>, Traced, UnixDatagram, usize) {
    let (near, far) = UnixDatagram::pair().unwrap();
    let traced = Traced::default();
    let port = adopt_unix_datagram(near, traced.clone()).unwrap();
    let transport = port.transport();
    let mut count = 0;
    while transport.try_write(format!("{count}").as_bytes(), None).is_ok() {
        count += 1;
    }
    (port, traced, far, count)
}

async fn received(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 100];
    let length = socket.recv(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn there_and_back_by_path() {
    block_on(async {
        let directory = Directory::new();
        let traced = Traced::default();
        let port = listen_unix_datagram(directory.path("server"), traced.clone()).unwrap();
        assert_eq!(port.host().as_pathname(), Some(&*directory.path("server")));
        let client = UnixDatagram::bind(directory.path("client")).unwrap();
        for word in ["one", "", "three"] {
            client.send_to(word.as_bytes(), directory.path("server")).await.unwrap();
            assert_eq!(received(&client).await, word);
        }
        port.stop_listening().await.unwrap();
        assert_eq!(traced.take(), ["one", "", "three", "stop: the connection was closed"]);
        assert!(listen_unix_datagram(directory.path("no/such"), traced).is_err());
    });
}

#[test]
fn connected_by_path() {
    struct Ask(Rc<RefCell<Vec<u8>>>);
    impl ConnectedDatagramProtocol<SocketAddr> for Ask {
        fn start_protocol(&mut self, transport: &UnixDatagramTransport) {
            transport.write(b"time?", None);
        }
        fn datagram_received(&mut self, transport: &UnixDatagramTransport, data: &[u8]) {
            *self.0.borrow_mut() = data.to_vec();
            drop(transport.stop_listening());
        }
    }
    block_on(async {
        let directory = Directory::new();
        let answer = Rc::default();
        let (there, here) = (directory.path("server"), directory.path("client"));
        let nobody = connect_unix_datagram(&there, Ask(Rc::clone(&answer)), None).unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::NotFound);
        let _server = listen_unix_datagram(&there, Traced::default()).unwrap();
        let client = connect_unix_datagram(&there, Ask(Rc::clone(&answer)), Some(&here)).unwrap();
        assert_eq!(client.transport().peer().unwrap().as_pathname(), Some(&*there));
        assert!(client.closed().await.unwrap().is_clean());
        assert_eq!(*answer.borrow(), b"time?");
    });
}

#[test]
fn what_finds_no_room_waits_in_order() {
    block_on(async {
        let (port, traced, far, count) = before_a_full_queue().await;
        let transport = port.transport();
        transport.write(b"first of those that wait", None);
        transport.write(b"", None);
        transport.write(b"last", None);
        assert_eq!(transport.unsent(), 28);
        assert_eq!(transport.try_write(b"not before them", None).unwrap_err().kind(), ErrorKind::WouldBlock);
        let drained = transport.drained();
        for number in 0..count {
            assert_eq!(received(&far).await, number.to_string());
        }
        for word in ["first of those that wait", "", "last"] {
            assert_eq!(received(&far).await, word);
        }
        drained.await.unwrap();
        assert_eq!(transport.unsent(), 0);
        transport.drained().await.unwrap();
        transport.try_write(b"again", None).unwrap();
        assert_eq!(received(&far).await, "again");
        assert!(traced.take().is_empty());
    });
}

#[test]
fn peer_that_never_reads() {
    block_on(async {
        let (port, traced, far, count) = before_a_full_queue().await;
        let transport = port.transport();
        transport.set_queue_limit(2000);
        for _ in 0..100_000 {
            transport.write(&[0; 1000], None);
        }
        assert_eq!(transport.unsent(), 2000, "no more memory than that");
        // By number as well: these have no bytes.
        transport.set_queue_limit(usize::MAX);
        for _ in 0..100_000 {
            transport.write(b"", None);
        }
        yield_now().await;
        assert_eq!(traced.take(), vec!["failed: QuotaExceeded"; 16]);
        let drained = transport.drained();
        port.stop_listening().await.unwrap();
        let error = drained.await.unwrap_err();
        assert!(error.downcast_ref::<ConnectionLost>().is_some_and(ConnectionLost::is_clean));
        assert!(transport.drained().await.is_err());
        assert_eq!(traced.take(), ["stop: the connection was closed"]);
        for number in 0..count {
            assert_eq!(received(&far).await, number.to_string());
        }
        assert_eq!(far.try_recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "what waited is thrown away");
    });
}

#[test]
fn receives_while_others_wait_for_room() {
    block_on(async {
        let (port, traced, far, _) = before_a_full_queue().await;
        port.transport().write(b"waits", None);
        far.send(b"hello").await.unwrap();
        while traced.0.borrow().is_empty() {
            yield_now().await;
        }
        assert_eq!(traced.take(), ["hello"]);
        assert_eq!(port.transport().unsent(), 5);
    });
}

#[test]
fn peer_that_is_gone() {
    block_on(async {
        let (port, traced, far, _) = before_a_full_queue().await;
        port.transport().write(b"waits", None);
        drop(far);
        while port.transport().unsent() > 0 {
            yield_now().await;
        }
        port.transport().write(b"into the void", None);
        yield_now().await;
        yield_now().await;
        let told = traced.take();
        assert!(
            !told.is_empty() && told.iter().all(|what| what == "refused" || what.starts_with("failed")),
            "{told:?}"
        );
        port.stop_listening().await.unwrap();
    });
}

#[test]
fn socket_that_reads_late_among_others() {
    block_on(async {
        let directory = Directory::new();
        let traced = Traced::default();
        let port = listen_unix_datagram(directory.path("server"), traced.clone()).unwrap();
        let late = UnixDatagram::bind(directory.path("late")).unwrap();
        let address = late.local_addr().unwrap();
        let transport = port.transport();
        let mut count = 0;
        while transport.try_write(b"x", address.clone()).is_ok() {
            count += 1;
        }
        transport.write(b"waits", address);
        assert_eq!(transport.unsent(), 5);
        for _ in 0..count {
            assert_eq!(received(&late).await, "x");
        }
        assert_eq!(received(&late).await, "waits");
        assert!(traced.take().is_empty());
    });
}
