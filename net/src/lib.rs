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
mod bytes;
mod split;
mod tcp;
mod udp;
#[cfg(unix)]
pub mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
pub use tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpListener, TcpSocket, TcpStream, WriteHalf,
};
pub use udp::{Datagram, Datagrams, RecvBatch, SendBatch, UdpSocket};
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};
