//! Protocols over UDP.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use flavor::block_on;
use rt_deferred::unhandled;
use rt_net::UdpSocket;
use rt_net::protocol::{
    ConnectedDatagramProtocol, ConnectionLost, DatagramProtocol, HandleError, Port, UdpPort, UdpTransport, adopt_udp,
    connect_udp, listen_multicast, listen_udp,
};
use rt_runtime::{spawn_local, yield_now};
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

type Trace = Rc<RefCell<Vec<String>>>;

/// What the protocol calls within one of its events.
type Within = Box<dyn Fn() -> HandleError>;

/// Writes down what happens, and does with each datagram what `act` says.
struct Traced<F> {
    trace: Trace,
    act: F,
}

impl<F: FnMut(&UdpTransport, &[u8], SocketAddr) + 'static> Traced<F> {
    fn new(act: F) -> (Self, Trace) {
        let trace = Trace::default();
        (Self { trace: trace.clone(), act }, trace)
    }

    fn note(&self, what: impl Into<String>) {
        self.trace.borrow_mut().push(what.into());
    }
}

impl<F: FnMut(&UdpTransport, &[u8], SocketAddr) + 'static> DatagramProtocol for Traced<F> {
    fn start_protocol(&mut self, _: &UdpTransport) {
        self.note("start");
    }

    fn datagram_received(&mut self, transport: &UdpTransport, data: &[u8], from: SocketAddr) {
        self.note(String::from_utf8_lossy(data));
        (self.act)(transport, data, from);
    }

    fn connection_refused(&mut self, _: &UdpTransport) {
        self.note("refused");
    }

    fn send_failed(&mut self, _: &UdpTransport, to: Option<SocketAddr>, error: io::Error) {
        self.note(format!("failed to {to:?}: {:?}", error.kind()));
    }

    fn stop_protocol(&mut self, _: &UdpTransport, reason: &ConnectionLost) {
        self.note(format!("stop: {reason}"));
    }
}

fn ignore(_: &UdpTransport, _: &[u8], _: SocketAddr) {}

async fn client_of<P: 'static>(port: &UdpPort<P>) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(port.host()).await.unwrap();
    client
}

