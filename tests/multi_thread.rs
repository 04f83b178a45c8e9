//! What only the multi-thread flavor does: workers that help each other, seats that change hands, tasks that stay with a worker.
//!
//! Where a test says that something happens although a worker is held up, that worker is held up *until* it has happened: a runtime
//! that does not do it hangs, and nothing depends on how long anything takes.

mod support;

use std::cell::Cell;
use std::collections::HashSet;
use std::future::pending;
use std::io::Write;
use std::net::TcpStream as StdTcpStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::io::AsyncReadExt;
use rt::net::TcpListener;
use rt::runtime::{Builder, Handle, Runtime};
use rt::task::{block_in_place, yield_now};
use rt::time::sleep;
use support::{Trace, on_drop, panic_of, pending_with};

fn workers(count: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(count).build().unwrap()
}

const COUNTS: [usize; 4] = [1, 2, 4, 8];

#[test]
fn runs_what_was_spawned_while_nobody_blocks() {
    for count in COUNTS {
        let runtime = workers(count);
        let (sender, receiver) = mpsc::channel();
        for n in 0..100 {
            let sender = sender.clone();
            runtime.spawn(async move {
                sleep(Duration::from_millis(1)).await;
                rt::spawn(async move { sender.send(n).unwrap() });
            });
        }
        drop(sender);
        let mut numbers: Vec<_> = receiver.iter().collect();
        numbers.sort();
        assert!(numbers.into_iter().eq(0..100));
    }
}

#[test]
fn several_threads_block_at_once() {
    for count in COUNTS {
        let runtime = workers(count);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..50 {
                        let sum = runtime.block_on(async {
                            let task = rt::spawn(async move {
                                yield_now().await;
                                n
                            });
                            task.await.unwrap() + 1
                        });
                        assert_eq!(sum, n + 1);
                    }
                });
            }
        });
    }
}

#[test]
fn handle_blocks_without_running_tasks() {
    let runtime = workers(2);
    let handle = runtime.handle().clone();
    let lock = Arc::new(Mutex::new(()));
    let held = lock.lock().unwrap();
    // Tasks that want the lock which this thread holds, more than there are workers.
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let lock = Arc::clone(&lock);
            runtime.spawn(async move { drop(lock.lock().unwrap()) })
        })
        .collect();
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || sender.send(5).unwrap());
    assert_eq!(handle.block_on(receiver), Ok(5));
    drop(held);
    for task in tasks {
        handle.block_on(task).unwrap();
    }
}

#[test]
fn task_woken_by_one_that_then_blocks() {
    let runtime = workers(2);
    for _ in 0..20 {
        runtime.block_on(async {
            let (wake, woken) = oneshot::channel::<()>();
            let (tell, told) = mpsc::channel();
            let task = rt::spawn(async move {
                woken.await.unwrap();
                tell.send(()).unwrap();
            });
            yield_now().await;
            rt::spawn(async move {
                wake.send(()).unwrap();
                // It is next on this worker, which waits for it.
                told.recv().unwrap();
            })
            .await
            .unwrap();
            task.await.unwrap();
        });
    }
}

#[test]
fn task_spawned_by_one_that_then_blocks() {
    let runtime = workers(2);
    for _ in 0..20 {
        let spawning = runtime.spawn(async {
            let (tell, told) = mpsc::channel();
            rt::spawn(async move { tell.send(()).unwrap() });
            told.recv().unwrap();
        });
        runtime.block_on(spawning).unwrap();
    }
}

#[test]
fn task_injected_while_all_that_are_awake_block() {
    let runtime = workers(2);
    for _ in 0..20 {
        let (tell, told) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let blocked = runtime.spawn(async move {
            ready.send(()).unwrap();
            told.recv().unwrap()
        });
        is_ready.recv().unwrap();
        runtime.spawn(async move { tell.send(7).unwrap() });
        assert_eq!(runtime.block_on(blocked).unwrap(), 7);
    }
}

