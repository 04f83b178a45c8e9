//! Policies around factories: what they let through, and in which order.

use rt::deferred::unhandled;
use rt::protocol::policy::{
    LimitConnectionsByPeer, LimitTotalConnectionsFactory, Policy, ProtocolWrapper, ThrottlingFactory, Timeout,
    TimeoutFactory, TrafficLoggingFactory, Wrapper, WrappingFactory,
};
use rt::protocol::{Address, ConnectionLost, Factory, Producer, Protocol, Transport};
use rt::testing::{
    AccumulatingFactory, AccumulatingProtocol, Clock, Pair, Request, StringTransport,
    StringTransportWithDisconnection as Connection, Trace,
};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn connect<F: Factory>(factory: &mut F) -> Connection<F::Protocol> {
    try_connect(factory).expect("the factory refuses")
}

fn try_connect<F: Factory>(factory: &mut F) -> Option<Connection<F::Protocol>> {
    factory.build_protocol(&Address::Memory).map(Connection::new)
}

/// The transport that the protocol was given which the factory made last.
fn given(factory: &AccumulatingFactory) -> Transport {
    factory.protocols().last().and_then(AccumulatingProtocol::transport).expect("nothing is connected")
}

#[test]
fn a_wrapper_sees_each_event_before_the_protocol() {
    struct Inner(Trace);
    impl Protocol for Inner {
        fn connection_made(&mut self, _: &Transport) {
            self.0.push("made");
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {
            self.0.push("data");
        }
        fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
            self.0.push("lost");
        }
        fn reading_resumed(&mut self, _: &Transport) {
            self.0.push("resumed");
        }
    }
    struct Outer(Trace);
    impl Wrapper for Outer {
        fn connection_made(&self, _: &Transport) {
            self.0.push("wrapper: made");
        }
        fn data_received(&self, _: &Transport, _: &[u8]) {
            self.0.push("wrapper: data");
        }
        fn connection_lost(&self, _: &Transport, _: &ConnectionLost) {
            self.0.push("wrapper: lost");
        }
    }
    let trace = Trace::new();
    let connection = Connection::new(ProtocolWrapper::new(Inner(trace.clone()), Outer(trace.clone())));
    connection.data_received(b"x");
    connection.reading_resumed();
    connection.lose(ConnectionLost::Done);
    assert_eq!(trace.take(), ["wrapper: made", "made", "wrapper: data", "data", "resumed", "wrapper: lost", "lost"]);
}

#[test]
fn the_wrapped_factory_is_started_and_stopped() {
    struct Nobody;
    struct Nothing;
    impl Wrapper for Nothing {}
    impl Policy for Nobody {
        type Wrapper = Nothing;
        fn wrap(&mut self, _: &Address) -> Option<Nothing> {
            None
        }
    }
    let inner = AccumulatingFactory::new();
    let mut factory = WrappingFactory::new(inner.clone(), Nobody);
    factory.start_factory();
    assert_eq!(inner.running(), 1);
    assert!(factory.build_protocol(&Address::Memory).is_none());
    assert_eq!(inner.peers(), [], "it is not asked");
    factory.stop_factory();
    assert_eq!(inner.running(), 0);
}

#[test]
fn timeout_begins_anew_with_each_reset() {
    let (clock, double) = (Clock::new(), StringTransport::new());
    let timeout = Timeout::new().clock(&clock);
    assert_eq!(timeout.set_timeout(&double.transport(), Some(seconds(10))), None);
    for _ in 0..5 {
        clock.advance(seconds(9));
        timeout.reset_timeout();
    }
    assert_eq!(clock.delayed_calls().len(), 1);
    clock.advance(Duration::from_millis(9_999));
    assert!(double.take_requests().is_empty());
    clock.advance(Duration::from_millis(1));
    assert!(matches!(*double.take_requests(), [Request::LoseConnection]));
    timeout.reset_timeout();
    assert!(clock.delayed_calls().is_empty(), "it is over");
}

#[test]
fn timeout_is_made_shorter_longer_and_taken_back() {
    let (clock, double) = (Clock::new(), StringTransport::new());
    let transport = double.transport();
    let timeout = Timeout::new().clock(&clock).on_timeout(|transport| transport.abort_with(ConnectionLost::TimedOut));
    timeout.set_timeout(&transport, Some(seconds(100)));
    assert_eq!(timeout.set_timeout(&transport, Some(seconds(10))), Some(seconds(100)));
    clock.advance(seconds(9));
    assert_eq!(timeout.set_timeout(&transport, Some(seconds(20))), Some(seconds(10)));
    clock.advance(seconds(19));
    assert_eq!(timeout.set_timeout(&transport, None), Some(seconds(20)));
    clock.advance(seconds(100));
    timeout.reset_timeout();
    assert!(double.take_requests().is_empty() && clock.delayed_calls().is_empty());
    timeout.set_timeout(&transport, Some(seconds(1)));
    clock.advance(seconds(1));
    assert!(matches!(*double.take_requests(), [Request::AbortConnection(ConnectionLost::TimedOut)]));
}

