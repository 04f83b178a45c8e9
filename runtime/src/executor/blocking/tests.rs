//! The pool on real threads. Threads are ordered by channels and barriers, never by time.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_executor::block_on;

use super::{BlockingJoin, BlockingPool, Config, Hold};
use crate::task::JoinFailure;

const LONG: Duration = Duration::from_secs(3600);

/// Counts what is out; tells when it went down to nothing.
#[derive(Default)]
struct Count {
    out: AtomicUsize,
    holds: AtomicUsize,
}

impl Hold for Count {
    fn hold(&self) {
        self.out.fetch_add(1, SeqCst);
        self.holds.fetch_add(1, SeqCst);
    }

    fn release(&self) {
        assert!(self.out.fetch_sub(1, SeqCst) > 0, "released more often than held");
    }
}

fn config(max_threads: usize) -> (Config, Arc<Count>) {
    let count = Arc::new(Count::default());
    let config = Config { max_threads, keep_alive: LONG, ..Config::new(Arc::clone(&count) as Arc<dyn Hold>) };
    (config, count)
}

fn pool(max_threads: usize) -> (BlockingPool, Arc<Count>) {
    let (config, count) = config(max_threads);
    (BlockingPool::new(config), count)
}

fn join<R>(call: &Arc<dyn BlockingJoin<R>>) -> Result<R, JoinFailure> {
    block_on(std::future::poll_fn(|cx| call.poll_join(cx)))
}

fn poll_once<R>(call: &Arc<dyn BlockingJoin<R>>) -> Poll<Result<R, JoinFailure>> {
    call.poll_join(&mut Context::from_waker(Waker::noop()))
}

/// A call that has started and ends when the sender is used or dropped.
fn occupy(pool: &BlockingPool) -> (Sender<()>, Arc<dyn BlockingJoin<()>>) {
    let (end, ended) = channel();
    let (starts, started) = channel();
    let call = pool.spawn(0, move || {
        starts.send(()).expect("the test waits");
        let _ = ended.recv();
    });
    started.recv().expect("the call starts");
    (end, call)
}

fn cancelled<R>(result: Result<R, JoinFailure>) -> bool {
    matches!(result, Err(JoinFailure::Cancelled))
}

fn panic_text<R>(result: Result<R, JoinFailure>) -> String {
    match result {
        Err(JoinFailure::Panicked(payload)) => match payload.downcast::<&str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => *payload.downcast::<String>().expect("a text"),
        },
        Err(JoinFailure::Cancelled) => panic!("cancelled, not panicked"),
        Ok(_) => panic!("a result, not a panic"),
    }
}

/// Panics when dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(self.0);
    }
}

#[test]
fn result_reaches_the_joiner() {
    let (pool, count) = pool(4);
    let call = pool.spawn(7, || 6 * 7);
    assert_eq!(call.id(), 7);
    assert_eq!(join(&call).ok(), Some(42));
    assert!(call.is_finished());
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!((count.holds.load(SeqCst), count.out.load(SeqCst)), (1, 0));
}

#[test]
fn panic_reaches_the_joiner_and_the_thread_goes_on() {
    let (pool, count) = pool(1);
    let call = pool.spawn(0, || panic!("no {}", "luck"));
    assert_eq!(panic_text::<()>(join(&call)), "no luck");
    assert_eq!(join(&pool.spawn(0, || 1)).ok(), Some(1));
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!(count.out.load(SeqCst), 0);
}

#[test]
fn calls_start_in_order() {
    let (pool, _) = pool(1);
    let (end, _first) = occupy(&pool);
    let order = Arc::new(Mutex::new(Vec::new()));
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let order = Arc::clone(&order);
            pool.spawn(n, move || order.lock().unwrap().push(n))
        })
        .collect();
    drop(end);
    for call in &calls {
        assert!(join(call).is_ok());
    }
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn pool_grows_to_the_limit_and_no_further() {
    let (mut config, _) = config(3);
    let started = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&started);
    config.on_thread_start = Some(Arc::new(move || {
        counter.fetch_add(1, SeqCst);
    }));
    let pool = BlockingPool::new(config);
    let busy: Vec<_> = (0..3).map(|_| occupy(&pool)).collect();
    let fourth = pool.spawn(0, || ());
    assert_eq!(started.load(SeqCst), 3);
    assert!(poll_once(&fourth).is_pending());
    drop(busy);
    assert!(join(&fourth).is_ok());
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!(started.load(SeqCst), 3);
}

