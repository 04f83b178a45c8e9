//! Several threads and one current-thread runtime: who drives, who waits, who takes over.

mod support;

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_channel::oneshot;

use rt::runtime::Runtime;
use rt::task::yield_now;
use rt::time::sleep;
use support::{Trace, one_thread, panic_of, runtime};

/// Runs `f` on a thread of the scope that drives `runtime` for sure, since its task has run there.
fn driving(runtime: &Runtime, until: impl Future) {
    runtime.block_on(async {
        rt::spawn(async {}).await.unwrap();
        until.await;
    });
}

/// Completes when `future` has been polled once and was pending; then it tells `polled`.
async fn tell_when_pending<F: Future>(future: F, polled: mpsc::Sender<ThreadId>) -> F::Output {
    let mut future = pin!(future);
    let mut polled = Some(polled);
    poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        if poll.is_pending()
            && let Some(polled) = polled.take()
        {
            let _ = polled.send(thread::current().id());
        }
        poll
    })
    .await
}

#[test]
fn second_thread_polls_only_its_own_future() {
    let runtime = support::one_thread();
    let (stop, stopped) = oneshot::channel::<()>();
    let (driven, is_driven) = mpsc::channel();
    thread::scope(|scope| {
        let driver = scope.spawn(|| {
            driving(&runtime, tell_when_pending(stopped, driven));
            thread::current().id()
        });
        is_driven.recv().unwrap();
        let ran_on = runtime.block_on(async {
            let mut ran_on = HashSet::new();
            for _ in 0..100 {
                ran_on.insert(rt::spawn(async { thread::current().id() }).await.unwrap());
            }
            ran_on
        });
        stop.send(()).unwrap();
        assert_eq!(ran_on, HashSet::from([driver.join().unwrap()]));
    });
}

#[test]
fn second_thread_takes_over_when_the_first_leaves() {
    for _ in 0..100 {
        let runtime = one_thread();
        let (driven, is_driven) = mpsc::channel();
        let (waits, is_waiting) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (work, wait) = oneshot::channel::<()>();
        let task = runtime.spawn(async {
            wait.await.unwrap();
            thread::current().id()
        });
        thread::scope(|scope| {
            let first = scope.spawn(|| driving(&runtime, tell_when_pending(stopped, driven)));
            is_driven.recv().unwrap();
            let second = scope.spawn(|| {
                let ran_on = runtime.block_on(tell_when_pending(task, waits)).unwrap();
                assert_eq!(ran_on, thread::current().id());
            });
            is_waiting.recv().unwrap();
            stop.send(()).unwrap();
            first.join().unwrap();
            // Nobody drives now but the second.
            work.send(()).unwrap();
            second.join().unwrap();
        });
    }
}

#[test]
fn second_thread_takes_over_when_the_first_panics() {
    let runtime = runtime();
    let (driven, is_driven) = mpsc::channel();
    let (waits, is_waiting) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let (work, wait) = oneshot::channel::<()>();
    let task = runtime.spawn(async { wait.await.unwrap() });
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            panic_of(|| {
                driving(&runtime, async {
                    let _ = tell_when_pending(stopped, driven).await;
                    panic!("on purpose");
                })
            })
        });
        is_driven.recv().unwrap();
        let second = scope.spawn(|| runtime.block_on(tell_when_pending(task, waits)).unwrap());
        is_waiting.recv().unwrap();
        stop.send(()).unwrap();
        assert_eq!(first.join().unwrap(), "on purpose");
        work.send(()).unwrap();
        second.join().unwrap();
    });
}

#[test]
fn waiting_thread_panics_and_the_driver_goes_on() {
    let runtime = runtime();
    let (driven, is_driven) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| driving(&runtime, tell_when_pending(stopped, driven)));
        is_driven.recv().unwrap();
        let message = panic_of(|| {
            runtime.block_on(async {
                rt::spawn(async {}).await.unwrap();
                panic!("on purpose")
            })
        });
        assert_eq!(message, "on purpose");
        assert_eq!(runtime.block_on(async { rt::spawn(async { 1 }).await.unwrap() }), 1);
        stop.send(()).unwrap();
    });
    assert_eq!(runtime.block_on(async { rt::spawn(async { 2 }).await.unwrap() }), 2);
}

#[test]
fn each_of_many_threads_gets_its_output() {
    let runtime = runtime();
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for n in 0..8 {
            let (runtime, barrier) = (&runtime, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for m in 0..50 {
                    let output = runtime.block_on(async move {
                        let task = rt::spawn(async move {
                            yield_now().await;
                            n * m
                        });
                        if m % 10 == 0 {
                            sleep(Duration::from_millis(1)).await;
                        }
                        task.await.unwrap()
                    });
                    assert_eq!(output, n * m);
                }
            });
        }
    });
}

#[test]
fn tasks_run_on_one_thread_at_a_time() {
    let runtime = one_thread();
    let barrier = Barrier::new(4);
    let inside = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            let (runtime, barrier, inside) = (&runtime, &barrier, &inside);
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..100 {
                    let inside = Arc::clone(inside);
                    runtime.block_on(async move {
                        rt::spawn(async move {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two tasks at once");
                            thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                        })
                        .await
                        .unwrap();
                    });
                }
            });
        }
    });
}

