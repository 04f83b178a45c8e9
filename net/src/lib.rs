//! TCP, awaited.
//!
//! - [`TcpListener`] takes connections, [`TcpStream`] makes one; [`TcpSocket`] is for options before there is either.
//! - [`TcpStream::split`] and [`TcpStream::into_split`] give halves for reading and for writing.
//! - [`ToSocketAddrs`] is what one can connect and bind to: addresses and names. [`lookup_host`] resolves a name.
//!
//! Streams read and write through futures' `AsyncRead` and `AsyncWrite`: import
//! `futures_util::io::{AsyncReadExt, AsyncWriteExt}` for the methods.
//!
//! Counterpart: `tokio::net`.

mod addr;
pub mod io;
mod tcp;
mod serve;
#[cfg(unix)]
mod adopted;
#[cfg(feature = "tls")]
pub mod tls;

pub use addr::{ToSocketAddrs, lookup_host};
#[cfg(unix)]
pub use adopted::{AdoptedSocket, AdoptedSockets};
pub use serve::{Connection, Drained, HandlerResult, Late, Listener, Notice, NoticeKind, Serve, Serving, serve};
pub use tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpListener, TcpSocket, TcpStream, WriteHalf,
};
