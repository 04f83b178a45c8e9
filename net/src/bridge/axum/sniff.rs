//! Which version of HTTP a client speaks, by its first bytes.

use super::activity::Activity;
use hyper::Version;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// What every HTTP/2 client sends first, and no other.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Room for the first read: the head of most requests.
const FIRST_READ: usize = 1024;

/// A stream of which the first bytes have been read already.
pub(super) struct Sniffed<I> {
    io: I,
    /// What was read, and how much of it has been read again.
    first: Vec<u8>,
    again: usize,
    /// Where it is noted whether writes have to wait.
    activity: Option<Arc<Activity>>,
}

impl<I: Read + Unpin> Sniffed<I> {
    /// For a stream of which the version is known.
    pub(super) fn nothing(io: I) -> Self {
        Sniffed { io, first: Vec::new(), again: 0, activity: None }
    }

    pub(super) fn get_ref(&self) -> &I {
        &self.io
    }

    pub(super) fn note_writes(&mut self, activity: Option<Arc<Activity>>) {
        self.activity = activity;
    }

    /// Reads until the version is clear. Who says nothing and goes speaks HTTP/1.
    pub(super) async fn read_version(&mut self) -> io::Result<Version> {
        loop {
            let seen = self.first.len().min(PREFACE.len());
            if self.first[..seen] != PREFACE[..seen] {
                return Ok(Version::HTTP_11);
            }
            if seen == PREFACE.len() {
                return Ok(Version::HTTP_2);
            }
            if poll_fn(|cx| self.poll_read_more(cx)).await? == 0 {
                return Ok(Version::HTTP_11);
            }
        }
    }

    fn poll_read_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); FIRST_READ];
        let mut buf = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.io).poll_read(cx, buf.unfilled()))?;
        self.first.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<I> Sniffed<I> {
    /// Notes whether the client holds up what goes out. A stream under TLS takes a write and has its flush wait.
    fn noted<T>(&self, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Some(activity) = &self.activity {
            activity.set_blocked(sent.is_pending());
        }
        sent
    }
}

impl<I: Read + Unpin> Read for Sniffed<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.first.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let rest = &this.first[this.again..];
        let count = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..count]);
        this.again += count;
        if this.again == this.first.len() {
            this.first = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: Write + Unpin> Write for Sniffed<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.noted(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.noted(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.io).poll_shutdown(cx);
        self.noted(shut_down)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
