//! Who is there, and whether everybody has everything when a trial has come to rest.

use callboard_protocol::close::{Code, Return};
use callboard_protocol::{Offset, Position};

use super::faults::Rule;
use super::places::{Place, Places, shown};
use super::publishes::Publishes;
use super::roll::Roll;
use super::subscriptions::{Phase, Subscription, Subscriptions};
use super::trial::End;

/// Whether one log's client is there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Presence {
    /// Since when it has no session, and what was said.
    down: Option<(u64, Option<u16>)>,
    closed: bool,
    /// How many of its sessions have ended.
    pub(super) ended: u32,
}

impl Presence {
    pub(super) fn connected(&mut self, roll: &mut Roll<'_>, log: usize, at_ms: u64, end: End) {
        let Some((since_ms, _)) = self.down.take() else { return };
        let End::Quiet { last_fault_ms, within_ms } = end else { return };
        let due_ms = since_ms.max(last_fault_ms.unwrap_or(0)).saturating_add(within_ms);
        if at_ms > due_ms {
            let sentence = format!("was away from {since_ms} to {at_ms} ms, and was due back at {due_ms}");
            roll.fault(Rule::Away, log, None, sentence);
        }
    }

    pub(super) fn disconnected(&mut self, roll: &mut Roll<'_>, log: usize, at_ms: u64, code: Option<u16>) {
        self.ended += 1;
        self.down = Some((at_ms, code));
        let broken = [Code::Malformed, Code::OutOfOrder, Code::FrameTooLong];
        if let Some(code) = broken.into_iter().find(|broken| Some(broken.number()) == code) {
            let sentence = format!("its session ended with {} at {at_ms} ms: {}", code.name(), code.sentence());
            roll.fault(Rule::Protocol, log, None, sentence);
        }
    }

    pub(super) fn closed(&mut self) {
        self.closed = true;
    }

    /// Whether it is to be there at the end: nobody ended it for good.
    fn is_expected(&self) -> bool {
        let done = |(_, code): (u64, Option<u16>)| code.is_some_and(|code| Return::of(code) == Return::Unasked);
        !self.closed && !self.down.is_some_and(done)
    }
}

/// Judges how everybody is when all have come to rest.
pub(super) fn judge_quiet<'a>(
    roll: &mut Roll<'a>,
    places: &Places<'a>,
    publishes: &Publishes<'a>,
    subscriptions: &Subscriptions,
    presences: &[Presence],
) {
    for (log, presence) in presences.iter().enumerate() {
        if let (true, Some((since_ms, _))) = (presence.is_expected(), presence.down) {
            roll.fault(Rule::Away, log, None, format!("is away since {since_ms} ms, and did not come back"));
        }
    }
    let is_there = |log: usize| presences[log].is_expected() && presences[log].down.is_none();
    publishes.judge_unanswered(roll, is_there);
    let last_asked_ms = publishes.last_asked_ms();
    for subscription in subscriptions.all.iter().filter(|subscription| is_there(subscription.log)) {
        let Subscription { log, channel, phase, stand, told_ms, .. } = subscription;
        let Some(stand) = stand.filter(|_| *phase == Phase::Held) else {
            if *phase != Phase::Over {
                let what = if *phase == Phase::Leaving { "to end it" } else { "for a subscription" };
                roll.fault(Rule::Unanswered, *log, Some(*channel), format!("asked {what}, and had no answer"));
            }
            continue;
        };
        // An epoch is over when somebody else was told so, or when another took what was asked after this one was told.
        let later = last_asked_ms.get(channel).into_iter().flatten();
        let later = later.filter(|(epoch, asked_ms)| **epoch != stand.epoch && *asked_ms > told_ms);
        if subscriptions.over.contains(&(*channel, stand.epoch)) || later.count() > 0 {
            let sentence = "the epoch it stands in is over, and it was not told".to_owned();
            roll.fault_at(Rule::Behind, *log, *channel, stand, sentence);
        } else if let Some((position, sentence)) = missing(roll, places, publishes, subscription, stand, |_| true) {
            roll.fault_at(Rule::Behind, *log, *channel, position, sentence);
        }
    }
}

/// Judges what everybody has who was subscribed when the broker sent all away.
pub(super) fn judge_drained<'a>(
    roll: &mut Roll<'a>,
    places: &Places<'a>,
    publishes: &Publishes<'a>,
    subscriptions: &Subscriptions,
) {
    for subscription in subscriptions.all.iter().filter(|subscription| subscription.phase == Phase::Held) {
        let Subscription { log, channel, stand: Some(stand), .. } = subscription else { continue };
        let is_acknowledged = |place: &Place<'a>| place.answered.is_some();
        if let Some((position, sentence)) = missing(roll, places, publishes, subscription, *stand, is_acknowledged) {
            roll.fault_at(Rule::Behind, *log, *channel, position, sentence);
        }
    }
}

/// The last message that a subscription should have and has not.
fn missing<'a>(
    roll: &Roll<'a>,
    places: &Places<'a>,
    publishes: &Publishes<'a>,
    subscription: &Subscription,
    stand: Position,
    counts: impl Fn(&Place<'a>) -> bool,
) -> Option<(Position, String)> {
    let mut ahead = places.between(subscription.channel, stand, Offset::saturating(u64::MAX)).rev();
    let missing = ahead.find(|place| {
        let publish = place.publish.map(|publish| publishes.get(publish));
        let is_own = publish.is_some_and(|publish| roll.are_one(subscription.log, publish.log));
        !(subscription.exclude_own && is_own) && counts(place)
    })?;
    let (text, by) = (shown(missing.payload), roll.name(missing.log));
    let sentence =
        format!("stands at {stand} and never got {text}, nor was it told; it was there by the account of {by}");
    Some((missing.position, sentence))
}
