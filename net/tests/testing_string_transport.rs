//! Doubles of one connection, and of a socket for datagrams.

use rt::protocol::{ConnectionLost, Producer, Protocol, Transport, WriteLimits};
use rt::testing::{
    AccumulatingProtocol, FakeDatagramTransport, Pair, ProducerState, Request, StringTransport,
    StringTransportWithDisconnection, Trace, assert_no_result, failure_result_of, success_result_of,
};
use std::io;
use std::net::SocketAddr;

struct Told(Trace);

impl Producer for Told {
    fn resume_producing(&self) {
        self.0.push("resume");
    }
    fn stop_producing(&self) {
        self.0.push("stop");
    }
}

#[test]
fn requests_are_noted_in_their_order() {
    let double = StringTransport::new();
    let transport = double.transport();
    transport.write(b"one");
    transport.write_sequence(["two", "three"]);
    transport.set_tcp_no_delay(true).unwrap();
    transport.lose_write_connection();
    transport.abort_with(ConnectionLost::TimedOut);
    let requests = double.take_requests();
    assert!(
        matches!(
            &requests[..],
            [
                Request::Write(first),
                Request::Write(second),
                Request::SetTcpNoDelay(true),
                Request::LoseWriteConnection,
                Request::AbortConnection(ConnectionLost::TimedOut),
            ] if first == b"one" && second == b"twothree"
        ),
        "{requests:?}"
    );
    assert_eq!(double.value(), b"onetwothree");
    double.clear();
    assert_eq!(double.value(), b"");
    assert!(transport.is_disconnecting() && double.take_requests().is_empty());
}

#[test]
fn states_of_a_producer() {
    let double = StringTransport::new();
    let transport = double.transport();
    assert_eq!(double.producer_state(), ProducerState::Producing);
    transport.pause_producing();
    assert_eq!((double.producer_state(), transport.is_paused()), (ProducerState::Paused, true));
    transport.resume_producing();
    assert_eq!(double.producer_state(), ProducerState::Producing);
    transport.stop_producing();
    assert_eq!((double.producer_state(), transport.is_disconnecting()), (ProducerState::Stopped, true));
}

#[test]
fn a_registered_producer_is_not_called() {
    let (double, trace) = (StringTransport::new(), Trace::new());
    let transport = double.transport();
    assert_eq!(double.is_streaming(), None);
    transport.register_producer(Told(trace.clone()), false).unwrap();
    assert!(transport.register_producer(Told(trace.clone()), true).is_err());
    assert_eq!(double.is_streaming(), Some(false));
    assert!(trace.take().is_empty());
    double.producer().unwrap().resume_producing();
    transport.stop_producer();
    assert_eq!(trace.take(), ["resume", "stop"]);
    assert!(double.producer().is_none());
}

#[test]
fn a_connection_that_is_gone_ignores_requests() {
    let (double, trace) = (StringTransport::new(), Trace::new());
    let transport = double.transport();
    double.set_unsent(100_000);
    let (closed, drained) = (transport.closed(), transport.drained());
    assert_no_result(&closed);
    double.set_lost(ConnectionLost::TimedOut);
    double.set_lost(ConnectionLost::Done);
    assert!(matches!(success_result_of(closed), ConnectionLost::TimedOut));
    assert!(failure_result_of(drained).check::<ConnectionLost>());
    transport.write(b"too late");
    transport.lose_connection();
    transport.register_producer(Told(trace.clone()), true).unwrap();
    assert_eq!(trace.take(), ["stop"]);
    assert!(double.value().is_empty() && double.take_requests().is_empty());
    assert!(!transport.is_connected() && transport.is_disconnecting());
    assert!(matches!(success_result_of(transport.closed()), ConnectionLost::TimedOut));
}

#[test]
fn drained_goes_by_the_limits() {
    let double = StringTransport::new();
    let transport = double.transport();
    transport.set_write_limits(WriteLimits { low: 10, high: 20, cap: None });
    assert_eq!(transport.write_limits().low, 10);
    double.set_unsent(11);
    let drained = transport.drained();
    assert_no_result(&drained);
    double.set_unsent(10);
    success_result_of(drained);
}

#[test]
fn what_was_asked_for_is_done_when_the_test_says_so() {
    let protocol = AccumulatingProtocol::new();
    let connection = StringTransportWithDisconnection::new(protocol.clone());
    connection.read_connection_lost();
    assert!(protocol.is_read_connection_lost() && protocol.lost().is_none());
    assert!(connection.settle());
    assert!(protocol.lost().unwrap().is_clean());
    assert!(!connection.settle());

    let protocol = AccumulatingProtocol::new();
    let connection = StringTransportWithDisconnection::new(protocol.clone());
    connection.handle().transport().abort_with(ConnectionLost::TimedOut);
    assert!(connection.settle());
    assert!(matches!(protocol.lost(), Some(ConnectionLost::TimedOut)));
}

#[test]
fn datagrams_that_cannot_be_sent() {
    let (double, peer) = (FakeDatagramTransport::new(), SocketAddr::from(([192, 0, 2, 1], 7)));
    let transport = double.transport();
    transport.connect(peer).unwrap();
    assert!(transport.connect(peer).is_err());
    transport.write(b"one", None);
    double.set_write_error(Some(io::ErrorKind::WouldBlock));
    assert_eq!(transport.try_write(b"two", None).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    double.set_write_error(None);
    success_result_of(transport.stop_listening());
    assert_eq!(transport.try_write(b"three", None).unwrap_err().kind(), io::ErrorKind::NotConnected);
    assert!(double.is_closed());
    assert_eq!(double.take_written(), [(b"one".to_vec(), None)]);
}

#[test]
fn a_connection_is_gone_when_its_protocol_is_told_so() {
    /// Says goodbye when nobody hears it.
    struct Late(Trace);
    impl Protocol for Late {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
            self.0.push(format!("connected: {}", transport.is_connected()));
            transport.write(b"goodbye");
            transport.lose_connection();
            let trace = self.0.clone();
            drop(transport.closed().add_callback(move |_| trace.push("closed")));
            self.0.push("told");
        }
    }
    let trace = Trace::new();
    let connection = StringTransportWithDisconnection::new(Late(trace.clone()));
    connection.lose(ConnectionLost::Done);
    assert_eq!(connection.string_transport().value(), b"");
    assert!(connection.string_transport().take_requests().is_empty());
    let double = trace.take();

    let pair = Pair::new(Late(trace.clone()), AccumulatingProtocol::new());
    pair.client().transport().lose_connection();
    pair.flush();
    let pumped = trace.take();

    let driven = trace.clone();
    rt::block_on(async move {
        let (near, far) = rt::io::duplex(64);
        let handle = rt::protocol::drive(near, Late(driven));
        drop(far);
        handle.transport().closed().await.unwrap();
    });
    let driven = trace.take();
    assert_eq!((&double, &pumped), (&driven, &driven));
}
