//! Deferreds and other threads, on a runtime.

mod support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rt::deferred::{
    Abandoned, Cancelled, Deferred, Failure, Reactor, TimedOut, block_on_from_thread, call_from_thread,
    defer_to_thread, ensure_deferred, unhandled,
};
use rt::time::sleep;
use support::{Trace, block_on, one_thread, panic_of, runtime};

#[test]
fn fired_from_another_thread_on_its_own() {
    block_on(async {
        let here = thread::current().id();
        let (deferred, resolver) = Deferred::new();
        let resolver = resolver.into_send();
        thread::spawn(move || resolver.callback(7).unwrap());
        let (value, place) = deferred.add_callback(|n| (n, thread::current().id())).await.unwrap();
        assert_eq!((value, place), (7, here));
    });
}

#[test]
fn fired_before_its_runtime_runs() {
    // Nothing drives the thread yet: the handle finds its home when something does.
    let (deferred, resolver) = Deferred::new();
    let resolver = resolver.into_send();
    block_on(async {
        thread::spawn(move || resolver.callback("found").unwrap());
        assert_eq!(deferred.await.unwrap(), "found");
    });
}

#[test]
fn failed_from_another_thread() {
    block_on(async {
        let (deferred, resolver) = Deferred::<u8>::new();
        let resolver = resolver.into_send();
        thread::spawn(move || resolver.errback("no paper").unwrap());
        assert_eq!(deferred.await.unwrap_err().to_string(), "no paper");
    });
}

#[test]
fn abandoned_on_another_thread() {
    block_on(async {
        let (deferred, resolver) = Deferred::<u8>::new();
        let resolver = resolver.into_send();
        thread::spawn(move || drop(resolver));
        assert!(deferred.await.unwrap_err().check::<Abandoned>());
    });
}

#[test]
fn fired_after_it_was_cancelled() {
    block_on(async {
        let (deferred, resolver) = Deferred::<u8>::new();
        let resolver = resolver.into_send();
        let (go, gone) = mpsc::channel();
        let fires = thread::spawn(move || {
            gone.recv().unwrap();
            resolver.callback(1)
        });
        deferred.cancel();
        go.send(()).unwrap();
        assert!(deferred.await.unwrap_err().check::<Cancelled>());
        assert_eq!(fires.join().unwrap(), Ok(()));
    });
}

#[test]
fn fired_at_once_on_its_own_thread() {
    let (deferred, resolver) = Deferred::new();
    resolver.into_send().callback(3).unwrap();
    assert_eq!(rt::deferred::success_result_of(deferred), 3);
}

#[test]
fn value_comes_back_when_the_runtime_is_gone() {
    let (deferred, resolver) = Deferred::<String>::new();
    let resolver = block_on(async { resolver.into_send() });
    let back = thread::spawn(move || resolver.callback("precious".to_owned())).join().unwrap();
    assert_eq!(back.unwrap_err().value, "precious");
    drop(deferred);
}

#[test]
fn value_comes_back_when_there_was_no_runtime() {
    let (_deferred, resolver) = Deferred::<u32>::new();
    let resolver = resolver.into_send();
    let back = thread::spawn(move || resolver.resolve(Ok(5))).join().unwrap();
    assert_eq!(back.unwrap_err().value.unwrap(), 5);
}

#[test]
fn awaited_on_another_thread() {
    block_on(async {
        let (deferred, resolver) = Deferred::new();
        let there = deferred.add_callback(|n: u32| n + 1).into_send_future();
        let (asked, asks) = mpsc::channel();
        let waits = thread::spawn(move || {
            let mut there = there;
            rt::block_on(std::future::poll_fn(move |cx| {
                let polled = std::pin::Pin::new(&mut there).poll(cx);
                let _ = asked.send(());
                polled
            }))
        });
        // It waits before it is fired.
        asks.recv().unwrap();
        resolver.callback(1).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), 2);
    });
}

#[test]
fn awaited_elsewhere_after_it_was_fired() {
    let there = Deferred::succeed("ready").into_send_future();
    let value = thread::spawn(move || rt::block_on(there)).join().unwrap();
    assert_eq!(value.unwrap(), "ready");
}

