//! Timers asked for by threads that do not drive the reactor: a queue of requests that the next turn serves.

use std::mem;
use std::sync::Arc;
use std::task::{Wake, Waker};

use super::wheel::{Key, Wheel};
use crate::primitives::Mutex;
use crate::primitives::atomic::AtomicBool;
use crate::primitives::atomic::Ordering::{Acquire, Relaxed, Release};

/// So many requests that could wait for the next turn make one that cannot: they take memory and keep wakers alive.
const PATIENCE: usize = 32;

/// What others want of the wheel. Any thread posts, the owner of the wheel serves.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Whether there may be any, so that a turn without looks no further.
    pending: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    requests: Vec<Request>,
    closed: bool,
}

#[derive(Debug)]
pub(crate) enum Request {
    Arm(Arc<RemoteTimer>),
    Reschedule { key: Key, deadline: u64 },
    Cancel(Key),
}

/// What the poster of a request owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Posted {
    /// Ring the bell: the owner may be asleep for longer than the request can wait.
    Ring,
    Nothing,
    /// Nobody serves requests any more.
    Closed,
}

impl Requests {
    pub(crate) fn post(&self, request: Request) -> Posted {
        let can_wait = matches!(request, Request::Cancel(_));
        let mut queue = self.queue.lock();
        if queue.closed {
            return Posted::Closed;
        }
        queue.requests.push(request);
        // Release pairs with the Acquire in `is_pending`. The ring, which comes later, is what makes the owner look.
        self.pending.store(true, Release);
        if can_wait && !queue.requests.len().is_multiple_of(PATIENCE) { Posted::Nothing } else { Posted::Ring }
    }

    /// Whether there may be any.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Acquire)
    }

    /// Does what was asked for. The wakers of cancelled timers go to `removed`, to be dropped when nothing is borrowed.
    pub(crate) fn serve(&self, wheel: &mut Wheel<Waker>, removed: &mut Vec<Waker>) {
        if !self.is_pending() {
            return;
        }
        for request in self.take() {
            match request {
                Request::Arm(timer) => timer.arm(wheel),
                Request::Reschedule { key, deadline } => {
                    wheel.reschedule(key, deadline);
                }
                Request::Cancel(key) => removed.extend(wheel.remove(key)),
            }
        }
    }

    /// No request is accepted from now on. The wakers of timers that were not armed yet go to `orphans`.
    pub(crate) fn close(&self, orphans: &mut Vec<Waker>) {
        let requests = {
            let mut queue = self.queue.lock();
            queue.closed = true;
            mem::take(&mut queue.requests)
        };
        orphans.extend(requests.into_iter().filter_map(|request| match request {
            Request::Arm(timer) => Some(Waker::from(timer)),
            _ => None,
        }));
    }

    fn take(&self) -> Vec<Request> {
        let mut queue = self.queue.lock();
        self.pending.store(false, Relaxed);
        mem::take(&mut queue.requests)
    }
}

/// A timer in a wheel that another thread owns. In the wheel it is a waker, which passes the wake on to the latest waker.
#[derive(Debug)]
pub(crate) struct RemoteTimer {
    deadline: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Requested,
    Armed(Key),
    Fired,
    Cancelled,
}

/// What a cancelled timer leaves behind.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Remains {
    /// The waker, if it has not been woken.
    pub(crate) waker: Option<Waker>,
    /// The entry, if it is in the wheel: a request to cancel it is owed.
    pub(crate) key: Option<Key>,
}

impl RemoteTimer {
    pub(crate) fn new(deadline: u64, waker: Waker) -> Arc<Self> {
        let state = State { phase: Phase::Requested, waker: Some(waker) };
        Arc::new(Self { deadline, state: Mutex::new(state) })
    }

    /// Whom to wake from now on. False: it has fired already.
    pub(crate) fn set_waker(&self, waker: &Waker) -> bool {
        // Cloned first and dropped last: both may run foreign code, which must not find the lock taken.
        let fresh = waker.clone();
        let _old = {
            let mut state = self.state.lock();
            match (state.phase, &state.waker) {
                (Phase::Fired | Phase::Cancelled, _) => return false,
                (_, Some(old)) if old.will_wake(waker) => None,
                _ => state.waker.replace(fresh),
            }
        };
        true
    }

    /// It will not wake anybody any more.
    pub(crate) fn cancel(&self) -> Remains {
        let mut state = self.state.lock();
        let key = match mem::replace(&mut state.phase, Phase::Cancelled) {
            Phase::Armed(key) => Some(key),
            Phase::Requested | Phase::Fired | Phase::Cancelled => None,
        };
        Remains { waker: state.waker.take(), key }
    }

    /// The owner of the wheel serves the request.
    fn arm(self: Arc<Self>, wheel: &mut Wheel<Waker>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut state = self.state.lock();
        if let Phase::Requested = state.phase {
            state.phase = Phase::Armed(wheel.insert(self.deadline, waker));
        }
    }
}

impl Wake for RemoteTimer {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = {
            let mut state = self.state.lock();
            state.phase = Phase::Fired;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