async fn received(client: &UdpSocket) -> String {
    let mut buffer = [0; 100];
    let length = client.recv(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn closed_port() -> SocketAddr {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn events_in_their_order() {
    block_on(async {
        let (protocol, trace) = Traced::new(|transport, data, from| transport.write(data, from));
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        assert_eq!(*trace.borrow(), ["start"], "within listen_udp");
        assert_ne!(port.host().port(), 0);
        let client = client_of(&port).await;
        for word in ["one", "", "three"] {
            client.send(word.as_bytes()).await.unwrap();
            assert_eq!(received(&client).await, word);
        }
        port.stop_listening().await.unwrap();
        assert_eq!(*trace.borrow(), ["start", "one", "", "three", "stop: the connection was closed"]);
        client.send(b"too late").await.unwrap();
        assert_eq!(client.recv(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        port.stop_listening().await.unwrap();
        assert!(port.closed().await.unwrap().is_clean());
        assert_eq!(trace.borrow().len(), 5);
        assert_eq!(port.with(|_, _| ()), Err(HandleError::Lost));
        assert_eq!(port.transport().try_write(b"x", port.host()).unwrap_err().kind(), ErrorKind::NotConnected);
        port.transport().write(b"thrown away", port.host());
        assert!(port.transport().broadcast_allowed().is_err());
    });
}

#[test]
fn stops_in_the_middle_of_what_came_together() {
    block_on(async {
        let (protocol, trace) = Traced::new(|transport, data, _| {
            if data == b"2" {
                drop(transport.stop_listening());
            }
        });
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        let client = client_of(&port).await;
        for word in ["1", "2", "3"] {
            client.send(word.as_bytes()).await.unwrap();
        }
        assert!(port.closed().await.unwrap().is_clean());
        assert_eq!(*trace.borrow(), ["start", "1", "2", "stop: the connection was closed"]);
    });
}

#[test]
fn pauses_in_the_middle_of_what_came_together() {
    block_on(async {
        let (protocol, trace) = Traced::new(|transport, data, _| match data {
            b"2" | b"4" => transport.pause_producing(),
            b"6" => drop(transport.stop_listening()),
            _ => {}
        });
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        let client = client_of(&port).await;
        for word in ["1", "2", "3", "4", "5"] {
            client.send(word.as_bytes()).await.unwrap();
        }
        let settled = || async {
            for _ in 0..10 {
                yield_now().await;
            }
        };
        // The first await gives the reactor its turn.
        while trace.borrow().len() < 3 {
            yield_now().await;
        }
        settled().await;
        assert_eq!(*trace.borrow(), ["start", "1", "2"]);
        port.transport().resume_producing();
        while trace.borrow().len() < 5 {
            yield_now().await;
        }
        settled().await;
        assert_eq!(trace.borrow()[3..], ["3", "4"]);
        client.send(b"6").await.unwrap();
        settled().await;
        assert_eq!(trace.borrow().len(), 5, "it is still paused");
        port.transport().resume_producing();
        port.closed().await.unwrap();
        assert_eq!(trace.borrow()[5..], ["5", "6", "stop: the connection was closed"]);
    });
}

#[test]
fn closed_while_paused() {
    block_on(async {
        let (protocol, trace) = Traced::new(|transport: &UdpTransport, _: &[u8], _| transport.pause_producing());
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        let client = client_of(&port).await;
        client.send(b"1").await.unwrap();
        client.send(b"2").await.unwrap();
        while trace.borrow().len() < 2 {
            yield_now().await;
        }
        port.stop_listening().await.unwrap();
        assert_eq!(*trace.borrow(), ["start", "1", "stop: the connection was closed"]);
    });
}

#[test]
fn who_waits_for_the_end_cancels() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        for waiting in [port.closed(), port.closed()] {
            waiting.cancel();
            assert!(waiting.await.unwrap_err().check::<rt_deferred::Cancelled>());
        }
        client_of(&port).await.send(b"still there").await.unwrap();
        while trace.borrow().len() < 2 {
            yield_now().await;
        }
        // That it was asked for stays so.
        let stopping = port.stop_listening();
        stopping.cancel();
        assert!(stopping.await.is_err());
        assert!(port.closed().await.unwrap().is_clean());
        assert_eq!(*trace.borrow(), ["start", "still there", "stop: the connection was closed"]);
    });
}

#[test]
fn method_that_panics() {
    let (reason, lost) = unhandled::capture(|| {
        block_on(async {
            let (protocol, trace) = Traced::new(|_, _, _| panic!("out of ink"));
            let port = listen_udp("127.0.0.1:0", protocol).unwrap();
            let client = client_of(&port).await;
            client.send(b"1").await.unwrap();
            client.send(b"2").await.unwrap();
            let reason = port.closed().await.unwrap();
            let stop = "stop: the protocol panicked: panicked: out of ink";
            assert_eq!(*trace.borrow(), ["start", "1", stop]);
            assert!(port.transport().with_socket(|_| ()).is_err());
            reason
        })
    });
    assert!(matches!(&reason, ConnectionLost::Panicked(failure) if failure.panic_message() == Some("out of ink")));
    assert_eq!(lost.len(), 1);
    assert!(lost[0].to_string().contains("out of ink"));
    assert!(lost[0].place().file().ends_with("datagram_protocol.rs"));
}

#[test]
fn start_that_panics() {
    struct Late;
    impl DatagramProtocol for Late {
        fn start_protocol(&mut self, _: &UdpTransport) {
            panic!("overslept");
        }
        fn datagram_received(&mut self, _: &UdpTransport, _: &[u8], _: SocketAddr) {}
    }
    let (reason, lost) =
        unhandled::capture(|| block_on(async { listen_udp("127.0.0.1:0", Late).unwrap().closed().await.unwrap() }));
    assert!(matches!(reason, ConnectionLost::Panicked(_)));
    assert_eq!(lost.len(), 1);
}

#[test]
fn runtime_ends() {
    let (protocol, trace) = Traced::new(ignore);
    let runtime = rt_runtime::runtime::Builder::new_current_thread().build().unwrap();
    let port = runtime.block_on(async { listen_udp("127.0.0.1:0", protocol).unwrap() });
    drop(runtime);
    assert_eq!(*trace.borrow(), ["start", "stop: the connection was aborted by this side"]);
    assert_eq!(port.with(|_, _| ()), Err(HandleError::Lost));
}

#[test]
fn protocol_called_from_outside_and_from_within() {
    block_on(async {
        let inside: Rc<RefCell<Option<Within>>> = Rc::default();
        let (protocol, trace) = Traced::new({
            let inside = inside.clone();
            move |transport: &UdpTransport, _: &[u8], _| {
                let error = inside.borrow().as_ref().expect("it is set")();
                assert_eq!(error, HandleError::Busy);
                drop(transport.stop_listening());
            }
        });
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        let same = port.clone();
        *inside.borrow_mut() = Some(Box::new(move || same.with(|_, _| ()).unwrap_err()));
        let host = port.host();
        port.with(|protocol, transport| {
            protocol.note("called");
            transport.write(b"to myself", host);
        })
        .unwrap();
        assert!(port.closed().await.unwrap().is_clean());
        assert_eq!(trace.borrow()[1..3], ["called", "to myself"]);
        // The cycle that this test made.
        inside.take();
    });
}

#[test]
fn datagrams_that_can_not_be_sent() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        let (host, transport) = (port.host(), port.transport());
        let long = vec![0; 70_000];
        transport.write(&long, host);
        transport.write(b"nowhere", None);
        assert!(transport.try_write(&long, host).is_err());
        transport.write(b"end", host);
        while trace.borrow().last().unwrap() != "end" {
            yield_now().await;
        }
        assert!(trace.borrow()[1].starts_with(&format!("failed to Some({host})")));
        assert_eq!(trace.borrow()[2], "failed to None: NotConnected");
        // Of many failures in one turn, the first.
        trace.borrow_mut().clear();
        for _ in 0..1000 {
            transport.write(b"nowhere", None);
        }
        transport.write(b"end", host);
        while trace.borrow().last().is_none_or(|last| last != "end") {
            yield_now().await;
        }
        assert_eq!(trace.borrow().len(), 17);
    });
}

