//! Whether what was published came: once, in order, nothing missing. It judges stamps and reads no socket.

use super::stamp::Stamp;

/// What was found, over any number of listeners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Messages that came in their place.
    pub(super) delivered: u64,
    /// Messages that a later one overtook, or that never came.
    pub(super) lost: u64,
    /// Messages that came again, or after a later one.
    pub(super) repeated: u64,
    /// Messages that nobody of this run published to this listener.
    pub(super) strange: u64,
}

impl Tally {
    /// Whether nothing is wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.strange == 0
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            lost: self.lost + other.lost,
            repeated: self.repeated + other.repeated,
            strange: self.strange + other.strange,
        }
    }
}

/// Checks what one listener hears from a range of publishers.
#[derive(Debug)]
pub(super) struct Verifier {
    run: u32,
    /// The first publisher that it listens to; the others follow.
    first: u32,
    /// The sequence that each publisher has next.
    next: Vec<u64>,
    tally: Tally,
}

impl Verifier {
    /// A verifier of the publishers from `first` on, `count` of them.
    pub(super) fn new(run: u32, first: u32, count: usize) -> Self {
        Self { run, first, next: vec![0; count], tally: Tally::default() }
    }

    /// Takes the stamp of a delivery, if it has one. Gives it back if the delivery came in its place.
    pub(super) fn handle(&mut self, stamp: Option<Stamp>) -> Option<Stamp> {
        let Some((stamp, next)) = stamp.filter(|stamp| stamp.run == self.run).and_then(|stamp| {
            let index = stamp.publisher.checked_sub(self.first)?;
            Some((stamp, self.next.get_mut(index as usize)?))
        }) else {
            self.tally.strange += 1;
            return None;
        };
        if stamp.sequence < *next {
            self.tally.repeated += 1;
            return None;
        }
        self.tally.lost += stamp.sequence - *next;
        *next = stamp.sequence + 1;
        self.tally.delivered += 1;
        Some(stamp)
    }

    /// What was found, if each publisher published as many as `published` says.
    pub(super) fn finish(&self, published: impl Fn(u32) -> u64) -> Tally {
        let never_came =
            (self.first..).zip(&self.next).map(|(publisher, next)| published(publisher).saturating_sub(*next));
        Tally { lost: self.tally.lost + never_came.sum::<u64>(), ..self.tally }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(stamps: &[(u32, u64)]) -> Verifier {
        let mut verifier = Verifier::new(7, 10, 2);
        for (publisher, sequence) in stamps {
            let stamp = Stamp { time_ns: 0, run: 7, publisher: *publisher, sequence: *sequence };
            verifier.handle(Some(stamp));
        }
        verifier
    }

    #[test]
    fn what_comes_once_and_in_order_is_clean() {
        let tally = heard(&[(10, 0), (11, 0), (10, 1), (11, 1)]).finish(|_| 2);
        assert!(tally.is_clean());
        assert_eq!(tally.delivered, 4);
    }

    #[test]
    fn gaps_and_ends_that_never_came_are_lost() {
        let tally = heard(&[(10, 0), (10, 3)]).finish(|publisher| if publisher == 10 { 5 } else { 1 });
        assert_eq!(tally, Tally { delivered: 2, lost: 2 + 1 + 1, repeated: 0, strange: 0 });
    }

    #[test]
    fn what_comes_again_or_late_is_repeated() {
        let tally = heard(&[(10, 0), (10, 0), (10, 2), (10, 1), (10, 3)]).finish(|_| 0);
        assert_eq!(tally, Tally { delivered: 3, lost: 1, repeated: 2, strange: 0 });
    }

    #[test]
    fn what_nobody_published_here_is_strange() {
        let mut verifier = heard(&[(9, 0), (12, 0)]);
        verifier.handle(None);
        verifier.handle(Some(Stamp { time_ns: 0, run: 8, publisher: 10, sequence: 0 }));
        let tally = verifier.finish(|_| 0);
        assert_eq!(tally, Tally { strange: 4, ..Tally::default() });
        assert!(!tally.is_clean());
    }
}
