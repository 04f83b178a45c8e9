//! The interleaved comparison: rounds over all subjects, each sample in a process of its own, medians at the end.
//!
//! Neighbours in time see the same machine, so the subjects of a scenario take turns, in an order that moves on by one each
//! round. A fresh process per sample keeps one subject's threads, heap and address layout out of another's figures.

pub mod child;
mod json;
mod load;
mod machine;
pub mod server;
mod svg;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use machine::{Machine, Others};

use crate::meter::Sample;
use crate::scenario::{self, Case, FLOOR, Scenario, Target, Unit, Work};

/// What the command line asked for.
#[derive(Debug, Default)]
pub struct Options {
    only: Vec<String>,
    rounds: Option<usize>,
    quick: bool,
    json: Option<PathBuf>,
    svg: Option<PathBuf>,
}

impl Options {
    /// Reads the words after `compare`.
    pub fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word {
                "--only" => options.only.push((*value()?).to_owned()),
                "--rounds" => {
                    let text = value()?;
                    let rounds = text.parse().ok().filter(|&rounds| rounds > 0);
                    options.rounds = Some(rounds.ok_or_else(|| format!("`--rounds {text}`: expected 1 or more"))?);
                }
                "--quick" => options.quick = true,
                "--json" => options.json = Some(value()?.into()),
                "--svg" => options.svg = Some(value()?.into()),
                _ => {
                    let known = "`--only`, `--rounds`, `--quick`, `--json` and `--svg`";
                    return Err(format!("`{word}` is not an option of compare; those are {known}"));
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, case: &Case) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| case.path().contains(pattern.as_str()))
    }

    fn rounds(&self, scenario: &Scenario) -> usize {
        let usual = if self.quick { 5 } else { 15 };
        self.rounds.unwrap_or(usual.min(scenario.most_rounds))
    }

    fn batches(&self, scenario: &Scenario) -> u64 {
        if self.quick { scenario.batches.div_ceil(5) } else { scenario.batches }
    }
}

/// Measures, prints the table, and writes the files.
pub fn run(options: &Options) -> Result<(), String> {
    let wanted: Vec<Case> = scenario::roster().into_iter().filter(|case| options.wants(case)).collect();
    if wanted.is_empty() {
        let paths: Vec<String> = scenario::roster().iter().map(Case::path).collect();
        return Err(format!("nothing to measure: `--only` matches none of\n{}", paths.join("\n")));
    }
    let program = std::env::current_exe().map_err(|error| format!("this program's path: {error}"))?;
    let machine = Machine::look();
    print!("{}", table::head(&machine));
    let mut absent: Vec<(String, String)> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for group in wanted.chunk_by(|one, other| one.scenario.name == other.scenario.name) {
        let mut able = Vec::new();
        for case in group {
            match (case.unavailable)() {
                None => able.push(*case),
                Some(reason) => absent.push((case.path(), reason)),
            }
        }
        let row = measure(options, &program, &able, &mut absent);
        if !row.cells.is_empty() {
            print!("{}", table::row(&row));
            rows.push(row);
        }
    }
    print!("{}", table::foot(&absent));
    let beside = program.parent().and_then(Path::parent).unwrap_or(Path::new(".")).join("compare");
    let json = options.json.clone().unwrap_or_else(|| beside.join("results.json"));
    let svg = options.svg.clone().unwrap_or_else(|| beside.join("results.svg"));
    write(&json, &json::render(&machine, &rows, &absent))?;
    write(&svg, &svg::render(&machine, &rows))
}

/// What was measured of one scenario.
struct Row {
    scenario: &'static Scenario,
    rounds: usize,
    /// Processors that other processes kept busy meanwhile.
    others: f64,
    cells: Vec<Cell>,
}

/// What was measured of one case.
struct Cell {
    subject: &'static str,
    figures: Vec<f64>,
    cpus: Vec<f64>,
    walls: Vec<f64>,
}

