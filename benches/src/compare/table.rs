//! The table, in parts, so that each scenario is printed when it has been measured.

use std::fmt::Write;

use super::{Cell, Machine, Row, floor};
use crate::scenario::Unit;

/// Width of the left part.
const LEFT: usize = 46;

/// The machine and the head of the columns: what and how fast it should be on the left, a line per subject on the right.
pub(super) fn head(machine: &Machine) -> String {
    let Machine { processor, processors, kernel, load_before } = machine;
    let mut text = format!("\n{processors} x {processor}, Linux {kernel}, load before: {load_before}\n");
    if cfg!(debug_assertions) {
        text.push_str("THIS IS A DEBUG BUILD: the figures mean nothing.\n");
    }
    let names = ["subject", "median", "wall (CPU)", "spread", "of rt", "of floor"];
    let [subject, median, wall, spread, of_rt, of_floor] = names;
    let names = format!("{subject:13} {median:>10} {wall:>10} {spread:>7} {of_rt:>8} {of_floor:>8}");
    let _ = writeln!(text, "{:LEFT$} {names}", "scenario");
    text
}

/// The lines of a scenario, under a rule.
pub(super) fn row(row: &Row) -> String {
    let mut text = rule();
    let left = left(row);
    let right: Vec<String> = row.cells.iter().map(|cell| right(row, cell)).collect();
    for line in 0..left.len().max(right.len()) {
        let (left, right) = (left.get(line), right.get(line));
        let (left, right) = (left.map_or("", String::as_str), right.map_or("", String::as_str));
        let _ = writeln!(text, "{}", format!("{left:LEFT$} {right}").trim_end());
    }
    text
}

/// What the columns mean, and what is not in them.
pub(super) fn foot(absent: &[(String, String)]) -> String {
    let mut text = rule();
    text.push_str(
        "median, wall, CPU: per operation. spread: inter-quartile range of the median. of rt, of floor: how many times\n",
    );
    text.push_str("their median (that of the rt that the targets are for). others: processors that other processes kept busy meanwhile.\n");
    for (case, reason) in absent {
        let _ = writeln!(text, "not measured: {case}: {reason}");
    }
    text
}

/// As many digits as mean something.
pub(super) fn number(value: f64) -> String {
    if value >= 1_000. || value == 0. {
        format!("{value:.0}")
    } else if value >= 100. {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A verdict in a word.
pub(super) fn word(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "not measured",
    }
}

fn rule() -> String {
    "-".repeat(LEFT + 62) + "\n"
}

fn left(row: &Row) -> Vec<String> {
    let mut lines = vec![row.scenario.title.to_owned()];
    lines.push(format!("  {}", row.scenario.unit.label()));
    lines.push(format!("  {} rounds, others {:.2}", row.rounds, row.others));
    lines.extend(row.verdicts().iter().map(|(target, met)| format!("  {target}: {}", word(*met))));
    lines
}

fn right(row: &Row, cell: &Cell) -> String {
    let beside = match row.scenario.unit {
        Unit::CpuPerOp => number(cell.wall()),
        Unit::WallPerOp => format!("({})", number(cell.cpu())),
        _ => String::new(),
    };
    let times = |other| cell.times(other).map(|ratio| format!("{ratio:.3}x")).unwrap_or_default();
    format!(
        "{:13} {:>10} {beside:>10} {:>5.1} % {:>8} {:>8}",
        cell.subject,
        number(cell.median()),
        cell.spread() * 100.,
        times(row.ours()),
        times(floor(row)),
    )
}
