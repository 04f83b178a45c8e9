//! Two protocols that are connected in memory: what each step does.

use rt::protocol::{ConnectionLost, Producer, Protocol, Transport, WriteLimits};
use rt::testing::{AccumulatingProtocol, Direction, Pair, Trace, assert_no_result, success_result_of};
use std::io;
use std::rc::Rc;

type Two = Pair<AccumulatingProtocol, AccumulatingProtocol>;

fn two() -> (AccumulatingProtocol, AccumulatingProtocol, Two) {
    between(AccumulatingProtocol::new(), AccumulatingProtocol::new())
}

fn between(
    client: AccumulatingProtocol,
    server: AccumulatingProtocol,
) -> (AccumulatingProtocol, AccumulatingProtocol, Two) {
    let pair = Pair::new(client.clone(), server.clone());
    (client, server, pair)
}

/// Writes down its events.
struct Tracing {
    name: &'static str,
    trace: Trace,
}

impl Protocol for Tracing {
    fn connection_made(&mut self, _: &Transport) {
        self.trace.push(format!("{} made", self.name));
    }
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.trace.push(format!("{} got {}", self.name, data.len()));
    }
    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.trace.push(format!("{}: {reason}", self.name));
    }
    fn read_connection_lost(&mut self, transport: &Transport) {
        self.trace.push(format!("{} has read all", self.name));
        transport.lose_connection();
    }
    fn write_connection_lost(&mut self, _: &Transport) {
        self.trace.push(format!("{} has written all", self.name));
    }
    fn reading_resumed(&mut self, _: &Transport) {
        self.trace.push(format!("{} reads again", self.name));
    }
}

fn traced() -> (Trace, Pair<Tracing, Tracing>) {
    let trace = Trace::new();
    let client = Tracing { name: "client", trace: trace.clone() };
    let pair = Pair::new(client, Tracing { name: "server", trace: trace.clone() });
    assert_eq!(trace.take(), ["server made", "client made"]);
    (trace, pair)
}

#[test]
fn each_step_delivers_what_was_written_before() {
    struct Echo;
    impl Protocol for Echo {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }
    }
    let client = AccumulatingProtocol::new();
    let pair = Pair::new(client.clone(), Echo);
    pair.client().transport().write(b"hello");
    assert!(pair.pump());
    assert_eq!(pair.io().unsent(Direction::ToClient), 5);
    assert_eq!(client.data(), b"");
    assert!(pair.pump());
    assert_eq!(client.data(), b"hello");
    assert!(!pair.pump());
}

#[test]
fn one_side_closes_after_its_bytes() {
    let (trace, pair) = traced();
    pair.client().transport().write(b"last words");
    pair.client().transport().lose_connection();
    pair.flush();
    assert_eq!(
        trace.take(),
        [
            "server got 10",
            "client: the connection was closed",
            "server has read all",
            "server: the connection was closed"
        ]
    );
    assert!(pair.io().is_over());
    assert!(!pair.flush());
}

#[test]
fn half_close_lets_the_other_side_answer() {
    let (client, server, pair) = between(AccumulatingProtocol::half_open(), AccumulatingProtocol::half_open());
    let (to_server, to_client) = (client.transport().unwrap(), server.transport().unwrap());
    to_server.write(b"question");
    to_server.lose_write_connection();
    to_server.write(b"?");
    pair.flush();
    assert_eq!(server.data(), b"question?");
    assert!(client.is_write_connection_lost());
    assert!(server.is_read_connection_lost());
    to_server.write(b"too late");
    to_client.write(b"answer");
    to_client.lose_connection();
    pair.flush();
    assert_eq!(server.data(), b"question?");
    assert_eq!(client.data(), b"answer");
    assert!(server.lost().unwrap().is_clean());
    assert!(client.is_read_connection_lost() && client.lost().is_none());
    to_server.lose_connection();
    pair.flush();
    assert!(client.lost().unwrap().is_clean());
}

#[test]
fn an_abort_resets_the_other_side_and_loses_bytes() {
    let (client, server, pair) = two();
    client.transport().unwrap().write(b"never seen");
    client.transport().unwrap().abort_connection();
    assert!(client.lost().is_none(), "nothing happens within the call");
    pair.flush();
    assert!(matches!(client.lost(), Some(ConnectionLost::Aborted)));
    assert_eq!(server.lost().unwrap().io_kind(), Some(io::ErrorKind::ConnectionReset));
    assert_eq!(server.data(), b"");
}

#[test]
fn the_network_is_cut() {
    let (client, server, pair) = two();
    client.transport().unwrap().write(b"under way");
    pair.io().cut(io::ErrorKind::TimedOut);
    pair.pump();
    for end in [client, server] {
        assert_eq!(end.lost().unwrap().io_kind(), Some(io::ErrorKind::TimedOut));
        assert_eq!(end.data(), b"");
    }
    assert!(pair.io().is_over());
}

#[test]
fn what_is_sent_to_an_end_that_is_gone_is_answered_by_a_reset() {
    let (client, server, pair) = between(AccumulatingProtocol::new(), AccumulatingProtocol::half_open());
    client.transport().unwrap().lose_connection();
    pair.flush();
    assert!(server.is_read_connection_lost() && server.lost().is_none());
    server.transport().unwrap().write(b"still there?");
    pair.flush();
    assert_eq!(server.lost().unwrap().io_kind(), Some(io::ErrorKind::ConnectionReset));
}

