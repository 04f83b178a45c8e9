//! What must hold whatever a peer sends. The fuzz targets in `fuzz/` include this directory; the test beside it replays their corpora.

mod amp;
mod connection;
#[path = "../../support/counting.rs"]
mod counting;
mod endpoint_strings;
mod input;
mod receivers;

/// Does something with an input. It panics if something does not hold.
type Body = fn(&[u8]);

/// A name, which is that of a file in `fuzz/fuzz_targets` and of a directory in `fuzz/corpus`, with its body.
pub(crate) const TARGETS: [(&str, Body); 7] = [
    ("line_receiver", receivers::line_receiver),
    ("line_only_receiver", receivers::line_only_receiver),
    ("netstring_receiver", receivers::netstring_receiver),
    ("int_string_receiver", receivers::int_string_receiver),
    ("amp_box_parser", amp::amp_box_parser),
    ("endpoint_strings", endpoint_strings::endpoint_strings),
    ("connection", connection::connection),
];

/// Runs the target of this name.
pub(crate) fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    target.unwrap_or_else(|| panic!("there is no target {name}")).1(data);
}
