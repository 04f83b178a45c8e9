//! How to listen.

use super::accepting::listen_with;
use super::cannot_listen;
#[cfg(unix)]
use super::unix_socket::UnixSocket;
use crate::ToSocketAddrs;
#[cfg(feature = "tls")]
use crate::protocol::endpoint::TlsServerFactory;
use crate::protocol::{Address, Factory, Port};
use crate::serve::{Listener, Notice, Notices};
use crate::target::Target;
use crate::tcp::TcpListener;
#[cfg(feature = "tls")]
use crate::tls::TlsAcceptor;
use futures_util::io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;

/// How to listen: what [`listen_tcp`](super::listen_tcp) and its kin do, with other settings. May be used many times.
///
/// Counterpart: the keyword arguments of `reactor.listenTCP` and `reactor.listenUNIX`.
///
/// ```
/// use rt::protocol::{ListenOptions, Protocol, Transport, for_protocol};
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let options = ListenOptions::new().backlog(50).on_notice(|notice| println!("server: {notice}"));
/// let port = options.listen_tcp(("127.0.0.1", 0), for_protocol(|| Discard))?;
/// assert_ne!(port.host().ip().unwrap().port(), 0);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone)]
pub struct ListenOptions {
    pub(super) backlog: u32,
    reuse_port: bool,
    pub(super) mode: Option<u32>,
    pub(super) lock_file: bool,
    tell: Option<Tell>,
}

type Tell = Arc<dyn Fn(&Notice) + Send + Sync>;

impl ListenOptions {
    /// The settings of [`listen_tcp`](super::listen_tcp) and [`listen_unix`](super::listen_unix).
    pub fn new() -> Self {
        Self { backlog: 1024, reuse_port: false, mode: None, lock_file: false, tell: None }
    }

    /// How many connections may wait to be accepted, within what the system allows; 1024 if not set. Twisted has 50.
    #[must_use]
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// Lets several sockets listen on one TCP address (`SO_REUSEPORT`), among which the system deals out the connections. No if not
    /// set.
    ///
    /// That is how a server uses several cores: a port for each worker. Nothing is shared, and no connection goes from one thread to
    /// another. It is available on Unix; elsewhere listening fails with [`Unsupported`](io::ErrorKind::Unsupported).
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> Result<(), rt::deferred::Failure> {
    /// use rt::protocol::{ListenOptions, Protocol, Transport, for_protocol};
    ///
    /// struct Echo;
    ///
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    /// }
    ///
    /// # rt::block_on(async {
    /// // The first port takes an address, and one on each of the other workers joins it.
    /// let options = ListenOptions::new().reuse_port(true);
    /// let first = options.listen_tcp("127.0.0.1:0", for_protocol(|| Echo))?;
    /// let address = first.host().ip().unwrap();
    /// for worker in 1.. {
    ///     let options = options.clone();
    ///     let listen = move || async move { options.listen_tcp(address, for_protocol(|| Echo)).map(drop) };
    ///     let Ok(listening) = rt::spawn_pinned(worker, listen) else { break };
    ///     listening.await??;
    /// }
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Who may connect to a Unix socket, as the mode of its file: `0o660` is the owner and the group. As the process's umask has it if
    /// not set. Nobody can connect before the mode is set.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Whether listening on a Unix socket takes a lock, on a file with `.lock` at the end of its name, and removes a socket that a process
    /// without the lock has left behind. No if not set: then a path that exists is an error.
    ///
    /// Counterpart: `wantPID` of `listenUNIX`, which keeps the number of the process in a symbolic link.
    #[must_use]
    pub fn lock_file(mut self, lock: bool) -> Self {
        self.lock_file = lock;
        self
    }

    /// Tells `f` what goes wrong, instead of printing it: connections that were refused, a listening socket that is broken. It is called
    /// at most once in five seconds for each kind, with how often it has happened since the last time.
    #[must_use]
    pub fn on_notice(mut self, f: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.tell = Some(Arc::new(f));
        self
    }

    /// See [`listen_tcp`](super::listen_tcp).
    ///
    /// # Errors
    ///
    /// Those of [`listen_tcp`](super::listen_tcp).
    ///
    /// # Panics
    ///
    /// On a thread that drives no runtime.
    #[track_caller]
    pub fn listen_tcp<F: Factory>(&self, address: impl ToSocketAddrs, factory: F) -> io::Result<Port> {
        self.listen_tcp_at(Target::of(&address).addresses_now()?, factory)
    }

    #[track_caller]
    pub(crate) fn listen_tcp_at<F: Factory>(&self, addresses: Vec<SocketAddr>, factory: F) -> io::Result<Port> {
        let mut failure = None;
        for address in addresses {
            match TcpListener::bind_now(address, self.backlog, self.reuse_port) {
                Ok(listener) => return listen_with(listener, factory, self.notices()),
                Err(error) => failure = Some(cannot_listen(address, error)),
            }
        }
        let nothing = || io::Error::new(io::ErrorKind::InvalidInput, "there is no address to listen on");
        Err(failure.unwrap_or_else(nothing))
    }

    /// See [`listen_unix`](super::listen_unix).
    ///
    /// # Errors
    ///
    /// Those of [`listen_unix`](super::listen_unix).
    ///
    /// # Panics
    ///
    /// On a thread that drives no runtime.
    #[cfg(unix)]
    #[track_caller]
    pub fn listen_unix<F: Factory>(&self, path: impl AsRef<Path>, factory: F) -> io::Result<Port> {
        let path = path.as_ref();
        let socket = UnixSocket::bind(path, self).map_err(|error| cannot_listen(path.display(), error))?;
        listen_with(socket, factory, self.notices())
    }

    /// See [`listen_tls`](super::listen_tls).
    ///
    /// # Errors
    ///
    /// Those of [`listen_tls`](super::listen_tls).
    ///
    /// # Panics
    ///
    /// On a thread that drives no runtime.
    #[cfg(feature = "tls")]
    #[track_caller]
    pub fn listen_tls<F: Factory>(
        &self,
        address: impl ToSocketAddrs,
        acceptor: &TlsAcceptor,
        factory: F,
    ) -> io::Result<Port> {
        self.listen_tcp(address, TlsServerFactory::new(acceptor, factory))
    }

    /// See [`listen_on`](super::listen_on). Of the settings, [`on_notice`](Self::on_notice) is used.
    ///
    /// # Errors
    ///
    /// Those of [`listen_on`](super::listen_on).
    ///
    /// # Panics
    ///
    /// On a thread that drives no runtime.
    #[track_caller]
    pub fn listen_on<L, F>(&self, listener: L, factory: F) -> io::Result<Port>
    where
        L: Listener<Io: AsyncRead + AsyncWrite + Unpin, Addr: Into<Address>>,
        F: Factory,
    {
        listen_with(listener, factory, self.notices())
    }

    fn notices(&self) -> Notices {
        match self.tell.clone() {
            None => Notices::default(),
            Some(tell) => Notices::told_to(move |notice| tell(notice)),
        }
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ListenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenOptions")
            .field("backlog", &self.backlog)
            .field("reuse_port", &self.reuse_port)
            .field("mode", &self.mode)
            .field("lock_file", &self.lock_file)
            .finish_non_exhaustive()
    }
}
