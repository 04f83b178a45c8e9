//! `spawn_local`: tasks that need not be `Send` belong to their thread, wherever the runtime goes.

#![allow(clippy::async_yields_async, reason = "tasks go on when the `block_on` that spawned them has returned")]
#![allow(clippy::waker_clone_wake, reason = "a clone's own `wake` is what is tested")]

mod support;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_channel::oneshot;

use rt::runtime::Runtime;
use rt::task::{JoinHandle, yield_now};
use rt::time::sleep;
use support::{Trace, on_drop, panic_of, pending_with, runtime};

/// Tells on which thread it is dropped; not `Send`.
struct DropPlace(mpsc::Sender<ThreadId>, PhantomData<Rc<()>>);

impl Drop for DropPlace {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

fn drop_place() -> (DropPlace, mpsc::Receiver<ThreadId>) {
    let (sender, receiver) = mpsc::channel();
    (DropPlace(sender, PhantomData), receiver)
}

#[test]
fn future_and_output_are_not_send() {
    support::block_on(async {
        let shared = Rc::new(RefCell::new(vec![1]));
        let clone = Rc::clone(&shared);
        let task: JoinHandle<Rc<RefCell<Vec<i32>>>> = rt::spawn_local(async move {
            clone.borrow_mut().push(2);
            yield_now().await;
            clone.borrow_mut().push(3);
            clone
        });
        let output = task.await.unwrap();
        assert!(Rc::ptr_eq(&output, &shared));
        assert_eq!(*output.borrow(), [1, 2, 3]);
    });
}

#[test]
fn in_one_queue_with_other_tasks() {
    let trace = Trace::default();
    support::one_thread().block_on(async {
        for n in 0..6 {
            let trace = trace.clone();
            let task = async move { trace.say(n.to_string()) };
            drop(if n % 2 == 0 { rt::spawn(task) } else { rt::spawn_local(task) });
        }
        yield_now().await;
    });
    assert_eq!(trace.take(), ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn spawned_by_a_task() {
    support::block_on(async {
        let task = rt::spawn(async {
            let inner = rt::spawn_local(async {
                let not_send = Rc::new(5);
                yield_now().await;
                *not_send
            });
            inner.await.unwrap()
        });
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn stays_across_calls_of_block_on() {
    let runtime = runtime();
    let count = Rc::new(Cell::new(0));
    let clone = Rc::clone(&count);
    let task = runtime.block_on(async {
        rt::spawn_local(async move {
            loop {
                clone.set(clone.get() + 1);
                yield_now().await;
            }
        })
    });
    assert_eq!(count.get(), 0);
    for turn in 1..=10 {
        runtime.block_on(yield_now());
        assert_eq!(count.get(), turn);
    }
    task.abort();
    assert!(runtime.block_on(task).map(|(): ()| ()).unwrap_err().is_cancelled());
    assert_eq!(Rc::strong_count(&count), 1);
}

#[test]
fn timer_fires_while_nobody_drives() {
    let runtime = runtime();
    let task = runtime.block_on(async {
        let task = rt::spawn_local(async {
            sleep(Duration::from_millis(1)).await;
            Rc::new("slept")
        });
        yield_now().await;
        task
    });
    assert_eq!(*runtime.block_on(task).unwrap(), "slept");
}

#[test]
fn not_run_by_another_thread() {
    let runtime = runtime();
    let here = thread::current().id();
    let ran_on = Rc::new(RefCell::new(Vec::new()));
    let clone = Rc::clone(&ran_on);
    let (waker, given) = mpsc::channel::<Waker>();
    let task = runtime.block_on(async {
        let task = rt::spawn_local(async move {
            for _ in 0..3 {
                clone.borrow_mut().push(thread::current().id());
                yield_now().await;
            }
            poll_fn(|cx| {
                let _ = waker.send(cx.waker().clone());
                Poll::Ready(())
            })
            .await;
        });
        yield_now().await;
        task
    });
    // Ready to run, and the runtime is driven, by somebody else.
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            runtime.block_on(async {
                for _ in 0..10 {
                    rt::spawn(yield_now()).await.unwrap();
                }
            })
        });
        other.join().unwrap();
    });
    assert!(!task.is_finished());
    runtime.block_on(task).unwrap();
    drop(given.recv().unwrap());
    assert_eq!(*ran_on.borrow(), [here; 3]);
}

#[test]
fn woken_while_another_thread_drives() {
    let runtime = runtime();
    let (sender, receiver) = oneshot::channel();
    let task = runtime.block_on(async {
        let task = rt::spawn_local(async move { Rc::new(receiver.await.unwrap()) });
        yield_now().await;
        task
    });
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            runtime.block_on(async {
                rt::spawn(async move { sender.send(8).unwrap() }).await.unwrap();
            })
        });
        other.join().unwrap();
    });
    assert!(!task.is_finished());
    assert_eq!(*runtime.block_on(task).unwrap(), 8);
}

