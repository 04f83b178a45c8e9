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
    index: u32,
    generation: u64,
}

#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// All ticks before this one are done. Entries of this very tick may be in its slot of level 0.
    elapsed: u64,
    /// Per level, which slots are not empty.
    occupied: [u64; LEVELS],
    /// Which slots of level 0 are not in the order of deadlines.
    unsorted: u64,
    slots: Box<[Slot; PLACES]>,
    entries: Vec<Entry<T>>,
    /// The first free entry; the others follow through `next`.
    vacant: u32,
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
    pub(crate) fn new() -> Self {
        Self {
            elapsed: 0,
            occupied: [0; LEVELS],
            unsorted: 0,
            slots: Box::new([Slot { first: NONE, last: NONE }; PLACES]),
            entries: Vec::new(),
            vacant: NONE,
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
        let index = match self.entries.get_mut(self.vacant as usize) {
            Some(free) => {
                let index = mem::replace(&mut self.vacant, free.next);
                *free = entry;
                index
            }
            None => self.grow(entry),
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
        self.free(key.index)
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
        let (last, due) = match precision {
            Precision::Tick => (now >> TICK_BITS, u64::MAX),
            Precision::Exact => (tick(now), now),
        };
        while let Some((level, slot, tick)) = self.earliest()
            && tick <= last
        {
            self.elapsed = tick;
            if level > 0 {
                self.cascade(level * SLOTS + slot);
            } else if !self.expire(slot, due, expired) {
                break;
            }
        }
        self.elapsed = self.elapsed.max(last);
    }

    /// Takes everything out, in no order.
    pub(crate) fn clear(&mut self, removed: &mut Vec<T>) {
        removed.extend(self.entries.drain(..).filter_map(|entry| entry.value));
        self.vacant = NONE;
        self.len = 0;
        self.occupied = [0; LEVELS];
        self.unsorted = 0;
        self.slots.fill(Slot { first: NONE, last: NONE });
    }

    /// Gives memory back after a burst, if the wheel is empty.
    pub(crate) fn trim(&mut self) {
        if self.is_empty() && self.entries.capacity() > RETAINED {
            self.entries = Vec::new();
            self.vacant = NONE;
            self.sorting = Vec::new();
        }
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
        self.slots[place] = Slot { first: NONE, last: NONE };
        self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
        while let Some(entry) = self.entries.get(index as usize) {
            let next = entry.next;
            self.link(index);
            index = next;
        }
    }

    /// Takes what is due until `due` out of a slot of level 0. Tells whether that was all.
    fn expire(&mut self, slot: usize, due: u64, expired: &mut Vec<T>) -> bool {
        self.sort(slot);
        loop {
            let index = self.slots[slot].first;
            if index == NONE {
                return true;
            }
            if self.entries[index as usize].deadline > due {
                return false;
            }
            self.unlink(index);
            expired.extend(self.free(index));
        }
    }

    /// Brings a slot of level 0 into the order of deadlines, equal ones in the order of insertion.
    fn sort(&mut self, slot: usize) {
        if self.unsorted & 1 << slot == 0 {
            return;
        }
        let mut order = mem::take(&mut self.sorting);
        let mut index = self.slots[slot].first;
        while let Some(entry) = self.entries.get(index as usize) {
            order.push((entry.deadline, index));
            index = entry.next;
        }
        order.sort_by_key(|&(deadline, _)| deadline);
        self.slots[slot] = Slot { first: NONE, last: NONE };
        self.unsorted &= !(1 << slot);
        for (_, index) in order.drain(..) {
            self.push_back(index, slot);
        }
        self.sorting = order;
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

    /// Makes an unlinked entry free.
    #[inline]
    fn free(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        entry.stamp = 0;
        entry.next = self.vacant;
        self.vacant = index;
        self.len -= 1;
        entry.value.take()
    }

    #[cold]
    fn grow(&mut self, entry: Entry<T>) -> u32 {
        assert!(
            self.entries.len() < NONE as usize,
            "too many timers: one thread can have 4,294,967,295 armed at a time"
        );
        self.entries.push(entry);
        self.entries.len() as u32 - 1
    }
}

/// The first tick that is not before `time`.
#[inline]
fn tick(time: u64) -> u64 {
    time.saturating_add((1 << TICK_BITS) - 1) >> TICK_BITS
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const TICK: u64 = 1 << TICK_BITS;

    /// xorshift64*: the same numbers on every run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
        }

        fn below(&mut self, limit: u64) -> u64 {
            self.next() % limit
        }
    }

    fn advance(wheel: &mut Wheel<u64>, now: u64, precision: Precision) -> Vec<u64> {
        let mut expired = Vec::new();
        wheel.advance(now, precision, &mut expired);
        expired
    }

    /// What a wheel with these rules has to do, done with an ordered map.
    #[derive(Default)]
    struct Model {
        entries: BTreeMap<(u64, u64), u64>,
        inserted: u64,
    }

    impl Model {
        fn insert(&mut self, deadline: u64, value: u64) -> (u64, u64) {
            self.inserted += 1;
            self.entries.insert((deadline, self.inserted), value);
            (deadline, self.inserted)
        }

        fn advance(&mut self, now: u64, precision: Precision, clamp: u64) -> Vec<u64> {
            let due = |&(deadline, _): &(u64, u64)| match precision {
                Precision::Exact => deadline <= now,
                Precision::Tick => tick(deadline).max(clamp) <= now >> TICK_BITS,
            };
            let keys: Vec<_> = self.entries.keys().copied().take_while(due).collect();
            keys.iter().filter_map(|key| self.entries.remove(key)).collect()
        }
    }

    #[test]
    fn entries_are_small() {
        assert!(size_of::<Entry<std::task::Waker>>() <= 40);
        assert_eq!(size_of::<Key>(), 16);
    }

    #[test]
    fn random_operations_agree_with_an_ordered_map() {
        for (seed, spread) in
            [(1, 14), (2, 17), (3, 20), (4, 24), (5, 30), (6, 36), (7, 44), (8, 52), (9, 62), (10, 22)]
        {
            random_operations(seed, spread, 6_000);
        }
    }

    fn random_operations(seed: u64, spread: u32, operations: u32) {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (mut wheel, mut model) = (Wheel::new(), Model::default());
        let mut keys: Vec<(Key, (u64, u64))> = Vec::new();
        let mut now = 0u64;
        for value in 0..u64::from(operations) {
            match random.below(10) {
                0..=4 => {
                    // Of all magnitudes up to the spread, sometimes in the past.
                    let bits = random.below(u64::from(spread)) + 1;
                    let deadline = (now.saturating_sub(TICK)).saturating_add(random.below(1 << bits));
                    keys.push((wheel.insert(deadline, value), model.insert(deadline, value)));
                }
                5 if !keys.is_empty() => {
                    let (key, name) = keys.swap_remove(random.below(keys.len() as u64) as usize);
                    assert_eq!(wheel.remove(key), model.entries.remove(&name));
                    assert_eq!(wheel.remove(key), None, "a key that was used is stale");
                }
                6 if !keys.is_empty() => {
                    let place = random.below(keys.len() as u64) as usize;
                    let (key, name) = keys[place];
                    let deadline = now.saturating_add(random.below(1 << spread.min(40)));
                    let value = model.entries.remove(&name);
                    assert_eq!(wheel.reschedule(key, deadline), value.is_some());
                    match value {
                        Some(value) => keys[place].1 = model.insert(deadline, value),
                        None => drop(keys.swap_remove(place)),
                    }
                }
                7 => {
                    let exact = wheel.next_deadline(Precision::Exact);
                    assert_eq!(exact, model.entries.keys().next().map(|key| key.0));
                    if let (Some(exact), Some(coarse)) = (exact, wheel.next_deadline(Precision::Tick)) {
                        assert!(coarse <= tick(exact).max(wheel.elapsed) << TICK_BITS);
                    }
                }
                _ => {
                    let bits = random.below(u64::from(spread)) + 1;
                    now = match random.below(3) {
                        0 => wheel.next_deadline(Precision::Exact).unwrap_or(now).max(now),
                        _ => now.saturating_add(random.below(1 << bits)),
                    };
                    let precision = if random.below(2) == 0 { Precision::Exact } else { Precision::Tick };
                    let clamp = wheel.elapsed;
                    let expired = advance(&mut wheel, now, precision);
                    assert_eq!(expired, model.advance(now, precision, clamp), "seed {seed}, at {now}, {precision:?}");
                }
            }
            assert_eq!(wheel.len(), model.entries.len());
            assert_eq!(wheel.is_empty(), model.entries.is_empty());
        }
    }

    #[test]
    fn hundred_thousand_timers_fire_in_order() {
        let mut random = Random(42);
        let mut wheel = Wheel::new();
        let mut expected: Vec<(u64, u64)> = (0..100_000).map(|value| (random.below(60_000_000_000), value)).collect();
        for &(deadline, value) in &expected {
            wheel.insert(deadline, value);
        }
        expected.sort();
        let mut fired = Vec::new();
        while let Some(next) = wheel.next_deadline(Precision::Tick) {
            wheel.advance(next, Precision::Tick, &mut fired);
        }
        assert_eq!(fired, expected.iter().map(|&(_, value)| value).collect::<Vec<_>>());
    }

    #[test]
    fn hundred_thousand_timers_in_one_tick() {
        let mut wheel = Wheel::new();
        // Backwards within the tick, two of each deadline.
        for value in 0..100_000u64 {
            wheel.insert(10 * TICK - value / 2, value);
        }
        assert_eq!(wheel.next_deadline(Precision::Tick), Some(10 * TICK));
        assert_eq!(advance(&mut wheel, 10 * TICK - 1, Precision::Tick), Vec::<u64>::new());
        let fired = advance(&mut wheel, 10 * TICK, Precision::Tick);
        let expected: Vec<u64> = (0..50_000).rev().flat_map(|pair| [2 * pair, 2 * pair + 1]).collect();
        assert_eq!(fired, expected);
        assert!(wheel.is_empty());
    }

    #[test]
    fn exact_steps_through_one_tick() {
        let mut wheel = Wheel::new();
        for value in (0..20_000u64).rev() {
            wheel.insert(TICK + 1 + value, value);
        }
        for value in 0..20_000 {
            let next = wheel.next_deadline(Precision::Exact).unwrap();
            assert_eq!(next, TICK + 1 + value);
            assert_eq!(advance(&mut wheel, next, Precision::Exact), [value]);
        }
    }

    #[test]
    fn cascade_from_every_level() {
        for level in 0..LEVELS as u32 {
            let mut wheel = Wheel::new();
            let start = 1u64 << (SLOT_BITS * level);
            // At, just before and just after the start of a slot of this level, and at its very end.
            let ticks = [start - 1, start, start + 1, start + start / 2, 2 * start - 1, 63 * start];
            let mut expected = Vec::new();
            for (value, tick) in ticks.into_iter().enumerate() {
                wheel.insert(tick << TICK_BITS, value as u64);
                expected.push((tick, value as u64));
            }
            expected.sort();
            let mut fired = Vec::new();
            while let Some(next) = wheel.next_deadline(Precision::Tick) {
                let at = next >> TICK_BITS;
                fired.extend(advance(&mut wheel, next, Precision::Tick).into_iter().map(|value| (at, value)));
            }
            assert_eq!(fired, expected, "level {level}");
        }
    }

    #[test]
    fn removal_between_cascades() {
        let mut wheel = Wheel::new();
        let far = (64 * 64 * 5 + 64 * 3 + 7) * TICK;
        let keys: Vec<Key> = (0..10).map(|value| wheel.insert(far, value)).collect();
        assert_eq!(wheel.remove(keys[0]), Some(0));
        advance(&mut wheel, 64 * 64 * 5 * TICK, Precision::Tick);
        assert_eq!(wheel.remove(keys[9]), Some(9));
        assert_eq!(wheel.remove(keys[4]), Some(4));
        advance(&mut wheel, (64 * 64 * 5 + 64 * 3) * TICK, Precision::Tick);
        assert_eq!(wheel.remove(keys[1]), Some(1));
        assert_eq!(advance(&mut wheel, far, Precision::Tick), [2, 3, 5, 6, 7, 8]);
        assert_eq!(wheel.next_deadline(Precision::Tick), None);
        assert_eq!(wheel.occupied, [0; LEVELS]);
    }

    #[test]
    fn stale_keys_find_nothing() {
        let mut wheel = Wheel::new();
        let first = wheel.insert(TICK, 1);
        assert_eq!(advance(&mut wheel, TICK, Precision::Tick), [1]);
        let second = wheel.insert(2 * TICK, 2);
        assert_eq!(first.index, second.index, "the place is used again");
        assert_eq!(wheel.get_mut(first), None);
        assert_eq!(wheel.remove(first), None);
        assert!(!wheel.reschedule(first, 0));
        assert_eq!(wheel.get_mut(second), Some(&mut 2));
        wheel.remove(second);
        wheel.trim();
        assert_eq!(wheel.remove(second), None);
    }

    #[test]
    fn deadlines_are_rounded_up() {
        let mut wheel = Wheel::new();
        wheel.insert(TICK + 1, 1);
        assert_eq!(advance(&mut wheel, 2 * TICK - 1, Precision::Tick), Vec::<u64>::new());
        assert_eq!(advance(&mut wheel, 2 * TICK, Precision::Tick), [1]);
        wheel.insert(2 * TICK, 2);
        assert_eq!(advance(&mut wheel, 2 * TICK, Precision::Tick), [2], "in the past: at once");
    }

    #[test]
    fn exact_and_ticks_may_alternate() {
        let mut wheel = Wheel::new();
        wheel.insert(TICK + 5, 1);
        wheel.insert(TICK + 9, 2);
        assert_eq!(advance(&mut wheel, TICK + 5, Precision::Exact), [1]);
        wheel.insert(TICK + 3, 3);
        assert_eq!(advance(&mut wheel, TICK + 20, Precision::Tick), Vec::<u64>::new());
        assert_eq!(wheel.next_deadline(Precision::Exact), Some(TICK + 3));
        assert_eq!(advance(&mut wheel, 2 * TICK, Precision::Tick), [3, 2]);
    }

    #[test]
    fn the_end_of_time_is_an_entry_like_others() {
        let mut wheel = Wheel::new();
        let last = wheel.insert(u64::MAX, 1);
        wheel.insert(1 << 60, 2);
        assert_eq!(advance(&mut wheel, 1 << 60, Precision::Tick), [2]);
        assert_eq!(wheel.next_deadline(Precision::Exact), Some(u64::MAX));
        assert_eq!(wheel.remove(last), Some(1));
        assert_eq!(wheel.next_deadline(Precision::Exact), None);
    }

    #[test]
    fn memory_of_a_burst_is_given_back() {
        let mut wheel = Wheel::new();
        let keys: Vec<Key> = (0..10_000).map(|value| wheel.insert(value, value)).collect();
        keys.iter().for_each(|&key| assert!(wheel.remove(key).is_some()));
        wheel.trim();
        assert_eq!(wheel.entries.capacity(), 0);
        let key = wheel.insert(5, 5);
        assert_eq!(wheel.remove(keys[5]), None);
        assert_eq!(wheel.remove(key), Some(5));
    }

    #[test]
    fn clear_takes_all_and_leaves_a_usable_wheel() {
        let mut wheel = Wheel::new();
        let key = wheel.insert(1, 1);
        wheel.insert(1 << 40, 2);
        wheel.remove(key);
        let mut removed = Vec::new();
        wheel.clear(&mut removed);
        assert_eq!(removed, [2]);
        assert!(wheel.is_empty());
        wheel.insert(3, 3);
        assert_eq!(advance(&mut wheel, TICK, Precision::Tick), [3]);
    }
}
