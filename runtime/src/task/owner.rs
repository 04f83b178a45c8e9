//! The half of a cell's state that only the thread which drives its home touches: plain, no atomics.
//!
//! ```text
//!               wake                 run                 Ready
//!    idle ──────────────► SCHEDULED ─────► RUNNING ──────────────► DONE ──► RETIRED (joiner told)
//!      ▲                      ▲               │ Pending
//!      │                      └───────────────┤ woken meanwhile
//!      └──────────────────────────────────────┘ not woken
//! ```
//!
//! | flag | meaning |
//! |---|---|
//! | SCHEDULED | in the run queue, or to be put there when the poll that goes on now ends |
//! | RUNNING | a poll, or the drop of the future, is going on |
//! | CANCELLED | the next run drops the future instead of polling it |
//! | DONE | the future is gone; the output, if anybody wants it, is there |
//! | RETIRED | the joiner was told: only memory and perhaps an output remain |
//! | JOIN_INTEREST | a join handle exists |
//! | REMOTE_JOIN | the joiner waits in the remote slot |
//! | MERGED_HERE | the shared word counts everything now; the owner half is never written again |

use crate::primitives::Cell;

const SCHEDULED: u8 = 1;
const RUNNING: u8 = 1 << 1;
const CANCELLED: u8 = 1 << 2;
const DONE: u8 = 1 << 3;
const RETIRED: u8 = 1 << 4;
const JOIN_INTEREST: u8 = 1 << 5;
const REMOTE_JOIN: u8 = 1 << 6;
const MERGED_HERE: u8 = 1 << 7;

/// As for the shared word: who gets there has leaked references in a loop.
const TOO_MANY: i32 = i32::MAX >> 2;

/// The owner's count and flags.
pub(super) struct OwnerHalf {
    count: Cell<i32>,
    flags: Cell<u8>,
}

impl OwnerHalf {
    /// Of a cell made by its owner: one reference (the join handle), scheduled.
    pub(super) fn new_scheduled() -> Self {
        Self { count: Cell::new(1), flags: Cell::new(SCHEDULED | JOIN_INTEREST) }
    }

    /// Of a cell made by its owner: one reference (the join handle), waiting to be woken.
    pub(super) fn new_idle() -> Self {
        Self { count: Cell::new(1), flags: Cell::new(JOIN_INTEREST) }
    }

    /// Of a cell made remotely: the join handle is counted on the other side, and the request to schedule is there too.
    pub(super) fn new_remote() -> Self {
        Self { count: Cell::new(0), flags: Cell::new(JOIN_INTEREST) }
    }

    #[inline]
    pub(super) fn increment(&self) {
        let count = self.count.get();
        if count > TOO_MANY {
            std::process::abort();
        }
        self.count.set(count + 1);
    }

    /// One reference less; `true` if the cell must be settled.
    #[inline]
    #[must_use]
    pub(super) fn decrement(&self) -> bool {
        let count = self.count.get() - 1;
        self.count.set(count);
        count <= 0 && self.is(RETIRED)
    }

    /// Takes over references that were counted on the other side.
    pub(super) fn add(&self, references: isize) {
        let sum = isize::try_from(self.count.get()).ok().and_then(|count| count.checked_add(references));
        match sum.and_then(|sum| i32::try_from(sum).ok()) {
            Some(sum) if (-TOO_MANY..=TOO_MANY).contains(&sum) => self.count.set(sum),
            _ => std::process::abort(),
        }
    }

    pub(super) fn count(&self) -> isize {
        self.count.get() as isize
    }

    /// A wake; `true` if the cell must be appended to the run queue.
    #[inline]
    #[must_use]
    pub(super) fn wake(&self) -> bool {
        let flags = self.flags.get();
        if flags & (SCHEDULED | DONE) != 0 {
            return false;
        }
        self.flags.set(flags | SCHEDULED);
        flags & RUNNING == 0
    }

    /// Keeps wakes out of the run queue from now on: the home is closing.
    pub(super) fn block_wakes(&self) {
        self.set(SCHEDULED);
    }

    /// Keeps an owner-side drop from settling the cell until [`retire`](Self::retire) is called again; answers whether the
    /// cell was retired.
    pub(super) fn hide_retired(&self) -> bool {
        let retired = self.is(RETIRED);
        self.clear(RETIRED);
        retired
    }

    /// The cell never gets a home.
    pub(super) fn orphan(&self) {
        self.flags.set(DONE | RETIRED | JOIN_INTEREST | MERGED_HERE);
    }

    /// Taken from the run queue; `false` if the future is to be dropped instead of polled.
    #[inline]
    #[must_use]
    pub(super) fn begin(&self) -> bool {
        let flags = self.flags.get();
        debug_assert!(flags & (RUNNING | DONE | MERGED_HERE) == 0);
        self.flags.set((flags & !SCHEDULED) | RUNNING);
        flags & CANCELLED == 0
    }

    /// The poll returned pending; `true` if the cell was woken meanwhile and must be appended to the run queue.
    #[inline]
    #[must_use]
    pub(super) fn pause(&self) -> bool {
        let flags = self.flags.get() & !RUNNING;
        self.flags.set(flags);
        flags & SCHEDULED != 0
    }

    /// Asks for cancellation; the caller wakes the cell afterwards.
    pub(super) fn cancel(&self) {
        self.set(CANCELLED);
    }

    /// The output is where it belongs.
    #[inline]
    pub(super) fn finish(&self) {
        self.set(DONE);
    }

    /// The joiner was told; `true` if the cell must be settled.
    #[inline]
    #[must_use]
    pub(super) fn retire(&self) -> bool {
        self.flags.set((self.flags.get() & !RUNNING) | RETIRED);
        self.count.get() <= 0
    }

    pub(super) fn merge_here(&self) {
        self.set(MERGED_HERE);
    }

    pub(super) fn undo_merge_here(&self) {
        self.clear(MERGED_HERE);
    }

    #[inline]
    pub(super) fn is_merged_here(&self) -> bool {
        self.is(MERGED_HERE)
    }

    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.is(DONE)
    }

    #[inline]
    pub(super) fn has_join_interest(&self) -> bool {
        self.is(JOIN_INTEREST)
    }

    pub(super) fn end_join_interest(&self) {
        self.clear(JOIN_INTEREST);
    }

    pub(super) fn joiner_is_remote(&self) -> bool {
        self.is(REMOTE_JOIN)
    }

    pub(super) fn set_joiner_is_remote(&self) {
        self.set(REMOTE_JOIN);
    }

    #[inline]
    fn is(&self, flag: u8) -> bool {
        self.flags.get() & flag != 0
    }

    #[inline]
    fn set(&self, flag: u8) {
        self.flags.set(self.flags.get() | flag);
    }

    fn clear(&self, flag: u8) {
        self.flags.set(self.flags.get() & !flag);
    }
}
