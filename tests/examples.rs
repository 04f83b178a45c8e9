//! The small examples print what they promise, and end as they should.

#![cfg(unix)]

mod example;

use example::{End, Example};
use rustix::process::Signal;

const NOTHING: [&str; 0] = [];

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
