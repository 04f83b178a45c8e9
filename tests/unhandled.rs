//! Failures that nobody handles: of Deferreds, tasks and blocking calls, on a runtime.

mod support;

use std::io;
use std::sync::{Arc, Mutex, Once, mpsc};

use rt::deferred::unhandled;
use rt::runtime::{Builder, UnhandledFailure};
use rt::{Deferred, Failure};
use support::{builder, panic_of, runtime};

/// What was lost since the process began, by whichever thread.
static LOST: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How often something was lost that says `mark`, which one test alone uses.
fn lost(mark: &str) -> usize {
    LOST.lock().unwrap().iter().filter(|text| text.contains(mark)).count()
}

fn collect() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| unhandled::set_hook(|unhandled| LOST.lock().unwrap().push(unhandled.to_string())));
}

/// Runs everything to its end on a runtime of the flavor that is tested.
fn run(test: impl AsyncFnOnce()) {
    collect();
    runtime().block_on(test());
}

#[test]
fn error_of_a_task_that_nobody_joins() {
    run(async || {
        let (send, receive) = futures_channel::oneshot::channel();
        let task = rt::spawn(async move {
            receive.await.unwrap();
            Err::<(), _>(io::Error::other("error after the drop"))
        });
        let watch = task.abort_handle();
        drop(task);
        send.send(()).unwrap();
        while !watch.is_finished() {
            rt::task::yield_now().await;
        }
    });
    assert_eq!(lost("error after the drop"), 1);
    let text = LOST.lock().unwrap().iter().find(|text| text.contains("error after the drop")).unwrap().clone();
    assert!(text.contains("task spawned at tests/unhandled.rs"), "{text}");
}

#[test]
fn error_of_a_task_that_had_ended() {
    run(async || {
        let task = rt::spawn(async { Err::<u8, _>(Failure::new("error before the drop")) });
        while !task.is_finished() {
            rt::task::yield_now().await;
        }
        assert_eq!(lost("error before the drop"), 0);
        drop(task);
        assert_eq!(lost("error before the drop"), 1);
    });
}

#[test]
fn panic_of_a_local_task() {
    run(async || {
        let task = rt::spawn_local(async { panic!("panic that nobody joins") });
        while !task.is_finished() {
            rt::task::yield_now().await;
        }
        drop::<rt::JoinHandle<()>>(task);
    });
    assert_eq!(lost("panic that nobody joins"), 1);
}

#[test]
fn error_that_is_joined() {
    run(async || {
        let error = rt::spawn(async { Err::<(), _>("error that is joined") }).await.unwrap().unwrap_err();
        assert_eq!(error, "error that is joined");
    });
    assert_eq!(lost("error that is joined"), 0);
}

#[test]
fn abort_is_no_failure() {
    let ((), lost) = unhandled::capture(|| {
        support::one_thread().block_on(async {
            let task = rt::spawn(std::future::pending::<Result<(), Failure>>());
            task.abort();
            drop(task);
        });
    });
    assert!(lost.is_empty());
}

#[test]
fn error_of_a_blocking_call() {
    run(async || {
        drop(rt::spawn_blocking(|| Err::<(), _>("error of a blocking call")));
        while lost("error of a blocking call") == 0 {
            rt::task::yield_now().await;
        }
    });
}

#[test]
fn panic_of_what_makes_a_pinned_task() {
    run(async || {
        drop(rt::spawn_pinned(0, || -> std::future::Ready<()> { panic!("panic before the pinned task") }).unwrap());
        while lost("panic before the pinned task") == 0 {
            rt::task::yield_now().await;
        }
    });
}

#[test]
fn shuts_down_the_runtime() {
    collect();
    let runtime = builder().unhandled_failure(UnhandledFailure::ShutdownRuntime).build().unwrap();
    let text = panic_of(|| {
        runtime.block_on(async {
            drop(rt::spawn(async { Err::<(), _>("lost on purpose") }));
            std::future::pending::<()>().await;
        })
    });
    assert!(text.contains("this runtime is to shut down"), "{text}");
    let text = panic_of(|| runtime.block_on(async {}));
    assert!(text.contains("this runtime is to shut down"), "{text}");
}

#[test]
fn shuts_down_when_a_thread_of_the_pool_loses_something() {
    collect();
    let runtime = builder().unhandled_failure(UnhandledFailure::ShutdownRuntime).build().unwrap();
    let text = panic_of(|| {
        runtime.block_on(async {
            drop(rt::spawn_blocking(|| drop(Deferred::<()>::fail("lost in the pool"))));
            std::future::pending::<()>().await;
        })
    });
    assert!(text.contains("this runtime is to shut down"), "{text}");
}

#[test]
fn another_runtime_goes_on() {
    collect();
    let strict = builder().unhandled_failure(UnhandledFailure::ShutdownRuntime).build().unwrap();
    runtime().block_on(async { drop(Deferred::<()>::fail("lost in the other runtime")) });
    assert_eq!(strict.block_on(async { 1 }), 1);
}

#[test]
fn what_the_end_of_the_runtime_abandons() {
    collect();
    let (told, tells) = mpsc::channel();
    let runtime = builder().build().unwrap();
    runtime.block_on(async {
        let (deferred, resolver) = Deferred::<()>::new();
        drop(deferred.add_errback(move |failure: Failure| {
            told.send(failure.to_string()).unwrap();
            Err::<(), _>(failure)
        }));
        rt::spawn_local(async move {
            std::future::pending::<()>().await;
            drop(resolver);
        });
    });
    let before = lost("abandoned");
    drop(runtime);
    assert!(tells.recv().unwrap().contains("abandoned"));
    assert_eq!(lost("abandoned"), before);
}

#[rt::test(unhandled = "log")]
async fn test_that_may_lose_something() {
    collect();
    drop(Deferred::<()>::fail("lost in a lenient test"));
    assert_eq!(lost("lost in a lenient test"), 1);
}

mod strict {
    use super::*;

    #[rt::test]
    #[should_panic(expected = "lost in a strict test")]
    async fn deferred() {
        collect();
        drop(Deferred::<()>::fail("lost in a strict test"));
    }

    #[rt::test]
    #[should_panic(expected = "1 of this test's failures were not handled")]
    async fn task() {
        collect();
        rt::spawn(async { Err::<(), _>("lost by a task of a strict test") });
        rt::task::yield_now().await;
    }

    #[rt::test(flavor = "multi_thread", worker_threads = 2)]
    #[should_panic(expected = "lost on a worker")]
    async fn task_of_another_worker() {
        collect();
        let task = rt::spawn(async { drop(Deferred::<()>::fail("lost on a worker")) });
        task.await.unwrap();
    }

    #[rt::test]
    async fn everything_is_handled() {
        let kept = Arc::new(Deferred::<u8>::fail("handled").add_errback(|_| 1).await.unwrap());
        assert_eq!(*kept, 1);
    }
}

/// The process dies, so it is another one: this binary, told to run one test.
#[test]
fn aborts_the_process() {
    if std::env::var_os("RT_TEST_ABORTS").is_some() {
        let runtime = Builder::new_current_thread().unhandled_failure(UnhandledFailure::Abort).build().unwrap();
        runtime.block_on(async { drop(Deferred::<()>::fail("fatal")) });
        return;
    }
    let own = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new(own);
    child.args(["--exact", "aborts_the_process", "--nocapture"]).env("RT_TEST_ABORTS", "1");
    let output = child.output().unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("Unhandled error in Deferred: fatal"), "{stderr}");
}
