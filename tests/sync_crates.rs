//! Channels and locks of other crates work on `rt`: between tasks, between threads, with and without a runtime on the other side.
//! `docs/channels.md` names them.

#[path = "support/flavor.rs"]
mod flavor;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};

use rt::task::{JoinSet, yield_now};
use rt::time::timeout;

/// Calls `task` for each of `count` tasks and waits for all of them.
async fn all<F>(count: usize, task: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    (0..count).map(task).collect::<JoinSet<()>>().join_all().await;
}

mod tokio_sync {
    use super::*;
    use tokio::sync::{
        Barrier, Mutex, Notify, OnceCell, OwnedSemaphorePermit, RwLock, Semaphore, broadcast, mpsc, oneshot, watch,
    };

    #[test]
    fn mpsc_between_tasks() {
        flavor::block_on(async {
            let (sender, mut receiver) = mpsc::channel(2);
            for n in 0..4 {
                let sender = sender.clone();
                rt::spawn(async move {
                    for m in 0..100 {
                        // Waits whenever two are on their way.
                        sender.send(n * 100 + m).await.unwrap();
                    }
                });
            }
            drop(sender);
            let mut received = BTreeSet::new();
            while let Some(n) = receiver.recv().await {
                assert!(received.insert(n));
            }
            assert!(received.into_iter().eq(0..400));
        });
    }

    #[test]
    fn mpsc_from_a_thread_and_back() {
        let (to_thread, mut in_thread) = mpsc::channel(1);
        let (to_task, mut in_task) = mpsc::unbounded_channel();
        let thread = thread::spawn(move || {
            while let Some(n) = in_thread.blocking_recv() {
                to_task.send(n * 2).unwrap();
            }
        });
        flavor::block_on(async {
            for n in 0..100 {
                to_thread.send(n).await.unwrap();
                assert_eq!(in_task.recv().await, Some(n * 2));
            }
            drop(to_thread);
            assert_eq!(in_task.recv().await, None);
        });
        thread.join().unwrap();
    }

    #[test]
    fn mpsc_between_two_runtimes() {
        let (sender, mut receiver) = mpsc::channel(1);
        let other = thread::spawn(|| {
            flavor::block_on(async move {
                for n in 0..100 {
                    sender.send(n).await.unwrap();
                }
            })
        });
        flavor::block_on(async {
            for n in 0..100 {
                assert_eq!(receiver.recv().await, Some(n));
            }
            assert_eq!(receiver.recv().await, None);
        });
        other.join().unwrap();
    }

    #[test]
    fn oneshot_from_a_task_and_from_a_thread() {
        flavor::block_on(async {
            let (sender, receiver) = oneshot::channel();
            rt::spawn(async move { sender.send("task").unwrap() });
            assert_eq!(receiver.await, Ok("task"));
            let (sender, receiver) = oneshot::channel();
            rt::spawn_blocking(move || sender.send("thread").unwrap());
            assert_eq!(receiver.await, Ok("thread"));
            let (sender, receiver) = oneshot::channel::<()>();
            rt::spawn(async move { drop(sender) });
            assert!(receiver.await.is_err());
        });
    }

    #[test]
    fn broadcast_to_tasks_and_a_thread() {
        flavor::block_on(async {
            let (sender, _) = broadcast::channel(16);
            let mut receivers: Vec<_> = (0..4).map(|_| sender.subscribe()).collect();
            let mut on_thread = receivers.pop().unwrap();
            let thread = thread::spawn(move || (0..10).map(|_| on_thread.blocking_recv().unwrap()).sum::<u32>());
            let sums: Vec<_> = receivers
                .into_iter()
                .map(|mut receiver| {
                    rt::spawn(async move {
                        let mut sum = 0;
                        while let Ok(n) = receiver.recv().await {
                            sum += n;
                        }
                        sum
                    })
                })
                .collect();
            for n in 1..=10 {
                sender.send(n).unwrap();
            }
            assert_eq!(thread.join().unwrap(), 55);
            drop(sender);
            for sum in sums {
                assert_eq!(sum.await.unwrap(), 55);
            }
        });
    }

