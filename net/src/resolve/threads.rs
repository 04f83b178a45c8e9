//! The threads of a resolver: started on demand, gone when idle. Nobody joins them, so a lookup that hangs holds up no exit.

use super::flight::{Engine, Shared, Stage, State};
use parking_lot::MutexGuard;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A lookup that blocks. The ports of its addresses are 0.
pub(super) type Blocking = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

pub(super) struct Config {
    pub(super) max_threads: usize,
    pub(super) keep_alive: Duration,
    pub(super) lookup: Arc<Blocking>,
}

/// Who is there.
#[derive(Default)]
pub(super) struct Crew {
    /// Threads that will look at the flights that wait, those being started included.
    pub(super) threads: usize,
    /// Threads that sleep, those included that were called and are not up yet.
    idle: usize,
    /// The most threads that there have been at one time.
    pub(super) peak: usize,
    /// Threads have been started, so many; numbers their names.
    started: u64,
    /// No handle is left: threads leave when they have nothing to do.
    pub(super) closed: bool,
}

/// The system's resolver.
pub(super) fn system_lookup(host: &str) -> io::Result<Vec<SocketAddr>> {
    std::net::ToSocketAddrs::to_socket_addrs(&(host, 0)).map(Iterator::collect)
}

impl Shared {
    /// Sees to it that a thread comes for the flight that was just queued.
    pub(super) fn call_thread(self: &Arc<Self>, config: &Config, mut state: MutexGuard<'_, State>) {
        let State { waiting, crew, .. } = &mut *state;
        if waiting.len() <= crew.idle {
            drop(state);
            self.bell.notify_one();
        } else if crew.threads < config.max_threads {
            crew.threads += 1;
            crew.started += 1;
            crew.peak = crew.peak.max(crew.threads);
            let name = format!("rt-resolve-{}", crew.started);
            drop(state);
            self.start_thread(name);
        }
        // Otherwise all are busy, and look before they sleep.
    }

    fn start_thread(self: &Arc<Self>, name: String) {
        let shared = Arc::clone(self);
        let Err(error) = thread::Builder::new().name(name).spawn(move || shared.serve()) else { return };
        let mut state = self.state.lock();
        state.crew.threads -= 1;
        if state.crew.threads > 0 {
            return;
        }
        // Nobody comes for those that wait.
        let stranded = std::mem::take(&mut state.waiting);
        drop(state);
        let error = Arc::new(io::Error::new(error.kind(), format!("no thread for lookups could be started: {error}")));
        for host in stranded {
            self.finish(&host, Err(Arc::clone(&error)));
        }
    }

    /// What a thread does: lookups, until there were none for a while.
    fn serve(&self) {
        let Engine::Threads(config) = &self.engine else { return };
        let mut state = self.state.lock();
        loop {
            while let Some(host) = state.waiting.pop_front() {
                if let Some(flight) = state.flights.get_mut(&host) {
                    flight.stage = Stage::Running;
                }
                drop(state);
                let looked_up = catch_unwind(AssertUnwindSafe(|| (config.lookup)(&host)));
                let found = looked_up.unwrap_or_else(|_| Err(io::Error::other("the lookup panicked")));
                self.finish(&host, found.map(Into::into).map_err(Arc::new));
                state = self.state.lock();
            }
            if state.crew.closed || !self.wait_for_flight(&mut state, config.keep_alive) {
                state.crew.threads -= 1;
                return;
            }
        }
    }

    /// False: none came for as long as a thread is kept.
    fn wait_for_flight(&self, state: &mut MutexGuard<'_, State>, keep_alive: Duration) -> bool {
        state.crew.idle += 1;
        let deadline = Instant::now().checked_add(keep_alive);
        let mut timed_out = false;
        while state.waiting.is_empty() && !state.crew.closed && !timed_out {
            match deadline {
                Some(deadline) => timed_out = self.bell.wait_until(state, deadline).timed_out(),
                None => self.bell.wait(state),
            }
        }
        state.crew.idle -= 1;
        !state.waiting.is_empty()
    }
}
