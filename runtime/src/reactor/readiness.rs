//! What is known about one source, and who waits for more.
//!
//! Events are edge-triggered: each is told once, so a mark that is lost is a task that hangs. Two rules keep it:
//!
//! - A task that has used up what it saw says when it saw it. The word holds a tick that every event moves on, and a direction
//!   counts as used up only while the tick is the one it was [cleared](Readiness::clear) with: a late clear cannot eat a fresh
//!   event. It is a plain store besides, where taking bits out of the word would be a compare-exchange per request.
//! - The word is written under the lock of the waiters, and who finds nothing stores its waker under that lock after looking again.
//!   Whichever section comes second sees what the other did.

use crate::primitives::Mutex;
use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::reactor::ready::{Interest, Ready};
use slab::Slab;
use std::task::{Context, Poll, Waker};

/// Ready bits, tick and waiters of one source.
pub(crate) struct Readiness {
    /// Eight bits of readiness, then the tick.
    word: AtomicUsize,
    /// The tick whose `READABLE` is used up, or `NO_TICK`.
    read_up: AtomicUsize,
    /// The tick whose `WRITABLE` is used up, or `NO_TICK`.
    written_up: AtomicUsize,
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
    tick: usize,
}

const READY_MASK: usize = 0xff;
const ABANDONED: usize = 0x80;
const ONE_TICK: usize = 0x100;
/// No tick: their lower bits are zero.
const NO_TICK: usize = 1;

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
        Self {
            word: AtomicUsize::new(presumed.bits().into()),
            read_up: AtomicUsize::new(NO_TICK),
            written_up: AtomicUsize::new(NO_TICK),
            waiters: Mutex::new(Waiters::default()),
        }
    }

    /// An event came: adds `ready` and gives out the wakers of those whom it concerns.
    pub(crate) fn mark(&self, ready: Ready, woken: &mut Vec<Waker>) {
        let mut waiters = self.waiters.lock();
        self.next_tick(ready.bits().into());
        waiters.take(ready, woken);
    }

    /// The driver is gone: everybody wakes, and everybody who looks from now on is told.
    pub(crate) fn abandon(&self, woken: &mut Vec<Waker>) {
        let mut waiters = self.waiters.lock();
        self.next_tick(ABANDONED);
        waiters.take(Ready::ALL, woken);
    }

    /// Moves the tick on, keeps what is not used up, and adds `bits`. Only under the lock of the waiters.
    fn next_tick(&self, bits: usize) {
        let word = self.word.load(Ordering::Relaxed);
        let used_up = self.used_up(word);
        // Forgotten with the bits they stood for, so that they cannot be taken for a tick that comes round again (on 32 bits).
        for (up, direction) in [(&self.read_up, Ready::READABLE), (&self.written_up, Ready::WRITABLE)] {
            if !(used_up & direction).is_empty() {
                up.store(NO_TICK, Ordering::Relaxed);
            }
        }
        let left = word & READY_MASK & !usize::from(used_up.bits());
        let tick = (word & !READY_MASK).wrapping_add(ONE_TICK);
        // Release: who sees these bits then asks the kernel, and must find there what the event was about (pairs with `observe`).
        self.word.store(tick | left | bits, Ordering::Release);
    }

    /// What is ready of that which `interest` waits for.
    #[inline]
    pub(crate) fn observe(&self, interest: Interest) -> Option<Observed> {
        let word = self.word.load(Ordering::Acquire);
        let ready = (Ready::from_bits(word as u8) - self.used_up(word)) & with_urgency(interest.satisfied_by());
        let abandoned = word & ABANDONED != 0;
        let satisfied = !(ready & interest.satisfied_by()).is_empty() || abandoned;
        satisfied.then_some(Observed { ready, abandoned, tick: word & !READY_MASK })
    }

    /// Relaxed: who does not see that another thread used a tick up asks the kernel once too often, and that is all.
    #[inline]
    fn used_up(&self, word: usize) -> Ready {
        let tick = word & !READY_MASK;
        let mut used_up = Ready::EMPTY;
        if self.read_up.load(Ordering::Relaxed) == tick {
            used_up |= Ready::READABLE;
        }
        if self.written_up.load(Ordering::Relaxed) == tick {
            used_up |= Ready::WRITABLE;
        }
        used_up
    }

    /// Takes back `used_up`, unless an event came since `observed` was seen. No event repeats an end, so only who has seen that it is
    /// none takes it back.
    #[inline]
    pub(crate) fn clear(&self, observed: Observed, used_up: Ready) {
        if !(used_up & Ready::READABLE).is_empty() {
            self.read_up.store(observed.tick, Ordering::Relaxed);
        }
        if !(used_up & Ready::WRITABLE).is_empty() {
            self.written_up.store(observed.tick, Ordering::Relaxed);
        }
        let rare = used_up - (Ready::READABLE | Ready::WRITABLE);
        if !rare.is_empty() {
            self.clear_rare(observed, rare);
        }
    }

    #[cold]
    fn clear_rare(&self, observed: Observed, used_up: Ready) {
        let _waiters = self.waiters.lock();
        let word = self.word.load(Ordering::Relaxed);
        if word & !READY_MASK == observed.tick {
            self.word.store(word & !usize::from(used_up.bits()), Ordering::Release);
        }
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

    /// All whom `ready` concerns.
    fn take(&mut self, ready: Ready, woken: &mut Vec<Waker>) {
        if ready.is_readable() {
            woken.extend(self.reader.take());
        }
        if ready.is_writable() {
            woken.extend(self.writer.take());
        }
        for (_, waiter) in self.futures.iter_mut() {
            if !(waiter.interest.satisfied_by() & ready).is_empty() {
                woken.extend(waiter.waker.take());
            }
        }
    }
}

/// Readers are told of urgent data and errors beside what they wait for: a short read means less then.
fn with_urgency(ready: Ready) -> Ready {
    ready | Ready::PRIORITY | Ready::ERROR
}
