//! What tasks weigh, and what a process does that has nothing to do.

use std::fs;
use std::future::pending;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Case, Scenario, Target, Unit, Work};
use crate::meter::Sample;
use crate::subject::{Subject, Timers};

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&IDLE_TASK, &SLEEPING_TASK, &IDLE_PROCESS];

/// Resident memory of a task that waits and has 64 bytes to keep.
pub static IDLE_TASK: Scenario = Scenario {
    name: "memory-idle",
    title: "an idle task with 64 bytes of state",
    unit: Unit::Bytes,
    batches: 100_000,
    most_rounds: 5,
    targets: &[Target::AtMost(200.)],
};

/// Resident memory of a task that sleeps and has 64 bytes to keep.
pub static SLEEPING_TASK: Scenario = Scenario {
    name: "memory-sleeping",
    title: "a sleeping task with 64 bytes of state",
    unit: Unit::Bytes,
    batches: 100_000,
    most_rounds: 5,
    targets: &[Target::AtMost(280.)],
};

/// A process with a task that sleeps for an hour: nothing should wake it before.
pub static IDLE_PROCESS: Scenario = Scenario {
    name: "idle-process",
    title: "wake-ups of an idle process",
    unit: Unit::Switches,
    batches: 1,
    most_rounds: 3,
    targets: &[Target::AtMost(0.)],
};

/// An hour, in microseconds.
const HOUR: u64 = 3_600_000_000;

/// What every subject with timers does.
pub fn cases<S: Timers>() -> Vec<Case> {
    vec![
        Case::new::<S>(&IDLE_TASK, Work::Measure(idle_task::<S>)),
        Case::new::<S>(&SLEEPING_TASK, Work::Measure(sleeping_task::<S>)),
        Case::new::<S>(&IDLE_PROCESS, Work::Idle(idle_process::<S>)),
    ]
}

fn idle_task<S: Subject>(count: u64) -> Sample {
    static WAITING: AtomicU64 = AtomicU64::new(0);
    weigh::<S>(
        count,
        || {
            let state = [1_u8; 64];
            S::spawn(async move {
                WAITING.fetch_add(1, Ordering::Relaxed);
                pending::<()>().await;
                black_box(&state);
            })
        },
        |count| WAITING.load(Ordering::Relaxed) == count,
    )
}

fn sleeping_task<S: Timers>(count: u64) -> Sample {
    // The deadline is 8 of the 64 bytes. Tasks run in order, roughly: a task that is spawned last and has run comes after
    // them, or not long before.
    weigh::<S>(count, || S::spawn_sleeping::<56>(HOUR), |_| true)
}

/// Resident bytes per task of `count` tasks that `spawn` makes; `all_wait` says when all have been polled.
fn weigh<S: Subject>(count: u64, spawn: impl Fn() -> S::Task + 'static, all_wait: fn(u64) -> bool) -> Sample {
    S::block_on(async move {
        S::join(S::spawn(async {})).await;
        let before = resident_bytes();
        for _ in 0..count {
            S::detach(spawn());
        }
        for _ in 0..100 {
            S::join(S::spawn(async {})).await;
        }
        while !all_wait(count) {
            S::yield_now().await;
        }
        Sample::of((resident_bytes() - before) as f64 / count as f64)
    })
}

fn idle_process<S: Timers>() {
    S::block_on(async {
        S::detach(S::spawn_sleeping::<0>(HOUR));
        println!("idle");
        S::sleep(std::time::Duration::from_micros(HOUR)).await;
    });
}

fn resident_bytes() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux tells a process its memory");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).expect("a line for resident memory");
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of KiB");
    kib * 1024
}
