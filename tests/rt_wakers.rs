//! Wakers of tasks: how often they wake, from where, and how long they may live.

#![allow(clippy::waker_clone_wake, reason = "a clone's own `wake` is what is tested")]

mod support;

use std::future::{Future, pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use rt::task::{JoinHandle, yield_now};
use support::{on_drop, one_thread, runtime};

/// A task that hands out a waker at every poll and counts the polls.
fn handing_out() -> (impl Future<Output = ()> + Send, mpsc::Receiver<Waker>, Arc<AtomicUsize>) {
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let (give, given) = mpsc::channel();
    let future = poll_fn(move |cx| {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = give.send(cx.waker().clone());
        Poll::Pending
    });
    (future, given, polls)
}

#[test]
fn many_wakes_are_one_poll() {
    support::block_on(async {
        let (future, given, polls) = handing_out();
        let task = rt::spawn(future);
        yield_now().await;
        let waker = given.recv().unwrap();
        for _ in 0..10 {
            waker.wake_by_ref();
            waker.clone().wake();
        }
        yield_now().await;
        yield_now().await;
        assert_eq!(polls.load(Ordering::SeqCst), 2);
        task.abort();
    });
}

#[test]
fn many_remote_wakes_are_one_poll() {
    let runtime = support::one_thread();
    let (future, given, polls) = handing_out();
    runtime.spawn(future);
    runtime.block_on(yield_now());
    let waker = given.recv().unwrap();
    thread::spawn(move || {
        for _ in 0..10 {
            waker.wake_by_ref();
            waker.clone().wake();
        }
    })
    .join()
    .unwrap();
    runtime.block_on(yield_now());
    runtime.block_on(yield_now());
    assert_eq!(polls.load(Ordering::SeqCst), 2);
}

#[test]
fn wake_within_the_poll_is_another_poll() {
    support::block_on(async {
        let mut polls = 0;
        let task = rt::spawn(poll_fn(move |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            if polls == 100 { Poll::Ready(polls) } else { Poll::Pending }
        }));
        assert_eq!(task.await.unwrap(), 100);
    });
}

#[test]
fn remote_wake_within_the_poll_is_another_poll() {
    support::block_on(async {
        let mut polls = 0;
        let task = rt::spawn(poll_fn(move |cx| {
            polls += 1;
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake()).join().unwrap();
            if polls == 10 { Poll::Ready(polls) } else { Poll::Pending }
        }));
        assert_eq!(task.await.unwrap(), 10);
    });
}

#[test]
fn wakers_of_one_task_are_alike() {
    support::block_on(async {
        let (future, given, _) = handing_out();
        rt::spawn(future);
        let (other, given_by_other, _) = handing_out();
        rt::spawn(other);
        yield_now().await;
        let waker = given.recv().unwrap();
        waker.wake_by_ref();
        yield_now().await;
        let again = given.recv().unwrap();
        assert!(waker.will_wake(&again) && waker.will_wake(&waker.clone()));
        assert!(!waker.will_wake(&given_by_other.recv().unwrap()));
    });
}

#[test]
fn after_the_task_has_ended() {
    support::block_on(async {
        let (give, given) = mpsc::channel();
        let task = rt::spawn(poll_fn(move |cx| {
            give.send(cx.waker().clone()).unwrap();
            Poll::Ready(5)
        }));
        yield_now().await;
        let waker: Waker = given.recv().unwrap();
        waker.wake_by_ref();
        thread::spawn({
            let waker = waker.clone();
            move || waker.wake()
        })
        .join()
        .unwrap();
        yield_now().await;
        assert_eq!(task.await.unwrap(), 5);
        waker.wake();
    });
}

#[test]
fn after_the_runtime_is_gone() {
    let runtime = support::one_thread();
    let (future, given, polls) = handing_out();
    let task = runtime.spawn(future);
    runtime.block_on(yield_now());
    drop(runtime);
    let waker = given.recv().unwrap();
    waker.wake_by_ref();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let waker = waker.clone();
            thread::spawn(move || {
                for _ in 0..100 {
                    waker.clone().wake();
                    waker.wake_by_ref();
                }
            })
        })
        .collect();
    drop(waker);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(polls.load(Ordering::SeqCst), 1);
    assert!(futures_executor::block_on(task).unwrap_err().is_cancelled());
}

#[test]
fn of_block_on_after_the_runtime_is_gone() {
    let runtime = runtime();
    let waker = runtime.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
    drop(runtime);
    thread::spawn(move || {
        waker.wake_by_ref();
        waker.clone().wake();
    })
    .join()
    .unwrap();
}

#[test]
fn used_in_another_runtime() {
    let (a, b) = (one_thread(), one_thread());
    let (future, given, polls) = handing_out();
    a.spawn(future);
    a.block_on(yield_now());
    let waker = given.recv().unwrap();
    b.block_on(async move {
        waker.wake_by_ref();
        rt::spawn(async move { waker.wake() }).await.unwrap();
    });
    a.block_on(yield_now());
    assert_eq!(polls.load(Ordering::SeqCst), 2);
}

#[test]
fn dropped_last_by_another_thread_frees_what_the_task_held() {
    let runtime = runtime();
    let wakers = Arc::new(Mutex::new(Vec::new()));
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::clone(&wakers);
    let guard = on_drop(move || sender.send(()).unwrap());
    let task: JoinHandle<()> = runtime.spawn(async move {
        poll_fn(|cx| {
            shared.lock().unwrap().push(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
        drop(guard);
    });
    runtime.block_on(task).unwrap();
    assert_eq!(receiver.try_recv(), Ok(()), "it goes with the task's end, and not with the last waker");
    thread::spawn(move || wakers.lock().unwrap().clear()).join().unwrap();
}

#[test]
fn from_many_threads_while_the_task_comes_and_goes() {
    let runtime = runtime();
    let (give, given) = mpsc::channel::<Waker>();
    let given = Arc::new(Mutex::new(given));
    let barrier = Arc::new(Barrier::new(5));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (given, barrier) = (Arc::clone(&given), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                loop {
                    let waker = given.lock().unwrap().recv();
                    let Ok(waker) = waker else { return };
                    waker.wake_by_ref();
                    waker.clone().wake();
                    drop(waker);
                }
            })
        })
        .collect();
    barrier.wait();
    runtime.block_on(async move {
        for _ in 0..200 {
            let give = give.clone();
            let mut polls = 0;
            let task = rt::spawn(poll_fn(move |cx| {
                polls += 1;
                if polls == 10 {
                    return Poll::Ready(polls);
                }
                give.send(cx.waker().clone()).unwrap();
                Poll::Pending
            }));
            assert_eq!(task.await.unwrap(), 10);
        }
        drop(give);
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn task_that_keeps_its_own_waker() {
    let runtime = runtime();
    let (sender, receiver) = mpsc::channel();
    let guard = on_drop(move || sender.send(()).unwrap());
    runtime.spawn(async move {
        let _guard = guard;
        let _own = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        pending::<()>().await;
    });
    runtime.block_on(yield_now());
    drop(runtime);
    assert_eq!(receiver.try_recv(), Ok(()));
}

#[test]
fn task_woken_by_its_own_join_handle() {
    support::block_on(async {
        // A task that joins another, which joins a third: each end wakes the next.
        let first = rt::spawn(async { 1 });
        let second = rt::spawn(async { first.await.unwrap() + 1 });
        let third = rt::spawn(async { second.await.unwrap() + 1 });
        assert_eq!(third.await.unwrap(), 3);
    });
}
