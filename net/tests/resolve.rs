//! Names: who looks them up, how often, on how many threads, and what happens when nobody wants to know any more.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

#[path = "resolve/futures.rs"]
mod futures;
#[path = "resolve/hosts.rs"]
mod hosts;
#[path = "resolve/leaving.rs"]
mod leaving;
#[path = "resolve/system.rs"]
mod system;

use futures_util::future::{join_all, poll_immediate};
use rt_net::{DnsResolver, lookup_host};
use rt_runtime::time::{Duration, Instant, sleep, timeout};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use system::{ANSWER, System};

#[test]
fn two_hundred_lookups_of_ten_names() {
    flavor::block_on(async {
        let system = System::default();
        let resolver = system.builder().build();
        let names: Vec<_> = (0..10).map(|n| format!("name-{n}.example")).collect();
        let mut lookups = pin!(join_all((0..200).map(|n| resolver.lookup(&names[n % 10]))));
        assert!(poll_immediate(lookups.as_mut()).await.is_none());
        let metrics = resolver.metrics();
        assert_eq!((metrics.begun, metrics.joined, metrics.under_way), (10, 190, 10));
        assert_eq!((metrics.threads, metrics.peak_threads), (4, 4));
        system.open();
        for addresses in lookups.await {
            assert_eq!(addresses.unwrap(), [ANSWER]);
        }
        assert_eq!(system.asked(), names);
        assert!(system.peak() <= 4);
        assert!(system.threads().iter().all(|name| name.starts_with("rt-resolve-")));
        let metrics = resolver.metrics();
        assert_eq!((metrics.begun, metrics.under_way, metrics.peak_threads), (10, 0, 4));
    });
}

#[test]
fn tasks_on_their_own_share_a_lookup() {
    flavor::block_on(async {
        let system = System::default();
        let resolver = system.builder().build();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let resolver = resolver.clone();
                rt_runtime::spawn(async move { resolver.lookup("one.example").await.unwrap() })
            })
            .collect();
        while resolver.metrics().joined < 49 {
            rt_runtime::yield_now().await;
        }
        system.open();
        for task in tasks {
            assert_eq!(task.await.unwrap(), [ANSWER]);
        }
        assert_eq!(system.asked(), ["one.example"]);
    });
}

#[test]
fn stuck_threads_hold_up_nothing_else() {
    flavor::block_on(async {
        let system = System::default();
        let resolver = system.builder().max_lookups(6).build();
        let names: Vec<_> = (0..6).map(|n| format!("stuck-{n}.example")).collect();
        let mut stuck = pin!(join_all(names.iter().map(|name| resolver.lookup(name))));
        assert!(poll_immediate(stuck.as_mut()).await.is_none());
        system.wait_for(4);
        for name in ["127.0.0.1", "::1", "[::1]", "localhost", "LocalHost.", "a.localhost"] {
            let mut lookup = pin!(resolver.lookup(name));
            let addresses = poll_immediate(lookup.as_mut()).await.expect("on the spot").unwrap();
            assert!(addresses.iter().all(IpAddr::is_loopback), "{name}");
        }
        assert_eq!(rt_runtime::spawn_blocking(|| 6 * 7).await.unwrap(), 42);
        let error = resolver.lookup("one-more.example").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(error.to_string().contains("one-more.example") && error.to_string().contains('6'), "{error}");
        let metrics = resolver.metrics();
        assert_eq!((metrics.answered_inline, metrics.threads, metrics.under_way), (6, 4, 6));
        system.open();
        assert!(stuck.await.iter().all(Result::is_ok));
        assert_eq!(resolver.lookup("one-more.example").await.unwrap(), [ANSWER]);
    });
}

#[test]
fn case_makes_no_difference() {
    flavor::block_on(async {
        let system = System::default();
        let resolver = system.builder().build();
        let mut both = pin!(join_all([resolver.lookup("Some.Example"), resolver.lookup("sOME.eXAMPLE")]));
        assert!(poll_immediate(both.as_mut()).await.is_none());
        system.open();
        assert!(both.await.iter().all(Result::is_ok));
        assert_eq!(system.asked(), ["some.example"]);
    });
}

