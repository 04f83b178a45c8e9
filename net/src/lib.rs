//! TCP, awaited.
//!
//! - [`TcpListener`] takes connections, [`TcpStream`] makes one; [`TcpSocket`] is for options before there is either.
//! - [`TcpStream::split`] and [`TcpStream::into_split`] give halves for reading and for writing.
//! - [`ToSocketAddrs`] is what one can connect and bind to: addresses and names. [`lookup_host`] resolves a name.
#![cfg_attr(feature = "tls", doc = "- [`tls`] puts streams under TLS.")]
//!
//! Streams read and write through futures' `AsyncRead` and `AsyncWrite`: import
//! `futures_util::io::{AsyncReadExt, AsyncWriteExt}` for the methods.
//!
//! Counterpart: `tokio::net`.

mod addr;
mod tcp;
#[cfg(feature = "tls")]
pub mod tls;

pub use addr::{ToSocketAddrs, lookup_host};
pub use tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpListener, TcpSocket, TcpStream, WriteHalf,
};
