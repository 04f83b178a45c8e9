//! The half of a cell's state that any thread may touch: one word with a signed count in the high bits and requests to the
//! owner in the low ones. Every transition is one atomic step; between two, the owner may free the cell.
//!
//! | flag | set by | meaning | cleared by |
//! |---|---|---|---|
//! | QUEUED | remote | the cell is in the inbox or about to be; exactly one thread pushes it | owner, on taking it out |
//! | WAKE | remote | schedule it | owner, with QUEUED |
//! | ABORT | remote | cancel it | owner, with QUEUED |
//! | JOIN_WAIT | remote join handle | the remote join slot is filled | owner, with QUEUED |
//! | JOIN_GONE | remote join handle | dropped before the output was there: it is the owner's to drop | owner, with QUEUED |
//! | MERGED | owner | final: the word's count is the whole count, no other flag is or will be set | nobody |

use crate::primitives::LoadToExchange;
use crate::primitives::atomic::{AtomicIsize, Ordering};

const QUEUED: isize = 1;
const WAKE: isize = 1 << 1;
const ABORT: isize = 1 << 2;
const JOIN_WAIT: isize = 1 << 3;
const JOIN_GONE: isize = 1 << 4;
pub(super) const MERGED: isize = 1 << 5;
/// One bit above is used by [`Life`](super::life::Life) only, the word of a task that is counted here from the beginning.
pub(super) const SHIFT: u32 = 7;
pub(super) const ONE: isize = 1 << SHIFT;
/// A quarter of the range: who gets there has leaked references in a loop, and must not wrap around.
const TOO_MANY: isize = isize::MAX >> (SHIFT + 2);

/// The word.
pub(super) struct SharedWord(AtomicIsize, Canary);

/// Shows a model that a step may meet the end of the cell; nothing outside of models.
#[derive(Default)]
struct Canary {
    #[cfg(loom)]
    alive: crate::primitives::UnsafeCell<()>,
}

impl Canary {
    /// The cell is used.
    #[inline(always)]
    fn look(&self) {
        #[cfg(loom)]
        self.alive.with(|_| ());
    }

    /// The cell is about to be freed.
    #[inline(always)]
    fn end(&self) {
        #[cfg(loom)]
        self.alive.with_mut(|_| ());
    }
}

/// What a remote request asks for.
#[derive(Clone, Copy)]
pub(super) enum Request {
    Wake,
    Abort,
    JoinWait,
}

/// What the remote side owes after a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(super) enum Owed {
    /// Nothing; the cell may be gone.
    Nothing,
    /// This thread set QUEUED: it pushes the cell on its home's inbox.
    Push,
    /// This thread took the count of a merged cell to zero: it frees the cell.
    Free,
}

/// The requests and references that the owner takes over at once.
#[derive(Clone, Copy)]
pub(super) struct Taken(isize);

impl Taken {
    pub(super) fn references(self) -> isize {
        self.0 >> SHIFT
    }
    pub(super) fn wake(self) -> bool {
        self.0 & WAKE != 0
    }
    pub(super) fn abort(self) -> bool {
        self.0 & ABORT != 0
    }
    pub(super) fn join_wait(self) -> bool {
        self.0 & JOIN_WAIT != 0
    }
    pub(super) fn join_gone(self) -> bool {
        self.0 & JOIN_GONE != 0
    }
}

impl SharedWord {
    /// The word of a cell whose references are all on the owner's side.
    pub(super) fn new() -> Self {
        Self(AtomicIsize::new(0), Canary::default())
    }

    /// The word of a cell that a remote thread made: one reference (its join handle), to be pushed and scheduled.
    pub(super) fn new_queued() -> Self {
        Self(AtomicIsize::new(ONE | QUEUED | WAKE), Canary::default())
    }

    /// A word that others give a meaning.
    #[inline(always)]
    pub(super) fn with(word: isize) -> Self {
        Self(AtomicIsize::new(word), Canary::default())
    }

    /// The word itself, for [`Life`](super::life::Life).
    #[inline(always)]
    pub(super) fn word(&self) -> &AtomicIsize {
        self.1.look();
        &self.0
    }

    /// Makes it the word of a cell that never gets a home: one reference. Only for who alone knows the cell.
    pub(super) fn orphan(&self) {
        // Relaxed: whoever hands the first reference to another thread publishes this, too.
        self.0.store(ONE | MERGED, Ordering::Relaxed);
    }

    // --- remote side ---

    /// One more reference.
    pub(super) fn clone_remote(&self) {
        self.1.look();
        // Relaxed: the new reference is derived from one that exists, as in `Arc`.
        let before = self.0.fetch_add(ONE, Ordering::Relaxed);
        if before >> SHIFT > TOO_MANY {
            std::process::abort();
        }
    }

