//! What many lookups at a time take.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Case, Scenario, Target, Unit, Work};
use crate::meter::{Sample, pin};
use crate::subject::net::Names;

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&THREADS, &MADE];

const QUESTIONS: usize = 200;
const NAMES: usize = 10;

/// Threads at the peak.
pub static THREADS: Scenario = Scenario {
    name: "lookups",
    title: "200 lookups of 10 names: threads",
    unit: Unit::Threads,
    batches: 1,
    most_rounds: 5,
    targets: &[Target::AtMost(4.)],
    ..Scenario::DEFAULT
};

/// How often the system was asked.
pub static MADE: Scenario = Scenario {
    name: "lookups-made",
    title: "200 lookups of 10 names: the system's",
    unit: Unit::Lookups,
    targets: &[Target::AtMost(10.)],
    ..THREADS
};

/// What every subject does that looks up names; what counts its lookups tells them.
pub fn cases<S: Names>() -> Vec<Case> {
    let mut cases = vec![Case::new::<S>(&THREADS, Work::Measure(|_| threads_at_peak::<S>()))];
    if S::lookups().is_some() {
        cases.push(Case::new::<S>(&MADE, Work::Measure(|_| lookups_made::<S>())));
    }
    cases
}

fn threads_at_peak<S: Names>() -> Sample {
    static DONE: AtomicBool = AtomicBool::new(false);
    let before = threads();
    let watcher = thread::spawn(|| {
        pin(1);
        let mut most = 0;
        while !DONE.load(Ordering::Acquire) {
            most = most.max(threads());
            thread::sleep(Duration::from_micros(200));
        }
        // Those that have nothing to do stay for half a second and more.
        most.max(threads())
    });
    S::block_on(ask::<S>());
    DONE.store(true, Ordering::Release);
    let most = watcher.join().expect("the watcher does not panic");
    Sample::of((most - 1 - before) as f64)
}

fn lookups_made<S: Names>() -> Sample {
    let made = || S::lookups().unwrap_or_default();
    let before = made();
    S::block_on(ask::<S>());
    Sample::of((made() - before) as f64)
}

/// All questions at a time, a task each. No hosts file knows these names, and nobody else can (RFC 6761).
async fn ask<S: Names>() {
    let tasks: Vec<_> =
        (0..QUESTIONS).map(|question| S::spawn(S::look_up(format!("host-{}.invalid", question % NAMES)))).collect();
    for task in tasks {
        S::join(task).await;
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
