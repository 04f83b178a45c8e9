//! Sockets, names, TLS and serving.
//!
//! - [`TcpListener`] takes connections, [`TcpStream`] makes one; [`TcpConnector`] and [`TcpSocket`] are for options before there is
//!   either. [`TcpStream::split`] and [`TcpStream::into_split`] give halves for reading and for writing.
//! - [`UdpSocket`] sends and receives datagrams, one by one or many in a call.
//! - `UnixListener`, `UnixStream`, `UnixDatagram` and [`unix`] with pipes, credentials and descriptors: on Unix only.
//! - [`serve()`] runs a handler for each connection, within limits, and ends in good order. `AdoptedSockets` come from a parent process.
//! - [`ToSocketAddrs`] is what one can connect and bind to: addresses and names. [`lookup_host`] resolves a name, by
//!   the process's [`DnsResolver`].
//! - `tls`, with the feature of that name: TLS over any stream.
//! - [`protocol`]: Twisted's protocols, transports, factories and endpoints. [`service`]: what a program is made of, started and stopped
//!   in order; `app` runs it (on Unix). [`testing`]: doubles of all of it.
//! - [`io`]: what moves bytes.
//!
//! Streams read and write through futures' `AsyncRead` and `AsyncWrite`: import `rt::io::{AsyncReadExt, AsyncWriteExt}` for the
//! methods.
//!
//! Counterpart: `tokio::net`.

mod tcp;
mod udp;
#[cfg(unix)]
pub mod unix;
#[cfg(feature = "tls")]
pub mod tls;
mod addr;
mod resolve;
mod serve;
#[cfg(unix)]
mod adopted;
pub mod io;

pub mod protocol;
pub mod service;
#[cfg(unix)]
pub mod app;
pub mod testing;
#[doc(hidden)]
pub mod bridge;

mod target;
mod accept;
mod split;
mod bytes;
mod readiness;
mod scratch;

pub use tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpConnector, TcpListener, TcpSocket, TcpStream,
    WriteHalf,
};
pub use udp::{Datagram, Datagrams, RecvBatch, SendBatch, UdpSocket};
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};

pub use addr::{ToSocketAddrs, lookup_host};
pub use resolve::{DnsMetrics, DnsResolver, DnsResolverBuilder, Resolve, Resolving};

#[cfg(unix)]
pub use adopted::{AdoptedSocket, AdoptedSockets};
pub use serve::{Connection, Drained, HandlerResult, Late, Listener, Notice, NoticeKind, Serve, Serving, serve};
