//! Several runtimes: within one another, one after another, side by side, handed from thread to thread.

#![allow(clippy::async_yields_async, reason = "tasks go on when the `block_on` that spawned them has returned")]

mod support;

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;

use rt::runtime::{Handle, Runtime};
use rt::task::yield_now;
use rt::time::{Instant, sleep};
use support::{Trace, panic_of, pending_with, runtime};

const NESTED: &str = "this thread drives a runtime already, so it cannot block on another future: `.await` the future instead, \
                      or move the blocking code into `rt::spawn_blocking`";

#[test]
fn block_on_within_block_on() {
    let other = runtime();
    support::block_on(async {
        assert_eq!(panic_of(|| support::block_on(async {})), NESTED);
        assert_eq!(panic_of(|| other.block_on(async {})), NESTED);
        assert_eq!(panic_of(|| other.handle().block_on(async {})), NESTED);
        assert_eq!(panic_of(|| Handle::current().block_on(async {})), NESTED);
        assert_eq!(rt::spawn(async { 1 }).await.unwrap(), 1);
    });
    assert_eq!(other.block_on(async { 2 }), 2);
}

#[test]
fn block_on_within_a_task() {
    support::block_on(async {
        let task = rt::spawn(async { support::block_on(async {}) });
        assert_eq!(support::text(task.await.unwrap_err().into_panic()), NESTED);
        let task = rt::spawn_local(async { support::block_on(async {}) });
        assert_eq!(support::text(task.await.unwrap_err().into_panic()), NESTED);
    });
}

#[test]
fn block_on_of_a_blocking_call_is_allowed() {
    let runtime = runtime();
    let output = runtime.block_on(async {
        rt::spawn_blocking(|| {
            let inner = support::runtime();
            let within = inner.block_on(async { rt::spawn(async { 1 }).await.unwrap() });
            let around = Handle::current().block_on(async { rt::spawn(async { 2 }).await.unwrap() });
            within + around
        })
        .await
        .unwrap()
    });
    assert_eq!(output, 3);
}

#[test]
fn made_and_dropped_within_a_task() {
    let trace = Trace::default();
    support::block_on(async {
        let held = trace.on_drop("inner task");
        rt::spawn(async move {
            let inner = support::builder().build().unwrap();
            let task = inner.spawn(pending_with(held));
            inner.spawn_blocking(|| ()).await.unwrap();
            drop(inner);
            assert!(task.await.unwrap_err().is_cancelled());
            // And the one around works as before.
            rt::spawn(yield_now()).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        })
        .await
        .unwrap();
    });
    assert_eq!(trace.take(), ["inner task"]);
}

#[test]
fn entered_within_a_task() {
    let other = support::one_thread();
    support::one_thread().block_on(async {
        let here = rt::spawn(async { "here" });
        let there = {
            let _entered = other.enter();
            rt::spawn(async { "there" })
        };
        yield_now().await;
        assert!(here.is_finished() && !there.is_finished());
        let waited = thread::spawn(move || other.block_on(there).unwrap()).join().unwrap();
        assert_eq!(waited, "there");
    });
}

#[test]
fn driven_where_another_was_entered() {
    let (outer, inner) = (support::one_thread(), support::one_thread());
    let _entered = outer.enter();
    let task = inner.block_on(async { rt::spawn(async { 1 }) });
    assert_eq!(inner.block_on(task).unwrap(), 1, "within, it is the one that is driven");
    let task = rt::spawn(async { 2 });
    inner.block_on(yield_now());
    assert!(!task.is_finished(), "afterwards, it is the one that was entered");
    assert_eq!(outer.block_on(task).unwrap(), 2);
}

#[test]
fn guards_in_order() {
    let (first, second) = (runtime(), runtime());
    {
        let _outer = first.enter();
        let task = {
            let _inner = second.enter();
            rt::spawn(async { 2 })
        };
        let outer = rt::spawn(async { 1 });
        assert_eq!(second.block_on(task).unwrap(), 2);
        assert_eq!(first.block_on(outer).unwrap(), 1);
    }
    assert!(Handle::try_current().is_err());
}

#[test]
fn guards_out_of_order() {
    // On a thread of its own, which is in the state that the misuse left.
    let message = thread::spawn(|| {
        let (first, second) = (runtime(), runtime());
        let outer = first.enter();
        let _inner = second.enter();
        panic_of(|| drop(outer))
    })
    .join()
    .unwrap();
    assert!(message.contains("dropped in the opposite order of their making"), "{message}");
}

