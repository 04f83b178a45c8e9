//! Connections of protocols that go under TLS, from the start or on the way.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "../../tests/support/flavor.rs"]
mod flavor;

use certificates::Authority;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::io::duplex;
use rt::net::tls::{TlsAcceptor, TlsConnector};
use rt::protocol::{ConnectionLost, Protocol, StartTls, Transport, drive};
use std::cell::RefCell;
use std::rc::Rc;

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
