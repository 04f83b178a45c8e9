//! The bar chart: a panel per scenario, a bar per subject, shorter is better.

use std::fmt::Write;

use super::table::number;
use super::{Cell, Machine, Row};
use crate::scenario::FLOOR;

const WIDTH: usize = 420;
const COLUMNS: usize = 2;
const NAMES: usize = 90;
const LINE: usize = 18;
const MARGIN: usize = 16;

/// Draws all rows; each panel has its own scale.
pub(super) fn render(machine: &Machine, rows: &[Row]) -> String {
    let mut panels = String::new();
    let mut tops = [MARGIN + 2 * LINE; COLUMNS];
    for row in rows {
        let column = if tops[0] <= tops[1] { 0 } else { 1 };
        panel(&mut panels, row, MARGIN + column * (WIDTH + MARGIN), tops[column]);
        tops[column] += (row.cells.len() + 2) * LINE;
    }
    let width = MARGIN + COLUMNS * (WIDTH + MARGIN);
    let height = tops[0].max(tops[1]) + MARGIN;
    let title = escape(&format!("{} x {}, Linux {}", machine.processors, machine.processor, machine.kernel));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" fill=\"#555\">{title}; shorter is better</text>\n{panels}</svg>\n",
        MARGIN + 8,
    )
}

fn panel(svg: &mut String, row: &Row, left: usize, top: usize) {
    let title = escape(row.scenario.title);
    let unit = row.scenario.unit.label();
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\"><tspan font-weight=\"bold\">{title}</tspan> <tspan fill=\"#777\">{unit}</tspan></text>",
        top + 13,
    );
    let longest = row.cells.iter().map(Cell::median).fold(f64::MIN_POSITIVE, f64::max);
    let room = (WIDTH - NAMES - 60) as f64;
    for (index, cell) in row.cells.iter().enumerate() {
        let y = top + (index + 1) * LINE;
        let colour = match cell.subject {
            ours if ours == row.scenario.ours => "#d9480f",
            FLOOR => "#adb5bd",
            _ => "#4c6ef5",
        };
        let length = (cell.median() / longest * room).max(1.);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{}\" y=\"{}\" width=\"{length:.1}\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\" fill=\"#555\">{}</text>",
            left + NAMES - 6,
            y + 13,
            escape(cell.subject),
            left + NAMES,
            y + 3,
            (left + NAMES + 4) as f64 + length,
            y + 13,
            number(cell.median()),
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
