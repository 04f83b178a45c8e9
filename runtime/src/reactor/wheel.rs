//! A hierarchical timer wheel: pure, single-threaded, without a clock.
//!
//! Time is a number of nanoseconds since some origin. A *tick* is 2^16 of them (65.5 µs), and deadlines are rounded up to
//! ticks, so that what is due at about the same time fires together. Eight levels of 64 slots cover every tick that 64 bits
//! of nanoseconds can name; a slot of level `n` is 64^n ticks wide.
//!
//! # How an entry finds its slot
//!
//! `elapsed` is the tick up to which all is done. An entry lies on the level of the highest group of six bits in which its
//! tick differs from `elapsed`, in the slot which that group names. From this follow three things that the code leans on:
//!
//! - every entry of a level is due before all entries of the levels above, so the earliest slot is the first occupied one of
//!   the lowest occupied level;
//! - when `elapsed` reaches the start of a slot above level 0, its entries all move to lower levels;
//! - two entries of the same tick lie in the same list, or the one inserted first is on the higher level; a list is emptied
//!   before anything can be put behind its entries lower down. So each list is in the order of insertion, and sorting it by
//!   deadline with a stable sort gives the exact order: by deadline, then by insertion.

#[cfg(all(test, not(loom)))]
mod tests;

use std::mem;

const TICK_BITS: u32 = 16;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 8;
const PLACE_BITS: u32 = 9;
const PLACES: usize = LEVELS * SLOTS;
/// What ends a list.
const NONE: u32 = u32::MAX;
/// An empty wheel gives back what it holds above this number of entries.
const RETAINED: usize = 1024;

const _: () = assert!(1 << PLACE_BITS == PLACES);
const _: () = assert!(TICK_BITS + SLOT_BITS * LEVELS as u32 == u64::BITS);

/// How precisely [`Wheel::advance`] takes the time it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// What is due fires at the end of the tick it lies in.
    Tick,
    /// What is due fires exactly then. For virtual time, which stops at each deadline.
    Exact,
}

/// Names an entry. No two entries of a wheel ever have equal keys, so one that is kept for too long does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u64,
}

#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// All ticks before this one are done. Entries of this very tick may be in its slot of level 0.
    elapsed: u64,
    /// All that was due until then has been taken out, as far as it was in then.
    expired_until: u64,
    /// Per level, which slots are not empty.
    occupied: [u64; LEVELS],
    /// Which slots of level 0 are not in the order of deadlines.
    unsorted: u64,
    slots: Box<[Slot; PLACES]>,
    entries: Vec<Entry<T>>,
    /// The free entries among those that are in use: what was removed is used again first, what has expired last, so that
    /// timers which follow one another in time tend to do so in memory.
    vacant: Slot,
    /// So many entries, from the first, are in use, or free and in the list. It starts again when all are free.
    used: u32,
    len: usize,
    /// The generation of the youngest entry.
    generation: u64,
    /// Kept for its capacity.
    sorting: Vec<(u64, u32)>,
}

/// A list of entries.
#[derive(Debug, Clone, Copy)]
struct Slot {
    first: u32,
    last: u32,
}

const EMPTY: Slot = Slot { first: NONE, last: NONE };

#[derive(Debug)]
struct Entry<T> {
    deadline: u64,
    /// The generation above the place (level and slot); zero if the entry is free.
    stamp: u64,
    prev: u32,
    next: u32,
    value: Option<T>,
}

