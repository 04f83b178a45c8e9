//! The stream below TLS, as rustls wants it: `Read` and `Write` that say `WouldBlock`.

use futures_util::io::{AsyncRead, AsyncWrite};
use std::cell::Cell;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The stream below, and what was read from it ahead of rustls.
pub(crate) struct Transport<S> {
    pub(crate) io: S,
    ahead: Ahead,
    /// Whether more arrives than rustls reads at once. Then we read ahead.
    is_bulk: bool,
}

/// Records that rustls has not had yet.
#[derive(Default)]
struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
}

/// How much a bulk transfer reads with one system call: two records of the longest kind, and their headers.
const READ_AHEAD: usize = 2 * (16 * 1024 + 512);

thread_local! {
    /// Of who read ahead last and is done with it. So streams that are not read hold none.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl<S> Transport<S> {
    /// `received` is what was read from `io` already.
    pub(crate) fn new(io: S, received: Vec<u8>) -> Self {
        Self { io, ahead: Ahead { bytes: received, taken: 0 }, is_bulk: false }
    }

    /// Whether there is something to read without asking the stream below.
    pub(crate) fn has_ahead(&self) -> bool {
        self.ahead.taken < self.ahead.bytes.len()
    }
}

impl<S: AsyncRead + Unpin> Transport<S> {
    /// `Read` for the time of one poll.
    pub(crate) fn reading<'a, 'b>(&'a mut self, cx: &'a mut Context<'b>) -> Reading<'a, 'b, S> {
        Reading { transport: self, cx }
    }

    fn read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.has_ahead() {
            if !self.is_bulk {
                let polled = Pin::new(&mut self.io).poll_read(cx, buf);
                self.is_bulk = matches!(polled, Poll::Ready(Ok(count)) if count == buf.len());
                return polled;
            }
            match self.read_ahead(cx) {
                Poll::Ready(Ok(count)) if count > 0 => self.is_bulk = count > buf.len(),
                nothing => return nothing,
            }
        }
        Poll::Ready(Ok(self.ahead.take(buf)))
    }

    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = SPARE.take();
        bytes.resize(READ_AHEAD, 0);
        let polled = Pin::new(&mut self.io).poll_read(cx, &mut bytes);
        match polled {
            Poll::Ready(Ok(count)) if count > 0 => {
                bytes.truncate(count);
                self.ahead = Ahead { bytes, taken: 0 };
            }
            _ => SPARE.set(bytes),
        }
        polled
    }
}

impl Ahead {
    fn take(&mut self, buf: &mut [u8]) -> usize {
        let rest = &self.bytes[self.taken..];
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        if self.taken == self.bytes.len() {
            self.taken = 0;
            let bytes = std::mem::take(&mut self.bytes);
            // What a user handed in may be of any size; that is not kept.
            if bytes.capacity() >= READ_AHEAD && bytes.capacity() < 2 * READ_AHEAD {
                SPARE.set(bytes);
            }
        }
        count
    }
}

pub(crate) struct Reading<'a, 'b, S> {
    transport: &'a mut Transport<S>,
    cx: &'a mut Context<'b>,
}

impl<S: AsyncRead + Unpin> Read for Reading<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        or_would_block(self.transport.read(self.cx, buf))
    }
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