#[test]
fn waiting_thread_that_is_done_first_leaves_the_driver_alone() {
    let runtime = runtime();
    let (driven, is_driven) = mpsc::channel();
    let (waits, is_waiting) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let (first, only) = oneshot::channel::<()>();
    thread::scope(|scope| {
        let driver = scope.spawn(|| driving(&runtime, tell_when_pending(stopped, driven)));
        is_driven.recv().unwrap();
        let waiter = scope.spawn(|| runtime.block_on(tell_when_pending(only, waits)).unwrap());
        is_waiting.recv().unwrap();
        first.send(()).unwrap();
        waiter.join().unwrap();
        assert!(!driver.is_finished());
        stop.send(()).unwrap();
    });
}

/// Other workers would.
#[test]
fn handle_block_on_runs_no_task() {
    let runtime = one_thread();
    let trace = Trace::default();
    let said = trace.clone();
    let task = runtime.spawn(async move { said.say("task") });
    runtime.handle().block_on(async {
        rt::spawn(async {});
        yield_now().await;
    });
    assert!(trace.take().is_empty() && !task.is_finished());
    runtime.block_on(task).unwrap();
    assert_eq!(trace.take(), ["task"]);
}

#[test]
fn handle_block_on_while_a_lock_is_held_that_a_task_wants() {
    let runtime = runtime();
    let lock = Arc::new(Mutex::new(0));
    let (wanted, is_wanted) = oneshot::channel();
    let theirs = Arc::clone(&lock);
    let task = runtime.spawn(async move {
        wanted.send(()).unwrap();
        *theirs.lock().unwrap() += 1;
    });
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        {
            let mut held = lock.lock().unwrap();
            scope.spawn(|| runtime.block_on(async { stopped.await.unwrap() }));
            // The driver's task blocks on the lock; this thread waits within the runtime and does not run into it.
            runtime.handle().block_on(is_wanted).unwrap();
            *held += 1;
        }
        futures_executor::block_on(task).unwrap();
        stop.send(()).unwrap();
    });
    assert_eq!(*lock.lock().unwrap(), 2);
}

#[test]
fn handle_block_on_uses_what_the_driver_serves() {
    let runtime = runtime();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(async { stopped.await.unwrap() }));
        runtime.handle().block_on(async {
            sleep(Duration::from_millis(1)).await;
            let listener = rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (client, accepted) = rt::join!(rt::net::TcpStream::connect(address), listener.accept());
            assert_eq!(client.unwrap().local_addr().unwrap(), accepted.unwrap().1);
            assert_eq!(rt::spawn_blocking(|| 5).await.unwrap(), 5);
        });
        stop.send(()).unwrap();
    });
}

#[test]
fn handle_block_on_panics_and_leaves() {
    let runtime = runtime();
    assert_eq!(panic_of(|| runtime.handle().block_on(async { panic!("on purpose") })), "on purpose");
    assert!(rt::runtime::Handle::try_current().is_err());
    assert_eq!(runtime.handle().block_on(async { 1 }), 1);
}

#[test]
fn worker_that_sleeps_hears_a_wake_while_threads_take_turns() {
    let runtime = runtime();
    let stop = Arc::new(AtomicBool::new(false));
    let wakes = Arc::new(AtomicUsize::new(0));
    let (waker, given) = mpsc::channel();
    let count = Arc::clone(&wakes);
    runtime.spawn(poll_fn(move |cx| {
        count.fetch_add(1, Ordering::SeqCst);
        waker.send(cx.waker().clone()).unwrap();
        Poll::<()>::Pending
    }));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    runtime.block_on(yield_now());
                }
            });
        }
        for _ in 0..1_000 {
            given.recv().unwrap().wake();
        }
        given.recv().unwrap();
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(wakes.load(Ordering::SeqCst), 1_001);
}

#[test]
fn runtime_shared_and_dropped_by_the_last_thread() {
    let runtime = Arc::new(runtime());
    let trace = Trace::default();
    runtime.spawn(support::pending_with(trace.on_drop("task")));
    let barrier = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (runtime, barrier) = (Arc::clone(&runtime), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                runtime.block_on(async { rt::spawn(async {}).await.unwrap() });
            })
        })
        .collect();
    drop(runtime);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(trace.take(), ["task"]);
}

#[test]
fn pending_future_of_a_waiting_thread_is_dropped_on_it() {
    let runtime = runtime();
    let (driven, is_driven) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| driving(&runtime, tell_when_pending(stopped, driven)));
        is_driven.recv().unwrap();
        let here = thread::current().id();
        let dropped_on = Arc::new(Mutex::new(None));
        let place = Arc::clone(&dropped_on);
        let guard = support::on_drop(move || {
            // Within the runtime, as everywhere.
            drop(rt::spawn(async {}));
            *place.lock().unwrap() = Some(thread::current().id());
        });
        runtime.block_on(support::Holding(guard));
        assert_eq!(*dropped_on.lock().unwrap(), Some(here));
        stop.send(()).unwrap();
    });
}
