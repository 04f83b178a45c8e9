//! TCP.

use super::connecting::connect_by;
use super::{StreamClientEndpoint, StreamServerEndpoint};
use crate::ToSocketAddrs;
use crate::protocol::{ConnectOptions, Factory, ListenOptions, Port, ProtocolHandle};
use crate::target::Target;
use rt_deferred::{Deferred, Failure, ensure_deferred, execute};
use std::time::Duration;

/// A TCP address or name to listen on.
///
/// Counterpart: `TCP4ServerEndpoint`, `TCP6ServerEndpoint`.
///
/// ```
/// use rt::protocol::{ListenOptions, Protocol, StreamServerEndpoint, TcpServerEndpoint, Transport, for_protocol};
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # fn main() -> Result<(), rt::deferred::Failure> {
/// # rt::block_on(async {
/// let endpoint = TcpServerEndpoint::new("localhost:0").with_options(ListenOptions::new().backlog(50));
/// let port = endpoint.listen(for_protocol(|| Discard)).await?;
/// assert!(port.host().ip().unwrap().ip().is_loopback());
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TcpServerEndpoint {
    target: Target,
    options: ListenOptions,
}

impl TcpServerEndpoint {
    /// Listens on the first address of `address` that can be bound. A name is looked up each time.
    pub fn new(address: impl ToSocketAddrs) -> Self {
        Self { target: Target::of(&address), options: ListenOptions::new() }
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_options(mut self, options: ListenOptions) -> Self {
        self.options = options;
        self
    }
}

impl StreamServerEndpoint for TcpServerEndpoint {
    fn listen<F: Factory>(&self, factory: F) -> Deferred<Port> {
        let options = self.options.clone();
        match self.target.clone() {
            Target::Known(addresses) => execute(|| Ok(options.listen_tcp_at(addresses, factory)?)),
            name => {
                ensure_deferred(
                    async move { Ok::<_, Failure>(options.listen_tcp_at(name.addresses().await?, factory)?) },
                )
            }
        }
    }
}

/// A TCP address or name to connect to.
///
/// Of several addresses, the one that answers first is taken.
///
/// Counterpart: `TCP4ClientEndpoint`, `TCP6ClientEndpoint`.
///
/// ```
/// use rt::protocol::{Protocol, StreamClientEndpoint, TcpClientEndpoint, Transport, for_protocol};
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # rt::block_on(async {
/// let connecting = TcpClientEndpoint::new("192.0.2.1:80").connect(for_protocol(|| Discard));
/// connecting.cancel();
/// assert!(connecting.await.is_err());
/// # })
/// ```
#[derive(Clone, Debug)]
pub struct TcpClientEndpoint {
    target: Target,
    options: ConnectOptions,
}

impl TcpClientEndpoint {
    /// Connects to `address`. A name is looked up each time.
    pub fn new(address: impl ToSocketAddrs) -> Self {
        Self { target: Target::of(&address), options: ConnectOptions::new() }
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }
}

impl StreamClientEndpoint for TcpClientEndpoint {
    #[track_caller]
    fn connect<F: Factory>(&self, factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        connect_by(&self.options.dial_tcp(self.target.clone()), factory)
    }
}

/// A host to connect to by TCP: the one of its addresses that answers first, IPv6 and IPv4 in turns.
///
/// Counterpart: `twisted.internet.endpoints.HostnameEndpoint`, whose timeout is one for each address.
///
/// ```
/// use rt::protocol::HostnameEndpoint;
/// use rt::time::Duration;
///
/// let endpoint = HostnameEndpoint::new("www.example.com", 80)
///     .timeout(Duration::from_secs(5))
///     .attempt_delay(Duration::from_millis(100));
/// ```
#[derive(Clone, Debug)]
pub struct HostnameEndpoint {
    inner: TcpClientEndpoint,
}

impl HostnameEndpoint {
    /// Connects to `port` of `host`, which is a name or an IP address. The name is looked up each time.
    pub fn new(host: impl AsRef<str>, port: u16) -> Self {
        Self { inner: TcpClientEndpoint::new((host.as_ref(), port)) }
    }

    /// How long all of it may take, see [`ConnectOptions::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.inner.options = self.inner.options.timeout(timeout);
        self
    }

    /// How long an address has to itself before the next one is tried beside it, see [`ConnectOptions::attempt_delay`].
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.inner.options = self.inner.options.attempt_delay(delay);
        self
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_options(mut self, options: ConnectOptions) -> Self {
        self.inner.options = options;
        self
    }
}

impl StreamClientEndpoint for HostnameEndpoint {
    #[track_caller]
    fn connect<F: Factory>(&self, factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        self.inner.connect(factory)
    }
}
