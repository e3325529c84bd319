//! What each subscription saw, step by step: dense, in order, told where not, and over when it was left.

use std::collections::{HashMap, HashSet};

use callboard_protocol::frame::Start;
use callboard_protocol::{Epoch, Offset, Payload, Position};

use super::faults::Rule;
use super::places::{Places, shown};
use super::publishes::Publishes;
use super::roll::{Channel, Roll};

/// One subscription of one log.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) log: usize,
    pub(super) channel: Channel,
    start: Start,
    pub(super) exclude_own: bool,
    pub(super) phase: Phase,
    /// Where it stands; `None` before it began.
    pub(super) stand: Option<Position>,
    /// When it was told of the epoch or the gap that it stands behind.
    pub(super) told_ms: u64,
    /// The epochs it stood in before.
    left: Vec<Epoch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Asked for, or held.
    Held,
    Leaving,
    Over,
}

/// Something that comes to a subscription.
#[derive(Debug, Clone, Copy)]
pub(super) enum News<'a> {
    Began { at: Position, recovered: bool },
    Message { position: Position, payload: &'a Payload },
    Skipped { through: Offset },
    Gap { at: Position },
}

/// All subscriptions of a trial.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    pub(super) all: Vec<Subscription>,
    by_number: HashMap<(usize, u64), usize>,
    /// The epochs that somebody was told are over.
    pub(super) over: HashSet<(Channel, Epoch)>,
    /// What was skipped: by which subscription, behind which place, and through which offset.
    skips: Vec<(usize, Position, Offset)>,
    /// The places of messages that came to who wanted none of its own.
    unless_own: Vec<(usize, usize)>,
}

impl Subscriptions {
    pub(super) fn ask<'a>(
        &mut self,
        roll: &mut Roll<'a>,
        log: usize,
        number: u64,
        channel: &'a str,
        (start, exclude_own): (Start, bool),
    ) {
        let channel = roll.channel(channel);
        if self.by_number.insert((log, number), self.all.len()).is_some() {
            roll.fault(Rule::Account, log, Some(channel), format!("subscription {number} was noted twice"));
        }
        let (phase, stand, left) = (Phase::Held, None, Vec::new());
        self.all.push(Subscription { log, channel, start, exclude_own, phase, stand, told_ms: 0, left });
    }

    /// The end of a subscription is asked for, or has come.
    pub(super) fn leave(&mut self, roll: &mut Roll<'_>, log: usize, number: u64, phase: Phase) {
        let Some(known) = self.find(roll, log, number) else { return };
        let subscription = &mut self.all[known];
        if subscription.phase == Phase::Over {
            let sentence = format!("subscription {number} ended twice");
            roll.fault(Rule::Account, log, Some(subscription.channel), sentence);
        }
        subscription.phase = phase;
    }

    pub(super) fn hear<'a>(
        &mut self,
        roll: &mut Roll<'a>,
        places: &mut Places<'a>,
        (log, at_ms): (usize, u64),
        number: u64,
        news: News<'a>,
    ) {
        let Some(known) = self.find(roll, log, number) else { return };
        let subscription = &mut self.all[known];
        let channel = subscription.channel;
        if let News::Message { position, payload } = news {
            let place = places.see(roll, log, channel, position, payload);
            if subscription.exclude_own {
                self.unless_own.push((known, place));
            }
        }
        if subscription.phase == Phase::Over {
            let position = news.position(subscription.stand);
            let sentence = format!("{} came after the subscription had ended", news.shown());
            roll.fault_at(Rule::AfterLeft, log, channel, position, sentence);
            return;
        }
        let Some(stand) = subscription.stand else {
            if let (Start::Recover(from), News::Began { at, recovered: false }) = (subscription.start, news)
                && from.epoch != at.epoch
            {
                self.over.insert((channel, from.epoch));
            }
            subscription.begin(roll, at_ms, news);
            return;
        };
        match news {
            News::Began { at, recovered: true } => {
                if at != stand {
                    let sentence = format!("was told that nothing is missing since {stand}, and goes on here");
                    roll.fault_at(Rule::Recovery, log, channel, at, sentence);
                    subscription.stand = Some(at);
                }
            }
            News::Began { at, recovered: false } | News::Gap { at } => {
                subscription.told_ms = at_ms;
                if at.epoch != stand.epoch {
                    self.over.insert((channel, stand.epoch));
                }
                subscription.pass_gap(roll, stand, at);
            }
            News::Message { position, .. } => subscription.take(roll, stand, position, &news),
            News::Skipped { through } => {
                let position = Position { offset: through, ..stand };
                if through <= stand.offset {
                    let sentence = format!("was told of messages that are left out, and stands at {stand}");
                    roll.fault_at(Rule::Repeated, log, channel, position, sentence);
                } else if subscription.exclude_own {
                    self.skips.push((known, stand, through));
                    subscription.stand = Some(position);
                } else {
                    let sentence = "messages were left out, and none were to be".to_owned();
                    roll.fault_at(Rule::Withheld, log, channel, position, sentence);
                    subscription.stand = Some(position);
                }
            }
        }
    }

    fn find(&self, roll: &mut Roll<'_>, log: usize, number: u64) -> Option<usize> {
        let known = self.by_number.get(&(log, number)).copied();
        if known.is_none() {
            roll.fault(Rule::Account, log, None, format!("subscription {number} was never asked for"));
        }
        known
    }

    /// Judges, once it is known whose each message is, that own messages and no others were left out.
    pub(super) fn judge_own<'a>(&self, roll: &mut Roll<'a>, places: &Places<'a>, publishes: &Publishes<'a>) {
        for (known, after, through) in &self.skips {
            let Subscription { log, channel, .. } = self.all[*known];
            for place in places.between(channel, *after, *through) {
                if let Some(publish) = place.publish.map(|publish| publishes.get(publish))
                    && !roll.are_one(log, publish.log)
                {
                    let (text, whose) = (shown(place.payload), roll.name(publish.log));
                    let sentence = format!("{text} of {whose} was left out, which is no own message");
                    roll.fault_at(Rule::Withheld, log, channel, place.position, sentence);
                }
            }
        }
        for (known, place) in &self.unless_own {
            let (Subscription { log, channel, .. }, place) = (&self.all[*known], &places.all[*place]);
            if let Some(publish) = place.publish.map(|publish| publishes.get(publish))
                && roll.are_one(*log, publish.log)
            {
                let sentence = format!("{} came, an own message, and none was wanted", shown(place.payload));
                roll.fault_at(Rule::OwnDelivered, *log, *channel, place.position, sentence);
            }
        }
    }
}

