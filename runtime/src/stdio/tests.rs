//! Standard input over inputs that a test controls, and over that of a child process.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};

use futures_executor::block_on;
use futures_io::AsyncRead;

use super::input::Input;
use super::{Stdin, stdin};

/// An input whose reads are answered by the test, one message each; it counts them, and says when it is dropped.
struct Script {
    answers: Receiver<io::Result<Vec<u8>>>,
    reads: Arc<AtomicUsize>,
    gone: Sender<()>,
}

impl Read for Script {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reads.fetch_add(1, SeqCst);
        let bytes = self.answers.recv().expect("the test has an answer")?;
        out[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.gone.send(());
    }
}

struct Scripted {
    input: Arc<Input>,
    answers: Sender<io::Result<Vec<u8>>>,
    reads: Arc<AtomicUsize>,
    gone: Receiver<()>,
}

fn scripted() -> Scripted {
    let (answers, receiver) = channel();
    let (sender, gone) = channel();
    let reads = Arc::new(AtomicUsize::new(0));
    let script = Script { answers: receiver, reads: Arc::clone(&reads), gone: sender };
    Scripted { input: Arc::new(Input::new(script)), answers, reads, gone }
}

impl Scripted {
    fn stdin(&self) -> Stdin {
        Stdin::over(Arc::clone(&self.input))
    }

    fn answer(&self, bytes: &[u8]) {
        self.answers.send(Ok(bytes.to_vec())).expect("the script is there");
    }

