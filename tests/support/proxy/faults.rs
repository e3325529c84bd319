//! What a bad network does to datagrams, and the fate of each by chance. Pure: the dice are an argument, nothing waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Dice;

/// Where traffic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From a client to the broker.
    ToBroker,
    /// From the broker to a client.
    ToClient,
}

impl Way {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::ToBroker, Self::ToClient];
}

/// What happens to datagrams on one way. The default is a network without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Everything is lost.
    pub dead: bool,
    /// The part that is lost, from 0 to 1.
    pub drop: f64,
    /// The part that comes twice.
    pub duplicate: f64,
    /// The part that is held back for a moment, so that what was sent behind it passes.
    pub reorder: f64,
    /// The part in which one bit is wrong.
    pub flip: f64,
    /// How long each is on its way.
    pub delay: Duration,
    /// How much longer at most, each by chance; what differs by more than its distance overtakes.
    pub jitter: Duration,
    /// Larger datagrams are lost without a word, as where a path takes less than its ends believe.
    pub bytes_max: Option<usize>,
}

/// How long at most a datagram is held back that others are to pass.
const HELD_BACK: Duration = Duration::from_millis(30);

/// What becomes of one datagram: nothing, one copy of it, or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fate {
    pub(super) copies: [Option<Copied>; 2],
}

/// A copy of a datagram on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copied {
    /// How long it takes.
    pub(super) after: Duration,
    /// The bit that is wrong in it.
    pub(super) flipped: Option<usize>,
}

impl Faults {
    /// A network on which everything is lost.
    pub const DEAD: Self = Self {
        dead: true,
        drop: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        flip: 0.0,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        bytes_max: None,
    };

    /// Decides about one datagram. Every fault throws its dice whether or not it is switched on, so that the n-th
    /// datagram of a seed has the same luck whatever was switched before.
    pub(super) fn decide(&self, bytes: usize, dice: &mut Dice, counts: &Counts) -> Fate {
        let dropped = dice.happens(self.drop);
        let duplicated = dice.happens(self.duplicate);
        let copies = [(); 2].map(|()| {
            let held = dice.happens(self.reorder);
            let held_for = dice.up_to(HELD_BACK);
            let flips = dice.happens(self.flip);
            let bit = dice.below(bytes * 8);
            let jitter = dice.up_to(self.jitter);
            let after = self.delay + jitter + if held { held_for } else { Duration::ZERO };
            (held, Copied { after, flipped: (flips && bytes > 0).then_some(bit) })
        });
        if self.dead || dropped {
            counts.dropped.add();
            return Fate::default();
        }
        if self.bytes_max.is_some_and(|max| bytes > max) {
            counts.too_large.add();
            return Fate::default();
        }
        let [first, second] = copies;
        let second = duplicated.then_some(second);
        for (held, copy) in [Some(first), second].into_iter().flatten() {
            counts.held_back.add_if(held);
            counts.flipped.add_if(copy.flipped.is_some());
            counts.late.add_if(!copy.after.is_zero());
        }
        counts.duplicated.add_if(duplicated);
        Fate { copies: [Some(first.1), second.map(|(_, copy)| copy)] }
    }
}

/// How often each thing happened to a datagram.
#[derive(Debug, Default)]
pub struct Counts {
    /// They were sent on, as often as they were.
    pub passed: Count,
    /// They were lost.
    pub dropped: Count,
    /// They were lost because they were too large.
    pub too_large: Count,
    /// They were lost because too many were late already.
    pub overflowed: Count,
    /// They came twice.
    pub duplicated: Count,
    /// They were held back for others to pass.
    pub held_back: Count,
    /// They were late.
    pub late: Count,
    /// A bit was wrong in them.
    pub flipped: Count,
}