#[test]
fn peer_that_does_not_listen() {
    struct Knock(Trace);
    impl ConnectedDatagramProtocol for Knock {
        fn start_protocol(&mut self, transport: &UdpTransport) {
            transport.write(b"knock", None);
        }
        fn datagram_received(&mut self, _: &UdpTransport, _: &[u8]) {}
        fn connection_refused(&mut self, transport: &UdpTransport) {
            self.0.borrow_mut().push("refused".to_owned());
            drop(transport.stop_listening());
        }
    }
    block_on(async {
        let trace = Trace::default();
        let port = connect_udp(closed_port(), Knock(trace.clone())).unwrap();
        assert!(port.closed().await.unwrap().is_clean());
        assert_eq!(*trace.borrow(), ["refused"]);
    });
}

#[test]
fn datagram_after_one_that_was_refused_is_sent() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        let address = closed_port();
        port.transport().connect(address).unwrap();
        assert_eq!(port.transport().peer(), Some(address));
        // On loopback the answer is there when the call returns: the second one finds it.
        port.transport().write(b"one", None);
        let later = UdpSocket::bind(address).await.unwrap();
        port.transport().write(b"two", address);
        assert_eq!(received(&later).await, "two");
        while trace.borrow().len() < 2 {
            yield_now().await;
        }
        assert_eq!(*trace.borrow(), ["start", "refused"]);
        let again = port.transport().connect(closed_port()).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        let elsewhere = port.transport().try_write(b"x", closed_port()).unwrap_err();
        assert_eq!(elsewhere.kind(), ErrorKind::InvalidInput);
        assert!(elsewhere.to_string().contains(&address.to_string()), "{elsewhere}");
    });
}

#[test]
fn connected_both_ways() {
    struct Ping(Rc<RefCell<Vec<Vec<u8>>>>);
    impl ConnectedDatagramProtocol for Ping {
        fn start_protocol(&mut self, transport: &UdpTransport) {
            transport.write(b"ping", None);
        }
        fn datagram_received(&mut self, transport: &UdpTransport, data: &[u8]) {
            self.0.borrow_mut().push(data.to_vec());
            drop(transport.stop_listening());
        }
    }
    block_on(async {
        let (protocol, _) = Traced::new(|transport, _, from| transport.write(b"pong", from));
        let server = listen_udp("127.0.0.1:0", protocol).unwrap();
        let answers = Rc::default();
        let client = connect_udp(server.host(), Ping(Rc::clone(&answers))).unwrap();
        client.closed().await.unwrap();
        assert_eq!(*answers.borrow(), [b"pong"]);
    });
}

