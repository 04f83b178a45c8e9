//! `spawn_blocking` as its users see it.

mod support;

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;

use rt::runtime::Handle;
use rt::task::yield_now;
use rt::time::{Instant, sleep};
use support::{Trace, Wakes, panic_of, runtime};

#[test]
fn runs_on_another_thread() {
    support::block_on(async {
        let there = rt::spawn_blocking(|| thread::current().id()).await.unwrap();
        assert_ne!(there, thread::current().id());
    });
}

#[test]
fn tasks_run_meanwhile() {
    support::block_on(async {
        let (release, released) = mpsc::channel();
        let call = rt::spawn_blocking(move || released.recv().unwrap());
        rt::spawn(async move {
            yield_now().await;
            release.send("released").unwrap();
        });
        assert_eq!(call.await.unwrap(), "released");
    });
}

#[test]
fn calls_run_side_by_side() {
    support::block_on(async {
        let barrier = Arc::new(Barrier::new(10));
        let calls = (0..10).map(|n| {
            let barrier = Arc::clone(&barrier);
            rt::spawn_blocking(move || {
                barrier.wait();
                n
            })
        });
        let outputs = join_all(calls).await;
        assert!(outputs.into_iter().map(Result::unwrap).eq(0..10));
    });
}

#[test]
fn calls_start_in_order() {
    let runtime = support::builder().max_blocking_threads(1).build().unwrap();
    let trace = Trace::default();
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let trace = trace.clone();
            runtime.spawn_blocking(move || trace.say(n.to_string()))
        })
        .collect();
    runtime.block_on(join_all(calls));
    assert!(trace.take().into_iter().eq((0..20).map(|n| n.to_string())));
}

#[test]
fn from_a_call() {
    support::block_on(async {
        let output = rt::spawn_blocking(|| {
            let inner = rt::spawn_blocking(|| 1);
            let task = rt::spawn(async { 2 });
            Handle::current().block_on(async { inner.await.unwrap() + task.await.unwrap() })
        });
        assert_eq!(output.await.unwrap(), 3);
    });
}

#[test]
fn from_a_plain_thread_without_anybody_in_block_on() {
    let runtime = runtime();
    let call = runtime.spawn_blocking(|| 6);
    assert_eq!(futures_executor::block_on(call).unwrap(), 6);
}

#[test]
fn not_driving_within_a_call() {
    support::block_on(async {
        rt::spawn_blocking(|| {
            assert!(Handle::try_current().is_ok());
            assert_eq!(rt::task::try_id(), None);
            // So it may block on what it likes.
            assert_eq!(support::block_on(async { 1 }), 1);
        })
        .await
        .unwrap();
    });
}

#[test]
fn detached_call_runs() {
    support::block_on(async {
        let (sender, receiver) = futures_channel::oneshot::channel();
        drop(rt::spawn_blocking(move || sender.send("ran").unwrap()));
        assert_eq!(receiver.await, Ok("ran"));
    });
}

#[test]
fn last_poller_is_woken() {
    let runtime = runtime();
    let (release, released) = mpsc::channel::<()>();
    let mut call = runtime.spawn_blocking(move || released.recv().unwrap());
    let wakes: [_; 2] = std::array::from_fn(|_| Arc::new(Wakes::default()));
    for counter in &wakes {
        let waker = Waker::from(Arc::clone(counter));
        assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    release.send(()).unwrap();
    runtime.shutdown_timeout(Duration::from_secs(600));
    assert!(call.is_finished());
    assert_eq!(wakes.map(|wakes| wakes.count()), [0, 1]);
}

#[test]
fn polled_after_it_was_joined() {
    let message = panic_of(|| {
        support::block_on(async {
            let mut call = rt::spawn_blocking(|| ());
            (&mut call).await.unwrap();
            let _ = (&mut call).await;
        })
    });
    assert!(message.contains("again"), "{message}");
}

#[test]
fn ids_and_texts() {
    support::block_on(async {
        let (release, released) = mpsc::channel::<()>();
        let mut seen = HashSet::new();
        let call = rt::spawn_blocking(move || released.recv().unwrap());
        let task = rt::spawn(async {});
        assert!(seen.insert(call.id()) && seen.insert(task.id()));
        let id = call.id();
        assert_eq!(call.abort_handle().id(), id);
        assert_eq!(format!("{call:?}"), format!("JoinHandle {{ id: {id:?}, finished: false }}"));
        release.send(()).unwrap();
        call.await.unwrap();
    });
}

#[test]
fn error_of_a_call_that_panicked() {
    support::block_on(async {
        let call = rt::spawn_blocking(|| panic!("on purpose"));
        let id = call.id();
        let error = call.await.map(|(): ()| ()).unwrap_err();
        assert_eq!(error.id(), id);
        assert_eq!(error.to_string(), format!("task {id} panicked: on purpose"));
    });
}

#[test]
fn virtual_time_stands_while_a_call_is_out() {
    let runtime = support::builder().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        let (release, released) = mpsc::channel();
        let call = rt::spawn_blocking(move || released.recv().unwrap());
        let timer = rt::spawn(sleep(Duration::from_secs(60)));
        yield_now().await;
        yield_now().await;
        assert!(!timer.is_finished());
        release.send(()).unwrap();
        call.await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        timer.await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(60));
    });
}

#[test]
fn a_thousand_calls() {
    let runtime = support::builder().max_blocking_threads(8).build().unwrap();
    runtime.block_on(async {
        let calls: Vec<_> = (0..1_000).map(|n| rt::spawn_blocking(move || n)).collect();
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.unwrap(), n);
        }
    });
}

#[test]
fn output_is_dropped_by_the_joiner_and_the_closure_by_the_thread() {
    let trace = Trace::default();
    support::block_on(async {
        let held = trace.on_drop("closure");
        let output = trace.on_drop("output");
        let call = rt::spawn_blocking(move || {
            drop(held);
            output
        });
        let output = call.await.unwrap();
        assert_eq!(trace.take(), ["closure"]);
        drop(output);
        assert_eq!(trace.take(), ["output"]);
    });
}

#[test]
fn within_a_local_task() {
    support::block_on(async {
        let not_send = Rc::new(1);
        let task = rt::spawn_local(async move { *not_send + rt::spawn_blocking(|| 1).await.unwrap() });
        assert_eq!(task.await.unwrap(), 2);
    });
}