#[test]
fn timeout_ends_with_its_protocol() {
    let (clock, double) = (Clock::new(), StringTransport::new());
    let timeout = Timeout::new().clock(&clock);
    timeout.set_timeout(&double.transport(), Some(seconds(1)));
    drop(timeout);
    assert!(clock.delayed_calls().is_empty());
}

#[test]
fn timeout_of_a_factory_is_reset_by_bytes_both_ways() {
    let (clock, inner) = (Clock::new(), AccumulatingFactory::new());
    let mut factory = TimeoutFactory::new(inner.clone(), seconds(10)).clock(&clock);
    let connection = connect(&mut factory);
    let transport = given(&inner);
    clock.advance(seconds(6));
    connection.data_received(b"request");
    clock.advance(seconds(6));
    transport.write(b"answer");
    clock.advance(seconds(6));
    transport.write_sequence(["more", "of it"]);
    assert_eq!(connection.string_transport().value(), b"answermoreof it");
    clock.advance(seconds(9));
    assert!(!connection.settle());
    clock.advance(seconds(1));
    assert!(connection.settle());
    assert!(inner.protocols()[0].lost().unwrap().is_clean());
    assert!(clock.delayed_calls().is_empty());
}

#[test]
fn a_lost_connection_has_no_timeout() {
    let clock = Clock::new();
    let mut factory =
        TimeoutFactory::new(AccumulatingFactory::new(), seconds(10)).clock(&clock).on_timeout(|_| unreachable!());
    connect(&mut factory).lose(ConnectionLost::Done);
    assert!(clock.delayed_calls().is_empty());
}

#[test]
fn too_many_connections_in_all() {
    let inner = AccumulatingFactory::new();
    let mut factory = LimitTotalConnectionsFactory::new(inner.clone(), 2);
    let count = factory.count();
    let (first, _second) = (connect(&mut factory), connect(&mut factory));
    assert!(try_connect(&mut factory).is_none());
    assert_eq!((count.get(), inner.peers().len()), (2, 2));
    first.lose(ConnectionLost::Done);
    assert_eq!(count.get(), 1);
    // One that was built and never connected does not count for ever.
    drop(factory.build_protocol(&Address::Memory));
    assert!(try_connect(&mut factory).is_some());
}

#[test]
fn overflow_connections_count() {
    let overflow = AccumulatingFactory::new();
    let mut factory = LimitTotalConnectionsFactory::new(AccumulatingFactory::new(), 1).overflow(overflow.clone());
    let (first, second) = (connect(&mut factory), connect(&mut factory));
    assert_eq!(overflow.protocols().len(), 1);
    first.lose(ConnectionLost::Done);
    let third = connect(&mut factory);
    assert_eq!(overflow.protocols().len(), 2, "the second has its place still");
    second.lose(ConnectionLost::Done);
    third.lose(ConnectionLost::Done);
    connect(&mut factory);
    assert_eq!((overflow.protocols().len(), factory.count().get()), (2, 0));
}

#[test]
fn too_many_connections_of_one_peer() {
    let mut factory = LimitConnectionsByPeer::new(AccumulatingFactory::new(), 2);
    let mut from = |peer: &str| factory.build_protocol(&peer.parse::<SocketAddr>().unwrap().into());
    let (one, two) = (from("192.0.2.1:1"), from("[::ffff:192.0.2.1]:2"));
    assert!(one.is_some() && two.is_some());
    assert!(from("192.0.2.1:3").is_none());
    assert!(from("192.0.2.2:3").is_some());
    Connection::new(two.unwrap()).lose(ConnectionLost::Done);
    assert!(from("192.0.2.1:3").is_some());
}

#[test]
fn a_policy_around_a_policy() {
    let inner = AccumulatingFactory::new();
    let clock = Clock::new();
    let limited = LimitTotalConnectionsFactory::new(inner.clone(), 1);
    let mut factory = TimeoutFactory::new(limited, seconds(1)).clock(&clock);
    let connection = connect(&mut factory);
    assert!(try_connect(&mut factory).is_none());
    assert_eq!(clock.delayed_calls().len(), 1);
    given(&inner).write(b"through both");
    assert_eq!(connection.string_transport().value(), b"through both");
}

