//! The load generator: one thread over bare epoll, the same for every server.

mod bulk;
mod churn;
mod datagrams;
mod endpoint;
mod exchange;
mod http2;

use std::io::{self, ErrorKind};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollTimeout};

use crate::scenario::Load;
use bulk::Bulk;
use churn::Churn;
use datagrams::Datagrams;
use endpoint::{Tls, tcp, unix};
use exchange::Exchange;
use http2::Http2;

/// Bytes of a request that is sent back.
const REQUEST: usize = 64;
/// If nothing comes for so long, the server is stuck.
const PATIENCE_MS: u16 = 20_000;

/// Clients of one server.
pub(crate) trait Generator: Send {
    /// Returns when so many requests have been answered, and none is under way.
    fn run(&mut self, requests: u64) -> io::Result<()>;

    /// The same; how long each request took, which must be alone under way on its connection.
    fn run_timed(&mut self, _requests: u64) -> io::Result<Vec<Duration>> {
        Err(io::Error::other("requests of this load are not timed"))
    }
}

/// Makes the connections to the server that said `line`; each has been served once when this returns, so none waits to be
/// accepted.
pub(crate) fn connect(line: &str, load: Load) -> io::Result<Box<dyn Generator>> {
    let echo = &[1; REQUEST];
    Ok(match load {
        Load::Echo { connections, in_flight } => {
            Box::new(Exchange::connect(&tcp(line)?, connections, in_flight, echo)?)
        }
        Load::UnixEcho { connections } => Box::new(Exchange::connect(&unix(line)?, connections, 1, echo)?),
        Load::TlsEcho { connections } => Box::new(Exchange::connect(&Tls::parse(line)?, connections, 1, echo)?),
        Load::Http1 { connections } => Box::new(Exchange::connect(&tcp(line)?, connections, 1, HTTP1_REQUEST)?),
        Load::Bulk { connections } => Box::new(Bulk::connect(tcp(line)?, connections)?),
        Load::Connect { connections } => Box::new(Churn::new(tcp(line)?, connections)?),
        Load::Datagrams { clients, in_flight, trains } => {
            Box::new(Datagrams::open(tcp(line)?, clients, in_flight, trains)?)
        }
        Load::Http2 { connections, streams } => Box::new(Http2::connect(tcp(line)?, connections, streams)?),
    })
}

const HTTP1_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: rt-benches\r\nAccept: */*\r\n\r\n";

fn wait<'a>(epoll: &Epoll, events: &'a mut [EpollEvent]) -> io::Result<&'a [EpollEvent]> {
    match epoll.wait(events, EpollTimeout::from(PATIENCE_MS)) {
        Ok(0) => Err(io::Error::new(ErrorKind::TimedOut, "the server does not answer")),
        Err(nix::Error::EINTR) => Ok(&[]),
        result => Ok(&events[..result?]),
    }
}

/// How many bytes a read gave that does not block; an end is an error.
fn received(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
