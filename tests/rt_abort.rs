//! Abort, in every state of a task and from everywhere.

#![allow(clippy::waker_clone_wake, reason = "a clone's own `wake` is what is tested")]

mod support;

use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_channel::oneshot;

use rt::task::{AbortHandle, JoinHandle, yield_now};
use support::{Trace, Wakes, on_drop, one_thread, panic_of, pending_with, runtime};

async fn is_cancelled<T>(task: JoinHandle<T>) -> bool {
    task.await.err().is_some_and(|error| error.is_cancelled())
}

#[test]
fn before_the_first_poll() {
    let trace = Trace::default();
    support::block_on(async {
        let held = trace.on_drop("future");
        let polled = trace.clone();
        let task = rt::spawn(async move {
            let _held = held;
            polled.say("polled");
        });
        task.abort();
        assert!(!task.is_finished(), "it is cancelled when its turn comes");
        assert!(is_cancelled(task).await);
    });
    assert_eq!(trace.take(), ["future"]);
}

#[test]
fn while_pending() {
    let trace = Trace::default();
    support::block_on(async {
        let task = rt::spawn(pending_with(trace.on_drop("future")));
        yield_now().await;
        task.abort();
        assert!(trace.take().is_empty(), "the future is not dropped within `abort`");
        assert!(is_cancelled(task).await);
        assert_eq!(trace.take(), ["future"]);
    });
}

#[test]
fn while_woken_and_not_yet_polled() {
    let trace = Trace::default();
    support::block_on(async {
        let (sender, receiver) = oneshot::channel::<()>();
        let polled = trace.clone();
        let task = rt::spawn(async move {
            receiver.await.unwrap();
            polled.say("went on");
        });
        yield_now().await;
        sender.send(()).unwrap();
        task.abort();
        assert!(is_cancelled(task).await);
    });
    assert!(trace.take().is_empty());
}

#[test]
fn by_itself_while_it_runs() {
    let trace = Trace::default();
    support::block_on(async {
        let (give, given) = oneshot::channel::<AbortHandle>();
        let (held, said) = (trace.on_drop("future"), trace.clone());
        let task = rt::spawn(async move {
            let _held = held;
            given.await.unwrap().abort();
            said.say("runs to its next await");
            yield_now().await;
            said.say("unreachable");
        });
        give.send(task.abort_handle()).unwrap();
        assert!(is_cancelled(task).await);
    });
    assert_eq!(trace.take(), ["runs to its next await", "future"]);
}

#[test]
fn by_itself_in_the_poll_in_which_it_ends() {
    support::block_on(async {
        let (give, given) = oneshot::channel::<AbortHandle>();
        let task = rt::spawn(async move {
            given.await.unwrap().abort();
            "came to its end all the same"
        });
        give.send(task.abort_handle()).unwrap();
        assert_eq!(task.await.unwrap(), "came to its end all the same");
    });
}

#[test]
fn after_its_end() {
    support::one_thread().block_on(async {
        let task = rt::spawn(async { 1 });
        yield_now().await;
        task.abort();
        yield_now().await;
        assert_eq!(task.await.unwrap(), 1);
    });
}

#[test]
fn after_its_panic() {
    support::one_thread().block_on(async {
        let task = rt::spawn(async { panic!("on purpose") });
        yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_panic());
    });
}

#[test]
fn twice() {
    let trace = Trace::default();
    support::block_on(async {
        let task = rt::spawn(pending_with(trace.on_drop("future")));
        yield_now().await;
        task.abort();
        task.abort();
        yield_now().await;
        task.abort();
        assert!(is_cancelled(task).await);
    });
    assert_eq!(trace.take(), ["future"]);
}

#[test]
fn while_it_is_joined() {
    support::block_on(async {
        let task = rt::spawn(pending::<()>());
        let switch = task.abort_handle();
        let joiner = rt::spawn(is_cancelled(task));
        yield_now().await;
        switch.abort();
        assert!(joiner.await.unwrap());
    });
}

#[test]
fn while_it_is_joined_on_another_thread() {
    let runtime = runtime();
    let task = runtime.spawn(pending::<()>());
    let switch = task.abort_handle();
    let joiner = thread::spawn(move || futures_executor::block_on(is_cancelled(task)));
    runtime.block_on(yield_now());
    switch.abort();
    while !joiner.is_finished() {
        runtime.block_on(yield_now());
    }
    assert!(joiner.join().unwrap());
}

