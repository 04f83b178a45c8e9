//! How to connect.

use super::connector;
use super::dial::DialTcp;
#[cfg(unix)]
use super::dial::DialUnix;
#[cfg(feature = "tls")]
use crate::protocol::endpoint::TlsClientFactory;
use crate::protocol::{ClientFactory, Connector};
use crate::target::Target;
#[cfg(feature = "tls")]
use crate::tls::TlsConnector;
use crate::{DnsResolver, TcpConnector, ToSocketAddrs};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

/// How to connect: what [`connect_tcp`](super::connect_tcp) and its kin do, with other settings. May be used many times.
///
/// Counterpart: the keyword arguments of `reactor.connectTCP` and `HostnameEndpoint`.
///
/// ```
/// use rt::protocol::{ConnectOptions, TcpClientEndpoint};
/// use rt::time::Duration;
///
/// let options = ConnectOptions::new().timeout(Duration::from_secs(5)).bind_address("192.0.2.7:0".parse().unwrap());
/// let endpoint = TcpClientEndpoint::new("192.0.2.1:80").with_options(options);
/// ```
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    connector: TcpConnector,
    timeout: Option<Duration>,
}

impl ConnectOptions {
    /// The settings of [`connect_tcp`](super::connect_tcp).
    pub fn new() -> Self {
        Self { connector: TcpConnector::new(), timeout: Some(Duration::from_secs(30)) }
    }

    /// How long an attempt may take, the lookup of the name and all its addresses included; 30 seconds if not set. A TLS handshake that
    /// follows has a limit of its own.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits until the system gives up.
    #[must_use]
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// The address that TCP connections come from, see [`TcpConnector::local_addr`].
    #[must_use]
    pub fn bind_address(mut self, address: SocketAddr) -> Self {
        self.connector = self.connector.local_addr(address);
        self
    }

    /// How long an address has to itself before the next one is tried beside it; 250 ms if not set. See
    /// [`TcpConnector::attempt_delay`].
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.connector = self.connector.attempt_delay(delay);
        self
    }

    /// Who looks names up; [`DnsResolver::default`] if not set.
    #[must_use]
    pub fn resolver(mut self, resolver: DnsResolver) -> Self {
        self.connector = self.connector.resolver(resolver);
        self
    }

    /// See [`connect_tcp`](super::connect_tcp).
    ///
    /// # Panics
    ///
    /// On a thread that drives no runtime.
    #[track_caller]
    pub fn connect_tcp<F: ClientFactory>(&self, address: impl ToSocketAddrs, factory: F) -> Connector {
        connector::begin(self.dial_tcp(Target::of(&address)), factory)
    }

    /// See [`connect_unix`](super::connect_unix). Of the settings, the timeout is used.
    ///
    /// # Panics
    ///
    /// On a thread that drives no runtime.
    #[cfg(unix)]
    #[track_caller]
    pub fn connect_unix<F: ClientFactory>(&self, path: impl AsRef<Path>, factory: F) -> Connector {
        connector::begin(self.dial_unix(path.as_ref()), factory)
    }

    /// See [`connect_tls`](super::connect_tls).
    ///
    /// # Panics
    ///
    /// On a thread that drives no runtime.
    #[cfg(feature = "tls")]
    #[track_caller]
    pub fn connect_tls<F: ClientFactory>(
        &self,
        address: impl ToSocketAddrs,
        connector: &TlsConnector,
        factory: F,
    ) -> Connector {
        let target = Target::of(&address);
        let factory = TlsClientFactory::new(connector, &target.host(), factory);
        connector::begin(self.dial_tcp(target), factory)
    }

    pub(crate) fn dial_tcp(&self, target: Target) -> DialTcp {
        let connector = self.connector.clone();
        DialTcp { target, connector: self.timeout.map_or(connector.clone(), |timeout| connector.timeout(timeout)) }
    }

    #[cfg(unix)]
    pub(crate) fn dial_unix(&self, path: &Path) -> DialUnix {
        DialUnix { path: path.to_owned(), timeout: self.timeout }
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}