#[test]
fn each_thread_has_its_own() {
    let runtime = runtime();
    let (sender, receiver) = mpsc::channel();
    for _ in 0..4 {
        let (runtime, sender) = (&runtime, sender.clone());
        thread::scope(|scope| {
            scope.spawn(move || {
                runtime.block_on(async {
                    let here = Rc::new(thread::current().id());
                    rt::spawn_local(async move {
                        loop {
                            sender.send((*here, thread::current().id())).unwrap();
                            yield_now().await;
                        }
                    });
                    yield_now().await;
                });
                runtime.block_on(yield_now());
            });
        });
    }
    drop(sender);
    let ran: Vec<_> = receiver.iter().collect();
    assert_eq!(ran.len(), 8);
    assert!(ran.iter().all(|(made, ran)| made == ran));
}

#[test]
fn waker_used_from_other_threads() {
    let (give, given) = mpsc::channel::<Waker>();
    let waking = thread::spawn(move || {
        for waker in given {
            waker.wake_by_ref();
            let clone = waker.clone();
            drop(waker);
            clone.wake();
        }
    });
    let polls = support::block_on(async {
        let polls = Rc::new(Cell::new(0));
        let count = Rc::clone(&polls);
        rt::spawn_local(poll_fn(move |cx| {
            count.set(count.get() + 1);
            if count.get() == 1_000 {
                return Poll::Ready(());
            }
            give.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }))
        .await
        .unwrap();
        polls.get()
    });
    assert_eq!(polls, 1_000);
    waking.join().unwrap();
}

#[test]
fn join_handle_on_another_thread_if_the_output_is_send() {
    let runtime = runtime();
    let (sender, receiver) = oneshot::channel::<()>();
    let task = runtime.block_on(async {
        let not_send = Rc::new(4);
        rt::spawn_local(async move {
            receiver.await.unwrap();
            *not_send + 1
        })
    });
    let joiner = thread::spawn(move || futures_executor::block_on(task).unwrap());
    sender.send(()).unwrap();
    while !joiner.is_finished() {
        runtime.block_on(yield_now());
    }
    assert_eq!(joiner.join().unwrap(), 5);
}

#[test]
fn join_handle_dropped_on_another_thread() {
    let runtime = runtime();
    let trace = Trace::default();
    let (ended, running) = runtime.block_on(async {
        let ended = rt::spawn_local(std::future::ready(trace.on_drop("output")));
        let held = (Rc::new(()), trace.on_drop("future"));
        let running = rt::spawn_local(pending_with(held));
        yield_now().await;
        (ended, running)
    });
    thread::spawn(move || drop((ended, running))).join().unwrap();
    assert_eq!(trace.take(), ["output"], "the future is none of that thread's business");
    drop(runtime);
    assert_eq!(trace.take(), ["future"]);
}

#[test]
fn dropped_on_its_thread_with_the_runtime() {
    let runtime = runtime();
    let (place, dropped_on) = drop_place();
    runtime.block_on(async {
        rt::spawn_local(pending_with(place));
        yield_now().await;
    });
    drop(runtime);
    assert_eq!(dropped_on.try_recv(), Ok(thread::current().id()));
}

#[test]
fn runtime_dropped_on_another_thread() {
    let runtime = runtime();
    let (place, dropped_on) = drop_place();
    runtime.block_on(async {
        rt::spawn_local(pending_with(place));
        yield_now().await;
    });
    thread::spawn(move || drop(runtime)).join().unwrap();
    assert_eq!(dropped_on.try_recv(), Err(mpsc::TryRecvError::Empty), "it waits for its own thread");
    // Which comes by when it next spawns something local, in any runtime.
    support::block_on(async { rt::spawn_local(async {}).await.unwrap() });
    assert_eq!(dropped_on.try_recv(), Ok(thread::current().id()));
}

#[test]
fn runtime_dropped_on_another_thread_and_this_one_exits() {
    let (moved, runtime) = mpsc::channel::<Runtime>();
    let (gone, is_gone) = mpsc::channel::<()>();
    let (place, dropped_on) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = support::runtime();
        let place = DropPlace(place, PhantomData);
        runtime.block_on(async {
            rt::spawn_local(pending_with(place));
            yield_now().await;
        });
        moved.send(runtime).unwrap();
        is_gone.recv().unwrap();
        thread::current().id()
    });
    drop(runtime.recv().unwrap());
    gone.send(()).unwrap();
    let there = thread.join().unwrap();
    assert_eq!(dropped_on.recv(), Ok(there));
}