#[test]
fn failures_name_the_host() {
    flavor::block_on(async {
        let fails = |host: &str| match host {
            "unknown.example" => {
                Err(io::Error::other("failed to lookup address information: Name or service not known"))
            }
            "panics.example" => panic!("the test wants it so"),
            "empty.example" => Ok(vec![]),
            _ => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
        };
        let resolver = DnsResolver::builder().no_hosts_file().lookup_with(fails).build();
        for (name, kind, words) in [
            ("unknown.example", io::ErrorKind::NotFound, "not known"),
            ("panics.example", io::ErrorKind::Other, "panicked"),
            ("empty.example", io::ErrorKind::NotFound, "no address"),
            ("dead.example", io::ErrorKind::TimedOut, "no answer"),
        ] {
            let error = resolver.lookup(name).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(name) && error.to_string().contains(words), "{error}");
            assert!(error.get_ref().unwrap().source().is_some());
        }
        for name in ["", &"x".repeat(1025)] {
            assert_eq!(resolver.lookup(name).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(resolver.metrics().under_way, 0);
    });
}

#[test]
fn the_systems_own_resolver() {
    flavor::block_on(async {
        let resolver = DnsResolver::builder().no_hosts_file().build();
        let error = resolver.lookup("no-such-name.invalid").await.unwrap_err();
        assert!(error.to_string().contains("no-such-name.invalid"), "{error}");
        // What only getaddrinfo reads as an address.
        assert_eq!(resolver.lookup("127.1").await.unwrap(), [Ipv4Addr::LOCALHOST]);
        assert_eq!(resolver.metrics().begun, 2);
    });
}

#[test]
fn waiters_in_several_runtimes() {
    let system = System::default();
    let resolver = system.builder().build();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let resolver = resolver.clone();
            thread::spawn(move || flavor::block_on(async move { resolver.lookup("some.example").await.unwrap() }))
        })
        .collect();
    while resolver.metrics().joined < 2 {
        thread::yield_now();
    }
    system.open();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), [ANSWER]);
    }
    assert_eq!(system.asked(), ["some.example"]);
}

#[test]
fn without_a_runtime() {
    let system = System::default();
    system.open();
    let resolver = system.builder().build();
    let mut lookup = pin!(resolver.lookup("some.example"));
    let addresses = loop {
        match lookup.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(addresses) => break addresses,
            Poll::Pending => thread::yield_now(),
        }
    };
    assert_eq!(addresses.unwrap(), [ANSWER]);
}

#[test]
fn paused_time_stands_still_while_a_thread_looks_up() {
    let runtime = flavor::builder().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        let slow = |_: &str| {
            (0..20_000).for_each(|_| thread::yield_now());
            Ok(vec![ANSWER])
        };
        let resolver = DnsResolver::builder().no_hosts_file().lookup_with(slow).build();
        let found = timeout(Duration::from_secs(3600), resolver.lookup("some.example")).await;
        assert_eq!(found.expect("time stood still").unwrap(), [ANSWER]);
        assert_eq!(start.elapsed(), Duration::ZERO);
        // It goes on when the thread is done, also if nobody has looked at the result.
        let mut aside = pin!(resolver.lookup("another.example"));
        assert!(poll_immediate(aside.as_mut()).await.is_none());
        sleep(Duration::from_secs(60)).await;
        assert_eq!(poll_immediate(aside.as_mut()).await.expect("time has gone on since").unwrap(), [ANSWER]);
        // And when the one who waited has let go, even if the thread never comes back.
        let system = System::default();
        let resolver = system.builder().build();
        assert!(poll_immediate(Box::pin(resolver.lookup("stuck.example"))).await.is_none());
        sleep(Duration::from_secs(60)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(120));
    });
}

/// The process's resolver; no other test of this file may depend on it.
#[test]
fn default_resolver_serves_names_with_ports() {
    flavor::block_on(async {
        let system = System::default();
        system.open();
        let before = DnsResolver::set_default(system.builder().build());
        let found: Vec<_> = lookup_host("some.example:80").await.unwrap().collect();
        assert_eq!(found, [SocketAddr::new(ANSWER, 80)]);
        assert_eq!(DnsResolver::default().metrics().begun, 1);
        let ours = DnsResolver::set_default(before);
        assert_eq!(ours.metrics().begun, 1);
        assert_eq!(DnsResolver::default().metrics().begun, 0);
        let found: Vec<_> = ours.lookup_host(("some.example", 443)).await.unwrap().collect();
        assert_eq!(found, [SocketAddr::new(ANSWER, 443)]);
        let error = ours.lookup_host("no-port").await.map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn handles_and_lookups_may_go_anywhere() {
    fn goes_anywhere<T: Send>(_: T) {}
    let resolver = DnsResolver::system();
    goes_anywhere(resolver.lookup("some.example"));
    goes_anywhere(&resolver);
}