#[test]
fn reading_is_throttled_for_as_long_as_was_too_much() {
    let (clock, inner) = (Clock::new(), AccumulatingFactory::new());
    let mut factory = ThrottlingFactory::new(inner).clock(&clock).read_limit(100);
    let (one, two) = (connect(&mut factory), connect(&mut factory));
    let paused = || [&one, &two].map(|connection| connection.handle().transport().is_paused());
    one.data_received(&[0; 100]);
    clock.advance(seconds(1));
    assert_eq!(paused(), [false, false], "not more than is allowed");
    one.data_received(&[0; 150]);
    two.data_received(&[0; 100]);
    clock.advance(seconds(1));
    assert_eq!(paused(), [true, true]);
    let late = connect(&mut factory);
    assert!(late.handle().transport().is_paused());
    clock.advance(Duration::from_millis(1_499));
    assert_eq!(paused(), [true, true]);
    clock.advance(Duration::from_millis(1));
    assert_eq!(paused(), [false, false]);
    for connection in [one, two, late] {
        connection.lose(ConnectionLost::Done);
    }
    assert!(clock.delayed_calls().is_empty());
}

#[test]
fn a_protocol_that_pauses_stays_paused_when_the_throttle_opens() {
    let (clock, inner) = (Clock::new(), AccumulatingFactory::new());
    let mut factory = ThrottlingFactory::new(inner.clone()).clock(&clock).read_limit(1);
    let connection = connect(&mut factory);
    let (upper, lower) = (given(&inner), connection.handle().transport());
    connection.data_received(b"12");
    clock.advance(seconds(1));
    assert!(lower.is_paused() && !upper.is_paused());
    upper.pause_producing();
    clock.advance(seconds(1));
    assert!(lower.is_paused() && upper.is_paused());
    upper.resume_producing();
    assert!(!lower.is_paused());
    connection.data_received(b"123");
    clock.advance(seconds(1));
    upper.resume_producing();
    assert!(lower.is_paused(), "the throttle is closed");
}

struct Told(Trace);

impl Producer for Told {
    fn resume_producing(&self) {
        self.0.push("resume");
    }
    fn pause_producing(&self) {
        self.0.push("pause");
    }
    fn stop_producing(&self) {
        self.0.push("stop");
    }
}

#[test]
fn a_push_producer_goes_on_when_neither_throttle_nor_transport_is_against_it() {
    let (clock, inner, trace) = (Clock::new(), AccumulatingFactory::new(), Trace::new());
    let mut factory = ThrottlingFactory::new(inner.clone()).clock(&clock).write_limit(10);
    let connection = connect(&mut factory);
    let upper = given(&inner);
    upper.register_producer(Told(trace.clone()), true).unwrap();
    let seen_by_transport = connection.string_transport().producer().unwrap();
    upper.write(&[0; 15]);
    upper.write_sequence([[0; 10], [0; 10]]);
    clock.advance(seconds(1));
    assert_eq!(trace.take(), ["pause"]);
    seen_by_transport.pause_producing();
    clock.advance(Duration::from_millis(2_500));
    assert_eq!(trace.take(), [""; 0]);
    seen_by_transport.resume_producing();
    assert_eq!(trace.take(), ["resume"]);
    upper.unregister_producer();
    assert!(connection.string_transport().producer().is_none());
}

#[test]
fn a_pull_producer_is_asked_when_the_throttle_opens() {
    let (clock, inner, trace) = (Clock::new(), AccumulatingFactory::new(), Trace::new());
    let mut factory = ThrottlingFactory::new(inner.clone()).clock(&clock).write_limit(10);
    let connection = connect(&mut factory);
    let upper = given(&inner);
    upper.register_producer(Told(trace.clone()), false).unwrap();
    let seen_by_transport = connection.string_transport().producer().unwrap();
    seen_by_transport.resume_producing();
    assert_eq!(trace.take(), ["resume"]);
    upper.write(&[0; 20]);
    clock.advance(seconds(1));
    seen_by_transport.resume_producing();
    assert_eq!(trace.take(), [""; 0]);
    clock.advance(seconds(1));
    assert_eq!(trace.take(), ["resume"]);
    upper.stop_producer();
    assert_eq!(trace.take(), ["stop"]);
}

#[test]
fn more_connections_than_a_throttle_allows() {
    let clock = Clock::new();
    let mut factory = ThrottlingFactory::new(AccumulatingFactory::new()).clock(&clock).read_limit(1).max_connections(1);
    let first = connect(&mut factory);
    assert!(try_connect(&mut factory).is_none());
    first.lose(ConnectionLost::Done);
    assert!(clock.delayed_calls().is_empty());
    assert!(try_connect(&mut factory).is_some());
}

