//! When to ask again for channels that were refused for a passing reason. Pure: the time and the dice are arguments.

use tokio::time::Instant;

use crate::backoff::Backoff;

/// One growing pause for all channels that wait.
#[derive(Debug)]
pub(super) struct Retries {
    backoff: Backoff,
    at: Option<Instant>,
}

impl Retries {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, at: None }
    }

    /// When to ask again, if something waits for it.
    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// A channel was refused. If all were well before, the pauses begin anew.
    pub(super) fn refused(&mut self, was_well: bool, now: Instant, random: u64) {
        if was_well {
            self.backoff.reset();
            self.at = None;
        }
        if self.at.is_none() {
            self.at = Some(now + self.backoff.pause(random));
        }
    }

    /// Whether it is time to ask again; says so once.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BASE: Duration = Duration::from_millis(200);

    /// The longest pause that a refusal leads to, in milliseconds.
    fn pause(retries: &mut Retries, was_well: bool, now: Instant) -> u128 {
        retries.refused(was_well, now, u64::MAX);
        retries.at().expect("it is asked again").duration_since(now).as_millis()
    }

    #[tokio::test]
    async fn pauses_grow_until_all_was_well_and_then_begin_anew() {
        let now = Instant::now();
        let mut retries = Retries::new(Backoff::new(BASE, 100 * BASE));
        for (was_well, wanted) in [(true, 200), (false, 400), (false, 800), (true, 200), (false, 400)] {
            assert_eq!(pause(&mut retries, was_well, now), wanted);
            assert!(retries.is_due(now + 100 * BASE) && !retries.is_due(now + 100 * BASE));
        }
    }

    #[tokio::test]
    async fn refusals_of_one_round_share_a_pause_and_an_old_one_holds_nothing_up() {
        let now = Instant::now();
        let mut retries = Retries::new(Backoff::new(BASE, 100 * BASE));
        assert_eq!((pause(&mut retries, true, now), pause(&mut retries, false, now)), (200, 200));
        assert!(!retries.is_due(now + BASE / 2));
        // The channel that was waited for was left meanwhile.
        assert_eq!(pause(&mut retries, true, now + BASE / 2), 200);
    }
}
