//! The wheel against an ordered map, and the places where such structures break.

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
    for (seed, spread) in [(1, 14), (2, 17), (3, 20), (4, 24), (5, 30), (6, 36), (7, 44), (8, 52), (9, 62), (10, 22)] {
        random_operations(seed, spread, 6_000);
    }
}

fn random_operations(seed: u64, spread: u32, operations: u32) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let (mut wheel, mut model) = (Wheel::new(0), Model::default());
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
    let mut wheel = Wheel::new(0);
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
    let mut wheel = Wheel::new(0);
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
    let mut wheel = Wheel::new(0);
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
        let mut wheel = Wheel::new(0);
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
    let mut wheel = Wheel::new(0);
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
    let mut wheel = Wheel::new(0);
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
    let mut wheel = Wheel::new(0);
    wheel.insert(TICK + 1, 1);
    assert_eq!(advance(&mut wheel, 2 * TICK - 1, Precision::Tick), Vec::<u64>::new());
    assert_eq!(advance(&mut wheel, 2 * TICK, Precision::Tick), [1]);
    wheel.insert(2 * TICK, 2);
    assert_eq!(advance(&mut wheel, 2 * TICK, Precision::Tick), [2], "in the past: at once");
}

#[test]
fn what_has_expired_is_known_without_the_entry() {
    let mut wheel = Wheel::new(0);
    wheel.insert(TICK + 1, 1);
    advance(&mut wheel, 2 * TICK - 1, Precision::Tick);
    assert!(wheel.expired_until() >= TICK && wheel.expired_until() < TICK + 1);
    advance(&mut wheel, 2 * TICK, Precision::Tick);
    assert!(wheel.expired_until() >= 2 * TICK);
    wheel.insert(2 * TICK + 2, 2);
    advance(&mut wheel, 2 * TICK + 1, Precision::Exact);
    assert!(wheel.expired_until() == 2 * TICK + 1);
}

#[test]
fn exact_and_ticks_may_alternate() {
    let mut wheel = Wheel::new(0);
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
    let mut wheel = Wheel::new(0);
    let last = wheel.insert(u64::MAX, 1);
    wheel.insert(1 << 60, 2);
    assert_eq!(advance(&mut wheel, 1 << 60, Precision::Tick), [2]);
    assert_eq!(wheel.next_deadline(Precision::Exact), Some(u64::MAX));
    assert_eq!(wheel.remove(last), Some(1));
    assert_eq!(wheel.next_deadline(Precision::Exact), None);
}

#[test]
fn memory_of_a_burst_is_given_back() {
    let mut wheel = Wheel::new(0);
    let keys: Vec<Key> = (0..10_000).map(|value| wheel.insert(value, value)).collect();
    keys.iter().for_each(|&key| assert!(wheel.remove(key).is_some()));
    wheel.trim();
    assert_eq!(wheel.entries.capacity(), 0);
    let key = wheel.insert(5, 5);
    assert_eq!(wheel.remove(keys[5]), None);
    assert_eq!(wheel.remove(key), Some(5));
}

#[test]
fn places_are_used_again_in_the_order_of_time() {
    let mut wheel = Wheel::new(0);
    let insert = |wheel: &mut Wheel<u64>, tick: u64| wheel.insert(tick * TICK, tick).index;
    assert_eq!([1, 2, 3, 4, 100].map(|tick| insert(&mut wheel, tick)), [0, 1, 2, 3, 4]);
    assert_eq!(advance(&mut wheel, 4 * TICK, Precision::Tick), [1, 2, 3, 4]);
    assert_eq!([5, 6, 7].map(|tick| insert(&mut wheel, tick)), [0, 1, 2]);
    let key = wheel.insert(8 * TICK, 8);
    assert_eq!(key.index, 3);
    assert_eq!(advance(&mut wheel, 5 * TICK, Precision::Exact), [5]);
    wheel.remove(key);
    assert_eq!([9, 10, 11].map(|tick| insert(&mut wheel, tick)), [3, 0, 5], "what was removed is used again first");
    advance(&mut wheel, 100 * TICK, Precision::Tick);
    assert!(wheel.is_empty());
    assert_eq!([101, 102, 103].map(|tick| insert(&mut wheel, tick)), [0, 1, 2], "from the start when all are free");
}

#[test]
fn clear_takes_all_and_leaves_a_usable_wheel() {
    let mut wheel = Wheel::new(0);
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