impl<T> Wheel<T> {
    /// A wheel to which nothing is due before `start`.
    pub(crate) fn new(start: u64) -> Self {
        let elapsed = start >> TICK_BITS;
        Self {
            elapsed,
            expired_until: elapsed << TICK_BITS,
            occupied: [0; LEVELS],
            unsorted: 0,
            slots: Box::new([EMPTY; PLACES]),
            entries: Vec::new(),
            vacant: EMPTY,
            used: 0,
            len: 0,
            generation: 0,
            sorting: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds `value`, due at `deadline`. One that lies in the past is due at once.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: u64, value: T) -> Key {
        self.generation += 1;
        let place = self.place(deadline);
        let stamp = self.generation << PLACE_BITS | place as u64;
        let entry = Entry { deadline, stamp, prev: self.slots[place].last, next: NONE, value: Some(value) };
        let index = match self.entries.get_mut(self.vacant.first as usize) {
            Some(free) => {
                let index = mem::replace(&mut self.vacant.first, free.next);
                *free = entry;
                index
            }
            None => self.take_next(entry),
        };
        self.len += 1;
        self.append(index, place, deadline);
        Key { index, generation: self.generation }
    }

    /// Takes the entry out, if it has not expired or been removed.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.find(key)?;
        self.unlink(key.index);
        let value = self.free(key.index);
        let next = mem::replace(&mut self.vacant.first, key.index);
        if next == NONE {
            self.vacant.last = key.index;
        }
        self.entries[key.index as usize].next = next;
        value
    }

