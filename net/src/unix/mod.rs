//! What only Unix has: the halves of a `UnixStream`, addresses, credentials, pipes.
//!
//! Counterpart: `tokio::net::unix`.

mod addr;
mod creds;
mod datagram;
mod datagram_to;
mod fds;
mod listener;
pub mod pipe;
mod split;
mod stream;
mod stream_bytes;

/// The address of a Unix socket: a path, nothing, or on Linux an abstract name (see
/// `std::os::linux::net::SocketAddrExt`, which makes and reads those).
///
/// Counterpart: `tokio::net::unix::SocketAddr`.
pub use std::os::unix::net::SocketAddr;

pub use creds::UCred;
pub use datagram::UnixDatagram;
pub use fds::MAX_FDS;
pub use listener::{Incoming, UnixListener};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::UnixStream;
