//! Ports of Unix sockets for datagrams.

use super::address::{DatagramAddress, Sockets};
use super::place::{Connected, Unconnected};
use super::port::{DatagramPort, run};
use super::{ConnectedDatagramProtocol, DatagramProtocol, DatagramTransport};
use crate::protocol::Address;
use crate::protocol::listen::cannot_listen;
use crate::scratch::Scratch;
use crate::unix::UnixDatagram;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};

/// The port of a Unix socket.
pub type UnixDatagramPort<P> = DatagramPort<P, SocketAddr>;

/// The transport of a Unix socket.
pub type UnixDatagramTransport = DatagramTransport<SocketAddr>;

/// Runs `protocol` on a Unix socket for datagrams at `path`, as a task of this thread. On Linux a path that begins with a NUL byte is
/// an abstract name.
///
/// While the queue of a socket that is sent to is full, everything behind waits, too; and what is sent to a socket that never reads
/// stays at the head of the queue. A protocol that sends to several sockets uses
/// [`try_write`](DatagramTransport::try_write).
///
/// Counterpart: `reactor.listenUNIXDatagram`.
///
/// # Errors
///
/// Those of `bind`: the path exists, its directory does not.
///
/// # Panics
///
/// If this thread does not drive a runtime.
///
/// ```
/// use rt::protocol::{DatagramProtocol, UnixDatagramTransport, listen_unix_datagram};
/// use std::os::unix::net::SocketAddr;
///
/// struct Echo;
///
/// impl DatagramProtocol<SocketAddr> for Echo {
///     fn datagram_received(&mut self, transport: &UnixDatagramTransport, data: &[u8], from: SocketAddr) {
///         transport.write(data, from);
///     }
/// }
///
/// # #[cfg(target_os = "linux")]
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// # let id = std::process::id();
/// let port = listen_unix_datagram(format!("\0rt echo {id}"), Echo)?;
/// let client = rt::net::UnixDatagram::bind(format!("\0rt client {id}"))?;
/// client.send_to(b"hello", format!("\0rt echo {id}")).await?;
/// assert_eq!(client.recv(&mut [0; 16]).await?, 5);
/// port.stop_listening().await?;
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
#[track_caller]
pub fn listen_unix_datagram<P>(path: impl AsRef<Path>, protocol: P) -> io::Result<UnixDatagramPort<P>>
where
    P: DatagramProtocol<SocketAddr>,
{
    let path = path.as_ref();
    let socket = UnixDatagram::bind(path).map_err(|error| cannot_listen(path.display(), error))?;
    run(socket, protocol, Unconnected)
}

/// Runs `protocol` on a Unix socket that is connected to the one at `path`, as a task of this thread. With `bind` it is at a path itself,
/// so that the other side can answer; otherwise it has no name.
///
/// Counterpart: `reactor.connectUNIXDatagram`.
///
/// # Errors
///
/// Nobody is at `path`; those of `bind`.
///
/// # Panics
///
/// If this thread does not drive a runtime.
#[track_caller]
pub fn connect_unix_datagram<P>(
    path: impl AsRef<Path>,
    protocol: P,
    bind: Option<&Path>,
) -> io::Result<UnixDatagramPort<P>>
where
    P: ConnectedDatagramProtocol<SocketAddr>,
{
    let socket = bind.map_or_else(UnixDatagram::unbound, UnixDatagram::bind)?;
    socket.connect(path)?;
    run(socket, protocol, Connected)
}

/// Runs `protocol` on a socket that exists, such as one of [`UnixDatagram::pair`], as a task of this thread.
///
/// Counterpart: `reactor.adoptDatagramPort`.
///
/// # Errors
///
/// Those of `getsockname`.
///
/// # Panics
///
/// If this thread does not drive a runtime.
#[track_caller]
pub fn adopt_unix_datagram<P>(socket: UnixDatagram, protocol: P) -> io::Result<UnixDatagramPort<P>>
where
    P: DatagramProtocol<SocketAddr>,
{
    run(socket, protocol, Unconnected)
}

/// The thread's buffer with the one datagram in it.
pub struct One {
    scratch: Scratch,
    came: Option<(usize, SocketAddr)>,
}

impl DatagramAddress for SocketAddr {}

impl Sockets for SocketAddr {
    type Socket = UnixDatagram;
    type Batch = One;

    fn batch() -> One {
        One { scratch: Scratch::take(), came: None }
    }

    fn recycle(batch: One) {
        drop(batch);
    }

    fn poll_receive(socket: &UnixDatagram, cx: &mut Context<'_>, batch: &mut One) -> Poll<io::Result<usize>> {
        let received = socket.poll_recv_from(cx, batch.scratch.buffer());
        received.map_ok(|came| {
            batch.came = Some(came);
            1
        })
    }

    fn deliver(batch: &One, first: usize, mut each: impl FnMut(&[u8], SocketAddr) -> bool) -> usize {
        match &batch.came {
            Some((length, from)) if first == 0 => {
                each(&batch.scratch.bytes()[..*length], from.clone());
                1
            }
            _ => 0,
        }
    }

    fn try_send(socket: &UnixDatagram, data: &[u8], to: Option<&SocketAddr>) -> io::Result<()> {
        match to {
            Some(to) => socket.try_send_to_addr(data, to),
            None => socket.try_send(data),
        }
        .map(drop)
    }

    fn poll_send(
        socket: &UnixDatagram,
        cx: &mut Context<'_>,
        data: &[u8],
        to: Option<&SocketAddr>,
    ) -> Poll<io::Result<()>> {
        match to {
            Some(to) => socket.poll_send_to_addr(cx, data, to),
            None => socket.poll_send(cx, data),
        }
        .map_ok(drop)
    }

    fn host(socket: &UnixDatagram) -> io::Result<SocketAddr> {
        socket.local_addr()
    }

    fn peer(socket: &UnixDatagram) -> Option<SocketAddr> {
        socket.peer_addr().ok()
    }

    fn is_same(&self, other: &SocketAddr) -> bool {
        // Of abstract names std tells nothing on all systems; its text has them.
        format!("{self:?}") == format!("{other:?}")
    }

    fn connect(socket: &UnixDatagram, to: &SocketAddr) -> io::Result<()> {
        socket.connect_addr(to)
    }

    fn general(self) -> Address {
        self.into()
    }
}
