//! Sockets that a parent process has opened and handed down.

use crate::tcp::TcpListener;
use crate::udp::UdpSocket;
use crate::unix::{UnixDatagram, UnixListener};
use listenfd::ListenFd;
use std::fmt;
use std::io;

/// The sockets that this process was started with, by systemd's protocol: `LISTEN_FDS` counts them, `LISTEN_PID` says whom they are
/// for, `LISTEN_FDNAMES` names them.
///
/// So a service need not be root to listen on port 80, its socket is open before and after it, and no connection is lost while it is
/// started again. Each socket can be taken once.
///
/// Counterpart: Twisted's `systemd:` endpoint and `adoptStreamPort`; tokio leaves it to other crates.
///
/// # Examples
///
/// A listener from systemd if there is one, else one of our own:
///
/// ```
/// use rt::net::{AdoptedSockets, TcpListener};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let mut adopted = AdoptedSockets::from_env();
/// let listener = match adopted.is_empty() {
///     false => adopted.tcp_listener("http")?,
///     true => TcpListener::bind("127.0.0.1:0").await?,
/// };
/// # drop(listener);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct AdoptedSockets {
    sockets: ListenFd,
    /// As many as there are sockets.
    names: Vec<String>,
}

impl AdoptedSockets {
    /// Reads the environment. There are none if it does not speak of any, or speaks of those of another process.
    pub fn from_env() -> Self {
        let sockets = ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').map(str::to_owned).chain(std::iter::repeat_with(String::new));
        Self { names: names.take(sockets.len()).collect(), sockets }
    }

    /// How many there were at first, those that have been taken included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Their names in order; empty for those that have none.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Takes a TCP listener, by its place from 0 on, or by name.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](io::ErrorKind::NotFound) if there is no such socket or it has been taken, with what there is.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if it is of another kind.
    pub fn tcp_listener(&mut self, which: impl AdoptedSocket) -> io::Result<TcpListener> {
        let listener = self.take(&which, ListenFd::take_tcp_listener)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }

    /// Takes a UDP socket.
    ///
    /// # Errors
    ///
    /// Those of [`tcp_listener`](AdoptedSockets::tcp_listener).
    pub fn udp_socket(&mut self, which: impl AdoptedSocket) -> io::Result<UdpSocket> {
        let socket = self.take(&which, ListenFd::take_udp_socket)?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    }

    /// Takes a listener on a Unix socket.
    ///
    /// # Errors
    ///
    /// Those of [`tcp_listener`](AdoptedSockets::tcp_listener).
    pub fn unix_listener(&mut self, which: impl AdoptedSocket) -> io::Result<UnixListener> {
        let listener = self.take(&which, ListenFd::take_unix_listener)?;
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    }

    /// Takes a Unix datagram socket.
    ///
    /// # Errors
    ///
    /// Those of [`tcp_listener`](AdoptedSockets::tcp_listener).
    pub fn unix_datagram(&mut self, which: impl AdoptedSocket) -> io::Result<UnixDatagram> {
        let socket = self.take(&which, ListenFd::take_unix_datagram)?;
        socket.set_nonblocking(true)?;
        UnixDatagram::from_std(socket)
    }

    fn take<T>(
        &mut self,
        which: &impl AdoptedSocket,
        take: fn(&mut ListenFd, usize) -> io::Result<Option<T>>,
    ) -> io::Result<T> {
        let place = which.place(&self.names).filter(|place| *place < self.names.len());
        let place = place.ok_or_else(|| self.missing(which, "was not handed down"))?;
        take(&mut self.sockets, place)?.ok_or_else(|| self.missing(which, "has been taken"))
    }

    fn missing(&self, which: &impl fmt::Debug, what: &str) -> io::Error {
        let names = &self.names;
        io::Error::new(io::ErrorKind::NotFound, format!("the socket {which:?} {what}: by name there were {names:?}"))
    }
}

impl fmt::Debug for AdoptedSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptedSockets").field("names", &self.names).finish_non_exhaustive()
    }
}

/// What [`AdoptedSockets`] are asked for by: a place (`usize`) or a name (`&str`).
pub trait AdoptedSocket: sealed::Place + fmt::Debug {}

impl AdoptedSocket for usize {}
impl AdoptedSocket for &str {}

mod sealed {
    pub trait Place {
        fn place(&self, names: &[String]) -> Option<usize>;
    }

    impl Place for usize {
        fn place(&self, _: &[String]) -> Option<usize> {
            Some(*self)
        }
    }

    impl Place for &str {
        fn place(&self, names: &[String]) -> Option<usize> {
            names.iter().position(|name| name == self)
        }
    }
}
