//! Connections of protocols that go under TLS, from the start or on the way.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "../../tests/support/flavor.rs"]
mod flavor;

use certificates::Authority;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::io::{DuplexStream, duplex};
use rt::net::tls::{TlsAcceptor, TlsConnector};
use rt::net::{TcpListener, TcpStream};
use rt::protocol::{ConnectionLost, Protocol, StartTls, Transport, drive};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

type Log = Rc<RefCell<Vec<String>>>;

/// A server that goes under TLS when told to.
struct Server {
    acceptor: TlsAcceptor,
    /// What it writes before it does.
    before: Vec<u8>,
    log: Log,
}

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.log.borrow_mut().push(String::from_utf8_lossy(data.split(|byte| *byte == 0x16).next().unwrap()).into());
        match data.strip_prefix(b"STARTTLS\n") {
            Some(rest) => {
                transport.write(&self.before);
                transport.start_tls(StartTls::server(&self.acceptor).received(rest)).unwrap();
                assert!(transport.start_tls(StartTls::server(&self.acceptor)).is_err(), "once is enough");
                transport.write(b"secure ");
            }
            None => transport.write(data),
        }
    }

    fn handshake_completed(&mut self, transport: &Transport) {
        self.log.borrow_mut().push("handshake".to_owned());
        transport.write(b"hello");
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.log.borrow_mut().push(reason.to_string());
    }
}

fn parties() -> (TlsAcceptor, TlsConnector) {
    let authority = Authority::new("roots");
    (authority.identity(&["localhost"]).acceptor(), authority.connector())
}

#[test]
fn a_server_goes_under_tls_on_the_way() {
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (mut near, far) = duplex(1024);
        let log = Log::default();
        let before = vec![b'.'; 100_000];
        let handle = drive(far, Server { acceptor, before, log: log.clone() });
        near.write_all(b"STARTTLS\n").await.unwrap();
        let mut plain = vec![0; 100_000];
        near.read_exact(&mut plain).await.unwrap();
        assert!(plain.iter().all(|byte| *byte == b'.'));
        let mut near = connector.connect("localhost", near).await.unwrap();
        let mut text = [0; 12];
        near.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"secure hello");
        near.write_all(b"echo").await.unwrap();
        near.close().await.unwrap();
        let mut rest = String::new();
        near.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "echo");
        handle.transport().closed().await.unwrap();
        assert_eq!(*log.borrow(), ["STARTTLS\n", "handshake", "echo", "the connection was closed"]);
    });
}

/// A client that asks for TLS, with its first handshake message right behind.
struct Client {
    connector: TlsConnector,
    log: Log,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"STARTTLS\n");
        transport.start_tls(StartTls::client(&self.connector, "localhost")).unwrap();
        assert!(transport.peer_certificates().is_empty());
        transport.write(b"first");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.log.borrow_mut().push(String::from_utf8_lossy(data).into());
        if data.ends_with(b"first") {
            transport.lose_connection();
        }
    }

    fn handshake_completed(&mut self, transport: &Transport) {
        assert_eq!(transport.peer_certificates().len(), 1);
        assert_eq!(transport.negotiated_protocol(), None);
        self.log.borrow_mut().push("handshake".to_owned());
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.log.borrow_mut().push(reason.to_string());
    }
}

#[test]
fn both_ends_go_under_tls_and_the_handshake_comes_in_one_piece_with_the_request() {
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (near, far) = duplex(64 * 1024);
        let (client, server) = (Log::default(), Log::default());
        let far = drive(far, Server { acceptor, before: Vec::new(), log: server.clone() });
        let near = drive(near, Client { connector, log: client.clone() });
        near.transport().closed().await.unwrap();
        far.transport().closed().await.unwrap();
        assert_eq!(*server.borrow(), ["STARTTLS\n", "handshake", "first", "the connection was closed"]);
        let client = client.borrow();
        assert_eq!((&*client[0], client.last().unwrap().as_str()), ("handshake", "the connection was closed"));
        assert_eq!(client[1..client.len() - 1].concat(), "secure hellofirst");
    });
}

