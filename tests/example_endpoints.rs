//! The example `endpoints`, as a server and as a client.

#![cfg(unix)]

mod example;

use example::{End, Example};
use rustix::process::Signal;
use std::path::PathBuf;

#[test]
fn tcp() {
    let mut server = Example::start("endpoints", ["serve", "tcp:0:interface=127.0.0.1"]);
    let line = server.line();
    let address = line.strip_prefix("echoing on ").expect("where it listens");
    let client = Example::start("endpoints", ["send", &format!("tcp:{address}"), "hello"]);
    assert_eq!(client.end(), ended_with(&["hello"]));
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_with(&[]));
}

#[test]
fn unix_socket() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("endpoints-{}", std::process::id()));
    let description = format!("unix:{}", path.display());
    let mut server = Example::start("endpoints", ["serve", &description]);
    assert_eq!(server.line(), format!("echoing on {description}"));
    let client = Example::start("endpoints", ["send", &description, "hello"]);
    assert_eq!(client.end(), ended_with(&["hello"]));
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_with(&[]));
    assert!(!path.exists());
}

#[test]
fn standard_input_and_output() {
    let mut server = Example::start("endpoints", ["serve", "stdio:"]);
    assert_eq!(server.line(), "echoing on stdio");
    server.write("hello\n");
    assert_eq!(server.line(), "hello");
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_with(&[]));
}

#[test]
fn mistake_in_a_description() {
    let end = Example::start("endpoints", ["serve", "tcp:80a"]).end();
    assert_eq!(end.code, Some(1));
    let told = end.stderr.join("\n");
    assert!(told.contains("port is \"80a\"; allowed is a number from 0 to 65535\n  tcp:80a\n      ^^^"), "{told}");
}

fn ended_with(stdout: &[&str]) -> End {
    End { code: Some(0), stdout: stdout.iter().map(|&line| line.to_owned()).collect(), stderr: Vec::new() }
}
