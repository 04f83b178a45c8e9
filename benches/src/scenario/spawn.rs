//! Making tasks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};

use futures_channel::oneshot;

use super::{Case, FLOOR, Scenario, Target, Work};
use crate::floor;
use crate::meter::{Meter, Sample, measure, pin};
use crate::subject::{Remote, Subject};

const TASKS: u64 = 1_000;

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&JOIN, &CHAIN, &REMOTE, &REMOTE_APART];

/// A burst of tasks that do nothing, each joined.
pub static JOIN: Scenario = Scenario {
    name: "spawn-join",
    title: "spawn + join 1,000 tasks",
    batches: 200,
    targets: &[Target::Share("tokio", 1. / 8.), Target::Share("monoio", 1.), Target::Share(FLOOR, 1.)],
    ..Scenario::DEFAULT
};

/// Each task spawns the next.
pub static CHAIN: Scenario = Scenario {
    name: "spawn-chain",
    title: "chained spawn 1,000 deep",
    batches: 200,
    targets: &[Target::Share("tokio", 1. / 8.)],
    ..Scenario::DEFAULT
};

/// A plain thread spawns bursts of 1,000 onto the runtime, on the same processor, and waits for each burst.
pub static REMOTE: Scenario = Scenario {
    name: "spawn-remote",
    title: "spawn from a plain thread",
    batches: 50,
    targets: &[Target::Share("tokio", 1. / 3.)],
    ..Scenario::DEFAULT
};

/// The same on two processors, which costs all of them the way of the cache lines, and a hypervisor's interrupts.
pub static REMOTE_APART: Scenario =
    Scenario { name: "spawn-remote-apart", title: "spawn from a thread on another processor", ..REMOTE };

/// What every subject does.
pub fn cases<S: Subject>() -> Vec<Case> {
    vec![
        Case::new::<S>(&JOIN, Work::Measure(|batches| S::block_on(join::<S>(batches)))),
        Case::new::<S>(&CHAIN, Work::Measure(|batches| S::block_on(chain::<S>(batches)))),
    ]
}

/// What needs a handle that threads may have.
pub fn remote<S: Remote>() -> Vec<Case> {
    vec![
        Case::new::<S>(
            &REMOTE,
            Work::MeasureThreads(|batches| S::block_on(spawn_remotely::<S>(batches, Some([0, 0])))),
        ),
        Case::new::<S>(
            &REMOTE_APART,
            Work::MeasureThreads(|batches| S::block_on(spawn_remotely::<S>(batches, Some([0, 1])))),
        ),
    ]
}

/// The floors that are no executor.
pub fn floor() -> Vec<Case> {
    let case = |scenario, work| Case { scenario, subject: FLOOR, unavailable: || None, work };
    vec![
        case(&REMOTE, Work::MeasureThreads(|batches| floor::remote::spawn_from_thread(batches, TASKS, 0))),
        case(&REMOTE_APART, Work::MeasureThreads(|batches| floor::remote::spawn_from_thread(batches, TASKS, 1))),
    ]
}

pub(super) async fn join<S: Subject>(batches: u64) -> Sample {
    measure(batches, TASKS, async || {
        let tasks: Vec<_> = (0..TASKS).map(|_| S::spawn(async {})).collect();
        for task in tasks {
            S::join(task).await;
        }
    })
    .await
}

pub(super) async fn chain<S: Subject>(batches: u64) -> Sample {
    fn spawn_link<S: Subject>(depth: u64, done: oneshot::Sender<()>) {
        S::detach(S::spawn(async move {
            if depth == 0 {
                let _ = done.send(());
            } else {
                spawn_link::<S>(depth - 1, done);
            }
        }));
    }
    measure(batches, TASKS, async || {
        let (done, last) = oneshot::channel();
        spawn_link::<S>(TASKS - 1, done);
        last.await.expect("the last link reports");
    })
    .await
}

/// The runtime's thread and the plain one are bound to `processors`, if to any.
pub(super) async fn spawn_remotely<S: Remote>(batches: u64, processors: Option<[usize; 2]>) -> Sample {
    struct Left {
        tasks: AtomicU64,
        thread: Thread,
    }

    if let Some([own, _]) = processors {
        pin(own);
    }
    let spawner = S::spawner();
    let (report, sample) = oneshot::channel();
    let thread = thread::spawn(move || {
        if let Some([_, other]) = processors {
            pin(other);
        }
        // Leaked, so that no reference count goes to and fro between the threads.
        let left: &Left = Box::leak(Box::new(Left { tasks: AtomicU64::new(0), thread: thread::current() }));
        let spawn = |batches| {
            for _ in 0..batches {
                left.tasks.store(TASKS, Ordering::Relaxed);
                for _ in 0..TASKS {
                    S::spawn_remotely(&spawner, async move {
                        if left.tasks.fetch_sub(1, Ordering::AcqRel) == 1 {
                            left.thread.unpark();
                        }
                    });
                }
                while left.tasks.load(Ordering::Acquire) > 0 {
                    thread::park();
                }
            }
        };
        spawn(1 + batches / 10);
        let meter = Meter::start();
        spawn(batches);
        report.send(meter.stop(batches * TASKS)).expect("the root future waits");
    });
    let sample = sample.await.expect("the thread reports");
    thread.join().expect("the thread does not panic");
    sample
}
