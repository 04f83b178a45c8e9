//! Chance, as much of it as keeps clients from coming back all at the same time.

use std::cell::Cell;
use std::f64::consts::TAU;
use std::hash::{BuildHasher, RandomState};

/// A small generator (SplitMix64), not fit for secrets.
#[derive(Debug)]
pub(crate) struct Jitter(Cell<u64>);

impl Jitter {
    pub(crate) fn new() -> Self {
        Self::seeded(RandomState::new().hash_one(0))
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// From a normal distribution around 0 with a deviation of 1 (Box and Muller's way).
    pub(crate) fn normal(&self) -> f64 {
        // Not 0, whose logarithm is infinite.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }

    /// From 0 up to, not including, 1.
    fn uniform(&self) -> f64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // As many bits as a double holds exactly.
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Jitter;

    #[test]
    fn normal_numbers_are_around_zero_and_one_apart() {
        let jitter = Jitter::seeded(1);
        let numbers: Vec<f64> = (0..10_000).map(|_| jitter.normal()).collect();
        let mean = numbers.iter().sum::<f64>() / 10_000.0;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.05, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn a_seed_fixes_them() {
        assert_eq!(Jitter::seeded(7).normal(), Jitter::seeded(7).normal());
        assert_ne!(Jitter::new().normal(), Jitter::new().normal());
    }
}
