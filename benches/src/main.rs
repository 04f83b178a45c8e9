//! The command line: `compare` for people, `sample` and `serve` for the processes that `compare` starts.

use std::process::ExitCode;

use rt_benches::compare::{self, Options, child};

const USAGE: &str = "\
Usage: rt-benches compare [--only PATTERN]... [--rounds N] [--quick] [--json FILE] [--svg FILE]

  --only PATTERN   only cases whose SCENARIO/SUBJECT contains PATTERN; may be given several times
  --rounds N       samples per case (15 unless told otherwise)
  --quick          5 rounds of a fifth of the work: a look, not a measurement
  --json FILE      where the results go (compare/results.json in the target directory)
  --svg FILE       where the bar chart goes (compare/results.svg in the target directory)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["compare", options @ ..] => Options::parse(options).and_then(|options| compare::run(&options)),
        ["sample", scenario, subject, batches] => child::sample(scenario, subject, batches),
        ["serve", scenario, subject] => child::serve(scenario, subject),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
