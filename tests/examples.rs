//! The small examples print what they promise, and end as they should.

#![cfg(unix)]

mod example;

use example::{End, Example};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

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
fn echo_protocol() {
    assert_eq!(Example::start("echo_protocol", NOTHING).end(), ended_well(["hello, echo"]));
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
fn port_forward_between_a_client_and_a_server() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let target = server.local_addr().expect("its address").to_string();
    let mut forwarder = Example::start("port_forward", ["127.0.0.1:0", &target]);
    let line = forwarder.line();
    let address = line.strip_prefix("Forwarding ").and_then(|rest| rest.split(' ').next()).expect("an address");
    converse(address, &server);
    forwarder.signal(Signal::INT);
    assert_eq!(forwarder.end(), ended_well(["0 connections are left"]));
}

#[test]
fn proxy_between_a_client_and_a_server() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let target = server.local_addr().expect("its address").to_string();
    let mut proxy = Example::start("proxy", ["127.0.0.1:0", &target]);
    let line = proxy.line();
    let address = line.strip_prefix("Forwarding ").and_then(|rest| rest.split(' ').next()).expect("an address");
    converse(address, &server);
    assert_eq!(proxy.line(), "10 bytes there, 9 back");
    proxy.signal(Signal::INT);
    assert_eq!(proxy.end(), ended_well(["1 connections served, 0 refused"]));
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

/// A question and its answer, with half-closed connections, by way of what listens at `address`.
fn converse(address: &str, server: &TcpListener) {
    let mut client = TcpStream::connect(address).expect("the proxy listens");
    client.write_all(b"a question").expect("the proxy reads");
    client.shutdown(Shutdown::Write).expect("an open connection");

    let (mut peer, _) = server.accept().expect("the proxy connects");
    let mut question = String::new();
    peer.read_to_string(&mut question).expect("up to the end that the client made");
    assert_eq!(question, "a question");
    peer.write_all(b"an answer").expect("the way back is open");
    drop(peer);
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("up to the end");
    assert_eq!(answer, "an answer");
}

fn ended_well<const N: usize>(stdout: [&str; N]) -> End {
    End { code: Some(0), stdout: stdout.map(str::to_owned).into(), stderr: Vec::new() }
}
