//! How TCP connections are made: settings, names, and what a single address takes.

use super::race::{ATTEMPT_DELAY, Failures, race};
use super::stream::TcpStream;
use crate::addr::{Addresses, Named, ToSocketAddrs, addresses_of};
use crate::resolve::DnsResolver;
use crate::target::Target;
use rt_runtime::time::timeout;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

/// Settings by which TCP connections are made; [`TcpStream::connect`] is one of these as it is when new.
///
/// Counterpart: Twisted's `HostnameEndpoint`; tokio has [`TcpSocket`](crate::TcpSocket) for options and tries addresses one after the
/// other.
///
/// ```
/// use rt::net::{TcpConnector, TcpListener};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let port = listener.local_addr()?.port();
///
/// let connector = TcpConnector::new().timeout(Duration::from_secs(5)).nodelay(true);
/// let stream = connector.connect(("localhost", port)).await?;
/// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
/// assert!(stream.nodelay()?);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a connector does nothing until it connects"]
pub struct TcpConnector {
    settings: Settings,
    resolver: Option<DnsResolver>,
    timeout: Option<Duration>,
}

/// What an attempt needs to know, and how attempts follow one another.
#[derive(Debug, Clone, Copy)]
struct Settings {
    attempt_delay: Duration,
    local_v4: Option<SocketAddr>,
    local_v6: Option<SocketAddr>,
    nodelay: bool,
}

const DEFAULT: Settings = Settings { attempt_delay: ATTEMPT_DELAY, local_v4: None, local_v6: None, nodelay: false };

impl TcpConnector {
    /// The settings of [`TcpStream::connect`].
    pub fn new() -> Self {
        Self { settings: DEFAULT, resolver: None, timeout: None }
    }

    /// How long an attempt has to itself before the next address is tried beside it; 250 ms if not set. RFC 8305 asks for 100 ms to
    /// 2 s; zero tries all at once. At most 16 attempts run at one time; then the next waits until one has failed.
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.settings.attempt_delay = delay;
        self
    }

    /// Who looks up names; [`DnsResolver::default`] if not set.
    pub fn resolver(mut self, resolver: DnsResolver) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// How long all of it may take, the lookup included; if not set, until the system gives up.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The address that connections come from; port 0 takes a free port. Called twice, it sets one address for each family. Once
    /// set, addresses of a family that has none are not tried.
    pub fn local_addr(mut self, addr: SocketAddr) -> Self {
        *if addr.is_ipv4() { &mut self.settings.local_v4 } else { &mut self.settings.local_v6 } = Some(addr);
        self
    }

    /// Whether the streams send small writes at once, see [`TcpStream::set_nodelay`]; no if not set.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.settings.nodelay = nodelay;
        self
    }

    /// Connects to the address of `addr` that answers first, as [`TcpStream::connect`] tells.
    ///
    /// # Errors
    ///
    /// Those of [`TcpStream::connect`]; [`TimedOut`](io::ErrorKind::TimedOut) after the time set by
    /// [`timeout`](TcpConnector::timeout); [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) if no address is of a family that
    /// [`local_addr`](TcpConnector::local_addr) was set for.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes all sockets; peers may have seen connections.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<TcpStream> {
        let Some(time) = self.timeout else { return self.connect_to(&addr).await };
        match timeout(time, self.connect_to(&addr)).await {
            Ok(result) => result,
            Err(_) => Err(too_late(&addr, time)),
        }
    }

    /// [`connect`](TcpConnector::connect), to what was kept for later.
    pub(crate) async fn connect_to_target(&self, target: Target) -> io::Result<TcpStream> {
        match target {
            Target::Known(addresses) => match addresses[..] {
                [address] => self.connect(address).await,
                _ => self.connect(&addresses[..]).await,
            },
            Target::Name(host, port) => self.connect((host, port)).await,
            Target::Malformed(what) => Err(io::Error::new(io::ErrorKind::InvalidInput, what)),
        }
    }

    async fn connect_to<A: ToSocketAddrs>(&self, addr: &A) -> io::Result<TcpStream> {
        match addr.to_addresses() {
            Named::Known(Addresses::One(Some(address))) if self.settings.allows(&address) => {
                self.settings.attempt(address).await
            }
            named => connect_to_one_of(named, self.settings, self.resolver.clone()).await,
        }
    }
}

impl Default for TcpConnector {
    fn default() -> Self {
        Self::new()
    }
}

/// As a connector that is new, without having one.
pub(super) async fn connect_by_default<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
    match addr.to_addresses() {
        Named::Known(Addresses::One(Some(address))) => {
            TcpStream::connecting(mio::net::TcpStream::connect(address)?).await
        }
        named => connect_to_one_of(named, DEFAULT, None).await,
    }
}

/// In memory of its own: who connects to an address does not carry names and races along.
fn connect_to_one_of(named: Named, settings: Settings, resolver: Option<DnsResolver>) -> Connecting {
    Box::pin(async move {
        let addresses = settings.usable(addresses_of(named, resolver).await?)?;
        match addresses[..] {
            [address] => settings.attempt(address).await.map_err(|error| Failures::one(address, error)),
            _ => race(addresses, settings.attempt_delay, |address| settings.attempt(address)).await,
        }
    })
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

impl Settings {
    /// The addresses that may be tried.
    fn usable(&self, addresses: Addresses) -> io::Result<Vec<SocketAddr>> {
        let mut addresses: Vec<_> = addresses.collect();
        let found = addresses.len();
        addresses.retain(|address| self.allows(address));
        if addresses.is_empty() && found > 0 {
            let (set, other) = if self.local_v4.is_some() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
            let text =
                format!("the local address is one of {set}, and there are only addresses of {other} to connect to");
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        Ok(addresses)
    }

    /// Whether there is a local address for this one, or none is asked for.
    fn allows(&self, remote: &SocketAddr) -> bool {
        (self.local_v4, self.local_v6) == (None, None) || self.local(remote).is_some()
    }

    fn local(&self, remote: &SocketAddr) -> Option<SocketAddr> {
        if remote.is_ipv4() { self.local_v4 } else { self.local_v6 }
    }

    async fn attempt(self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connecting(self.begin(address)?).await?;
        if self.nodelay {
            stream.set_nodelay(true)?;
        }
        Ok(stream)
    }

    fn begin(&self, address: SocketAddr) -> io::Result<mio::net::TcpStream> {
        let Some(local) = self.local(&address) else { return mio::net::TcpStream::connect(address) };
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.bind(&local.into())?;
        match socket.connect(&address.into()) {
            Err(error) if !super::socket::is_under_way(&error) => Err(error),
            _ => Ok(mio::net::TcpStream::from_std(socket.into())),
        }
    }
}

/// Says what was to be connected to, and in what time.
fn too_late<A: ToSocketAddrs>(addr: &A, time: Duration) -> io::Error {
    let what = match addr.to_addresses() {
        Named::Name(host, port) => format!("{host}:{port}"),
        Named::Known(addresses) => addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(", "),
        Named::Malformed(text) => text,
    };
    io::Error::new(io::ErrorKind::TimedOut, format!("no connection to {what} within {time:?}"))
}
