//! The stream below TLS: what is read from it, and what is written to it.

use futures_util::io::{AsyncRead, AsyncWrite};
use std::cell::Cell;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The stream below, and what was read from it ahead of rustls.
///
/// rustls reads at most 4 KiB at once, which makes five system calls of a long record, and it is not cheap to find that there is
/// nothing. So we read, and hand it what there is. The buffer is the thread's: a stream has it only while it is not emptied.
pub(crate) struct Transport<S> {
    pub(crate) io: S,
    ahead: Ahead,
}

/// Records that rustls has not had yet.
struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
    filled: usize,
}

/// How much is read at once: two records of the longest kind.
const READ_AHEAD: usize = 2 * (16 * 1024 + 256 + 5);

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl<S> Transport<S> {
    /// `received` is what was read from `io` already.
    pub(crate) fn new(io: S, received: Vec<u8>) -> Self {
        let filled = received.len();
        Self { io, ahead: Ahead { bytes: received, taken: 0, filled } }
    }
}

impl<S: AsyncRead + Unpin> Transport<S> {
    /// Reads from the stream below, unless something is left of the last time. Nothing is its end.
    pub(crate) fn poll_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if self.ahead.taken == self.ahead.filled {
            let mut bytes = spare();
            bytes.resize(READ_AHEAD, 0);
            let polled = Pin::new(&mut self.io).poll_read(cx, &mut bytes);
            match polled {
                Poll::Ready(Ok(filled)) if filled > 0 => self.ahead = Ahead { bytes, taken: 0, filled },
                _ => {
                    keep(bytes);
                    ready!(polled)?;
                }
            }
        }
        Poll::Ready(Ok(&self.ahead.bytes[self.ahead.taken..self.ahead.filled]))
    }

    /// rustls has taken so many.
    pub(crate) fn consume(&mut self, count: usize) {
        let ahead = &mut self.ahead;
        ahead.taken += count;
        if ahead.taken == ahead.filled {
            let bytes = std::mem::take(&mut ahead.bytes);
            (ahead.taken, ahead.filled) = (0, 0);
            // What a user handed in may be of any size; that is not kept.
            if bytes.len() == READ_AHEAD {
                keep(bytes);
            }
        }
    }
}

/// The thread's buffer; a new one while it is in use, and on a thread that exits.
fn spare() -> Vec<u8> {
    SPARE.try_with(Cell::take).unwrap_or_default()
}

fn keep(bytes: Vec<u8>) {
    let _ = SPARE.try_with(|spare| spare.set(bytes));
}

/// `Write` for the time of one poll.
pub(crate) struct Writing<'a, 'b, S> {
    pub(crate) io: &'a mut S,
    pub(crate) cx: &'a mut Context<'b>,
}

impl<S: AsyncWrite + Unpin> Write for Writing<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.io).poll_write(self.cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match bufs {
            // One record is the common case, and `send` is cheaper than `writev`.
            [buf] => self.write(buf),
            _ => or_would_block(Pin::new(&mut *self.io).poll_write_vectored(self.cx, bufs)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        or_would_block(Pin::new(&mut *self.io).poll_flush(self.cx))
    }
}

fn or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