#[test]
fn thread_exits_before_the_runtime() {
    let runtime = runtime();
    let (place, dropped_on) = mpsc::channel();
    let (there, task) = thread::scope(|scope| {
        let runtime = &runtime;
        scope
            .spawn(move || {
                let place = DropPlace(place, PhantomData);
                let task = runtime.block_on(async {
                    let task = rt::spawn_local(pending_with(place));
                    yield_now().await;
                    task
                });
                (thread::current().id(), task)
            })
            .join()
            .unwrap()
    });
    assert_eq!(dropped_on.recv(), Ok(there));
    assert!(runtime.block_on(task).unwrap_err().is_cancelled(), "whoever joins it hears");
}

#[test]
fn destructor_uses_the_runtime_while_its_thread_exits() {
    let runtime = runtime();
    let trace = Trace::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let said = trace.clone();
            runtime.block_on(async {
                rt::spawn_local(pending_with(on_drop(move || {
                    let from_task = said.clone();
                    drop(rt::spawn(async move { from_task.say("spawned") }));
                    said.say("dropped");
                })));
                yield_now().await;
            });
        });
    });
    // `scope` waits for the closure, and not for what the thread does while it exits.
    let mut words = Vec::new();
    while !words.iter().any(|word| word == "dropped") {
        words.extend(trace.take());
        thread::yield_now();
    }
    // The task may have run by now, or runs when somebody drives.
    while !words.iter().any(|word| word == "spawned") {
        runtime.block_on(yield_now());
        words.extend(trace.take());
    }
    words.sort();
    assert_eq!(words, ["dropped", "spawned"]);
}

#[test]
fn wakers_and_handles_after_the_thread_is_gone() {
    let runtime = runtime();
    let wakers = Arc::new(Mutex::new(Vec::new()));
    let task = thread::scope(|scope| {
        let spawning = scope.spawn(|| {
            let shared = Arc::clone(&wakers);
            runtime.block_on(async {
                let not_send = Rc::new(());
                let task = rt::spawn_local(async move {
                    poll_fn(|cx| {
                        shared.lock().unwrap().push(cx.waker().clone());
                        Poll::<()>::Pending
                    })
                    .await;
                    drop(not_send);
                });
                yield_now().await;
                task
            })
        });
        spawning.join().unwrap()
    });
    let waker = wakers.lock().unwrap().pop().unwrap();
    waker.wake_by_ref();
    task.abort();
    let switch = task.abort_handle();
    assert!(runtime.block_on(task).unwrap_err().is_cancelled());
    waker.clone().wake();
    switch.abort();
    drop(runtime);
    waker.wake();
    assert!(switch.is_finished());
}

#[test]
fn outside_of_a_thread_that_drives() {
    let runtime = runtime();
    let sentence =
        "rt::spawn_local needs a thread that drives a runtime: call it from a task, or within `Runtime::block_on`";
    let outside = panic_of(|| rt::spawn_local(async {}));
    let entered = panic_of(|| {
        let _entered = runtime.enter();
        rt::spawn_local(async {})
    });
    let by_handle = panic_of(|| runtime.handle().block_on(async { rt::spawn_local(async {}) }));
    let blocking = runtime.block_on(async {
        let error = rt::spawn_blocking(|| drop(rt::spawn_local(async {}))).await.unwrap_err();
        support::text(error.into_panic())
    });
    for message in [outside, entered, by_handle, blocking] {
        assert!(message.starts_with(sentence), "{message}");
    }
}

#[test]
fn of_two_runtimes_on_one_thread() {
    let (a, b) = (runtime(), runtime());
    let (in_a, a_dropped_on) = drop_place();
    let (in_b, b_dropped_on) = drop_place();
    a.block_on(async { drop(rt::spawn_local(pending_with(in_a))) });
    b.block_on(async { drop(rt::spawn_local(pending_with(in_b))) });
    drop(a);
    assert!(a_dropped_on.try_recv().is_ok());
    assert!(b_dropped_on.try_recv().is_err());
    drop(b);
    assert!(b_dropped_on.try_recv().is_ok());
}

#[test]
fn many() {
    support::block_on(async {
        let sum = Rc::new(Cell::new(0_u64));
        let tasks: Vec<_> = (0..10_000)
            .map(|n| {
                let sum = Rc::clone(&sum);
                rt::spawn_local(async move {
                    yield_now().await;
                    sum.set(sum.get() + n);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(sum.get(), 49_995_000);
    });
}
