//! `spawn` in all its forms: order, from where, what comes back.

#![allow(clippy::async_yields_async, reason = "tasks go on when the `block_on` that spawned them has returned")]

mod support;

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_channel::oneshot;
use futures_util::future::join_all;

use rt::runtime::Handle;
use rt::task::{JoinHandle, yield_now};
use support::{Trace, Wakes, on_drop, panic_of, runtime};

const NO_RUNTIME: &str = "there is no rt runtime on this thread: call this from within `#[rt::main]`";

#[test]
fn tasks_run_in_the_order_of_their_spawns() {
    let trace = Trace::default();
    support::one_thread().block_on(async {
        for n in 0..5 {
            let trace = trace.clone();
            rt::spawn(async move {
                trace.say(format!("{n} begins"));
                yield_now().await;
                trace.say(format!("{n} ends"));
            });
        }
        yield_now().await;
        yield_now().await;
    });
    let begin = (0..5).map(|n| format!("{n} begins"));
    let end = (0..5).map(|n| format!("{n} ends"));
    assert_eq!(trace.take(), begin.chain(end).collect::<Vec<_>>());
}

#[test]
fn tasks_run_in_the_order_in_which_they_are_woken() {
    support::one_thread().block_on(async {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (senders, tasks): (Vec<_>, Vec<_>) = (0..6)
            .map(|n| {
                let (sender, receiver) = oneshot::channel::<()>();
                let order = Arc::clone(&order);
                let task = rt::spawn(async move {
                    receiver.await.unwrap();
                    order.lock().unwrap().push(n);
                });
                (Some(sender), task)
            })
            .unzip();
        yield_now().await;
        let mut senders = senders;
        for n in [3, 0, 5, 1, 4, 2] {
            senders[n].take().unwrap().send(()).unwrap();
        }
        join_all(tasks).await;
        assert_eq!(*order.lock().unwrap(), [3, 0, 5, 1, 4, 2]);
    });
}

#[test]
fn spawned_before_anybody_drives_comes_before_what_the_future_spawns() {
    let runtime = support::one_thread();
    let trace = Trace::default();
    let (first, second) = (trace.clone(), trace.clone());
    runtime.spawn(async move { first.say("before block_on") });
    runtime.block_on(async move {
        rt::spawn(async move { second.say("within block_on") }).await.unwrap();
    });
    assert_eq!(trace.take(), ["before block_on", "within block_on"]);
}

#[test]
fn from_a_plain_thread_in_order() {
    let runtime = support::one_thread();
    let handle = runtime.handle().clone();
    let order = Arc::new(Mutex::new(Vec::new()));
    let pushed = Arc::clone(&order);
    let last = thread::spawn(move || {
        let spawn = |n| {
            let order = Arc::clone(&pushed);
            handle.spawn(async move { order.lock().unwrap().push(n) })
        };
        let mut tasks: Vec<_> = (0..1_000).map(spawn).collect();
        tasks.pop().unwrap()
    });
    runtime.block_on(last.join().unwrap()).unwrap();
    assert!(order.lock().unwrap().iter().copied().eq(0..1_000));
}

#[test]
fn from_a_plain_thread_while_the_worker_sleeps() {
    let runtime = runtime();
    let handle = runtime.handle().clone();
    let (ask, asked) = mpsc::channel::<oneshot::Sender<u32>>();
    let thread = thread::spawn(move || {
        for done in asked {
            // The worker has nothing to do by now, or will have in a moment: it waits for `done`.
            handle.spawn(async move { done.send(1).unwrap() });
        }
    });
    runtime.block_on(async {
        for _ in 0..1_000 {
            let (done, is_done) = oneshot::channel();
            ask.send(done).unwrap();
            assert_eq!(is_done.await, Ok(1));
        }
    });
    drop(ask);
    thread.join().unwrap();
}

#[test]
fn from_a_plain_thread_while_the_worker_runs() {
    let runtime = runtime();
    let handle = runtime.handle().clone();
    runtime.block_on(async move {
        let stop = Arc::new(AtomicBool::new(false));
        let setter = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let tasks: Vec<_> = (0..1_000).map(|n| handle.spawn(async move { n })).collect();
            handle.spawn(async move { setter.store(true, Ordering::SeqCst) });
            tasks
        });
        // Never idle: a task is always ready.
        while !stop.load(Ordering::SeqCst) {
            yield_now().await;
        }
        for (n, task) in thread.join().unwrap().into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), n);
        }
    });
}

