//! The program `http_server`, driven by curl and by bare bytes.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use support::{Program, installed, output_of};

#[test]
fn hello_by_bare_bytes() {
    let (mut server, address) = start();
    let mut client = TcpStream::connect(&address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nHello from rt\n"), "{answer}");
    end(&mut server);
    server.ends_well();
}

/// Ctrl-C comes while a request is under way: it is answered, its connection is closed, and then the program ends.
#[test]
fn interrupted_in_a_request() {
    let (mut server, address) = start();
    let mut client = TcpStream::connect(&address).unwrap();
    let mut idle = TcpStream::connect(&address).unwrap();
    client
        .write_all(b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    // The server has begun with it when it asks for the body.
    let mut go_on = [0; 25];
    client.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.interrupt();
    // The one that has asked for nothing is closed; once it is, the signal has been seen.
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
    assert!(TcpStream::connect(&address).is_err());
    client.write_all(b"the body").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nthe body"), "{answer}");
    server.line_after("Every request is answered");
    server.ends_well();
}

#[test]
fn curl_over_http1() {
    curl_with(&["--http1.1"], "1.1");
}

#[test]
fn curl_over_http2_with_prior_knowledge() {
    if !curl_speaks_http2() {
        return;
    }
    curl_with(&["--http2-prior-knowledge"], "2");
}

/// Without TLS curl asks for HTTP/2 by an `Upgrade`, which nobody has to follow, and hyper does not.
#[test]
fn curl_that_would_like_http2() {
    if !curl_speaks_http2() {
        return;
    }
    curl_with(&["--http2"], "1.1");
}

fn curl_with(options: &[&str], version: &str) {
    if !installed("curl") {
        return;
    }
    let (mut server, address) = start();
    let curl = |path: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "60"]).args(options);
        curl.arg(format!("http://{address}{path}"));
        curl
    };
    let hello = output_of(curl("/").args(["--write-out", "%{http_version}"]));
    assert_eq!(hello, format!("Hello from rt\n{version}"));
    assert_eq!(output_of(&mut curl("/peer")), "127.0.0.1\n");
    assert_eq!(output_of(curl("/echo").args(["--data-binary", "some text"])), "some text");
    assert_eq!(output_of(&mut curl("/count/3")), "1\n2\n3\n");
    assert_eq!(upload(&mut curl("/upload"), 3_000_000), "3000000 bytes\n");

    // Many requests on few connections.
    let many = output_of(
        curl("/count/1")
            .args(["--next", "--parallel", "--silent", "--max-time", "60"])
            .args(options)
            .arg(format!("http://{address}/count/[2-21]")),
    );
    let lines: u32 = many.lines().map(|line| line.parse::<u32>().unwrap()).sum();
    assert_eq!(lines, (1..=21).map(|up_to| up_to * (up_to + 1) / 2).sum());
    end(&mut server);
    server.ends_well();
}

fn upload(curl: &mut Command, length: usize) -> String {
    let mut curl = curl.args(["--data-binary", "@-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    curl.stdin.take().unwrap().write_all(&vec![b'x'; length]).unwrap();
    let output = curl.wait_with_output().unwrap();
    assert!(output.status.success(), "curl: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn curl_speaks_http2() -> bool {
    if !installed("curl") {
        return false;
    }
    let speaks = output_of(Command::new("curl").arg("--version")).contains("HTTP2");
    if !speaks {
        println!("skipped: curl is installed without HTTP/2");
    }
    speaks
}

fn start() -> (Program, String) {
    let mut server = Program::start(env!("CARGO_BIN_EXE_http_server"), &["127.0.0.1:0"]);
    let address = server.line_after("Listening on http://");
    (server, address)
}

fn end(server: &mut Program) {
    server.interrupt();
    server.line_after("Every request is answered");
}
