//! TCP, awaited.
//!
//! - [`TcpListener`] takes connections, [`TcpStream`] makes one; [`TcpConnector`] and [`TcpSocket`] are for options before there is either.
//! - [`TcpStream::split`] and [`TcpStream::into_split`] give halves for reading and for writing.
//! - [`ToSocketAddrs`] is what one can connect and bind to: addresses and names. [`lookup_host`] resolves a name, by
//!   the process's [`DnsResolver`].
//!
//! Streams read and write through futures' `AsyncRead` and `AsyncWrite`: import
//! `futures_util::io::{AsyncReadExt, AsyncWriteExt}` for the methods.
//!
//! Counterpart: `tokio::net`.

mod addr;
mod resolve;
mod tcp;

#[doc(hidden)]
pub mod bridge;

pub use addr::{ToSocketAddrs, lookup_host};
pub use resolve::{DnsMetrics, DnsResolver, DnsResolverBuilder, Resolve, Resolving};
pub use tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpConnector, TcpListener, TcpSocket, TcpStream,
    WriteHalf,
};
