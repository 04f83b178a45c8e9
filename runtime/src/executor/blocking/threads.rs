//! The threads of a pool: who is woken for a call, who is started, who leaves.

use std::panic::Location;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::Config;
use super::call::Run;
use super::waiting::Waiting;
use crate::panics::quietly;
use crate::primitives::atomic::{AtomicBool, Ordering::Relaxed};
use crate::primitives::{Condvar, Mutex, MutexGuard, thread};

/// How long a thread that has run out of calls looks out for the next before it sleeps. Calls often come one after the
/// other, and waking a sleeping processor takes up to 30 µs: with this a series of calls takes half the time. One
/// thread at a time does so.
const WATCH: Duration = Duration::from_micros(20);

/// What the submitters and the threads of one pool share.
pub(super) struct Threads {
    pub(super) config: Config,
    state: Mutex<State>,
    /// Rung when the last thread has left.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    /// Calls that no thread has taken.
    waiting: Waiting,
    /// Calls that threads have taken, if they are counted.
    running: Vec<Arc<dyn Run>>,
    /// The thread that has just run out of calls and does not sleep yet.
    watching: Option<Arc<Seat>>,
    /// The other threads without work; who came last is last.
    idle: Vec<Arc<Seat>>,
    /// Threads that will look at `waiting` again, those being started included.
    serving: usize,
    /// Threads that have not run their last line, `on_thread_stop` included.
    alive: usize,
    /// Set by shutdown, for ever.
    closed: bool,
}

/// Where an idle thread waits.
struct Seat {
    bell: Condvar,
    /// False while the seat is in `State::watching` or `State::idle`. Written under the pool's lock; who reads it
    /// without takes the lock next.
    called: AtomicBool,
}

/// What a submitter owes when it has let go of the lock.
#[must_use]
enum Then {
    Wake(Arc<Seat>),
    Start,
    Nothing,
}

impl Threads {
    pub(super) fn new(config: Config) -> Self {
        Self { config, state: Mutex::new(State::default()), emptied: Condvar::new() }
    }

    pub(super) fn submit(self: &Arc<Self>, call: Arc<dyn Run>) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return call.cancel();
        }
        state.waiting.push(call);
        let then = state.someone_for_it(self.config.max_threads);
        drop(state);
        match then {
            Then::Wake(seat) => seat.bell.notify_one(),
            Then::Start => self.start_thread(),
            Then::Nothing => {}
        }
    }

    /// Takes a call that was aborted out of the queue.
    pub(super) fn forget(&self, position: u64) {
        let forgotten = self.state.lock().waiting.remove(position);
        drop(forgotten);
    }

    /// Where the calls were made that wait or run.
    pub(super) fn calls(&self) -> Vec<&'static Location<'static>> {
        let state = self.state.lock();
        state.waiting.iter().chain(&state.running).filter_map(|call| call.unfinished()).collect()
    }

    pub(super) fn close(&self) {
        let (waiting, idle) = {
            let mut state = self.state.lock();
            state.closed = true;
            (state.waiting.take_all(), state.call_all())
        };
        for seat in idle {
            seat.bell.notify_one();
        }
        for call in waiting {
            call.cancel();
        }
    }

    /// Waits until no thread is left, at most for `timeout`. Tells which of the two ended it.
    pub(super) fn wait_until_empty(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.state.lock();
        while state.alive > 0 {
            let timed_out;
            (state, timed_out) = wait_until(&self.emptied, state, deadline);
            if timed_out {
                break;
            }
        }
        state.alive == 0
    }

    /// Starts the thread that [`Then::Start`] has counted in.
    fn start_thread(self: &Arc<Self>) {
        let name = quietly(|| (self.config.thread_name)()).unwrap_or_else(|| "rt-blocking".to_owned());
        // std panics at a NUL in a thread's name.
        let mut builder = thread::Builder::new().name(name.replace('\0', ""));
        if let Some(bytes) = self.config.stack_size {
            builder = builder.stack_size(bytes);
        }
        let threads = Arc::clone(self);
        // The thread is not joined, ever: see invariant 3.
        if let Err(error) = builder.spawn(move || Member { threads, serving: true }.live()) {
            self.count_out_unserved(&format!("no thread for a blocking call could be started: {error}"));
            self.count_out_dead();
        }
    }

    /// Serves calls until the pool is closed or none came for as long as a thread is kept. Counts its thread out.
    fn serve(&self) {
        let seat = Arc::new(Seat { bell: Condvar::new(), called: AtomicBool::new(false) });
        let mut state = self.state.lock();
        loop {
            while let Some(call) = state.waiting.pop() {
                let counted = self.config.keeps_count.then(|| Arc::clone(&call));
                state.running.extend(counted);
                drop(state);
                call.run();
                if self.config.keeps_count {
                    self.state.lock().running.retain(|other| !Arc::ptr_eq(other, &call));
                }
                // If it is the last to know of the call, this drops a result that nobody has detached from.
                quietly(|| drop(call));
                state = self.state.lock();
            }
            let called;
            (state, called) = if state.closed { (state, false) } else { self.wait_for_call(state, &seat) };
            if !called {
                state.serving -= 1;
                return;
            }
        }
    }

    /// Waits on `seat`. False says that nobody called it for as long as a thread is kept.
    fn wait_for_call<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        seat: &Arc<Seat>,
    ) -> (MutexGuard<'a, State>, bool) {
        seat.called.store(false, Relaxed);
        if state.watching.is_none() && two_processors() {
            state.watching = Some(Arc::clone(seat));
            drop(state);
            seat.watch();
            state = self.state.lock();
            if seat.called.load(Relaxed) {
                return (state, true);
            }
            state.watching = None;
        }
        if self.config.keep_alive.is_zero() {
            return (state, false);
        }
        state.idle.push(Arc::clone(seat));
        let deadline = Instant::now().checked_add(self.config.keep_alive);
        loop {
            let timed_out;
            (state, timed_out) = wait_until(&seat.bell, state, deadline);
            // Who called may have come between the end of the time and the lock, so this is asked first.
            if seat.called.load(Relaxed) {
                return (state, true);
            }
            if timed_out {
                state.idle.retain(|other| !Arc::ptr_eq(other, seat));
                return (state, false);
            }
        }
    }

    /// Counts out a thread that did not get as far as serving. If it was the only one, nobody comes for the calls that
    /// wait, so they fail with the reason.
    fn count_out_unserved(&self, reason: &str) {
        let stranded = {
            let mut state = self.state.lock();
            state.serving -= 1;
            if state.serving == 0 { state.waiting.take_all() } else { Vec::new() }
        };
        for call in stranded {
            call.fail(reason);
        }
    }

    fn count_out_dead(&self) {
        let mut state = self.state.lock();
        state.alive -= 1;
        let last = state.alive == 0;
        drop(state);
        if last {
            self.emptied.notify_all();
        }
    }
}

