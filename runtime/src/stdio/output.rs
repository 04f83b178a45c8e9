//! What is to be written: past the thread where the system can say that it would have to wait, else by a thread that waits.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::direct::Direct;
use crate::panics::quietly;
use crate::primitives::{Condvar, Mutex, thread};

/// Most bytes that are accepted and not yet with the system.
pub(super) const LIMIT: usize = if cfg!(loom) { 2 } else { 64 * 1024 };

/// An output that is shared by all its handles, with a thread that writes in blocking mode. Dropped, it lets the thread go once
/// everything is written.
pub(super) struct Output {
    shared: Arc<Shared>,
    /// The way past the thread.
    direct: Option<Direct>,
}

struct Shared {
    name: &'static str,
    state: Mutex<State>,
    /// Rung when there is something to write, and when nobody will write again.
    asked: Condvar,
    /// Rung when something is with the system.
    written: Condvar,
}

struct State {
    /// Accepted, and not yet taken by the thread.
    bytes: Vec<u8>,
    /// How many bytes the thread is writing.
    in_flight: usize,
    /// How many bytes were ever accepted for the thread.
    accepted: u64,
    /// Somebody waits until everything is written: nothing is accepted before, or that would never be.
    flushing: bool,
    /// Why bytes that were accepted are lost; told once.
    failed: Option<io::Error>,
    /// Nobody will write again.
    closed: bool,
    /// Whom to wake when the thread has written.
    waiting: Vec<Waker>,
    /// Where to write, until the thread takes it.
    sink: Option<Box<dyn Write + Send>>,
    /// The thread was started.
    started: bool,
}

impl Output {
    /// Starts nothing yet.
    pub(super) fn new(name: &'static str, direct: Option<Direct>, sink: impl Write + Send + 'static) -> Self {
        let state = State {
            bytes: Vec::new(),
            in_flight: 0,
            accepted: 0,
            flushing: false,
            failed: None,
            closed: false,
            waiting: Vec::new(),
            sink: Some(Box::new(sink)),
            started: false,
        };
        let shared = Shared { name, state: Mutex::new(state), asked: Condvar::new(), written: Condvar::new() };
        Self { shared: Arc::new(shared), direct }
    }

    /// Writes past the thread: `None` if that can not be done now, [`WouldBlock`](io::ErrorKind::WouldBlock) if the descriptor has no
    /// room.
    pub(super) fn try_direct(&self, buf: &[u8]) -> Option<io::Result<usize>> {
        let direct = self.direct.as_ref()?;
        // Under the lock, so that nothing overtakes what the thread is to write.
        let mut state = self.shared.state.lock();
        if let Some(error) = state.failed.take() {
            return Some(Err(error));
        }
        if state.is_written() { direct.try_write(buf) } else { None }
    }

    pub(super) fn direct(&self) -> Option<&Direct> {
        self.direct.as_ref()
    }

    /// Accepts bytes for the thread. When it is pending, the caller is woken when there is room, and no flush is under way.
    pub(super) fn poll_accept(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, |state| {
            let count = buf.len().min(LIMIT - state.bytes.len() - state.in_flight);
            if (count == 0 || state.flushing) && !buf.is_empty() {
                return None;
            }
            if !state.started {
                if let Err(error) = self.shared.start() {
                    return Some(Err(error));
                }
                state.started = true;
            }
            state.bytes.extend_from_slice(&buf[..count]);
            state.accepted += count as u64;
            self.shared.asked.notify_one();
            Some(Ok(count))
        })
    }

    /// Ready when everything that was accepted is with the system.
    pub(super) fn poll_flush(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |state| {
            state.flushing = !state.is_written();
            (!state.flushing).then_some(Ok(()))
        })
    }

    /// Blocks until everything that was accepted by now is with the system. The error of what is not, if nobody was told it.
    pub(super) fn wait_until_written(&self) -> Option<io::Error> {
        let mut state = self.shared.state.lock();
        let accepted = state.accepted;
        while state.written() < accepted {
            state = self.shared.written.wait(state);
        }
        state.failed.take()
    }

    fn poll<T>(
        &self,
        cx: &Context<'_>,
        mut attempt: impl FnMut(&mut State) -> Option<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut waker = None;
        loop {
            let mut state = self.shared.state.lock();
            if let Some(error) = state.failed.take() {
                return Poll::Ready(Err(error));
            }
            if let Some(done) = attempt(&mut state) {
                return Poll::Ready(done);
            }
            if state.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if let Some(waker) = waker.take() {
                state.waiting.push(waker);
                return Poll::Pending;
            }
            drop(state);
            // A waker's clone is its owner's code: not under the lock.
            waker = Some(cx.waker().clone());
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.asked.notify_one();
    }
}

impl State {
    fn is_written(&self) -> bool {
        self.bytes.is_empty() && self.in_flight == 0
    }

    /// How many bytes that were accepted are with the system, or lost.
    fn written(&self) -> u64 {
        self.accepted - (self.bytes.len() + self.in_flight) as u64
    }
}

impl Shared {
    /// Starts the thread, which nobody joins. If that fails it may be tried again.
    fn start(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let started = thread::Builder::new().name(format!("rt-{}", self.name)).spawn(move || shared.serve());
        started.map(drop).map_err(|error| {
            io::Error::new(error.kind(), format!("no thread to write to {} could be started: {error}", self.name))
        })
    }

    fn serve(&self) {
        let Some(mut sink) = self.state.lock().sink.take() else { return };
        let mut chunk = Vec::new();
        while self.wait_for_bytes(&mut chunk) {
            let result = sink.write_all(&chunk).and_then(|()| sink.flush());
            self.answer(result);
        }
    }

    /// Takes what there is; false when there is nothing and nobody will write again.
    fn wait_for_bytes(&self, chunk: &mut Vec<u8>) -> bool {
        chunk.clear();
        let mut state = self.state.lock();
        while state.bytes.is_empty() && !state.closed {
            state = self.asked.wait(state);
        }
        mem::swap(&mut state.bytes, chunk);
        state.in_flight = chunk.len();
        !chunk.is_empty()
    }

    fn answer(&self, result: io::Result<()>) {
        let wakers = {
            let mut state = self.state.lock();
            state.in_flight = 0;
            if let Err(error) = result {
                // What comes after a gap is no use to who reads.
                state.bytes.clear();
                let message = format!("what was written to {} did not get there: {error}", self.name);
                state.failed = Some(io::Error::new(error.kind(), message));
            }
            state.flushing &= !state.is_written();
            self.written.notify_all();
            mem::take(&mut state.waiting)
        };
        for waker in wakers {
            // A waker that panics must not end the thread, nor keep the others asleep.
            quietly(|| waker.wake());
        }
    }
}
