//! Names: who looks them up, how often, on how many threads, and what happens when nobody wants to know any more.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::future::{join_all, poll_immediate};
use parking_lot::{Condvar, Mutex};
use rt_net::{DnsResolver, DnsResolverBuilder, Resolve, Resolving, lookup_host};
use rt_runtime::time::{Duration, Instant, sleep, timeout};
use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;

const ANSWER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// A system's resolver that answers when the test says so, and remembers what it was asked.
#[derive(Clone, Default)]
struct System(Arc<(Mutex<Inside>, Condvar)>);

#[derive(Default)]
struct Inside {
    open: bool,
    asked: Vec<String>,
    inside: usize,
    peak: usize,
    threads: Vec<String>,
}

impl System {
    fn builder(&self) -> DnsResolverBuilder {
        let system = self.clone();
        DnsResolver::builder().no_hosts_file().lookup_with(move |host| system.look_up(host))
    }

    fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
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

    fn open(&self) {
        self.0.0.lock().open = true;
        self.0.1.notify_all();
    }

    /// Waits until so many lookups have come in at any time.
    fn wait_for(&self, asked: usize) {
        let mut inside = self.0.0.lock();
        while inside.asked.len() < asked {
            self.0.1.wait(&mut inside);
        }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.0.0.lock().asked.clone();
        asked.sort();
        asked
    }
}

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
        assert!(system.0.0.lock().peak <= 4);
        assert!(system.0.0.lock().threads.iter().all(|name| name.starts_with("rt-resolve-")));
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
fn lookup_that_nobody_waits_for_is_not_started() {
    flavor::block_on(async {
        let system = System::default();
        let resolver = system.builder().max_threads(1).build();
        let mut first = Box::pin(resolver.lookup("first.example"));
        assert!(poll_immediate(&mut first).await.is_none());
        system.wait_for(1);
        let mut dropped = Box::pin(resolver.lookup("dropped.example"));
        let mut kept = Box::pin(resolver.lookup("kept.example"));
        let mut kept_again = Box::pin(resolver.lookup("kept.example"));
        for lookup in [&mut dropped, &mut kept, &mut kept_again] {
            assert!(poll_immediate(lookup).await.is_none());
        }
        assert_eq!(resolver.metrics().under_way, 3);
        drop((dropped, kept_again));
        assert_eq!(resolver.metrics().under_way, 2);
        system.open();
        assert_eq!((first.await.unwrap(), kept.await.unwrap()), (vec![ANSWER], vec![ANSWER]));
        assert_eq!(system.asked(), ["first.example", "kept.example"]);
    });
}

#[test]
fn lookup_that_was_given_up_while_it_ran_is_joined() {
    flavor::block_on(async {
        let system = System::default();
        let resolver = system.builder().build();
        for _ in 0..20 {
            let mut lookup = Box::pin(resolver.lookup("slow.example"));
            assert!(poll_immediate(&mut lookup).await.is_none());
            system.wait_for(1);
        }
        assert_eq!((resolver.metrics().begun, resolver.metrics().threads), (1, 1));
        system.open();
        // Nobody knows whether the thread is done by now.
        assert_eq!(resolver.lookup("slow.example").await.unwrap(), [ANSWER]);
        assert!(system.asked().len() <= 2);
    });
}

