//! Who holds room that others are refused, and does not get on: since when is noted at once and judged now and then. It ends
//! nobody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use callboard_protocol::Millis;

use super::Budget;

/// Since when one session holds some of a budget without getting on; nothing while it holds none.
#[derive(Debug, Default)]
pub(crate) struct Stall(AtomicU64);

impl Stall {
    /// It holds some, and got on just now.
    pub(crate) fn begin(&self, now: Millis) {
        self.0.store(now.value().max(1), Ordering::Relaxed);
    }

    /// It holds none.
    pub(crate) fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Looks at a budget now and then, and knows who of those that hold some has to give it up.
#[derive(Debug)]
pub(crate) struct StallWatch {
    patience_ms: u64,
    /// Refusals up to the last look.
    refusals: usize,
    /// When somebody was refused last.
    refused_at_ms: u64,
    now_ms: u64,
    /// Whether some of those who held room then are not judged yet.
    is_open: bool,
}

impl StallWatch {
    /// Nobody was refused so far. Who is, makes an end of those who have not got on for `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        Self { patience_ms, refusals: 0, refused_at_ms: 0, now_ms: 0, is_open: false }
    }

    /// Whether there may be somebody to end. While nobody is refused, nobody is looked at.
    pub(crate) fn look(&mut self, budget: &Budget, now: Millis) -> bool {
        self.now_ms = now.value();
        let refusals = budget.refusals();
        if std::mem::replace(&mut self.refusals, refusals) != refusals {
            (self.refused_at_ms, self.is_open) = (self.now_ms, true);
        }
        let looks = self.is_open;
        self.is_open &= self.now_ms < self.refused_at_ms.saturating_add(self.patience_ms);
        looks
    }

    /// Whether this one held room when another was refused, and has not got on for too long.
    pub(crate) fn is_over(&self, stall: &Stall) -> bool {
        let since_ms = stall.0.load(Ordering::Relaxed);
        let lasts = self.now_ms.saturating_sub(since_ms) >= self.patience_ms;
        since_ms != 0 && since_ms <= self.refused_at_ms && lasts
    }
}

#[cfg(test)]
mod tests {
    use super::super::Share;
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    fn at(ms: u64) -> Millis {
        Millis::saturating(1_000 + ms)
    }

    #[test]
    fn only_who_held_room_when_another_was_refused_and_does_not_get_on_is_over() {
        let (budget, mut watch) = (Budget::new(10), StallWatch::new(PATIENCE));
        let (early, late, idle) = (Stall::default(), Stall::default(), Stall::default());
        early.begin(at(0));
        assert!(!watch.look(&budget, at(500)) && !watch.is_over(&early), "nobody was refused");
        assert!(!Share::of(&budget).resize(11));
        early.begin(at(450));
        assert!(watch.look(&budget, at(510)) && !watch.is_over(&early), "it got on a moment ago");
        late.begin(at(520));
        assert!(watch.look(&budget, at(550)) && watch.is_over(&early));
        early.end();
        assert!(watch.look(&budget, at(620)) && !watch.is_over(&early) && !watch.is_over(&idle));
        assert!(!watch.is_over(&late), "nobody was refused while it held room");
        assert!(!watch.look(&budget, at(700)), "all are judged");
    }
}