#[test]
fn from_many_threads_at_once() {
    let runtime = runtime();
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        let spawners: Vec<_> = (0..4)
            .map(|n| {
                let (barrier, handle) = (&barrier, runtime.handle().clone());
                scope.spawn(move || {
                    barrier.wait();
                    (0..500).map(|m| handle.spawn(async move { n * 500 + m })).collect::<Vec<_>>()
                })
            })
            .collect();
        let tasks = spawners.into_iter().flat_map(|spawner| spawner.join().unwrap());
        let outputs: Vec<usize> = runtime.block_on(join_all(tasks)).into_iter().map(Result::unwrap).collect();
        assert!(outputs.into_iter().eq(0..2_000));
    });
}

#[test]
fn each_task_spawns_the_next() {
    fn chain(left: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
        Box::pin(async move { if left == 0 { 0 } else { rt::spawn(chain(left - 1)).await.unwrap() + 1 } })
    }
    assert_eq!(support::block_on(chain(10_000)), 10_000);
}

#[test]
fn a_hundred_thousand_tasks_wait_at_once() {
    support::block_on(async {
        let (senders, tasks): (Vec<_>, Vec<_>) = (0..100_000_usize)
            .map(|n| {
                let (sender, receiver) = oneshot::channel::<usize>();
                (sender, rt::spawn(async move { n + receiver.await.unwrap() }))
            })
            .unzip();
        yield_now().await;
        assert!(tasks.iter().all(|task| !task.is_finished()));
        senders.into_iter().for_each(|sender| sender.send(1).unwrap());
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), n + 1);
        }
    });
}

#[test]
fn futures_and_outputs_of_all_sizes_and_alignments() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(256))]
    struct Wide(u8);

    support::block_on(async {
        rt::spawn(ready(())).await.unwrap();
        let big = [7_u8; 10_000];
        let echoed = rt::spawn(async move {
            yield_now().await;
            big
        });
        assert_eq!(echoed.await.unwrap(), big);
        let small_with_big_output = rt::spawn(async { [9_u8; 10_000] });
        assert_eq!(small_with_big_output.await.unwrap(), [9; 10_000]);
        let wide = Wide(3);
        let task = rt::spawn(async move {
            yield_now().await;
            assert_eq!((&raw const wide).addr() % 256, 0);
            wide
        });
        assert_eq!(task.await.unwrap(), wide);
    });
}

#[test]
fn dropped_handle_detaches() {
    support::block_on(async {
        let (sender, receiver) = oneshot::channel();
        drop(rt::spawn(async move {
            yield_now().await;
            sender.send("ran").unwrap();
        }));
        assert_eq!(receiver.await, Ok("ran"));
    });
}

#[test]
fn output_of_a_detached_task_is_dropped_with_its_end() {
    let trace = Trace::default();
    support::one_thread().block_on(async {
        drop(rt::spawn(ready(trace.on_drop("output"))));
        assert!(trace.take().is_empty());
        yield_now().await;
        assert_eq!(trace.take(), ["output"]);
    });
}

#[test]
fn output_waits_in_the_handle() {
    let trace = Trace::default();
    support::one_thread().block_on(async {
        let task = rt::spawn(ready(trace.on_drop("output")));
        yield_now().await;
        assert!(task.is_finished());
        assert!(trace.take().is_empty());
        drop(task);
        assert_eq!(trace.take(), ["output"]);
    });
}

#[test]
fn future_is_dropped_before_the_joiner_hears() {
    let trace = Trace::default();
    support::block_on(async {
        let held = trace.on_drop("future");
        rt::spawn(async move {
            let _held = held;
            yield_now().await;
        })
        .await
        .unwrap();
        trace.say("joined");
    });
    assert_eq!(trace.take(), ["future", "joined"]);
}

