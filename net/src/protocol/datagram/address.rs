//! The kinds of addresses of datagrams, with what a port does by each.

use std::fmt;
use std::io;
use std::task::{Context, Poll};

/// An address that datagrams come from and go to: [`SocketAddr`](std::net::SocketAddr) for UDP, and on Unix
/// `std::os::unix::net::SocketAddr` for Unix sockets. Sealed: its methods are internal.
pub trait DatagramAddress: Sockets + Clone + fmt::Debug + 'static {}

/// What a port does to the sockets of a kind of address.
pub trait Sockets: Sized {
    /// The socket itself.
    type Socket: 'static;

    /// Datagrams that came together, in memory that is used again.
    type Batch: 'static;

    /// Memory for datagrams, of this thread if it is not in use.
    fn batch() -> Self::Batch;

    /// Gives the memory back to the thread.
    fn recycle(batch: Self::Batch);

    /// How many datagrams came.
    fn poll_receive(socket: &Self::Socket, cx: &mut Context<'_>, batch: &mut Self::Batch) -> Poll<io::Result<usize>>;

    /// Calls `each` with the datagrams from number `first` on, as long as it says so; how many it was called with.
    fn deliver(batch: &Self::Batch, first: usize, each: impl FnMut(&[u8], Self) -> bool) -> usize;

    /// `None`: to where the socket is connected.
    fn try_send(socket: &Self::Socket, data: &[u8], to: Option<&Self>) -> io::Result<()>;

    /// The same, for the one task that waits for room.
    fn poll_send(socket: &Self::Socket, cx: &mut Context<'_>, data: &[u8], to: Option<&Self>) -> Poll<io::Result<()>>;

    /// Where the socket is.
    fn host(socket: &Self::Socket) -> io::Result<Self>;

    /// Where it is connected to.
    fn peer(socket: &Self::Socket) -> Option<Self>;

    /// Whether these are one address, as far as one can tell.
    fn is_same(&self, other: &Self) -> bool;

    /// Connects it.
    fn connect(socket: &Self::Socket, to: &Self) -> io::Result<()>;

    /// The same as protocols over streams have it.
    fn general(self) -> crate::protocol::Address;
}