#[test]
fn a_handshake_that_fails_is_the_reason() {
    flavor::block_on(async {
        let (acceptor, _) = parties();
        let (_, stranger) = parties();
        let (near, far) = duplex(64 * 1024);
        let (client, server) = (Log::default(), Log::default());
        let far = drive(far, Server { acceptor, before: Vec::new(), log: server.clone() });
        let near = drive(near, Client { connector: stranger, log: client.clone() });
        assert!(matches!(near.transport().closed().await.unwrap(), ConnectionLost::Tls(_)));
        assert!(matches!(far.transport().closed().await.unwrap(), ConnectionLost::Tls(_)));
        assert!(client.borrow()[0].starts_with("TLS failed: "), "{client:?}");
        assert!(!server.borrow().contains(&"handshake".to_owned()), "{server:?}");
    });
}

/// Goes under TLS at once, and notes what happens.
struct Secure {
    tls: Option<StartTls>,
    log: Log,
}

impl Secure {
    fn server(acceptor: &TlsAcceptor, log: &Log) -> Self {
        Self { tls: Some(StartTls::server(acceptor)), log: log.clone() }
    }

    fn note(&self, what: impl Into<String>) {
        self.log.borrow_mut().push(what.into());
    }
}

impl Protocol for Secure {
    fn connection_made(&mut self, transport: &Transport) {
        if let Some(tls) = self.tls.take() {
            transport.start_tls(tls).unwrap();
            assert!(transport.take_stream(b"").is_err());
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.note(String::from_utf8_lossy(data));
        if data.ends_with(b"!") {
            transport.write(b"last words");
            transport.lose_write_connection();
        }
    }

    fn handshake_completed(&mut self, _: &Transport) {
        self.note("handshake");
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        self.note("read lost");
        transport.lose_connection();
    }

    fn write_connection_lost(&mut self, _: &Transport) {
        self.note("write lost");
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.note(reason.to_string());
    }
}

#[test]
fn closing_the_writing_side_under_tls_lets_the_peer_go_on() {
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (near, far) = duplex(256);
        let log = Log::default();
        let handle = drive(far, Secure::server(&acceptor, &log));
        let mut near = connector.connect("localhost", near).await.unwrap();
        near.write_all(b"one!").await.unwrap();
        let mut text = String::new();
        near.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last words");
        near.write_all(b"two").await.unwrap();
        near.close().await.unwrap();
        assert!(handle.transport().closed().await.unwrap().is_clean());
        assert_eq!(*log.borrow(), ["handshake", "one!", "write lost", "two", "read lost", "the connection was closed"]);
    });
}

#[test]
fn an_end_without_close_notify_is_a_violation_of_tls() {
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (near, far) = duplex(64 * 1024);
        let log = Log::default();
        let handle = drive(far, Secure::server(&acceptor, &log));
        let mut near = connector.connect("localhost", near).await.unwrap();
        near.write_all(b"one").await.unwrap();
        near.flush().await.unwrap();
        near.into_inner().close().await.unwrap();
        let reason = handle.transport().closed().await.unwrap();
        assert!(matches!(reason, ConnectionLost::Tls(_)), "{reason:?}");
        assert_eq!(reason.io_kind(), Some(io::ErrorKind::UnexpectedEof));
        assert_eq!(log.borrow()[..2], ["handshake", "one"]);
    });
}

#[test]
fn a_record_that_is_none_is_a_violation_of_tls() {
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (near, far) = duplex(64 * 1024);
        let log = Log::default();
        let handle = drive(far, Secure::server(&acceptor, &log));
        let mut near = connector.connect("localhost", near).await.unwrap();
        near.write_all(b"one").await.unwrap();
        while log.borrow().is_empty() {
            rt::task::yield_now().await;
        }
        near.into_inner().write_all(b"what is this?").await.unwrap();
        let reason = handle.transport().closed().await.unwrap();
        assert!(matches!(reason, ConnectionLost::Tls(_)), "{reason:?}");
        assert_eq!(log.borrow()[..2], ["handshake", "one"]);
    });
}

