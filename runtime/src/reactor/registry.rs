//! Which source a token means. A token is a place in the table and a generation: events of a source that is gone do not reach the
//! one that took its place.

use crate::reactor::readiness::Readiness;
use slab::Slab;
use std::io;
use std::sync::Arc;

/// The sources of one driver. Its lock is taken once per batch of events.
pub(crate) struct Sources {
    table: Slab<Entry>,
    next_generation: usize,
    closed: bool,
}

struct Entry {
    /// Half a word at most.
    generation: u32,
    /// The number by which the source is watched; -1 if it is not known.
    descriptor: i32,
    readiness: Arc<Readiness>,
}

/// The lower half of a token is the generation, the upper half the place. Half a word of generations (2^32 on 64 bits) pass before
/// one returns.
const HALF: u32 = usize::BITS / 2;
const GENERATION_MASK: usize = (1 << HALF) - 1;
/// The last place is never given out: its tokens are the driver's own.
const PLACES: usize = GENERATION_MASK;

impl Sources {
    pub(crate) fn new() -> Self {
        Self { table: Slab::new(), next_generation: 0, closed: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The descriptors of all sources; -1 for those that are not known.
    pub(crate) fn descriptors(&self) -> Vec<i32> {
        self.table.iter().map(|(_, entry)| entry.descriptor).collect()
    }

    /// A token for `readiness`; its source has this `descriptor`, if that is known.
    pub(crate) fn insert(&mut self, readiness: Arc<Readiness>, descriptor: Option<i32>) -> io::Result<mio::Token> {
        if self.closed {
            return Err(gone());
        }
        if self.table.len() == PLACES {
            return Err(io::Error::other(format!("a driver has room for {PLACES} sources and they are all taken")));
        }
        let generation = self.next_generation;
        self.next_generation = (generation + 1) & GENERATION_MASK;
        let place =
            self.table.insert(Entry { generation: generation as u32, descriptor: descriptor.unwrap_or(-1), readiness });
        Ok(mio::Token(place << HALF | generation))
    }

    /// What `token` means, if it still means anything.
    pub(crate) fn find(&self, token: mio::Token) -> Option<&Readiness> {
        let entry = self.table.get(token.0 >> HALF)?;
        (entry.generation as usize == token.0 & GENERATION_MASK).then_some(&*entry.readiness)
    }

    /// Whether the source that `token` means has the descriptor of another one. It looks at all of them.
    pub(crate) fn is_second(&self, token: mio::Token) -> bool {
        let place = token.0 >> HALF;
        let Some(descriptor) = self.table.get(place).map(|entry| entry.descriptor).filter(|number| *number >= 0) else {
            return false;
        };
        self.table.iter().any(|(other, entry)| other != place && entry.descriptor == descriptor)
    }

    /// `token` means nothing from now on. The caller drops what it gets outside the lock.
    #[must_use = "may hold wakers: drop it after the lock"]
    pub(crate) fn remove(&mut self, token: mio::Token) -> Option<Arc<Readiness>> {
        self.find(token)?;
        self.table.try_remove(token.0 >> HALF).map(|entry| entry.readiness)
    }

    /// Everybody who is still there; nobody joins any more.
    pub(crate) fn close(&mut self) -> Vec<Arc<Readiness>> {
        self.closed = true;
        self.table.drain().map(|entry| entry.readiness).collect()
    }
}

/// What an operation on a source gets after its runtime has shut down.
pub(crate) fn gone() -> io::Error {
    io::Error::other("the runtime that watched this source has shut down: no event will come for it any more")
}

/// The driver's own tokens.
pub(crate) const BELL: mio::Token = mio::Token(usize::MAX);
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const TIMER: mio::Token = mio::Token(usize::MAX - 1);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::reactor::ready::Ready;

    fn readiness() -> Arc<Readiness> {
        Arc::new(Readiness::new(Ready::EMPTY))
    }

    #[test]
    fn token_of_a_source_that_is_gone_does_not_find_its_successor() {
        let mut sources = Sources::new();
        let old = sources.insert(readiness(), None).unwrap();
        assert!(sources.remove(old).is_some());
        let new = sources.insert(readiness(), None).unwrap();
        assert_eq!(old.0 >> HALF, new.0 >> HALF, "the place is used again");
        assert!(sources.find(old).is_none());
        assert!(sources.remove(old).is_none());
        assert!(sources.find(new).is_some());
    }

    #[test]
    fn closed_table_takes_nobody() {
        let mut sources = Sources::new();
        let token = sources.insert(readiness(), None).unwrap();
        assert_eq!(sources.close().len(), 1);
        assert!(sources.find(token).is_none());
        assert!(sources.insert(readiness(), None).is_err());
    }

    #[test]
    fn own_tokens_mean_no_source() {
        let mut sources = Sources::new();
        sources.insert(readiness(), None).unwrap();
        assert!(sources.find(BELL).is_none());
    }
}