#[test]
fn in_sequence() {
    for n in 0..50 {
        let runtime = runtime();
        let task = runtime.spawn(async move {
            sleep(Duration::ZERO).await;
            n
        });
        assert_eq!(runtime.block_on(task).unwrap(), n);
        runtime.spawn(pending::<()>());
    }
}

#[test]
fn many_at_once_on_one_thread() {
    let runtimes: Vec<_> = (0..20).map(|_| runtime()).collect();
    let tasks: Vec<_> = runtimes.iter().enumerate().map(|(n, runtime)| runtime.spawn(async move { n })).collect();
    for (n, (runtime, task)) in runtimes.iter().zip(tasks).enumerate().rev() {
        assert_eq!(runtime.block_on(task).unwrap(), n);
    }
}

#[test]
fn one_waits_for_a_task_of_the_other() {
    let (a, b) = (runtime(), runtime());
    let (sender, receiver) = oneshot::channel();
    let in_b = b.spawn(async move { receiver.await.unwrap() + 1 });
    a.block_on(async move { rt::spawn(async move { sender.send(1).unwrap() }).await.unwrap() });
    // Woken by `a` while nobody drove `b`.
    assert_eq!(b.block_on(in_b).unwrap(), 2);
}

#[test]
fn driven_in_turns_on_one_thread() {
    let (a, b) = (runtime(), runtime());
    let local = |n: u32| async move {
        let counter = Rc::new(Cell::new(0));
        let clone = Rc::clone(&counter);
        let task = rt::spawn_local(async move {
            loop {
                clone.set(clone.get() + 1);
                yield_now().await;
            }
        });
        (task, counter, n)
    };
    let (in_a, in_b) = (a.block_on(local(1)), b.block_on(local(2)));
    for turn in 1..=10 {
        a.block_on(yield_now());
        assert_eq!((in_a.1.get(), in_b.1.get()), (turn, turn - 1), "each runs only its own");
        b.block_on(yield_now());
        assert_eq!((in_a.1.get(), in_b.1.get()), (turn, turn));
    }
}

#[test]
fn moved_between_threads() {
    let mut runtime = support::one_thread();
    let (sender, receiver) = mpsc::channel();
    let task = runtime.spawn(async move {
        loop {
            sender.send(thread::current().id()).unwrap();
            yield_now().await;
        }
    });
    for _ in 0..10 {
        let here;
        (runtime, here) = thread::spawn(move || {
            runtime.block_on(yield_now());
            (runtime, thread::current().id())
        })
        .join()
        .unwrap();
        let ran: Vec<_> = receiver.try_iter().collect();
        assert!(!ran.is_empty() && ran.iter().all(|&thread| thread == here));
    }
    task.abort();
    assert!(runtime.block_on(task).map(|(): ()| ()).unwrap_err().is_cancelled());
}

#[test]
fn sockets_and_timers_move_along() {
    let runtime = runtime();
    let (address, accepted) = runtime.block_on(async {
        let listener = rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = rt::spawn(async move { listener.accept().await.unwrap().1 });
        rt::spawn(sleep(Duration::from_millis(1)));
        yield_now().await;
        (address, accepted)
    });
    let client = thread::spawn(move || {
        let client = std::net::TcpStream::connect(address).unwrap();
        let peer = runtime.block_on(accepted).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        runtime
    });
    drop(client.join().unwrap());
}

#[test]
fn clocks_are_their_own() {
    let paused = support::builder().start_paused(true).build().unwrap();
    let running = runtime();
    let elapsed = |runtime: &Runtime, duration| {
        runtime.block_on(async move {
            let start = Instant::now();
            sleep(duration).await;
            start.elapsed()
        })
    };
    assert_eq!(elapsed(&paused, Duration::from_secs(86_400)), Duration::from_secs(86_400));
    assert!(elapsed(&running, Duration::from_millis(1)) < Duration::from_secs(86_400));
}

#[test]
fn timer_of_one_awaited_in_the_other() {
    let (a, b) = (runtime(), runtime());
    let timer = a.block_on(async { Box::pin(sleep(Duration::from_millis(1))) });
    thread::scope(|scope| {
        let (stop, stopped) = oneshot::channel::<()>();
        let a = &a;
        scope.spawn(move || a.block_on(async { stopped.await.unwrap() }));
        b.block_on(timer);
        stop.send(()).unwrap();
    });
}