#[test]
fn last_poller_of_a_handle_is_woken_and_no_other() {
    let runtime = support::one_thread();
    let mut task = runtime.spawn(async { 1 });
    let wakes: [_; 2] = std::array::from_fn(|_| Arc::new(Wakes::default()));
    for counter in &wakes {
        let waker = Waker::from(Arc::clone(counter));
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    runtime.block_on(yield_now());
    assert_eq!(wakes.each_ref().map(|wakes| wakes.count()), [0, 1]);
    assert_eq!(runtime.block_on(task).unwrap(), 1);
}

#[test]
fn last_poller_within_the_runtime_is_woken_and_no_other() {
    support::one_thread().block_on(async {
        let mut task = rt::spawn(async { 1 });
        let wakes: [_; 2] = std::array::from_fn(|_| Arc::new(Wakes::default()));
        for counter in &wakes {
            let waker = Waker::from(Arc::clone(counter));
            assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        yield_now().await;
        assert_eq!(wakes.each_ref().map(|wakes| wakes.count()), [0, 1]);
        assert_eq!(task.await.unwrap(), 1);
    });
}

#[test]
fn first_polled_here_then_joined_on_another_thread() {
    let runtime = runtime();
    let (sender, receiver) = oneshot::channel::<()>();
    let task = runtime.block_on(async {
        let mut task = rt::spawn(async {
            receiver.await.unwrap();
            "output"
        });
        poll_fn(|cx| {
            assert!(Pin::new(&mut task).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        task
    });
    let joiner = thread::spawn(move || futures_executor::block_on(task).unwrap());
    sender.send(()).unwrap();
    while !joiner.is_finished() {
        runtime.block_on(yield_now());
    }
    assert_eq!(joiner.join().unwrap(), "output");
}

#[test]
fn first_polled_on_another_thread_then_joined_here() {
    let runtime = runtime();
    let (sender, receiver) = oneshot::channel();
    let mut task = runtime.spawn(async {
        receiver.await.unwrap();
        "output"
    });
    let waker = Waker::from(Arc::new(Wakes::default()));
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    sender.send(()).unwrap();
    assert_eq!(runtime.block_on(task).unwrap(), "output");
}

#[test]
fn polled_after_it_was_joined() {
    let message = panic_of(|| {
        support::block_on(async {
            let mut task = rt::spawn(async {});
            (&mut task).await.unwrap();
            let _ = (&mut task).await;
        })
    });
    assert!(message.contains("polled after it had completed"), "{message}");
}

#[test]
fn destructor_spawns() {
    support::block_on(async {
        let (sender, receiver) = oneshot::channel();
        let guard = on_drop(move || drop(rt::spawn(async move { sender.send("spawned").unwrap() })));
        rt::spawn(async move {
            let _guard = guard;
        });
        assert_eq!(receiver.await, Ok("spawned"));
    });
}

#[test]
fn onto_another_runtime_from_a_task() {
    let other = support::one_thread();
    let handle = other.handle().clone();
    let task = support::one_thread()
        .block_on(async move { rt::spawn(async move { handle.spawn(async { 8 }) }).await.unwrap() });
    assert!(!task.is_finished());
    assert_eq!(other.block_on(task).unwrap(), 8);
}

#[test]
fn where_another_runtime_was_entered() {
    let other = support::one_thread();
    let task = support::one_thread().block_on(async {
        let _entered = other.enter();
        rt::spawn(async { 9 })
    });
    assert!(!task.is_finished(), "its runtime is the one that was entered");
    assert_eq!(other.block_on(task).unwrap(), 9);
}

#[test]
fn ids() {
    let runtimes = [runtime(), runtime()];
    let mut seen = HashSet::new();
    for runtime in &runtimes {
        let remote = runtime.spawn(async { rt::task::id() });
        assert!(seen.insert(remote.id()));
        runtime.block_on(async {
            for _ in 0..1_000 {
                let task = rt::spawn(async { rt::task::id() });
                let id = task.id();
                assert!(seen.insert(id));
                assert_eq!(task.abort_handle().id(), id);
                assert_eq!(task.await.unwrap(), id);
            }
            let call = rt::spawn_blocking(rt::task::try_id);
            assert!(seen.insert(call.id()));
            assert_eq!(call.await.unwrap(), None);
        });
        assert!(seen.contains(&runtime.block_on(remote).unwrap()));
    }
}

#[test]
fn id_in_destructors() {
    support::block_on(async {
        let (sender, receiver) = mpsc::channel();
        let guard = on_drop(move || sender.send(rt::task::try_id()).unwrap());
        let task = rt::spawn(support::pending_with(guard));
        yield_now().await;
        let id = task.id();
        task.abort();
        assert!(task.await.is_err());
        assert_eq!(receiver.recv().unwrap(), Some(id));
    });
}

#[test]
fn id_as_text_is_a_number() {
    let task = runtime().spawn(async {});
    assert!(task.id().to_string().parse::<u64>().is_ok());
}

#[test]
fn handle_as_text() {
    support::one_thread().block_on(async {
        let task = rt::spawn(async {});
        let id = task.id();
        assert_eq!(format!("{task:?}"), format!("JoinHandle {{ id: {id:?}, finished: false }}"));
        yield_now().await;
        assert_eq!(format!("{:?}", task.abort_handle()), format!("AbortHandle {{ id: {id:?}, finished: true }}"));
    });
}

#[test]
fn handles_are_send_and_sync_if_the_output_is_send() {
    fn everywhere<T: Send + Sync + Unpin + 'static>(_: &T) {}
    support::block_on(async {
        // A `RefCell` is Send and not Sync.
        let task: JoinHandle<RefCell<u32>> = rt::spawn(async { RefCell::new(1) });
        everywhere(&task);
        everywhere(&task.abort_handle());
        everywhere(&Handle::current());
        assert_eq!(task.await.unwrap().into_inner(), 1);
    });
}

#[test]
fn task_local_is_not_inherited() {
    rt::task_local! {
        static NUMBER: u32;
    }
    support::block_on(NUMBER.scope(5, async {
        let seen = rt::spawn(async { NUMBER.try_with(|n| *n).ok() });
        assert_eq!(seen.await.unwrap(), None);
        let seen = rt::spawn_local(async { NUMBER.try_with(|n| *n).ok() });
        assert_eq!(seen.await.unwrap(), None);
        let seen = rt::spawn_blocking(|| NUMBER.try_with(|n| *n).ok());
        assert_eq!(seen.await.unwrap(), None);
        let handed_on = rt::spawn(NUMBER.scope(NUMBER.get(), async { NUMBER.get() }));
        assert_eq!(handed_on.await.unwrap(), 5);
        assert_eq!(NUMBER.get(), 5);
    }));
}

#[test]
fn outside_of_a_runtime() {
    for message in [
        panic_of(|| rt::spawn(async {})),
        panic_of(|| rt::spawn_blocking(|| ())),
        panic_of(Handle::current),
        panic_of(|| rt::time::call_later(std::time::Duration::ZERO, || ())),
    ] {
        assert!(message.starts_with(NO_RUNTIME) || message.contains("rt::spawn_local needs"), "{message}");
        assert!(message.contains("block_on"), "it says what to do: {message}");
    }
    assert!(Handle::try_current().unwrap_err().to_string().starts_with(NO_RUNTIME));
}

#[test]
fn id_outside_of_a_task() {
    assert!(panic_of(rt::task::id).contains("there is no task here"));
    assert!(panic_of(|| support::block_on(async { rt::task::id() })).contains("there is no task here"));
}

#[test]
fn on_a_runtime_that_is_gone() {
    let handle = runtime().handle().clone();
    let trace = Trace::default();
    let task = handle.spawn(support::pending_with(trace.on_drop("future")));
    assert_eq!(trace.take(), ["future"], "dropped at once");
    assert!(task.is_finished());
    assert!(futures_executor::block_on(task).unwrap_err().is_cancelled());
    let call = handle.spawn_blocking(|| -> u32 { unreachable!("it never runs") });
    assert!(futures_executor::block_on(call).unwrap_err().is_cancelled());
    drop(handle.spawn(pending::<()>()));
}

#[test]
fn panic_outside_of_a_runtime_names_the_caller() {
    let hook = std::panic::take_hook();
    let (sender, receiver) = mpsc::channel();
    let me = thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().id() == me {
            let _ = sender.send(info.location().map(|location| location.file().to_owned()));
        }
    }));
    panic_of(|| rt::spawn(async {}));
    panic_of(|| rt::spawn_blocking(|| ()));
    panic_of(|| Handle::current());
    panic_of(|| rt::spawn_local(async {}));
    panic_of(|| rt::task::id());
    std::panic::set_hook(hook);
    for file in receiver.try_iter() {
        assert_eq!(file.as_deref(), Some(file!()));
    }
}
