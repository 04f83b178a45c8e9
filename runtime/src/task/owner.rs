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

const SCHEDULED: i32 = 1;
const RUNNING: i32 = 1 << 1;
const CANCELLED: i32 = 1 << 2;
const DONE: i32 = 1 << 3;
const RETIRED: i32 = 1 << 4;
const JOIN_INTEREST: i32 = 1 << 5;
const REMOTE_JOIN: i32 = 1 << 6;
const MERGED_HERE: i32 = 1 << 7;
const SHIFT: u32 = 8;
const ONE: i32 = 1 << SHIFT;

/// More references than this are counted in the shared word, which has room.
const MOST: isize = 1 << 20;

/// The owner's count, which may be negative, in the high 24 bits, and the flags in the low ones.
pub(super) struct OwnerHalf(Cell<i32>);

/// References that do not fit into the owner's count: to be added to the shared word.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Excess(pub(super) isize);

impl OwnerHalf {
    /// Of a cell made by its owner: one reference (the join handle), scheduled.
    pub(super) fn new_scheduled() -> Self {
        Self(Cell::new(ONE | SCHEDULED | JOIN_INTEREST))
    }

    /// Of a cell made by its owner: one reference (the join handle), waiting to be woken.
    pub(super) fn new_idle() -> Self {
        Self(Cell::new(ONE | JOIN_INTEREST))
    }

    /// Of a cell that is merged from the beginning: nothing here counts, and the count's place has the cell's seat.
    pub(super) fn new_merged() -> Self {
        Self(Cell::new(JOIN_INTEREST | MERGED_HERE))
    }

    /// The seat whose list a `Shared` cell is in, or was.
    pub(super) fn seat(&self) -> Option<usize> {
        usize::try_from(self.count() - 1).ok()
    }

    /// The cell is in the list of this seat.
    pub(super) fn set_seat(&self, seat: usize) {
        let place = i32::try_from(seat).expect("there are not so many seats") + 1;
        self.0.set((place << SHIFT) | (self.0.get() & (ONE - 1)));
    }

    /// Of a cell made remotely: the join handle is counted on the other side, and the request to schedule is there too.
    pub(super) fn new_remote() -> Self {
        Self(Cell::new(JOIN_INTEREST))
    }

    /// One more reference.
    #[inline]
    pub(super) fn increment(&self) -> Excess {
        if self.count() >= MOST {
            return Excess(1);
        }
        self.0.set(self.0.get() + ONE);
        Excess(0)
    }

    /// One reference less; `true` if the count must be looked at: the cell is retired and to be settled, or the count is
    /// [overdrawn](Self::is_overdrawn).
    #[inline]
    #[must_use]
    pub(super) fn decrement(&self) -> bool {
        let state = self.0.get() - ONE;
        self.0.set(state);
        state < ONE && (state & RETIRED != 0 || self.is_overdrawn())
    }

    /// So many references were cloned remotely and given back here, with no request in between, that the count must be made
    /// up from the shared word before it overflows.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.count() < -MOST
    }

    pub(super) fn is_retired(&self) -> bool {
        self.is(RETIRED)
    }

    /// Takes over references that were counted on the other side.
    pub(super) fn add(&self, references: isize) -> Excess {
        let sum = self.count() + references;
        let kept = sum.clamp(-MOST, MOST);
        self.0.set(((kept as i32) << SHIFT) | (self.0.get() & (ONE - 1)));
        Excess(sum - kept)
    }

    #[inline]
    pub(super) fn count(&self) -> isize {
        (self.0.get() >> SHIFT) as isize
    }

    /// A wake; `true` if the cell must be appended to the run queue.
    #[inline]
    #[must_use]
    pub(super) fn wake(&self) -> bool {
        let flags = self.0.get();
        if flags & (SCHEDULED | DONE) != 0 {
            return false;
        }
        self.0.set(flags | SCHEDULED);
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
        self.0.set(DONE | RETIRED | JOIN_INTEREST | MERGED_HERE);
    }

    /// Taken from the run queue; `false` if the future is to be dropped instead of polled.
    #[inline]
    #[must_use]
    pub(super) fn begin(&self) -> bool {
        let flags = self.0.get();
        if cfg!(any(debug_assertions, loom)) {
            assert_eq!(flags & (RUNNING | DONE | MERGED_HERE), 0, "run while running, or after the end");
        }
        self.0.set((flags & !SCHEDULED) | RUNNING);
        flags & CANCELLED == 0
    }

    /// The poll returned pending; `true` if the cell was woken meanwhile and must be appended to the run queue.
    #[inline]
    #[must_use]
    pub(super) fn pause(&self) -> bool {
        let flags = self.0.get() & !RUNNING;
        self.0.set(flags);
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
        self.0.set((self.0.get() & !RUNNING) | RETIRED);
        self.count() <= 0
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
    fn is(&self, flag: i32) -> bool {
        self.0.get() & flag != 0
    }

    #[inline]
    fn set(&self, flag: i32) {
        self.0.set(self.0.get() | flag);
    }

    fn clear(&self, flag: i32) {
        self.0.set(self.0.get() & !flag);
    }
}
