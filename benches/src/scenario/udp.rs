//! Datagrams that are sent back: what one costs the server.

use std::net::{Ipv4Addr, UdpSocket};

use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::{Case, FLOOR, Load, Scenario, Target, Work, tcp};
use crate::floor;
use crate::subject::net::Udp;

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&ECHO, &ECHO_BATCH, &ECHO_TRAIN];

/// Enough for the datagrams of all clients, and no more than most systems allow: one that is dropped would be waited for. The
/// kernel counts what has been received until a quarter of the room has, and 768 bytes for each.
const ROOM: usize = 208 << 10;

/// A datagram in a call.
pub static ECHO: Scenario = Scenario {
    name: "udp-echo",
    title: "UDP echo, 64 clients, one datagram per call",
    batches: 60_000,
    targets: &[Target::Share("tokio", 1.)],
    ..Scenario::DEFAULT
};

/// As many in a call as there are.
pub static ECHO_BATCH: Scenario = Scenario {
    name: "udp-echo-batch",
    title: "UDP echo, 16 clients, 16 in flight each",
    batches: 300_000,
    targets: &[Target::Share("tokio", 1. / 2.)],
    ..Scenario::DEFAULT
};

/// As trains, the way in and out that HTTP/3 has.
pub static ECHO_TRAIN: Scenario =
    Scenario { name: "udp-echo-train", title: "UDP echo, 16 clients, trains of 16", ..ECHO_BATCH };

const LOAD: Load = Load::Datagrams { clients: 64, in_flight: 1, trains: false };
const LOAD_OF_BATCHES: Load = Load::Datagrams { clients: 16, in_flight: 16, trains: false };
const LOAD_OF_TRAINS: Load = Load::Datagrams { clients: 16, in_flight: 16, trains: true };

/// What every subject with UDP does; batches where it has them.
pub fn cases<S: Udp>() -> Vec<Case> {
    let batches = || S::block_on(S::echo_batches(bind())).expect("a socket");
    let mut cases = one_by_one::<S>();
    let trains = || S::block_on(S::echo_trains(bind())).expect("a socket");
    cases.push(Case::new::<S>(&ECHO_BATCH, Work::Serve(batches, LOAD_OF_BATCHES)));
    cases.push(Case::new::<S>(&ECHO_TRAIN, Work::Serve(trains, LOAD_OF_TRAINS)));
    cases
}

/// [`ECHO`] only.
pub fn one_by_one<S: Udp>() -> Vec<Case> {
    vec![Case::new::<S>(&ECHO, Work::Serve(|| S::block_on(S::echo(bind())).expect("a socket"), LOAD))]
}

/// The bare epoll loops.
pub fn floor() -> Vec<Case> {
    let echo = || floor::udp::echo(&bind()).expect("a socket");
    let batches = || floor::udp::echo_batches(&bind()).expect("a socket");
    let trains = || floor::udp::echo_trains(&bind()).expect("a socket");
    let case = |scenario, work| Case { scenario, subject: FLOOR, unavailable: || None, work };
    vec![
        case(&ECHO, Work::Serve(echo, LOAD)),
        case(&ECHO_BATCH, Work::Serve(batches, LOAD_OF_BATCHES)),
        case(&ECHO_TRAIN, Work::Serve(trains, LOAD_OF_TRAINS)),
    ]
}

fn bind() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    set_socket_recv_buffer_size(&socket, ROOM).expect("a socket");
    tcp::announce(socket.local_addr().expect("a socket"));
    socket
}
