//! `rt::task::JoinSet`: what it hands out and in which order, and what becomes of its tasks.

#[path = "support/flavor.rs"]
mod flavor;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::join_all;

use rt::task::{Id, JoinSet, yield_now};

struct CountDrops(Arc<AtomicUsize>);

impl Drop for CountDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn empty_set() {
    flavor::block_on(async {
        let mut set = JoinSet::<u32>::default();
        assert!(set.is_empty());
        assert_eq!(set.len(), 0);
        assert!(set.join_next().await.is_none());
        assert!(set.join_next_with_id().await.is_none());
        assert!(set.try_join_next().is_none());
        set.abort_all();
        set.shutdown().await;
        assert!(set.join_all().await.is_empty());
    });
}

#[test]
fn joined_in_the_order_in_which_they_end() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        for turns in [3_u32, 1, 2, 0] {
            set.spawn(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                turns
            });
        }
        assert_eq!(set.len(), 4);
        let mut ended = Vec::new();
        while let Some(turns) = set.join_next().await {
            ended.push(turns.unwrap());
        }
        assert_eq!(ended, [0, 1, 2, 3]);
    });
}

#[test]
fn order_holds_if_all_end_before_the_first_join() {
    flavor::one_thread().block_on(async {
        let mut set: JoinSet<usize> = (0..5).map(ready).collect();
        yield_now().await;
        assert_eq!(set.len(), 5, "what has ended is in the set until it is joined");
        for n in 0..5 {
            assert_eq!(set.try_join_next().unwrap().unwrap(), n);
        }
        assert!(set.is_empty());
    });
}

#[test]
fn spawned_between_joins() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { 0 });
        let mut seen = Vec::new();
        while let Some(n) = set.join_next().await {
            let n: usize = n.unwrap();
            seen.push(n);
            if n < 100 {
                set.spawn(async move { n + 1 });
            }
        }
        assert_eq!(seen, (0..=100).collect::<Vec<_>>());
    });
}

#[test]
fn ids_are_those_of_the_tasks() {
    flavor::one_thread().block_on(async {
        let mut set = JoinSet::new();
        let switch = set.spawn(async { rt::task::id() });
        let (id, seen): (Id, Id) = set.join_next_with_id().await.unwrap().unwrap();
        assert_eq!(id, seen);
        assert_eq!(id, switch.id());

        let switch = set.spawn(async { panic!("on purpose") });
        let error = set.join_next_with_id().await.unwrap().unwrap_err();
        assert_eq!(error.id(), switch.id());

        let switch = set.spawn(async { rt::task::id() });
        yield_now().await;
        assert_eq!(set.try_join_next_with_id().unwrap().unwrap(), (switch.id(), switch.id()));
    });
}

#[test]
fn try_join_next_while_all_run() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        yield_now().await;
        assert!(set.try_join_next().is_none());
        assert_eq!(set.len(), 1);
    });
}

#[test]
fn abort_of_one() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        let switch = set.spawn(pending());
        set.spawn(async { 1 });
        switch.abort();
        let mut results = Vec::new();
        while let Some(result) = set.join_next().await {
            results.push(result.map_err(|error| error.is_cancelled()));
        }
        results.sort();
        assert_eq!(results, [Ok(1), Err(true)]);
        assert!(switch.is_finished());
    });
}

#[test]
fn abort_all_leaves_what_has_ended() {
    flavor::one_thread().block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { 1 });
        yield_now().await;
        set.spawn(pending());
        set.spawn(async { 2 });
        set.abort_all();
        assert_eq!(set.len(), 3);
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        assert!(set.join_next().await.is_none());
    });
}

#[test]
fn spawned_after_abort_all() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        set.spawn(pending());
        set.abort_all();
        set.spawn(async { 7 });
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        assert_eq!(set.join_next().await.unwrap().unwrap(), 7);
    });
}

#[test]
fn drop_aborts_all() {
    let drops = Arc::new(AtomicUsize::new(0));
    flavor::one_thread().block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..10 {
            let guard = CountDrops(Arc::clone(&drops));
            set.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
        }
        yield_now().await;
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(set);
        yield_now().await;
        assert_eq!(drops.load(Ordering::SeqCst), 10);
    });
}

#[test]
fn drop_drops_outputs_that_nobody_took() {
    let drops = Arc::new(AtomicUsize::new(0));
    flavor::one_thread().block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..10 {
            set.spawn(ready(CountDrops(Arc::clone(&drops))));
        }
        yield_now().await;
        drop(set);
        assert_eq!(drops.load(Ordering::SeqCst), 10);
    });
}

