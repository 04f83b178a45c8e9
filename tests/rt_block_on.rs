//! `Runtime::block_on` and `rt::block_on`: what they run, in which order, and what they leave behind.

#![allow(clippy::async_yields_async, reason = "tasks go on when the `block_on` that spawned them has returned")]

mod support;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;

use rt::net::TcpListener;
use rt::runtime::Handle;
use rt::task::yield_now;
use support::{Holding, Trace, on_drop, one_thread, panic_of, runtime, workers};

#[test]
fn output_is_handed_back() {
    assert_eq!(runtime().block_on(async { 40 + 2 }), 42);
}

#[test]
fn future_borrows_from_its_caller_and_is_not_send() {
    let words = RefCell::new(vec!["one"]);
    let shared = Rc::new(5);
    runtime().block_on(async {
        words.borrow_mut().push("two");
        yield_now().await;
        assert_eq!(*shared, 5);
    });
    assert_eq!(words.into_inner(), ["one", "two"]);
}

#[test]
fn future_is_polled_before_any_task() {
    let runtime = support::one_thread();
    let trace = Trace::default();
    let from_task = trace.clone();
    runtime.spawn(async move { from_task.say("task") });
    runtime.block_on(async {
        trace.say("future");
        yield_now().await;
        trace.say("future again");
    });
    assert_eq!(trace.take(), ["future", "task", "future again"]);
}

#[test]
fn future_that_is_ready_at_once_runs_no_task() {
    let runtime = support::one_thread();
    let trace = Trace::default();
    let from_task = trace.clone();
    runtime.spawn(async move { from_task.say("task") });
    runtime.block_on(ready(()));
    assert!(trace.take().is_empty());
    runtime.block_on(yield_now());
    assert_eq!(trace.take(), ["task"]);
}

#[test]
fn tasks_go_on_in_the_next_call() {
    let runtime = runtime();
    let (sender, receiver) = oneshot::channel::<u32>();
    let task = runtime.spawn(async { receiver.await.unwrap() + 1 });
    runtime.block_on(yield_now());
    assert!(!task.is_finished());
    sender.send(1).unwrap();
    // Another worker may have run it already.
    assert!(workers() > 0 || !task.is_finished(), "nothing runs between two calls on one thread");
    assert_eq!(runtime.block_on(task).unwrap(), 2);
}

#[test]
fn panic_reaches_the_caller_and_the_runtime_goes_on() {
    let runtime = runtime();
    let (sender, receiver) = oneshot::channel::<u32>();
    let task = runtime.spawn(receiver);
    let message = panic_of(|| {
        runtime.block_on(async {
            yield_now().await;
            panic!("on purpose");
        })
    });
    assert_eq!(message, "on purpose");
    sender.send(3).unwrap();
    assert_eq!(runtime.block_on(task).unwrap().unwrap(), 3);
    assert!(Handle::try_current().is_err(), "the panic left the runtime");
}

#[test]
fn woken_by_another_thread_while_it_sleeps() {
    let runtime = runtime();
    for _ in 0..100 {
        let (sender, receiver) = oneshot::channel();
        let (asleep, is_asleep) = mpsc::channel();
        let thread = thread::spawn(move || {
            is_asleep.recv().unwrap();
            sender.send(7).unwrap();
        });
        let mut receiver = receiver;
        let output = runtime.block_on(poll_fn(|cx| {
            let poll = std::pin::Pin::new(&mut receiver).poll(cx);
            let _ = asleep.send(());
            poll
        }));
        assert_eq!(output, Ok(7));
        thread.join().unwrap();
    }
}

#[test]
fn wake_within_the_poll_polls_again() {
    let mut polls = 0;
    runtime().block_on(poll_fn(|cx| {
        polls += 1;
        cx.waker().wake_by_ref();
        cx.waker().wake_by_ref();
        if polls == 1_000 { Poll::Ready(()) } else { Poll::Pending }
    }));
    assert_eq!(polls, 1_000);
}