#[test]
fn of_the_joiner_leaves_the_joined() {
    support::block_on(async {
        let (sender, receiver) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let inner = rt::spawn(async move {
            receiver.await.unwrap();
            done.send(()).unwrap();
        });
        let outer = rt::spawn(inner);
        yield_now().await;
        outer.abort();
        assert!(is_cancelled(outer).await);
        sender.send(()).unwrap();
        is_done.await.unwrap();
    });
}

#[test]
fn through_a_handle_whose_join_handle_is_gone() {
    let trace = Trace::default();
    support::block_on(async {
        let switch = rt::spawn(pending_with(trace.on_drop("future"))).abort_handle();
        yield_now().await;
        assert!(!switch.is_finished());
        switch.clone().abort();
        yield_now().await;
        assert!(switch.is_finished());
        assert_eq!(trace.take(), ["future"]);
    });
}

#[test]
fn through_a_handle_that_outlives_task_and_runtime() {
    let runtime = runtime();
    let ended = runtime.spawn(async {}).abort_handle();
    runtime.block_on(yield_now());
    let dropped = runtime.spawn(pending::<()>()).abort_handle();
    runtime.block_on(yield_now());
    drop(runtime);
    for switch in [ended, dropped] {
        assert!(switch.is_finished());
        switch.abort();
        thread::spawn(move || {
            switch.clone().abort();
            assert!(switch.is_finished());
        })
        .join()
        .unwrap();
    }
}

#[test]
fn from_another_thread_while_the_worker_sleeps() {
    let runtime = runtime();
    let (give, given) = mpsc::channel::<AbortHandle>();
    let aborter = thread::spawn(move || given.iter().for_each(|switch| switch.abort()));
    runtime.block_on(async move {
        for _ in 0..1_000 {
            let task = rt::spawn(pending::<()>());
            yield_now().await;
            give.send(task.abort_handle()).unwrap();
            assert!(is_cancelled(task).await);
        }
    });
    aborter.join().unwrap();
}

#[test]
fn from_another_thread_while_it_runs() {
    let runtime = runtime();
    let running = Arc::new(Barrier::new(2));
    let aborted = Arc::new(Barrier::new(2));
    let barriers = (Arc::clone(&running), Arc::clone(&aborted));
    let trace = Trace::default();
    let said = trace.clone();
    let task = runtime.spawn(async move {
        barriers.0.wait();
        barriers.1.wait();
        said.say("goes on to its next await");
        pending::<()>().await;
    });
    let switch = task.abort_handle();
    let aborter = thread::spawn(move || {
        running.wait();
        switch.abort();
        aborted.wait();
    });
    assert!(runtime.block_on(is_cancelled(task)));
    assert_eq!(trace.take(), ["goes on to its next await"]);
    aborter.join().unwrap();
}

#[test]
fn from_another_thread_while_nobody_drives() {
    let trace = Trace::default();
    let runtime = one_thread();
    let task = runtime.spawn(pending_with(trace.on_drop("future")));
    runtime.block_on(yield_now());
    let switch = task.abort_handle();
    thread::spawn(move || switch.abort()).join().unwrap();
    assert!(trace.take().is_empty(), "the future is dropped by who drives, not by who aborts");
    assert!(runtime.block_on(is_cancelled(task)));
    assert_eq!(trace.take(), ["future"]);
}

