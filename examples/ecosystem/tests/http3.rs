//! The program `http3`: its server and its client.

mod support;

use std::process::{Command, Output};
use support::{Directory, Program, certificate};

#[test]
fn pages_short_long_and_missing() {
    let directory = Directory::new();
    let (mut server, port, certificate) = start(&directory);
    let file = directory.path("page");
    let file = file.to_str().unwrap();
    let get = |path| {
        let output = run(&["get", "localhost", &format!("127.0.0.1:{port}"), &certificate, path, file]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    assert_eq!(get("/hello"), format!("HTTP/3.0 200 OK: 18 bytes in {file}\n"));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "Hello over HTTP/3\n");
    assert_eq!(get("/bytes/5000000"), format!("HTTP/3.0 200 OK: 5000000 bytes in {file}\n"));
    assert!(std::fs::read(file).unwrap() == vec![b'x'; 5_000_000]);
    assert_eq!(get("/nowhere"), format!("HTTP/3.0 404 Not Found: 0 bytes in {file}\n"));
    server.interrupt();
    server.line_after("Everybody has left");
    server.ends_well();
}

#[test]
fn server_that_is_somebody_else() {
    let directory = Directory::new();
    let (_server, port, certificate) = start(&directory);
    let file = directory.path("page");
    let address = format!("127.0.0.1:{port}");
    let output = run(&["get", "example.org", &address, &certificate, "/hello", file.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("certificate not valid for name"), "{}", text(&output.stderr));
    assert!(!file.exists());
}

/// The server, its port, and the certificate to trust.
fn start(directory: &Directory) -> (Program, String, String) {
    let (certificate, key) = certificate(directory);
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let mut server = Program::start(env!("CARGO_BIN_EXE_http3"), &["serve", "127.0.0.1:0", certificate, key]);
    let port = server.line_after("Listening on 127.0.0.1:");
    (server, port, certificate.to_owned())
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_http3")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
