//! Names by hickory instead of the system: DNS over rt's own sockets, with a cache that keeps to the records' times to live.
//!
//! [`HickoryResolver`] takes the system's place in a [`DnsResolver`](crate::DnsResolver), for one connector or for the process.
//! [`RtRuntimeProvider`] is for programs that use hickory's own API.
//!
//! Over UDP and TCP; hickory's encrypted transports bring tokio along and do not run on rt.

mod runtime;

pub use runtime::{RtHandle, RtRuntimeProvider, RtTime};

use crate::resolve::{Resolve, Resolving};
use hickory_net::{DnsError, NetError};
use hickory_proto::op::ResponseCode;
use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// A resolver over DNS, in the place of the system's.
///
/// Its sockets and timers are those of the runtime of whichever task drives a lookup, and TCP connections to name servers stay with
/// the runtime in which they were made. Answers are cached as long as their records allow, at most 1,024 of them
/// unless the options say otherwise.
///
/// Counterpart: `hickory_resolver::TokioResolver`; Twisted's `twisted.names.client.Resolver`.
///
/// ```
/// # #[cfg(feature = "hickory")]
/// # fn main() -> std::io::Result<()> {
/// use rt::hickory::HickoryResolver;
/// use rt::net::DnsResolver;
///
/// # rt::block_on(async {
/// // Names are looked up at this server, but not this one: `localhost` needs no server.
/// let resolver = DnsResolver::with(HickoryResolver::with_name_servers(["127.0.0.1:5353".parse().unwrap()])?);
/// assert!(resolver.lookup("localhost").await?[0].is_loopback());
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(feature = "hickory"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct HickoryResolver {
    resolver: Resolver<RtRuntimeProvider>,
}

impl HickoryResolver {
    /// With the name servers, search domains and options that the system is set to use (`/etc/resolv.conf`). They are read once.
    ///
    /// # Errors
    ///
    /// The settings cannot be read, or name no server.
    pub fn from_system_conf() -> io::Result<Self> {
        let builder = Resolver::builder(RtRuntimeProvider::new()).map_err(failure)?;
        builder.build().map(Self::from).map_err(failure)
    }

    /// With these name servers, over UDP, and over TCP where an answer is too long. No search domains; hickory's options.
    ///
    /// # Errors
    ///
    /// There is no server.
    pub fn with_name_servers(servers: impl IntoIterator<Item = SocketAddr>) -> io::Result<Self> {
        let servers: Vec<_> = servers.into_iter().map(name_server).collect();
        if servers.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a resolver needs a name server at least"));
        }
        Self::with_config(ResolverConfig::from_parts(None, Vec::new(), servers), ResolverOpts::default())
    }

    /// With all that hickory can be told, such as the time that it gives a server.
    ///
    /// # Errors
    ///
    /// hickory refuses the settings.
    pub fn with_config(config: ResolverConfig, options: ResolverOpts) -> io::Result<Self> {
        let builder = Resolver::builder_with_config(config, RtRuntimeProvider::new()).with_options(options);
        builder.build().map(Self::from).map_err(failure)
    }

    /// hickory's own resolver, for other records than addresses.
    pub fn get_ref(&self) -> &Resolver<RtRuntimeProvider> {
        &self.resolver
    }
}

impl From<Resolver<RtRuntimeProvider>> for HickoryResolver {
    fn from(resolver: Resolver<RtRuntimeProvider>) -> Self {
        Self { resolver }
    }
}

impl Resolve for HickoryResolver {
    fn resolve(&self, host: &str) -> Resolving {
        let (resolver, host) = (self.resolver.clone(), host.to_owned());
        Box::pin(async move {
            let found = resolver.lookup_ip(host).await.map_err(failure)?;
            Ok(found.iter().collect())
        })
    }
}

impl fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HickoryResolver").finish_non_exhaustive()
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections.iter_mut().for_each(|connection: &mut ConnectionConfig| connection.port = address.port());
    server
}

/// hickory's error with the kind that says the same.
fn failure(error: NetError) -> io::Error {
    let kind = match &error {
        NetError::Io(error) => error.kind(),
        NetError::Timeout => io::ErrorKind::TimedOut,
        NetError::Busy => io::ErrorKind::ResourceBusy,
        NetError::NoConnections => io::ErrorKind::NotConnected,
        NetError::Proto(_) => io::ErrorKind::InvalidData,
        // What hickory tells of NXDOMAIN and of no address; a server's own trouble comes under the same name.
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => io::ErrorKind::NotFound,
            _ => io::ErrorKind::Other,
        },
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
