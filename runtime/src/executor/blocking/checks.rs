//! Models of the pool: under `--cfg loom` every interleaving, otherwise one plain run of the same bodies.
//!
//! What a model observes goes through loom's atomics and cells, so that a lost call is a deadlock, one run twice a
//! failed assertion, and a missing order a data race.

use std::sync::Arc;
use std::time::Duration;

use super::{BlockingJoin, BlockingPool, Config, Hold};
use crate::models::{explore, wait_for};
use crate::primitives::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use crate::primitives::thread;
use crate::task::JoinFailure;

/// Counts what is out. A release without a hold wraps around, which the assertion at the end of a model sees.
#[derive(Default)]
struct Count(AtomicUsize);

impl Hold for Count {
    fn hold(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn release(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn pool(max_threads: usize, keep_alive: Duration) -> (BlockingPool, Arc<Count>) {
    let count = Arc::new(Count::default());
    let config = Config { max_threads, keep_alive, ..Config::new(Arc::clone(&count) as Arc<dyn Hold>) };
    (BlockingPool::new(config), count)
}

fn join<R>(call: &Arc<dyn BlockingJoin<R>>) -> Result<R, JoinFailure> {
    wait_for(|cx| call.poll_join(cx))
}

/// Waits until the threads have left, so that a model ends with none, and checks that nothing is held.
fn end(pool: &BlockingPool, count: &Count) {
    assert!(pool.shutdown_timeout(Duration::from_secs(3600)));
    assert_eq!(count.0.load(Relaxed), 0, "each hold has been released once");
}

/// Two threads submit to a pool whose one thread goes idle in between, or does not.
///
/// Seen failing with the pool's lock let go between a thread's last look at the waiting calls and its going idle.
#[test]
fn submit_against_park() {
    explore(|| {
        let (pool, count) = pool(1, Duration::MAX);
        let ran = Arc::new(AtomicUsize::new(0));
        let submit = |pool: &BlockingPool, ran: &Arc<AtomicUsize>| {
            let ran = Arc::clone(ran);
            pool.spawn(0, move || ran.fetch_add(1, Relaxed))
        };
        let other = {
            let (pool, ran) = (pool.clone(), Arc::clone(&ran));
            thread::spawn(move || assert!(join(&submit(&pool, &ran)).is_ok()))
        };
        assert!(join(&submit(&pool, &ran)).is_ok());
        other.join().expect("the other submitter");
        assert_eq!(ran.load(Relaxed), 2);
        end(&pool, &count);
    });
}

/// The time of an idle thread is up while a call is submitted: with a keep-alive of zero that is so at every point.
///
/// Seen failing with the thread counted out in a critical section of its own, and with one that leaves without asking
/// whether it was called.
#[test]
fn submit_against_idle_timeout() {
    explore(|| {
        let (pool, count) = pool(1, Duration::ZERO);
        for n in 0..2 {
            assert_eq!(join(&pool.spawn(0, move || n)).ok(), Some(n));
        }
        end(&pool, &count);
    });
}

/// A call that is submitted while the pool shuts down runs once or is cancelled, and its joiner is told either way.
///
/// Seen failing with the pool closed in a critical section after the one that takes the waiting calls, and a thread
/// that leaves a closed pool without a last look at them.
#[test]
fn submit_against_shutdown() {
    explore(|| {
        let (pool, count) = pool(1, Duration::MAX);
        let ran = Arc::new(AtomicUsize::new(0));
        let other = {
            let (pool, ran) = (pool.clone(), Arc::clone(&ran));
            thread::spawn(move || {
                let runs = Arc::clone(&ran);
                let call = pool.spawn(0, move || runs.fetch_add(1, Relaxed));
                let expected = match join(&call) {
                    Ok(_) => 1,
                    Err(JoinFailure::Cancelled) => 0,
                    Err(JoinFailure::Panicked(_)) => panic!("the call panicked"),
                };
                assert_eq!(ran.load(Relaxed), expected);
            })
        };
        pool.shutdown();
        other.join().expect("the submitter");
        end(&pool, &count);
    });
}

/// An idle thread, a submitter and a shutdown at once.
///
/// Seen failing with a shutdown that forgets the thread that looks out for a call, and with one that rings nobody.
#[test]
fn submit_against_shutdown_with_an_idle_thread() {
    explore(|| {
        let (pool, count) = pool(1, Duration::MAX);
        assert!(join(&pool.spawn(0, || ())).is_ok());
        let call = pool.spawn(0, || ());
        let other = {
            let pool = pool.clone();
            thread::spawn(move || pool.shutdown())
        };
        let _ = join(&call);
        other.join().expect("the shutdown");
        end(&pool, &count);
    });
}

/// The joiner registers its waker while the call completes; the result it finds is all there.
///
/// Seen failing with a waker registered without a second look at the stage under the same lock.
#[test]
fn join_against_completion() {
    explore(|| {
        let (pool, count) = pool(1, Duration::MAX);
        let seen = Arc::new(AtomicUsize::new(0));
        let writes = Arc::clone(&seen);
        let call = pool.spawn(0, move || writes.store(1, Relaxed));
        assert!(join(&call).is_ok());
        assert_eq!(seen.load(Relaxed), 1);
        end(&pool, &count);
    });
}

/// The join handle is dropped while the call completes: the result is dropped once, by one of the two.
///
/// Seen failing with a detach that takes a result that is there, and leaves no word for one that comes later.
#[test]
fn detach_against_completion() {
    struct Once(Arc<AtomicUsize>);
    impl Drop for Once {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    explore(|| {
        let (pool, count) = pool(1, Duration::MAX);
        let drops = Arc::new(AtomicUsize::new(0));
        let once = Once(Arc::clone(&drops));
        let call = pool.spawn(0, move || once);
        call.detach();
        end(&pool, &count);
        assert_eq!(drops.load(Relaxed), 1);
    });
}

/// Abort and start want the same closure: one gets it, and the joiner's answer tells which.
///
/// Seen failing with an abort that finishes a call whose closure it did not get.
#[test]
fn abort_against_start() {
    explore(|| {
        let (pool, count) = pool(1, Duration::MAX);
        let ran = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&ran);
        let call = pool.spawn(0, move || assert!(!runs.swap(true, Relaxed), "run twice"));
        call.abort();
        let result = join(&call);
        assert_eq!(result.is_ok(), ran.load(Relaxed));
        assert!(matches!(result, Ok(()) | Err(JoinFailure::Cancelled)));
        // The queue is whole: a later call comes through.
        assert!(join(&pool.spawn(0, || ())).is_ok());
        end(&pool, &count);
    });
}
