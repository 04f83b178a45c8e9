//! What a child writes, collected.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll};

use futures_io::AsyncRead;

use super::{ChildStderr, ChildStdout};

/// Room that is made for the next read, at least.
const CHUNK: usize = 8 * 1024;
/// Most bytes that one read asks for, which is what a pipe usually holds: the room is filled with zeros before.
const MOST: usize = 64 * 1024;

/// Reads both streams to their ends and waits for the exit, all at the same time.
pub(super) async fn collect(
    exit: impl Future<Output = io::Result<ExitStatus>>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    limit: Option<usize>,
) -> io::Result<Output> {
    let mut exit = pin!(exit);
    let mut status = None;
    let mut stdout = Stream { pipe: stdout, bytes: Vec::new(), limit };
    let mut stderr = Stream { pipe: stderr, bytes: Vec::new(), limit };
    let ended = poll_fn(|cx| {
        let done = [stdout.poll_end(cx), stderr.poll_end(cx)];
        if status.is_none()
            && let Poll::Ready(result) = exit.as_mut().poll(cx)
        {
            status = Some(result);
        }
        if let Some(failed) = done.iter().position(|poll| matches!(poll, Poll::Ready(Err(_)))) {
            let [out, err] = done;
            let Poll::Ready(Err(error)) = (if failed == 0 { out } else { err }) else { unreachable!("it has failed") };
            return Poll::Ready(Err((failed, error)));
        }
        if status.is_some() && done.iter().all(Poll::is_ready) { Poll::Ready(Ok(())) } else { Poll::Pending }
    });
    match ended.await {
        Ok(()) => {
            let status = status.expect("the exit was waited for")?;
            Ok(Output { status, stdout: stdout.bytes, stderr: stderr.bytes })
        }
        Err((_, Failure::Io(error))) => Err(error),
        Err((failed, Failure::TooLong(limit))) => {
            let stream = ["standard output", "standard error"][failed];
            let error = OutputTooLong { stream, limit, stdout: stdout.bytes, stderr: stderr.bytes };
            Err(io::Error::new(io::ErrorKind::FileTooLarge, error))
        }
    }
}

/// A pipe and what came out of it.
struct Stream<R> {
    /// `None` at the end.
    pipe: Option<R>,
    bytes: Vec<u8>,
    limit: Option<usize>,
}

enum Failure {
    Io(io::Error),
    TooLong(usize),
}

impl<R: AsyncRead + Unpin> Stream<R> {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while let Some(pipe) = &mut self.pipe {
            let filled = self.bytes.len();
            // One byte more than is allowed tells whether there is one.
            let most = self.limit.map_or(usize::MAX, |limit| limit.saturating_add(1) - filled);
            if self.bytes.capacity() - filled < CHUNK.min(most) {
                self.bytes.reserve(CHUNK.min(most));
            }
            let room = (self.bytes.capacity() - filled).min(most).min(MOST);
            self.bytes.resize(filled + room, 0);
            let read = Pin::new(pipe).poll_read(cx, &mut self.bytes[filled..]);
            self.bytes.truncate(filled + if let Poll::Ready(Ok(count)) = read { count } else { 0 });
            match read {
                Poll::Ready(Ok(0)) => self.pipe = None,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Io(error))),
                Poll::Pending => return Poll::Pending,
            }
            if let Some(limit) = self.limit
                && self.bytes.len() > limit
            {
                self.bytes.truncate(limit);
                return Poll::Ready(Err(Failure::TooLong(limit)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A child wrote more than [`Command::output_limit`](super::Command::output_limit) allows: what is inside the [`io::Error`] then.
///
/// ```
/// use rt::process::{Command, OutputTooLong};
///
/// # rt::block_on(async {
/// let error = Command::new("yes").output_limit(1000).output().await.unwrap_err();
/// let error = error.get_ref().and_then(|inner| inner.downcast_ref::<OutputTooLong>()).unwrap();
/// assert_eq!((error.limit(), error.stdout().len()), (1000, 1000));
/// # });
/// ```
#[derive(Debug)]
pub struct OutputTooLong {
    stream: &'static str,
    limit: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl OutputTooLong {
    /// Most bytes that each stream may have.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What came from standard output, up to the limit.
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// What came from standard error, up to the limit.
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }
}

impl fmt::Display for OutputTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, limit, .. } = self;
        write!(f, "the child wrote more to {stream} than the {limit} bytes that Command::output_limit allows")
    }
}

impl Error for OutputTooLong {}
