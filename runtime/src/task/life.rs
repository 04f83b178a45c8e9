//! The state of a `Shared` task: one atomic word, moved on by whoever has something to do with the task.
//!
//! ```text
//!                wake                run                    ready
//!    idle ──────────────► ACTIVE ─────────► ACTIVE, polled ────────► DONE
//!      ▲                                        │ │ pending, NOTIFIED meanwhile: queued again, still ACTIVE
//!      └────────────────────────────────────────┘ └──────────────────────────────────────────────────────►
//!                      pending
//! ```
//!
//! | flag | meaning |
//! |---|---|
//! | ACTIVE | somebody is responsible: the task is in a queue, on its way there, or running; who sets it queues the task |
//! | NOTIFIED | woken since it became ACTIVE: it may not rest before another poll has begun |
//! | CANCELLED | the next run drops the future instead of polling it |
//! | DONE | the future is gone; the output, if anybody wants it, is there |
//! | JOIN | a join handle exists and has not had the output |
//! | WAITS | the joiner's waker is in its slot: who sets DONE takes it |
//! | MERGED | always: every reference is counted here, as in a `Local` cell that was merged |
//!
//! Being queued and being polled are one state on purpose. A poll begins with a load, and only one that finds NOTIFIED needs an
//! exchange; a task that wakes itself goes back into the queue without one. From spawn to end that is one read-modify-write to
//! finish, two more for a joiner that waits, and two for each time that the task sleeps: to rest, and to be woken.
//!
//! Who is responsible reads and writes the plain fields of the header and the future: every hand-over (wake to queue, queue to
//! run, rest to the next wake) goes through this word or a queue with Release and Acquire.

use super::shared::{MERGED, ONE, SHIFT, SharedWord};
use crate::primitives::LoadToExchange;
use crate::primitives::atomic::Ordering;

const ACTIVE: isize = 1;
const NOTIFIED: isize = 1 << 1;
const CANCELLED: isize = 1 << 2;
const DONE: isize = 1 << 3;
const JOIN: isize = 1 << 4;
const WAITS: isize = 1 << 6;

const _: () = assert!(MERGED & (ACTIVE | NOTIFIED | CANCELLED | DONE | JOIN | WAITS) == 0);
const _: () = assert!(WAITS < ONE);

/// The word of a `Shared` task.
#[derive(Clone, Copy)]
pub(super) struct Life<'a>(&'a SharedWord);

/// What a wake leaves to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(super) enum Woken {
    /// Nothing; the cell may be gone.
    Nothing,
    /// This thread has made the task ACTIVE: it puts it into a queue.
    Schedule,
    /// This thread gave the last reference back: it frees the cell.
    Free,
}

/// What the end of a task leaves to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(super) enum Ended {
    /// The list's reference is still there, and the joiner's waker is ours to take if this is true.
    Kept { joiner: bool },
    /// The list's reference was given back, and others are left: the cell may be gone.
    Released,
    /// The list's reference was the last: free the cell.
    Free,
}

impl<'a> Life<'a> {
    pub(super) fn of(word: &'a SharedWord) -> Self {
        Self(word)
    }

    /// Of a task that is about to be queued: two references, the join handle's and the list's.
    #[inline(always)]
    pub(super) fn new_word() -> SharedWord {
        SharedWord::with((2 * ONE) | MERGED | ACTIVE | JOIN)
    }

    /// Makes it the word of a task that was cancelled before anybody queued it: one reference, the join handle's. Only for who
    /// alone knows the cell.
    pub(super) fn orphan(self) {
        // Relaxed: whoever hands the reference to another thread publishes this, too.
        self.0.word().store(ONE | MERGED | DONE | JOIN, Ordering::Relaxed);
    }

    // --- who holds a reference ---

    /// Notes that the task is to run.
    #[inline]
    pub(super) fn wake(self) -> bool {
        self.step(|word| (word & DONE == 0).then(|| woken(word))).is_some_and(|word| word & ACTIVE == 0)
    }

    /// The same, and gives the reference back, in one step.
    #[inline]
    pub(super) fn wake_by_value(self) -> Woken {
        let before = self.always(|word| if word & DONE == 0 { woken(word) - ONE } else { word - ONE });
        if before & DONE != 0 {
            return if before >> SHIFT == 1 { Woken::Free } else { Woken::Nothing };
        }
        if before & ACTIVE == 0 { Woken::Schedule } else { Woken::Nothing }
    }

    /// Notes that the task is to be cancelled; `true` if this thread has made it ACTIVE and puts it into a queue.
    pub(super) fn cancel(self) -> bool {
        self.step(|word| (word & DONE == 0).then(|| woken(word) | CANCELLED)).is_some_and(|word| word & ACTIVE == 0)
    }