#[test]
fn closed_fires_after_the_protocol_was_told() {
    let (trace, pair) = traced();
    let transport = pair.server().transport();
    let heard = trace.clone();
    let _closed = transport.closed().add_callback(move |reason| heard.push(format!("closed: {}", reason.is_clean())));
    transport.lose_connection();
    pair.pump();
    assert_eq!(trace.take(), ["server: the connection was closed", "closed: true"]);
    assert!(success_result_of(transport.closed()).is_clean());
    assert!(pair.server().with(|_, _| ()).is_err());
}

#[test]
fn a_paused_side_is_given_nothing() {
    let (trace, pair) = traced();
    let server = pair.server().transport();
    server.pause_producing();
    pair.client().transport().write(b"abc");
    assert!(!pair.flush());
    assert_eq!(pair.io().unsent(Direction::ToServer), 3);
    server.resume_producing();
    pair.flush();
    assert_eq!(trace.take(), ["server reads again", "server got 3"]);
}

#[test]
fn a_side_whose_answers_are_not_taken_is_held_back() {
    struct Doubling;
    impl Protocol for Doubling {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write_sequence([data, data]);
        }
    }
    let client = AccumulatingProtocol::new();
    let pair = Pair::new(client.clone(), Doubling);
    pair.server().transport().set_write_limits(WriteLimits { low: 10, high: 50, cap: None });
    pair.io().set_chunk_size(20);
    pair.io().clog(Direction::ToClient);
    pair.client().transport().write(&[b'x'; 200]);
    pair.flush();
    assert_eq!(pair.io().unsent(Direction::ToClient), 80, "two pieces of 20 are answered");
    assert_eq!(pair.io().unsent(Direction::ToServer), 160);
    pair.io().unclog(Direction::ToClient);
    pair.flush();
    assert_eq!(client.data().len(), 400);
}

#[test]
fn more_than_the_cap_is_unsent() {
    let (client, server, pair) = two();
    let transport = client.transport().unwrap();
    transport.set_write_limits(WriteLimits { low: 1, high: 2, cap: Some(4) });
    transport.write(b"1234");
    transport.write(b"5");
    pair.flush();
    assert!(matches!(client.lost(), Some(ConnectionLost::WriteLimit { unsent: 5, cap: 4 })));
    assert_eq!(server.lost().unwrap().io_kind(), Some(io::ErrorKind::ConnectionReset));
}

#[test]
fn drained_waits_for_the_low_mark() {
    let (client, _server, pair) = two();
    let transport = client.transport().unwrap();
    transport.set_write_limits(WriteLimits { low: 2, high: 8, cap: None });
    transport.write(b"12345");
    let drained = transport.drained();
    pair.io().set_chunk_size(2);
    pair.pump();
    assert_no_result(&drained);
    pair.pump();
    success_result_of(drained);
}

/// Writes down what it is told, and writes one byte for each `resume_producing` if it is a pull producer.
struct Tells {
    trace: Trace,
    pulled: Option<Transport>,
}

impl Producer for Tells {
    fn resume_producing(&self) {
        self.trace.push("resume");
        if let Some(transport) = &self.pulled {
            transport.write(b".");
        }
    }
    fn pause_producing(&self) {
        self.trace.push("pause");
    }
    fn stop_producing(&self) {
        self.trace.push("stop");
    }
}

#[test]
fn a_push_producer_is_paused_above_the_high_mark_and_resumed_when_all_is_sent() {
    let (client, _server, pair) = two();
    let (transport, trace) = (client.transport().unwrap(), Trace::new());
    transport.set_write_limits(WriteLimits { low: 2, high: 4, cap: None });
    transport.register_producer(Rc::new(Tells { trace: trace.clone(), pulled: None }), true).unwrap();
    transport.write(b"1234");
    assert_eq!(trace.take(), [""; 0]);
    transport.write(b"5");
    transport.write(b"6");
    assert_eq!(trace.take(), ["pause", "pause"], "at each write beyond, as in Twisted");
    pair.io().set_chunk_size(5);
    pair.pump();
    assert_eq!(trace.take(), [""; 0]);
    pair.pump();
    assert_eq!(trace.take(), ["resume"]);
    transport.write(b"too much again");
    transport.lose_connection();
    pair.flush();
    assert_eq!(trace.take(), ["pause", "resume"]);
    assert!(client.lost().is_none(), "the producer that was told to resume has the word");
    transport.unregister_producer();
    pair.flush();
    assert!(client.lost().is_some());
}

#[test]
fn a_pull_producer_is_asked_when_all_is_sent_and_stopped_with_the_connection() {
    let (client, server, pair) = two();
    let (transport, trace) = (client.transport().unwrap(), Trace::new());
    transport.register_producer(Tells { trace: trace.clone(), pulled: Some(transport.clone()) }, false).unwrap();
    assert_eq!(trace.take(), ["resume"]);
    pair.pump();
    pair.pump();
    assert_eq!(trace.take(), ["resume", "resume"]);
    assert_eq!(server.data(), b"..");
    transport.abort_connection();
    pair.flush();
    assert_eq!(trace.take(), ["stop"]);
}

#[test]
#[should_panic(expected = "there is no end of it")]
fn two_echoes_talk_for_ever() {
    struct Echo;
    impl Protocol for Echo {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }
    }
    let pair = Pair::new(Echo, Echo);
    pair.client().transport().write(b"ping");
    pair.flush();
}

#[test]
fn due_calls_of_the_clock_are_made_before_a_step() {
    let clock = rt::testing::Clock::new();
    let server = AccumulatingProtocol::new();
    let pair = Pair::builder().clock(&clock).connect(AccumulatingProtocol::new(), server.clone());
    let transport = pair.client().transport();
    clock.call_later(std::time::Duration::ZERO, move || transport.write(b"soon"));
    pair.flush();
    assert_eq!(server.data(), b"soon");
}