#[test]
fn from_many_threads_against_wakes_and_drops() {
    let runtime = runtime();
    let barrier = Arc::new(Barrier::new(4));
    let trace = Trace::default();
    let (give, given) = mpsc::channel::<Waker>();
    let held = trace.on_drop("future");
    let task = runtime.spawn(async move {
        let _held = held;
        poll_fn(|cx| {
            let _ = give.send(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    });
    runtime.block_on(yield_now());
    let waker = given.recv().unwrap();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (barrier, switch, waker) = (Arc::clone(&barrier), task.abort_handle(), waker.clone());
            thread::spawn(move || {
                barrier.wait();
                for _ in 0..1_000 {
                    waker.wake_by_ref();
                    switch.clone().abort();
                    waker.wake_by_ref();
                }
            })
        })
        .collect();
    drop(waker);
    barrier.wait();
    assert!(runtime.block_on(is_cancelled(task)));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(trace.take(), ["future"]);
}

#[test]
fn from_its_own_destructor() {
    support::block_on(async {
        let (give, given) = oneshot::channel::<AbortHandle>();
        let task = rt::spawn(async move {
            let switch = given.await.unwrap();
            let _abort = on_drop(move || switch.abort());
            pending::<()>().await;
        });
        give.send(task.abort_handle()).unwrap();
        yield_now().await;
        task.abort();
        assert!(is_cancelled(task).await);
    });
}

#[test]
fn from_the_destructor_of_an_ending_task() {
    support::block_on(async {
        let (give, given) = oneshot::channel::<AbortHandle>();
        let task = rt::spawn(async move {
            let switch = given.await.unwrap();
            let _abort = on_drop(move || switch.abort());
            "ended"
        });
        give.send(task.abort_handle()).unwrap();
        assert_eq!(task.await.unwrap(), "ended");
    });
}

#[test]
fn from_the_destructor_of_another_task() {
    support::block_on(async {
        let victim = rt::spawn(pending::<()>());
        let switch = victim.abort_handle();
        let first = rt::spawn(pending_with(on_drop(move || switch.abort())));
        yield_now().await;
        first.abort();
        assert!(is_cancelled(victim).await);
        assert!(is_cancelled(first).await);
    });
}

#[test]
fn of_a_task_that_holds_its_own_handles() {
    let trace = Trace::default();
    support::block_on(async {
        let (give, given) = oneshot::channel::<JoinHandle<()>>();
        let held = trace.on_drop("future");
        let task = rt::spawn(async move {
            let _held = held;
            let _own = given.await.unwrap();
            pending::<()>().await;
        });
        let switch = task.abort_handle();
        give.send(task).unwrap();
        yield_now().await;
        switch.abort();
        yield_now().await;
        assert!(switch.is_finished());
    });
    assert_eq!(trace.take(), ["future"]);
}

#[test]
fn handle_polled_then_aborted_then_dropped() {
    let trace = Trace::default();
    let wakes = Arc::new(Wakes::default());
    support::block_on(async {
        let mut task = rt::spawn(pending_with(trace.on_drop("future")));
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        yield_now().await;
        task.abort();
        drop(task);
        yield_now().await;
    });
    assert_eq!(trace.take(), ["future"]);
    assert_eq!(Arc::strong_count(&wakes), 1, "the joiner's waker is gone with the task");
}

#[test]
fn of_local_tasks() {
    let trace = Trace::default();
    support::block_on(async {
        let not_send = std::rc::Rc::new(trace.on_drop("local"));
        let task = rt::spawn_local(pending_with(not_send));
        yield_now().await;
        let switch = task.abort_handle();
        thread::spawn(move || switch.abort()).join().unwrap();
        assert!(trace.take().is_empty());
        assert!(is_cancelled(task).await);
        assert_eq!(trace.take(), ["local"]);
    });
}

#[test]
fn of_blocking_calls() {
    let trace = Trace::default();
    let runtime = support::builder().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (started, has_started) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let running = rt::spawn_blocking(move || {
            started.send(()).unwrap();
            released.recv().unwrap();
            "to the end"
        });
        has_started.await.unwrap();
        let held = trace.on_drop("closure");
        let waiting = rt::spawn_blocking(move || drop(held));
        running.abort();
        waiting.abort();
        assert!(waiting.is_finished() && !running.is_finished());
        assert_eq!(trace.take(), ["closure"]);
        assert!(is_cancelled(waiting).await);
        release.send(()).unwrap();
        assert_eq!(running.await.unwrap(), "to the end");
    });
}

#[test]
fn of_a_hundred_thousand() {
    let runtime = runtime();
    let tasks: Vec<_> = (0..100_000).map(|_| runtime.spawn(pending::<()>())).collect();
    runtime.block_on(async {
        yield_now().await;
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            assert!(is_cancelled(task).await);
        }
    });
}

#[test]
fn error_of_an_aborted_task() {
    support::block_on(async {
        let task = rt::spawn(pending::<()>());
        let id = task.id();
        task.abort();
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled() && !error.is_panic());
        assert_eq!(error.id(), id);
        assert_eq!(error.to_string(), format!("task {id} was cancelled"));
        assert!(format!("{error:?}").contains("Cancelled"), "{error:?}");
        let error = error.try_into_panic().unwrap_err();
        assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::Other);
    });
}

#[test]
fn into_panic_of_an_aborted_task() {
    let message = panic_of(|| {
        support::block_on(async {
            let task = rt::spawn(pending::<()>());
            task.abort();
            task.await.unwrap_err().into_panic()
        })
    });
    assert!(message.contains("it did not panic"), "{message}");
}

#[test]
fn output_of_a_task_that_ended_first_is_dropped_once() {
    let trace = Trace::default();
    support::one_thread().block_on(async {
        let task = rt::spawn(ready(trace.on_drop("output")));
        let switch = task.abort_handle();
        yield_now().await;
        switch.abort();
        yield_now().await;
        assert!(trace.take().is_empty());
        drop(task);
        assert_eq!(trace.take(), ["output"]);
        switch.abort();
    });
    assert!(trace.take().is_empty());
}