    /// Whether the output is there, or was.
    #[inline]
    pub(super) fn is_done(self) -> bool {
        // Acquire pairs with the Release in `end`: the joiner may read the output.
        self.0.word().load(Ordering::Acquire) & DONE != 0
    }

    /// Gives a reference back; `true` if it was the last of all: free the cell.
    #[inline]
    pub(super) fn release(self) -> bool {
        // Acquire pairs with the Release of every step that gave a reference back. If this is the only reference that exists,
        // nobody can make another, and no exchange is needed.
        let word = self.0.word();
        if word.load(Ordering::Acquire) >> SHIFT == 1 {
            return true;
        }
        word.fetch_sub(ONE, Ordering::AcqRel) >> SHIFT == 1
    }

    // --- the join handle ---

    /// The joiner's waker is in the slot, which is the completer's from now on. `false`: the output is there, and the slot is
    /// still ours.
    pub(super) fn wait(self) -> bool {
        self.step(|word| (word & DONE == 0).then_some(word | WAITS)).is_some()
    }

    /// Takes the slot back. `false`: the output is there, and the slot not ours.
    pub(super) fn stop_waiting(self) -> bool {
        self.step(|word| (word & DONE == 0).then_some(word & !WAITS)).is_some()
    }

    /// Whether the slot is the completer's.
    pub(super) fn waits(self) -> bool {
        // Only the join handle itself changes it.
        self.0.word().load(Ordering::Relaxed) & WAITS != 0
    }

    /// The join handle goes, with its reference, before the output is there. `false`: it is there, and nothing was done.
    pub(super) fn join_gone(self) -> bool {
        self.step(|word| (word & DONE == 0).then_some((word & !JOIN) - ONE)).is_some()
    }

    // --- who is responsible for the task ---

    /// A run begins; `false` if the future is to be dropped instead of polled.
    #[inline]
    pub(super) fn begin(self) -> bool {
        let word = self.0.word();
        let mut now = word.load(Ordering::Acquire);
        if now & NOTIFIED != 0 {
            // Acquire pairs with the Release of every wake until here: the poll sees what they are about.
            now = word.fetch_and(!NOTIFIED, Ordering::AcqRel);
        }
        now & CANCELLED == 0
    }

    /// The poll returned pending: gives the responsibility up. `false` if the task was notified meanwhile: it is still ours, to
    /// be queued again.
    #[inline]
    pub(super) fn rest(self) -> bool {
        // Release hands the future to whoever wakes the task next.
        self.step(|word| (word & NOTIFIED == 0).then_some(word & !ACTIVE)).is_some()
    }

    /// The future is gone: publishes the output, and gives the list's reference back if `unlisted` says that the cell is in no
    /// list any more. If nobody wants the output, `drop_output` is called first.
    #[inline]
    pub(super) fn end(self, unlisted: bool, drop_output: impl FnOnce()) -> Ended {
        let mut drop_output = Some(drop_output);
        let mut word = self.0.word().load_to_exchange(Ordering::Acquire);
        loop {
            if word & JOIN == 0
                && let Some(drop_output) = drop_output.take()
            {
                // Nobody can come to want it.
                drop_output();
            }
            let joiner = word & WAITS != 0;
            let keep = joiner || !unlisted;
            let done = (word & !(ACTIVE | NOTIFIED | CANCELLED)) | DONE;
            let next = if keep { done } else { done - ONE };
            // Release publishes the output and everything that was done to the cell; Acquire shows the joiner's waker, and to who
            // frees the cell what others did.
            match self.0.word().compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Err(now) => word = now,
                Ok(_) if keep => return Ended::Kept { joiner },
                Ok(_) if next >> SHIFT == 0 => return Ended::Free,
                Ok(_) => return Ended::Released,
            }
        }
    }

    /// Applies `next` in one step unless it gives nothing; answers with the word as it was before.
    #[inline(always)]
    fn step(self, next: impl Fn(isize) -> Option<isize>) -> Option<isize> {
        // Acquire, also where nothing is done: who is told that it is DONE may read the output.
        let mut word = self.0.word().load_to_exchange(Ordering::Acquire);
        loop {
            // AcqRel: see the top. Even a request that is already there is made again, because the step publishes what the
            // caller wrote before.
            match self.0.word().compare_exchange_weak(word, next(word)?, Ordering::AcqRel, Ordering::Acquire) {
                Ok(before) => return Some(before),
                Err(now) => word = now,
            }
        }
    }

    #[inline(always)]
    fn always(self, next: impl Fn(isize) -> isize) -> isize {
        self.step(|word| Some(next(word))).expect("there always is a next word")
    }
}

/// The word of a task that is not DONE, once woken.
#[inline(always)]
fn woken(word: isize) -> isize {
    if word & ACTIVE == 0 { word | ACTIVE } else { word | NOTIFIED }
}
