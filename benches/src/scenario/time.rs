//! Sleeping and giving up.

use std::future::{Future, pending, poll_fn, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::{Case, FLOOR, Scenario, Target, Unit, Work};
use crate::meter::{Sample, measure};
use crate::subject::Timers;

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&DROPPED, &READY, &SLEEPS, &LATE_MEDIAN, &LATE_TAIL];

/// What most timeouts do: nothing.
pub static DROPPED: Scenario = Scenario {
    name: "timeout-dropped",
    title: "timeout made, polled once pending, dropped",
    batches: 200,
    targets: &[Target::Share("tokio", 60. / 142.)],
    ..Scenario::DEFAULT
};

/// A timeout that never has to be armed.
pub static READY: Scenario = Scenario {
    name: "timeout-ready",
    title: "timeout around a future that is ready at once",
    batches: 500,
    targets: &[Target::Share(FLOOR, 40. / 24.)],
    ..Scenario::DEFAULT
};

/// A task per sleep, all joined.
pub static SLEEPS: Scenario = Scenario {
    name: "sleeps",
    title: "50,000 sleeps over 50 ms",
    batches: 3,
    targets: &[Target::Share("tokio", 1. / 4.)],
    ..Scenario::DEFAULT
};

/// How late a sleep is on a runtime that does nothing else: the median.
pub static LATE_MEDIAN: Scenario = Scenario {
    name: "sleep-late-p50",
    title: "a lone sleep's lateness, p50",
    unit: Unit::Lateness,
    batches: 200,
    most_rounds: 5,
    targets: &[Target::AtMost(100.)],
    ..Scenario::DEFAULT
};

/// How late a sleep is on a runtime that does nothing else: one in a hundred is later.
pub static LATE_TAIL: Scenario = Scenario {
    name: "sleep-late-p99",
    title: "a lone sleep's lateness, p99",
    unit: Unit::Lateness,
    batches: 200,
    most_rounds: 5,
    targets: &[Target::AtMost(300.)],
    ..Scenario::DEFAULT
};

/// What every subject with timers does.
pub fn cases<S: Timers>() -> Vec<Case> {
    vec![
        Case::new::<S>(&DROPPED, Work::Measure(|batches| S::block_on(dropped::<S>(batches)))),
        Case::new::<S>(&READY, Work::Measure(|batches| S::block_on(ready_at_once::<S>(batches)))),
        Case::new::<S>(&SLEEPS, Work::Measure(|batches| S::block_on(sleeps::<S>(batches)))),
        Case::new::<S>(&LATE_MEDIAN, Work::Measure(|sleeps| Sample::of(lateness::<S>(sleeps, 50)))),
        Case::new::<S>(&LATE_TAIL, Work::Measure(|sleeps| Sample::of(lateness::<S>(sleeps, 99)))),
    ]
}

/// Timeouts per batch; between batches the runtime gets its turn, for those that put cancelling off.
const TIMEOUTS: u64 = 1_000;

pub(super) async fn dropped<S: Timers>(batches: u64) -> Sample {
    measure(batches, TIMEOUTS, async || {
        for _ in 0..TIMEOUTS {
            let mut timeout = pin!(S::timeout(Duration::from_secs(10), pending::<()>()));
            poll_fn(|cx| {
                assert!(timeout.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        S::yield_now().await;
    })
    .await
}

async fn ready_at_once<S: Timers>(batches: u64) -> Sample {
    measure(batches, TIMEOUTS, async || {
        for number in 0..TIMEOUTS {
            black_box(S::timeout(Duration::from_secs(10), ready(black_box(number))).await);
        }
        S::yield_now().await;
    })
    .await
}

pub(super) async fn sleeps<S: Timers>(batches: u64) -> Sample {
    const SLEEPS: u64 = 50_000;
    measure(batches, SLEEPS, async || {
        let tasks: Vec<_> = (1..=SLEEPS).map(S::spawn_sleeping::<0>).collect();
        for task in tasks {
            S::join(task).await;
        }
    })
    .await
}

/// In microseconds, of sleeps between 1 and 3 ms.
fn lateness<S: Timers>(sleeps: u64, percentile: usize) -> f64 {
    S::block_on(async move {
        let mut late = Vec::with_capacity(sleeps as usize);
        for index in 0..sleeps {
            let duration = Duration::from_micros(1_000 + index * 7_919 % 2_000);
            let deadline = Instant::now() + duration;
            S::sleep(duration).await;
            late.push(deadline.elapsed());
        }
        late.sort_unstable();
        late[late.len() * percentile / 100].as_nanos() as f64 / 1e3
    })
}
