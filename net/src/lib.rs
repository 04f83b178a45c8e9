//! Sockets, awaited: TCP, UDP and those of Unix.
//!
//! - [`TcpListener`] takes connections, [`TcpStream`] makes one; [`TcpSocket`] is for options before there is either.
//! - [`TcpStream::split`] and [`TcpStream::into_split`] give halves for reading and for writing.
//! - [`UdpSocket`] sends and receives datagrams, one by one or many in a call.
//! - `UnixListener`, `UnixStream`, `UnixDatagram` and [`unix`] with pipes, credentials and descriptors: on Unix only.
//! - [`ToSocketAddrs`] is what one can connect and bind to: addresses and names. [`lookup_host`] resolves a name.
//!
//! Streams read and write through futures' `AsyncRead` and `AsyncWrite`: import
//! `futures_util::io::{AsyncReadExt, AsyncWriteExt}` for the methods.
//!
//! Counterpart: `tokio::net`.

mod accept;
mod addr;
pub mod io;
mod tcp;
mod serve;
#[cfg(unix)]
mod adopted;
#[cfg(feature = "tls")]
pub mod tls;
mod bytes;
mod split;
mod tcp;
mod udp;
#[cfg(unix)]
pub mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
#[cfg(unix)]
pub use adopted::{AdoptedSocket, AdoptedSockets};
pub use serve::{Connection, Drained, HandlerResult, Late, Listener, Notice, NoticeKind, Serve, Serving, serve};
pub use tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpListener, TcpSocket, TcpStream, WriteHalf,
};
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};