/// A number that grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.add_if(true);
    }

    pub(super) fn add_if(&self, happened: bool) {
        self.0.fetch_add(u64::from(happened), Ordering::Relaxed);
    }

    /// What it has come to.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATAGRAMS: usize = 10_000;

    fn fates(faults: Faults, seed: u64) -> Vec<Fate> {
        let (mut dice, counts) = (Dice::new(seed), Counts::default());
        (0..DATAGRAMS).map(|_| faults.decide(1000, &mut dice, &counts)).collect()
    }

    fn part(fates: &[Fate], is_so: impl Fn(&Fate) -> bool) -> f64 {
        fates.iter().filter(|fate| is_so(fate)).count() as f64 / fates.len() as f64
    }

    #[test]
    fn a_good_network_does_nothing() {
        let passed = Fate { copies: [Some(Copied { after: Duration::ZERO, flipped: None }), None] };
        assert_eq!(fates(Faults::default(), 1), vec![passed; DATAGRAMS]);
    }

    #[test]
    fn each_fault_strikes_as_often_as_it_was_told() {
        let near = |part: f64, wanted: f64| assert!((part - wanted).abs() < 0.02, "{part} is not {wanted}");
        let lost = fates(Faults { drop: 0.3, ..Faults::default() }, 2);
        near(part(&lost, |fate| fate.copies == [None; 2]), 0.3);
        let twice = fates(Faults { duplicate: 0.2, ..Faults::default() }, 3);
        near(part(&twice, |fate| fate.copies[1].is_some()), 0.2);
        let held = fates(Faults { reorder: 0.1, ..Faults::default() }, 4);
        near(part(&held, |fate| fate.copies[0].is_some_and(|copy| !copy.after.is_zero())), 0.1);
        let flipped = fates(Faults { flip: 0.25, ..Faults::default() }, 5);
        near(part(&flipped, |fate| fate.copies[0].is_some_and(|copy| copy.flipped.is_some())), 0.25);
        assert!(
            flipped.iter().flat_map(|fate| fate.copies).flatten().all(|copy| copy.flipped.is_none_or(|b| b < 8000))
        );
    }

    #[test]
    fn a_datagram_takes_its_delay_and_no_more_than_the_jitter_beyond() {
        let (delay, jitter) = (Duration::from_millis(100), Duration::from_secs(2));
        let late = fates(Faults { delay, jitter, ..Faults::default() }, 6);
        let times: Vec<Duration> = late.iter().flat_map(|fate| fate.copies).flatten().map(|copy| copy.after).collect();
        assert!(times.iter().all(|after| (delay..=delay + jitter).contains(after)));
        assert!(times.iter().any(|after| *after > Duration::from_secs(1)) && !times.is_sorted());
    }

    #[test]
    fn what_is_too_large_is_lost_and_a_dead_way_loses_everything() {
        let (mut dice, counts) = (Dice::new(7), Counts::default());
        let hole = Faults { bytes_max: Some(1200), ..Faults::default() };
        assert!(hole.decide(1200, &mut dice, &counts).copies[0].is_some());
        assert!(hole.decide(1201, &mut dice, &counts).copies[0].is_none());
        assert!(Faults::DEAD.decide(1, &mut dice, &counts).copies[0].is_none());
        assert_eq!((counts.too_large.value(), counts.dropped.value()), (1, 1));
    }

    #[test]
    fn the_same_seed_decides_the_same_whatever_was_switched_before() {
        let bad = Faults { drop: 0.2, duplicate: 0.1, reorder: 0.3, flip: 0.1, ..Faults::default() };
        assert_eq!(fates(bad, 8), fates(bad, 8));
        assert_ne!(fates(bad, 8), fates(bad, 9));
        let (mut dice, counts) = (Dice::new(8), Counts::default());
        let late: Vec<Fate> = (0..DATAGRAMS)
            .map(|number| if number < 5000 { Faults::default() } else { bad }.decide(1000, &mut dice, &counts))
            .collect();
        assert_eq!(late[5000..], fates(bad, 8)[5000..]);
    }
}
