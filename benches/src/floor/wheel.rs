//! A timer wheel of one level, and the sleep over it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::executor;

/// Length of a tick, 65.5 µs, as a power of two of nanoseconds: deadlines are rounded up to whole ticks.
const TICK_SHIFT: u32 = 16;
/// Slots of the wheel; a deadline further away than the wheel goes round stays in its slot until its turn.
const SLOTS: usize = 4096;
const NONE: u32 = u32::MAX;

/// The armed timers of one executor.
pub struct Timers {
    start: Instant,
    /// The next tick to be looked at.
    tick: u64,
    armed: usize,
    /// The first entry of each slot, and which slots have one.
    slots: Box<[u32; SLOTS]>,
    occupied: [u64; SLOTS / 64],
    entries: Vec<Entry>,
    free: u32,
}

struct Entry {
    tick: u64,
    waker: Option<Waker>,
    previous: u32,
    next: u32,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            tick: 0,
            armed: 0,
            slots: Box::new([NONE; SLOTS]),
            occupied: [0; SLOTS / 64],
            entries: Vec::new(),
            free: NONE,
        }
    }
}

impl Timers {
    /// Sleeps until the next timer is due and wakes all that are.
    ///
    /// # Panics
    ///
    /// Panics if no timer is armed: then nothing would ever wake the thread.
    pub(super) fn wait(timers: &RefCell<Self>) {
        let now = Instant::now();
        let due = timers.borrow().next_due().expect("every task waits and no timer is armed");
        if let Some(ahead) = due.checked_duration_since(now) {
            std::thread::sleep(ahead);
        }
        let until = timers.borrow().ticks(Instant::now());
        while let Some(waker) = { timers.borrow_mut().pop_due(until) } {
            waker.wake();
        }
    }

    fn insert(&mut self, deadline: Instant, waker: Waker) -> u32 {
        let tick = (self.ticks(deadline) + 1).max(self.tick);
        let slot = tick as usize % SLOTS;
        let next = self.slots[slot];
        let entry = Entry { tick, waker: Some(waker), previous: NONE, next };
        let key = if self.free == NONE {
            self.entries.push(entry);
            self.entries.len() as u32 - 1
        } else {
            let key = self.free;
            self.free = std::mem::replace(&mut self.entries[key as usize], entry).next;
            key
        };
        if next != NONE {
            self.entries[next as usize].previous = key;
        }
        self.slots[slot] = key;
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.armed += 1;
        key
    }

    /// Takes an entry out of its slot; its key stays the caller's until [`release`](Self::release).
    fn unlink(&mut self, key: u32) -> Option<Waker> {
        let entry = &mut self.entries[key as usize];
        let waker = entry.waker.take()?;
        let (slot, previous, next) = (entry.tick as usize % SLOTS, entry.previous, entry.next);
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
        if previous != NONE {
            self.entries[previous as usize].next = next;
        } else {
            self.slots[slot] = next;
            if next == NONE {
                self.occupied[slot / 64] &= !(1 << (slot % 64));
            }
        }
        self.armed -= 1;
        Some(waker)
    }

    fn release(&mut self, key: u32) {
        self.unlink(key);
        self.entries[key as usize].next = self.free;
        self.free = key;
    }

    fn pop_due(&mut self, until: u64) -> Option<Waker> {
        while self.armed > 0 {
            let tick = self.next_occupied()?;
            if tick > until {
                break;
            }
            self.tick = tick;
            let mut key = self.slots[tick as usize % SLOTS];
            while key != NONE && self.entries[key as usize].tick > tick {
                key = self.entries[key as usize].next;
            }
            if key != NONE {
                return self.unlink(key);
            }
            self.tick += 1;
        }
        self.tick = self.tick.max(until);
        None
    }

    fn next_due(&self) -> Option<Instant> {
        let tick = self.next_occupied()?;
        Some(self.start + Duration::from_nanos(tick << TICK_SHIFT))
    }

    /// The first tick from now on whose slot has entries.
    fn next_occupied(&self) -> Option<u64> {
        let first = self.tick as usize % SLOTS;
        (0..=SLOTS / 64).find_map(|step| {
            let word = (first / 64 + step) % (SLOTS / 64);
            let mut bits = self.occupied[word];
            if step == 0 {
                bits &= !0 << (first % 64);
            }
            (bits != 0).then(|| {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                self.tick + ((slot + SLOTS - first) % SLOTS) as u64
            })
        })
    }

    fn ticks(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        (since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())) >> TICK_SHIFT
    }
}

/// A sleep: armed when first polled pending, taken out of the wheel when dropped.
pub struct Sleep {
    deadline: Instant,
    key: u32,
}

/// Sleeps for `duration` from this call.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { deadline: Instant::now() + duration, key: NONE }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timers = executor::current().timers.borrow_mut();
        if self.key == NONE {
            self.key = timers.insert(self.deadline, cx.waker().clone());
            return Poll::Pending;
        }
        match &mut timers.entries[self.key as usize].waker {
            None => Poll::Ready(()),
            Some(waker) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if self.key != NONE {
            executor::current().timers.borrow_mut().release(self.key);
        }
    }
}
