//! Lookups under way: one per name, however many wait for it.
//!
//! ```text
//!                                ┌─ threads ─▶ Waiting ──a thread comes──▶ Running ──┐
//! Lookup::begin, no other there ─┤                                                   ├─ finish ─▶ outcome
//!                                └─ Resolve ─▶ Resting ◀──polled by a waiter──▶ Out ─┘
//! ```
//!
//! Who waits holds a [`Lookup`]; the last to let go takes a flight that is `Waiting` or `Resting` with it. One that is `Running` goes
//! on, since nobody can stop `getaddrinfo`, and who asks for the same name meanwhile joins it.
//!
//! # Invariants
//!
//! 1. A flight is in [`State::flights`] exactly as long as it has no outcome and somebody waits for it or a thread runs it.
//! 2. `State::waiting` has the names of the flights that are `Waiting`, in order, and a thread comes for each.
//! 3. While a flight is `Out`, who polls it is one of its waiters.
//! 4. Nothing foreign happens under the lock: no lookup, no poll, and no waker is cloned, woken or dropped there.

use super::threads::{Config, Crew};
use super::{Resolve, Resolving};
use parking_lot::{Condvar, Mutex, MutexGuard};
use rt_runtime::time::Hold;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Wake, Waker};

/// A lookup's end, for all who waited. The ports are 0.
pub(super) type Outcome = Result<Arc<[SocketAddr]>, Arc<io::Error>>;

/// Who does lookups.
pub(super) enum Engine {
    /// Threads of the resolver, with a call that blocks.
    Threads(Config),
    /// A future, driven by those who wait for it.
    Futures(Arc<dyn Resolve>),
}

/// What the handles, the waiters and the threads of one resolver share.
pub(super) struct Shared {
    pub(super) engine: Engine,
    /// Names being looked up at one time.
    pub(super) max_lookups: usize,
    pub(super) state: Mutex<State>,
    /// Rung for a thread when a flight is `Waiting`, and for all when the resolver closes.
    pub(super) bell: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) flights: HashMap<Arc<str>, Flight>,
    pub(super) waiting: VecDeque<Arc<str>>,
    pub(super) crew: Crew,
    pub(super) begun: u64,
    pub(super) joined: u64,
}

/// The lookup of one name.
pub(super) struct Flight {
    /// Tells it from an earlier or later one of the same name.
    id: u64,
    pub(super) stage: Stage,
    waiters: Slab<Waiter>,
    outcome: Arc<OnceLock<Outcome>>,
}

pub(super) enum Stage {
    Waiting,
    Running,
    /// Nobody polls the future. It is made by the first who does.
    Resting(Option<Resolving>, Waker),
    /// A waiter polls the future. The word says whether its waker was called since.
    Out(bool),
}

#[derive(Default)]
struct Waiter {
    /// `None`: woken, or not polled yet.
    waker: Option<Waker>,
    /// Keeps the waiter's virtual time still while a thread works for it.
    hold: Option<Hold>,
}

impl Shared {
    /// Wakes those who were taken out of a flight. A waker that panics does so for itself: the others are woken.
    fn wake(waiters: Vec<Waiter>) {
        let mut holds = Vec::new();
        for Waiter { waker, hold } in waiters {
            holds.extend(hold);
            let _ = catch_unwind(AssertUnwindSafe(|| waker.map(Waker::wake)));
        }
        // Time may go on when all have been woken.
        drop(holds);
    }

    /// Ends the flight of `host`.
    pub(super) fn finish(&self, host: &str, outcome: Outcome) {
        let mut state = self.state.lock();
        let Some(flight) = state.flights.remove(host) else { return };
        // Under the lock: who does not find the flight finds this.
        let _ = flight.outcome.set(outcome);
        drop(state);
        Shared::wake(flight.waiters.into_iter().map(|(_, waiter)| waiter).collect());
    }
}

impl Flight {
    fn take_waiters(&mut self) -> Vec<Waiter> {
        self.waiters.iter_mut().map(|(_, waiter)| mem::take(waiter)).filter(|waiter| waiter.waker.is_some()).collect()
    }
}

/// One who waits for a name. Dropped, it lets go at once.
pub(super) struct Lookup {
    shared: Arc<Shared>,
    host: Arc<str>,
    id: u64,
    key: usize,
    outcome: Arc<OnceLock<Outcome>>,
}

