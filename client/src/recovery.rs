//! Where a subscription stands in its channel: deliveries in, verdicts out. Pure; it never asks and never delivers.

use callboard_protocol::frame::{Start, Subscribed};
use callboard_protocol::{Epoch, Offset, Position};

use crate::event::GapWhy;

/// The place up to which a subscription knows what became of every offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Track {
    epoch: Epoch,
    /// The offset that must come next. Wider than an [`Offset`], so that nothing can follow the largest one.
    next: u64,
}

/// The broker broke a rule about offsets. The session ends with `OutOfOrder` and the next one recovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("offset {expected} comes next, the broker sent {came}")]
    NotDense { expected: u64, came: u64 },
    #[error("the broker skipped through {through}, before the next offset {expected}")]
    SkippedBack { expected: u64, through: u64 },
    #[error("the broker went back within an epoch, to {to} from {from}")]
    ResetBack { from: Position, to: Position },
    #[error("the broker says that nothing is missing since {asked}, and goes on with {epoch:x}@{next}")]
    NotRecovered { asked: Position, epoch: u64, next: u64 },
    #[error("the broker begins a subscription at offset {next}, its channel stands at {position}")]
    BeginsNowhere { next: u64, position: Position },
}

/// What lies between two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) from: Option<Position>,
    pub(crate) to: Position,
    pub(crate) why: GapWhy,
}

impl Track {
    /// Begins with the answer to a `Subscribe` that asked for `start`. The gap is what the answer admits.
    pub(crate) fn begin(start: Start, answer: &Subscribed) -> Result<(Self, Option<Missing>), Violation> {
        let next = answer.next.value();
        let track = Self { epoch: answer.position.epoch, next };
        if next == 0 || next > answer.position.offset.value() + 1 {
            return Err(Violation::BeginsNowhere { next, position: answer.position });
        }
        let Start::Recover(asked) = start else { return Ok((track, None)) };
        if answer.recovered {
            let whole = asked.epoch == track.epoch && asked.offset.value() + 1 == next;
            let violation = Violation::NotRecovered { asked, epoch: track.epoch.value(), next };
            return if whole { Ok((track, None)) } else { Err(violation) };
        }
        // "`recovered` false: […] `next` is `position.offset` + 1" (PROTOCOL.md, "Recovery").
        if next != answer.position.offset.value() + 1 {
            return Err(Violation::BeginsNowhere { next, position: answer.position });
        }
        let why = if asked.epoch == track.epoch { GapWhy::NotRecoverable } else { GapWhy::NewEpoch };
        Ok((track, Some(Missing { from: Some(asked), to: track.position(), why })))
    }

    /// Begins after a position that the broker chose.
    pub(crate) fn at(position: Position) -> Self {
        Self { epoch: position.epoch, next: position.offset.value() + 1 }
    }