#[test]
fn socket_and_timer_of_a_worker_that_is_stuck() {
    let runtime = workers(2);
    for _ in 0..10 {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut near = StdTcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut far, _) = listener.accept().await.unwrap();
            let (tell, told) = mpsc::channel();
            let both = tell.clone();
            // Both wait with this worker.
            let reading = rt::spawn(async move {
                let mut byte = [0];
                far.read_exact(&mut byte).await.unwrap();
                tell.send(byte[0]).unwrap();
            });
            let sleeping = rt::spawn(async move {
                sleep(Duration::from_millis(2)).await;
                both.send(b't').unwrap();
            });
            for _ in 0..4 {
                yield_now().await;
            }
            near.write_all(b"s").unwrap();
            let mut heard = [told.recv().unwrap(), told.recv().unwrap()];
            heard.sort();
            assert_eq!(&heard, b"st");
            reading.await.unwrap();
            sleeping.await.unwrap();
        });
    }
}

#[test]
fn sources_and_timers_of_a_seat_that_is_left() {
    for count in COUNTS {
        let runtime = workers(count);
        let (tell, told) = mpsc::channel();
        let both = tell.clone();
        let (address, listening) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let listening = rt::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).await.unwrap();
                tell.send(text).unwrap();
            });
            rt::spawn(async move {
                sleep(Duration::from_millis(5)).await;
                both.send("timer".to_owned()).unwrap();
            });
            yield_now().await;
            yield_now().await;
            (address, listening)
        });
        // Nobody blocks now.
        assert_eq!(told.recv().unwrap(), "timer");
        StdTcpStream::connect(address).unwrap().write_all(b"socket").unwrap();
        assert_eq!(told.recv().unwrap(), "socket");
        runtime.block_on(listening).unwrap();
    }
}

#[test]
fn block_in_place_lets_the_others_go_on() {
    for count in COUNTS {
        let runtime = workers(count);
        let answer = runtime.block_on(async {
            let (sender, receiver) = mpsc::channel();
            rt::spawn(async move {
                yield_now().await;
                sender.send(42).unwrap();
            });
            block_in_place(|| receiver.recv().unwrap())
        });
        assert_eq!(answer, 42);
        // The same in a task, and within another.
        let task = runtime.spawn(async {
            let (sender, receiver) = mpsc::channel();
            rt::spawn(async move {
                let (inner, waiting) = mpsc::channel();
                rt::spawn(async move { inner.send(1).unwrap() });
                sender.send(block_in_place(|| waiting.recv().unwrap()) + 1).unwrap();
            });
            block_in_place(|| receiver.recv().unwrap())
        });
        assert_eq!(runtime.block_on(task).unwrap(), 2);
    }
}

#[test]
fn block_in_place_may_block_on_a_future() {
    let runtime = workers(2);
    let task = runtime.spawn(async {
        let outer = rt::task::id();
        let inner = block_in_place(|| {
            assert!(rt::task::try_id().is_none());
            Handle::current().block_on(async { rt::spawn(async { 3 }).await.unwrap() })
        });
        assert_eq!(rt::task::id(), outer);
        yield_now().await;
        inner
    });
    assert_eq!(runtime.block_on(task).unwrap(), 3);
}

#[test]
fn block_in_place_where_nothing_is_driven() {
    assert_eq!(block_in_place(|| 1), 1);
    let runtime = workers(1);
    assert_eq!(runtime.block_on(rt_blocking(&runtime)), 2);
    let current = Builder::new_current_thread().build().unwrap();
    let message = panic_of(|| current.block_on(async { block_in_place(|| 3) }));
    assert!(message.contains("multi-thread flavor"), "{message}");
}

async fn rt_blocking(runtime: &Runtime) -> u32 {
    runtime.spawn_blocking(|| block_in_place(|| 2)).await.unwrap()
}

#[test]
fn panic_in_block_in_place() {
    let runtime = workers(2);
    let task = runtime.spawn(async { block_in_place(|| panic!("in place")) });
    assert!(runtime.block_on(task).map(|(): ()| ()).unwrap_err().is_panic());
    assert_eq!(runtime.block_on(runtime.spawn(async { 1 })).unwrap(), 1);
}