    /// One reference less.
    pub(super) fn drop_remote(&self) -> Owed {
        self.step(release, |word| word - ONE)
    }

    /// A request by someone who keeps the reference. Even a request that is already there is made again: only the step
    /// publishes what the caller wrote before.
    pub(super) fn request(&self, request: Request) -> Owed {
        self.step(|word| word | request.flag() | QUEUED, |word| word)
    }

    /// Wakes and gives the reference back, in one step.
    pub(super) fn wake_by_value(&self) -> Owed {
        self.step(|word| (word - ONE) | WAKE | QUEUED, |word| word - ONE)
    }

    /// The join handle goes before the output is there. `None` if the cell has been merged meanwhile: then nothing was done,
    /// and the output is there.
    pub(super) fn join_gone(&self) -> Option<Owed> {
        self.try_step(|word| Some((word - ONE) | JOIN_GONE | QUEUED), |_| None)
    }

    /// Applies `biased` or `merged`, whichever the word is, in one step.
    fn step(&self, biased: impl Fn(isize) -> isize, merged: impl Fn(isize) -> isize) -> Owed {
        self.try_step(|word| Some(biased(word)), |word| Some(merged(word))).expect("both always have a next word")
    }

    /// The same, unless the one that applies has no next word.
    #[inline(always)]
    fn try_step(
        &self,
        biased: impl Fn(isize) -> Option<isize>,
        merged: impl Fn(isize) -> Option<isize>,
    ) -> Option<Owed> {
        self.1.look();
        // Acquire, if nothing is done to a merged word: pairs with the Release in `merge`, so what the owner left is visible.
        let mut word = self.0.load_to_exchange(Ordering::Acquire);
        loop {
            let is_merged = word & MERGED != 0;
            let next = if is_merged { merged(word) } else { biased(word) }?;
            // Release publishes what this thread did with the cell to who frees it (`take`, `references_if_quiet`, or the
            // last drop); Acquire lets the last drop see everybody's.
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Err(now) => word = now,
                Ok(_) if is_merged && next >> SHIFT == 0 => return Some(Owed::Free),
                Ok(_) if !is_merged && word & QUEUED == 0 && next & QUEUED != 0 => return Some(Owed::Push),
                Ok(_) => return Some(Owed::Nothing),
            }
        }
    }

    /// The cell is about to be freed, by whoever found that nobody else knows it.
    #[inline(always)]
    pub(super) fn end(&self) {
        self.1.end();
    }

    // --- owner side ---

    /// Takes over all references and requests of a cell that was taken out of the inbox.
    pub(super) fn take(&self) -> Taken {
        self.1.look();
        // Acquire pairs with the Release in `try_step`: the poll sees what the wakers wrote.
        Taken(self.0.swap(0, Ordering::AcqRel))
    }

    /// Takes over the references and leaves the requests.
    #[cold]
    pub(super) fn take_references(&self) -> isize {
        // Release sequences go on; Acquire as in `take`.
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| Some(word & (ONE - 1)));
        taken.unwrap_or_else(|word| word) >> SHIFT
    }

    /// Counts references here that the owner has no room for.
    pub(super) fn give_back(&self, references: isize) {
        // Relaxed: the owner knows that they exist.
        if references != 0 {
            self.0.fetch_add(references << SHIFT, Ordering::Relaxed);
        }
    }

    /// The references on this side, or `None` while the cell is queued.
    #[inline]
    pub(super) fn references_if_quiet(&self) -> Option<isize> {
        self.1.look();
        // Acquire pairs with the Release of every remote step that gave a reference back, through the release sequence: if
        // nothing is left, the owner may free the cell after this load alone.
        let word = self.0.load(Ordering::Acquire);
        (word & QUEUED == 0).then_some(word >> SHIFT)
    }

    /// Makes the word's count the whole count, `references` of which were seen by
    /// [`references_if_quiet`](Self::references_if_quiet) and `owned` of which were the owner's. `false` if the word has
    /// changed since.
    pub(super) fn merge(&self, references: isize, owned: isize) -> bool {
        self.1.look();
        let next = ((references + owned) << SHIFT) | MERGED;
        // Release publishes the owner's last writes to who frees the cell.
        self.0.compare_exchange(references << SHIFT, next, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Request {
    fn flag(self) -> isize {
        match self {
            Self::Wake => WAKE,
            Self::Abort => ABORT,
            Self::JoinWait => JOIN_WAIT,
        }
    }
}

/// A biased cell's count minus one; below zero only the owner can tell whether it was the last, so it must look.
fn release(word: isize) -> isize {
    let next = word - ONE;
    if next < 0 { next | QUEUED } else { next }
}
