//! A connection within the program.

use futures_util::io::{AsyncRead, AsyncWrite};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// Two ends of a connection that holds up to `capacity` bytes each way.
///
/// It behaves as a TCP connection does: closing an end's writing lets the other read up to the end; after an end is dropped, the other
/// reads what is left, and writing fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe). It needs no runtime.
///
/// # Panics
///
/// With a capacity of 0, which would let nothing through.
///
/// # Examples
///
/// ```
/// use rt::io::{AsyncReadExt, AsyncWriteExt, duplex};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let (mut client, mut server) = duplex(1024);
/// client.write_all(b"ping").await?;
/// let mut word = [0; 4];
/// server.read_exact(&mut word).await?;
/// assert_eq!(&word, b"ping");
/// # Ok(())
/// # })
/// # }
/// ```
///
/// Counterpart: `tokio::io::duplex`; Twisted's `loopback`.
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    assert!(capacity > 0, "a capacity of 0 bytes lets nothing through; allowed is 1 and more");
    let (one, other) = (Arc::new(Pipe::new(capacity)), Arc::new(Pipe::new(capacity)));
    (DuplexStream { incoming: one.clone(), outgoing: other.clone() }, DuplexStream { incoming: other, outgoing: one })
}

/// One end of a connection made by [`duplex`].
///
/// One task at a time may wait to read, and one to write. Dropping a future of reading or writing loses nothing: bytes are taken or
/// given in the poll that completes it.
///
/// Counterpart: `tokio::io::DuplexStream`.
pub struct DuplexStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

impl AsyncRead for DuplexStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(rt_runtime::poll_proceed(cx));
        self.incoming.poll_read(cx, buf)
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(rt_runtime::poll_proceed(cx));
        self.outgoing.poll_write(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        self.outgoing.end();
        self.incoming.abandon();
    }
}

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexStream").field("capacity", &self.incoming.capacity).finish_non_exhaustive()
    }
}

/// One direction.
struct Pipe {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    /// No more will be written.
    has_ended: bool,
    /// Nobody will read.
    is_abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::default() }
    }

    fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state.lock();
        if state.bytes.is_empty() && !state.has_ended && !buf.is_empty() {
            let replaced = replace(&mut state.reader, cx);
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        let count = state.bytes.read(buf)?;
        if state.bytes.is_empty() {
            // An idle end holds no buffer.
            state.bytes = VecDeque::new();
        }
        let writer = state.writer.take();
        drop(state);
        wake(writer);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&self, cx: &Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut state = self.state.lock();
        if state.is_abandoned || state.has_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut room = self.capacity - state.bytes.len();
        if room == 0 && bufs.iter().any(|buf| !buf.is_empty()) {
            let replaced = replace(&mut state.writer, cx);
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        let mut count = 0;
        for buf in bufs {
            let part = &buf[..buf.len().min(room)];
            state.bytes.extend(part);
            room -= part.len();
            count += part.len();
        }
        let reader = if count > 0 { state.reader.take() } else { None };
        drop(state);
        wake(reader);
        Poll::Ready(Ok(count))
    }

    fn end(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    fn abandon(&self) {
        let mut state = self.state.lock();
        state.is_abandoned = true;
        state.bytes = VecDeque::new();
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }
}

/// Remembers who waits. What is replaced is to be dropped without the lock: it may be the last that keeps an end of this pipe.
fn replace(place: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    let is_same = place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
    if is_same { None } else { place.replace(cx.waker().clone()) }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