impl Row {
    fn cell(&self, subject: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.subject == subject)
    }

    /// The one that the targets are for.
    fn ours(&self) -> Option<&Cell> {
        self.cell(self.scenario.ours)
    }

    /// Each target in words, and whether it holds if both sides were measured.
    fn verdicts(&self) -> Vec<(String, Option<bool>)> {
        let ours = self.scenario.targets.iter().map(|target| self.verdict(self.scenario.ours, target));
        let also = self.scenario.also.iter().flat_map(|(subject, targets)| {
            targets.iter().map(move |target| {
                let (what, met) = self.verdict(subject, target);
                (format!("{subject} {what}"), met)
            })
        });
        ours.chain(also).collect()
    }

    fn verdict(&self, subject: &str, target: &Target) -> (String, Option<bool>) {
        let (of, median): (&str, fn(&Cell) -> f64) = match target {
            Target::Share(..) | Target::Best(_) | Target::AtMost(_) => ("", Cell::median),
            Target::CpuShare(..) | Target::CpuAtMost(_) => ("CPU ", Cell::cpu),
        };
        let ours = self.cell(subject).map(median);
        let share_of = |what: &str, figure: Option<f64>, share: f64| {
            let limit = figure.map(|figure| figure * share);
            let what = match share {
                1. => what.to_owned(),
                ..1. => format!("{what} / {:.2}", 1. / share),
                _ => format!("{share:.2} x {what}"),
            };
            let is = limit.map(|limit| format!(" = {}", table::number(limit))).unwrap_or_default();
            let met = |(ours, limit)| ours <= limit * (1. + self.scenario.tolerance);
            (format!("{of}at most {what}{is}"), ours.zip(limit).map(met))
        };
        match *target {
            Target::AtMost(limit) | Target::CpuAtMost(limit) => {
                (format!("{of}at most {limit}"), ours.map(|ours| ours <= limit))
            }
            Target::Share(other, share) | Target::CpuShare(other, share) => {
                share_of(other, self.cell(other).map(median), share)
            }
            Target::Best(share) => {
                let others = self.cells.iter().filter(|cell| cell.subject != subject && cell.subject != FLOOR);
                share_of("the best", others.map(median).min_by(f64::total_cmp), share)
            }
        }
    }
}

impl Cell {
    fn median(&self) -> f64 {
        quantile(&self.figures, 0.5)
    }

    fn cpu(&self) -> f64 {
        quantile(&self.cpus, 0.5)
    }

    fn wall(&self) -> f64 {
        quantile(&self.walls, 0.5)
    }

    /// The inter-quartile range, as a share of the median.
    fn spread(&self) -> f64 {
        let range = quantile(&self.figures, 0.75) - quantile(&self.figures, 0.25);
        if range == 0. { 0. } else { range / self.median() }
    }

    /// How many times the other's median this one is.
    fn times(&self, other: Option<&Cell>) -> Option<f64> {
        other.map(|other| self.median() / other.median()).filter(|ratio| ratio.is_finite())
    }
}

/// A case whose sample took longer than this does a tenth of the work from then on.
const LONGEST_SAMPLE: Duration = Duration::from_secs(1);

fn measure(options: &Options, program: &Path, cases: &[Case], absent: &mut Vec<(String, String)>) -> Row {
    let scenario = cases.first().map_or(&scenario::spawn::JOIN, |case| case.scenario);
    let rounds = options.rounds(scenario);
    let mut batches = vec![options.batches(scenario); cases.len()];
    let mut cells: Vec<Cell> = cases
        .iter()
        .map(|case| Cell { subject: case.subject, figures: Vec::new(), cpus: Vec::new(), walls: Vec::new() })
        .collect();
    let mut failed = vec![false; cases.len()];
    let others = Others::start();
    eprintln!("{} ({rounds} rounds) ...", scenario.title);
    for round in 0..rounds {
        for turn in 0..cases.len() {
            let index = (round + turn) % cases.len();
            if failed[index] {
                continue;
            }
            match sample(program, &cases[index], batches[index]) {
                Ok(sample) => {
                    // Who takes a hundred times as long as the others does less, or all would wait for it.
                    if matches!(cases[index].work, Work::Measure(_)) && sample.wall > LONGEST_SAMPLE {
                        batches[index] = (batches[index] / 10).max(1);
                    }
                    cells[index].figures.push(figure(&sample, scenario.unit));
                    cells[index].cpus.push(sample.cpu_per_op());
                    cells[index].walls.push(sample.wall_per_op());
                }
                Err(reason) => {
                    failed[index] = true;
                    absent.push((cases[index].path(), reason));
                }
            }
        }
    }
    let mut failed = failed.into_iter();
    cells.retain(|_| !failed.next().unwrap_or_default());
    Row { scenario, rounds, others: others.stop(), cells }
}

