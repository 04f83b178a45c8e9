//! A connection in memory: two ends that read and write bytes, with a bound, in pieces as small as one likes, and with faults.
#![allow(dead_code)]

use futures_util::io::{AsyncRead, AsyncWrite};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// A connection that holds up to `capacity` bytes each way.
pub(crate) fn pipe(capacity: usize) -> (End, End) {
    let there = Arc::new(Mutex::new(Way::new(capacity)));
    let back = Arc::new(Mutex::new(Way::new(capacity)));
    (
        End { incoming: there.clone(), outgoing: back.clone(), stutters: None },
        End { incoming: back, outgoing: there, stutters: None },
    )
}

/// One end. Dropping it ends the other's reading, and its writing fails.
#[derive(Debug)]
pub(crate) struct End {
    incoming: Arc<Mutex<Way>>,
    outgoing: Arc<Mutex<Way>>,
    /// Whether the next read, write and flush is to be pending for no reason.
    stutters: Option<[bool; 3]>,
}

#[derive(Debug)]
struct Way {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// Most bytes that move at once.
    step: usize,
    is_ended: bool,
    is_reset: bool,
    has_reader: bool,
    /// How many calls found something to move.
    moves: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl End {
    /// Moves at most `step` bytes at once, both ways.
    pub(crate) fn in_steps_of(self, step: usize) -> Self {
        self.incoming.lock().unwrap().step = step;
        self.outgoing.lock().unwrap().step = step;
        self
    }

    /// Is pending every second time, and wakes at once.
    pub(crate) fn stuttering(mut self) -> Self {
        self.stutters = Some([true; 3]);
        self
    }

    /// Changes what is on its way to this end.
    pub(crate) fn tamper<R>(&self, f: impl FnOnce(&mut VecDeque<u8>) -> R) -> R {
        f(&mut self.incoming.lock().unwrap().bytes)
    }

    /// How many bytes are on their way to this end.
    pub(crate) fn arrived(&self) -> usize {
        self.incoming.lock().unwrap().bytes.len()
    }

    /// How many reads and writes have moved something on the way from this end.
    pub(crate) fn moves(&self) -> usize {
        self.outgoing.lock().unwrap().moves
    }

    /// Both ends fail from now on, as after an RST.
    pub(crate) fn reset(&self) {
        for way in [&self.incoming, &self.outgoing] {
            let mut way = way.lock().unwrap();
            way.is_reset = true;
            way.bytes.clear();
            way.wake_all();
        }
    }

    fn stutter(&mut self, what: What, cx: &Context<'_>) -> Poll<()> {
        let Some(stutters) = &mut self.stutters else { return Poll::Ready(()) };
        let is_due = &mut stutters[what as usize];
        let was_due = *is_due;
        *is_due = !was_due;
        if was_due {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

enum What {
    Read,
    Write,
    Flush,
}

impl Way {
    fn new(capacity: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            capacity,
            step: usize::MAX,
            is_ended: false,
            is_reset: false,
            has_reader: true,
            moves: 0,
            reader: None,
            writer: None,
        }
    }

    fn wake_all(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.stutter(What::Read, cx));
        let mut way = self.incoming.lock().unwrap();
        if way.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let count = buf.len().min(way.bytes.len()).min(way.step);
        if count == 0 && !buf.is_empty() && !way.is_ended {
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        for (place, byte) in buf.iter_mut().zip(way.bytes.drain(..count)) {
            *place = byte;
        }
        way.moves += 1;
        if let Some(writer) = way.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.stutter(What::Write, cx));
        let mut way = self.outgoing.lock().unwrap();
        if way.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if way.is_ended || !way.has_reader {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = (way.capacity - way.bytes.len()).min(way.step);
        if room == 0 && bufs.iter().any(|buf| !buf.is_empty()) {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = way.bytes.len();
        way.bytes.extend(bufs.iter().flat_map(|buf| buf.iter()).take(room));
        let count = way.bytes.len() - before;
        way.moves += 1;
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.stutter(What::Flush, cx));
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut way = self.outgoing.lock().unwrap();
        way.is_ended = true;
        way.wake_all();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut outgoing = self.outgoing.lock().unwrap();
        outgoing.is_ended = true;
        outgoing.wake_all();
        drop(outgoing);
        let mut incoming = self.incoming.lock().unwrap();
        incoming.has_reader = false;
        incoming.wake_all();
    }
}
