//! The small examples print what they promise, and end as they should.

#![cfg(unix)]

mod example;

use example::{End, Example};
use rustix::process::Signal;

const NOTHING: [&str; 0] = [];

#[test]
fn deferred() {
    let lines = [
        "the same page three times: true",
        "with callbacks: /index 9 words, /gone not there, /slow too slow",
        "with inline_callbacks: /index 9 words, /gone not there, /slow too slow",
        "with async: /index 9 words, /gone not there, /slow too slow",
    ];
    assert_eq!(Example::start("deferred", NOTHING).end(), ended_well(lines));
}

#[test]
fn echo() {
    assert_eq!(Example::start("echo", NOTHING).end(), ended_well(["hello, echo"]));
}

#[test]
fn hello_stdin_to_the_end_of_input() {
    let mut hello = Example::start("hello_stdin", NOTHING);
    assert_eq!(hello.line(), "Who is there?");
    hello.write("Ann\r\nBob\nCarl");
    assert_eq!(hello.line(), "Hello, Ann!");
    assert_eq!(hello.line(), "Hello, Bob!");
    hello.close_stdin();
    assert_eq!(hello.end(), ended_well(["Hello, Carl!", "Goodbye."]));
}

#[test]
fn hello_stdin_to_ctrl_c_while_input_waits() {
    let mut hello = Example::start("hello_stdin", NOTHING);
    hello.write("Ann\n");
    assert_eq!(hello.line(), "Who is there?");
    assert_eq!(hello.line(), "Hello, Ann!");
    hello.signal(Signal::INT);
    assert_eq!(hello.end(), ended_well(["Goodbye."]));
}

#[test]
fn looping_call() {
    let lines = [
        "tick",
        "tick",
        "tick",
        "the clock has stopped: true",
        "beat, 1 in one",
        "beat, 2 in one",
        "it ended: out of breath",
        "sum 1",
        "sort 1",
        "sum 2",
        "sort 2",
        "sum 3",
        "poll 1",
        "poll 2",
        "poll 3",
        "polling was stopped: true",
        "done",
    ];
    assert_eq!(Example::start("looping_call", NOTHING).end(), ended_well(lines));
}

#[test]
fn process() {
    let lines = ["2 apple", "3 pear", "1 plum", "both ended well: true"];
    assert_eq!(Example::start("process", NOTHING).end(), ended_well(lines));
}

#[test]
fn threads() {
    let lines = [
        "part 1 of 3, at home: true",
        "part 2 of 3, at home: true",
        "part 3 of 3, at home: true",
        "sum: 14997000",
        "not found: true",
        "a word from a plain thread",
        "answer: 42, at home: true",
        "forgotten: abandoned: the last resolver was dropped without firing",
        "gave up: true",
    ];
    assert_eq!(Example::start("threads", NOTHING).end(), ended_well(lines));
}

#[test]
fn timeouts() {
    let lines = [
        "slept: true",
        "tick 1",
        "tick 2",
        "tick 3",
        "gave up: the time limit ran out",
        "later",
        "still to come: false",
    ];
    assert_eq!(Example::start("timeouts", NOTHING).end(), ended_well(lines));
}

fn ended_well<const N: usize>(stdout: [&str; N]) -> End {
    End { code: Some(0), stdout: stdout.map(str::to_owned).into(), stderr: Vec::new() }
}