#[test]
fn three_calls_run_at_once_on_three_threads() {
    let (pool, _) = pool(3);
    let barrier = Arc::new(Barrier::new(3));
    let calls: Vec<_> = (0..3)
        .map(|n| {
            let barrier = Arc::clone(&barrier);
            pool.spawn(n, move || {
                barrier.wait();
            })
        })
        .collect();
    for call in &calls {
        assert!(join(call).is_ok());
    }
}

#[test]
fn idle_thread_is_used_again_and_leaves_when_its_time_is_up() {
    let (mut config, _) = config(2);
    let (stops, stopped) = channel();
    let started = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&started);
    config.keep_alive = Duration::from_millis(1);
    config.on_thread_start = Some(Arc::new(move || {
        counter.fetch_add(1, SeqCst);
    }));
    let stops = Mutex::new(stops);
    config.on_thread_stop = Some(Arc::new(move || stops.lock().unwrap().send(()).expect("the test waits")));
    let pool = BlockingPool::new(config);
    assert!(join(&pool.spawn(0, || ())).is_ok());
    stopped.recv().expect("the idle thread leaves by itself");
    assert_eq!(started.load(SeqCst), 1);
    assert!(join(&pool.spawn(0, || ())).is_ok());
    assert_eq!(started.load(SeqCst), 2);
}

#[test]
fn keep_alive_of_zero() {
    let (mut config, _) = config(2);
    config.keep_alive = Duration::ZERO;
    let pool = BlockingPool::new(config);
    for n in 0..200 {
        assert_eq!(join(&pool.spawn(n, move || n)).ok(), Some(n));
    }
    assert!(pool.shutdown_timeout(LONG));
}

#[test]
fn keep_alive_beyond_what_a_clock_can_show() {
    let (mut config, _) = config(2);
    config.keep_alive = Duration::MAX;
    let pool = BlockingPool::new(config);
    for n in 0..3 {
        assert_eq!(join(&pool.spawn(n, move || n)).ok(), Some(n));
    }
    assert!(pool.shutdown_timeout(LONG));
}

#[test]
fn abort_before_start() {
    let (pool, count) = pool(1);
    let (end, _first) = occupy(&pool);
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let call = pool.spawn(0, move || drop(held));
    let last = pool.spawn(0, || 1);
    call.abort();
    assert_eq!(Arc::strong_count(&dropped), 1, "the closure is dropped at once");
    assert_eq!(Arc::strong_count(&call), 1, "the queue has let go of it");
    assert!(call.is_finished());
    assert_eq!(count.out.load(SeqCst), 2);
    assert!(cancelled(join(&call)));
    call.abort();
    drop(end);
    assert_eq!(join(&last).ok(), Some(1));
}

#[test]
fn abort_after_start_has_no_effect() {
    let (pool, _) = pool(1);
    let (end, call) = occupy(&pool);
    call.abort();
    assert!(!call.is_finished());
    drop(end);
    assert!(join(&call).is_ok());
}

#[test]
fn abort_wakes_the_joiner() {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }
    let (pool, _) = pool(1);
    let (_end, _first) = occupy(&pool);
    let call = pool.spawn(0, || ());
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    assert!(call.poll_join(&mut Context::from_waker(&Waker::from(Arc::clone(&flag)))).is_pending());
    call.abort();
    assert!(flag.0.load(SeqCst));
    assert!(matches!(poll_once(&call), Poll::Ready(Err(JoinFailure::Cancelled))));
}

#[test]
fn aborted_closure_panics_when_dropped() {
    let (pool, count) = pool(1);
    let (_end, _first) = occupy(&pool);
    let bomb = Bomb("dropped");
    let call = pool.spawn(0, move || drop(bomb));
    call.abort();
    assert_eq!(panic_text(join(&call)), "dropped");
    assert_eq!(count.out.load(SeqCst), 1);
}