/// Tasks on several workers ask for few names and let go after some polls, each after a different number. Nobody is forgotten: not
/// by threads, and not by futures that are woken on other threads.
#[test]
fn many_come_and_go() {
    struct OnPool;
    impl Resolve for OnPool {
        fn resolve(&self, host: &str) -> Resolving {
            let host = host.to_owned();
            Box::pin(async move {
                for _ in 0..3 {
                    rt_runtime::spawn_blocking(|| ()).await.unwrap();
                }
                assert!(!host.is_empty());
                Ok(vec![ANSWER])
            })
        }
    }
    let on_threads = DnsResolver::builder().no_hosts_file().max_threads(2).lookup_with(|_| Ok(vec![ANSWER])).build();
    let on_futures = DnsResolver::builder().no_hosts_file().resolve(OnPool).build();
    let runtime = rt_runtime::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        for resolver in [on_threads, on_futures] {
            let tasks: Vec<_> = (0..2_000_u32)
                .map(|n| {
                    let resolver = resolver.clone();
                    rt_runtime::spawn(async move {
                        let name = format!("name-{}.example", n % 5);
                        let mut lookup = pin!(resolver.lookup(&name));
                        let mut patience = n.wrapping_mul(2_654_435_761) >> 29;
                        // Those with most patience wait to the end.
                        poll_fn(|cx| match lookup.as_mut().poll(cx) {
                            Poll::Pending if patience == 0 => Poll::Ready(None),
                            Poll::Pending => {
                                if patience < 6 {
                                    patience -= 1;
                                    cx.waker().wake_by_ref();
                                }
                                Poll::Pending
                            }
                            Poll::Ready(addresses) => Poll::Ready(Some(addresses.unwrap())),
                        })
                        .await
                    })
                })
                .collect();
            for task in tasks {
                assert!(task.await.unwrap().is_none_or(|addresses| addresses == [ANSWER]));
            }
            while resolver.metrics().under_way > 0 {
                rt_runtime::yield_now().await;
            }
            assert_eq!(resolver.metrics().begun + resolver.metrics().joined, 2_000);
        }
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
fn threads_leave_when_idle() {
    flavor::block_on(async {
        let system = System::default();
        system.open();
        let resolver = system.builder().keep_alive(Duration::ZERO).build();
        for _ in 0..3 {
            resolver.lookup("some.example").await.unwrap();
            while resolver.metrics().threads > 0 {
                thread::yield_now();
            }
        }
        assert_eq!(resolver.metrics().begun, 3);
    });
}

#[test]
fn threads_leave_when_the_last_handle_is_gone() {
    flavor::block_on(async {
        let alive = Arc::new(());
        let watched = Arc::downgrade(&alive);
        let lookup = move |_: &str| {
            let _alive = &alive;
            Ok(vec![ANSWER])
        };
        let resolver = DnsResolver::builder().no_hosts_file().keep_alive(Duration::MAX).lookup_with(lookup).build();
        resolver.lookup("some.example").await.unwrap();
        drop(resolver);
        while watched.strong_count() > 0 {
            thread::yield_now();
        }
    });
}

#[test]
fn runtime_ends_while_lookups_hang() {
    let system = System::default();
    let resolver = system.builder().build();
    let hanging = resolver.clone();
    flavor::block_on(async move {
        rt_runtime::spawn(async move { hanging.lookup("stuck.example").await });
        let mut lookup = pin!(resolver.lookup("stuck-too.example"));
        assert!(poll_immediate(lookup.as_mut()).await.is_none());
        system.wait_for(1);
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

#[test]
fn dropped_after_each_of_its_polls() {
    flavor::block_on(async {
        for polls in 1..=2 {
            let system = System::default();
            let resolver = system.builder().build();
            let mut lookup = Box::pin(resolver.lookup("some.example"));
            let mut other = Box::pin(resolver.lookup("some.example"));
            for _ in 0..polls {
                assert!(poll_immediate(&mut lookup).await.is_none());
            }
            assert!(poll_immediate(&mut other).await.is_none());
            drop(lookup);
            system.open();
            assert_eq!(other.await.unwrap(), [ANSWER]);
            assert_eq!((system.asked().len(), resolver.metrics().under_way), (1, 0));
        }
    });
}

mod hosts {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    /// A file of the test's own.
    struct Hosts(PathBuf);

    impl Hosts {
        fn new(name: &str, text: &str) -> Self {
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hosts-{name}-{}", std::process::id()));
            fs::write(&path, text).unwrap();
            Self(path)
        }

        fn resolver(&self, check_interval: Duration) -> DnsResolver {
            let nothing = |_: &str| Err(io::Error::other("asked the system"));
            let builder = DnsResolver::builder().hosts_file(&self.0).hosts_check_interval(check_interval);
            builder.lookup_with(nothing).build()
        }
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
            let directory = Hosts(PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
            assert!(addresses(&directory.resolver(Duration::ZERO), "one").await.is_empty());
            std::mem::forget(directory);
        });
    }
}

mod futures {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Answers each name after so many polls, each of which is asked for by a wake; counts what there is of its futures.
    #[derive(Default)]
    struct Slow {
        polls: usize,
        begun: AtomicUsize,
        alive: Arc<AtomicUsize>,
    }

    impl Resolve for Slow {
        fn resolve(&self, host: &str) -> Resolving {
            self.begun.fetch_add(1, SeqCst);
            self.alive.fetch_add(1, SeqCst);
            let alive = Alive(self.alive.clone());
            let (mut left, forever) = (self.polls, host.starts_with("forever"));
            Box::pin(async move {
                let _alive = alive;
                if forever {
                    pending::<()>().await;
                }
                poll_fn(|cx| {
                    if left == 0 {
                        return Poll::Ready(());
                    }
                    left -= 1;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
                Ok(vec![ANSWER])
            })
        }
    }

    struct Alive(Arc<AtomicUsize>);

    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }

    #[test]
    fn one_for_all_who_wait() {
        flavor::block_on(async {
            let slow = Arc::new(Slow { polls: 5, ..Slow::default() });
            let resolver = DnsResolver::with(slow.clone());
            let tasks: Vec<_> = (0..20)
                .map(|_| {
                    let resolver = resolver.clone();
                    rt_runtime::spawn(async move { resolver.lookup("one.example").await.unwrap() })
                })
                .collect();
            for task in tasks {
                assert_eq!(task.await.unwrap(), [ANSWER]);
            }
            assert_eq!(resolver.metrics().begun, slow.begun.load(SeqCst) as u64);
            assert_eq!((slow.alive.load(SeqCst), resolver.metrics().under_way), (0, 0));
            assert_eq!(resolver.metrics().peak_threads, 0);
        });
    }

    #[test]
    fn whoever_polls_it_may_leave() {
        flavor::block_on(async {
            for leaves_after in 0..3 {
                let slow = Arc::new(Slow { polls: 3, ..Slow::default() });
                let resolver = DnsResolver::with(slow.clone());
                let mut first = Box::pin(resolver.lookup("one.example"));
                let mut second = Box::pin(resolver.lookup("one.example"));
                for _ in 0..leaves_after {
                    assert!(poll_immediate(&mut first).await.is_none());
                }
                assert!(poll_immediate(&mut second).await.is_none());
                drop(first);
                assert_eq!(second.await.unwrap(), [ANSWER]);
                assert_eq!((slow.begun.load(SeqCst), slow.alive.load(SeqCst)), (1, 0));
            }
        });
    }

    #[test]
    fn dropped_when_nobody_is_left() {
        flavor::block_on(async {
            let slow = Arc::new(Slow::default());
            let resolver = DnsResolver::with(slow.clone());
            let mut both = Box::pin(join_all([resolver.lookup("forever.example"), resolver.lookup("forever.example")]));
            assert!(poll_immediate(&mut both).await.is_none());
            assert_eq!(slow.alive.load(SeqCst), 1);
            drop(both);
            assert_eq!((slow.alive.load(SeqCst), resolver.metrics().under_way), (0, 0));
        });
    }

    #[test]
    fn holds_no_time() {
        let runtime = flavor::builder().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let resolver = DnsResolver::with(Arc::new(Slow::default()));
            let found = timeout(Duration::from_secs(5), resolver.lookup("forever.example")).await;
            assert!(found.is_err(), "time went on");
        });
    }

    #[test]
    fn panic_reaches_who_polled_and_is_an_error_for_the_others() {
        struct Panics(Arc<AtomicBool>);
        impl Resolve for Panics {
            fn resolve(&self, _: &str) -> Resolving {
                let now = self.0.clone();
                Box::pin(poll_fn(
                    move |_| if now.load(SeqCst) { panic!("the test wants it so") } else { Poll::Pending },
                ))
            }
        }
        flavor::block_on(async {
            let now = Arc::new(AtomicBool::new(false));
            let resolver = DnsResolver::with(Panics(now.clone()));
            let mut other = Box::pin(resolver.lookup("one.example"));
            assert!(poll_immediate(&mut other).await.is_none());
            now.store(true, SeqCst);
            let polls = resolver.clone();
            let task = rt_runtime::spawn(async move { polls.lookup("one.example").await });
            assert!(task.await.unwrap_err().is_panic());
            let error = other.await.unwrap_err();
            assert!(error.to_string().contains("panicked"), "{error}");
            assert_eq!(resolver.metrics().under_way, 0);
        });
    }

    #[test]
    fn a_resolver_in_anothers_place() {
        flavor::block_on(async {
            let system = System::default();
            system.open();
            let outer = DnsResolver::with(system.builder().build());
            assert_eq!(outer.lookup("one.example").await.unwrap(), [ANSWER]);
            assert_eq!(system.asked(), ["one.example"]);
        });
    }
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
