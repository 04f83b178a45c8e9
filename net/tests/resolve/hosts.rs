//! The hosts file: what is in it, when it is looked at again, and what is no such file.

use super::flavor;
use rt_net::DnsResolver;
use rt_runtime::time::Duration;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A file of the test's own.
struct Hosts(PathBuf);

impl Hosts {
    fn new(name: &str, text: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hosts-{name}-{}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn resolver(&self, check_interval: Duration) -> DnsResolver {
        resolver_with(&self.0, check_interval)
    }
}

/// Knows what is in the file, and nothing else.
fn resolver_with(hosts: &Path, check_interval: Duration) -> DnsResolver {
    let nothing = |_: &str| Err(io::Error::other("asked the system"));
    let builder = DnsResolver::builder().hosts_file(hosts).hosts_check_interval(check_interval);
    builder.lookup_with(nothing).build()
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn addresses(resolver: &DnsResolver, name: &str) -> Vec<String> {
    let addresses = resolver.lookup(name).await.unwrap_or_default();
    addresses.iter().map(IpAddr::to_string).collect()
}

#[test]
fn names_in_it_need_no_thread() {
    flavor::block_on(async {
        let hosts = Hosts::new("names", "192.0.2.1 one one.example # first\n192.0.2.2 one\n127.0.0.5 localhost\n");
        let resolver = hosts.resolver(Duration::MAX);
        assert_eq!(addresses(&resolver, "One").await, ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(addresses(&resolver, "one.example.").await, ["192.0.2.1"]);
        assert_eq!(addresses(&resolver, "localhost").await, ["127.0.0.5"]);
        assert_eq!(resolver.metrics().begun, 0);
        assert!(addresses(&resolver, "two").await.is_empty());
        assert_eq!(resolver.metrics().begun, 1);
    });
}

#[test]
fn localhost_stays_at_home_whatever_it_says() {
    flavor::block_on(async {
        let hosts = Hosts::new("localhost", "192.0.2.1 localhost evil.localhost\n");
        let resolver = hosts.resolver(Duration::MAX);
        for name in ["localhost", "evil.localhost"] {
            assert!(resolver.lookup(name).await.unwrap().iter().all(IpAddr::is_loopback));
        }
    });
}

#[test]
fn changes_are_seen_after_the_interval_only() {
    flavor::block_on(async {
        let hosts = Hosts::new("changes", "192.0.2.1 one\n");
        let (always, never) = (hosts.resolver(Duration::ZERO), hosts.resolver(Duration::MAX));
        for resolver in [&always, &never] {
            assert_eq!(addresses(resolver, "one").await, ["192.0.2.1"]);
        }
        fs::write(&hosts.0, "192.0.2.2 one two\n").unwrap();
        assert_eq!(addresses(&always, "one").await, ["192.0.2.2"]);
        assert_eq!(addresses(&never, "one").await, ["192.0.2.1"]);
        fs::remove_file(&hosts.0).unwrap();
        assert!(addresses(&always, "one").await.is_empty());
        fs::write(&hosts.0, "192.0.2.3 one\n").unwrap();
        assert_eq!(addresses(&always, "one").await, ["192.0.2.3"]);
    });
}

#[test]
fn larger_than_allowed_or_no_file_at_all() {
    flavor::block_on(async {
        let hosts = Hosts::new("large", &format!("192.0.2.1 one\n#{}\n", "x".repeat(1 << 20)));
        assert!(addresses(&hosts.resolver(Duration::ZERO), "one").await.is_empty());
        let directory = resolver_with(Path::new(env!("CARGO_TARGET_TMPDIR")), Duration::ZERO);
        assert!(addresses(&directory, "one").await.is_empty());
    });
}
