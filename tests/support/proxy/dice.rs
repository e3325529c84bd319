//! Chance that a seed decides: the same seed throws the same dice in the same order; it never asks the system.

use std::time::Duration;

/// Dice of one seed.
#[derive(Debug, Clone)]
pub struct Dice(fastrand::Rng);

impl Dice {
    /// The dice of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// The dice of one of many that share a seed, so that what one throws changes nothing for another.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Self {
        // Seeds that differ in one bit lead to throws that have nothing in common only after a few rounds of mixing.
        let mut first = fastrand::Rng::with_seed(seed);
        Self(fastrand::Rng::with_seed(first.u64(..) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// A number below `end`; 0 where nothing is below it.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.usize(..end) }
    }

    /// Whether something happens that happens with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// A duration between nothing and `longest`.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.0.f64())
    }

    /// A duration between two.
    pub fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        shortest + self.up_to(longest.saturating_sub(shortest))
    }

    /// One of several.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn one_of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.0.usize(..several.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throws(mut dice: Dice) -> Vec<u64> {
        (0..100).map(|_| dice.number()).collect()
    }

    #[test]
    fn a_seed_throws_the_same_each_time_and_another_seed_something_else() {
        assert_eq!(throws(Dice::new(7)), throws(Dice::new(7)));
        assert_ne!(throws(Dice::new(7)), throws(Dice::new(8)));
        assert_eq!(throws(Dice::of(7, 1)), throws(Dice::of(7, 1)));
        assert_ne!(throws(Dice::of(7, 1)), throws(Dice::of(7, 2)));
        assert_ne!(throws(Dice::of(7, 1)), throws(Dice::of(8, 1)));
    }

    #[test]
    fn a_probability_is_how_often_it_happens() {
        let mut dice = Dice::new(1);
        let happened = (0..10_000).filter(|_| dice.happens(0.2)).count();
        assert!((1_800..2_200).contains(&happened), "{happened}");
        assert!((0..1000).all(|_| !dice.happens(0.0) && dice.happens(1.0)));
    }
}
