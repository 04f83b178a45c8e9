//! A task: a future, what became of it, and everybody who refers to it.
//!
//! This module knows no I/O and no time. A `Local` cell has an owner, the core that its home belongs to, and is *biased* to
//! it: what the owner does touches no atomic read-modify-write, because state and reference count are split into a plain half
//! that only the owner touches ([`owner`]) and an atomic half for all others ([`shared`]). The idea is biased reference
//! counting (Choi, Shull, Torrellas, PACT 2018).
//!
//! - The owner is a *core*, never a thread: [`core::CURRENT`] names the core that this thread drives now. Everything else is
//!   the remote side, which is always sound, from any thread; the owner's side is only the fast path.
//! - A remote operation is one atomic step. If the owner must look at the cell (wake, abort, join, a count below zero), the
//!   step sets QUEUED and its thread pushes the cell on the home's inbox.
//! - The home keeps a task alive until it is *retired* (its future gone, its joiner told). From then on the references do:
//!   wakers, the join handle, abort handles. If none is left on either side, the owner frees the cell without any
//!   read-modify-write; if only others hold some, it *merges* the halves into the word, and whoever drops the last frees it.
//!
//! | part of a cell | touched by |
//! |---|---|
//! | vtable, home, id, spawn place | anyone reads; `home` is followed only by the owner or by who has just set QUEUED |
//! | owner's count and flags, run link, list links, local join waker, future | owner only; after the merge nobody writes |
//! | shared word | everybody, by read-modify-write; the owner also by a plain load |
//! | inbox link | who set QUEUED, until its push has succeeded; then the owner, until it clears QUEUED |
//! | remote join waker | the remote join handle registers, the owner takes |
//! | output | owner until `done`; then who holds the join handle; if that went before, the owner |
//!
//! The flags, when each is set and who reacts, stand at the top of [`owner`] and [`shared`]; no other file names one.

mod cell;
mod core;
mod home;
mod join;
mod life;
mod lost;
mod owner;
mod pool;
mod reference;
mod scheduler;
mod seat;
mod shared;
mod shared_ref;
mod waker;
mod waker_slot;

#[cfg(test)]
mod checks;
#[cfg(test)]
mod shared_checks;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;
use std::num::NonZeroU64;

pub(crate) use self::cell::{Meta, Unborn};
pub(crate) use self::core::{BUDGET, Core, Interrupted, UNCONSTRAINED, spawn_remote};
pub(crate) use self::home::{Bell, Home, HomeShared};
pub use self::join::{AbortHandle, JoinError, JoinHandle};
pub(crate) use self::join::{BlockingCall, BlockingJoin, JoinFailure};
pub(crate) use self::lost::{UNFINISHED, drop_unseen};
pub(crate) use self::pool::Pool;
pub(crate) use self::scheduler::{Lookout, Scheduler};
pub(crate) use self::seat::SeatOwner;

/// Tells tasks apart: unique in the process for as long as it runs.
///
/// Counterpart: `tokio::task::Id`.
///
/// ```
/// # rt::block_on(async {
/// let (one, other) = (rt::spawn(async {}), rt::spawn(async {}));
/// assert_ne!(one.id(), other.id());
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Id(NonZeroU64);

impl Id {
    /// The next id.
    pub(crate) fn next() -> Self {
        Self::block(1)
    }

    /// The first of `count` ids in a row, which the caller may give away.
    pub(crate) fn block(count: u64) -> Self {
        // Ids need to differ, not to come in an order that several threads agree on: Relaxed. std's atomic, because a
        // model gains nothing from it.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let id = NEXT.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        Self(NonZeroU64::new(id).expect("2^64 tasks were spawned"))
    }

    /// The id after this one, within a block.
    #[inline]
    pub(crate) fn successor(self) -> Self {
        self.plus(1)
    }

    /// The id `count` after this one, within a block or just behind it.
    #[inline]
    pub(crate) fn plus(self, count: u64) -> Self {
        // Saturating to avoid a branch: `block` panics long before.
        Self(self.0.saturating_add(count))
    }

    /// The id that [`as_u64`](Self::as_u64) gave.
    fn from_u64(id: u64) -> Self {
        Self(NonZeroU64::new(id).expect("an id is never 0"))
    }

    /// The id as a number.
    pub(crate) fn as_u64(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
