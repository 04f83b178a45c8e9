//! Servers under load: what a request costs the server.

use std::fmt::Display;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

use super::{Case, FLOOR, Load, OURS_PROTOCOL, Scenario, Target, Work};
use crate::floor::epoll;
use crate::subject::{Service, Tcp};

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&ECHO_64, &ECHO_1000, &ECHO_PIPELINED, &BULK, &CONNECT];

/// No dearer than the best async server, nor much dearer than the bare loop.
const PROTOCOL: &[(&str, &[Target])] = &[(OURS_PROTOCOL, &[Target::Best(1.), Target::Share(FLOOR, 1.05)])];

/// Few connections, all busy.
pub static ECHO_64: Scenario = Scenario {
    name: "tcp-echo-64",
    title: "TCP echo, 64 connections",
    batches: 60_000,
    targets: &[Target::Share(FLOOR, 1.02)],
    also: PROTOCOL,
    ..Scenario::DEFAULT
};

/// Many connections, all busy.
pub static ECHO_1000: Scenario = Scenario {
    name: "tcp-echo-1000",
    title: "TCP echo, 1,000 connections",
    batches: 60_000,
    targets: &[Target::Share(FLOOR, 1.02)],
    also: PROTOCOL,
    ..Scenario::DEFAULT
};

/// Several requests in one read.
pub static ECHO_PIPELINED: Scenario = Scenario {
    name: "tcp-echo-pipelined",
    title: "TCP echo, 64 connections, 16 in flight",
    batches: 400_000,
    targets: &[Target::Share(FLOOR, 1.02)],
    also: PROTOCOL,
    ..Scenario::DEFAULT
};

/// Throughput.
pub static BULK: Scenario = Scenario {
    name: "tcp-bulk",
    title: "bulk send, 64 KiB writes",
    batches: 20_000,
    targets: &[Target::Share(FLOOR, 1.01)],
    ..Scenario::DEFAULT
};

/// Connections that come and go.
pub static CONNECT: Scenario = Scenario {
    name: "tcp-connect",
    title: "connect, one round trip, close",
    batches: 5_000,
    targets: &[Target::Share(FLOOR, 1.02)],
    also: PROTOCOL,
    ..Scenario::DEFAULT
};

/// What every subject with sockets does.
pub fn cases<S: Tcp>() -> Vec<Case> {
    let echo = || serve::<S>(Service::Echo);
    let bulk = || serve::<S>(Service::Bulk);
    works(echo, bulk).map(|(scenario, work)| Case::new::<S>(scenario, work)).to_vec()
}

/// The bare epoll loop.
pub fn floor() -> Vec<Case> {
    let echo = || serve_floor(Service::Echo);
    let bulk = || serve_floor(Service::Bulk);
    let case = |(scenario, work)| Case { scenario, subject: FLOOR, unavailable: || None, work };
    works(echo, bulk).map(case).to_vec()
}

fn works(echo: fn(), bulk: fn()) -> [(&'static Scenario, Work); 5] {
    [
        (&ECHO_64, Work::Serve(echo, Load::Echo { connections: 64, in_flight: 1 })),
        (&ECHO_1000, Work::Serve(echo, Load::Echo { connections: 1_000, in_flight: 1 })),
        (&ECHO_PIPELINED, Work::Serve(echo, Load::Echo { connections: 64, in_flight: 16 })),
        (&BULK, Work::Serve(bulk, Load::Bulk { connections: 4 })),
        (&CONNECT, Work::Serve(echo, Load::Connect { connections: 16 })),
    ]
}

pub(super) fn serve<S: Tcp>(service: Service) {
    S::block_on(S::serve(service, announce)).expect("a listener");
}

pub(super) fn serve_floor(service: Service) {
    epoll::serve::<TcpStream>(listen(), service).expect("a listener");
}

/// A listener that does not block; the load generator is told where.
pub(super) fn listen() -> TcpListener {
    listen_beside("")
}

/// The same; the load generator is told `what` as well.
pub(super) fn listen_beside(what: &str) -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    listener.set_nonblocking(true).expect("a listener");
    announce(format_args!("{}{what}", listener.local_addr().expect("a listener")));
    listener
}

/// The same, for connections of which the system holds little. With less than this it would ask from time to time whether there is
/// room again.
pub(super) fn listen_with_little_room() -> TcpListener {
    let listener = listen();
    set_socket_recv_buffer_size(&listener, 64 << 10).expect("a socket");
    set_socket_send_buffer_size(&listener, 64 << 10).expect("a socket");
    listener
}

/// Tells the load generator where.
pub(super) fn announce(address: impl Display) {
    println!("{address}");
}
