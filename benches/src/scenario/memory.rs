//! What tasks weigh, and what a process does that has nothing to do.

use std::fmt::Display;
use std::fs;
use std::future::pending;
use std::hint::black_box;
use std::time::Duration;

use super::{Case, Countdown, OURS_PROTOCOL, Scenario, Target, Unit, Work, tcp};
use crate::meter::Sample;
use crate::subject::net::{Deaf, Idle};
use crate::subject::{Subject, Timers};

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&IDLE_TASK, &SLEEPING_TASK, &IDLE_CONNECTION, &DEAF_CONNECTION, &IDLE_PROCESS];

/// Resident memory of a task that waits and has 64 bytes to keep.
pub static IDLE_TASK: Scenario = Scenario {
    name: "memory-idle",
    title: "an idle task with 64 bytes of state",
    unit: Unit::Bytes,
    batches: 100_000,
    most_rounds: 5,
    targets: &[Target::AtMost(200.)],
    ..Scenario::DEFAULT
};

/// Resident memory of a task that sleeps and has 64 bytes to keep.
pub static SLEEPING_TASK: Scenario = Scenario {
    name: "memory-sleeping",
    title: "a sleeping task with 64 bytes of state",
    unit: Unit::Bytes,
    batches: 100_000,
    most_rounds: 5,
    targets: &[Target::AtMost(280.)],
    ..Scenario::DEFAULT
};

/// Resident memory of a TCP connection and the task that waits for it, which has no buffer.
pub static IDLE_CONNECTION: Scenario = Scenario {
    name: "memory-connection",
    title: "an idle TCP connection with its task",
    unit: Unit::Bytes,
    batches: 1,
    most_rounds: 5,
    targets: &[Target::AtMost(900.)],
    also: &[(OURS_PROTOCOL, &[Target::AtMost(600.)])],
    ..Scenario::DEFAULT
};

/// Resident memory of an echo server's connection whose other end sends and never reads. A Protocol may keep answers up to its
/// high-water mark, and as much again while they move.
pub static DEAF_CONNECTION: Scenario = Scenario {
    name: "memory-deaf",
    title: "a TCP connection whose peer never reads",
    unit: Unit::Bytes,
    batches: 1,
    most_rounds: 5,
    also: &[(OURS_PROTOCOL, &[Target::AtMost(2. * 65_536.)])],
    ..Scenario::DEFAULT
};

/// A process with a task that sleeps for an hour: nothing should wake it before.
pub static IDLE_PROCESS: Scenario = Scenario {
    name: "idle-process",
    title: "wake-ups of an idle process",
    unit: Unit::Switches,
    batches: 1,
    most_rounds: 3,
    targets: &[Target::AtMost(0.)],
    ..Scenario::DEFAULT
};

/// An hour, in microseconds.
const HOUR: u64 = 3_600_000_000;

/// What every subject with timers does.
pub fn cases<S: Timers>() -> Vec<Case> {
    vec![
        Case::new::<S>(&IDLE_TASK, Work::Measure(idle_task::<S>)),
        Case::new::<S>(&SLEEPING_TASK, Work::Measure(sleeping_task::<S>)),
    ]
}

/// What the floor cannot do: its wheel has to be looked at as often as it goes round.
pub fn idle<S: Timers>() -> Vec<Case> {
    vec![Case::new::<S>(&IDLE_PROCESS, Work::Idle(idle_process::<S>))]
}

/// What every subject with connections does that lets their tasks wait without a buffer.
pub fn connections<S: Idle>() -> Vec<Case> {
    let keep = || S::block_on(S::keep(tcp::listen())).expect("a listener");
    vec![Case::new::<S>(&IDLE_CONNECTION, Work::ServeMemory(keep, 10_000))]
}

/// What every subject with connections does that echoes what comes.
pub fn deaf<S: Deaf>() -> Vec<Case> {
    let echo = || S::block_on(S::echo(tcp::listen_with_little_room())).expect("a listener");
    vec![Case::new::<S>(&DEAF_CONNECTION, Work::ServeDeaf(echo, 1_000))]
}

fn idle_task<S: Subject>(count: u64) -> Sample {
    weigh::<S>(count, || {
        let state = [1_u8; 64];
        S::spawn(async move {
            pending::<()>().await;
            black_box(&state);
        })
    })
}

fn sleeping_task<S: Timers>(count: u64) -> Sample {
    // The deadline is 8 of the 64 bytes.
    weigh::<S>(count, || S::spawn_sleeping::<56>(HOUR))
}

/// Resident bytes per task of `count` tasks that `spawn` makes, when all have been polled.
fn weigh<S: Subject>(count: u64, spawn: impl Fn() -> S::Task + 'static) -> Sample {
    S::block_on(async move {
        queue_empty::<S>().await;
        let before = resident_bytes();
        for _ in 0..count {
            S::detach(spawn());
        }
        queue_empty::<S>().await;
        Sample::of((resident_bytes() - before) as f64 / count as f64)
    })
}

/// Waits until a task that is spawned now has run: all queues here are first in, first out.
async fn queue_empty<S: Subject>() {
    let ran = Countdown::new(1);
    S::detach(S::spawn({
        let ran = ran.clone();
        async move { ran.one_less() }
    }));
    ran.done().await;
}

pub(super) fn idle_process<S: Timers>() {
    S::block_on(async {
        S::detach(S::spawn_sleeping::<0>(HOUR));
        println!("idle");
        S::sleep(Duration::from_micros(HOUR)).await;
    });
}

pub(super) fn resident_bytes() -> u64 {
    resident_bytes_of("self")
}

/// Of the process with this id.
pub(crate) fn resident_bytes_of(process: impl Display) -> u64 {
    let rollup =
        fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("Linux tells the memory of its processes");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).expect("a line for resident memory");
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of KiB");
    kib * 1024
}
