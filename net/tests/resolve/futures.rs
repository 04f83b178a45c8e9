//! Something else in the place of the system: a future that those who wait drive.

use super::flavor;
use super::system::{ANSWER, System};
use futures_util::future::{join_all, poll_immediate};
use rt_net::{DnsResolver, Resolve, Resolving};
use rt_runtime::time::{Duration, timeout};
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;

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
            Box::pin(poll_fn(move |_| if now.load(SeqCst) { panic!("the test wants it so") } else { Poll::Pending }))
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
