//! Models of the hand-over between those who ask and the thread that reads.

use std::sync::Arc;

use super::Stdin;
use super::input::Input;
use crate::models::{explore, wait_for};
use crate::primitives::thread;

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