    #[test]
    fn watch_shows_the_last_value() {
        flavor::one_thread().block_on(async {
            let (sender, mut receiver) = watch::channel(0);
            let seen = rt::spawn(async move {
                let mut last = *receiver.borrow();
                while receiver.changed().await.is_ok() {
                    let now = *receiver.borrow_and_update();
                    assert!(now > last);
                    last = now;
                }
                last
            });
            yield_now().await;
            thread::spawn(move || (1..=100).for_each(|n| sender.send(n).unwrap())).join().unwrap();
            assert_eq!(seen.await.unwrap(), 100);
        });
    }

    #[test]
    fn notify_one_and_all() {
        flavor::one_thread().block_on(async {
            let notify = Arc::new(Notify::new());
            notify.notify_one(); // is kept
            notify.notified().await;
            let woken = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            for _ in 0..5 {
                let (notify, woken) = (Arc::clone(&notify), Arc::clone(&woken));
                set.spawn(async move {
                    notify.notified().await;
                    woken.fetch_add(1, Ordering::SeqCst);
                });
            }
            yield_now().await;
            notify.notify_one();
            set.join_next().await.unwrap().unwrap();
            assert_eq!(woken.load(Ordering::SeqCst), 1);
            thread::spawn(move || notify.notify_waiters()).join().unwrap();
            set.join_all().await;
            assert_eq!(woken.load(Ordering::SeqCst), 5);
        });
    }

    #[test]
    fn mutex_held_across_awaits() {
        flavor::block_on(async {
            let mutex = Arc::new(Mutex::new(0));
            all(20, |_| {
                let mutex = Arc::clone(&mutex);
                async move {
                    for _ in 0..10 {
                        let mut held = mutex.lock().await;
                        let before = *held;
                        yield_now().await;
                        *held = before + 1;
                    }
                }
            })
            .await;
            assert_eq!(*mutex.lock().await, 200);
        });
    }

    #[test]
    fn mutex_between_a_task_and_a_thread() {
        flavor::block_on(async {
            let mutex = Arc::new(Mutex::new(0));
            let held = mutex.lock().await;
            let theirs = Arc::clone(&mutex);
            let thread = rt::spawn_blocking(move || *theirs.blocking_lock() += 1);
            drop(held);
            thread.await.unwrap();
            assert_eq!(*mutex.lock().await, 1);
        });
    }

    #[test]
    fn semaphore_limits() {
        flavor::block_on(async {
            let semaphore = Arc::new(Semaphore::new(3));
            let (inside, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            all(20, |_| {
                let (semaphore, inside, peak) = (Arc::clone(&semaphore), Arc::clone(&inside), Arc::clone(&peak));
                async move {
                    let _permit: OwnedSemaphorePermit = semaphore.acquire_owned().await.unwrap();
                    peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            })
            .await;
            assert_eq!(peak.load(Ordering::SeqCst), 3);
            semaphore.close();
            assert!(semaphore.acquire().await.is_err());
        });
    }

    #[test]
    fn rwlock_lets_readers_in_together() {
        flavor::block_on(async {
            let lock = Arc::new(RwLock::new(1));
            let (one, two) = (lock.read().await, lock.read().await);
            let writer = rt::spawn({
                let lock = Arc::clone(&lock);
                async move { *lock.write().await += 1 }
            });
            yield_now().await;
            assert!(!writer.is_finished());
            assert_eq!(*one + *two, 2);
            drop((one, two));
            writer.await.unwrap();
            assert_eq!(*lock.read().await, 2);
        });
    }

    #[test]
    fn barrier_and_once_cell() {
        flavor::block_on(async {
            let (barrier, cell) = (Arc::new(Barrier::new(5)), Arc::new(OnceCell::new()));
            let (leaders, made) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            all(5, |_| {
                let (barrier, cell) = (Arc::clone(&barrier), Arc::clone(&cell));
                let (leaders, made) = (Arc::clone(&leaders), Arc::clone(&made));
                async move {
                    if barrier.wait().await.is_leader() {
                        leaders.fetch_add(1, Ordering::SeqCst);
                    }
                    let value = cell
                        .get_or_init(|| async {
                            yield_now().await;
                            made.fetch_add(1, Ordering::SeqCst)
                        })
                        .await;
                    assert_eq!(*value, 0);
                }
            })
            .await;
            assert_eq!((leaders.load(Ordering::SeqCst), made.load(Ordering::SeqCst)), (1, 1));
        });
    }

    #[test]
    fn with_timeouts_and_select() {
        let runtime = flavor::builder().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(1);
            assert!(timeout(Duration::from_secs(60), receiver.recv()).await.is_err());
            sender.send(1).await.unwrap();
            rt::select! {
                received = receiver.recv() => assert_eq!(received, Some(1)),
                () = rt::time::sleep(Duration::from_secs(60)) => panic!("there is a message"),
            }
        });
    }
}

