//! Who sleeps, who is awake, and who keeps watch over those that are.
//!
//! ```text
//!              occupy               rest                rest, and nobody watches those that are awake
//!    VACANT ───────────► AWAKE ───────────► ASLEEP      AWAKE ─────────────────────────────────────► SENTRY
//!      ▲                 │  ▲                 │ ▲                                                     │ │
//!      └─────────────────┘  └─────────────────┘ └─────────────────────────────────────────────────────┘ │
//!            vacate              rise                  stand down: nothing has moved for long           │
//!                        ▲                                                                              │
//!                        └──────────────────────────────────────────────────────────────────────────────┘
//!                             rise: another sleeper becomes sentry, or a thread is started at a vacant seat
//! ```
//!
//! Two promises:
//!
//! - *No task is overlooked.* A worker says that it rests, then looks at the injection queue under that queue's lock; who injects
//!   a task asks under the same lock whether everybody rests. Whoever comes second sees the other.
//! - *Nobody who is awake is unwatched while another could watch.* Whoever changes who is awake, in one step under one lock,
//!   appoints the sentry if there is none. There is never more than one.
//!
//! While somebody is awake, an injected task wakes nobody: who is awake visits the queue, and the sentry sees to it that a task does
//! not wait long. Waking a worker costs more than most tasks do.

use std::sync::Arc;

use crate::primitives::Mutex;
use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::task::{Bell, Lookout};

/// See above.
pub(crate) struct Idle {
    state: Mutex<State>,
    /// How many are AWAKE.
    awake: AtomicUsize,
    /// What wakes the worker of a seat, or has a thread started there.
    bells: Box<[Arc<dyn Bell>]>,
}

struct State {
    seats: Box<[Status]>,
    /// How often each worker has gone to rest; it comes round.
    rests: Box<[u32]>,
    sentry: Option<usize>,
    /// Those who rest, but for the sentry; who came last is last.
    asleep: Vec<usize>,
}

/// What a seat's worker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// There is none.
    Vacant,
    /// It runs tasks, or was told to.
    Awake,
    /// It waits for ever.
    Asleep,
    /// It looks at the others from time to time.
    Sentry,
}

/// What a worker that rests is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rest {
    /// Nobody is awake any more.
    pub(crate) last: bool,
}

impl Idle {
    /// All seats are vacant.
    pub(crate) fn new(bells: Box<[Arc<dyn Bell>]>) -> Self {
        let seats = bells.iter().map(|_| Status::Vacant).collect();
        let rests = bells.iter().map(|_| 0).collect();
        Self {
            state: Mutex::new(State { seats, rests, sentry: None, asleep: Vec::new() }),
            awake: AtomicUsize::new(0),
            bells,
        }
    }

    /// A thread sits down; whether it is to begin as the sentry, for which it was started.
    pub(crate) fn occupy(&self, seat: usize) -> bool {
        let watches = self.status(seat) == Status::Sentry;
        if !watches {
            self.rise(seat);
        }
        watches
    }

    /// The thread leaves.
    pub(crate) fn vacate(&self, seat: usize) {
        let appointed = {
            let mut state = self.state.lock();
            self.leave(&mut state, seat);
            state.seats[seat] = Status::Vacant;
            self.appoint(&mut state)
        };
        self.ring(appointed);
    }

    /// The worker has nothing to do and is about to wait. It looks for injected tasks after this.
    pub(crate) fn rest(&self, seat: usize) -> Rest {
        let mut state = self.state.lock();
        self.leave(&mut state, seat);
        let last = self.awake() == 0;
        state.rests[seat] = state.rests[seat].wrapping_add(1);
        if state.sentry.is_none() && !last {
            state.seats[seat] = Status::Sentry;
            state.sentry = Some(seat);
        } else {
            state.seats[seat] = Status::Asleep;
            state.asleep.push(seat);
        }
        Rest { last }
    }

    /// The worker has something to do, or a reason to look.
    pub(crate) fn rise(&self, seat: usize) {
        let appointed = {
            let mut state = self.state.lock();
            self.wake(&mut state, seat);
            self.appoint(&mut state)
        };
        self.ring(appointed);
    }

    /// What the worker is.
    pub(crate) fn status(&self, seat: usize) -> Status {
        self.state.lock().seats[seat]
    }

    /// Whether nobody is awake.
    pub(crate) fn all_rest(&self) -> bool {
        self.state.lock().seats.iter().all(|status| *status != Status::Awake)
    }

    /// Copies what everybody is, and how often each has gone to rest.
    pub(crate) fn survey(&self, into: &mut Vec<(Status, u32)>) {
        into.clear();
        let state = self.state.lock();
        into.extend(state.seats.iter().copied().zip(state.rests.iter().copied()));
    }

    /// The sentry has seen nothing move for long: it sleeps. `false` if somebody is awake after all.
    pub(crate) fn stand_down(&self, seat: usize) -> bool {
        let mut state = self.state.lock();
        if self.awake() > 0 || state.sentry != Some(seat) {
            return false;
        }
        state.sentry = None;
        state.seats[seat] = Status::Asleep;
        state.asleep.push(seat);
        true
    }

    /// Wakes somebody, if all rest.
    pub(crate) fn wake_one(&self) {
        if let Some(bell) = self.injected() {
            bell.ring();
        }
    }

    fn awake(&self) -> usize {
        // Relaxed: it changes under the lock of the state; who asks without it holds the injection queue's, see the top.
        self.awake.load(Ordering::Relaxed)
    }

