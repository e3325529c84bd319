//! A token bucket: so many at once, so many a second after that. A plain number; time is an argument.

use callboard_protocol::Millis;

use crate::config::Rate;

/// Tokens in thousandths, so that a millisecond at one a second is not lost.
const THOUSANDTHS: u64 = 1000;

/// What is left of an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    left: u64,
    filled: Millis,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn full(rate: Rate, now: Millis) -> Self {
        Self { left: rate.burst.saturating_mul(THOUSANDTHS), filled: now }
    }

    /// Adds what has come since the last time.
    pub(crate) fn fill(&mut self, rate: Rate, now: Millis) {
        let passed_ms = now.value().saturating_sub(self.filled.value());
        if passed_ms > 0 {
            let come = passed_ms.saturating_mul(rate.per_second);
            self.left = self.left.saturating_add(come).min(rate.burst.saturating_mul(THOUSANDTHS));
            self.filled = now;
        }
    }

    /// Takes one.
    ///
    /// # Errors
    ///
    /// How long until there is one again, if there is none.
    pub(crate) fn take(&mut self, rate: Rate) -> Result<(), Millis> {
        self.take_all(rate, 1)
    }

    /// Takes so many, or none.
    ///
    /// # Errors
    ///
    /// How long until there are so many, if there are not; a burst is the most that there ever are.
    pub(crate) fn take_all(&mut self, rate: Rate, count: u64) -> Result<(), Millis> {
        let wanted = count.saturating_mul(THOUSANDTHS);
        match self.left.checked_sub(wanted) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Millis::saturating((wanted - self.left).div_ceil(rate.per_second.max(1)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_had_at_once_and_then_so_many_a_second() {
        let rate = Rate { per_second: 100, burst: 3 };
        let mut bucket = Bucket::full(rate, Millis::ZERO);
        assert_eq!((0..3).map(|_| bucket.take(rate)).filter(Result::is_ok).count(), 3);
        assert_eq!(bucket.take(rate), Err(Millis::saturating(10)), "one every ten milliseconds");
        bucket.fill(rate, Millis::saturating(9));
        assert_eq!(bucket.take(rate), Err(Millis::saturating(1)));
        bucket.fill(rate, Millis::saturating(10));
        assert_eq!(bucket.take(rate), Ok(()));
        bucket.fill(rate, Millis::saturating(1_000_000));
        assert_eq!((0..9).map(|_| bucket.take(rate)).filter(Result::is_ok).count(), 3, "never more than the burst");
    }

    #[test]
    fn the_edges_of_the_numbers_do_no_harm() {
        let rate = Rate { per_second: u64::MAX, burst: u64::MAX };
        let mut bucket = Bucket::full(rate, Millis::ZERO);
        bucket.fill(rate, Millis::saturating(u64::MAX));
        bucket.fill(rate, Millis::ZERO);
        assert_eq!(bucket.take(rate), Ok(()));
        let never = Rate { per_second: 0, burst: 0 };
        assert_eq!(Bucket::full(never, Millis::ZERO).take(never), Err(Millis::saturating(1000)));
    }
}
