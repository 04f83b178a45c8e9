//! The AMP calculator, as its clients see it: the built example at both ends.

#![cfg(unix)]

mod example;

use example::{End, Example};
use rustix::process::Signal;

#[test]
fn sums_and_quotients() {
    let (server, address) = serve();
    for (command, a, b, expected) in
        [("sum", "13", "81", "94"), ("sum", "-1", "1", "0"), ("divide", "1", "4", "0.25"), ("divide", "6", "3", "2")]
    {
        let end = ask(command, &address, a, b);
        assert_eq!(end, End { code: Some(0), stdout: vec![expected.to_owned()], stderr: Vec::new() });
    }
    server.signal(Signal::INT);
    assert_eq!(server.end(), End { code: Some(0), stdout: Vec::new(), stderr: Vec::new() });
}

#[test]
fn error_that_both_sides_know() {
    let (_server, address) = serve();
    let end = ask("divide", &address, "1", "0");
    assert_eq!(end, End { code: Some(1), stdout: Vec::new(), stderr: vec!["amp: division by zero".to_owned()] });
}

#[test]
fn error_that_only_the_server_knows() {
    let (mut server, address) = serve();
    let end = ask("sum", &address, &i64::MAX.to_string(), "1");
    let expected = "amp: the peer failed with UNKNOWN: Unknown Error".to_owned();
    assert_eq!(end, End { code: Some(1), stdout: Vec::new(), stderr: vec![expected] });
    assert_eq!(server.error_line(), "Unhandled error in Deferred: the sum is too large");
}

#[test]
fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    drop(listener);
    let end = ask("sum", &address, "1", "1");
    assert_eq!((end.code, end.stdout, end.stderr.len()), (Some(1), Vec::new(), 1));
}

#[test]
fn arguments_that_make_no_sense() {
    assert_eq!(Example::start("amp", ["add"]).end().code, Some(2));
    let (_server, address) = serve();
    let end = ask("sum", &address, "one", "1");
    assert_eq!((end.code, end.stderr), (Some(1), vec!["amp: invalid digit found in string".to_owned()]));
}

fn serve() -> (Example, String) {
    let mut server = Example::start("amp", ["serve"]);
    let line = server.line();
    let address = line.strip_prefix("Listening on ").unwrap_or_else(|| panic!("an address was expected: {line}"));
    (server, address.to_owned())
}

fn ask(command: &str, address: &str, a: &str, b: &str) -> End {
    Example::start("amp", [command, address, a, b]).end()
}
