//! Who lets go, and when: waiters, threads, handles, runtimes.

use super::flavor;
use super::system::{ANSWER, System};
use futures_util::future::poll_immediate;
use rt_net::{DnsResolver, Resolve, Resolving};
use rt_runtime::time::Duration;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

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