mod async_channels {
    use super::*;

    #[test]
    fn bounded_makes_the_sender_wait() {
        flavor::one_thread().block_on(async {
            let (sender, receiver) = async_channel::bounded(2);
            let sent = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&sent);
            rt::spawn(async move {
                for n in 0..10 {
                    sender.send(n).await.unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
            yield_now().await;
            assert_eq!(sent.load(Ordering::SeqCst), 2);
            let received: Vec<_> = receiver.collect().await;
            assert!(received.into_iter().eq(0..10));
        });
    }

    #[test]
    fn unbounded_with_many_at_both_ends() {
        flavor::block_on(async {
            let (sender, receiver) = async_channel::unbounded();
            let mut consumers = JoinSet::new();
            for _ in 0..3 {
                let receiver = receiver.clone();
                consumers.spawn(async move {
                    let mut sum = 0;
                    while let Ok(n) = receiver.recv().await {
                        sum += n;
                        yield_now().await;
                    }
                    sum
                });
            }
            all(4, |n| {
                let sender = sender.clone();
                async move {
                    for m in 0..100 {
                        sender.send(n * 100 + m).await.unwrap();
                    }
                }
            })
            .await;
            drop(sender);
            assert_eq!(consumers.join_all().await.into_iter().sum::<usize>(), (0..400).sum::<usize>());
        });
    }

    #[test]
    fn between_a_thread_and_a_task() {
        let (to_thread, in_thread) = async_channel::bounded(1);
        let (to_task, in_task) = async_channel::bounded(1);
        let thread = thread::spawn(move || {
            while let Ok(n) = in_thread.recv_blocking() {
                to_task.send_blocking(n + 1).unwrap();
            }
        });
        flavor::block_on(async {
            for n in 0..100 {
                to_thread.send(n).await.unwrap();
                assert_eq!(in_task.recv().await, Ok(n + 1));
            }
            drop(to_thread);
            assert!(in_task.recv().await.is_err());
        });
        thread.join().unwrap();
    }
}

mod async_locks {
    use super::*;
    use async_lock::{Barrier, Mutex, OnceCell, RwLock, Semaphore};

    #[test]
    fn mutex_held_across_awaits() {
        flavor::block_on(async {
            let mutex = Arc::new(Mutex::new(0));
            all(20, |_| {
                let mutex = Arc::clone(&mutex);
                async move {
                    let mut held = mutex.lock().await;
                    let before = *held;
                    yield_now().await;
                    *held = before + 1;
                }
            })
            .await;
            assert_eq!(*mutex.lock().await, 20);
        });
    }

    #[test]
    fn mutex_between_a_task_and_a_thread() {
        flavor::block_on(async {
            let mutex = Arc::new(Mutex::new(0));
            let held = mutex.lock().await;
            let theirs = Arc::clone(&mutex);
            let thread = rt::spawn_blocking(move || *theirs.lock_blocking() += 1);
            drop(held);
            thread.await.unwrap();
            assert_eq!(*mutex.lock().await, 1);
        });
    }

    #[test]
    fn rwlock_lets_readers_in_together() {
        flavor::block_on(async {
            let lock = Arc::new(RwLock::new(1));
            let (one, two) = (lock.read().await, lock.read().await);
            let writer = rt::spawn({
                let lock = Arc::clone(&lock);
                async move { *lock.write().await += 1 }
            });
            yield_now().await;
            assert!(!writer.is_finished());
            drop((one, two));
            writer.await.unwrap();
            // A reader that may become the writer, while others read.
            let upgradable = lock.upgradable_read().await;
            assert_eq!(*lock.read().await, 2);
            *async_lock::RwLockUpgradableReadGuard::upgrade(upgradable).await += 1;
            assert_eq!(*lock.read().await, 3);
        });
    }

    #[test]
    fn semaphore_limits() {
        flavor::block_on(async {
            let semaphore = Arc::new(Semaphore::new(3));
            let (inside, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            all(20, |_| {
                let (semaphore, inside, peak) = (Arc::clone(&semaphore), Arc::clone(&inside), Arc::clone(&peak));
                async move {
                    let _permit = semaphore.acquire_arc().await;
                    peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            })
            .await;
            assert_eq!(peak.load(Ordering::SeqCst), 3);
        });
    }

    #[test]
    fn barrier_of_tasks_and_a_thread() {
        flavor::block_on(async {
            let barrier = Arc::new(Barrier::new(5));
            let theirs = Arc::clone(&barrier);
            let thread = rt::spawn_blocking(move || theirs.wait_blocking().is_leader());
            let mut set = JoinSet::new();
            for _ in 0..4 {
                let barrier = Arc::clone(&barrier);
                set.spawn(async move { barrier.wait().await.is_leader() });
            }
            let leaders = set.join_all().await.into_iter().filter(|leader| *leader).count();
            assert_eq!(leaders + usize::from(thread.await.unwrap()), 1);
        });
    }

    #[test]
    fn once_cell_is_made_once() {
        flavor::block_on(async {
            let (cell, made) = (Arc::new(OnceCell::new()), Arc::new(AtomicUsize::new(0)));
            all(5, |_| {
                let (cell, made) = (Arc::clone(&cell), Arc::clone(&made));
                async move {
                    cell.get_or_init(|| async {
                        yield_now().await;
                        made.fetch_add(1, Ordering::SeqCst);
                    })
                    .await;
                }
            })
            .await;
            assert_eq!(made.load(Ordering::SeqCst), 1);
        });
    }
}

mod futures_channels {
    use super::*;
    use futures_channel::{mpsc, oneshot};

    #[test]
    fn mpsc_as_sink_and_stream() {
        flavor::block_on(async {
            let (mut sender, receiver) = mpsc::channel(1);
            rt::spawn(async move {
                for n in 0..100 {
                    sender.send(n).await.unwrap();
                }
            });
            let received: Vec<_> = receiver.collect().await;
            assert!(received.into_iter().eq(0..100));
        });
    }

    #[test]
    fn unbounded_from_a_thread() {
        let (sender, receiver) = mpsc::unbounded();
        let thread = thread::spawn(move || (0..100).for_each(|n| sender.unbounded_send(n).unwrap()));
        let sum = flavor::block_on(receiver.fold(0, |sum, n| async move { sum + n }));
        assert_eq!(sum, 4_950);
        thread.join().unwrap();
    }

    #[test]
    fn oneshot_tells_that_its_receiver_is_gone() {
        flavor::block_on(async {
            let (mut sender, receiver) = oneshot::channel::<()>();
            let cancelled = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&cancelled);
            let task = rt::spawn(async move {
                sender.cancellation().await;
                seen.store(true, Ordering::SeqCst);
            });
            yield_now().await;
            assert!(!cancelled.load(Ordering::SeqCst));
            drop(receiver);
            task.await.unwrap();
            assert!(cancelled.load(Ordering::SeqCst));
        });
    }
}