impl Lookup {
    /// Joins the lookup of `host` that is under way, or begins one.
    pub(super) fn begin(shared: &Arc<Shared>, host: Arc<str>) -> io::Result<Lookup> {
        let mut guard = shared.state.lock();
        let state = &mut *guard;
        if let Some(flight) = state.flights.get_mut(&host) {
            state.joined += 1;
            let (id, outcome) = (flight.id, Arc::clone(&flight.outcome));
            let key = flight.waiters.insert(Waiter::default());
            drop(guard);
            return Ok(Lookup { shared: Arc::clone(shared), host, id, key, outcome });
        }
        if state.flights.len() >= shared.max_lookups {
            drop(guard);
            return Err(too_many(shared.max_lookups));
        }
        state.begun += 1;
        let id = state.begun;
        let stage = match &shared.engine {
            Engine::Threads(_) => Stage::Waiting,
            Engine::Futures(_) => Stage::Resting(None, Notify::waker(shared, &host, id)),
        };
        let outcome = Arc::new(OnceLock::new());
        let mut flight = Flight { id, stage, waiters: Slab::new(), outcome: Arc::clone(&outcome) };
        let key = flight.waiters.insert(Waiter::default());
        state.flights.insert(Arc::clone(&host), flight);
        // From here on dropping this lets go.
        let lookup = Lookup { shared: Arc::clone(shared), host, id, key, outcome };
        match &shared.engine {
            Engine::Threads(config) => {
                state.waiting.push_back(Arc::clone(&lookup.host));
                shared.call_thread(config, guard);
            }
            Engine::Futures(_) => drop(guard),
        }
        Ok(lookup)
    }

    /// The flight, unless it has ended.
    fn flight<'a>(&self, state: &'a mut MutexGuard<'_, State>) -> Option<&'a mut Flight> {
        state.flights.get_mut(&self.host).filter(|flight| flight.id == self.id)
    }

    /// Polls the future of the flight, which this took out.
    fn drive(&self, resolve: &dyn Resolve, future: Option<Resolving>, notify: Waker) -> Poll<Outcome> {
        let ended = EndIfLost(self);
        let mut future = future.unwrap_or_else(|| resolve.resolve(&self.host));
        let polled = future.as_mut().poll(&mut Context::from_waker(&notify));
        mem::forget(ended);
        match polled {
            Poll::Ready(result) => {
                drop(future);
                let found = |ips: Vec<_>| ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
                let outcome = result.map(found).map_err(Arc::new);
                self.shared.finish(&self.host, outcome.clone());
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                let mut state = self.shared.state.lock();
                let flight = self.flight(&mut state).expect("this waits for it, and polled it");
                let stage = mem::replace(&mut flight.stage, Stage::Resting(Some(future), notify));
                // Who was woken meanwhile found the future gone.
                let waiters = if matches!(stage, Stage::Out(true)) { flight.take_waiters() } else { Vec::new() };
                drop(state);
                Shared::wake(waiters);
                Poll::Pending
            }
        }
    }
}

impl Future for Lookup {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        if let Some(outcome) = self.outcome.get() {
            return Poll::Ready(outcome.clone());
        }
        let on_threads = matches!(self.shared.engine, Engine::Threads(_));
        let fresh = Waiter { waker: Some(cx.waker().clone()), hold: on_threads.then(Hold::current).flatten() };
        let mut state = self.shared.state.lock();
        let Some(flight) = self.flight(&mut state) else {
            drop(state);
            return Poll::Ready(self.outcome.get().expect("a flight that somebody waits for ends with one").clone());
        };
        let old = mem::replace(&mut flight.waiters[self.key], fresh);
        let taken = match &mut flight.stage {
            stage @ Stage::Resting(..) => Some(mem::replace(stage, Stage::Out(false))),
            _ => None,
        };
        drop(state);
        drop(old);
        match (taken, &self.shared.engine) {
            (Some(Stage::Resting(future, notify)), Engine::Futures(resolve)) => self.drive(&**resolve, future, notify),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let mut guard = self.shared.state.lock();
        let state = &mut *guard;
        let Some(flight) = state.flights.get_mut(&self.host).filter(|flight| flight.id == self.id) else { return };
        let waiter = flight.waiters.remove(self.key);
        let mut abandoned = None;
        if flight.waiters.is_empty() && !matches!(flight.stage, Stage::Running) {
            abandoned = state.flights.remove(&self.host);
            state.waiting.retain(|host| *host != self.host);
        }
        drop(guard);
        drop((waiter, abandoned));
    }
}

/// Ends a flight whose future panics; the panic is that of the waiter who polled it.
struct EndIfLost<'a>(&'a Lookup);

impl Drop for EndIfLost<'_> {
    fn drop(&mut self) {
        self.0.shared.finish(&self.0.host, Err(Arc::new(io::Error::other("the resolver panicked"))));
    }
}

/// The waker of a future in a flight: all who wait are woken, and the first to come polls it.
struct Notify {
    shared: Weak<Shared>,
    host: Arc<str>,
    id: u64,
}

impl Notify {
    fn waker(shared: &Arc<Shared>, host: &Arc<str>, id: u64) -> Waker {
        Arc::new(Notify { shared: Arc::downgrade(shared), host: Arc::clone(host), id }).into()
    }
}

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut state = shared.state.lock();
        let Some(flight) = state.flights.get_mut(&self.host).filter(|flight| flight.id == self.id) else { return };
        if let Stage::Out(woken) = &mut flight.stage {
            *woken = true;
        }
        let waiters = flight.take_waiters();
        drop(state);
        Shared::wake(waiters);
    }
}

fn too_many(limit: usize) -> io::Error {
    let text =
        format!("too many lookups are under way: {limit} names are the limit, which the resolver's builder sets");
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}
