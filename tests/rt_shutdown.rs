//! The end of a runtime: every future is dropped, whatever its task was doing and whatever its destructor does.

mod support;

use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;

use rt::net::{TcpListener, TcpStream};
use rt::runtime::Handle;
use rt::task::{JoinHandle, yield_now};
use rt::time::sleep;
use support::{Trace, Wakes, on_drop, pending_with, runtime};

fn is_cancelled<T>(task: JoinHandle<T>) -> bool {
    futures_executor::block_on(task).err().is_some_and(|error| error.is_cancelled())
}

#[test]
fn nothing_was_ever_spawned() {
    drop(runtime());
    runtime().shutdown_background();
    runtime().shutdown_timeout(Duration::from_secs(60));
}

#[test]
fn tasks_in_every_state() {
    let runtime = support::one_thread();
    let trace = Trace::default();
    let ended = runtime.spawn(ready(1));
    let ended_detached = runtime.spawn(ready(())).abort_handle();
    let panicked = runtime.spawn(async { panic!("on purpose") });
    let waiting = runtime.spawn(pending_with(trace.on_drop("waiting")));
    let (sender, receiver) = oneshot::channel::<()>();
    let held = trace.on_drop("woken");
    let woken = runtime.spawn(async move {
        let _held = held;
        receiver.await.unwrap();
    });
    let aborted = runtime.spawn(pending_with(trace.on_drop("aborted")));
    let joined = runtime.spawn(pending_with(trace.on_drop("joined")));
    let held = trace.on_drop("joiner");
    let joiner = runtime.spawn(async move {
        let _held = held;
        joined.await.unwrap();
    });
    let held = trace.on_drop("asleep");
    let asleep = runtime.spawn(async move {
        let _held = held;
        sleep(Duration::from_secs(3_600)).await;
    });
    let held = trace.on_drop("yielding");
    let yielding = runtime.spawn(async move {
        let _held = held;
        loop {
            yield_now().await;
        }
    });
    runtime.block_on(yield_now());
    sender.send(()).unwrap();
    aborted.abort();
    let never_polled = runtime.spawn(pending_with(trace.on_drop("never polled")));
    assert!(trace.take().is_empty());

    drop(runtime);
    let mut dropped = trace.take();
    dropped.sort();
    assert_eq!(dropped, ["aborted", "asleep", "joined", "joiner", "never polled", "waiting", "woken", "yielding"]);
    assert_eq!(futures_executor::block_on(ended).unwrap(), 1);
    assert!(ended_detached.is_finished());
    assert!(futures_executor::block_on(panicked).map(|(): ()| ()).unwrap_err().is_panic());
    for task in [waiting, woken, aborted, joiner, asleep, yielding, never_polled] {
        assert!(task.is_finished());
        assert!(is_cancelled(task));
    }
}

#[test]
fn local_tasks_go_first_with_the_runtime_on_this_thread() {
    let runtime = runtime();
    let trace = Trace::default();
    runtime.block_on(async {
        rt::spawn_local(pending_with((std::rc::Rc::new(()), trace.on_drop("local"))));
        yield_now().await;
    });
    assert!(trace.take().is_empty());
    drop(runtime);
    assert_eq!(trace.take(), ["local"]);
}

#[test]
fn sockets_and_timers_of_dropped_tasks() {
    let runtime = runtime();
    let (address, listening) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listening = rt::spawn(async move {
            loop {
                let _ = listener.accept().await;
            }
        });
        rt::spawn(sleep(Duration::from_secs(3_600)));
        yield_now().await;
        (address, listening)
    });
    std::net::TcpStream::connect(address).unwrap();
    drop(runtime);
    assert!(is_cancelled::<()>(listening));
    assert!(std::net::TcpStream::connect(address).is_err(), "the listener is closed");
}

