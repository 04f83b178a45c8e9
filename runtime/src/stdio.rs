//! The standard streams, awaited.
//!
//! # Standard input
//!
//! One thread of the process reads standard input, in the ordinary blocking way, into one small buffer that all
//! [`Stdin`] handles share. It is started when somebody first asks for input, and it reads only when somebody asks for
//! more than the buffer holds, at most 8 KiB at a time. So
//!
//! - a read that waits holds up neither the end of a runtime nor the exit of the process: nobody waits for the thread;
//! - what was read and not taken stays for the next who asks: dropping a future loses nothing;
//! - a program that stops asking leaves later input to others, such as a child process that inherits standard input or
//!   `std::io::stdin`. What is in the buffer, up to 8 KiB, they do not see; and a read that is under way takes what comes first.
//!
//! It is a thread and not a source in a reactor because standard input may be a regular file or `/dev/null`, which the
//! system refuses to poll, and because polling wants the descriptor non-blocking: that flag belongs to the open file,
//! which is shared with the shell and with whoever else has the terminal, and would stay behind when the program ends.
//!
//! For pipes there would be a way to read without that flag (see below), but `std::io::stdin` may hold input already, which only a
//! read through it gets.
//!
//! While the thread waits for input it holds the lock of `std::io::stdin`: code that uses that at the same time waits
//! too.
//!
//! # Standard output and standard error
//!
//! No write to [`Stdout`] or [`Stderr`] holds up a worker, whoever is at the other end:
//!
//! - **Sockets**, and on Linux since 6.5 **pipes**, are written to at once, by calls which say that they must not wait. If there is no
//!   room, the task waits in its runtime's driver. The open file keeps its mode: nothing of this is seen by others who have it.
//! - **Everything else**, such as terminals and files, which have no such calls, is written to by one thread, which takes what was
//!   accepted: at most 64 KiB, then the next write waits. The thread is also what a full socket or pipe is left to outside of a
//!   runtime.
//!
//! A flush waits until the system has all that was accepted; what is to be written by the thread waits for it meanwhile. **The end of
//! `block_on`**, of a runtime and of a handle, and with it that of `#[rt::main]`, waits until the system has what was accepted by then:
//! nothing is lost at the normal end of a program, nor is it without an error: one that nobody was told is
//! [reported](rt_deferred::unhandled). As with `println!`, this waits for a reader that is slow. `std::process::exit` and a panic do
//! not wait: flush before them.
//!
//! `print!` holds back what has no newline yet: flush `std::io::stdout` before writing here, or the order is another one.
//!
//! Counterpart: `tokio::io::{stdin, stdout, stderr}`: there, stdin holds up the end of its runtime until a line is typed, and what was
//! not flushed may be lost at the end.

#[cfg(test)]
mod checks;
mod input;
mod lines;
mod direct;
mod output;
mod writers;

#[cfg(all(test, unix, not(loom)))]
mod tests;

pub(crate) use writers::finish;
pub use writers::{Stderr, Stdout, stderr, stdout};

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;

use input::Input;

/// Bytes in a line unless [`Stdin::max_line_length`] says otherwise.
const MAX_LINE_LENGTH: usize = 64 * 1024;

/// A handle on the standard input of the process.
///
/// All handles read from the same input: what one takes, the others do not see. See the [module](self) for how it is
/// read.
///
/// # Examples
///
/// Lines up to the end of input:
///
/// ```no_run
/// fn main() -> std::io::Result<()> {
///     rt::block_on(async {
///         let mut stdin = rt::io::stdin();
///         while let Some(line) = stdin.next_line().await? {
///             println!("you said: {line}");
///         }
///         Ok(())
///     })
/// }
/// ```
///
/// Counterpart: `tokio::io::stdin`.
pub fn stdin() -> Stdin {
    static INPUT: OnceLock<Arc<Input>> = OnceLock::new();
    Stdin::over(Arc::clone(INPUT.get_or_init(|| Arc::new(Input::new(io::stdin())))))
}

/// Reads standard input; made by [`stdin`].
///
/// It gives lines, and bytes through [`AsyncRead`] of futures-io, in any mixture. It is not bound to a runtime.
///
/// Counterpart: `tokio::io::Stdin` within a `BufReader`.
pub struct Stdin {
    input: Arc<Input>,
    /// Its place among those who wait.
    key: usize,
    max_line_length: usize,
}

impl Stdin {
    fn over(input: Arc<Input>) -> Self {
        let key = input.join();
        Self { input, key, max_line_length: MAX_LINE_LENGTH }
    }

    /// Sets how many bytes a line may have, its ending not counted: 65,536 if this is not called.
    ///
    /// This is also what the shared buffer may grow to, besides 8 KiB.
    pub fn max_line_length(mut self, bytes: usize) -> Self {
        self.max_line_length = bytes;
        self
    }

    /// Waits for the next line: without its ending (`\n` or `\r\n`), `None` at the end of input.
    ///
    /// The last line may lack an ending. After the end one may ask again; a terminal can go on after Ctrl-D, files and
    /// pipes stay at their end.
    ///
    /// # Errors
    ///
    /// - [`io::ErrorKind::InvalidData`] if the line is longer than [`max_line_length`](Self::max_line_length), as soon as
    ///   that is certain. The line is skipped up to its ending.
    /// - [`io::ErrorKind::InvalidData`] if the line is not UTF-8. The line is lost; it can be read as bytes instead.
    /// - What the system says when it cannot read, or cannot start the thread that reads.
    ///
    /// After an error one may go on: nothing but the line that it names is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no input, also if part of a line was there.
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        poll_fn(|cx| self.poll_next_line(cx)).await
    }

    /// As [`next_line`](Self::next_line), for futures written by hand. When it is pending, the waker of the last call
    /// is woken.
    ///
    /// # Errors
    ///
    /// Those of [`next_line`](Self::next_line).
    pub fn poll_next_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<String>>> {
        ready!(crate::coop::poll_proceed(cx));
        let limit = self.max_line_length;
        self.input.poll(self.key, cx, |buffer| buffer.take_line(limit))
    }
}

impl AsyncRead for Stdin {
    /// Reads what there is, 0 bytes at the end of input. Cancel safe as [`Stdin::next_line`] is.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        if out.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(crate::coop::poll_proceed(cx));
        self.input.poll(self.key, cx, |buffer| buffer.take_bytes(out))
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        self.input.leave(self.key);
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").field("max_line_length", &self.max_line_length).finish_non_exhaustive()
    }
}
