//! Panics wherever the runtime calls a user's code: they reach whom they concern, and nobody else.

mod support;

use std::error::Error;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

use futures_channel::oneshot;

use rt::runtime::Runtime;
use rt::task::{JoinError, yield_now};
use rt::time::{call_later, sleep};
use support::{Trace, Wakes, on_drop, panic_of, pending_with, runtime, text};

/// Another task, an event source and a timer all work.
fn assert_usable(runtime: &Runtime) {
    let output = runtime.block_on(async {
        let task = rt::spawn(async {
            yield_now().await;
            1
        });
        sleep(Duration::from_millis(1)).await;
        task.await.unwrap() + rt::spawn_blocking(|| 1).await.unwrap()
    });
    assert_eq!(output, 2);
}

fn panics_on_drop() -> impl Send + Unpin {
    on_drop(|| panic!("in a destructor"))
}

#[test]
fn in_a_poll() {
    let runtime = runtime();
    runtime.block_on(async {
        let before = rt::spawn(async { 1 });
        let broken = rt::spawn(async {
            yield_now().await;
            panic!("on purpose")
        });
        let after = rt::spawn(async { 2 });
        let error: JoinError = broken.await.map(|(): ()| ()).unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(before.await.unwrap() + after.await.unwrap(), 3);
    });
    assert_usable(&runtime);
}

#[test]
fn in_a_poll_of_a_detached_task() {
    let runtime = runtime();
    runtime.block_on(async {
        drop(rt::spawn(async { panic!("on purpose") }));
        assert_eq!(rt::spawn(async { 1 }).await.unwrap(), 1);
    });
    assert_usable(&runtime);
}

#[test]
fn in_a_poll_drops_the_future() {
    let trace = Trace::default();
    support::block_on(async {
        let held = trace.on_drop("future");
        let broken = rt::spawn(async move {
            let _held = held;
            panic!("on purpose")
        });
        assert!(broken.await.map(|(): ()| ()).is_err());
        assert_eq!(trace.take(), ["future"]);
    });
}

#[test]
fn error_of_a_task_that_panicked() {
    support::block_on(async {
        let task = rt::spawn(async { panic!("on purpose") });
        let id = task.id();
        let error = task.await.map(|(): ()| ()).unwrap_err();
        assert_eq!(error.id(), id);
        assert_eq!(error.to_string(), format!("task {id} panicked: on purpose"));
        assert!(format!("{error:?}").contains("Panic"), "{error:?}");
        assert!(format!("{error:?}").contains("on purpose"), "{error:?}");
        assert_eq!(text(error.into_panic()), "on purpose");

        let formatted = rt::spawn(async { panic!("number {}", 5) }).await.map(|(): ()| ()).unwrap_err();
        assert!(formatted.to_string().ends_with("panicked: number 5"));

        let number = rt::spawn(async { panic_any(5_u32) }).await.map(|(): ()| ()).unwrap_err();
        assert!(number.to_string().ends_with("panicked with something that is not text"));
        assert!(!format!("{number:?}").is_empty());
        assert_eq!(number.try_into_panic().unwrap().downcast_ref(), Some(&5_u32));
    });
}

#[test]
fn error_fits_into_a_box() {
    fn boxed(error: JoinError) -> Box<dyn Error + Send + Sync> {
        error.into()
    }
    support::block_on(async {
        let error = rt::spawn(async { panic!("on purpose") }).await.map(|(): ()| ()).unwrap_err();
        assert!(boxed(error).to_string().contains("on purpose"));
    });
}

#[test]
fn resumed_by_the_joiner() {
    let message = panic_of(|| {
        support::block_on(async {
            let error = rt::spawn(async { panic!("on purpose") }).await.map(|(): ()| ()).unwrap_err();
            resume_unwind(error.into_panic())
        })
    });
    assert_eq!(message, "on purpose");
}

