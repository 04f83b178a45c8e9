//! The program `http_server`, driven by curl and by bare bytes.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use support::{Directory, Program, certificate, installed, output_of};

#[test]
fn hello_by_bare_bytes() {
    let (server, url) = start();
    let address = url.strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nHello from rt\n"), "{answer}");
    end(server);
}

/// Ctrl-C comes while a request is under way: it is answered, its connection is closed, and then the program ends.
#[test]
fn interrupted_in_a_request() {
    let (mut server, url) = start();
    let address = url.strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let mut idle = TcpStream::connect(address).unwrap();
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
    assert!(TcpStream::connect(address).is_err());
    client.write_all(b"the body").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nthe body"), "{answer}");
    server.line_after("Every request is answered");
    server.ends_well();
}

#[test]
fn curl_over_http1() {
    curl_with(&["--http1.1"], "1.1", &start());
}

#[test]
fn curl_over_http2_with_prior_knowledge() {
    if curl_speaks_http2() {
        curl_with(&["--http2-prior-knowledge"], "2", &start());
    }
}

/// Without TLS curl asks for HTTP/2 by an `Upgrade`, which nobody has to follow, and hyper does not.
#[test]
fn curl_that_would_like_http2() {
    if curl_speaks_http2() {
        curl_with(&["--http2"], "1.1", &start());
    }
}

#[test]
fn curl_under_tls() {
    let directory = Directory::new();
    let (server, certificate) = start_under_tls(&directory);
    curl_with(&["--cacert", &certificate, "--http1.1"], "1.1", &server);
    if curl_speaks_http2() {
        curl_with(&["--cacert", &certificate, "--http2"], "2", &server);
    }
}

/// curl trusts nobody whom it was not told to trust; the server goes on after the handshake that fails.
#[test]
fn curl_that_does_not_trust_the_certificate() {
    if !installed("curl") {
        return;
    }
    let directory = Directory::new();
    let ((server, url), certificate) = start_under_tls(&directory);
    let refused = Command::new("curl").args(["--silent", &url]).status().unwrap();
    assert_eq!(refused.code(), Some(60), "curl's number for a certificate that is not good");
    assert_eq!(output_of(Command::new("curl").args(["--silent", "--cacert", &certificate, &url])), "Hello from rt\n");
    end(server);
}

fn curl_with(options: &[&str], version: &str, (_, url): &(Program, String)) {
    if !installed("curl") {
        return;
    }
    let curl = |path: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "60"]).args(options);
        curl.arg(format!("{url}{path}"));
        curl
    };
    let hello = output_of(curl("/").args(["--write-out", "%{http_version}"]));
    assert_eq!(hello, format!("Hello from rt\n{version}"));
    assert_eq!(output_of(&mut curl("/peer")), "127.0.0.1\n");
    assert_eq!(output_of(curl("/echo").args(["--data-binary", "some text"])), "some text");
    assert_eq!(output_of(&mut curl("/count/3")), "1\n2\n3\n");
    assert_eq!(upload(&mut curl("/upload"), 3_000_000), "3000000 bytes\n");
    if options.contains(&"--http2-prior-knowledge") {
        // curl 7.88 makes a second request on such a connection as if it were HTTP/1, whoever serves it.
        return;
    }
    // Several on one connection.
    let lines = output_of(&mut curl("/count/[1-5]"));
    assert_eq!(lines.lines().count(), 1 + 2 + 3 + 4 + 5);
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

/// The server, and its URL.
fn start() -> (Program, String) {
    let mut server = Program::start(env!("CARGO_BIN_EXE_http_server"), &["127.0.0.1:0"]);
    let url = server.line_after("Listening on ");
    (server, url)
}

/// The same, and the certificate to trust.
fn start_under_tls(directory: &Directory) -> ((Program, String), String) {
    let (certificate, key) = certificate(directory);
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let mut server = Program::start(env!("CARGO_BIN_EXE_http_server"), &["127.0.0.1:0", certificate, key]);
    let port = server.line_after("Listening on https://127.0.0.1:");
    ((server, format!("https://localhost:{port}")), certificate.to_owned())
}

fn end(mut server: Program) {
    server.interrupt();
    server.line_after("Every request is answered");
    server.ends_well();
}
