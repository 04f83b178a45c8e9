//! The line server, as its supervisor and its clients see it: the built example, with real sockets and signals.

#![cfg(unix)]

mod example;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use example::{End, Example, PATIENCE};
use rustix::process::Signal;

#[test]
fn terminated_while_idle() {
    let (server, address) = Server::start("idle");
    let mut client = Client::connect(&address);
    assert_eq!(client.line(), "hello");
    client.send("one");
    assert_eq!(client.line(), "one");

    server.example.signal(Signal::TERM);
    assert_eq!(client.line(), "goodbye");
    client.at_end();
    let End { code, stderr, .. } = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(stderr, ["lines: SIGTERM: stopping", "lines: stopped"]);
}

#[test]
fn terminated_within_a_transaction() {
    let (mut server, address) = Server::start("transaction");
    let mut client = Client::connect(&address);
    assert_eq!(client.line(), "hello");
    client.send("begin");
    assert_eq!(client.line(), "begin");

    server.example.signal(Signal::INT);
    assert_eq!(server.example.error_line(), "lines: SIGINT: stopping");
    client.send("commit");
    assert_eq!(client.line(), "commit");
    assert_eq!(client.line(), "goodbye");
    client.at_end();
    let End { code, stderr, .. } = server.end();
    assert_eq!((code, stderr), (Some(0), vec!["lines: stopped".to_owned()]));
}

#[test]
fn second_signal_means_now_and_names_who_is_late() {
    let (mut server, address) = Server::start("now");
    let mut client = Client::connect(&address);
    assert_eq!(client.line(), "hello");
    client.send("begin");
    assert_eq!(client.line(), "begin");

    server.example.signal(Signal::TERM);
    assert_eq!(server.example.error_line(), "lines: SIGTERM: stopping");
    // By the time it answers, the server has stopped: it was done with what had come before.
    client.send("still here");
    assert_eq!(client.line(), "still here");
    server.example.signal(Signal::INT);
    let End { code, stderr, .. } = server.end();
    assert_eq!(code, Some(130));
    assert_eq!(stderr, ["lines: SIGINT: ending now; late: lines/sessions", "lines: ended by SIGINT"]);
}

#[test]
fn greeting_is_read_again() {
    let (mut server, address) = Server::start("hangup");
    fs::write(&server.greeting, "good evening\n").expect("a file");
    server.example.signal(Signal::HUP);
    assert_eq!(server.example.error_line(), "lines: SIGHUP: reading the configuration again");
    assert_eq!(server.example.error_line(), "lines: reconfigured");
    assert_eq!(Client::connect(&address).line(), "good evening");

    // A mistake is told and changes nothing.
    fs::remove_file(&server.greeting).expect("it was there");
    server.example.signal(Signal::HUP);
    assert_eq!(server.example.error_line(), "lines: SIGHUP: reading the configuration again");
    let told = server.example.error_line();
    assert!(told.starts_with("lines: could not reconfigure: lines/sessions: "), "{told}");
    assert_eq!(Client::connect(&address).line(), "good evening");
    server.example.signal(Signal::TERM);
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn supervisor_is_told() {
    let socket = std::env::temp_dir().join(format!("rt-{}-notify", std::process::id()));
    let supervisor = UnixDatagram::bind(&socket).expect("a socket");
    supervisor.set_read_timeout(Some(PATIENCE)).expect("a time");
    let told = || {
        let mut message = [0; 128];
        let length = supervisor.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut server = Example::start_with_env("service", ["127.0.0.1:0"], [("NOTIFY_SOCKET", &socket)]);
    assert_eq!(told(), "READY=1");
    assert!(server.line().starts_with("listening on "));
    server.signal(Signal::HUP);
    assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told(), "READY=1");
    server.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(server.end().code, Some(0));
    fs::remove_file(socket).expect("it is there");
}

#[test]
fn port_that_somebody_else_has() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let End { code, stderr, stdout } = Example::start("service", [address]).end();
    assert_eq!(code, Some(1));
    assert_eq!(stdout, [""; 0]);
    assert!(stderr[1].starts_with("lines: could not start: lines/server: "), "{stderr:?}");
    assert_eq!(stderr[2], "lines: stopped, after it could not start");
}

#[test]
fn pid_file_of_one_that_lives_and_of_one_that_does_not() {
    let (mut server, _) = Server::start("pid");
    let again = Example::start(
        "service",
        ["127.0.0.1:0", server.greeting.to_str().unwrap(), server.pid_file.to_str().unwrap()],
    );
    let End { code, stderr, .. } = again.end();
    assert_eq!(code, Some(1));
    let id = fs::read_to_string(&server.pid_file).expect("it is there");
    let refusal = format!(
        "lines: could not start: pid file {}: process {} has it and lives",
        server.pid_file.display(),
        id.trim()
    );
    assert_eq!(stderr[1], refusal);

    server.example.signal(Signal::KILL);
    let pid_file = server.pid_file.clone();
    let greeting = server.greeting.clone();
    server.keeps_files = true;
    assert_eq!(server.end().code, None);
    assert!(pid_file.exists());

    let mut third = Example::start("service", ["127.0.0.1:0", greeting.to_str().unwrap(), pid_file.to_str().unwrap()]);
    assert!(third.line().starts_with("listening on "));
    assert_ne!(fs::read_to_string(&pid_file).expect("it is there"), id);
    third.signal(Signal::TERM);
    assert_eq!(third.end().code, Some(0));
    assert!(!pid_file.exists());
    fs::remove_file(greeting).expect("it is there");
}

struct Server {
    example: Example,
    greeting: PathBuf,
    pid_file: PathBuf,
    keeps_files: bool,
}

impl Server {
    fn start(name: &str) -> (Self, String) {
        let file = |what: &str| std::env::temp_dir().join(format!("rt-{}-{name}.{what}", std::process::id()));
        let (greeting, pid_file) = (file("greeting"), file("pid"));
        fs::write(&greeting, "hello\n").expect("a file");
        let arguments = ["127.0.0.1:0".into(), greeting.clone().into_os_string(), pid_file.clone().into_os_string()];
        let mut example = Example::start("service", arguments);
        let line = example.line();
        let address = line.strip_prefix("listening on ").expect("the address comes first").to_owned();
        assert!(example.error_line().starts_with("lines: starting, process "));
        assert_eq!(example.error_line(), "lines: started");
        (Self { example, greeting, pid_file, keeps_files: false }, address)
    }

    fn end(self) -> End {
        let end = self.example.end();
        if !self.keeps_files {
            let _ = fs::remove_file(self.greeting);
            assert!(!self.pid_file.exists());
        }
        end
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        Self(BufReader::new(stream))
    }

    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn at_end(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("the end");
        assert_eq!(rest, b"");
    }
}