#[test]
fn sockets_and_timers_that_outlive_their_runtime() {
    let runtime = runtime();
    let (listener, timer) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut timer = Box::pin(sleep(Duration::from_secs(3_600)));
        rt::select! {
            biased;
            _ = listener.accept() => unreachable!("nobody connects"),
            () = timer.as_mut() => unreachable!("an hour is long"),
            () = ready(()) => {}
        }
        (listener, timer)
    });
    drop(runtime);
    drop(timer);
    // It waits for events of the runtime that is gone: an error that says so, and no hang.
    let error = support::block_on(listener.accept()).unwrap_err();
    assert!(error.to_string().contains("has shut down"), "{error}");
}

#[test]
fn destructor_spawns() {
    let runtime = runtime();
    let trace = Trace::default();
    let (from_rt, from_handle) = (trace.clone(), trace.clone());
    let handle = runtime.handle().clone();
    runtime.spawn(pending_with(on_drop(move || {
        let task = rt::spawn(pending_with(from_rt.on_drop("spawned with rt::spawn")));
        assert!(task.is_finished());
        drop(handle.spawn(pending_with(from_handle.on_drop("spawned with Handle::spawn"))));
    })));
    runtime.block_on(yield_now());
    drop(runtime);
    assert_eq!(trace.take(), ["spawned with rt::spawn", "spawned with Handle::spawn"]);
}

#[test]
fn destructor_of_a_local_task_spawns() {
    let runtime = runtime();
    let trace = Trace::default();
    runtime.block_on(async {
        let said = trace.clone();
        rt::spawn_local(pending_with(on_drop(move || {
            drop(rt::spawn(pending_with(said.on_drop("task"))));
            drop(rt::spawn_local(pending_with(said.on_drop("local"))));
            drop(rt::spawn_blocking(|| unreachable!("the runtime is going")));
        })));
        yield_now().await;
    });
    drop(runtime);
    let mut dropped = trace.take();
    dropped.sort();
    assert_eq!(dropped, ["local", "task"]);
}

#[test]
fn destructor_spawns_what_spawns_in_its_destructor() {
    fn nest(depth: u32, trace: Trace) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(pending_with(on_drop(move || {
            trace.say(depth.to_string());
            if depth > 0 {
                rt::spawn(nest(depth - 1, trace));
            }
        })))
    }
    let runtime = runtime();
    let trace = Trace::default();
    runtime.spawn(nest(100, trace.clone()));
    drop(runtime);
    assert!(trace.take().into_iter().eq((0..=100).rev().map(|depth| depth.to_string())));
}

#[test]
fn destructor_wakes_its_own_task() {
    let runtime = support::one_thread();
    let trace = Trace::default();
    let said = trace.clone();
    runtime.spawn(async move {
        let mut guard = None;
        poll_fn(|cx| {
            let (waker, said) = (cx.waker().clone(), said.clone());
            guard = Some(on_drop(move || {
                waker.wake_by_ref();
                said.say("woke itself");
                waker.wake();
            }));
            Poll::<()>::Pending
        })
        .await;
    });
    runtime.block_on(yield_now());
    drop(runtime);
    assert_eq!(trace.take(), ["woke itself"]);
}

#[test]
fn destructor_wakes_every_other_task() {
    let runtime = runtime();
    let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let shared = Arc::clone(&wakers);
            let held = on_drop(move || {
                let wakers = shared.lock().unwrap().clone();
                wakers.iter().for_each(Waker::wake_by_ref);
            });
            let shared = Arc::clone(&wakers);
            runtime.spawn(async move {
                let _held = held;
                poll_fn(|cx| {
                    shared.lock().unwrap().push(cx.waker().clone());
                    Poll::<()>::Pending
                })
                .await;
            })
        })
        .collect();
    runtime.block_on(yield_now());
    drop(runtime);
    assert!(tasks.into_iter().all(is_cancelled));
}

