//! What subjects do with sockets other than TCP's, with TLS, HTTP and names.
//!
//! Listeners and sockets are made by the scenarios, of the standard library: they do not block, and each subject takes them over.

mod monoio;
mod rt;
mod smol;
mod tokio;

use std::future::Future;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;

use super::Subject;

/// Datagrams of a batch, where there are batches.
pub const BATCH: usize = 32;
/// Room for one datagram.
pub const DATAGRAM: usize = 1_500;
/// Room for a train of datagrams.
pub const TRAIN: usize = 65_535;

/// Sends datagrams back to where they came from.
pub trait Udp: Subject {
    /// One by one, for ever.
    fn echo(socket: UdpSocket) -> impl Future<Output = io::Result<()>>;

    /// As many at a time as there are, up to [`BATCH`]; one by one where the runtime has no batches.
    fn echo_batches(socket: UdpSocket) -> impl Future<Output = io::Result<()>> {
        Self::echo(socket)
    }

    /// The same, with datagrams that are received and sent as trains; one by one where the runtime has none.
    fn echo_trains(socket: UdpSocket) -> impl Future<Output = io::Result<()>> {
        Self::echo(socket)
    }
}

/// An echo server on Unix sockets, one task per connection.
pub trait Unix: Subject {
    /// Accepts and serves for ever.
    fn serve_unix(listener: UnixListener) -> impl Future<Output = io::Result<()>>;
}

/// An echo server under TLS, by rustls; one task per connection.
pub trait Tls: Subject {
    /// Accepts and serves for ever.
    fn serve_tls(listener: TcpListener, config: Arc<ServerConfig>) -> impl Future<Output = io::Result<()>>;
}

/// Serves axum's routers.
pub trait Http: Subject {
    /// Accepts and serves for ever, without Nagle's delays.
    fn serve_http(listener: TcpListener, router: Router) -> impl Future<Output = io::Result<()>>;
}

/// Looks up names by the system's resolver.
pub trait Names: Subject {
    /// Ready when the answer is there, be it that there is no such name.
    fn look_up(name: String) -> impl Future<Output = ()> + Send + 'static;

    /// How often the system was asked so far, if the runtime counts that.
    fn lookups() -> Option<u64> {
        None
    }
}

/// Keeps connections that nothing comes over, a task for each, without a buffer.
pub trait Idle: Subject {
    /// Accepts for ever. Each task sends a byte, then waits until it could read.
    fn keep(listener: TcpListener) -> impl Future<Output = io::Result<()>>;
}

/// Keeps connections whose other ends send and never read.
pub trait Deaf: Subject {
    /// Accepts for ever. Each task sends a byte, then back what comes.
    fn echo(listener: TcpListener) -> impl Future<Output = io::Result<()>>;
}
