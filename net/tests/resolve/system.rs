//! The system's resolver as tests would have it.

use parking_lot::{Condvar, Mutex};
use rt_net::{DnsResolver, DnsResolverBuilder};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::thread;

pub(crate) const ANSWER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// A system's resolver that answers when the test says so, and remembers what it was asked.
#[derive(Clone, Default)]
pub(crate) struct System(Arc<(Mutex<Inside>, Condvar)>);

#[derive(Default)]
struct Inside {
    open: bool,
    asked: Vec<String>,
    inside: usize,
    peak: usize,
    threads: Vec<String>,
}

impl System {
    pub(crate) fn builder(&self) -> DnsResolverBuilder {
        let system = self.clone();
        DnsResolver::builder().no_hosts_file().lookup_with(move |host| system.look_up(host))
    }

    pub(crate) fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let (inside, bell) = &*self.0;
        let mut inside = inside.lock();
        inside.asked.push(host.to_owned());
        inside.threads.push(thread::current().name().unwrap_or_default().to_owned());
        inside.inside += 1;
        inside.peak = inside.peak.max(inside.inside);
        bell.notify_all();
        while !inside.open {
            bell.wait(&mut inside);
        }
        inside.inside -= 1;
        Ok(vec![ANSWER])
    }

    pub(crate) fn open(&self) {
        self.0.0.lock().open = true;
        self.0.1.notify_all();
    }

    /// Waits until so many lookups have come in at any time.
    pub(crate) fn wait_for(&self, asked: usize) {
        let mut inside = self.0.0.lock();
        while inside.asked.len() < asked {
            self.0.1.wait(&mut inside);
        }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.0.0.lock().asked.clone();
        asked.sort();
        asked
    }

    /// The most lookups that there were at one time.
    pub(crate) fn peak(&self) -> usize {
        self.0.0.lock().peak
    }

    /// The names of the threads that looked up.
    pub(crate) fn threads(&self) -> Vec<String> {
        self.0.0.lock().threads.clone()
    }
}