#[test]
fn polled_only_when_woken() {
    let runtime = runtime();
    let polls = Cell::new(0);
    runtime.block_on(async {
        let (sender, receiver) = oneshot::channel();
        let mut receiver = Box::pin(receiver);
        rt::spawn(async move {
            for _ in 0..1_000 {
                yield_now().await;
            }
            sender.send(()).unwrap();
        });
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            receiver.as_mut().poll(cx)
        })
        .await
        .unwrap();
    });
    assert_eq!(polls.get(), 2);
}

#[test]
fn waker_of_an_earlier_call_disturbs_nothing() {
    let runtime = runtime();
    let old: Waker = runtime.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
    old.wake_by_ref();
    let polls = Cell::new(0);
    let spin = rt::task::yield_now;
    runtime.block_on(async {
        let task = rt::spawn(async move {
            for _ in 0..10 {
                old.wake_by_ref();
                spin().await;
            }
        });
        let mut task = task;
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            std::pin::Pin::new(&mut task).poll(cx)
        })
        .await
        .unwrap();
    });
    assert_eq!(polls.get(), 2);
}

#[test]
fn many_short_calls_starve_neither_events_nor_deadlines_nor_other_threads() {
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let accept = runtime.spawn(async move { listener.accept().await.map(|_| ()) });
    let sleep = runtime.spawn(async { rt::time::sleep(Duration::from_millis(1)).await });
    runtime.block_on(yield_now());
    let client = TcpStream::connect(address).unwrap();
    let handle = runtime.handle().clone();
    let spawned = thread::spawn(move || handle.spawn(async {})).join().unwrap();
    while !(accept.is_finished() && sleep.is_finished() && spawned.is_finished()) {
        runtime.block_on(yield_now());
    }
    drop(client);
    runtime.block_on(accept).unwrap().unwrap();
}

#[test]
fn future_is_dropped_within_the_runtime() {
    let runtime = support::one_thread();
    let (sender, receiver) = mpsc::channel();
    let held = on_drop(move || drop(rt::spawn(async move { sender.send("spawned").unwrap() })));
    runtime.block_on(Holding(held));
    runtime.block_on(yield_now());
    assert_eq!(receiver.try_recv(), Ok("spawned"));
}

#[test]
fn future_is_no_task() {
    runtime().block_on(async {
        assert_eq!(rt::task::try_id(), None);
        rt::spawn(async {}).await.unwrap();
        assert_eq!(rt::task::try_id(), None);
    });
}

#[test]
fn current_is_the_runtime_that_is_driven() {
    let runtime = support::one_thread();
    let (sender, receiver) = mpsc::channel();
    runtime.block_on(async {
        Handle::current().spawn(async move { sender.send(Handle::try_current().is_ok()).unwrap() });
    });
    assert!(Handle::try_current().is_err());
    runtime.block_on(yield_now());
    assert_eq!(receiver.try_recv(), Ok(true));
}

#[test]
fn free_function_makes_a_runtime_of_its_own() {
    assert!(Handle::try_current().is_err());
    let task = support::block_on(std::future::poll_fn(|_| std::task::Poll::Ready(rt::spawn(pending::<()>()))));
    assert!(task.is_finished(), "its runtime is gone");
    assert!(support::block_on(task).unwrap_err().is_cancelled());
}

#[test]
fn free_function_where_a_runtime_was_entered() {
    let runtime = one_thread();
    let task = {
        let _entered = runtime.enter();
        rt::block_on(std::future::poll_fn(|_| std::task::Poll::Ready(rt::spawn(async { 5 }))))
    };
    assert!(!task.is_finished(), "its runtime is there and was not driven");
    assert_eq!(runtime.block_on(task).unwrap(), 5);
}

#[test]
fn free_function_in_a_blocking_call() {
    let runtime = runtime();
    let output = runtime.block_on(async {
        rt::spawn_blocking(|| support::block_on(async { rt::spawn(async { 6 }).await.unwrap() })).await.unwrap()
    });
    assert_eq!(output, 6);
}

#[test]
fn error_is_an_output_like_any_other() {
    let result: io::Result<()> = support::block_on(async { Err(io::ErrorKind::NotFound.into()) });
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
}
