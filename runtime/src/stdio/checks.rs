//! Models of the hand-over between those who ask and the thread that reads, and between those who write and the thread that writes.

use std::sync::Arc;
#[cfg(not(loom))]
use {
    std::sync::{OnceLock, Weak},
    std::task::{Context, Waker},
};

use super::Stdin;
use super::input::Input;
use super::output::{LIMIT, Output};
use crate::models::{explore, wait_for};
use crate::primitives::{Mutex, thread};

/// Gives one line for each read, then the end.
struct Lines(&'static [&'static str]);

impl std::io::Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let Some((line, rest)) = self.0.split_first() else { return Ok(0) };
        self.0 = rest;
        out[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

fn line(stdin: &mut Stdin) -> Option<String> {
    wait_for(|cx| stdin.poll_next_line(cx)).expect("a good line")
}

/// One asks for line after line; the handle goes while the thread looks for the next demand.
///
/// Seen failing with a demand that the thread clears after it has woken who asked, and with a handle that goes without
/// ringing the bell.
#[test]
fn ask_against_answer() {
    explore(|| {
        let mut stdin = Stdin::over(Arc::new(Input::new(Lines(&["one\n", "two\n"]))));
        assert_eq!(line(&mut stdin).as_deref(), Some("one"));
        assert_eq!(line(&mut stdin).as_deref(), Some("two"));
        assert_eq!(line(&mut stdin), None);
    });
}

/// Two ask at once: each gets a line of its own.
///
/// Seen failing with an answer that wakes one of those who wait.
#[test]
fn two_ask_at_once() {
    explore(|| {
        let input = Arc::new(Input::new(Lines(&["a\n", "b\n"])));
        let mut other = Stdin::over(Arc::clone(&input));
        let asks = thread::spawn(move || line(&mut other).expect("a line"));
        let mine = line(&mut Stdin::over(input)).expect("a line");
        let others = asks.join().expect("the other");
        assert_ne!(mine, others);
    });
}

/// What was written, or an error once there is so much.
struct Paper {
    written: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut written = self.written.lock();
        if written.len() + bytes.len() > self.room {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn paper(room: usize) -> (Output, Arc<Mutex<Vec<u8>>>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    (Output::new("paper", None, Paper { written: Arc::clone(&written), room }), written)
}

fn accept(output: &Output, bytes: &[u8]) -> std::io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let count = wait_for(|cx| output.poll_accept(cx, rest))?;
        rest = &rest[count..];
    }
    Ok(())
}

/// More is written than is accepted at a time; the end waits for the rest.
///
/// Seen failing with a thread that counts its bytes as written when it takes them, and with an answer that does not ring for the end.
#[test]
fn write_against_the_thread() {
    explore(|| {
        let (output, written) = paper(usize::MAX);
        let bytes: Vec<u8> = (0..=LIMIT).map(|n| (n % 251) as u8).collect();
        accept(&output, &bytes).expect("there is room");
        assert!(output.wait_until_written().is_none());
        assert_eq!(*written.lock(), bytes);
    });
}

/// Two write and flush at the same time: each hears of the end of its own.
///
/// Seen failing with an answer that wakes one of those who wait.
#[test]
fn flush_against_another_flush() {
    explore(|| {
        let (output, written) = paper(usize::MAX);
        let output = Arc::new(output);
        accept(&output, b"a").expect("there is room");
        let other = Arc::clone(&output);
        let flushes = thread::spawn(move || {
            accept(&other, b"b").expect("there is room");
            wait_for(|cx| other.poll_flush(cx)).expect("there is room");
        });
        wait_for(|cx| output.poll_flush(cx)).expect("there is room");
        assert_eq!(written.lock()[0], b'a');
        flushes.join().expect("the other");
        assert!(output.wait_until_written().is_none());
        assert_eq!(*written.lock(), b"ab");
    });
}

/// An error is told once, to whoever comes first, and what was accepted meanwhile goes with it.
#[test]
fn error_against_a_write() {
    explore(|| {
        let (output, written) = paper(0);
        accept(&output, b"a").expect("it is accepted");
        let told = usize::from(accept(&output, b"b").is_err());
        let left = usize::from(output.wait_until_written().is_some());
        assert!(told + left >= 1);
        assert!(written.lock().is_empty());
        assert!(wait_for(|cx| output.poll_flush(cx)).is_ok());
    });
}

/// Whatever is written, somebody has more to write.
#[cfg(not(loom))]
struct Endless(Arc<OnceLock<Weak<Output>>>);

#[cfg(not(loom))]
impl std::io::Write for Endless {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(output) = self.0.get().and_then(Weak::upgrade) {
            let _ = output.poll_accept(&Context::from_waker(Waker::noop()), b"more");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(not(loom))]
fn endless() -> Arc<Output> {
    let place = Arc::new(OnceLock::new());
    let output = Arc::new(Output::new("endless", None, Endless(Arc::clone(&place))));
    assert!(place.set(Arc::downgrade(&output)).is_ok());
    output
}

/// Who waits for the end of what it has written is not kept by what others write.
#[cfg(not(loom))]
#[test]
fn flush_and_end_while_others_write_without_end() {
    let output = endless();
    accept(&output, b"mine").expect("there is room");
    wait_for(|cx| output.poll_flush(cx)).expect("there is room");
    let output = endless();
    accept(&output, b"mine").expect("there is room");
    assert!(output.wait_until_written().is_none());
}
