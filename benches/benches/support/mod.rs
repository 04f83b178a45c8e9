//! A criterion group per scenario, with an alternative per subject, over the cases that `compare` runs.
//!
//! What criterion calls the time of an iteration is the time of one operation.

use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use rt_benches::compare::server::Loaded;
use rt_benches::meter::Sample;
use rt_benches::scenario::{Case, Load, Scenario, Work, roster};

/// Requests to a server that criterion counts as one iteration.
const REQUESTS: u64 = 2_000;

/// The settings of all themes: few samples, for there are many alternatives.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args()
}

/// Benchmarks the scenarios of a theme that can be timed in this process or from outside.
pub(crate) fn theme(criterion: &mut Criterion, scenarios: &[&Scenario]) {
    for scenario in scenarios {
        let mut group = criterion.benchmark_group(scenario.name);
        group.sampling_mode(SamplingMode::Flat);
        for case in roster().iter().filter(|case| case.scenario.name == scenario.name) {
            if let Some(reason) = (case.unavailable)() {
                eprintln!("{} is left out: {reason}", case.path());
                continue;
            }
            // The closures run only for what the command line asks for.
            match case.work {
                Work::Measure(work) | Work::MeasureThreads(work) => {
                    group.bench_function(case.subject, |bencher| {
                        bencher.iter_custom(|batches| {
                            let sample = work(batches);
                            sample.wall.mul_f64(batches as f64 / sample.ops as f64)
                        });
                    });
                }
                Work::Serve(_, load) => {
                    group.bench_function(case.subject, |bencher| {
                        bencher.iter_custom(|times| {
                            let sample =
                                serve(case, load, times * REQUESTS).unwrap_or_else(|reason| panic!("{reason}"));
                            sample.cpu.div_f64(REQUESTS as f64)
                        });
                    });
                }
                Work::ServeTail(..)
                | Work::ServeIdle(..)
                | Work::ServeMemory(..)
                | Work::ServeDeaf(..)
                | Work::Idle(_) => {}
            }
        }
        group.finish();
    }
}

/// A new server each time, so that `tcp-connect` does not use up the ports of one address.
fn serve(case: &Case, load: Load, requests: u64) -> Result<Sample, String> {
    let mut loaded = Loaded::start(Path::new(env!("CARGO_BIN_EXE_rt-benches")), case, load)?;
    loaded.run(REQUESTS)?;
    loaded.run(requests)
}
