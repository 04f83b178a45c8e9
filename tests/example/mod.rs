//! Drives the built examples: their standard streams as pipes, their exit codes.
//!
//! Nothing here waits for time to pass. Every wait is for something that must come, and gives up, failing the test,
//! after [`PATIENCE`].

// Each test file uses a part of it.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running example. It is killed if the test fails before it ends.
pub(crate) struct Example {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

/// How an example ended, and what it wrote that nobody had read.
#[derive(Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Example {
    pub(crate) fn start<A: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        Self::start_with_stdin(name, arguments, Stdio::piped())
    }

    pub(crate) fn start_with_env<A: AsRef<OsStr>, K: AsRef<OsStr>, V: AsRef<OsStr>>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut command = Command::new(path(name));
        command.args(arguments).envs(variables).stdin(Stdio::piped());
        Self::spawn(name, command)
    }

    /// [`write`](Self::write) and [`close_stdin`](Self::close_stdin) are for pipes.
    pub(crate) fn start_with_stdin<A: AsRef<OsStr>>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
        stdin: impl Into<Stdio>,
    ) -> Self {
        let mut command = Command::new(path(name));
        command.args(arguments).stdin(stdin);
        Self::spawn(name, command)
    }

    fn spawn(name: &str, mut command: Command) -> Self {
        let mut child = command
            // On the flavor that is tested; see tests/support/flavor.rs.
            .env("RT_WORKER_THREADS", std::env::var("RT_TEST_WORKERS").unwrap_or_else(|_| "0".to_owned()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the example {name} does not start: {error}"));
        let stdin = child.stdin.take();
        let stdout = Lines::of(child.stdout.take().expect("a pipe"));
        let stderr = Lines::of(child.stderr.take().expect("a pipe"));
        Self { child, stdin, stdout, stderr }
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stdin.as_mut().expect("standard input is open").write_all(bytes.as_ref()).expect("the example reads");
    }

    /// Ctrl-D.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next line on standard output.
    pub(crate) fn line(&mut self) -> String {
        self.stdout.next().expect("another line before the end")
    }

    /// The next line on standard error.
    pub(crate) fn error_line(&mut self) -> String {
        self.stderr.next().expect("another line before the end")
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("the example runs");
    }

    /// Waits until it ends by itself. Standard input stays open meanwhile, unless it was closed before.
    pub(crate) fn end(mut self) -> End {
        let stdout = self.stdout.rest();
        let mut stderr = self.stderr.rest();
        // On a machine that is busy with other things, any poll may take long.
        stderr.retain(|line| !line.contains(" has not given way for "));
        let code = self.child.wait().expect("the example was started").code();
        End { code, stdout, stderr }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples; they lie beside the directory of the tests.
fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("a test lies in target/<profile>/deps");
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "the example {name} is not built: run a plain `cargo test`, or `cargo build --example {name}` before (looked for {})",
        path.display()
    );
    path
}

/// Lines that a thread reads, so that waiting for one can be given up.
struct Lines(Receiver<String>);

impl Lines {
    fn of(input: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        let mut lines = BufReader::new(input).lines();
        thread::spawn(move || lines.try_for_each(|line| sender.send(line.expect("text in UTF-8"))));
        Self(receiver)
    }

    fn next(&self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("neither a line nor the end within {PATIENCE:?}"),
        }
    }

    fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }
}
