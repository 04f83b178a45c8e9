//! A task that is always ready starves nobody: neither other tasks, nor I/O, nor timers, nor what other threads ask for.
//!
//! Each test has such a task beside what it waits for; where something starved, it would not end.

mod support;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::{AsyncReadExt, AsyncWriteExt};

use rt::net::{TcpListener, TcpStream};
use rt::task::{JoinSet, yield_now};
use rt::time::{Instant, call_later, sleep, timeout};
use support::runtime;

/// Wakes itself in every poll.
fn hog() -> impl Future<Output = ()> + Send {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Runs `future` beside hogs of both kinds.
fn beside_hogs<F: Future>(future: F) -> F::Output {
    runtime().block_on(async {
        for _ in 0..3 {
            rt::spawn(hog());
            rt::spawn_local(hog());
        }
        future.await
    })
}

#[test]
fn tasks_take_turns() {
    support::one_thread().block_on(async {
        let turns: [_; 4] = std::array::from_fn(|_| Arc::new(AtomicU32::new(0)));
        let mut set = JoinSet::new();
        for turn in &turns {
            let turn = Arc::clone(turn);
            set.spawn(async move {
                loop {
                    turn.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                }
            });
        }
        for round in 1..=100 {
            yield_now().await;
            assert!(turns.iter().all(|turns| turns.load(Ordering::SeqCst) == round));
        }
    });
}

#[test]
fn the_future_of_block_on_takes_turns_with_tasks() {
    support::block_on(async {
        let turns = Rc::new(Cell::new(0));
        let count = Rc::clone(&turns);
        rt::spawn_local(async move {
            loop {
                count.set(count.get() + 1);
                yield_now().await;
            }
        });
        for round in 1..=100 {
            yield_now().await;
            assert_eq!(turns.get(), round);
        }
    });
}

#[test]
fn two_that_wake_each_other_starve_no_third() {
    support::block_on(async {
        let wakers: Rc<[Cell<Option<Waker>>; 2]> = Rc::new([Cell::new(None), Cell::new(None)]);
        for n in 0..2 {
            let wakers = Rc::clone(&wakers);
            rt::spawn_local(poll_fn(move |cx| {
                wakers[n].set(Some(cx.waker().clone()));
                match wakers[1 - n].take() {
                    Some(other) => other.wake(),
                    None => cx.waker().wake_by_ref(),
                }
                Poll::<()>::Pending
            }));
        }
        let third = rt::spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        third.await.unwrap();
    });
}

#[test]
fn chain_of_spawns_starves_no_other() {
    fn again() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async { drop(rt::spawn(again())) })
    }
    runtime().block_on(async {
        rt::spawn(again());
        sleep(Duration::from_millis(1)).await;
        rt::spawn_blocking(|| ()).await.unwrap();
    });
}

#[test]
fn accept_and_echo() {
    beside_hogs(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        rt::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 5];
            for _ in 0..10 {
                stream.read_exact(&mut bytes).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
            }
        });
        let mut client = TcpStream::connect(address).await.unwrap();
        for _ in 0..10 {
            client.write_all(b"hello").await.unwrap();
            let mut bytes = [0; 5];
            client.read_exact(&mut bytes).await.unwrap();
            assert_eq!(&bytes, b"hello");
        }
    });
}

#[test]
fn accept_of_a_client_on_another_thread() {
    beside_hogs(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = thread::spawn(move || {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.write_all(b"hello").unwrap();
            let mut all = Vec::new();
            client.read_to_end(&mut all).unwrap();
            all
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).await.unwrap();
        stream.write_all(b"goodbye").await.unwrap();
        drop(stream);
        // The thread's end is its own; the worker is busy meanwhile.
        while !client.is_finished() {
            yield_now().await;
        }
        assert_eq!(client.join().unwrap(), b"goodbye");
    });
}

