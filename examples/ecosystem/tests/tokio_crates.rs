//! reqwest and redis under `tokio_context`: against servers of this test, and against the real Redis where there is one.

mod support;

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use support::{Program, installed};

#[test]
fn pages_and_visits() {
    let redis = serve(RedisOfTheTest::default(), RedisOfTheTest::answer);
    check(&redis);
}

#[test]
fn with_the_real_redis() {
    if !installed("redis-server") {
        return;
    }
    struct Killed(Child);
    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    // The port is free a moment before.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::piped())
        .spawn();
    let mut server = Killed(server.unwrap());
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Ready to accept connections")), "it did not start");
    thread::spawn(move || lines.for_each(drop));
    check(&format!("127.0.0.1:{port}"));
}

/// Visits two pages, one of them twice.
fn check(redis: &str) {
    let pages = serve((), |(), stream| answer_http(stream));
    let (one, other) = (format!("http://{pages}/one"), format!("http://{pages}/another"));
    let redis = format!("redis://{redis}/");
    let mut program = Program::start(env!("CARGO_BIN_EXE_tokio_crates"), &[&redis, &one, &other, &one]);
    let mut visits = Vec::new();
    for (page, length) in [(&one, 9), (&other, 13), (&one, 9)] {
        visits.push(program.line_after(&format!("{page}: {length} bytes, visit ")));
    }
    // Which of the two came first is theirs to know.
    visits.sort();
    assert_eq!(visits, ["1", "1", "2"]);
    assert_eq!(program.line_after("done: "), "true");
    program.ends_well();
}

/// Answers connections on threads until the test ends.
fn serve<S: Clone + Send + 'static>(state: S, answer: fn(&S, TcpStream) -> io::Result<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let state = state.clone();
            thread::spawn(move || answer(&state, stream.unwrap()));
        }
    });
    address
}

/// One page after the other: its own path, as text.
fn answer_http(mut stream: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(request) = lines.next() {
        let request = request?;
        let path = request.split(' ').nth(1).unwrap().to_owned();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let body = format!("page {path}");
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    }
    Ok(())
}

/// As much of Redis as counting takes.
#[derive(Clone, Default)]
struct RedisOfTheTest(Arc<Mutex<HashMap<String, u64>>>);

impl RedisOfTheTest {
    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut input = BufReader::new(stream.try_clone()?);
        while let Some(command) = read_command(&mut input)? {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            match words[..] {
                [name, key, "1"] if name.eq_ignore_ascii_case("INCRBY") => {
                    let count = {
                        let mut counts = self.0.lock().unwrap();
                        let count = counts.entry(key.to_owned()).or_default();
                        *count += 1;
                        *count
                    };
                    write!(stream, ":{count}\r\n")?;
                }
                // What a client says about itself at first.
                [name, ..] if name.eq_ignore_ascii_case("CLIENT") => write!(stream, "+OK\r\n")?,
                _ => write!(stream, "-ERR unknown command {words:?}\r\n")?,
            }
        }
        Ok(())
    }
}

/// An array of strings; `None` at the end.
fn read_command(input: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let mut line = String::new();
    let mut number = |mark: char, input: &mut dyn BufRead| -> io::Result<Option<usize>> {
        line.clear();
        input.read_line(&mut line)?;
        Ok(line.trim_end().strip_prefix(mark).map(|number| number.parse().unwrap()))
    };
    let Some(count) = number('*', input)? else { return Ok(None) };
    let mut words = Vec::new();
    for _ in 0..count {
        let length = number('$', input)?.unwrap();
        let mut word = vec![0; length + 2];
        input.read_exact(&mut word)?;
        word.truncate(length);
        words.push(String::from_utf8(word).unwrap());
    }
    Ok(Some(words))
}
