//! The thread that reads when asked, and those who ask.

use std::io::{self, Read};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::lines::Buffer;
use crate::panics::quietly;
use crate::primitives::{Condvar, Mutex, thread};

/// Most bytes that one read takes. std's stdin passes reads of this size on without a buffer of its own.
const CHUNK: usize = 8 * 1024;

/// An input that is read in blocking mode on a thread of its own. Dropped, it lets the thread go after the read it is
/// in.
pub(super) struct Input {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Rung when `State::demand` or `State::closed` is set.
    asked: Condvar,
}

struct State {
    buffer: Buffer,
    /// Somebody wants more than there is. Set by those who ask, cleared by the thread when it has read.
    demand: bool,
    /// Nobody will ask again.
    closed: bool,
    /// Those who may ask, and whom to wake when something was read.
    waiters: Slab<Option<Waker>>,
    /// What is to be read, until the thread takes it.
    source: Option<Box<dyn Read + Send>>,
    /// The thread was started.
    started: bool,
}

impl Input {
    /// Starts nothing yet.
    pub(super) fn new(source: impl Read + Send + 'static) -> Self {
        let state = State {
            buffer: Buffer::default(),
            demand: false,
            closed: false,
            waiters: Slab::new(),
            source: Some(Box::new(source)),
            started: false,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), asked: Condvar::new() }) }
    }

    /// A place to wait at.
    pub(super) fn join(&self) -> usize {
        self.shared.state.lock().waiters.insert(None)
    }

    pub(super) fn leave(&self, key: usize) {
        let waker = self.shared.state.lock().waiters.remove(key);
        drop(waker);
    }

    /// What `take` finds in the buffer. If that is nothing, more is asked for, and the caller is woken when it has
    /// come.
    pub(super) fn poll<T>(
        &self,
        key: usize,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut Buffer) -> Option<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let waker = cx.waker().clone();
        let mut state = self.shared.state.lock();
        if let Some(taken) = take(&mut state.buffer) {
            drop(state);
            return Poll::Ready(taken);
        }
        if !state.started {
            self.shared.start()?;
            state.started = true;
        }
        state.demand = true;
        let old = state.waiters[key].replace(waker);
        drop(state);
        self.shared.asked.notify_one();
        drop(old);
        Poll::Pending
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.asked.notify_one();
    }
}

impl Shared {
    /// Starts the thread, which nobody joins. If that fails it may be tried again.
    fn start(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        thread::Builder::new().name("rt-stdin".to_owned()).spawn(move || shared.serve()).map(drop).map_err(|error| {
            io::Error::new(error.kind(), format!("no thread to read standard input could be started: {error}"))
        })
    }

    fn serve(&self) {
        let Some(mut source) = self.state.lock().source.take() else { return };
        let mut chunk = vec![0; CHUNK];
        while self.wait_for_demand() {
            let result = read(&mut *source, &mut chunk);
            self.answer(result.map(|count| &chunk[..count]));
        }
    }

    /// False when nobody will ask again.
    fn wait_for_demand(&self) -> bool {
        let mut state = self.state.lock();
        while !state.demand && !state.closed {
            state = self.asked.wait(state);
        }
        !state.closed
    }

    fn answer(&self, result: io::Result<&[u8]>) {
        let wakers: Vec<Waker> = {
            let mut state = self.state.lock();
            state.buffer.push(result);
            state.demand = false;
            state.waiters.iter_mut().filter_map(|(_, waker)| waker.take()).collect()
        };
        for waker in wakers {
            // A waker that panics must not end the thread, nor keep the others asleep.
            quietly(|| waker.wake());
        }
    }
}

fn read(source: &mut dyn Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
