//! What is known about one source, and who waits for more.
//!
//! Events are edge-triggered: each is told once, so a mark that is lost is a task that hangs. Two rules keep it:
//!
//! - A task that takes a mark back says which mark it saw. The word holds a tick that every event moves on, and
//!   [`clear`](Readiness::clear) does nothing when the tick is not the one it was given: a late clear cannot eat a fresh event.
//! - Who finds nothing stores its waker under the lock and looks again before it leaves it; who marks does so before it takes the
//!   lock. Whichever section comes second sees what the other did.

use crate::primitives::Mutex;
use crate::primitives::atomic::{AtomicU32, Ordering};
use crate::reactor::ready::{Interest, Ready};
use slab::Slab;
use std::task::{Context, Poll, Waker};

/// Ready bits, tick and waiters of one source.
pub(crate) struct Readiness {
    word: AtomicU32,
    waiters: Mutex<Waiters>,
}

/// The two directions that have a waker of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What somebody saw in the word, to be given back when it is used up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    pub(crate) ready: Ready,
    /// The driver is gone: nothing will ever be marked again.
    pub(crate) abandoned: bool,
    tick: u32,
}

/// The word: eight bits of readiness, then the tick. It would take 2^24 events between a look and its clear to confuse two ticks.
const READY_MASK: u32 = 0xff;
const ONE_TICK: u32 = 0x100;
const ABANDONED: u32 = 0x80;

#[derive(Default)]
struct Waiters {
    /// Of `poll_read` and its like: the last caller's.
    reader: Option<Waker>,
    /// Of `poll_write` and its like: the last caller's.
    writer: Option<Waker>,
    /// Of the futures: as many as there are.
    futures: Slab<Waiter>,
}

struct Waiter {
    interest: Interest,
    waker: Option<Waker>,
}

impl Readiness {
    /// `presumed` is what to believe until an event or an operation tells otherwise.
    pub(crate) fn new(presumed: Ready) -> Self {
        Self { word: AtomicU32::new(presumed.bits().into()), waiters: Mutex::new(Waiters::default()) }
    }

    /// An event came: adds `ready` and gives out the wakers of those whom it concerns.
    pub(crate) fn mark(&self, ready: Ready, woken: &mut Vec<Waker>) {
        // Release: who sees these bits then asks the kernel, and must find there what the event was about (pairs with `observe`).
        self.update(Ordering::Release, |word| Some((word | u32::from(ready.bits())).wrapping_add(ONE_TICK)));
        self.take_wakers(ready, woken);
    }

    /// The driver is gone: everybody wakes, and everybody who looks from now on is told.
    pub(crate) fn abandon(&self, woken: &mut Vec<Waker>) {
        self.update(Ordering::Release, |word| Some((word | ABANDONED).wrapping_add(ONE_TICK)));
        self.take_wakers(Ready::ALL, woken);
    }

    /// What is ready of that which `interest` waits for.
    #[inline]
    pub(crate) fn observe(&self, interest: Interest) -> Option<Observed> {
        let word = self.word.load(Ordering::Acquire);
        let ready = Ready::from_bits(word as u8) & with_urgency(interest.satisfied_by());
        let abandoned = word & ABANDONED != 0;
        let satisfied = !(ready & interest.satisfied_by()).is_empty() || abandoned;
        satisfied.then_some(Observed { ready, abandoned, tick: word & !READY_MASK })
    }

    /// Takes back `used_up`, unless an event came since `observed` was seen. Ends are never taken back: no event repeats them.
    #[inline]
    pub(crate) fn clear(&self, observed: Observed, used_up: Ready) {
        let used_up = u32::from((used_up - (Ready::READ_CLOSED | Ready::WRITE_CLOSED)).bits());
        self.update(Ordering::AcqRel, |word| {
            (word & !READY_MASK == observed.tick && word & used_up != 0).then_some(word & !used_up)
        });
    }

    /// Ready, or the next event of `direction` wakes `cx`, in the place of whoever waited in this direction before.
    pub(crate) fn poll(&self, direction: Direction, cx: &Context<'_>) -> Poll<Observed> {
        let interest = direction.interest();
        if let Some(observed) = self.observe(interest) {
            return Poll::Ready(observed);
        }
        // Cloned before the lock and the replaced one dropped after it: both may run code that is not ours.
        let mut waker = Some(cx.waker().clone());
        let observed = {
            let mut waiters = self.waiters.lock();
            let observed = self.observe(interest);
            if observed.is_none() {
                std::mem::swap(waiters.slot(direction), &mut waker);
            }
            observed
        };
        drop(waker);
        observed.map_or(Poll::Pending, Poll::Ready)
    }

    /// The same for one of many: `place` is where it waits, to be given up with [`leave`](Readiness::leave).
    pub(crate) fn poll_place(&self, interest: Interest, place: &mut Option<usize>, cx: &Context<'_>) -> Poll<Observed> {
        if let Some(observed) = self.observe(interest) {
            return Poll::Ready(observed);
        }
        let mut waker = Some(cx.waker().clone());
        let observed = {
            let mut waiters = self.waiters.lock();
            let observed = self.observe(interest);
            if observed.is_none() {
                match *place {
                    Some(key) => std::mem::swap(&mut waiters.futures[key].waker, &mut waker),
                    None => *place = Some(waiters.futures.insert(Waiter { interest, waker: waker.take() })),
                }
            }
            observed
        };
        drop(waker);
        observed.map_or(Poll::Pending, Poll::Ready)
    }

    /// Gives up a place of [`poll_place`](Readiness::poll_place). An event wakes all whom it concerns, so nobody else loses by it.
    pub(crate) fn leave(&self, place: usize) {
        let waiter = self.waiters.lock().futures.remove(place);
        drop(waiter);
    }

    fn take_wakers(&self, ready: Ready, woken: &mut Vec<Waker>) {
        let mut waiters = self.waiters.lock();
        if ready.is_readable() {
            woken.extend(waiters.reader.take());
        }
        if ready.is_writable() {
            woken.extend(waiters.writer.take());
        }
        for (_, waiter) in waiters.futures.iter_mut() {
            if !(waiter.interest.satisfied_by() & ready).is_empty() {
                woken.extend(waiter.waker.take());
            }
        }
    }

    /// Replaces the word by what `change` makes of it; `None` leaves it.
    #[inline]
    fn update(&self, order: Ordering, change: impl Fn(u32) -> Option<u32>) {
        let mut word = self.word.load(Ordering::Relaxed);
        while let Some(changed) = change(word) {
            match self.word.compare_exchange_weak(word, changed, order, Ordering::Relaxed) {
                Ok(_) => return,
                Err(actual) => word = actual,
            }
        }
    }
}

impl Direction {
    pub(crate) const fn interest(self) -> Interest {
        match self {
            Direction::Read => Interest::READABLE,
            Direction::Write => Interest::WRITABLE,
        }
    }
}

impl Waiters {
    fn slot(&mut self, direction: Direction) -> &mut Option<Waker> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }
}

/// Readers are told of urgent data and errors beside what they wait for: a short read means less then.
fn with_urgency(ready: Ready) -> Ready {
    ready | Ready::PRIORITY | Ready::ERROR
}