#[test]
fn flood_lets_others_have_their_turn() {
    block_on(async {
        let most_in_a_row = Rc::new(RefCell::new((0_u32, 0_u32, 0_u32)));
        let (protocol, _) = Traced::new({
            let counts = most_in_a_row.clone();
            move |_: &UdpTransport, _: &[u8], _| {
                let (total, row, most) = &mut *counts.borrow_mut();
                *total += 1;
                *row += 1;
                *most = (*most).max(*row);
            }
        });
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = adopt_udp(socket, protocol).unwrap();
        // In one go, which the port does not see before it is over.
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..200 {
            client.send_to(b"x", port.host()).unwrap();
        }
        let counts = most_in_a_row.clone();
        let other = spawn_local(async move {
            while counts.borrow().0 < 200 {
                yield_now().await;
                counts.borrow_mut().1 = 0;
            }
        });
        other.await.unwrap();
        let most = most_in_a_row.borrow().2;
        assert!(most <= 128 + 16, "{most} in a row, of 200");
    });
}

#[test]
fn slow_receiver_gets_what_fits_into_the_systems_buffer() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        port.transport().with_socket(|socket| socket.set_recv_buffer_size(8192)).unwrap().unwrap();
        port.transport().pause_producing();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..1000 {
            client.send_to(number.to_string().as_bytes(), port.host()).unwrap();
        }
        yield_now().await;
        assert_eq!(*trace.borrow(), ["start"]);
        port.transport().resume_producing();
        let count = || trace.borrow().len();
        while count() < 2 {
            yield_now().await;
        }
        // All that is there is delivered in a few turns; the rest the system has thrown away.
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(count() < 900, "{}", count());
        let expected: Vec<_> = (0..count() - 1).map(|number| number.to_string()).collect();
        assert_eq!(trace.borrow()[1..], expected, "the first ones, in order");
    });
}

#[test]
fn longest_datagram() {
    block_on(async {
        let (protocol, _) = Traced::new(|transport, data, from| transport.write(data, from));
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        let client = client_of(&port).await;
        let data: Vec<u8> = (0..65_507_u32).map(|n| n as u8).collect();
        client.send(&data).await.unwrap();
        let mut buffer = vec![0; 65_535];
        assert_eq!(client.recv(&mut buffer).await.unwrap(), data.len());
        assert_eq!(buffer[..data.len()], data);
    });
}

#[test]
fn names_are_not_looked_up() {
    block_on(async {
        let error = listen_udp("localhost:0", Traced::new(ignore).0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("localhost:0 would have to be looked up"), "{error}");
        assert!(listen_udp("nonsense", Traced::new(ignore).0).is_err());
        assert!(listen_udp(&[][..] as &[SocketAddr], Traced::new(ignore).0).is_err());
    });
}

#[test]
fn port_that_is_taken() {
    block_on(async {
        let first = listen_udp("127.0.0.1:0", Traced::new(ignore).0).unwrap();
        let (protocol, trace) = Traced::new(ignore);
        let taken = listen_udp(first.host(), protocol).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.to_string().starts_with(&format!("cannot listen on {}: ", first.host())), "{taken}");
        assert!(trace.borrow().is_empty(), "it was never started");
    });
}

#[test]
fn port_among_ports_of_other_kinds() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let port = listen_udp("127.0.0.1:0", protocol).unwrap();
        let any: Port = port.clone().into();
        assert_eq!(any.host().ip(), Some(port.host()));
        any.stop_listening().await.unwrap();
        assert_eq!(trace.borrow().len(), 2);
    });
}