#[test]
fn detached_call_runs_and_its_result_is_dropped_on_the_pool() {
    let (pool, count) = pool(1);
    let (end, first) = occupy(&pool);
    let (tells, told) = channel();
    struct Tell(Sender<std::thread::ThreadId>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.send(std::thread::current().id()).expect("the test waits");
        }
    }
    let call = pool.spawn(0, move || Tell(tells));
    call.detach();
    drop((call, end));
    assert!(join(&first).is_ok());
    assert_ne!(told.recv().expect("the result is dropped"), std::thread::current().id());
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!(count.out.load(SeqCst), 0);
}

#[test]
fn detached_result_panics_when_dropped() {
    let (pool, count) = pool(1);
    let (end, _first) = occupy(&pool);
    pool.spawn(0, || Bomb("unwanted")).detach();
    drop(end);
    assert_eq!(join(&pool.spawn(0, || 1)).ok(), Some(1));
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!(count.out.load(SeqCst), 0);
}

#[test]
fn detach_drops_a_result_that_is_there() {
    let (pool, _) = pool(1);
    let value = Arc::new(());
    let held = Arc::clone(&value);
    let call = pool.spawn(0, move || held);
    assert!(join(&pool.spawn(0, || ())).is_ok(), "the only thread has been through the first call");
    assert_eq!(Arc::strong_count(&value), 2);
    call.detach();
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn polled_again_after_the_result() {
    let (pool, _) = pool(1);
    let call = pool.spawn(0, || 1);
    assert!(join(&call).is_ok());
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(&call))).is_err());
}

