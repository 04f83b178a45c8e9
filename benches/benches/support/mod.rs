//! A criterion group per scenario, with an alternative per subject, over the cases that `compare` runs.

use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use rt_benches::compare::server::Loaded;
use rt_benches::meter::Sample;
use rt_benches::scenario::{Case, Scenario, Work, roster};

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
        for case in roster().iter().filter(|case| case.scenario.name == scenario.name) {
            if let Some(reason) = (case.unavailable)() {
                eprintln!("{} is left out: {reason}", case.path());
                continue;
            }
            match case.work {
                Work::Measure(work) | Work::MeasureTwoThreads(work) => {
                    // A run of one batch tells how many operations that is.
                    group.throughput(Throughput::Elements(work(1).ops));
                    group.bench_function(case.subject, |bencher| bencher.iter_custom(|batches| work(batches).wall));
                }
                Work::Serve(_, load) => {
                    let program = Path::new(env!("CARGO_BIN_EXE_rt-benches"));
                    let mut loaded = Loaded::start(program, case, load).unwrap_or_else(|reason| refuse(case, &reason));
                    group.throughput(Throughput::Elements(1));
                    group.bench_function(case.subject, |bencher| {
                        bencher.iter_custom(|requests| served(&mut loaded, case, requests).cpu);
                    });
                }
                Work::Idle(_) => {}
            }
        }
        group.finish();
    }
}

fn served(loaded: &mut Loaded, case: &Case, requests: u64) -> Sample {
    loaded.run(requests).unwrap_or_else(|reason| refuse(case, &reason))
}

fn refuse(case: &Case, reason: &str) -> ! {
    panic!("{}: {reason}", case.path())
}
