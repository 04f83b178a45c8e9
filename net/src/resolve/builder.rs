//! Settings of a resolver.

use super::flight::{Engine, Shared, State};
use super::hosts::HostsFile;
use super::threads::{Blocking, Config, system_lookup};
use super::{DnsResolver, Inner, Resolve};
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Settings for a [`DnsResolver`], from [`DnsResolver::builder`].
///
/// ```
/// use rt::net::DnsResolver;
/// use std::time::Duration;
///
/// // Two threads that stay for a minute, for a process that looks up few names often.
/// let resolver = DnsResolver::builder().max_threads(2).keep_alive(Duration::from_secs(60)).build();
/// assert_eq!(resolver.metrics().threads, 0);
/// ```
pub struct DnsResolverBuilder {
    max_threads: usize,
    keep_alive: Duration,
    max_lookups: usize,
    hosts_file: Option<PathBuf>,
    hosts_check_interval: Duration,
    lookup: Arc<Blocking>,
    resolve: Option<Arc<dyn Resolve>>,
}

impl DnsResolverBuilder {
    pub(super) fn new() -> Self {
        Self {
            max_threads: 4,
            keep_alive: Duration::from_secs(10),
            max_lookups: 1024,
            hosts_file: cfg!(unix).then(|| PathBuf::from("/etc/hosts")),
            hosts_check_interval: Duration::from_secs(5),
            lookup: Arc::new(system_lookup),
            resolve: None,
        }
    }

    /// The most threads there are at one time; 4 if not set, and at least 1.
    #[must_use]
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.max_threads = threads.max(1);
        self
    }

    /// How long a thread stays that has nothing to do; 10 seconds if not set.
    #[must_use]
    pub fn keep_alive(mut self, time: Duration) -> Self {
        self.keep_alive = time;
        self
    }

    /// The most names that are looked up at one time, those that wait for a thread included; 1,024 if not set.
    #[must_use]
    pub fn max_lookups(mut self, names: usize) -> Self {
        self.max_lookups = names;
        self
    }

    /// The file whose names are answered on the spot; `/etc/hosts` if not set, and none elsewhere than on Unix.
    ///
    /// It is read by the thread that asks, must be a regular file of at most 1 MiB, and counts as empty otherwise. The system's
    /// resolver may go on to read its own.
    #[must_use]
    pub fn hosts_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.hosts_file = Some(path.into());
        self
    }

    /// No name is answered out of a hosts file; the system's resolver may read its own.
    #[must_use]
    pub fn no_hosts_file(mut self) -> Self {
        self.hosts_file = None;
        self
    }

    /// How long the hosts file counts as unchanged without a look at its time of change; 5 seconds if not set, by the system's clock.
    #[must_use]
    pub fn hosts_check_interval(mut self, interval: Duration) -> Self {
        self.hosts_check_interval = interval;
        self
    }

    /// Has the threads call `lookup`, which may block, instead of the system's resolver.
    #[must_use]
    pub fn lookup_with<F>(mut self, lookup: F) -> Self
    where
        F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    {
        let without_port = |ip| SocketAddr::new(ip, 0);
        self.lookup = Arc::new(move |host: &str| Ok(lookup(host)?.into_iter().map(without_port).collect()));
        self.resolve = None;
        self
    }

    /// Asks `resolve`, which must not block, instead of the system's resolver; no threads.
    #[must_use]
    pub fn resolve(mut self, resolve: impl Resolve) -> Self {
        self.resolve = Some(Arc::new(resolve));
        self
    }

    /// The resolver. It starts nothing yet.
    #[must_use]
    pub fn build(self) -> DnsResolver {
        let engine = match self.resolve {
            Some(resolve) => Engine::Futures(resolve),
            None => Engine::Threads(Config {
                max_threads: self.max_threads,
                keep_alive: self.keep_alive,
                lookup: self.lookup,
            }),
        };
        let shared = Arc::new(Shared {
            engine,
            max_lookups: self.max_lookups,
            state: Mutex::new(State::default()),
            bell: Condvar::new(),
        });
        let hosts = self.hosts_file.map(|path| HostsFile::new(path, self.hosts_check_interval));
        DnsResolver { inner: Arc::new(Inner { shared, hosts, answered_inline: AtomicU64::new(0) }) }
    }
}

impl fmt::Debug for DnsResolverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsResolverBuilder")
            .field("max_threads", &self.max_threads)
            .field("keep_alive", &self.keep_alive)
            .field("max_lookups", &self.max_lookups)
            .field("hosts_file", &self.hosts_file)
            .field("hosts_check_interval", &self.hosts_check_interval)
            .finish_non_exhaustive()
    }
}