impl Seat {
    /// Looks out for a call for [`WATCH`], giving way to whoever wants the processor. In a model it does so for no
    /// time.
    fn watch(&self) {
        let start = Instant::now();
        while !cfg!(loom) && !self.called.load(Relaxed) && start.elapsed() < WATCH {
            thread::yield_now();
        }
    }
}

impl State {
    /// Sees to it that a thread comes for the call that was just pushed.
    fn someone_for_it(&mut self, max_threads: usize) -> Then {
        if let Some(seat) = self.watching.take().or_else(|| self.idle.pop()) {
            seat.called.store(true, Relaxed);
            return Then::Wake(seat);
        }
        if self.serving < max_threads {
            self.serving += 1;
            self.alive += 1;
            return Then::Start;
        }
        // All are busy, and will look before they go idle.
        Then::Nothing
    }

    fn call_all(&mut self) -> Vec<Arc<Seat>> {
        let mut idle = std::mem::take(&mut self.idle);
        idle.extend(self.watching.take());
        for seat in &idle {
            seat.called.store(true, Relaxed);
        }
        idle
    }
}

/// A thread's membership in its pool. Dropped, it has counted the thread out, also while a hook panics.
struct Member {
    threads: Arc<Threads>,
    /// The thread is still counted as one that serves.
    serving: bool,
}

impl Member {
    fn live(mut self) {
        let threads = Arc::clone(&self.threads);
        quietly(|| {
            (threads.config.inherit)(&mut || {
                // A second call of the hook's argument finds nothing to do.
                if std::mem::take(&mut self.serving) {
                    hook(&threads.config.on_thread_start);
                    threads.serve();
                    hook(&threads.config.on_thread_stop);
                }
            })
        });
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.serving {
            self.threads.count_out_unserved("a thread for blocking calls could not enter its runtime");
        }
        self.threads.count_out_dead();
    }
}

/// Whether a thread that looks out takes the processor from nobody. Asked once: the answer costs several system calls.
fn two_processors() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1))
}

/// Runs a user's hook. What it panics with has been printed by the panic hook, and ends here: the thread is needed.
fn hook(hook: &Option<Arc<dyn Fn() + Send + Sync>>) {
    if let Some(hook) = hook {
        quietly(|| hook());
    }
}

/// Waits until `bell` or the deadline (none: for ever); the second value tells that the deadline has passed.
fn wait_until<'a, T>(bell: &Condvar, guard: MutexGuard<'a, T>, deadline: Option<Instant>) -> (MutexGuard<'a, T>, bool) {
    match deadline {
        Some(deadline) => bell.wait_timeout(guard, deadline.saturating_duration_since(Instant::now())),
        None => (bell.wait(guard), false),
    }
}