fn sample(program: &Path, case: &Case, batches: u64) -> Result<Sample, String> {
    match case.work {
        Work::Measure(_) | Work::MeasureThreads(_) => child::run(program, case, batches),
        Work::Serve(_, load) => {
            let mut loaded = server::Loaded::start(program, case, load)?;
            loaded.run(batches / 5)?;
            loaded.run(batches)
        }
        Work::ServeTail(_, load, percent) => {
            let mut loaded = server::Loaded::start(program, case, load)?;
            loaded.run(batches / 5)?;
            loaded.run_timed(batches, percent)
        }
        Work::ServeIdle(_, connections) => server::count_switches_of_server(program, case, connections),
        Work::ServeMemory(_, connections) => server::weigh_connections(program, case, connections),
        Work::ServeDeaf(_, connections) => server::weigh_deaf_connections(program, case, connections),
        Work::Idle(_) => server::count_switches(program, case),
    }
}

/// The figure that is compared.
fn figure(sample: &Sample, unit: Unit) -> f64 {
    let per_op = || if unit == Unit::WallPerOp { sample.wall_per_op() } else { sample.cpu_per_op() };
    sample.figure.unwrap_or_else(per_op)
}

fn quantile(values: &[f64], at: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let place = at * (values.len() - 1) as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let named = |error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(named)?;
    }
    fs::write(path, text).map_err(named)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Whether the floor stands in this table; ratios to it are left out where it does not.
fn floor(row: &Row) -> Option<&Cell> {
    row.cell(FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::spawn::JOIN;

    fn row(figures: &[(&'static str, f64)]) -> Row {
        let cell =
            |&(subject, figure)| Cell { subject, figures: vec![figure], cpus: vec![2. * figure], walls: vec![figure] };
        Row { scenario: &JOIN, rounds: 1, others: 0., cells: figures.iter().map(cell).collect() }
    }

    #[test]
    fn verdicts_of_a_share_met_within_the_noise() {
        let met: Vec<_> = row(&[("rt", 10.2), ("tokio", 80.), ("monoio", 9.), ("floor", 20.)])
            .verdicts()
            .into_iter()
            .map(|(_, met)| met)
            .collect();
        assert_eq!(met, [Some(true), Some(false), Some(true)]);
    }

    #[test]
    fn verdicts_without_the_other_side() {
        assert!(row(&[("tokio", 80.)]).verdicts().iter().all(|(_, met)| met.is_none()));
        assert!(row(&[("rt", 80.)]).verdicts().iter().all(|(_, met)| met.is_none()));
    }

    #[test]
    fn verdicts_on_cpu_time_beside_those_on_the_figure() {
        let targets = &[Target::Share("tokio", 0.5), Target::CpuShare("tokio", 0.5), Target::CpuAtMost(100.)];
        let scenario: &Scenario = Box::leak(Box::new(Scenario { targets, ours: "other", tolerance: 0.1, ..JOIN }));
        let mut row = Row { scenario, ..row(&[("rt", 1.), ("other", 54.), ("tokio", 100.)]) };
        row.cells[1].cpus = vec![111.];
        let met: Vec<_> = row.verdicts().into_iter().map(|(_, met)| met).collect();
        assert_eq!(met, [Some(true), Some(false), Some(false)]);
    }

    #[test]
    fn verdicts_of_another_subject_beside_those_of_ours() {
        const ALSO: &[(&str, &[Target])] = &[("other", &[Target::Best(1.)])];
        static SCENARIO: Scenario = Scenario { targets: &[Target::AtMost(50.)], also: ALSO, ..JOIN };
        // The floor is no other.
        let figures = [("floor", 10.), ("rt", 40.), ("tokio", 41.)];
        let verdicts =
            |other| Row { scenario: &SCENARIO, ..row(&[&figures[..], &[("other", other)]].concat()) }.verdicts();
        assert_eq!(verdicts(40.)[0], ("at most 50".to_owned(), Some(true)));
        assert_eq!(verdicts(40.)[1], ("other at most the best = 40.00".to_owned(), Some(true)));
        assert_eq!(verdicts(42.)[1].1, Some(false));
    }

    #[test]
    fn quantiles_between_samples() {
        let values = [4., 1., 3., 2.];
        assert_eq!([0., 0.25, 0.5, 1.].map(|at| quantile(&values, at)), [1., 1.75, 2.5, 4.]);
    }

    #[test]
    fn options_refused_in_a_sentence() {
        assert_eq!(Options::parse(&["--rounds", "0"]).unwrap_err(), "`--rounds 0`: expected 1 or more");
        assert_eq!(Options::parse(&["--json"]).unwrap_err(), "`--json` needs a value");
        assert!(Options::parse(&["--slow"]).unwrap_err().contains("`--quick`"));
    }

    #[test]
    fn every_case_once() {
        let mut paths: Vec<String> = scenario::roster().iter().map(Case::path).collect();
        let all = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }
}
