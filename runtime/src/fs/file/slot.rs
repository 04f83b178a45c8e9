//! The buffer of a file, and the one operation at a time that has it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use rt_deferred::Failure;
use rt_deferred::unhandled::{self, Unhandled};

use super::super::gone;
use super::retry;
use crate::handle::Handle;
use crate::panics::quietly;

/// Bytes of an empty buffer that are kept for the next operation.
const KEPT: usize = 64 * 1024;

/// Where file and pool meet.
#[derive(Default)]
pub(super) struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    /// Whether an operation is under way; it has the buffer.
    busy: bool,
    buffer: Buffer,
    /// How the last operation has ended, until somebody is told.
    outcome: Option<Outcome>,
    /// The error of a write, kept apart because it is for the next who writes, not for the next who comes.
    write_failed: Option<io::Error>,
    waiting: Vec<Waker>,
}

/// What is done in the pool.
enum Operation {
    /// Reads once, at most so many bytes.
    Read(usize),
    ReadToEnd,
    /// Writes the whole buffer.
    Write,
    Seek(SeekFrom),
}

enum Outcome {
    Read(io::Result<()>),
    ReadToEnd(io::Result<()>),
    Write(io::Result<()>),
    Seek(SeekFrom, io::Result<u64>),
}

/// Bytes that were read and not taken, or that are to be written.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// How many of `bytes` are taken.
    start: usize,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when no operation is under way; otherwise all who have asked are woken when that is so.
    fn poll_idle(&self, cx: &Context<'_>) -> Poll<MutexGuard<'_, State>> {
        let state = self.lock();
        if !state.busy {
            return Poll::Ready(state);
        }
        if state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        // A waker's clone is its owner's code: not under the lock.
        drop(state);
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if !state.busy {
            return Poll::Ready(state);
        }
        state.waiting.push(waker);
        Poll::Pending
    }

    /// Has an operation carried out. None is under way.
    fn start(self: &Arc<Self>, file: &Arc<File>, operation: Operation) {
        // First what may panic.
        let pool = Handle::current();
        let mut state = self.lock();
        state.busy = true;
        state.outcome = None;
        let buffer = mem::take(&mut state.buffer);
        drop(state);
        let ticket = Ticket { slot: Arc::clone(self), buffer, outcome: Some(operation.not_begun()) };
        let file = Arc::clone(file);
        pool.spawn_blocking(move || ticket.carry_out(file, operation));
    }

    pub(super) fn poll_read(
        self: &Arc<Self>,
        file: &Arc<File>,
        cx: &mut Context<'_>,
        out: &mut [u8],
        most: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut state = ready!(self.poll_idle(cx));
            let count = state.buffer.take(out);
            if count > 0 || out.is_empty() {
                // Told by the bytes.
                state.outcome = None;
                return Poll::Ready(Ok(count));
            }
            match state.outcome.take() {
                Some(Outcome::Read(result) | Outcome::ReadToEnd(result)) => return Poll::Ready(result.map(|()| 0)),
                Some(Outcome::Write(_) | Outcome::Seek(..)) | None => {}
            }
            drop(state);
            self.start(file, Operation::Read(out.len().min(most)));
        }
    }

    pub(super) fn poll_read_to_end(
        self: &Arc<Self>,
        file: &Arc<File>,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut state = ready!(self.poll_idle(cx));
            match state.outcome.take() {
                Some(Outcome::ReadToEnd(Ok(()))) => return Poll::Ready(Ok(state.buffer.take_all(out))),
                Some(Outcome::ReadToEnd(Err(error))) => return Poll::Ready(Err(error)),
                Some(Outcome::Read(_) | Outcome::Write(_) | Outcome::Seek(..)) | None => {}
            }
            drop(state);
            self.start(file, Operation::ReadToEnd);
        }
    }

    /// Ready with the buffer's place for the bytes of a write.
    pub(super) fn poll_write(
        self: &Arc<Self>,
        file: &Arc<File>,
        cx: &mut Context<'_>,
        bytes: &[u8],
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut state = ready!(self.poll_idle(cx));
        if let Some(error) = state.write_failed.take() {
            return Poll::Ready(Err(error));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if state.buffer.unread() > 0 {
            drop(state);
            // The bytes go where the user believes the position is.
            let position = ready!(self.poll_seek(file, cx, SeekFrom::Current(0)));
            return match position {
                Ok(_) => self.poll_write(file, cx, bytes, most),
                Err(error) => Poll::Ready(Err(error)),
            };
        }
        let count = bytes.len().min(most);
        state.buffer.bytes.clear();
        state.buffer.start = 0;
        state.buffer.bytes.extend_from_slice(&bytes[..count]);
        drop(state);
        self.start(file, Operation::Write);
        Poll::Ready(Ok(count))
    }

    pub(super) fn poll_seek(
        self: &Arc<Self>,
        file: &Arc<File>,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        loop {
            let mut state = ready!(self.poll_idle(cx));
            match state.outcome.take() {
                Some(Outcome::Seek(asked, result)) if asked == to => return Poll::Ready(result),
                _ => {}
            }
            drop(state);
            self.start(file, Operation::Seek(to));
        }
    }

    pub(super) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = ready!(self.poll_idle(cx));
        Poll::Ready(state.write_failed.take().map_or(Ok(()), Err))
    }

    /// Forgets that a read whose future was dropped has found the end of the file: it may be somewhere else by now.
    pub(super) fn forget_end(&self) {
        let mut state = self.lock();
        if matches!(state.outcome, Some(Outcome::Read(Ok(())) | Outcome::ReadToEnd(Ok(())))) {
            state.outcome = None;
        }
    }

    /// Whether bytes were read that nobody has taken.
    pub(super) fn has_unread(&self) -> bool {
        self.lock().buffer.unread() > 0
    }

    pub(super) fn is_settled(&self) -> bool {
        let state = self.lock();
        !state.busy && state.buffer.unread() == 0 && state.write_failed.is_none()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(error) = self.write_failed.take() {
            unhandled::report(Unhandled::of_task(Failure::from(error), Location::caller()));
        }
    }
}

