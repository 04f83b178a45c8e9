//! Processes that measure or serve one case: this program, started again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::alarm;

use super::server::allow_many_descriptors;
use crate::meter::{Sample, pin};
use crate::scenario::{self, Case, Work};

/// A child that takes longer than this is killed by its own alarm clock, also when its parent is gone.
const LONGEST_SECONDS: u32 = 120;

/// Measures `case` in a new process.
pub fn run(program: &Path, case: &Case, batches: u64) -> Result<Sample, String> {
    let output = Command::new(program)
        .args(["sample", case.scenario.name, case.subject, &batches.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("starting {}: {error}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("ended with {}: {}", output.status, said.lines().next().unwrap_or("silently")));
    }
    let line = String::from_utf8_lossy(&output.stdout);
    decode(&line).ok_or_else(|| format!("said {line:?} instead of a sample"))
}

/// The child's side of [`run`]: measures and prints the sample.
pub fn sample(scenario: &str, subject: &str, batches: &str) -> Result<(), String> {
    let batches = batches.parse().map_err(|_| format!("`{batches}` is no number of batches"))?;
    alarm::set(LONGEST_SECONDS);
    let sample = match find(scenario, subject)?.work {
        Work::Measure(work) => {
            pin(0);
            work(batches)
        }
        Work::MeasureThreads(work) => work(batches),
        Work::Serve(..)
        | Work::ServeTail(..)
        | Work::ServeIdle(..)
        | Work::ServeMemory(..)
        | Work::ServeDeaf(..)
        | Work::Idle(_) => {
            return Err(format!("`{scenario}` is measured from outside"));
        }
    };
    println!("{}", encode(&sample));
    Ok(())
}

/// The child's side of a server or an idle process: goes on until it is killed.
pub fn serve(scenario: &str, subject: &str) -> Result<(), String> {
    alarm::set(LONGEST_SECONDS);
    pin(0);
    match find(scenario, subject)?.work {
        Work::Serve(work, _) | Work::ServeTail(work, ..) | Work::Idle(work) => work(),
        Work::ServeIdle(work, _) | Work::ServeMemory(work, _) | Work::ServeDeaf(work, _) => {
            allow_many_descriptors();
            work();
        }
        Work::Measure(_) | Work::MeasureThreads(_) => return Err(format!("`{scenario}` is not a server")),
    }
    Ok(())
}

fn find(scenario: &str, subject: &str) -> Result<Case, String> {
    let mut cases = scenario::roster().into_iter();
    cases
        .find(|case| case.scenario.name == scenario && case.subject == subject)
        .ok_or_else(|| format!("there is no case {scenario}/{subject}"))
}

fn encode(sample: &Sample) -> String {
    let figure = sample.figure.map(|figure| figure.to_string()).unwrap_or_default();
    format!("{} {} {} {figure}", sample.ops, sample.cpu.as_nanos(), sample.wall.as_nanos())
}

fn decode(line: &str) -> Option<Sample> {
    let mut words = line.split_whitespace();
    let mut nanos = || words.next()?.parse().ok();
    let (ops, cpu, wall) = (nanos()?, nanos()?, nanos()?);
    let figure = words.next().map(str::parse).transpose().ok()?;
    Some(Sample { ops, cpu: Duration::from_nanos(cpu), wall: Duration::from_nanos(wall), figure })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_cross_the_pipe() {
        for sample in [Sample::of(1.5), Sample { ops: 3, cpu: Duration::from_nanos(7), ..Sample::of(0.25) }] {
            let decoded = decode(&encode(&sample)).unwrap();
            assert_eq!(format!("{decoded:?}"), format!("{sample:?}"));
        }
    }
}