#[test]
fn timers() {
    beside_hogs(async {
        sleep(Duration::from_millis(1)).await;
        let (sender, receiver) = oneshot::channel();
        call_later(Duration::from_millis(1), move || sender.send(()).unwrap());
        receiver.await.unwrap();
        assert!(timeout(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
    });
}

#[test]
fn wakes_of_other_threads() {
    beside_hogs(async {
        for _ in 0..100 {
            let (sender, receiver) = oneshot::channel();
            let thread = thread::spawn(move || sender.send(1).unwrap());
            assert_eq!(receiver.await, Ok(1));
            thread.join().unwrap();
        }
    });
}

#[test]
fn spawns_of_other_threads() {
    let runtime = runtime();
    let handle = runtime.handle().clone();
    let (sender, receiver) = oneshot::channel();
    runtime.spawn(hog());
    let thread = thread::spawn(move || handle.spawn(async move { sender.send(7).unwrap() }));
    assert_eq!(runtime.block_on(receiver), Ok(7));
    runtime.block_on(thread.join().unwrap()).unwrap();
}

#[test]
fn aborts_of_other_threads() {
    let runtime = runtime();
    let task = runtime.spawn(hog());
    let switch = task.abort_handle();
    let (running, is_running) = mpsc::channel();
    let thread = thread::spawn(move || {
        is_running.recv().unwrap();
        switch.abort();
    });
    runtime.block_on(async move {
        yield_now().await;
        running.send(()).unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    thread.join().unwrap();
}

#[test]
fn blocking_calls() {
    beside_hogs(async {
        for n in 0..20 {
            assert_eq!(rt::spawn_blocking(move || n).await.unwrap(), n);
        }
    });
}

#[test]
fn hog_that_is_woken_by_another_thread_all_the_time() {
    let runtime = runtime();
    let (give, given) = mpsc::channel::<Waker>();
    let task = runtime.spawn(poll_fn(move |cx| {
        let _ = give.send(cx.waker().clone());
        Poll::<()>::Pending
    }));
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let waker = given.recv().unwrap();
        while stopped.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
            waker.wake_by_ref();
        }
    });
    runtime.block_on(async {
        sleep(Duration::from_millis(1)).await;
        rt::spawn(async {}).await.unwrap();
        sleep(Duration::from_millis(1)).await;
    });
    drop(stop);
    thread.join().unwrap();
    drop(task);
}

#[test]
fn with_the_longest_interval_between_two_looks_at_events() {
    // After a million tasks, but it does look.
    let runtime = support::builder().event_interval(1_000_000).build().unwrap();
    runtime.block_on(async {
        rt::spawn(hog());
        sleep(Duration::from_millis(1)).await;
    });
}

#[test]
fn events_are_looked_at_after_each_interval_of_tasks() {
    for interval in [1, 7, 61] {
        let runtime = rt::runtime::Builder::new_current_thread()
            .event_interval(interval)
            .global_queue_interval(interval)
            .build()
            .unwrap();
        let turns = Rc::new(Cell::new(0_u32));
        runtime.block_on(async {
            let count = Rc::clone(&turns);
            rt::spawn_local(async move {
                loop {
                    count.set(count.get() + 1);
                    yield_now().await;
                }
            });
            yield_now().await;
            // From another thread: it arrives when the worker looks.
            let handle = rt::runtime::Handle::current();
            let started = turns.get();
            let task = thread::spawn(move || handle.spawn(async {})).join().unwrap();
            task.await.unwrap();
            // The hog and this future take turns, and each counts.
            assert!(turns.get() - started <= interval + 2, "{} turns at {interval}", turns.get() - started);
        });
    }
}

#[test]
fn virtual_time_waits_for_hogs_to_rest() {
    let runtime = support::builder().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        let busy = rt::spawn(async {
            for _ in 0..1_000 {
                yield_now().await;
            }
            Instant::now()
        });
        sleep(Duration::from_secs(5)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        assert_eq!(busy.await.unwrap(), start, "the clock stood while something ran");
    });
}