#[test]
fn aborted_during_the_handshake_it_is_over_at_once_and_a_tcp_peer_sees_a_reset() {
    flavor::block_on(async {
        let (acceptor, _) = parties();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let far = listener.accept().await.unwrap().0;
        let log = Log::default();
        let transport = drive(far, Secure::server(&acceptor, &log)).transport();
        let host = transport.host();
        rt::task::yield_now().await;
        assert_eq!((transport.host(), host.ip()), (host.clone(), near.peer_addr().ok()));
        transport.set_tcp_no_delay(true).unwrap();
        transport.abort_connection();
        assert!(matches!(transport.closed().await.unwrap(), ConnectionLost::Aborted));
        assert_eq!(near.read(&mut [0; 1]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(*log.borrow(), ["the connection was aborted by this side"]);
    });
}

#[test]
fn aborted_when_the_handshake_is_about_to_be_over_nothing_is_told_but_that() {
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (near, far) = duplex(64 * 1024);
        let log = Log::default();
        let transport = drive(far, Secure::server(&acceptor, &log)).transport();
        let handshake = rt::spawn_local(async move { connector.connect("localhost", near).await });
        // The last flight is on its way, and not read by the server: it is this task's turn.
        let _near = handshake.await.unwrap();
        transport.abort_connection();
        transport.closed().await.unwrap();
        let log = log.borrow();
        assert_eq!(log.last().unwrap(), "the connection was aborted by this side");
        assert!(log.len() == 1 || log[0] == "handshake", "{log:?}");
    });
}

#[test]
fn a_handshake_that_nobody_answers_times_out() {
    let runtime = rt::runtime::Builder::new_current_thread().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (acceptor, _) = parties();
        let (_near, far) = duplex(64);
        let log = Log::default();
        let acceptor = acceptor.with_handshake_timeout(Some(Duration::from_secs(5)));
        let reason = drive(far, Secure::server(&acceptor, &log)).transport().closed().await.unwrap();
        assert!(matches!(reason, ConnectionLost::Tls(_)));
        assert_eq!(reason.io_kind(), Some(io::ErrorKind::TimedOut));
        assert_eq!(log.borrow().len(), 1, "{log:?}");
    });
}

#[test]
fn tls_is_started_once_and_not_on_what_is_a_stream_or_gone() {
    struct Again(TlsAcceptor, Log);
    impl Protocol for Again {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn handshake_completed(&mut self, transport: &Transport) {
            self.1.borrow_mut().push("handshake".to_owned());
            transport.start_tls(StartTls::server(&self.0)).unwrap_err();
        }
        fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
            self.1.borrow_mut().push("lost".to_owned());
            transport.start_tls(StartTls::server(&self.0)).unwrap_err();
        }
    }
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (near, far) = duplex(64 * 1024);
        let log = Log::default();
        let transport = drive(far, Again(acceptor.clone(), log.clone())).transport();
        let stream = transport.take_stream(b"").unwrap();
        transport.start_tls(StartTls::server(&acceptor)).unwrap_err();
        stream.give_back(b"");
        transport.start_tls(StartTls::server(&acceptor)).unwrap();
        let mut near: rt::net::tls::TlsStream<DuplexStream> = connector.connect("localhost", near).await.unwrap();
        transport.write(b"secure");
        let mut text = [0; 6];
        near.read_exact(&mut text).await.unwrap();
        transport.abort_connection();
        transport.start_tls(StartTls::server(&acceptor)).unwrap_err();
        transport.closed().await.unwrap();
        transport.start_tls(StartTls::server(&acceptor)).unwrap_err();
        assert_eq!(*log.borrow(), ["handshake", "lost"]);
    });
}

#[test]
fn what_came_in_the_open_is_not_taken_for_what_came_under_tls() {
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (near, far) = duplex(64 * 1024);
        let log = Log::default();
        let transport = drive(far, Secure { tls: None, log: log.clone() }).transport();
        // Somebody on the way has added a word.
        let stream = transport.take_stream(b"").unwrap();
        stream.give_back(b"injected");
        transport.start_tls(StartTls::server(&acceptor)).unwrap();
        connector.connect("localhost", near).await.unwrap_err();
        assert!(matches!(transport.closed().await.unwrap(), ConnectionLost::Tls(_)));
        assert_eq!(log.borrow().len(), 1, "{log:?}");
    });
}

#[test]
fn a_peer_that_does_not_read_the_goodbye_can_be_given_up() {
    flavor::block_on(async {
        let (acceptor, connector) = parties();
        let (near, far) = duplex(1024);
        let log = Log::default();
        let transport = drive(far, Secure::server(&acceptor, &log)).transport();
        let near = connector.connect("localhost", near).await.unwrap();
        transport.write(&[b'x'; 10_000]);
        transport.lose_connection();
        while transport.is_connected() {
            rt::task::yield_now().await;
        }
        // All is encrypted, and nothing of it taken.
        assert!(!log.borrow().iter().any(|event| event.contains("closed")), "{log:?}");
        transport.abort_connection();
        assert!(matches!(transport.closed().await.unwrap(), ConnectionLost::Aborted));
        drop(near);
    });
}