#[test]
fn traffic_is_written_down_in_its_order() {
    let (trace, inner) = (Trace::new(), AccumulatingFactory::new());
    let lines = trace.clone();
    let mut factory = TrafficLoggingFactory::new(inner.clone(), move |_| {
        let lines = lines.clone();
        Ok(move |line: &str| {
            lines.push(line);
            Ok(())
        })
    })
    .length_limit(4);
    let server = factory.build_protocol(&Address::Memory).unwrap();
    let pair = Pair::new(AccumulatingProtocol::new(), server);
    pair.client().transport().write(b"hi\n");
    pair.flush();
    let transport = given(&inner);
    transport.write(b"\xffhello");
    transport.write_sequence(["a", "b"]);
    transport.lose_connection();
    pair.flush();
    assert_eq!(
        trace.take(),
        [
            "*",
            r#"C 1: b"hi\n""#,
            r#"S 1: b"\xffhel"<2 more>"#,
            r#"SV 1: [b"a", b"b"]"#,
            "S 1: *",
            "C 1: the connection was closed"
        ]
    );
}

#[test]
fn an_error_of_the_log_is_reported_and_the_connection_goes_on() {
    let inner = AccumulatingFactory::new();
    let mut factory = TrafficLoggingFactory::new(inner.clone(), |number| match number {
        1 => Ok(|_: &str| Err(io::Error::other("no paper"))),
        _ => Err(io::Error::other("no printer")),
    });
    let (connection, lost) = unhandled::capture(|| connect(&mut factory));
    assert_eq!(lost.iter().map(|lost| lost.failure.to_string()).collect::<Vec<_>>(), ["no paper"]);
    connection.data_received(b"x");
    assert_eq!(inner.protocols()[0].data(), b"x");
    let (second, lost) = unhandled::capture(|| try_connect(&mut factory));
    assert!(second.is_none());
    assert_eq!(lost[0].failure.to_string(), "no printer");
}

#[test]
fn a_handle_reaches_the_protocol_within() {
    let inner = AccumulatingFactory::new();
    let mut factory = LimitConnectionsByPeer::new(inner, 1);
    let connection = connect(&mut factory);
    connection.data_received(b"for it");
    let data = connection.handle().with(|wrapper, _| {
        assert!(wrapper.transport().is_some());
        wrapper.wrapped_mut().data()
    });
    assert_eq!(data, Ok(b"for it".to_vec()));
}

#[rt::test(start_paused = true, leftovers = "fail")]
async fn timeout_by_the_runtimes_clock() {
    let double = StringTransport::new();
    let timeout = Timeout::new();
    timeout.set_timeout(&double.transport(), Some(seconds(10)));
    for _ in 0..3 {
        rt::time::advance(seconds(9)).await;
        timeout.reset_timeout();
    }
    rt::time::advance(Duration::from_millis(9_999)).await;
    assert!(double.take_requests().is_empty());
    rt::time::advance(Duration::from_millis(2)).await;
    assert!(matches!(*double.take_requests(), [Request::LoseConnection]));
}

#[rt::test(start_paused = true, leftovers = "fail")]
async fn an_idle_connection_is_closed_and_its_timer_goes_with_it() {
    use rt::io::{AsyncReadExt, AsyncWriteExt, duplex};
    let mut factory = TimeoutFactory::new(AccumulatingFactory::new(), seconds(30));
    let (mut near, far) = duplex(64);
    rt::protocol::drive(far, factory.build_protocol(&Address::Memory).unwrap());
    rt::time::advance(seconds(20)).await;
    near.write_all(b"still here").await.unwrap();
    let last = rt::time::Instant::now();
    assert_eq!(near.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(last.elapsed().as_secs(), 30);

    let (near, far) = duplex(64);
    let handle = rt::protocol::drive(far, factory.build_protocol(&Address::Memory).unwrap());
    drop(near);
    handle.transport().closed().await.unwrap();
}

#[test]
fn a_timeout_that_is_for_ever() {
    let clock = Clock::new();
    clock.advance(seconds(1));
    let connection = Connection::new(AccumulatingProtocol::new());
    let timeout = Timeout::new().clock(&clock);
    timeout.set_timeout(&connection.handle().transport(), Some(Duration::MAX));
    timeout.reset_timeout();
    clock.advance(seconds(1_000_000));
    assert!(!connection.handle().transport().is_disconnecting());
    timeout.set_timeout(&connection.handle().transport(), Some(seconds(1)));
    clock.advance(seconds(1));
    assert!(connection.handle().transport().is_disconnecting());
    assert!(clock.delayed_calls().is_empty());
}