#[test]
fn destructor_wakes_its_own_task_on_another_thread() {
    let runtime = runtime();
    runtime.spawn(async move {
        let mut guard = None;
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            guard = Some(on_drop(move || {
                thread::spawn(move || {
                    waker.wake_by_ref();
                    drop(waker);
                })
                .join()
                .unwrap();
            }));
            Poll::<()>::Pending
        })
        .await;
    });
    runtime.block_on(yield_now());
    drop(runtime);
}

#[test]
fn destructor_drops_the_last_handle_of_another_task() {
    for backwards in [false, true] {
        let runtime = runtime();
        let trace = Trace::default();
        let (give, given) = oneshot::channel::<JoinHandle<()>>();
        let spawn_holder = || {
            let held = trace.on_drop("holder");
            runtime.spawn(async move {
                let _held = held;
                let _other = given.await;
                pending::<()>().await;
            })
        };
        let spawn_other = || runtime.spawn(pending_with(trace.on_drop("other")));
        let (holder, other) = if backwards {
            let other = spawn_other();
            (spawn_holder(), other)
        } else {
            (spawn_holder(), spawn_other())
        };
        give.send(other).unwrap();
        runtime.block_on(yield_now());
        drop(runtime);
        let mut dropped = trace.take();
        dropped.sort();
        assert_eq!(dropped, ["holder", "other"]);
        assert!(is_cancelled(holder));
    }
}

#[test]
fn destructor_drops_the_handle_of_a_task_that_ended() {
    let runtime = runtime();
    let trace = Trace::default();
    let ended = runtime.spawn(ready(trace.on_drop("output")));
    runtime.block_on(yield_now());
    runtime.spawn(pending_with(ended));
    runtime.block_on(yield_now());
    drop(runtime);
    assert_eq!(trace.take(), ["output"]);
}

#[test]
fn two_tasks_hold_each_others_handles() {
    let runtime = runtime();
    let trace = Trace::default();
    let (give_a, given_a) = oneshot::channel::<JoinHandle<()>>();
    let (give_b, given_b) = oneshot::channel::<JoinHandle<()>>();
    let holder = |word, given: oneshot::Receiver<JoinHandle<()>>| {
        let held = trace.on_drop(word);
        async move {
            let _held = held;
            let _ = given.await.unwrap().await;
        }
    };
    let a = runtime.spawn(holder("a", given_a));
    let b = runtime.spawn(holder("b", given_b));
    give_a.send(b).unwrap();
    give_b.send(a).unwrap();
    runtime.block_on(yield_now());
    assert!(trace.take().is_empty());
    drop(runtime);
    let mut dropped = trace.take();
    dropped.sort();
    assert_eq!(dropped, ["a", "b"]);
}

#[test]
fn destructor_aborts_and_drops_handles_of_its_own_runtime() {
    let runtime = runtime();
    let victim = runtime.spawn(pending::<()>());
    let (switch, handle) = (victim.abort_handle(), runtime.handle().clone());
    runtime.spawn(pending_with(on_drop(move || {
        switch.abort();
        assert!(Handle::try_current().is_ok());
        drop(handle);
    })));
    runtime.block_on(yield_now());
    drop(runtime);
    assert!(is_cancelled(victim));
}

#[test]
fn destructor_blocks_on_a_future() {
    let runtime = runtime();
    let (sender, receiver) = mpsc::channel();
    runtime.spawn(pending_with(on_drop(move || {
        sender.send(support::panic_of(|| support::block_on(async {}))).unwrap();
    })));
    runtime.block_on(yield_now());
    drop(runtime);
    assert!(receiver.recv().unwrap().contains("this thread drives a runtime already"));
}

#[test]
fn destructor_drops_another_runtime() {
    let (outer, inner) = (runtime(), runtime());
    let trace = Trace::default();
    inner.spawn(pending_with(trace.on_drop("task of the inner one")));
    outer.spawn(pending_with(inner));
    outer.block_on(yield_now());
    drop(outer);
    assert_eq!(trace.take(), ["task of the inner one"]);
}

