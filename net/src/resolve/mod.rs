//! Names: a resolver with threads of its own.

mod builder;
mod error;
mod flight;
mod hosts;
mod known;
mod threads;

pub use builder::DnsResolverBuilder;

use crate::addr::ToSocketAddrs;
use error::LookupError;
use flight::{Lookup, Shared};
use hosts::HostsFile;
use parking_lot::RwLock;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The longest name that is looked up, in bytes. DNS stops at 253.
const LONGEST: usize = 1024;

/// Looks up names: a handle that is cheap to clone, whose clones share everything.
///
/// - Addresses in writing, `localhost`, `*.localhost` and the names of the hosts file are answered on the spot.
/// - Every other name goes to the system's resolver (`getaddrinfo`), on threads of this resolver: at most 4, started when there is
///   something to do, gone after 10 seconds without. They are none of the blocking pool's, and hold up the exit of neither
///   runtime nor process.
/// - **Each name is looked up once at a time**: whoever asks for a name that is being looked up waits for that lookup. There is no
///   cache beyond that; the system may have one.
/// - At most 1,024 names are looked up at a time, those that wait for a thread included. Beyond that lookups fail.
/// - Paused time stands still while a thread works for somebody in the runtime.
///
/// Names in writing like `"example.com:80"` are looked up by the process's resolver, which is [`DnsResolver::default`] and can be
/// replaced by [`set_default`](DnsResolver::set_default). [`DnsResolver::with`] puts something else in the system's place.
///
/// Counterpart: tokio has none, it does one call per lookup on its blocking pool; Twisted's `reactor.nameResolver`.
///
/// ```
/// use rt::net::DnsResolver;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let resolver = DnsResolver::system();
/// let addresses = resolver.lookup("localhost").await?;
/// assert!(addresses.iter().all(|address| address.is_loopback()));
/// // No thread was needed for that.
/// assert_eq!(resolver.metrics().peak_threads, 0);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone)]
pub struct DnsResolver {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    hosts: Option<HostsFile>,
    answered_inline: AtomicU64,
}

/// The resolver of the process, once somebody has asked for it or set it.
static DEFAULT: RwLock<Option<DnsResolver>> = RwLock::new(None);

impl DnsResolver {
    /// A new resolver over the system's, with the settings that the [type](DnsResolver) names.
    pub fn system() -> DnsResolver {
        DnsResolver::builder().build()
    }

    /// Settings for a new resolver.
    pub fn builder() -> DnsResolverBuilder {
        DnsResolverBuilder::new()
    }

    /// A new resolver that asks `resolve` instead of the system; no threads.
    pub fn with(resolve: impl Resolve) -> DnsResolver {
        DnsResolver::builder().resolve(resolve).build()
    }

    /// Makes `resolver` the process's: that by which names are looked up where none is named, in all runtimes, from now on.
    /// Returns the one before. Lookups that have begun end where they began.
    ///
    /// ```
    /// use rt::net::DnsResolver;
    ///
    /// // A process that trusts nothing but its own list of hosts.
    /// DnsResolver::set_default(DnsResolver::builder().hosts_file("/srv/hosts").build());
    /// ```
    pub fn set_default(resolver: DnsResolver) -> DnsResolver {
        let before = DEFAULT.write().replace(resolver);
        before.unwrap_or_else(DnsResolver::system)
    }