#[test]
fn last_waker_is_woken_and_earlier_ones_are_let_go() {
    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }
    let (pool, _) = pool(1);
    let (end, call) = occupy(&pool);
    let first = Arc::new(Nothing);
    let waker = Waker::from(Arc::clone(&first));
    for _ in 0..2 {
        assert!(call.poll_join(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(Arc::strong_count(&first), 3, "one is kept, however often it polls");
    }
    drop(waker);
    assert!(poll_once(&call).is_pending());
    assert_eq!(Arc::strong_count(&first), 1);
    drop(end);
    assert!(join(&call).is_ok());
}

#[test]
fn waker_that_panics_costs_no_thread() {
    struct Refuse;
    impl Wake for Refuse {
        fn wake(self: Arc<Self>) {
            panic!("not now");
        }
    }
    let (pool, count) = pool(1);
    let (end, call) = occupy(&pool);
    assert!(call.poll_join(&mut Context::from_waker(&Waker::from(Arc::new(Refuse)))).is_pending());
    drop(end);
    assert_eq!(join(&pool.spawn(0, || 1)).ok(), Some(1));
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!(count.out.load(SeqCst), 0);
}

#[test]
fn shutdown_cancels_what_waits_and_leaves_what_runs() {
    let (pool, count) = pool(1);
    let (end, running) = occupy(&pool);
    let waiting: Vec<_> = (0..3).map(|n| pool.spawn(n, || ())).collect();
    pool.shutdown();
    for call in &waiting {
        assert!(cancelled(join(call)));
    }
    assert!(poll_once(&running).is_pending());
    assert!(!pool.shutdown_timeout(Duration::ZERO), "the running call is not waited for");
    assert_eq!(count.out.load(SeqCst), 1);
    drop(end);
    assert!(pool.shutdown_timeout(LONG));
    assert!(join(&running).is_ok());
}

#[test]
fn spawn_after_shutdown_is_cancelled() {
    let (pool, count) = pool(1);
    pool.shutdown();
    let call = pool.spawn(0, || ());
    assert!(call.is_finished());
    assert!(cancelled(join(&call)));
    assert_eq!(count.out.load(SeqCst), 0);
}

#[test]
fn closure_spawns_while_shutdown_drops_it() {
    let (pool, count) = pool(1);
    let (_end, _first) = occupy(&pool);
    struct SpawnsWhenDropped(BlockingPool);
    impl Drop for SpawnsWhenDropped {
        fn drop(&mut self) {
            assert!(cancelled(join(&self.0.spawn(0, || ()))));
        }
    }
    let spawns = SpawnsWhenDropped(pool.clone());
    let call = pool.spawn(0, move || drop(spawns));
    pool.shutdown();
    assert!(cancelled(join(&call)), "the assertion in the destructor held");
    assert_eq!(count.out.load(SeqCst), 1);
}

#[test]
fn shutdown_on_a_thread_of_the_pool() {
    let (pool, _) = pool(1);
    let inner = pool.clone();
    let call = pool.spawn(0, move || inner.shutdown_timeout(Duration::ZERO));
    assert_eq!(join(&call).ok(), Some(false), "it cannot wait for itself");
    assert!(pool.shutdown_timeout(LONG));
}

#[test]
fn hooks_run_inside_the_runtime_on_named_threads() {
    thread_local!(static INSIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    fn note(log: &Mutex<Vec<String>>, what: &str) {
        let name = std::thread::current().name().unwrap_or("").to_owned();
        log.lock().unwrap().push(format!("{what} on {name}, inside: {}", INSIDE.get()));
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let (mut config, _) = config(1);
    config.thread_name = Arc::new(|| "bl\0ue".to_owned());
    config.stack_size = Some(256 * 1024);
    config.inherit = Arc::new(|life| {
        INSIDE.set(true);
        life();
        INSIDE.set(false);
        life();
    });
    let (start, call, stop) = (Arc::clone(&log), Arc::clone(&log), Arc::clone(&log));
    config.on_thread_start = Some(Arc::new(move || note(&start, "start")));
    config.on_thread_stop = Some(Arc::new(move || note(&stop, "stop")));
    let pool = BlockingPool::new(config);
    assert!(join(&pool.spawn(0, move || note(&call, "call"))).is_ok());
    assert!(pool.shutdown_timeout(LONG));
    let expected = ["start", "call", "stop"].map(|what| format!("{what} on blue, inside: true"));
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn hooks_that_panic() {
    let (mut config, count) = config(1);
    config.thread_name = Arc::new(|| panic!("no name"));
    config.on_thread_start = Some(Arc::new(|| panic!("no start")));
    config.on_thread_stop = Some(Arc::new(|| panic!("no stop")));
    let pool = BlockingPool::new(config);
    assert_eq!(join(&pool.spawn(0, || 1)).ok(), Some(1));
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!(count.out.load(SeqCst), 0);
}

#[test]
fn thread_that_cannot_enter_its_runtime() {
    let (mut config, count) = config(1);
    config.inherit = Arc::new(|_| panic!("no entry"));
    let pool = BlockingPool::new(config);
    let call = pool.spawn(0, || ());
    assert_eq!(panic_text(join(&call)), "a thread for blocking calls could not enter its runtime");
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!(count.out.load(SeqCst), 0);
}

#[test]
fn system_refuses_a_thread() {
    let (mut config, count) = config(1);
    config.stack_size = Some(1 << 60);
    let pool = BlockingPool::new(config);
    let call = pool.spawn(0, || ());
    let text = panic_text(join(&call));
    assert!(text.starts_with("no thread for a blocking call could be started: "), "{text}");
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!(count.out.load(SeqCst), 0);
}

#[test]
fn calls_from_many_threads() {
    let (pool, count) = pool(3);
    let ran = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..200 {
                    let ran = Arc::clone(&ran);
                    let call = pool.spawn(n, move || ran.fetch_add(1, SeqCst));
                    assert!(join(&call).is_ok());
                }
            });
        }
    });
    assert_eq!(ran.load(SeqCst), 800);
    assert!(pool.shutdown_timeout(LONG));
    assert_eq!((count.holds.load(SeqCst), count.out.load(SeqCst)), (800, 0));
}

#[test]
fn every_handle_dropped_while_calls_run() {
    let (pool, _) = pool(1);
    let (end, first): (_, Arc<dyn BlockingJoin<()>>) = occupy(&pool);
    let last = pool.spawn(0, || 1);
    drop(pool);
    drop(end);
    assert!(join(&first).is_ok());
    assert_eq!(join(&last).ok(), Some(1));
}

#[test]
fn receiver_outlives_a_call_that_is_never_joined() {
    let (pool, _) = pool(1);
    let (tells, told): (_, Receiver<u8>) = channel();
    pool.spawn(0, move || tells.send(1)).detach();
    assert_eq!(told.recv(), Ok(1));
}