    /// How often it was read, after the thread has gone.
    fn end(self) -> usize {
        drop(self.input);
        self.gone.recv().expect("the thread goes");
        self.reads.load(SeqCst)
    }
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn line(stdin: &mut Stdin) -> Option<String> {
    block_on(stdin.next_line()).expect("a good line")
}

fn bytes(stdin: &mut Stdin, out: &mut [u8]) -> usize {
    block_on(std::future::poll_fn(|cx| Pin::new(&mut *stdin).poll_read(cx, out))).expect("no error")
}

#[test]
fn lines_from_a_socket() {
    let (read, mut write) = UnixStream::pair().expect("a pair");
    let mut stdin = Stdin::over(Arc::new(Input::new(read)));
    write.write_all(b"one\ntwo\r\nla").expect("written");
    assert_eq!(line(&mut stdin).as_deref(), Some("one"));
    assert_eq!(line(&mut stdin).as_deref(), Some("two"));
    assert!(poll_once(stdin.next_line()).is_pending());
    write.write_all(b"st").expect("written");
    drop(write);
    assert_eq!(line(&mut stdin).as_deref(), Some("last"));
    assert_eq!(line(&mut stdin), None);
    assert_eq!(line(&mut stdin), None);
}

#[test]
fn dropped_wait_loses_nothing() {
    let script = scripted();
    let mut stdin = script.stdin();
    assert!(poll_once(stdin.next_line()).is_pending());
    script.answer(b"hal");
    script.answer(b"f\nwhole\n");
    assert_eq!(line(&mut stdin).as_deref(), Some("half"));
    assert!(matches!(poll_once(stdin.next_line()), Poll::Ready(Ok(Some(whole))) if whole == "whole"));
    drop(stdin);
    assert_eq!(script.end(), 2);
}

#[test]
fn handle_dropped_while_it_waits_leaves_its_input_to_the_next() {
    let script = scripted();
    let mut first = script.stdin();
    assert!(poll_once(first.next_line()).is_pending());
    drop(first);
    script.answer(b"for whom it may concern\n");
    assert_eq!(line(&mut script.stdin()).as_deref(), Some("for whom it may concern"));
    assert_eq!(script.end(), 1);
}

#[test]
fn nothing_is_read_before_somebody_asks() {
    let script = scripted();
    let stdin = script.stdin();
    drop(stdin);
    assert_eq!(script.reads.load(SeqCst), 0);
    assert_eq!(script.end(), 0);
}

#[test]
fn nothing_is_read_ahead_of_who_asks() {
    let script = scripted();
    let mut stdin = script.stdin();
    script.answer(b"one\ntwo\n");
    script.answer(b"for others\n");
    assert_eq!(line(&mut stdin).as_deref(), Some("one"));
    assert_eq!(line(&mut stdin).as_deref(), Some("two"));
    drop(stdin);
    assert_eq!(script.end(), 1);
}

#[test]
fn two_handles_wait_for_one_input() {
    let script = scripted();
    let (mut one, mut other) = (script.stdin(), script.stdin());
    assert!(poll_once(one.next_line()).is_pending());
    assert!(poll_once(other.next_line()).is_pending());
    script.answer(b"first\n");
    assert_eq!(line(&mut other).as_deref(), Some("first"));
    script.answer(b"second\n");
    assert_eq!(line(&mut one).as_deref(), Some("second"));
}

#[test]
fn each_handle_finds_the_end() {
    let script = scripted();
    let (mut one, mut other) = (script.stdin(), script.stdin());
    script.answer(b"");
    script.answer(b"");
    assert_eq!(line(&mut one), None);
    assert_eq!(line(&mut other), None);
}

#[test]
fn limit_belongs_to_the_handle() {
    let script = scripted();
    let (mut short, mut long) = (script.stdin().max_line_length(3), script.stdin());
    script.answer(b"1234\n123\n1234\n");
    let error = block_on(short.next_line()).expect_err("too long");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(line(&mut short).as_deref(), Some("123"));
    assert_eq!(line(&mut long).as_deref(), Some("1234"));
}

#[test]
fn default_limit_is_65_536_bytes() {
    let script = scripted();
    let mut stdin = script.stdin();
    for _ in 0..8 {
        script.answer(&[b'x'; 8 * 1024]);
    }
    script.answer(b"\n");
    assert_eq!(line(&mut stdin).map(|line| line.len()), Some(65_536));
    for _ in 0..8 {
        script.answer(&[b'x'; 8 * 1024]);
    }
    script.answer(b"x");
    assert!(block_on(stdin.next_line()).is_err());
}

#[test]
fn interrupted_reads_are_repeated_and_others_told() {
    let script = scripted();
    let mut stdin = script.stdin();
    for kind in [io::ErrorKind::Interrupted, io::ErrorKind::NotFound] {
        script.answers.send(Err(io::Error::from(kind))).expect("the script is there");
    }
    script.answer(b"after\n");
    let error = block_on(stdin.next_line()).expect_err("told");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(line(&mut stdin).as_deref(), Some("after"));
}

#[test]
fn bytes_and_lines_in_turns() {
    let script = scripted();
    let mut stdin = script.stdin();
    let mut out = [0; 4];
    assert_eq!(bytes(&mut stdin, &mut []), 0, "nothing is read for nothing");
    script.answer(b"rawdline\n");
    assert_eq!(bytes(&mut stdin, &mut out), 4);
    assert_eq!(&out, b"rawd");
    assert_eq!(line(&mut stdin).as_deref(), Some("line"));
    script.answer(b"");
    assert_eq!(bytes(&mut stdin, &mut out), 0);
    drop(stdin);
    assert_eq!(script.end(), 2);
}

#[test]
fn waker_that_panics_ends_no_reading() {
    struct Refuse;
    impl std::task::Wake for Refuse {
        fn wake(self: Arc<Self>) {
            panic!("not now");
        }
    }
    let script = scripted();
    let (mut refuses, mut waits) = (script.stdin(), script.stdin());
    let waker = Waker::from(Arc::new(Refuse));
    assert!(refuses.poll_next_line(&mut Context::from_waker(&waker)).is_pending());
    script.answer(b"one\n");
    assert_eq!(line(&mut waits).as_deref(), Some("one"));
    script.answer(b"two\n");
    assert_eq!(line(&mut waits).as_deref(), Some("two"));
}

/// Runs this test again as a child with this in its environment and `input` as its standard input, which stays open
/// until the child has ended.
fn in_a_child(test: &str, input: &[u8]) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("a test binary"))
        .args(["--exact", &format!("stdio::tests::{test}")])
        .env("RT_STDIO_CHILD", test)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a child");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input).expect("written");
    let status = child.wait().expect("it ends");
    drop(pipe);
    status.success()
}

fn is_child(test: &str) -> bool {
    std::env::var("RT_STDIO_CHILD").is_ok_and(|child| child == test)
}

#[test]
fn waiting_read_does_not_hold_up_exit() {
    const NAME: &str = "waiting_read_does_not_hold_up_exit";
    if is_child(NAME) {
        assert!(poll_once(stdin().next_line()).is_pending());
    } else {
        assert!(in_a_child(NAME, b""));
    }
}

#[test]
fn process_reads_its_standard_input() {
    const NAME: &str = "process_reads_its_standard_input";
    if is_child(NAME) {
        assert_eq!(line(&mut stdin()).as_deref(), Some("one"));
        assert_eq!(line(&mut stdin()).as_deref(), Some("two"));
    } else {
        assert!(in_a_child(NAME, b"one\ntwo\nthree"));
    }
}

#[test]
fn lines_that_are_there_give_way_to_other_tasks() {
    let script = scripted();
    let mut stdin = script.stdin();
    script.answer(&b"x\n".repeat(300));
    let mut lines = pin!(async {
        for _ in 0..300 {
            assert_eq!(stdin.next_line().await.expect("a good line").as_deref(), Some("x"));
        }
    });
    let mut polls = 0;
    crate::block_on(std::future::poll_fn(|cx| {
        polls += 1;
        lines.as_mut().poll(cx)
    }));
    assert!(polls > 2, "300 lines in {polls} polls are more than a budget of 128 allows");
}
