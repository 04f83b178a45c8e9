//! What a stream is, if it is one that we know.

use crate::io::Join;
use crate::protocol::Address;
use crate::tcp::TcpStream;
#[cfg(unix)]
use crate::unix::UnixStream;
use rt_runtime::stdio::{Stdin, Stdout};
use std::any::Any;
use std::io;
use std::time::Duration;

/// Whom a stream comes from.
pub(super) fn peer(stream: &dyn Any) -> Address {
    address(stream, TcpStream::peer_addr, |unix| unix.peer_addr())
}

/// Where this end of a stream is.
pub(super) fn host(stream: &dyn Any) -> Address {
    if stream.is::<Join<Stdin, Stdout>>() {
        return Address::StandardIo;
    }
    address(stream, TcpStream::local_addr, |unix| unix.local_addr())
}

#[cfg(unix)]
type UnixAddress = std::os::unix::net::SocketAddr;

#[cfg(unix)]
fn address(
    stream: &dyn Any,
    tcp: impl FnOnce(&TcpStream) -> io::Result<std::net::SocketAddr>,
    unix: impl FnOnce(&UnixStream) -> io::Result<UnixAddress>,
) -> Address {
    if let Some(stream) = stream.downcast_ref() {
        return tcp(stream).map_or(Address::Memory, Address::from);
    }
    match stream.downcast_ref() {
        Some(stream) => unix(stream).map_or(Address::Unix(None), Address::from),
        None => Address::Memory,
    }
}

/// Asks a TCP socket for something.
pub(super) fn tcp<R>(stream: &dyn Any, ask: impl FnOnce(&TcpStream) -> io::Result<R>) -> io::Result<R> {
    match stream.downcast_ref() {
        Some(stream) => ask(stream),
        None => Err(io::Error::new(io::ErrorKind::Unsupported, "this transport is no TCP connection")),
    }
}

/// Whether closing such a stream is all that there is to its end: nothing is said to the peer before.
pub(super) fn closes_by_itself(stream: &dyn Any) -> bool {
    #[cfg(unix)]
    if stream.is::<UnixStream>() {
        return true;
    }
    stream.is::<TcpStream>()
}

/// Makes the peer see a reset when the stream is closed, where there is such a thing.
pub(super) fn reset_at_close(stream: &dyn Any) {
    let _ = tcp(stream, |stream| stream.set_linger(Some(Duration::ZERO)));
}
