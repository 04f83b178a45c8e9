//! Awaitable streams of `rt`: TCP and the names it connects to.

mod addr;
mod tcp;

pub use addr::{ToSocketAddrs, lookup_host};
pub use tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpListener, TcpSocket, TcpStream, WriteHalf,
};