#[test]
fn joiner_on_another_thread_is_woken() {
    let runtime = runtime();
    let task = runtime.spawn(pending::<()>());
    let polled = Arc::new(Barrier::new(2));
    let barrier = Arc::clone(&polled);
    let joiner = thread::spawn(move || {
        let mut task = task;
        let mut first = true;
        futures_executor::block_on(poll_fn(|cx| {
            let poll = Pin::new(&mut task).poll(cx);
            if std::mem::take(&mut first) {
                barrier.wait();
            }
            poll
        }))
    });
    polled.wait();
    drop(runtime);
    assert!(joiner.join().unwrap().unwrap_err().is_cancelled());
}

#[test]
fn joiners_waker_is_dropped_with_the_runtime() {
    let runtime = runtime();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut task = runtime.spawn(pending::<()>());
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    runtime.block_on(yield_now());
    drop(runtime);
    drop(waker);
    assert_eq!(wakes.count(), 1);
    assert_eq!(Arc::strong_count(&wakes), 1);
    assert!(is_cancelled(task));
}

#[test]
fn on_another_thread() {
    let runtime = runtime();
    let here = thread::current().id();
    let (sender, receiver) = mpsc::channel();
    let dropped_on = sender.clone();
    runtime.spawn(pending_with(on_drop(move || dropped_on.send(thread::current().id() == here).unwrap())));
    runtime.block_on(yield_now());
    thread::spawn(move || drop(runtime)).join().unwrap();
    assert_eq!(receiver.try_recv(), Ok(false));
}

#[test]
fn within_a_blocking_call_of_its_own() {
    let runtime = Arc::new(runtime());
    let trace = Trace::default();
    runtime.spawn(pending_with(trace.on_drop("task")));
    runtime.block_on(yield_now());
    let (released, wait) = mpsc::channel::<()>();
    let (dropped, is_dropped) = mpsc::channel();
    let last = Arc::clone(&runtime);
    runtime.spawn_blocking(move || {
        wait.recv().unwrap();
        drop(Arc::into_inner(last).expect("the last one"));
        dropped.send(()).unwrap();
    });
    drop(runtime);
    released.send(()).unwrap();
    is_dropped.recv().unwrap();
    assert_eq!(trace.take(), ["task"]);
}

#[test]
fn within_a_task_of_another_runtime() {
    let inner = runtime();
    let trace = Trace::default();
    let task = inner.spawn(pending_with(trace.on_drop("task")));
    inner.block_on(yield_now());
    let outer = runtime();
    outer.block_on(async {
        rt::spawn(async move { drop(inner) }).await.unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
        // The thread is in the outer runtime as before.
        assert_eq!(rt::spawn(async { 1 }).await.unwrap(), 1);
    });
    assert_eq!(trace.take(), ["task"]);
}

#[test]
fn while_another_thread_waits_in_block_on_of_its_handle() {
    let runtime = runtime();
    let task = runtime.spawn(pending::<()>());
    let handle = runtime.handle().clone();
    let polled = Arc::new(Barrier::new(2));
    let barrier = Arc::clone(&polled);
    let waiter = thread::spawn(move || {
        let mut task = task;
        let mut first = true;
        let error = handle.block_on(poll_fn(|cx| {
            let poll = Pin::new(&mut task).poll(cx);
            if std::mem::take(&mut first) {
                barrier.wait();
            }
            poll
        }));
        // What it spawns now is cancelled at once.
        (error, handle.block_on(async { rt::spawn(pending::<()>()).await }))
    });
    polled.wait();
    drop(runtime);
    let (first, second) = waiter.join().unwrap();
    assert!(first.unwrap_err().is_cancelled());
    assert!(second.unwrap_err().is_cancelled());
}