impl Subscription {
    fn begin(&mut self, roll: &mut Roll<'_>, at_ms: u64, news: News<'_>) {
        let News::Began { at, recovered } = news else {
            let position = news.position(None);
            let sentence = format!("{} came before the subscription began", news.shown());
            roll.fault_at(Rule::Early, self.log, self.channel, position, sentence);
            return;
        };
        if let Start::Recover(from) = self.start
            && recovered
            && at != from
        {
            let sentence = format!("was told that nothing is missing since {from}, and begins here");
            roll.fault_at(Rule::Recovery, self.log, self.channel, at, sentence);
        }
        (self.stand, self.told_ms) = (Some(at), at_ms);
    }

    fn pass_gap(&mut self, roll: &mut Roll<'_>, stand: Position, at: Position) {
        if at.epoch == stand.epoch {
            if at.offset <= stand.offset {
                let sentence = format!("was told of a gap up to here, and stands at {stand}");
                roll.fault_at(Rule::EmptyGap, self.log, self.channel, at, sentence);
            }
            let offset = at.offset.max(stand.offset);
            self.stand = Some(Position { offset, ..stand });
            return;
        }
        self.left.push(stand.epoch);
        if self.left.contains(&at.epoch) {
            let sentence = format!("went back from {stand} to an epoch that was over");
            roll.fault_at(Rule::Epoch, self.log, self.channel, at, sentence);
        }
        self.stand = Some(at);
    }

    fn take(&mut self, roll: &mut Roll<'_>, stand: Position, position: Position, news: &News<'_>) {
        let mut fault = |rule, how: &str| {
            let sentence = format!("{} came after {stand}: {how}", news.shown());
            roll.fault_at(rule, self.log, self.channel, position, sentence);
        };
        if position.epoch != stand.epoch {
            fault(Rule::Epoch, "the epoch changed, and nothing was told");
            self.left.push(stand.epoch);
            self.stand = Some(position);
            return;
        }
        if position.offset <= stand.offset {
            fault(Rule::Repeated, "it goes back");
        } else if position.offset != stand.offset.next() {
            fault(Rule::Hole, "what lies between is missing, and no gap was told");
        }
        // Whoever is handed two messages the wrong way round is not missing what follows them.
        self.stand = Some(Position { offset: position.offset.max(stand.offset), ..stand });
    }
}

impl News<'_> {
    fn position(&self, stand: Option<Position>) -> Position {
        match self {
            Self::Began { at, .. } | Self::Gap { at } => *at,
            Self::Message { position, .. } => *position,
            Self::Skipped { through } => {
                Position { offset: *through, epoch: stand.map_or(Epoch::ZERO, |stand| stand.epoch) }
            }
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Began { .. } => "the beginning".to_owned(),
            Self::Message { payload, .. } => shown(payload),
            Self::Skipped { .. } => "word of messages that are left out".to_owned(),
            Self::Gap { .. } => "word of a gap".to_owned(),
        }
    }
}