#[test]
fn in_the_drop_of_a_future_that_ended() {
    let runtime = runtime();
    runtime.block_on(async {
        let task = rt::spawn(support::Holding(panics_on_drop()));
        assert_eq!(text(task.await.unwrap_err().into_panic()), "in a destructor");
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_drop_of_a_future_that_was_aborted() {
    let runtime = runtime();
    runtime.block_on(async {
        let task = rt::spawn(pending_with(panics_on_drop()));
        yield_now().await;
        task.abort();
        assert_eq!(text(task.await.unwrap_err().into_panic()), "in a destructor");
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_drop_of_a_detached_future() {
    let runtime = runtime();
    runtime.block_on(async {
        let switch = rt::spawn(pending_with(panics_on_drop())).abort_handle();
        yield_now().await;
        switch.abort();
        yield_now().await;
        assert!(switch.is_finished());
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_poll_and_in_the_drop() {
    struct Both(bool);
    impl Future for Both {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            self.0 = true;
            panic!("in the poll")
        }
    }
    impl Drop for Both {
        fn drop(&mut self) {
            assert!(!self.0, "in the drop");
        }
    }
    let runtime = runtime();
    runtime.block_on(async {
        let error = rt::spawn(Both(false)).await.unwrap_err();
        assert_eq!(text(error.into_panic()), "in the poll", "the first is the one to tell of");
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_drop_of_an_output_that_nobody_took() {
    let runtime = support::one_thread();
    runtime.block_on(async {
        drop(rt::spawn(ready(panics_on_drop())));
        yield_now().await;
        let kept = rt::spawn(ready(panics_on_drop()));
        yield_now().await;
        assert!(kept.is_finished());
        drop(kept);
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_drop_of_an_output_on_another_thread() {
    let runtime = runtime();
    let task = runtime.spawn(ready(panics_on_drop()));
    runtime.block_on(yield_now());
    std::thread::spawn(move || drop(task)).join().unwrap();
    assert_usable(&runtime);
}

#[test]
fn in_the_drop_of_a_payload() {
    let runtime = runtime();
    runtime.block_on(async {
        drop(rt::spawn(async { panic_any(panics_on_drop()) }));
        yield_now().await;
        let error = rt::spawn(async { panic_any(panics_on_drop()) }).await.unwrap_err();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(error))).is_err());
    });
    assert_usable(&runtime);
}

#[test]
fn in_what_block_on_waits_for() {
    let runtime = runtime();
    let survivor = runtime.spawn(async {
        yield_now().await;
        1
    });
    assert_eq!(panic_of(|| runtime.block_on(async { panic!("on purpose") })), "on purpose");
    let held = panics_on_drop();
    assert_eq!(panic_of(|| runtime.block_on(support::Holding(held))), "in a destructor");
    assert_eq!(runtime.block_on(survivor).unwrap(), 1);
    assert_usable(&runtime);
}

#[test]
fn in_the_start_value_of_a_task_local() {
    rt::task_local! {
        static NUMBER: u32;
    }
    fn broken() -> u32 {
        panic!("no number")
    }
    let runtime = runtime();
    runtime.block_on(async {
        let error = rt::spawn(async { NUMBER.scope(broken(), async { NUMBER.get() }).await }).await.unwrap_err();
        assert_eq!(text(error.into_panic()), "no number");
        let error = rt::spawn(NUMBER.scope(1, async { NUMBER.with(|_| -> u32 { panic!("in with") }) })).await;
        assert_eq!(text(error.unwrap_err().into_panic()), "in with");
        assert!(NUMBER.try_with(|_| ()).is_err(), "the value went with the scope");
    });
    assert_usable(&runtime);
}

#[test]
fn in_a_blocking_call() {
    let runtime = runtime();
    runtime.block_on(async {
        let error = rt::spawn_blocking(|| panic!("on purpose")).await.map(|(): ()| ()).unwrap_err();
        assert_eq!(text(error.into_panic()), "on purpose");
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_drop_of_a_blocking_closure_or_its_output() {
    let runtime = support::builder().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (release, released) = mpsc::channel::<()>();
        let first = rt::spawn_blocking(move || {
            let _ = released.recv();
        });
        let held = panics_on_drop();
        let aborted = rt::spawn_blocking(move || drop(held));
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_panic());
        drop(rt::spawn_blocking(panics_on_drop));
        drop(release);
        first.await.unwrap();
        rt::spawn_blocking(|| ()).await.unwrap();
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_hooks_of_threads() {
    let runtime = support::builder()
        .thread_keep_alive(Duration::ZERO)
        .on_thread_start(|| panic!("at the start"))
        .on_thread_stop(|| panic!("at the stop"))
        .build()
        .unwrap();
    assert_usable(&runtime);
    assert_usable(&runtime);
    runtime.shutdown_timeout(Duration::from_secs(60));
}

#[test]
fn in_call_later() {
    let runtime = support::builder().start_paused(true).build().unwrap();
    let trace = Trace::default();
    runtime.block_on(async {
        call_later(Duration::from_secs(1), || panic!("on purpose"));
        let said = trace.clone();
        call_later(Duration::from_secs(1), move || said.say("another"));
        let held = panics_on_drop();
        let cancelled = call_later(Duration::from_secs(1), move || drop(held));
        assert!(catch_unwind(AssertUnwindSafe(|| cancelled.cancel())).is_err());
        assert!(!cancelled.is_active());
        sleep(Duration::from_secs(2)).await;
    });
    assert_eq!(trace.take(), ["another"]);
    assert_usable(&runtime);
}

#[test]
fn in_a_handler_of_select() {
    let runtime = runtime();
    runtime.block_on(async {
        let error = rt::spawn(async {
            rt::select! {
                () = ready(()) => panic!("in the handler"),
                () = pending() => {}
            }
        })
        .await
        .unwrap_err();
        assert_eq!(text(error.into_panic()), "in the handler");
    });
    assert_usable(&runtime);
}

#[test]
fn in_a_branch_of_join() {
    let trace = Trace::default();
    let runtime = runtime();
    runtime.block_on(async {
        let held = trace.on_drop("other branch");
        let error = rt::spawn(async move { rt::join!(pending_with(held), async { panic!("in a branch") }) }).await;
        assert!(error.map(|((), ())| ()).unwrap_err().is_panic());
    });
    assert_eq!(trace.take(), ["other branch"]);
    assert_usable(&runtime);
}

const WAKE: u8 = 1;
const DROP: u8 = 2;

/// A waker that panics where `faults` says at that time: when it is woken, when its last clone is dropped.
fn faulty(faults: &Arc<AtomicU8>) -> Waker {
    struct Bomb {
        faults: Arc<AtomicU8>,
    }
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            assert!(self.faults.load(Ordering::SeqCst) & WAKE == 0, "a waker's wake");
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(self.faults.load(Ordering::SeqCst) & DROP == 0, "a waker's drop");
        }
    }
    Waker::from(Arc::new(Bomb { faults: Arc::clone(faults) }))
}

#[test]
fn in_the_wake_or_drop_of_a_joiners_waker() {
    for fault in [WAKE, DROP] {
        let runtime = runtime();
        let faults = Arc::new(AtomicU8::new(0));
        runtime.block_on(async {
            let mut task = rt::spawn(async { 1 });
            let survivor = rt::spawn(async { 2 });
            let waker = faulty(&faults);
            assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            faults.store(fault, Ordering::SeqCst);
            yield_now().await;
            faults.store(0, Ordering::SeqCst);
            assert_eq!(task.await.unwrap() + survivor.await.unwrap(), 3);
        });
        assert_usable(&runtime);
    }
}

#[test]
fn in_the_wake_or_drop_of_a_remote_joiners_waker() {
    for fault in [WAKE, DROP] {
        let runtime = support::one_thread();
        let faults = Arc::new(AtomicU8::new(0));
        let mut task = runtime.spawn(async { 1 });
        let survivor = runtime.spawn(async { 2 });
        let waker = faulty(&faults);
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        faults.store(fault, Ordering::SeqCst);
        runtime.block_on(yield_now());
        faults.store(0, Ordering::SeqCst);
        assert_eq!(runtime.block_on(async { task.await.unwrap() + survivor.await.unwrap() }), 3);
        assert_usable(&runtime);
    }
}

#[test]
fn in_the_drop_of_a_joiners_waker_that_is_replaced() {
    let runtime = runtime();
    let faults = Arc::new(AtomicU8::new(0));
    runtime.block_on(async {
        let mut task = rt::spawn(async { 1 });
        let waker = faulty(&faults);
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        faults.store(DROP, Ordering::SeqCst);
        let other = Waker::from(Arc::new(Wakes::default()));
        let poll = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut task).poll(&mut Context::from_waker(&other))));
        assert!(poll.is_err(), "it is the poller's own waker, so the poller hears of it");
        faults.store(0, Ordering::SeqCst);
        assert_eq!(task.await.unwrap(), 1);
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_clone_of_a_joiners_waker() {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(|_| panic!("a waker's clone"), |_| (), |_| (), |_| ());
    // A waker that is a constant: no data, so nothing to get wrong.
    #[allow(unsafe_code)]
    // SAFETY: the functions ignore the data and are thread-safe.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) };
    let runtime = support::one_thread();
    let mut remote = runtime.spawn(async { 2 });
    assert_eq!(
        panic_of(|| Pin::new(&mut remote).poll(&mut Context::from_waker(&waker)).is_pending()),
        "a waker's clone"
    );
    runtime.block_on(async {
        let mut task = rt::spawn(async { 1 });
        assert_eq!(
            panic_of(|| Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending()),
            "a waker's clone"
        );
        assert_eq!(task.await.unwrap() + remote.await.unwrap(), 3);
    });
    assert_usable(&runtime);
}

#[test]
fn in_the_wake_of_a_timers_waker() {
    let runtime = support::builder().start_paused(true).build().unwrap();
    let faults = Arc::new(AtomicU8::new(0));
    let survivors: Vec<_> = (0..3).map(|_| runtime.spawn(sleep_within(Duration::from_secs(1)))).collect();
    runtime.block_on(async {
        let mut timer = Box::pin(sleep(Duration::from_secs(1)));
        let waker = faulty(&faults);
        assert!(timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        faults.store(WAKE, Ordering::SeqCst);
        for survivor in survivors {
            survivor.await.unwrap();
        }
        faults.store(0, Ordering::SeqCst);
        timer.await;
    });
    assert_usable(&runtime);
}

async fn sleep_within(duration: Duration) {
    sleep(duration).await;
}

#[test]
fn in_the_wake_of_a_blocking_calls_joiner() {
    let runtime = runtime();
    let faults = Arc::new(AtomicU8::new(WAKE));
    runtime.block_on(async {
        let (release, released) = mpsc::channel::<()>();
        let mut call = rt::spawn_blocking(move || released.recv().unwrap());
        let waker = faulty(&faults);
        assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
        release.send(()).unwrap();
        while !call.is_finished() {
            yield_now().await;
        }
        call.await.unwrap();
        rt::spawn_blocking(|| ()).await.unwrap();
    });
    assert_usable(&runtime);
}

#[test]
fn in_many_tasks_of_one_turn() {
    let runtime = runtime();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..1_000_u32)
            .map(|n| {
                rt::spawn(async move {
                    yield_now().await;
                    assert!(n % 2 == 0, "odd");
                    n
                })
            })
            .collect();
        for (n, task) in (0..).zip(tasks) {
            match task.await {
                Ok(output) => assert_eq!((output, n % 2), (n, 0)),
                Err(error) => assert!(error.is_panic() && n % 2 == 1),
            }
        }
    });
    assert_usable(&runtime);
}

#[test]
fn in_destructors_while_the_runtime_is_dropped() {
    let trace = Trace::default();
    let runtime = runtime();
    let (task, said) = (runtime.spawn(pending_with(panics_on_drop())), trace.on_drop("survivor"));
    runtime.spawn(pending_with(said));
    let output = runtime.spawn(ready(panics_on_drop()));
    runtime.block_on(async {
        rt::spawn_local(pending_with(panics_on_drop()));
        yield_now().await;
    });
    drop(output);
    drop(runtime);
    assert_eq!(trace.take(), ["survivor"]);
    assert!(futures_executor::block_on(task).unwrap_err().is_panic());
}

#[test]
fn in_a_destructor_while_another_panic_unwinds_block_on() {
    let runtime = runtime();
    let (sender, receiver) = oneshot::channel::<()>();
    let task = runtime.spawn(receiver);
    let message = panic_of(|| {
        runtime.block_on(async {
            let _sender = sender;
            yield_now().await;
            let _quiet = on_drop(|| assert!(catch_unwind(|| panic!("caught")).is_err()));
            panic!("outer")
        })
    });
    assert_eq!(message, "outer");
    assert!(runtime.block_on(task).unwrap().is_err(), "the sender went with the future");
    assert_usable(&runtime);
}

#[test]
fn in_a_poll_after_a_wake_within_it() {
    support::block_on(async {
        let task = rt::spawn(poll_fn(|cx| -> Poll<()> {
            cx.waker().wake_by_ref();
            panic!("on purpose")
        }));
        assert!(task.await.unwrap_err().is_panic());
        yield_now().await;
    });
}