/// Within this machine, by the loopback interface.
#[cfg(target_os = "linux")]
#[test]
fn group_with_two_members_on_one_port() {
    block_on(async {
        let group = Ipv4Addr::new(239, 255, 77, 7);
        let member = |address: SocketAddr| {
            let (protocol, trace) = Traced::new(ignore);
            let port = listen_multicast(address, protocol).unwrap();
            let join = |socket: &UdpSocket| socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST);
            port.transport().with_socket(join).unwrap().unwrap();
            (port, trace)
        };
        let (first, first_trace) = member(([0, 0, 0, 0], 0).into());
        let (second, second_trace) = member(first.host());
        let sender = listen_udp("127.0.0.1:0", Traced::new(ignore).0).unwrap().transport();
        sender.set_outgoing_interface(Ipv4Addr::LOCALHOST).unwrap();
        sender.set_multicast_loopback(true).unwrap();
        sender.set_multicast_ttl(1).unwrap();
        sender.write(b"all of you", SocketAddr::from((group, first.host().port())));
        while first_trace.borrow().len() + second_trace.borrow().len() < 4 {
            yield_now().await;
        }
        assert_eq!(*first_trace.borrow(), ["start", "all of you"]);
        assert_eq!(*second_trace.borrow(), ["start", "all of you"]);
        assert!(second.transport().join_group([127, 0, 0, 1].into()).is_err(), "that is no group");
        assert!(second.transport().leave_group([239, 255, 77, 8].into()).is_err(), "it was not joined");
    });
}

#[test]
fn broadcast_has_to_be_allowed() {
    block_on(async {
        let transport = listen_udp("127.0.0.1:0", Traced::new(ignore).0).unwrap().transport();
        assert!(!transport.broadcast_allowed().unwrap());
        transport.set_broadcast_allowed(true).unwrap();
        assert!(transport.broadcast_allowed().unwrap());
    });
}

/// Writes again as soon as it hears that something did not arrive.
struct Insists {
    times: Rc<Cell<u32>>,
    is_over: Rc<Cell<bool>>,
}

impl Insists {
    fn again(&self) -> bool {
        self.times.set(self.times.get() + 1);
        // A bound for a thread that does nothing else.
        !self.is_over.get() && self.times.get() < 200_000
    }
}

impl ConnectedDatagramProtocol for Insists {
    fn start_protocol(&mut self, transport: &UdpTransport) {
        transport.write(b"hello?", None);
    }

    fn datagram_received(&mut self, _: &UdpTransport, _: &[u8]) {}

    fn connection_refused(&mut self, transport: &UdpTransport) {
        if self.again() {
            transport.write(b"hello?", None);
        }
    }

    fn send_failed(&mut self, transport: &UdpTransport, _: io::Error) {
        if self.again() {
            transport.write(&[0; 70_000], None);
        }
    }
}

#[test]
fn who_writes_again_when_it_is_refused_lets_others_have_their_turn() {
    for is_too_long in [false, true] {
        block_on(async {
            let (times, is_over) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
            let protocol = Insists { times: times.clone(), is_over: is_over.clone() };
            let port = connect_udp(closed_port(), protocol).unwrap();
            if is_too_long {
                port.transport().write(&[0; 70_000], None);
            }
            while times.get() < 10 {
                yield_now().await;
            }
            is_over.set(true);
            assert!(times.get() < 10_000, "{}", times.get());
            port.stop_listening().await.unwrap();
        });
    }
}

#[test]
fn what_is_written_while_it_stops_is_thrown_away() {
    struct Goodbye(SocketAddr, Rc<Cell<Option<ErrorKind>>>);
    impl DatagramProtocol for Goodbye {
        fn datagram_received(&mut self, _: &UdpTransport, _: &[u8], _: SocketAddr) {}
        fn stop_protocol(&mut self, transport: &UdpTransport, _: &ConnectionLost) {
            transport.write(b"goodbye", self.0);
            self.1.set(transport.try_write(b"goodbye", self.0).err().map(|error| error.kind()));
        }
    }
    block_on(async {
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let told = Rc::new(Cell::new(None));
        let port = listen_udp("127.0.0.1:0", Goodbye(peer.local_addr().unwrap(), told.clone())).unwrap();
        port.stop_listening().await.unwrap();
        let after = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        after.send_to(b"later", peer.local_addr().unwrap()).await.unwrap();
        assert_eq!(received(&peer).await, "later");
        assert_eq!(told.get(), Some(ErrorKind::NotConnected));
    });
}
