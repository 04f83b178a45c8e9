//! What one sample is: CPU time of all threads of this process, and wall time beside it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// What a case measured in one go.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// How many operations the times below are for.
    pub ops: u64,
    /// CPU time of all threads of the process.
    pub cpu: Duration,
    /// Time that passed.
    pub wall: Duration,
    /// The figure itself, for the scenarios whose figure is not a time per operation.
    pub figure: Option<f64>,
}

impl Sample {
    /// A sample whose figure is not a time per operation.
    pub fn of(figure: f64) -> Self {
        Self { ops: 1, cpu: Duration::ZERO, wall: Duration::ZERO, figure: Some(figure) }
    }

    /// CPU nanoseconds per operation.
    pub fn cpu_per_op(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.ops as f64
    }

    /// Wall nanoseconds per operation.
    pub fn wall_per_op(&self) -> f64 {
        self.wall.as_nanos() as f64 / self.ops as f64
    }
}

/// A running measurement.
#[derive(Debug)]
pub struct Meter {
    cpu: Duration,
    wall: Instant,
}

impl Meter {
    /// Starts measuring.
    pub fn start() -> Self {
        let wall = Instant::now();
        Self { cpu: process_cpu(), wall }
    }

    /// Ends the measurement, which was of `ops` operations.
    pub fn stop(self, ops: u64) -> Sample {
        let cpu = process_cpu() - self.cpu;
        Sample { ops, cpu, wall: self.wall.elapsed(), figure: None }
    }
}

/// Runs `batch` a few times to warm up, then measures `batches` runs of it, each worth `ops` operations.
pub async fn measure(batches: u64, ops: u64, mut batch: impl AsyncFnMut()) -> Sample {
    for _ in 0..=batches / 10 {
        batch().await;
    }
    let meter = Meter::start();
    for _ in 0..batches {
        batch().await;
    }
    meter.stop(batches * ops)
}

/// As [`measure`]; what `prepare` makes for each batch is not measured.
///
/// The clock is read around each batch, so one should take some microseconds.
pub async fn measure_prepared<T>(
    batches: u64,
    ops: u64,
    prepare: impl Fn() -> T,
    mut batch: impl AsyncFnMut(T),
) -> Sample {
    for _ in 0..=batches / 10 {
        batch(prepare()).await;
    }
    let mut sum = Sample { ops: 0, cpu: Duration::ZERO, wall: Duration::ZERO, figure: None };
    for _ in 0..batches {
        let prepared = prepare();
        let meter = Meter::start();
        batch(prepared).await;
        let sample = meter.stop(ops);
        sum = Sample { ops: sum.ops + ops, cpu: sum.cpu + sample.cpu, wall: sum.wall + sample.wall, figure: None };
    }
    sum
}

/// That percentile of `times`, in microseconds: so many percent of them are at most as long.
pub fn percentile(times: &mut [Duration], percent: f64) -> f64 {
    times.sort_unstable();
    let rank = (times.len() as f64 * percent / 100.).ceil() as usize;
    times.get(rank.saturating_sub(1)).map_or(f64::NAN, |time| time.as_nanos() as f64 / 1e3)
}

/// Binds the calling thread, and the threads it starts from now on, to the `index`th of the processors that this process
/// was given.
///
/// Counts round where there are fewer processors. A thread that may not be bound stays where it is: then the figures are
/// noisier, not wrong.
pub fn pin(index: usize) {
    static GIVEN: OnceLock<Vec<usize>> = OnceLock::new();
    let given = GIVEN.get_or_init(|| {
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu) == Ok(true)).collect()
    });
    let mut chosen = CpuSet::new();
    if !given.is_empty() && chosen.set(given[index % given.len()]).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &chosen);
    }
}

fn process_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("Linux has a CPU clock per process").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_occurred() {
        let mut times: Vec<Duration> = (1..=40).rev().map(Duration::from_micros).collect();
        assert_eq!([0., 50., 97.5, 99., 100.].map(|percent| percentile(&mut times, percent)), [1., 20., 39., 40., 40.]);
        assert!(percentile(&mut [], 99.).is_nan());
    }
}
