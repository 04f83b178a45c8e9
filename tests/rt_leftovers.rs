//! `#[rt::test(leftovers = "fail")]`: a test that leaves something behind fails, and the message names it.

#![cfg(all(feature = "macros", feature = "net"))]

use rt::deferred::{Deferred, LoopingCall, Reactor};
use rt::net::{TcpListener, TcpStream};
use rt::runtime::Builder;
use rt::time::{Duration, call_later, sleep, timeout};
use std::cell::RefCell;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

/// What the end of such a test says of `future`, line by line; empty if it passes.
fn left_by(builder: &mut Builder, future: impl Future<Output = ()>) -> Vec<String> {
    let runtime = builder.__collect_leftovers(true).__collect_failures(true).build().unwrap();
    match catch_unwind(AssertUnwindSafe(|| runtime.__block_on_test(future))) {
        Ok(()) => Vec::new(),
        Err(panic) => {
            let message = *panic.downcast::<String>().expect("a message");
            let mut lines = message.lines();
            assert!(lines.next().unwrap().starts_with("this test leaves behind"), "{message}");
            lines.map(str::to_owned).collect()
        }
    }
}

fn flavors() -> [Builder; 3] {
    let mut paused = Builder::new_current_thread();
    paused.start_paused(true);
    let mut many = Builder::new_multi_thread();
    many.worker_threads(3);
    [Builder::new_current_thread(), paused, many]
}

/// A place in this file, so many lines after the one that this was called in.
#[track_caller]
fn place(what: &str, lines: u32) -> String {
    format!("{what}, made at tests/rt_leftovers.rs:{}:", std::panic::Location::caller().line() + lines)
}

#[track_caller]
fn assert_begins(left: &[String], beginnings: &[&str]) {
    let fits = |(line, beginning): (&String, &&str)| line.starts_with(beginning);
    assert!(left.len() == beginnings.len() && left.iter().zip(beginnings).all(fits), "{left:?}");
}

#[rt::test(leftovers = "fail")]
async fn everything_was_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let looping = LoopingCall::new(|| {});
    let ended = looping.start(Duration::from_secs(60), true);
    looping.stop().unwrap();
    ended.unwrap().await.unwrap();
    assert!(timeout(Duration::from_millis(1), pending::<()>()).await.is_err());
    assert_eq!(rt::spawn_blocking(|| 4).await.unwrap(), 4);
    drop((client, server));
}

#[rt::test(leftovers = "fail", flavor = "multi_thread", worker_threads = 4, start_paused = true)]
async fn everything_was_ended_by_many_threads() {
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            rt::spawn(async move {
                rt::spawn_blocking(move || number).await.unwrap();
                rt::spawn(sleep(Duration::from_micros(number))).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    rt::spawn_pinned(1, || async { rt::spawn_local(async {}).await.unwrap() }).unwrap().await.unwrap();
}

#[rt::test(leftovers = "ignore")]
async fn leftovers_may_be() {
    rt::spawn(pending::<()>());
}

#[rt::test(leftovers = "fail")]
#[should_panic(expected = "a task or delayed call, made at tests/rt_leftovers.rs:")]
async fn a_test_with_leftovers_fails() {
    rt::spawn(pending::<()>());
}

#[test]
fn tasks_that_wait_for_ever() {
    for mut flavor in flavors() {
        let mut places = Vec::new();
        let left = left_by(&mut flavor, async {
            places.push(place("a task or delayed call", 1));
            rt::spawn(pending::<()>());
            places.push(place("a task or delayed call", 1));
            rt::spawn_local(pending::<()>());
        });
        assert_begins(&left, &[&places[0], &places[1]]);
    }
}

#[test]
fn a_local_task_of_another_thread() {
    let mut flavor = Builder::new_multi_thread();
    let mut at = String::new();
    let left = left_by(flavor.worker_threads(2), async {
        at = place("a task or delayed call", 1);
        let spawn = || async { drop(rt::spawn_local(pending::<()>())) };
        rt::spawn_pinned(1, spawn).unwrap().await.unwrap();
    });
    assert_begins(&left, &[&at]);
}

#[test]
fn what_is_ready_runs_before_it_counts() {
    for mut flavor in flavors() {
        let left = left_by(&mut flavor, async {
            let (deferred, resolver) = Deferred::<()>::new();
            rt::spawn_local(async move {
                for _ in 0..10 {
                    rt::task::yield_now().await;
                }
                resolver.callback(()).unwrap();
            });
            rt::spawn_local(async move { deferred.await.unwrap() });
            let aborted = rt::spawn(pending::<()>());
            aborted.abort();
        });
        assert_begins(&left, &[]);
    }
}

#[test]
fn timers() {
    for mut flavor in flavors() {
        let mut at = String::new();
        let left = left_by(&mut flavor, async {
            at = place("a task or delayed call", 1);
            call_later(Duration::from_secs(3600), || unreachable!("nobody waits so long"));
        });
        assert_begins(&left, &[&at, "a timer"]);
        let left = left_by(&mut flavor, async {
            for _ in 0..2 {
                rt::spawn(sleep(Duration::from_secs(3600)));
            }
        });
        assert_eq!(left.len(), 3, "{left:?}");
        assert_eq!(left[2], "2 timers");
        let left = left_by(&mut flavor, async {
            call_later(Duration::from_secs(3600), || ()).cancel().unwrap();
        });
        assert_begins(&left, &[]);
    }
}

#[test]
fn a_timeout_of_a_deferred() {
    let left = left_by(&mut Builder::new_current_thread(), async {
        let (deferred, resolver) = Deferred::<()>::new();
        drop(deferred.add_timeout(Duration::from_secs(3600), &Reactor));
        resolver.detach();
    });
    assert_begins(&left, &["a task or delayed call, made at ", "a timer"]);
}

#[test]
fn sockets() {
    for mut flavor in flavors() {
        // Who keeps it outlives the runtime.
        let kept = RefCell::new(None);
        let mut listens_at = String::new();
        let left = left_by(&mut flavor, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            drop(client);
            *kept.borrow_mut() = Some(listener.accept().await.unwrap().0);
            listens_at = place("a task or delayed call", 1);
            rt::spawn(async move { drop(listener.accept().await) });
            rt::task::yield_now().await;
        });
        // That of the connection was not waited for, and is not seen.
        assert_begins(&left, &[&listens_at, "a source of events, descriptor "]);
        #[cfg(target_os = "linux")]
        assert!(left[1].contains("(socket:["), "{left:?}");
        drop(kept);
    }
}

#[test]
fn a_blocking_call() {
    for mut flavor in flavors() {
        let (end, ended) = mpsc::channel::<()>();
        let mut at = String::new();
        let left = left_by(&mut flavor, async {
            at = place("a blocking call", 1);
            rt::spawn_blocking(move || ended.recv());
        });
        assert_begins(&left, &[&at]);
        drop(end);
    }
}

#[test]
fn a_blocking_call_that_waits_for_a_thread() {
    let (end, ended) = mpsc::channel::<()>();
    let left = left_by(Builder::new_current_thread().max_blocking_threads(1), async {
        rt::spawn_blocking(move || ended.recv());
        rt::spawn_blocking(|| ());
    });
    assert_begins(&left, &["a blocking call, made at ", "a blocking call, made at "]);
    drop(end);
}

#[test]
fn a_runtime_that_is_not_asked_notes_nothing() {
    let alive = Arc::new(());
    let held = alive.clone();
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.__block_on_test(async move {
        rt::spawn(async move {
            pending::<()>().await;
            drop(held);
        });
    });
    assert_eq!(Arc::strong_count(&alive), 1);
}
