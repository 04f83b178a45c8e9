//! The results, for programs.

use serde_json::{Value, json};

use super::{Cell, Machine, Row, floor};

/// Everything that the table shows, and every sample.
pub(super) fn render(machine: &Machine, rows: &[Row], absent: &[(String, String)]) -> String {
    let absent: Vec<Value> = absent.iter().map(|(case, reason)| json!({"case": case, "reason": reason})).collect();
    let document = json!({
        "machine": {
            "processor": machine.processor,
            "processors": machine.processors,
            "kernel": machine.kernel,
            "load_before": machine.load_before,
        },
        "scenarios": rows.iter().map(scenario).collect::<Vec<_>>(),
        "not_measured": absent,
    });
    format!("{document:#}\n")
}

fn scenario(row: &Row) -> Value {
    let verdicts = row.verdicts();
    let targets: Vec<Value> = verdicts.iter().map(|(target, met)| json!({"target": target, "met": met})).collect();
    json!({
        "name": row.scenario.name,
        "title": row.scenario.title,
        "unit": row.scenario.unit.label(),
        "targets_are_for": row.scenario.ours,
        "rounds": row.rounds,
        "processors_used_by_others": row.others,
        "targets": targets,
        "subjects": row.cells.iter().map(|cell| subject(row, cell)).collect::<Vec<_>>(),
    })
}

fn subject(row: &Row, cell: &Cell) -> Value {
    json!({
        "name": cell.subject,
        "median": cell.median(),
        "cpu": cell.cpu(),
        "wall": cell.wall(),
        "spread": cell.spread(),
        "of_rt": cell.times(row.ours()),
        "of_floor": cell.times(floor(row)),
        "samples": cell.figures,
        "cpu_samples": cell.cpus,
        "wall_samples": cell.walls,
    })
}