    /// The last place that is behind this subscription.
    pub(crate) fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: Offset::saturating(self.next - 1) }
    }

    /// Whether `offset` is the one that comes next.
    pub(crate) fn check(&self, offset: Offset) -> Result<(), Violation> {
        if offset.value() == self.next {
            Ok(())
        } else {
            Err(Violation::NotDense { expected: self.next, came: offset.value() })
        }
    }

    /// Takes a delivery.
    pub(crate) fn handle_offset(&mut self, offset: Offset) -> Result<Position, Violation> {
        self.check(offset)?;
        self.next += 1;
        Ok(Position { epoch: self.epoch, offset })
    }

    /// Takes word of offsets that do not come on purpose.
    pub(crate) fn handle_skipped(&mut self, through: Offset) -> Result<(), Violation> {
        if through.value() < self.next {
            return Err(Violation::SkippedBack { expected: self.next, through: through.value() });
        }
        self.next = through.value() + 1;
        Ok(())
    }

    /// Takes word that the channel goes on from another position.
    pub(crate) fn handle_reset(&mut self, to: Position) -> Result<Missing, Violation> {
        let from = self.position();
        if to.epoch == from.epoch && to.offset < from.offset {
            return Err(Violation::ResetBack { from, to });
        }
        *self = Self::at(to);
        let why = if to.epoch == from.epoch { GapWhy::Reset } else { GapWhy::NewEpoch };
        Ok(Missing { from: Some(from), to, why })
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::ChannelId;
    use callboard_protocol::limits::INTEGER_MAX;
    use proptest::prelude::*;

    use super::*;

    fn position(epoch: u64, offset: u64) -> Position {
        Position { epoch: Epoch::saturating(epoch), offset: Offset::saturating(offset) }
    }

    fn answer(position: Position, next: u64, recovered: bool) -> Subscribed {
        Subscribed { channel: ChannelId::ZERO, position, next: Offset::saturating(next), recovered }
    }

    fn live(epoch: u64, offset: u64) -> Track {
        Track::begin(Start::Live, &answer(position(epoch, offset), offset + 1, true)).expect("it is a legal start").0
    }

    #[test]
    fn recovered_means_that_the_very_next_offset_comes() {
        let asked = position(7, 10);
        let begin = |answer: &Subscribed| Track::begin(Start::Recover(asked), answer);
        assert!(matches!(begin(&answer(position(7, 40), 11, true)), Ok((_, None))));
        assert!(matches!(begin(&answer(position(7, 40), 12, true)), Err(Violation::NotRecovered { .. })));
        assert!(matches!(begin(&answer(position(7, 40), 10, true)), Err(Violation::NotRecovered { .. })));
        assert!(matches!(begin(&answer(position(8, 40), 11, true)), Err(Violation::NotRecovered { .. })));
    }

    #[test]
    fn not_recovered_is_a_gap_with_both_ends() {
        let asked = position(7, 10);
        for (epoch, why) in [(7, GapWhy::NotRecoverable), (8, GapWhy::NewEpoch)] {
            let (track, gap) = Track::begin(Start::Recover(asked), &answer(position(epoch, 40), 41, false))
                .expect("it is a legal answer");
            assert_eq!(gap, Some(Missing { from: Some(asked), to: position(epoch, 40), why }));
            assert_eq!(track.position(), position(epoch, 40));
        }
    }

    #[test]
    fn what_is_not_recovered_goes_on_behind_the_channels_end() {
        for next in [1, 40] {
            let begun = Track::begin(Start::Recover(position(7, 10)), &answer(position(7, 40), next, false));
            assert!(matches!(begun, Err(Violation::BeginsNowhere { .. })), "{next}");
        }
    }

    #[test]
    fn a_start_behind_the_channels_end_or_at_zero_is_refused() {
        for next in [0, 42] {
            let begun = Track::begin(Start::Live, &answer(position(7, 40), next, true));
            assert!(matches!(begun, Err(Violation::BeginsNowhere { .. })), "{next}");
        }
    }

    #[test]
    fn a_hole_and_a_repeat_are_violations() {
        let mut track = live(7, 10);
        assert_eq!(track.handle_offset(Offset::saturating(11)), Ok(position(7, 11)));
        assert!(track.handle_offset(Offset::saturating(11)).is_err());
        assert!(track.handle_offset(Offset::saturating(13)).is_err());
        assert!(track.handle_skipped(Offset::saturating(11)).is_err());
        assert_eq!(track.handle_skipped(Offset::saturating(12)), Ok(()));
        assert_eq!(track.handle_offset(Offset::saturating(13)), Ok(position(7, 13)));
    }

    #[test]
    fn a_reset_is_a_gap_and_goes_back_only_with_a_new_epoch() {
        let mut track = live(7, 10);
        assert!(track.handle_reset(position(7, 9)).is_err());
        assert_eq!(track.handle_reset(position(7, 20)).map(|gap| gap.why), Ok(GapWhy::Reset));
        assert_eq!(track.handle_reset(position(8, 0)).map(|gap| gap.why), Ok(GapWhy::NewEpoch));
        assert_eq!(track.handle_offset(Offset::saturating(1)), Ok(position(8, 1)));
    }

    #[test]
    fn nothing_follows_the_largest_offset() {
        let mut track = live(7, INTEGER_MAX - 1);
        let last = Offset::saturating(INTEGER_MAX);
        assert!(track.handle_offset(last).is_ok());
        assert!(track.handle_offset(last).is_err());
        assert_eq!(track.position().offset, last);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Message(u64),
        Skipped(u64),
        Reset(u64, u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..40_u64).prop_map(Step::Message),
            (0..40_u64).prop_map(Step::Skipped),
            (1..3_u64, 0..40_u64).prop_map(|(epoch, offset)| Step::Reset(epoch, offset)),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        /// Whatever a broker sends: within an epoch the position only grows, and grows by one with each delivery.
        #[test]
        fn what_is_taken_is_dense_or_told(steps in steps()) {
            let mut track = live(1, 5);
            for step in steps {
                let before = track.position();
                match step {
                    Step::Message(offset) => {
                        if let Ok(at) = track.handle_offset(Offset::saturating(offset)) {
                            prop_assert_eq!(at.offset.value(), before.offset.value() + 1);
                            prop_assert_eq!(at.epoch, before.epoch);
                        }
                    }
                    Step::Skipped(through) => {
                        let _ = track.handle_skipped(Offset::saturating(through));
                    }
                    Step::Reset(epoch, offset) => {
                        if let Ok(gap) = track.handle_reset(position(epoch, offset)) {
                            prop_assert_eq!(gap.from, Some(before));
                            prop_assert_eq!(gap.to, track.position());
                        }
                    }
                }
                let after = track.position();
                prop_assert!(after.epoch != before.epoch || after.offset >= before.offset);
            }
        }
    }
}