#[test]
fn detach_all_lets_them_go_on() {
    flavor::one_thread().block_on(async {
        let (sender, receiver) = mpsc::channel();
        let mut set = JoinSet::new();
        for n in 0..3 {
            let sender = sender.clone();
            set.spawn(async move {
                yield_now().await;
                sender.send(n).unwrap();
            });
        }
        yield_now().await;
        set.detach_all();
        assert!(set.is_empty());
        assert!(set.join_next().await.is_none());

        // What the detached tasks announce does not reach the set that is used again.
        set.spawn(async {});
        yield_now().await;
        yield_now().await;
        set.join_next().await.unwrap().unwrap();
        assert!(set.join_next().await.is_none());
        drop(set);
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    });
}

#[test]
fn shutdown_waits_until_all_have_ended() {
    let drops = Arc::new(AtomicUsize::new(0));
    flavor::block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..10 {
            let guard = CountDrops(Arc::clone(&drops));
            set.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
        }
        set.spawn(async { panic!("on purpose") });
        set.shutdown().await;
        assert_eq!(drops.load(Ordering::SeqCst), 10);
        assert!(set.is_empty());
    });
}

#[test]
fn join_all_in_the_order_in_which_they_end() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async {
            yield_now().await;
            "slow"
        });
        set.spawn(async { "fast" });
        assert_eq!(set.join_all().await, ["fast", "slow"]);
    });
}

#[test]
fn join_all_hands_a_panic_on_and_aborts_the_others() {
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = CountDrops(Arc::clone(&drops));
    flavor::one_thread().block_on(async {
        let payload = {
            let mut set = JoinSet::new();
            set.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            set.spawn(async { panic!("on purpose") });
            let mut joined = pin!(set.join_all());
            poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| joined.as_mut().poll(cx))) {
                Ok(poll) => poll.map(|_| panic!("join_all has no output")),
                Err(payload) => Poll::Ready(payload),
            })
            .await
        };
        assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
        yield_now().await;
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn join_all_says_that_one_was_aborted() {
    let panic = catch_unwind(|| {
        flavor::block_on(async {
            let mut set = JoinSet::new();
            set.spawn(pending::<()>()).abort();
            set.join_all().await
        })
    });
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("was cancelled"), "{message}");
}

#[test]
fn join_next_dropped_loses_nothing() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async {
            yield_now().await;
            5
        });
        for _ in 0..3 {
            // Polled once and dropped.
            rt::select! {
                biased;
                _ = set.join_next() => panic!("nothing has ended yet"),
                _ = ready(()) => {}
            }
        }
        assert_eq!(set.join_next().await.unwrap().unwrap(), 5);
    });
}

#[test]
fn last_poller_is_woken_and_no_other() {
    let runtime = flavor::one_thread();
    let mut set = JoinSet::new();
    set.spawn_on(async { 1 }, runtime.handle());
    let wakes: [_; 2] = std::array::from_fn(|_| Arc::new(CountWakes(AtomicUsize::new(0))));
    for counter in &wakes {
        let waker = Waker::from(Arc::clone(counter));
        assert!(set.poll_join_next(&mut Context::from_waker(&waker)).is_pending());
    }
    runtime.block_on(yield_now());
    assert_eq!(wakes.each_ref().map(|wakes| wakes.0.load(Ordering::SeqCst)), [0, 1]);
    let waker = Waker::noop();
    assert!(matches!(set.poll_join_next(&mut Context::from_waker(waker)), Poll::Ready(Some(Ok(1)))));
    assert!(matches!(set.poll_join_next(&mut Context::from_waker(waker)), Poll::Ready(None)));
}

#[test]
fn local_tasks() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        let sum = Rc::new(Cell::new(0));
        for n in 1..=4 {
            let sum = Rc::clone(&sum);
            set.spawn_local(async move {
                sum.set(sum.get() + n);
                sum
            });
        }
        while let Some(output) = set.join_next().await {
            assert!(Rc::ptr_eq(&output.unwrap(), &sum));
        }
        assert_eq!(sum.get(), 10);
    });
}

#[test]
fn blocking_calls() {
    flavor::block_on(async {
        let (release, released) = mpsc::channel();
        let mut set = JoinSet::new();
        set.spawn_blocking(move || released.recv().unwrap());
        let runtime = rt::runtime::Handle::current();
        set.spawn_blocking_on(|| 1, &runtime);
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        release.send(2).unwrap();
        assert_eq!(set.join_next().await.unwrap().unwrap(), 2);
    });
}

#[test]
fn blocking_call_that_has_started_is_not_aborted() {
    flavor::block_on(async {
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let mut set = JoinSet::new();
        set.spawn_blocking(move || {
            started.send(()).unwrap();
            released.recv().unwrap();
            "to the end"
        });
        has_started.recv().unwrap();
        set.abort_all();
        release.send(()).unwrap();
        assert_eq!(set.join_next().await.unwrap().unwrap(), "to the end");
    });
}

#[test]
fn blocking_call_that_waits_is_aborted() {
    let runtime = flavor::builder().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (release, released) = mpsc::channel();
        let mut set = JoinSet::new();
        set.spawn_blocking(move || released.recv().unwrap());
        set.spawn_blocking(|| unreachable!("it never starts")).abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        release.send(()).unwrap();
        set.join_next().await.unwrap().unwrap();
    });
}