#[test]
fn given_up_on_another_thread() {
    block_on(async {
        let (deferred, _resolver) = Deferred::<u8>::new();
        let (told, tells) = Deferred::new();
        let there = deferred.add_errback(move |failure: Failure| {
            tells.callback(failure.check::<Cancelled>()).unwrap();
            Err::<u8, _>(failure)
        });
        let there = there.into_send_future();
        thread::spawn(move || drop(there));
        assert!(told.await.unwrap());
    });
}

#[test]
fn awaited_elsewhere_and_never_fired() {
    let (deferred, resolver) = Deferred::<u8>::new();
    let there = deferred.into_send_future();
    drop(resolver);
    let waits = thread::spawn(move || rt::block_on(there));
    assert!(waits.join().unwrap().unwrap_err().check::<Abandoned>());
}

#[test]
fn awaited_elsewhere_when_its_thread_ends() {
    let there = thread::spawn(|| {
        let (deferred, resolver) = Deferred::<u8>::new();
        // It stays pending: only the end of its thread ends it.
        resolver.detach();
        deferred.into_send_future()
    });
    let there = there.join().unwrap();
    assert!(rt::block_on(there).unwrap_err().check::<Abandoned>());
}

#[test]
fn calls_from_a_thread_are_made_in_order() {
    block_on(async {
        let order = Trace::default();
        let said = order.clone();
        let here = thread::current().id();
        let done = defer_to_thread(move || {
            for n in 0..100 {
                let order = order.clone();
                call_from_thread(move || {
                    assert_eq!(thread::current().id(), here);
                    order.say(n.to_string());
                })
                .unwrap();
            }
        });
        done.await.unwrap();
        assert_eq!(said.take(), (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn call_from_the_reactors_own_thread_is_not_made_at_once() {
    block_on(async {
        thread_local!(static CALLED: Cell<bool> = const { Cell::new(false) });
        let reactor = Reactor.handle();
        reactor.call_from_thread(|| CALLED.set(true)).unwrap();
        assert!(!CALLED.get());
        while !CALLED.get() {
            rt::task::yield_now().await;
        }
    });
}

#[test]
fn call_from_a_thread_comes_back_when_the_runtime_is_gone() {
    let reactor = block_on(async { Reactor.handle() });
    let (called, calls) = mpsc::channel();
    let refused = thread::spawn(move || reactor.call_from_thread(move || called.send(5).unwrap())).join().unwrap();
    assert!(calls.try_recv().is_err());
    (refused.unwrap_err().value)();
    assert_eq!(calls.recv(), Ok(5));
}

#[test]
fn call_from_a_thread_that_panics_is_reported() {
    let runtime = runtime();
    let ((), lost) = unhandled::capture(|| {
        runtime.block_on(async {
            defer_to_thread(|| {
                call_from_thread(|| panic!("in the call")).unwrap();
                block_on_from_thread(|| ()).unwrap();
            })
            .await
            .unwrap();
        });
    });
    assert_eq!(lost.len(), 1);
    assert!(lost[0].failure.to_string().contains("in the call"), "{}", lost[0].failure);
}

#[test]
fn thread_waits_for_a_coroutine_of_the_runtime() {
    block_on(async {
        let sum = defer_to_thread(|| {
            let one = block_on_from_thread(|| Deferred::succeed(1))?;
            let two = block_on_from_thread(|| async {
                sleep(Duration::from_millis(1)).await;
                2
            })?;
            let failed = block_on_from_thread(|| -> Result<u8, Failure> { Err("three".into()) });
            assert_eq!(failed.unwrap_err().to_string(), "three");
            Ok::<i32, Failure>(one + two)
        });
        assert_eq!(sum.await.unwrap(), 3);
    });
}

#[test]
fn thread_waits_for_a_runtime_that_goes() {
    let (reactor, ask) = (mpsc::channel(), mpsc::channel::<()>());
    let waits = thread::spawn(move || {
        let reactor: rt::deferred::ReactorHandle = reactor.1.recv().unwrap();
        // Never answered, and nobody runs it again.
        reactor.block_on_from_thread(move || {
            ask.0.send(()).unwrap();
            let (deferred, resolver) = Deferred::<u8>::new();
            let kept = Rc::new(RefCell::new(Some(resolver)));
            rt::spawn_local(async move {
                std::future::pending::<()>().await;
                drop(kept);
            });
            deferred
        })
    });
    let runtime = one_thread();
    runtime.block_on(async {
        reactor.0.send(Reactor.handle()).unwrap();
        while ask.1.try_recv().is_err() {
            rt::task::yield_now().await;
        }
    });
    drop(runtime);
    assert!(waits.join().unwrap().unwrap_err().check::<Abandoned>());
}

#[test]
fn reactors_own_thread_does_not_wait_for_itself() {
    block_on(async {
        let reactor = Reactor.handle();
        let text = panic_of(|| reactor.block_on_from_thread(|| 1));
        assert!(text.contains("would wait for itself"), "{text}");
    });
}

#[test]
fn outside_of_a_deferred_function() {
    assert!(panic_of(|| call_from_thread(|| ())).contains("defer_to_thread"));
    assert!(panic_of(|| defer_to_thread(|| 1)).contains("no runtime drives this thread"));
    assert!(panic_of(|| Reactor.handle()).contains("no runtime drives this thread"));
    assert!(panic_of(|| Deferred::succeed(1).add_timeout(Duration::ZERO, &Reactor)).contains("no timers"));
}

#[test]
fn function_on_a_thread_fails() {
    block_on(async {
        let port = defer_to_thread(|| "x".parse::<u16>()).add_callback(|port: u16| port + 1);
        assert!(port.await.unwrap_err().check::<std::num::ParseIntError>());
        let panicked = defer_to_thread(|| -> u8 { panic!("over there") });
        assert!(panicked.await.unwrap_err().to_string().contains("over there"));
    });
}

#[test]
fn function_that_has_not_started_is_cancelled() {
    let mut builder = support::builder();
    let runtime = builder.max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (release, released) = mpsc::channel::<()>();
        let busy = defer_to_thread(move || released.recv().unwrap());
        let (called, calls) = mpsc::channel();
        let never = defer_to_thread(move || called.send(()).unwrap());
        never.cancel();
        release.send(()).unwrap();
        busy.await.unwrap();
        assert!(never.await.unwrap_err().check::<Cancelled>());
        // The only thread has come past it.
        defer_to_thread(|| ()).await.unwrap();
        assert!(calls.try_recv().is_err());
    });
}

#[test]
fn coroutine_sleeps() {
    let mut builder = support::builder();
    let runtime = builder.start_paused(true).build().unwrap();
    runtime.block_on(async {
        let nap = ensure_deferred(async {
            sleep(Duration::from_secs(60)).await;
            "awake"
        });
        assert_eq!(nap.await.unwrap(), "awake");
    });
}

#[test]
fn coroutine_that_uses_its_budget_up() {
    block_on(async {
        let steps = ensure_deferred(async {
            for _ in 0..1_000 {
                rt::task::consume_budget().await;
            }
            1_000
        });
        assert_eq!(steps.await.unwrap(), 1_000);
    });
}

#[test]
fn coroutine_that_gives_way_until_a_task_has_run() {
    block_on(async {
        let has_run = Rc::new(Cell::new(false));
        let (runs, looks) = (has_run.clone(), has_run);
        let task = rt::spawn_local(async move { runs.set(true) });
        let saw = ensure_deferred(async move {
            while !looks.get() {
                rt::task::yield_now().await;
            }
        });
        saw.await.unwrap();
        task.await.unwrap();
    });
}

#[test]
fn coroutine_waits_for_a_task_of_other_threads() {
    block_on(async {
        let (send, receive) = futures_channel::oneshot::channel();
        let waits = ensure_deferred(async move { receive.await.unwrap() });
        thread::spawn(move || send.send(9).unwrap());
        assert_eq!(waits.await.unwrap(), 9);
    });
}

#[test]
fn coroutine_outlives_its_runtime_and_goes_on_in_the_next() {
    let (send, receive) = futures_channel::oneshot::channel();
    let waits = block_on(async { ensure_deferred(async move { receive.await.unwrap() }) });
    block_on(async {
        // Something waits here, so this runtime is the thread's home now.
        ensure_deferred(async { rt::task::yield_now().await }).await.unwrap();
        thread::spawn(move || send.send("still here").unwrap());
        assert_eq!(waits.await.unwrap(), "still here");
    });
}

#[test]
fn deferred_times_out() {
    let mut builder = support::builder();
    let runtime = builder.start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (never, _resolver) = Deferred::<u8>::new();
        let late = never.add_timeout(Duration::from_secs(5), &Reactor);
        let failure = late.await.unwrap_err();
        assert_eq!(failure.downcast_ref::<TimedOut>().unwrap().after, Duration::from_secs(5));

        let (soon, resolver) = Deferred::new();
        let soon = soon.add_timeout(Duration::from_secs(5), &Reactor);
        resolver.callback("in time").unwrap();
        assert_eq!(soon.await.unwrap(), "in time");
    });
}

#[test]
fn failed_before_it_was_awaited_elsewhere() {
    let (result, lost) = unhandled::capture(|| rt::block_on(Deferred::<u8>::fail("no paper").into_send_future()));
    assert_eq!(result.unwrap_err().to_string(), "no paper");
    assert!(lost.is_empty());
}

#[test]
fn accepted_by_a_runtime_that_goes_before_it_fires_it() {
    let runtime = one_thread();
    let (deferred, resolver) = Deferred::<u8>::new();
    let resolver = runtime.block_on(async { resolver.into_send() });
    thread::spawn(move || resolver.callback(1).unwrap()).join().unwrap();
    drop(runtime);
    assert!(rt::deferred::failure_result_of(deferred).check::<Abandoned>());
}

#[test]
fn abandoned_on_another_thread_between_two_runtimes() {
    let (deferred, resolver) = Deferred::<u8>::new();
    let resolver = rt::block_on(async { resolver.into_send() });
    thread::spawn(move || drop(resolver)).join().unwrap();
    rt::block_on(async { assert!(deferred.await.unwrap_err().check::<Abandoned>()) });
}

#[test]
fn given_up_on_another_thread_between_two_runtimes() {
    let trace = Trace::default();
    let cancelled = trace.clone();
    let (deferred, _resolver) = Deferred::<u8>::with_canceller(move |_| cancelled.say("cancelled"));
    let there = rt::block_on(async { Some(deferred.into_send_future()) });
    thread::spawn(move || drop(there)).join().unwrap();
    assert!(trace.take().is_empty());
    rt::block_on(rt::task::yield_now());
    assert_eq!(trace.take(), ["cancelled"]);
}

#[test]
fn coroutine_woken_by_a_thread_between_two_runtimes() {
    let (sender, receiver) = futures_channel::oneshot::channel::<u8>();
    let coroutine = rt::block_on(async { ensure_deferred(async { receiver.await.unwrap() }) });
    thread::spawn(move || sender.send(1).unwrap()).join().unwrap();
    rt::block_on(async { assert_eq!(coroutine.await.unwrap(), 1) });
}

#[test]
fn coroutine_woken_in_a_runtime_that_ends_before_it_goes_on() {
    let (sender, receiver) = futures_channel::oneshot::channel::<u8>();
    let coroutine = rt::block_on(async {
        let coroutine = ensure_deferred(async { receiver.await.unwrap() });
        sender.send(1).unwrap();
        coroutine
    });
    rt::block_on(async { assert_eq!(coroutine.await.unwrap(), 1) });
}

#[test]
fn coroutine_woken_by_a_thread_while_another_runtime_waits() {
    let (sender, receiver) = futures_channel::oneshot::channel::<u8>();
    let former = one_thread();
    let coroutine = former.block_on(async { ensure_deferred(async { receiver.await.unwrap() }) });
    thread::spawn(move || sender.send(1).unwrap()).join().unwrap();
    rt::block_on(async { assert_eq!(coroutine.await.unwrap(), 1) });
}

/// Calls `f` on a thread of its own, in `block_on` of the runtime that is tested, while another thread drives its only worker.
fn beside_the_driver<T: Send>(f: impl AsyncFnOnce() -> T + Send) -> T {
    let runtime =
        if support::workers() == 0 { one_thread() } else { support::builder().worker_threads(1).build().unwrap() };
    let (drives, driving) = mpsc::channel();
    let (end, ended) = futures_channel::oneshot::channel::<()>();
    thread::scope(|scope| {
        let runtime = &runtime;
        scope.spawn(move || {
            runtime.block_on(async move {
                drives.send(()).unwrap();
                ended.await.unwrap();
            });
        });
        driving.recv().unwrap();
        let result = runtime.block_on(f());
        end.send(()).unwrap();
        result
    })
}

#[test]
fn fired_from_another_thread_while_others_drive_the_runtime() {
    let value = beside_the_driver(async || {
        let (deferred, resolver) = Deferred::new();
        let resolver = resolver.into_send();
        thread::spawn(move || resolver.callback(3).unwrap());
        deferred.await.unwrap()
    });
    assert_eq!(value, 3);
}

#[test]
fn deferred_to_a_thread_that_calls_back_while_others_drive_the_runtime() {
    let value = beside_the_driver(async || {
        let answer = defer_to_thread(|| {
            block_on_from_thread(|| async {
                sleep(Duration::from_millis(1)).await;
                Ok::<u32, Failure>(21)
            })
        });
        answer.await.unwrap() * 2
    });
    assert_eq!(value, 42);
}

#[test]
fn coroutine_and_timers_while_others_drive_the_runtime() {
    let trace = beside_the_driver(async || {
        let trace = Trace::default();
        let (one, two) = (trace.clone(), trace.clone());
        let coroutine = ensure_deferred(async move {
            sleep(Duration::from_millis(1)).await;
            one.say("slept");
        });
        coroutine.await.unwrap();
        let later = rt::deferred::defer_later(&Reactor, Duration::ZERO, move || two.say("later"));
        trace.say("first");
        later.await.unwrap();
        let (never, _resolver) = Deferred::<u8>::new();
        let never = never.add_timeout(Duration::from_millis(1), &Reactor);
        assert!(never.await.unwrap_err().check::<TimedOut>());
        let taken_back = rt::deferred::defer_later(&Reactor, Duration::from_secs(1_000), || ());
        taken_back.cancel();
        assert!(taken_back.await.unwrap_err().check::<Cancelled>());
        trace.take()
    });
    assert_eq!(trace, ["slept", "first", "later"]);
}

#[test]
fn posted_to_who_waits_for_the_worker_and_called_when_it_has_it() {
    let runtime = one_thread();
    let (drives, driving) = mpsc::channel();
    let (end, ended) = futures_channel::oneshot::channel::<()>();
    let trace = Trace::default();
    thread::scope(|scope| {
        let runtime = &runtime;
        let first = scope.spawn(move || {
            runtime.block_on(async move {
                drives.send(()).unwrap();
                ended.await.unwrap();
            });
        });
        driving.recv().unwrap();
        let called = trace.clone();
        runtime.block_on(async move {
            let (deferred, resolver) = Deferred::new();
            let resolver = resolver.into_send();
            let reactor = Reactor.handle();
            // In this very poll the worker is handed over, with both still on their way.
            end.send(()).unwrap();
            first.join().unwrap();
            thread::spawn(move || {
                reactor.call_from_thread(move || called.say("called")).unwrap();
                resolver.callback(1).unwrap();
            })
            .join()
            .unwrap();
            assert_eq!(deferred.await.unwrap(), 1);
        });
    });
    assert_eq!(trace.take(), ["called"]);
}

#[test]
fn coroutine_woken_by_a_thread_after_another_runtime_has_run_in_place() {
    if support::workers() == 0 {
        // Without other workers nothing blocks in place.
        return;
    }
    block_on(async {
        let (sender, receiver) = futures_channel::oneshot::channel::<u8>();
        let coroutine = ensure_deferred(async { receiver.await.unwrap() });
        let other = one_thread();
        rt::task::block_in_place(|| other.block_on(rt::task::yield_now()));
        thread::spawn(move || sender.send(1).unwrap());
        assert_eq!(coroutine.await.unwrap(), 1);
    });
}

#[test]
fn deferred_of_a_thread_that_had_to_give_its_worker_back() {
    let runtime = rt::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (give, given) = mpsc::channel();
    let (come_back, back) = mpsc::channel();
    let (finish, finished) = mpsc::channel();
    runtime.spawn(async move {
        // From now on this thread has a home, so that it leaves its worker to nobody.
        let _reactor = Reactor.handle();
        let resolver = rt::task::block_in_place(|| given.recv().unwrap());
        come_back.send(resolver).unwrap();
    });
    // Meanwhile another thread drives the worker.
    runtime.spawn(async move {
        let there = {
            let (deferred, resolver) = Deferred::<u8>::new();
            give.send(resolver.into_send()).unwrap();
            deferred.into_send_future()
        };
        finish.send(there.await.unwrap()).unwrap();
    });
    back.recv().unwrap().callback(5).unwrap();
    assert_eq!(finished.recv().unwrap(), 5);
}