    /// The addresses of `host`, in the order in which they should be tried.
    ///
    /// Upper and lower case are the same. The order is that of the system's resolver; names answered on the spot have the
    /// addresses first whose family this host can reach, IPv6 before IPv4.
    ///
    /// # Errors
    ///
    /// Each error names `host` and says what went wrong. [`NotFound`](io::ErrorKind::NotFound) means that there is no such name, or
    /// that it has no address, where the system tells this from a failure to ask; [`ResourceBusy`](io::ErrorKind::ResourceBusy) that
    /// too many lookups are under way; [`InvalidInput`](io::ErrorKind::InvalidInput) that `host` cannot be a name.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future lets go at once. A lookup that nobody waits for is not started; one that a thread has started goes on,
    /// and whoever asks for the name meanwhile joins it.
    pub async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = self.lookup_addresses(host, 0).await?;
        Ok(addresses.into_iter().map(|address| address.ip()).collect())
    }

    /// [`lookup_host`](crate::lookup_host) by this resolver.
    ///
    /// # Errors
    ///
    /// The name is not of the form `host:port`; otherwise those of [`lookup`](DnsResolver::lookup).
    ///
    /// # Cancel safety
    ///
    /// As [`lookup`](DnsResolver::lookup).
    pub async fn lookup_host<T: ToSocketAddrs>(
        &self,
        host: T,
    ) -> io::Result<impl Iterator<Item = SocketAddr> + use<T>> {
        crate::addr::addresses_of(host.to_addresses(), Some(self.clone())).await
    }

    /// What this resolver has done and is doing.
    pub fn metrics(&self) -> DnsMetrics {
        let state = self.inner.shared.state.lock();
        DnsMetrics {
            answered_inline: self.inner.answered_inline.load(Relaxed),
            begun: state.begun,
            joined: state.joined,
            under_way: state.flights.len(),
            threads: state.crew.threads,
            peak_threads: state.crew.peak,
        }
    }

    pub(crate) async fn lookup_addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Some(addresses) = self.inline(host)? {
            self.inner.answered_inline.fetch_add(1, Relaxed);
            return Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect());
        }
        let host: Arc<str> = host.to_ascii_lowercase().into();
        let failed = |error| LookupError::io(Arc::clone(&host), error);
        let lookup = Lookup::begin(&self.inner.shared, Arc::clone(&host)).map_err(|error| failed(Arc::new(error)))?;
        let found = lookup.await.map_err(failed)?;
        if found.is_empty() {
            let nothing = io::Error::new(io::ErrorKind::NotFound, "the name stands for no address at all");
            return Err(failed(Arc::new(nothing)));
        }
        Ok(found.iter().map(|&address| with_port(address, port)).collect())
    }

    /// The addresses of a name that needs no lookup.
    fn inline(&self, host: &str) -> io::Result<Option<Vec<IpAddr>>> {
        if let Some(address) = known::address_in_writing(host) {
            return Ok(Some(vec![address]));
        }
        if host.is_empty() || host.len() > LONGEST {
            let text = format!("a name to look up has 1 to {LONGEST} bytes, this one has {}", host.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        // The root at the end is meant anyway here; the system's resolver is given it, since it searches no domains then.
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let mut listed = self.inner.hosts.as_ref().and_then(|hosts| hosts.addresses(&name));
        if known::is_localhost(&name) {
            // Whatever the file says, this name does not leave the host.
            listed = listed.map(|addresses| addresses.into_iter().filter(IpAddr::is_loopback).collect());
            listed = listed.filter(|addresses: &Vec<_>| !addresses.is_empty()).or_else(|| Some(known::loopback()));
        }
        Ok(listed.map(known::in_system_order))
    }
}

/// The process's resolver: [`DnsResolver::system`], made when it is first asked for, unless [`DnsResolver::set_default`] was called.
impl Default for DnsResolver {
    fn default() -> DnsResolver {
        if let Some(resolver) = &*DEFAULT.read() {
            return resolver.clone();
        }
        DEFAULT.write().get_or_insert_with(DnsResolver::system).clone()
    }
}

impl fmt::Debug for DnsResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsResolver").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.state.lock().crew.closed = true;
        self.shared.bell.notify_all();
    }
}

/// The addresses of a name, one day.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// What can stand in the place of the system's resolver, see [`DnsResolver::with`].
///
/// The future is polled by the tasks that wait for the name, whichever comes first, and dropped when none is left. If those are in
/// several runtimes, it ends up in any of them. With `rt::hickory::HickoryResolver` names go over rt's own sockets.
///
/// Counterpart: Twisted's `IHostnameResolver`.
///
/// ```
/// use rt::net::{DnsResolver, Resolve, Resolving};
/// use std::net::Ipv4Addr;
///
/// /// Every name is this host.
/// struct Here;
///
/// impl Resolve for Here {
///     fn resolve(&self, _host: &str) -> Resolving {
///         Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let resolver = DnsResolver::with(Here);
/// assert_eq!(resolver.lookup("example.com").await?, [Ipv4Addr::LOCALHOST]);
/// # Ok(())
/// # })
/// # }
/// ```
pub trait Resolve: Send + Sync + 'static {
    /// Begins to look up `host`, which is in lower case and not an address. The resolver adds the name to errors.
    fn resolve(&self, host: &str) -> Resolving;
}

impl<R: Resolve + ?Sized> Resolve for Arc<R> {
    fn resolve(&self, host: &str) -> Resolving {
        (**self).resolve(host)
    }
}

/// A resolver in another's place, so that one can be wrapped.
impl Resolve for DnsResolver {
    fn resolve(&self, host: &str) -> Resolving {
        let (resolver, host) = (self.clone(), host.to_owned());
        Box::pin(async move { resolver.lookup(&host).await })
    }
}

/// What a [`DnsResolver`] has done and is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsMetrics {
    /// Questions that needed no lookup.
    pub answered_inline: u64,
    /// Lookups that were begun: each is one call of the system's resolver, unless all let go before it started.
    pub begun: u64,
    /// Questions that joined a lookup that was under way.
    pub joined: u64,
    /// Names being looked up now, those that wait for a thread included.
    pub under_way: usize,
    /// Threads there are now.
    pub threads: usize,
    /// The most threads there have been at one time.
    pub peak_threads: usize,
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}