#[test]
fn tasks_of_another_runtime_on_another_thread() {
    let other = flavor::builder().build().unwrap();
    let handle = other.handle().clone();
    let (stop, stopped) = futures_util::future::abortable(pending::<()>());
    std::thread::scope(|scope| {
        scope.spawn(|| other.block_on(stop));
        flavor::block_on(async {
            let mut set = JoinSet::new();
            for n in 0..1_000 {
                set.spawn_on(
                    async move {
                        if n % 2 == 0 {
                            yield_now().await;
                        }
                        n
                    },
                    &handle,
                );
            }
            let mut seen = BTreeSet::new();
            while let Some(n) = set.join_next().await {
                assert!(seen.insert(n.unwrap()));
            }
            assert!(seen.into_iter().eq(0..1_000));
        });
        stopped.abort();
    });
}

#[test]
fn set_moved_to_another_thread_while_its_tasks_run() {
    let runtime = flavor::builder().build().unwrap();
    let barrier = Barrier::new(2);
    let mut set = JoinSet::new();
    for n in 0..100 {
        set.spawn_on(async move { n }, runtime.handle());
    }
    std::thread::scope(|scope| {
        let joiner = scope.spawn(|| {
            barrier.wait();
            futures_executor::block_on(set.join_all())
        });
        barrier.wait();
        while !joiner.is_finished() {
            runtime.block_on(yield_now());
        }
        assert_eq!(joiner.join().unwrap(), (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn spawned_on_a_runtime_that_is_gone() {
    let handle = flavor::builder().build().unwrap().handle().clone();
    let mut set = JoinSet::new();
    let switch = set.spawn_on(async { 1 }, &handle);
    assert!(switch.is_finished());
    assert_eq!(set.len(), 1);
    assert!(set.try_join_next().unwrap().unwrap_err().is_cancelled());
    set.spawn_on(async { 1 }, &handle);
    assert!(futures_executor::block_on(set.join_next()).unwrap().unwrap_err().is_cancelled());
}

#[test]
fn runtime_dropped_before_its_set() {
    let runtime = flavor::one_thread();
    let mut set = JoinSet::new();
    set.spawn_on(async { 1 }, runtime.handle());
    runtime.block_on(yield_now());
    set.spawn_on(pending(), runtime.handle());
    drop(runtime);
    assert_eq!(set.try_join_next().unwrap().unwrap(), 1);
    assert!(set.try_join_next().unwrap().unwrap_err().is_cancelled());
    assert!(set.try_join_next().is_none());
}

#[test]
fn set_in_a_task_of_its_own_runtime_that_shuts_down() {
    let drops = Arc::new(AtomicUsize::new(0));
    let runtime = flavor::builder().build().unwrap();
    let guard = CountDrops(Arc::clone(&drops));
    runtime.spawn(async move {
        let mut set = JoinSet::new();
        set.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        set.join_next().await;
    });
    runtime.block_on(yield_now());
    drop(runtime);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
#[should_panic(expected = "there is no rt runtime on this thread")]
fn spawn_outside_of_a_runtime() {
    JoinSet::new().spawn(async {});
}

#[test]
fn many_tasks_end_in_one_turn() {
    flavor::one_thread().block_on(async {
        let mut set: JoinSet<usize> = (0..100_000).map(ready).collect();
        assert_eq!(set.len(), 100_000);
        let mut next = 0;
        while let Some(n) = set.join_next().await {
            assert_eq!(n.unwrap(), next);
            next += 1;
        }
        assert_eq!(next, 100_000);
    });
}

#[test]
fn joining_gives_way_to_other_tasks() {
    flavor::block_on(async {
        let mut set: JoinSet<usize> = (0..10_000).map(ready).collect();
        yield_now().await;
        let others = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&others);
        let other = rt::spawn(async move {
            loop {
                counter.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
            }
        });
        let join = rt::spawn(async move { while set.join_next().await.is_some() {} });
        join.await.unwrap();
        other.abort();
        assert!(others.load(Ordering::SeqCst) >= 10_000 / 128, "{others:?}");
    });
}

#[test]
fn extended() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        set.extend([1, 2].map(ready));
        set.extend([3].map(ready));
        assert_eq!(set.join_all().await, [1, 2, 3]);
    });
}

#[test]
fn debug_says_how_many() {
    flavor::block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async {});
        assert_eq!(format!("{set:?}"), "JoinSet { len: 1, .. }");
    });
}

#[test]
fn sets_side_by_side() {
    flavor::one_thread().block_on(async {
        let sets = (0..10).map(|n| (0..10).map(|m| ready(n * 10 + m)).collect::<JoinSet<usize>>());
        let outputs = join_all(sets.map(JoinSet::join_all)).await.concat();
        assert!(outputs.into_iter().eq(0..100));
    });
}