#[test]
fn while_other_threads_spawn_wake_and_abort() {
    for _ in 0..20 {
        let runtime = runtime();
        let barrier = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, handle) = (Arc::clone(&barrier), runtime.handle().clone());
                thread::spawn(move || {
                    barrier.wait();
                    let tasks: Vec<_> = (0..200)
                        .map(|n| {
                            let task = handle.spawn(async move {
                                yield_now().await;
                                pending::<()>().await;
                            });
                            if n % 3 == 0 {
                                task.abort();
                            }
                            task
                        })
                        .collect();
                    tasks
                })
            })
            .collect();
        barrier.wait();
        runtime.block_on(yield_now());
        drop(runtime);
        for thread in threads {
            assert!(thread.join().unwrap().into_iter().all(is_cancelled));
        }
    }
}

#[test]
fn blocking_call_that_runs_holds_nothing_up() {
    let runtime = runtime();
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let call = runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        released.recv().unwrap();
        "to the end"
    });
    has_started.recv().unwrap();
    runtime.shutdown_background();
    assert!(!call.is_finished());
    release.send(()).unwrap();
    assert_eq!(futures_executor::block_on(call).unwrap(), "to the end");
}

#[test]
fn shutdown_timeout_runs_out_over_a_blocking_call() {
    let runtime = support::one_thread();
    let trace = Trace::default();
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let call = runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        released.recv().unwrap();
    });
    runtime.spawn(pending_with(trace.on_drop("task")));
    has_started.recv().unwrap();
    runtime.shutdown_timeout(Duration::ZERO);
    assert_eq!(trace.take(), ["task"]);
    assert!(!call.is_finished());
    release.send(()).unwrap();
    futures_executor::block_on(call).unwrap();
}

#[test]
fn shutdown_timeout_waits_for_a_blocking_call() {
    let runtime = runtime();
    let trace = Trace::default();
    let said = trace.clone();
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        released.recv().unwrap();
        said.say("call");
    });
    has_started.recv().unwrap();
    // The task is dropped before the waiting begins, and its end is what the call waits for.
    runtime.spawn(pending_with(on_drop(move || release.send(()).unwrap())));
    runtime.shutdown_timeout(Duration::from_secs(600));
    assert_eq!(trace.take(), ["call"]);
}

#[test]
fn blocking_calls_that_wait_are_cancelled() {
    let runtime = support::builder().max_blocking_threads(1).build().unwrap();
    let trace = Trace::default();
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let running = runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        released.recv().unwrap();
    });
    let held = trace.on_drop("closure");
    let waiting = runtime.spawn_blocking(move || drop(held));
    has_started.recv().unwrap();
    drop(runtime);
    assert_eq!(trace.take(), ["closure"]);
    assert!(is_cancelled(waiting));
    release.send(()).unwrap();
    futures_executor::block_on(running).unwrap();
}

#[test]
fn running_blocking_call_uses_its_runtime_that_is_gone() {
    let runtime = runtime();
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let call = runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        released.recv().unwrap();
        let task = rt::spawn(async { 1 });
        let call = rt::spawn_blocking(|| 1);
        (Handle::current().block_on(task).is_err(), futures_executor::block_on(call).is_err())
    });
    has_started.recv().unwrap();
    drop(runtime);
    release.send(()).unwrap();
    assert_eq!(futures_executor::block_on(call).unwrap(), (true, true));
}

#[test]
fn a_hundred_thousand_tasks() {
    let runtime = runtime();
    let tasks: Vec<_> = (0..100_000).map(|_| runtime.spawn(pending::<()>())).collect();
    runtime.block_on(yield_now());
    drop(runtime);
    assert!(tasks.into_iter().all(is_cancelled));
}

#[test]
fn connection_between_tasks_of_one_runtime() {
    let runtime = runtime();
    let tasks = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = rt::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            stream.readable().await.unwrap();
        });
        let client = rt::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.readable().await.unwrap();
        });
        for _ in 0..10 {
            yield_now().await;
        }
        [server, client]
    });
    drop(runtime);
    assert!(tasks.into_iter().all(is_cancelled));
}
