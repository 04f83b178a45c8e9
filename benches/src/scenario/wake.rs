//! Waking tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread;

use futures_channel::oneshot;
use futures_util::task::AtomicWaker;

use super::{Case, Countdown, FLOOR, Scenario, Target, Work};
use crate::floor;
use crate::meter::{Meter, Sample, measure, pin};
use crate::subject::{Subject, ThreadSafeWakers};

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&PAIRS, &YIELD, &RING, &THREAD, &THREAD_APART];

/// Two tasks per operation, which send each other one message each.
pub static PAIRS: Scenario = Scenario {
    name: "ping-pong",
    title: "ping-pong of 1,000 pairs over futures oneshot",
    batches: 50,
    targets: &[Target::Share("tokio", 1. / 1.85), Target::Share("monoio", 1.)],
    ..Scenario::DEFAULT
};

/// Tasks that only make room for one another.
pub static YIELD: Scenario = Scenario {
    name: "yield",
    title: "yield_now, 200 tasks",
    batches: 5,
    targets: &[Target::Share("tokio", 1. / 4.)],
    ..Scenario::DEFAULT
};

/// A turn goes round a ring of tasks, each waking the next.
pub static RING: Scenario = Scenario {
    name: "wake-ring",
    title: "wake hop round 64 tasks",
    batches: 10,
    targets: &[Target::Share("tokio", 1. / 1.5)],
    ..Scenario::DEFAULT
};

/// A turn goes to and fro between a plain thread that parks and a task whose runtime sleeps in its poller, both on one
/// processor: what is left is two switches, a system call to wake either side, and the runtime's own share.
pub static THREAD: Scenario = Scenario {
    name: "wake-thread",
    title: "thread and task ping-pong through the poller",
    batches: 10_000,
    ..Scenario::DEFAULT
};

/// The same on two processors: most of it is the kernel waking a processor that sleeps.
pub static THREAD_APART: Scenario = Scenario {
    name: "wake-thread-apart",
    title: "thread and task ping-pong, two processors",
    batches: 1_000,
    targets: &[Target::Share(FLOOR, 1.)],
    ..Scenario::DEFAULT
};

/// What every subject does.
pub fn cases<S: Subject>() -> Vec<Case> {
    vec![
        Case::new::<S>(&PAIRS, Work::Measure(|batches| S::block_on(pairs::<S>(batches)))),
        Case::new::<S>(&YIELD, Work::Measure(|batches| S::block_on(yields::<S>(batches)))),
        Case::new::<S>(&RING, Work::Measure(|batches| S::block_on(ring::<S>(batches)))),
    ]
}

/// What needs wakers that work on other threads.
pub fn threads<S: ThreadSafeWakers>() -> Vec<Case> {
    vec![
        Case::new::<S>(&THREAD, Work::MeasureThreads(with_thread::<S, 0>)),
        Case::new::<S>(&THREAD_APART, Work::MeasureThreads(with_thread::<S, 1>)),
    ]
}

/// The floors that are no executor.
pub fn floor() -> Vec<Case> {
    let case = |scenario, work| Case { scenario, subject: FLOOR, unavailable: || None, work };
    vec![
        case(&THREAD, Work::MeasureThreads(|trips| floor::remote::ping_pong(trips, 0))),
        case(&THREAD_APART, Work::MeasureThreads(|trips| floor::remote::ping_pong(trips, 1))),
    ]
}

pub(super) async fn pairs<S: Subject>(batches: u64) -> Sample {
    const PAIRS: u64 = 1_000;
    measure(batches, PAIRS, async || {
        let countdown = Countdown::new(PAIRS);
        for _ in 0..PAIRS {
            let countdown = countdown.clone();
            S::detach(S::spawn(async move {
                let (ping, pinged) = oneshot::channel();
                let (pong, ponged) = oneshot::channel();
                S::detach(S::spawn(async move {
                    pinged.await.expect("a ping");
                    pong.send(()).expect("the first task waits");
                }));
                ping.send(()).expect("the second task waits");
                ponged.await.expect("a pong");
                countdown.one_less();
            }));
        }
        countdown.done().await;
    })
    .await
}

pub(super) async fn yields<S: Subject>(batches: u64) -> Sample {
    const TASKS: u64 = 200;
    const YIELDS: u64 = 1_000;
    measure(batches, TASKS * YIELDS, async || {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                S::spawn(async {
                    for _ in 0..YIELDS {
                        S::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            S::join(task).await;
        }
    })
    .await
}

pub(super) async fn ring<S: Subject>(batches: u64) -> Sample {
    const TASKS: u64 = 64;
    const HOPS: u64 = TASKS * 1_000;

    struct Ring {
        /// Whose turn it is, counted on.
        turn: AtomicU64,
        wakers: [AtomicWaker; TASKS as usize],
    }

    measure(batches, HOPS, async || {
        let ring = Arc::new(Ring { turn: AtomicU64::new(0), wakers: std::array::from_fn(|_| AtomicWaker::new()) });
        let tasks: Vec<_> = (0..TASKS)
            .map(|mine| {
                let ring = ring.clone();
                S::spawn(async move {
                    loop {
                        let turn = poll_fn(|cx| {
                            ring.wakers[mine as usize].register(cx.waker());
                            let turn = ring.turn.load(Ordering::Relaxed);
                            if turn % TASKS == mine { Poll::Ready(turn) } else { Poll::Pending }
                        })
                        .await;
                        ring.turn.store(turn + 1, Ordering::Relaxed);
                        ring.wakers[(mine + 1) as usize % TASKS as usize].wake();
                        if turn + TASKS >= HOPS {
                            break;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            S::join(task).await;
        }
    })
    .await
}

fn with_thread<S: ThreadSafeWakers, const PROCESSOR: usize>(trips: u64) -> Sample {
    #[derive(Default)]
    struct Table {
        tasks_turn: AtomicBool,
        task: AtomicWaker,
    }

    S::block_on(async move {
        pin(0);
        let warm_up = 1 + trips / 10;
        let table = Arc::new(Table::default());
        let (report, sample) = oneshot::channel();
        let thread = thread::spawn({
            let table = table.clone();
            move || {
                pin(PROCESSOR);
                let run = |trips| {
                    for _ in 0..trips {
                        table.tasks_turn.store(true, Ordering::Release);
                        table.task.wake();
                        while table.tasks_turn.load(Ordering::Acquire) {
                            thread::park();
                        }
                    }
                };
                run(warm_up);
                let meter = Meter::start();
                run(trips);
                report.send(meter.stop(trips)).expect("the root future waits");
            }
        });
        let thread_handle = thread.thread().clone();
        let task = S::spawn(async move {
            for _ in 0..warm_up + trips {
                poll_fn(|cx| {
                    table.task.register(cx.waker());
                    if table.tasks_turn.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                table.tasks_turn.store(false, Ordering::Release);
                thread_handle.unpark();
            }
        });
        let sample = sample.await.expect("the thread reports");
        S::join(task).await;
        thread.join().expect("the thread does not panic");
        sample
    })
}
