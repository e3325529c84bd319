//! Room for what one browser says: a message that has not come whole, and what the broker has not taken. Who holds it while
//! others are refused has to get on; it ends nobody.

use super::budget::Share;

/// Room for one browser.
#[derive(Debug)]
pub(super) struct InwardRoom {
    share: Share,
    /// How often anybody had been refused when this one last got on.
    refusals: usize,
    /// Whether it got on since the last turn of the heartbeat.
    gets_on: bool,
}

impl InwardRoom {
    pub(super) fn new(share: Share) -> Self {
        Self { share, refusals: 0, gets_on: false }
    }

    /// Makes it enough for `bytes`. Whether there is so much.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        if !self.share.is_any() {
            self.note_progress();
        }
        self.share.resize(bytes)
    }

    /// A message came whole, or the broker took some of what was said. A part of a message is nothing: one byte a while would
    /// hold the rest for ever.
    pub(super) fn note_progress(&mut self) {
        (self.refusals, self.gets_on) = (self.share.refusals(), true);
    }

    /// Leaves nothing here; what it was is the caller's.
    pub(super) fn take(&mut self) -> Share {
        self.share.take()
    }

    /// At each turn of the heartbeat: whether it holds room, has not got on since the last turn, and others were refused.
    pub(super) fn tick(&mut self) -> bool {
        let is_stalled = self.share.is_any() && !std::mem::take(&mut self.gets_on);
        is_stalled && self.share.refusals() != self.refusals
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::WaitingBudget;
    use super::*;

    #[test]
    fn only_who_does_not_get_on_for_a_turn_while_others_are_refused_has_it_for_too_long() {
        let budget = WaitingBudget::new(100, 10);
        let room = || InwardRoom::new(Share::of(&budget));
        let (mut stalled, mut busy, mut small, mut refused) = (room(), room(), room(), room());
        assert!(stalled.resize(60) && busy.resize(50) && small.resize(10));
        for _ in 0..3 {
            assert!(!stalled.tick() && !busy.tick() && !small.tick(), "nobody is refused");
        }
        assert!(!refused.resize(60));
        busy.note_progress();
        assert!(!refused.resize(60), "in the turn in which the busy one got on");
        assert!(stalled.resize(61) && stalled.tick(), "a part of a message is nothing");
        assert!(!busy.tick() && !small.tick(), "it got on, or holds nothing that others need");
        assert!(busy.tick(), "not for a whole turn");
        drop(stalled);
        assert!(refused.resize(60) && !refused.tick() && !refused.tick());
    }
}