    /// Takes `seat` out of wherever it is.
    fn leave(&self, state: &mut State, seat: usize) {
        match state.seats[seat] {
            Status::Awake => {
                self.awake.fetch_sub(1, Ordering::Relaxed);
            }
            Status::Sentry => state.sentry = None,
            Status::Asleep => state.asleep.retain(|&asleep| asleep != seat),
            Status::Vacant => {}
        }
    }

    fn wake(&self, state: &mut State, seat: usize) {
        if state.seats[seat] != Status::Awake {
            self.leave(state, seat);
            state.seats[seat] = Status::Awake;
            self.awake.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes somebody sentry, if there is none and somebody is awake; who must be rung for it.
    fn appoint(&self, state: &mut State) -> Option<usize> {
        if state.sentry.is_some() || self.awake() == 0 {
            return None;
        }
        let chosen = state.asleep.pop().or_else(|| state.vacant())?;
        state.sentry = Some(chosen);
        state.seats[chosen] = Status::Sentry;
        Some(chosen)
    }

    fn ring(&self, seat: Option<usize>) {
        if let Some(seat) = seat {
            self.bells[seat].ring();
        }
    }
}

impl State {
    fn vacant(&self) -> Option<usize> {
        // From the end: callers of `block_on` take the first.
        self.seats.iter().rposition(|status| *status == Status::Vacant)
    }
}

impl Lookout for Idle {
    fn injected(&self) -> Option<Arc<dyn Bell>> {
        if self.awake() > 0 {
            return None;
        }
        let mut state = self.state.lock();
        if self.awake() > 0 {
            return None;
        }
        // The sentry would need another one.
        let chosen = state.asleep.last().copied().or(state.sentry).or_else(|| state.vacant())?;
        self.wake(&mut state, chosen);
        Some(Arc::clone(&self.bells[chosen]))
    }

    fn rouse(&self, seat: usize) {
        self.bells[seat].ring();
    }
}

#[cfg(test)]
mod checks {
    use std::ptr::NonNull;

    use super::*;
    use crate::models::explore;
    use crate::primitives::{Cell, thread};
    use crate::queue::{Injection, Linked};

    struct Task(Cell<*const Task>);

    // SAFETY: the link is a field that only the queue writes.
    #[allow(unsafe_code)]
    unsafe impl Linked for Task {
        fn link(&self) -> &Cell<*const Self> {
            &self.0
        }
    }

    /// Counts its rings.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Bell for Counted {
        fn ring(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn bench(seats: usize) -> (Arc<Idle>, Vec<Arc<Counted>>) {
        let bells: Vec<_> = (0..seats).map(|_| Arc::new(Counted(AtomicUsize::new(0)))).collect();
        let idle = Arc::new(Idle::new(bells.iter().map(|bell| Arc::clone(bell) as Arc<dyn Bell>).collect()));
        (idle, bells)
    }

    impl Idle {
        /// What holds whenever nobody is in the middle of a step.
        fn check(&self) {
            let state = self.state.lock();
            let sentries: Vec<_> = (0..state.seats.len()).filter(|&seat| state.seats[seat] == Status::Sentry).collect();
            assert!(sentries.len() <= 1, "two sentries");
            assert_eq!(sentries.first().copied(), state.sentry);
            let awake = state.seats.iter().filter(|status| **status == Status::Awake).count();
            assert_eq!(awake, self.awake());
            let idle = state.seats.len() - awake;
            assert!(awake == 0 || idle == 0 || state.sentry.is_some(), "somebody is awake and nobody watches");
        }
    }

    /// A worker goes to rest while a task is injected: it finds the task, or is rung. Broken once each: the worker looks before it says
    /// that it rests; it looks without the queue's lock (both: nobody comes).
    #[test]
    fn injected_while_the_last_goes_to_rest() {
        explore(|| {
            let (idle, bells) = bench(1);
            idle.occupy(0);
            let queue = Arc::new(Injection::new());
            let pusher = thread::spawn({
                let (idle, queue) = (Arc::clone(&idle), Arc::clone(&queue));
                move || {
                    let task = NonNull::from(Box::leak(Box::new(Task(Cell::new(std::ptr::null())))));
                    // SAFETY: in no queue, and alive until it is taken out.
                    #[allow(unsafe_code)]
                    let bell = unsafe { queue.push(task, || idle.injected()) }.expect("it is open");
                    if let Some(bell) = bell {
                        bell.ring();
                    }
                }
            });
            idle.rest(0);
            let found = !queue.is_empty();
            pusher.join().unwrap();
            assert!(found || bells[0].0.load(Ordering::Relaxed) > 0, "the task waits, and nobody knows of it");
            queue.pop_batch(1, |task| {
                // SAFETY: made from a box, taken out once.
                #[allow(unsafe_code)]
                drop(unsafe { Box::from_raw(task.as_ptr()) });
            });
        });
    }

    /// Two workers go to rest and get up again, in any order, and a third stands down: there is one sentry at most, and whoever is awake
    /// is watched if another rests. Broken once each: `rise` that appoints nobody, `rest` that makes every worker sentry.
    #[test]
    fn workers_rest_and_rise() {
        explore(|| {
            let (idle, _bells) = bench(3);
            (0..3).for_each(|seat| _ = idle.occupy(seat));
            let others = [1, 2].map(|seat| {
                let idle = Arc::clone(&idle);
                thread::spawn(move || {
                    idle.rest(seat);
                    idle.check();
                    if seat == 1 {
                        idle.rise(seat);
                    } else {
                        idle.stand_down(seat);
                    }
                    idle.check();
                })
            });
            idle.rest(0);
            idle.check();
            idle.rise(0);
            idle.check();
            others.into_iter().for_each(|other| other.join().unwrap());
            idle.check();
        });
    }
}