impl Buffer {
    fn unread(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn take(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.unread());
        out[..count].copy_from_slice(&self.bytes[self.start..self.start + count]);
        self.start += count;
        self.trim();
        count
    }

    fn take_all(&mut self, out: &mut Vec<u8>) -> usize {
        let count = self.unread();
        if out.is_empty() && self.start == 0 {
            // Without a copy.
            mem::swap(out, &mut self.bytes);
        } else {
            out.extend_from_slice(&self.bytes[self.start..]);
        }
        self.clear();
        count
    }

    fn clear(&mut self) {
        self.start = self.bytes.len();
        self.trim();
    }

    /// An empty buffer begins anew, and gives back what was large.
    fn trim(&mut self) {
        if self.unread() == 0 {
            self.bytes.clear();
            self.start = 0;
            self.bytes.shrink_to(KEPT);
        }
    }
}

/// An operation on its way to the pool and back. Dropped unrun, it says so.
struct Ticket {
    slot: Arc<Slot>,
    buffer: Buffer,
    outcome: Option<Outcome>,
}

impl Ticket {
    fn carry_out(mut self, file: Arc<File>, operation: Operation) {
        self.outcome = Some(operation.carry_out(&file, &mut self.buffer));
        // Before anybody hears of it: who gives the file back has the only reference then.
        drop(file);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.slot.lock();
        state.buffer = mem::take(&mut self.buffer);
        match self.outcome.take() {
            Some(Outcome::Write(result)) => {
                // Also what could not be written: nobody is to read it.
                state.buffer.clear();
                state.write_failed = result.err();
            }
            outcome => state.outcome = outcome,
        }
        state.busy = false;
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        for waker in waiting {
            quietly(|| waker.wake());
        }
    }
}

impl Operation {
    fn carry_out(self, file: &File, buffer: &mut Buffer) -> Outcome {
        match self {
            Self::Read(most) => {
                buffer.bytes.resize(most, 0);
                let mut reader = file;
                let result = retry(|| reader.read(&mut buffer.bytes));
                buffer.bytes.truncate(*result.as_ref().unwrap_or(&0));
                Outcome::Read(result.map(drop))
            }
            Self::ReadToEnd => {
                let mut reader = file;
                Outcome::ReadToEnd(reader.read_to_end(&mut buffer.bytes).map(drop))
            }
            Self::Write => {
                let mut writer = file;
                Outcome::Write(writer.write_all(&buffer.bytes))
            }
            Self::Seek(to) => {
                let unread = buffer.unread() as i64;
                let from_here = match to {
                    SeekFrom::Current(distance) => distance.checked_sub(unread).map(SeekFrom::Current),
                    to => Some(to),
                };
                let too_far =
                    || io::Error::new(io::ErrorKind::InvalidInput, "the position is before any that a file can have");
                let mut seeker = file;
                let result = from_here.ok_or_else(too_far).and_then(|to| seeker.seek(to));
                if result.is_ok() {
                    buffer.clear();
                }
                Outcome::Seek(to, result)
            }
        }
    }

    fn not_begun(&self) -> Outcome {
        match self {
            Self::Read(_) => Outcome::Read(Err(gone())),
            Self::ReadToEnd => Outcome::ReadToEnd(Err(gone())),
            Self::Write => Outcome::Write(Err(gone())),
            Self::Seek(to) => Outcome::Seek(*to, Err(gone())),
        }
    }
}
