//! Recorded runs of the real Twisted, replayed against the public API: trace and final state must agree to the letter.
//!
//! `RT_CONFORMANCE_DIR=DIR` reads `DIR/<corpus>.jsonl` in place of the recordings beside this file; `RT_CONFORMANCE_CASE=id`
//! replays one case and prints both traces. A case that differs fails, unless it has a tag that `deviations.txt` lists
//! with the reason why `rt` differs there on purpose.

mod clock;
mod deferred;
mod producers;
mod receivers;
mod service;
mod stage;
mod value;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value as Json;

/// What runs a case.
type Run = fn(&Json) -> Replay;

const CORPORA: [(&str, &[u8], Run); 5] = [
    ("deferred", include_bytes!("deferred.jsonl.gz"), deferred::run),
    ("clock", include_bytes!("clock.jsonl.gz"), stage::run::<clock::Program>),
    ("producers", include_bytes!("producers.jsonl.gz"), producers::run),
    ("receivers", include_bytes!("receivers.jsonl.gz"), receivers::run),
    ("service", include_bytes!("service.jsonl.gz"), stage::run::<service::Program>),
];
const DEVIATIONS: &str = include_str!("deviations.txt");

/// What came of a program.
pub(crate) struct Replay {
    trace: Json,
    end: Json,
    /// Whether callbacks of it are left though all handles are gone.
    has_leak: bool,
}

fn main() -> ExitCode {
    let (mut replayed, mut all_passed) = (0, true);
    for (corpus, recorded, run) in CORPORA {
        if let Some(text) = recordings(corpus, recorded) {
            replayed += 1;
            all_passed &= replay(corpus, &text, run);
        }
    }
    if all_passed && replayed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `None` if the directory that was asked for has none of this corpus.
fn recordings(corpus: &str, recorded: &[u8]) -> Option<String> {
    let Some(dir) = std::env::var_os("RT_CONFORMANCE_DIR") else {
        let mut text = String::new();
        flate2::read::GzDecoder::new(recorded).read_to_string(&mut text).expect("the recordings are gzip and UTF-8");
        return Some(text);
    };
    let path = Path::new(&dir).join(format!("{corpus}.jsonl"));
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            println!("{corpus}: not replayed: {}: {error}", path.display());
            None
        }
    }
}

fn replay(corpus: &str, text: &str, run: Run) -> bool {
    let only = std::env::var("RT_CONFORMANCE_CASE").ok();
    let deviations = deviations();
    let (mut passed, mut failed, mut skipped, mut leaks) = (0, 0, 0, 0);
    let mut deviating: BTreeMap<&str, u32> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case: Json = serde_json::from_str(line).expect("a line is a JSON object");
        let id = case["id"].as_str().expect("a case has an id");
        if only.as_deref().is_some_and(|only| only != id) {
            continue;
        }
        let ops = case["ops"].as_array().expect("a case has ops");
        if let Some(op) = ops.iter().find_map(impossible) {
            println!("{corpus}: {id} skipped: {op}");
            skipped += 1;
            continue;
        }
        let Replay { trace, end, has_leak } = run(&case);
        leaks += u32::from(has_leak);
        if trace == case["trace"] && end == case["final"] {
            passed += 1;
        } else if let Some(tag) = tags(&case).find(|tag| deviations.contains_key(tag)) {
            *deviating.entry(deviations.get_key_value(tag).expect("it is listed").0).or_default() += 1;
            passed += 1;
        } else {
            failed += 1;
            println!("{corpus}: {id} differs");
        }
        if only.is_some() {
            println!("recorded {}\n         {}\nreplayed {trace}\n         {end}", case["trace"], case["final"]);
        }
    }
    for (tag, count) in deviating {
        println!("{corpus}: {count} of the passed differ by decision, {tag}: {}", deviations[tag]);
    }
    if leaks > 0 {
        println!(
            "{corpus}: {leaks} of the programs left something behind that owns itself (such as two Deferreds chained to each other)"
        );
    }
    println!("{corpus}: {passed} passed, {failed} failed, {skipped} skipped");
    failed == 0
}

/// An op that the types of this library make impossible, with the reason. There is none.
fn impossible(_op: &Json) -> Option<String> {
    None
}

fn tags(case: &Json) -> impl Iterator<Item = &str> {
    case["features"].as_array().expect("a case has features").iter().filter_map(Json::as_str)
}

/// The lines `tag: reason`.
fn deviations() -> BTreeMap<&'static str, &'static str> {
    let lines = DEVIATIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").expect("a deviation is `tag: reason`")).collect()
}
