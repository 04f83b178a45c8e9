//! Servers on Unix sockets under load.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process;

use super::{Case, FLOOR, Load, Scenario, Target, Work, tcp};
use crate::floor::epoll;
use crate::subject::Service;
use crate::subject::net::Unix;

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&ECHO_64];

/// Few connections, all busy.
pub static ECHO_64: Scenario = Scenario {
    name: "unix-echo-64",
    title: "Unix stream echo, 64 connections",
    batches: 60_000,
    targets: &[Target::Share(FLOOR, 1.02)],
    ..Scenario::DEFAULT
};

const LOAD: Load = Load::UnixEcho { connections: 64 };

/// What every subject with Unix sockets does.
pub fn cases<S: Unix>() -> Vec<Case> {
    let echo = || S::block_on(S::serve_unix(listen())).expect("a listener");
    vec![Case::new::<S>(&ECHO_64, Work::Serve(echo, LOAD))]
}

/// The bare epoll loop.
pub fn floor() -> Vec<Case> {
    let echo = || epoll::serve::<UnixStream>(listen(), Service::Echo).expect("a listener");
    vec![Case { scenario: &ECHO_64, subject: FLOOR, unavailable: || None, work: Work::Serve(echo, LOAD) }]
}

/// At an abstract name, which leaves no file behind when the process is killed.
fn listen() -> UnixListener {
    let name = format!("rt-benches-{}", process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let listener = UnixListener::bind_addr(&address).expect("a listener");
    listener.set_nonblocking(true).expect("a listener");
    tcp::announce(name);
    listener
}
