//! One direction of a copy.

use crate::scratch::Scratch;
use futures_util::io::{AsyncRead, AsyncWrite};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Moves bytes from a reader to a writer until the reader ends. It reads through the thread's buffer, which is with it only while it is
/// polled, and holds what the writer did not take.
pub(super) struct Pump {
    /// What the writer did not take yet, from `sent` on.
    unsent: Vec<u8>,
    sent: usize,
    /// Whether something was written since the last flush.
    unflushed: bool,
    state: State,
    total: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Moving,
    /// The reader has ended and everything is written.
    Ending,
    Done,
}

/// What happens to the writer when the reader has ended.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum AtEnd {
    Flush,
    Close,
}

impl Pump {
    pub(super) fn new() -> Self {
        Self { unsent: Vec::new(), sent: 0, unflushed: false, state: State::Moving, total: 0 }
    }

    /// Moves what can be moved now; ready with the number of bytes once the reader has ended and `at_end` is done.
    pub(super) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        mut reader: Pin<&mut R>,
        mut writer: Pin<&mut W>,
        at_end: AtEnd,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + ?Sized,
        W: AsyncWrite + ?Sized,
    {
        if self.state == State::Moving {
            ready!(self.poll_move(cx, reader.as_mut(), writer.as_mut()))?;
            self.state = State::Ending;
        }
        if self.state == State::Ending {
            ready!(match at_end {
                AtEnd::Flush => writer.poll_flush(cx),
                AtEnd::Close => writer.poll_close(cx),
            })?;
            self.state = State::Done;
        }
        Poll::Ready(Ok(self.total))
    }

    fn poll_move<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        mut reader: Pin<&mut R>,
        mut writer: Pin<&mut W>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + ?Sized,
        W: AsyncWrite + ?Sized,
    {
        loop {
            ready!(self.poll_send_rest(cx, writer.as_mut()))?;
            ready!(rt_runtime::poll_proceed(cx));
            let mut scratch = Scratch::take();
            let read = reader.as_mut().poll_read(cx, scratch.buffer());
            let count = match read {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    drop(scratch);
                    // The peer waits for what a buffering writer may hold back.
                    if self.unflushed {
                        ready!(writer.as_mut().poll_flush(cx))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            };
            self.send(cx, writer.as_mut(), &scratch.buffer()[..count])?;
        }
    }

    /// Writes what the writer takes at once, and keeps the rest.
    fn send<W: AsyncWrite + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        mut writer: Pin<&mut W>,
        mut bytes: &[u8],
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match writer.as_mut().poll_write(cx, bytes) {
                Poll::Ready(written) => bytes = &bytes[self.written(written)?..],
                Poll::Pending => {
                    self.unsent.extend_from_slice(bytes);
                    break;
                }
            }
        }
        Ok(())
    }

    fn poll_send_rest<W: AsyncWrite + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        mut writer: Pin<&mut W>,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            let written = ready!(writer.as_mut().poll_write(cx, &self.unsent[self.sent..]));
            self.sent += self.written(written)?;
        }
        if self.sent > 0 {
            // Given back, not kept: a connection that was slow once would hold it for ever.
            self.unsent = Vec::new();
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        match result {
            Ok(0) => Err(io::Error::new(io::ErrorKind::WriteZero, "the writer takes no more bytes")),
            Ok(count) => {
                self.total += count as u64;
                self.unflushed = true;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }
}
