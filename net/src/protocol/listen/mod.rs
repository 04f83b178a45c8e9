//! Listening: a socket, and a protocol for each of its connections.

mod accepting;
mod cannot_listen;
mod options;
#[cfg(unix)]
mod unix_socket;

pub(super) use cannot_listen::cannot_listen;
pub use options::ListenOptions;

use super::{Address, Factory, Port};
use crate::ToSocketAddrs;
use crate::serve::Listener;
#[cfg(feature = "tls")]
use crate::tls::TlsAcceptor;
use futures_util::io::{AsyncRead, AsyncWrite};
use std::io;
#[cfg(unix)]
use std::path::Path;

/// Listens on a TCP address, and runs a protocol that `factory` makes on each connection.
///
/// `address` is one that needs no lookup: `"127.0.0.1:8080"`, `("::", 8080)`, a `SocketAddr`; of several, the first that can be bound
/// is taken. Port 0 takes a free port, which [`Port::host`] tells. For a backlog and so on see [`ListenOptions`].
///
/// The port is served by this thread, until [`Port::stop_listening`] or the end of the runtime. To use several cores, see
/// [`ListenOptions::reuse_port`].
///
/// - When descriptors run out, it behaves as [`serve`](crate::serve()) does: newcomers are refused, and it is back as soon as there are
///   some again.
/// - If the factory panics, that connection is closed and the panic reported as an unhandled failure. The port goes on.
///
/// Counterpart: `reactor.listenTCP`.
///
/// # Errors
///
/// The address is taken or not one of this host, or a name ([`InvalidInput`](io::ErrorKind::InvalidInput): a
/// [`TcpServerEndpoint`](super::TcpServerEndpoint) looks names up).
///
/// # Panics
///
/// On a thread that drives no runtime.
///
/// ```
/// use rt::net::TcpStream;
/// use rt::io::{AsyncReadExt, AsyncWriteExt};
/// use rt::protocol::{Protocol, Transport, for_protocol, listen_tcp};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// # fn main() -> Result<(), rt::deferred::Failure> {
/// # rt::block_on(async {
/// let port = listen_tcp("127.0.0.1:0", for_protocol(|| Echo))?;
///
/// let mut client = TcpStream::connect(port.host().ip().unwrap()).await?;
/// client.write_all(b"hello").await?;
/// let mut answer = [0; 5];
/// client.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"hello");
///
/// port.stop_listening().await?;
/// # Ok(())
/// # })
/// # }
/// ```
#[track_caller]
pub fn listen_tcp<F: Factory>(address: impl ToSocketAddrs, factory: F) -> io::Result<Port> {
    ListenOptions::new().listen_tcp(address, factory)
}

/// Listens on a Unix socket at `path`, as [`listen_tcp`] does on an address. The socket is removed when the port is closed.
///
/// Counterpart: `reactor.listenUNIX`.
///
/// # Errors
///
/// The path exists (`AddrInUse`, but see [`ListenOptions::lock_file`]) or is too long (about 100 bytes are allowed), or the directory
/// is not writable.
///
/// # Panics
///
/// On a thread that drives no runtime.
#[cfg(unix)]
#[track_caller]
pub fn listen_unix<F: Factory>(path: impl AsRef<Path>, factory: F) -> io::Result<Port> {
    ListenOptions::new().listen_unix(path, factory)
}

/// Listens on a TCP address, as [`listen_tcp`] does, and puts each connection under TLS before anything else; see
/// [`wrap_server_tls`](super::wrap_server_tls).
///
/// Counterpart: `reactor.listenSSL`.
///
/// # Errors
///
/// Those of [`listen_tcp`].
///
/// # Panics
///
/// On a thread that drives no runtime.
#[cfg(feature = "tls")]
#[track_caller]
pub fn listen_tls<F: Factory>(address: impl ToSocketAddrs, acceptor: &TlsAcceptor, factory: F) -> io::Result<Port> {
    ListenOptions::new().listen_tls(address, acceptor, factory)
}

/// Runs a protocol that `factory` makes on each connection of a listener that is there already: one that was handed down by a parent
/// process, or one of your own.
///
/// Counterpart: `reactor.adoptStreamPort`.
///
/// # Errors
///
/// Those of `getsockname`.
///
/// # Panics
///
/// On a thread that drives no runtime.
///
/// ```
/// use rt::net::TcpListener;
/// use rt::protocol::{Protocol, Transport, for_protocol, listen_on};
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let listener = TcpListener::bind("localhost:0").await?;
/// let address = listener.local_addr()?;
/// let port = listen_on(listener, for_protocol(|| Discard))?;
/// assert_eq!(port.host().ip(), Some(address));
/// # Ok(())
/// # })
/// # }
/// ```
#[track_caller]
pub fn listen_on<L, F>(listener: L, factory: F) -> io::Result<Port>
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin, Addr: Into<Address>>,
    F: Factory,
{
    ListenOptions::new().listen_on(listener, factory)
}