    /// The value of the entry, if it has not expired or been removed.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.find(key)?.value.as_mut()
    }

    /// Gives the entry another deadline; it keeps its key. False if it has expired or been removed.
    pub(crate) fn reschedule(&mut self, key: Key, deadline: u64) -> bool {
        if self.find(key).is_none() {
            return false;
        }
        self.unlink(key.index);
        self.entries[key.index as usize].deadline = deadline;
        self.link(key.index);
        true
    }

    /// When [`advance`](Self::advance) has something to do next: with [`Precision::Tick`] no later than the end of the tick
    /// of the earliest deadline (possibly earlier, to move far entries nearer), with [`Precision::Exact`] the earliest deadline.
    pub(crate) fn next_deadline(&mut self, precision: Precision) -> Option<u64> {
        let (level, slot, tick) = self.earliest()?;
        Some(match precision {
            Precision::Tick => tick << TICK_BITS,
            Precision::Exact if level == 0 => {
                self.sort(slot);
                self.entries[self.slots[slot].first as usize].deadline
            }
            Precision::Exact => self.list(level * SLOTS + slot).min().unwrap_or(tick << TICK_BITS),
        })
    }

    /// Moves what is due at `now` to `expired`, in the order of deadlines, equal ones in the order of insertion.
    pub(crate) fn advance(&mut self, now: u64, precision: Precision, expired: &mut Vec<T>) {
        let (last, until) = match precision {
            Precision::Tick => (now >> TICK_BITS, now >> TICK_BITS << TICK_BITS),
            Precision::Exact => (tick(now), now),
        };
        while let Some((level, slot, tick)) = self.earliest()
            && tick <= last
        {
            self.elapsed = tick;
            if level > 0 {
                self.cascade(level * SLOTS + slot);
            } else if precision == Precision::Tick {
                self.expire_all(slot, expired);
            } else if !self.expire_until(now, slot, expired) {
                break;
            }
        }
        self.elapsed = self.elapsed.max(last);
        self.expired_until = self.expired_until.max(until);
    }

    /// An entry with a deadline until then has expired, unless the deadline had passed when it was put in.
    #[inline]
    pub(crate) fn expired_until(&self) -> u64 {
        self.expired_until
    }

    /// Takes everything out, in no order.
    pub(crate) fn clear(&mut self, removed: &mut Vec<T>) {
        removed.extend(self.entries.drain(..).filter_map(|entry| entry.value));
        self.len = 0;
        self.restart();
        self.occupied = [0; LEVELS];
        self.unsorted = 0;
        self.slots.fill(EMPTY);
    }

    /// Gives memory back after a burst, if the wheel is empty.
    #[inline]
    pub(crate) fn trim(&mut self) {
        if self.is_empty() && self.entries.capacity() > RETAINED {
            self.drop_memory();
        }
    }

    #[cold]
    fn drop_memory(&mut self) {
        self.entries = Vec::new();
        self.restart();
        self.sorting = Vec::new();
    }

    /// The first occupied slot: level, slot and the tick at which it starts.
    #[inline]
    fn earliest(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let low = SLOT_BITS * level as u32;
        let above = self.elapsed >> (low + SLOT_BITS) << (low + SLOT_BITS);
        Some((level, slot, above | (slot as u64) << low))
    }

    /// Moves the entries of a slot, whose time has come, to the levels below.
    fn cascade(&mut self, place: usize) {
        let mut index = self.slots[place].first;
        self.slots[place] = EMPTY;
        self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
        while let Some(entry) = self.entries.get(index as usize) {
            let next = entry.next;
            self.link(index);
            index = next;
        }
    }

    /// Takes all out of a slot of level 0.
    fn expire_all(&mut self, slot: usize, expired: &mut Vec<T>) {
        if self.unsorted & 1 << slot == 0 {
            return self.expire_list(slot, expired);
        }
        let mut order = self.unlink_all(slot);
        for (_, index) in order.drain(..) {
            expired.extend(self.free(index));
            self.vacate(Slot { first: index, last: index });
        }
        self.sorting = order;
    }

    /// The same if they lie in the order of deadlines: the list becomes a part of the list of free entries, as it is.
    fn expire_list(&mut self, slot: usize, expired: &mut Vec<T>) {
        let list = mem::replace(&mut self.slots[slot], EMPTY);
        self.occupied[0] &= !(1 << slot);
        let mut index = list.first;
        while let Some(entry) = self.entries.get_mut(index as usize) {
            index = entry.next;
            entry.stamp = 0;
            if let Some(value) = entry.value.take() {
                expired.push(value);
            }
            self.len -= 1;
        }
        self.vacate(list);
    }

    /// Puts a list of entries, which have just become free, behind those that are.
    #[inline]
    fn vacate(&mut self, list: Slot) {
        if self.is_empty() {
            return self.restart();
        }
        match self.entries.get_mut(self.vacant.last as usize) {
            Some(last) if self.vacant.first != NONE => last.next = list.first,
            _ => self.vacant.first = list.first,
        }
        self.vacant.last = list.last;
        if let Some(last) = self.entries.get_mut(list.last as usize) {
            last.next = NONE;
        }
    }

    /// All entries are free: the next ones are taken from the first on.
    #[inline]
    fn restart(&mut self) {
        self.vacant = EMPTY;
        self.used = 0;
    }

    /// Takes what is due until `due` out of a slot of level 0. Tells whether that was all.
    fn expire_until(&mut self, due: u64, slot: usize, expired: &mut Vec<T>) -> bool {
        self.sort(slot);
        while let Some(entry) = self.entries.get(self.slots[slot].first as usize) {
            if entry.deadline > due {
                return false;
            }
            let index = self.slots[slot].first;
            self.unlink(index);
            expired.extend(self.free(index));
            self.vacate(Slot { first: index, last: index });
        }
        true
    }

    /// Brings a slot of level 0 into the order of deadlines, equal ones in the order of insertion.
    fn sort(&mut self, slot: usize) {
        if self.unsorted & 1 << slot == 0 {
            return;
        }
        let mut order = self.unlink_all(slot);
        for (_, index) in order.drain(..) {
            self.push_back(index, slot);
        }
        self.sorting = order;
    }

    /// Empties a slot of level 0 and tells what was there, in the order of deadlines, equal ones in the order of insertion. The
    /// result is to be given back to `sorting`.
    fn unlink_all(&mut self, slot: usize) -> Vec<(u64, u32)> {
        let mut order = mem::take(&mut self.sorting);
        let mut index = self.slots[slot].first;
        while let Some(entry) = self.entries.get(index as usize) {
            order.push((entry.deadline, index));
            index = entry.next;
        }
        if self.unsorted & 1 << slot != 0 {
            order.sort_by_key(|&(deadline, _)| deadline);
        }
        self.slots[slot] = EMPTY;
        self.occupied[0] &= !(1 << slot);
        self.unsorted &= !(1 << slot);
        order
    }

    /// The deadlines in a list.
    fn list(&self, place: usize) -> impl Iterator<Item = u64> {
        let first = self.entries.get(self.slots[place].first as usize);
        std::iter::successors(first, |entry| self.entries.get(entry.next as usize)).map(|entry| entry.deadline)
    }

    /// Where this deadline belongs: level and slot.
    #[inline]
    fn place(&self, deadline: u64) -> usize {
        let tick = tick(deadline).max(self.elapsed);
        let differs = (tick ^ self.elapsed) | (SLOTS as u64 - 1);
        let level = (u64::BITS - 1 - differs.leading_zeros()) / SLOT_BITS;
        let slot = (tick >> (SLOT_BITS * level)) as usize % SLOTS;
        level as usize % LEVELS * SLOTS + slot
    }

    /// Links an entry where its deadline belongs.
    fn link(&mut self, index: u32) {
        let deadline = self.entries[index as usize].deadline;
        let place = self.place(deadline);
        self.push_back(index, place);
    }

    fn push_back(&mut self, index: u32, place: usize) {
        let last = self.slots[place].last;
        let entry = &mut self.entries[index as usize];
        entry.stamp = entry.stamp >> PLACE_BITS << PLACE_BITS | place as u64;
        entry.prev = last;
        entry.next = NONE;
        let deadline = entry.deadline;
        self.append(index, place, deadline);
    }

    /// Makes an entry that points back to the last one of a list the last one.
    #[inline]
    fn append(&mut self, index: u32, place: usize, deadline: u64) {
        let (level, bit) = (place / SLOTS, 1 << (place % SLOTS));
        let last = mem::replace(&mut self.slots[place].last, index);
        match self.entries.get_mut(last as usize) {
            None => {
                self.slots[place].first = index;
                self.occupied[level] |= bit;
            }
            Some(before) => {
                before.next = index;
                if level == 0 && before.deadline > deadline {
                    self.unsorted |= bit;
                }
            }
        }
    }

    #[inline]
    fn unlink(&mut self, index: u32) {
        let entry = &self.entries[index as usize];
        let (prev, next) = (entry.prev, entry.next);
        let place = entry.stamp as usize % PLACES;
        match self.entries.get_mut(prev as usize) {
            None => self.slots[place].first = next,
            Some(prev) => prev.next = next,
        }
        match self.entries.get_mut(next as usize) {
            None => self.slots[place].last = prev,
            Some(next) => next.prev = prev,
        }
        if prev == NONE && next == NONE {
            let bit = 1 << (place % SLOTS);
            self.occupied[place / SLOTS] &= !bit;
            if place < SLOTS {
                self.unsorted &= !bit;
            }
        }
    }

    #[inline]
    fn find(&mut self, key: Key) -> Option<&mut Entry<T>> {
        self.entries.get_mut(key.index as usize).filter(|entry| entry.stamp >> PLACE_BITS == key.generation)
    }

    /// Makes an unlinked entry free; it is in no list yet.
    #[inline]
    fn free(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        entry.stamp = 0;
        self.len -= 1;
        entry.value.take()
    }

    /// Where the list of free entries is empty.
    fn take_next(&mut self, entry: Entry<T>) -> u32 {
        let index = self.used;
        match self.entries.get_mut(index as usize) {
            Some(free) => *free = entry,
            None => return self.grow(entry),
        }
        self.used += 1;
        index
    }

    #[cold]
    fn grow(&mut self, entry: Entry<T>) -> u32 {
        assert!(
            self.entries.len() < NONE as usize,
            "too many timers: one thread can have 4,294,967,295 armed at a time"
        );
        self.entries.push(entry);
        self.used += 1;
        self.used - 1
    }
}

/// The first tick that is not before `time`.
#[inline]
fn tick(time: u64) -> u64 {
    time.saturating_add((1 << TICK_BITS) - 1) >> TICK_BITS
}