#[test]
fn local_tasks_on_every_worker() {
    let runtime = workers(4);
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let tasks: Vec<_> = (0..4)
        .map(|worker| {
            let threads = Arc::clone(&threads);
            runtime.handle().spawn_pinned(worker, move || async move {
                let here = thread::current().id();
                let shared = Rc::new(Cell::new(0));
                let counters = (0..3).map(|_| {
                    let shared = Rc::clone(&shared);
                    rt::spawn_local(async move {
                        for _ in 0..10 {
                            yield_now().await;
                            assert_eq!(thread::current().id(), here);
                            shared.set(shared.get() + 1);
                        }
                    })
                });
                for counter in counters.collect::<Vec<_>>() {
                    counter.await.unwrap();
                }
                threads.lock().unwrap().insert(here);
                shared.get()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(runtime.handle().block_on(task.unwrap()).unwrap(), 30);
    }
    assert_eq!(threads.lock().unwrap().len(), 4, "each worker is a thread");
}

#[test]
fn pinned_tasks_of_one_worker_share_its_thread() {
    let runtime = workers(2);
    let id = |worker| {
        let task = runtime.handle().spawn_pinned(worker, || {
            let local = Rc::new(thread::current().id());
            async move {
                yield_now().await;
                assert_eq!(*local, thread::current().id());
                *local
            }
        });
        runtime.handle().block_on(task.unwrap()).unwrap()
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(0), id(1));
}

#[test]
fn pinned_where_there_is_no_worker() {
    let runtime = workers(2);
    let error = runtime.handle().spawn_pinned(2, || async {}).unwrap_err();
    assert_eq!(error.to_string(), "there is no worker 2: this runtime has 2, and they are counted from 0");
}

#[test]
fn pinned_task_is_aborted_panics_and_outlives_nothing() {
    let runtime = workers(2);
    let dropped = Trace::default();
    let guard = dropped.on_drop("aborted");
    let task = runtime.handle().spawn_pinned(1, || pending_with(guard)).unwrap();
    task.abort();
    assert!(runtime.block_on(task).unwrap_err().is_cancelled());
    assert_eq!(dropped.take(), ["aborted"]);
    let made = runtime.handle().spawn_pinned(1, || -> std::future::Ready<()> { panic!("making") }).unwrap();
    assert!(runtime.block_on(made).unwrap_err().is_panic());
    let run = runtime.handle().spawn_pinned(1, || async { panic!("running") }).unwrap();
    assert!(runtime.block_on(run).map(|(): ()| ()).unwrap_err().is_panic());
    let left = runtime.handle().spawn_pinned(1, pending::<()>).unwrap();
    let handle = runtime.handle().clone();
    drop(runtime);
    assert!(futures_executor::block_on(left).unwrap_err().is_cancelled());
    let late = handle.spawn_pinned(1, || async {}).unwrap();
    assert!(futures_executor::block_on(late).unwrap_err().is_cancelled());
}

#[test]
fn thread_with_local_tasks_keeps_its_seat() {
    let runtime = workers(1);
    let (tell, told) = mpsc::channel();
    let (wake, woken) = oneshot::channel::<()>();
    // Nobody blocks: a thread is started, and makes a local task.
    let task = runtime.spawn(async move {
        let local = rt::spawn_local(async move {
            woken.await.unwrap();
            thread::current().id()
        });
        tell.send(thread::current().id()).unwrap();
        local.await.unwrap()
    });
    let there = told.recv().unwrap();
    let ran_on = runtime.block_on(async {
        yield_now().await;
        wake.send(()).unwrap();
        task.await.unwrap()
    });
    assert_eq!(ran_on, there, "it goes on where it was made");
}

#[test]
fn local_tasks_wait_while_the_lender_of_the_seat_is_back() {
    let runtime = workers(1);
    let handle = runtime.handle().clone();
    let (tell, told) = oneshot::channel();
    let task = runtime.spawn(async move {
        block_in_place(|| {
            // Somebody else sits here meanwhile, and makes a local task that outlasts the visit.
            let made = handle.spawn(async {
                let (wake, woken) = oneshot::channel::<()>();
                let local = rt::spawn_local(async move { woken.await.map(|()| thread::current().id()) });
                (thread::current().id(), wake, local.abort_handle(), rt::spawn(async move { local.await.unwrap() }))
            });
            handle.block_on(made).unwrap()
        })
    });
    let (there, wake, _switch, joined) = runtime.handle().block_on(task).unwrap();
    wake.send(()).unwrap();
    runtime.spawn(async move { tell.send(joined.await.unwrap()).unwrap() });
    assert_eq!(runtime.handle().block_on(told).unwrap(), Ok(there));
}

/// Tasks in every state, each with a future that counts its drop.
fn tasks_in_every_state(runtime: &Runtime, drops: &Arc<AtomicUsize>) -> usize {
    let guard = || {
        let drops = Arc::clone(drops);
        on_drop(move || _ = drops.fetch_add(1, Ordering::SeqCst))
    };
    let mut made = 0;
    for n in 0..200 {
        let (guard, joined) = (guard(), guard());
        made += 2;
        let task = match n % 5 {
            0 => runtime.spawn(pending_with(guard)),
            1 => runtime.spawn(async move {
                let _guard = guard;
                loop {
                    yield_now().await;
                }
            }),
            2 => runtime.spawn(async move {
                let _guard = guard;
                sleep(Duration::from_secs(3_600)).await;
            }),
            3 => runtime.spawn(async move {
                let _guard = guard;
                rt::spawn_local(pending::<()>());
                pending::<()>().await;
            }),
            _ => runtime.spawn(async move { drop(guard) }),
        };
        runtime.spawn(async move {
            let _joined = joined;
            _ = task.await;
        });
    }
    made
}

#[test]
fn every_future_is_dropped_once() {
    for count in COUNTS {
        for turns in [0, 1, 50] {
            let runtime = workers(count);
            let drops = Arc::new(AtomicUsize::new(0));
            let made = tasks_in_every_state(&runtime, &drops);
            runtime.block_on(async {
                for _ in 0..turns {
                    yield_now().await;
                }
            });
            drop(runtime);
            assert_eq!(drops.load(Ordering::SeqCst), made);
        }
    }
}

#[test]
fn shut_down_while_a_worker_is_stuck() {
    for count in [2, 4] {
        let runtime = workers(count);
        let drops = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let (stuck, is_stuck) = mpsc::channel();
        let last = {
            let drops = Arc::clone(&drops);
            on_drop(move || _ = drops.fetch_add(1, Ordering::SeqCst))
        };
        let task = runtime.spawn(async move {
            let _last = last;
            stuck.send(()).unwrap();
            released.recv().unwrap();
            pending::<()>().await;
        });
        is_stuck.recv().unwrap();
        let made = tasks_in_every_state(&runtime, &drops) + 1;
        let handle = runtime.handle().clone();
        runtime.shutdown_timeout(Duration::from_millis(1));
        assert!(futures_executor::block_on(handle.spawn(async {})).unwrap_err().is_cancelled());
        assert!(!task.is_finished(), "it cannot be dropped while it is polled");
        release.send(()).unwrap();
        assert!(futures_executor::block_on(task).unwrap_err().is_cancelled());
        // The worker was the last; the rest is ended by it, on its thread.
        while drops.load(Ordering::SeqCst) != made {
            thread::yield_now();
        }
    }
}

#[test]
fn dropped_by_a_task_of_its_own() {
    for count in COUNTS {
        let runtime = Arc::new(workers(count));
        let (tell, told) = mpsc::channel();
        let guard = on_drop(move || tell.send(()).unwrap());
        let (give, given) = oneshot::channel::<Arc<Runtime>>();
        runtime.spawn(async move {
            let _guard = guard;
            drop(given.await.unwrap());
            pending::<()>().await;
        });
        give.send(runtime).unwrap();
        told.recv().unwrap();
    }
}

#[test]
fn virtual_time_reaches_the_deadlines_of_all_workers_in_order() {
    for count in COUNTS {
        let runtime = Builder::new_multi_thread().worker_threads(count).start_paused(true).build().unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let start = std::time::Instant::now();
        runtime.block_on(async {
            let begin = rt::time::Instant::now();
            let tasks: Vec<_> = [30, 10, 50, 20, 40]
                .into_iter()
                .map(|minutes| {
                    let order = Arc::clone(&order);
                    let nap = async move {
                        sleep(Duration::from_secs(minutes * 60)).await;
                        assert_eq!(begin.elapsed(), Duration::from_secs(minutes * 60));
                        order.lock().unwrap().push(minutes);
                    };
                    rt::spawn_pinned(minutes as usize / 10 % count, || nap).unwrap()
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*order.lock().unwrap(), [10, 20, 30, 40, 50]);
        assert!(start.elapsed() < Duration::from_secs(600));
    }
}

#[test]
fn virtual_time_waits_for_a_worker_that_is_busy() {
    let runtime = Builder::new_multi_thread().worker_threads(2).start_paused(true).build().unwrap();
    runtime.block_on(async {
        let begin = rt::time::Instant::now();
        let (tell, told) = oneshot::channel();
        let (go, gone) = mpsc::channel::<()>();
        let busy = rt::spawn_pinned(1, move || async move {
            tell.send(()).unwrap();
            gone.recv().unwrap();
            begin.elapsed()
        });
        told.await.unwrap();
        let timer = rt::spawn(sleep(Duration::from_secs(60)));
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(!timer.is_finished());
        go.send(()).unwrap();
        assert_eq!(busy.unwrap().await.unwrap(), Duration::ZERO);
        timer.await.unwrap();
        assert_eq!(begin.elapsed(), Duration::from_secs(60));
    });
}

#[test]
fn stall_is_reported_once_with_its_place() {
    const THRESHOLD: Duration = Duration::from_millis(5);
    /// Lasts, by the clock that polls are measured with, which is never a virtual one.
    fn hog(duration: Duration) {
        let begin = std::time::Instant::now();
        while begin.elapsed() < duration {
            thread::yield_now();
        }
    }
    for count in [0, 1, 2] {
        let (sender, stalls) = mpsc::channel();
        let sender = Mutex::new(sender);
        let mut builder = if count == 0 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
        let runtime = builder
            .worker_threads(count)
            .stall_threshold(THRESHOLD)
            .on_stall(move |stall| sender.lock().unwrap().send(stall.clone()).unwrap())
            .build()
            .unwrap();
        let line = line!() + 1;
        let task = runtime.spawn(async { hog(2 * THRESHOLD) });
        runtime.block_on(task).unwrap();
        let stall = stalls.recv().unwrap();
        // Nobody who could send is left.
        drop((runtime, builder));
        let place = stall.spawned_at().unwrap();
        assert_eq!((place.file(), place.line()), (file!(), line), "with {count} workers");
        assert!(stall.duration() >= THRESHOLD);
        assert_eq!(stalls.iter().count(), 0, "reported once");
    }
}

#[test]
fn threads_of_the_runtime() {
    let names = Arc::new(Mutex::new(Vec::new()));
    let stopped = Arc::new(AtomicUsize::new(0));
    let (noted, counted) = (Arc::clone(&names), Arc::clone(&stopped));
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(move || noted.lock().unwrap().push(thread::current().name().unwrap().to_owned()))
        .on_thread_stop(move || _ = counted.fetch_add(1, Ordering::SeqCst))
        .build()
        .unwrap();
    let names_now = |worker| {
        let task = runtime.handle().spawn_pinned(worker, || async { thread::current().name().map(str::to_owned) });
        runtime.handle().block_on(task.unwrap()).unwrap().unwrap()
    };
    assert_eq!(names_now(1), "rt-worker-1");
    assert_eq!(names_now(0), "rt-worker-0");
    drop(runtime);
    while stopped.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    let mut started = names.lock().unwrap().clone();
    started.sort();
    assert_eq!(started, ["rt-worker-0", "rt-worker-1"]);
}

#[test]
fn many_workers_on_few_processors() {
    let runtime = workers(32);
    let done = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..1_000)
            .map(|n| {
                let done = Arc::clone(&done);
                rt::spawn(async move {
                    if n % 50 == 0 {
                        sleep(Duration::from_millis(1)).await;
                    }
                    yield_now().await;
                    done.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(done.load(Ordering::Relaxed), 1_000);
}

#[test]
fn future_of_block_on_stays_on_its_thread() {
    let runtime = workers(4);
    let here = thread::current().id();
    let moved = AtomicBool::new(false);
    runtime.block_on(async {
        for _ in 0..100 {
            rt::spawn(yield_now()).await.unwrap();
            moved.fetch_or(thread::current().id() != here, Ordering::SeqCst);
        }
    });
    assert!(!moved.into_inner());
}
