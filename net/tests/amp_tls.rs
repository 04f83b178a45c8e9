//! AMP that goes under TLS by the command `StartTLS`.

#[path = "support/amp.rs"]
mod amp;
#[path = "support/certificates.rs"]
mod certificates;

use amp::{Link, Sum, Total, boxed, remote};
use certificates::Authority;
use rt::deferred::failure_result_of;
use rt::io::duplex;
use rt::protocol::amp::{Amp, CallError, ProtocolViolation, Remote, UnhandledCommand};
use rt::protocol::{ConnectionLost, ProtocolHandle, drive};
use rt::testing::{Request, StringTransportWithDisconnection};
use rt_net::tls::{TlsAcceptor, TlsConnector};

fn identities() -> (TlsAcceptor, TlsConnector) {
    let authority = Authority::new("roots");
    (authority.identity(&["localhost"]).acceptor(), authority.connector())
}

fn adder() -> Amp {
    Amp::new().responder(|Sum { a, b }| Total { total: a + b })
}

fn connect(client: Amp, server: Amp) -> (Remote, ProtocolHandle<Amp>) {
    let (near, far) = duplex(4096);
    let server = drive(far, server);
    (drive(near, client).with(|amp, _| amp.remote()).expect("it is connected"), server)
}

#[rt::test]
async fn calls_in_the_clear_and_under_tls() {
    let (acceptor, connector) = identities();
    let (remote, server) = connect(adder(), adder().start_tls_responder(&acceptor));
    assert_eq!(remote.call_remote(Sum { a: 1, b: 2 }).await.unwrap().total, 3);
    let before = remote.call_remote(Sum { a: 3, b: 4 });
    let tls = remote.start_tls(&connector, "localhost");
    // Waits for the peer's consent, and goes under TLS.
    let meanwhile = remote.call_remote(Sum { a: 5, b: 6 });
    assert_eq!(before.await.unwrap().total, 7);
    tls.await.unwrap();
    assert_eq!(meanwhile.await.unwrap().total, 11);
    assert_eq!(remote.transport().unwrap().peer_certificates().len(), 1);
    let back = server.with(|amp, _| amp.call_remote(Sum { a: 7, b: 8 })).unwrap();
    assert_eq!(back.await.unwrap().total, 15);
    let again = remote.start_tls(&connector, "localhost").await.unwrap_err();
    assert_eq!(again.downcast_ref(), Some(&CallError::OnlyOneTls));
}

#[rt::test]
async fn nothing_of_a_call_is_seen_in_the_clear() {
    let (_, connector) = identities();
    let client = StringTransportWithDisconnection::new(Amp::new());
    let tls = remote(&client).start_tls(&connector, "localhost");
    let secret = remote(&client).call_remote(Sum { a: 1234, b: 4321 });
    let sent = client.string_transport().value();
    assert_eq!(sent, boxed([("_ask", "1"), ("_command", "StartTLS")]).serialize());
    client.lose(ConnectionLost::Done);
    assert!(failure_result_of(tls).check::<ConnectionLost>());
    assert!(failure_result_of(secret).check::<ConnectionLost>());
}

#[rt::test]
async fn peer_that_does_not_know_tls() {
    let (_, connector) = identities();
    let (remote, _server) = connect(Amp::new(), adder());
    let tls = remote.start_tls(&connector, "localhost");
    let secret = remote.call_remote(Sum { a: 1, b: 2 });
    assert!(tls.await.unwrap_err().check::<UnhandledCommand>());
    let failure = secret.await.unwrap_err();
    assert!(matches!(failure.downcast_ref(), Some(ConnectionLost::Tls(_))));
}

#[rt::test]
async fn peer_that_nobody_vouches_for() {
    let (acceptor, _) = identities();
    let (_, connector) = identities();
    let (remote, server) = connect(Amp::new(), adder().start_tls_responder(&acceptor));
    remote.start_tls(&connector, "localhost").await.unwrap();
    let failure = remote.call_remote(Sum { a: 1, b: 2 }).await.unwrap_err();
    assert!(matches!(failure.downcast_ref(), Some(ConnectionLost::Tls(_))));
    assert!(matches!(server.transport().closed().await.unwrap(), ConnectionLost::Tls(_)));
}

#[rt::test]
async fn bytes_in_the_clear_behind_the_question() {
    let (acceptor, _) = identities();
    let server = StringTransportWithDisconnection::new(adder().start_tls_responder(&acceptor));
    let mut question = boxed([("_ask", "1"), ("_command", "StartTLS")]).serialize();
    question.extend(boxed([("_ask", "2"), ("_command", "Sum"), ("a", "1"), ("b", "2")]).serialize());
    server.data_received(&question);
    let reasons = server.string_transport().take_requests().into_iter().filter_map(|request| match request {
        Request::AbortConnection(ConnectionLost::Lost(failure)) => failure.downcast_ref::<ProtocolViolation>().cloned(),
        _ => None,
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [ProtocolViolation::BeforeTls]);
}

#[rt::test]
async fn bytes_in_the_clear_behind_the_answer() {
    let (_, connector) = identities();
    let client = StringTransportWithDisconnection::new(Amp::new());
    let tls = remote(&client).start_tls(&connector, "localhost");
    let mut answer = boxed([("_answer", "1")]).serialize();
    answer.push(0);
    client.data_received(&answer);
    let failure = failure_result_of(tls);
    assert_eq!(failure.to_string(), "the connection was lost: bytes in the clear where TLS has to begin");
    assert!(client.handle().transport().is_disconnecting());
}

#[test]
fn both_sides_at_once() {
    let (acceptor, connector) = identities();
    let side = || adder().start_tls_responder(&acceptor);
    let link = Link::new(side(), side());
    let near = link.remote().start_tls(&connector, "localhost");
    let far = remote(&link.server).start_tls(&connector, "localhost");
    link.pump();
    // Neither can be server and client in one.
    for (side, tls) in [(&link.client, near), (&link.server, far)] {
        let Some(Request::AbortConnection(reason)) = side.string_transport().take_requests().pop() else {
            panic!("it is hung up on")
        };
        assert_eq!(reason.to_string(), "TLS failed: TLS can be started once on a connection");
        side.lose(reason);
        assert!(failure_result_of(tls).check::<ConnectionLost>());
    }
}
