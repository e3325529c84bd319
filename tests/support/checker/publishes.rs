//! What was published, and what became of it: one answer, one place, in its order; what subscribers saw is judged elsewhere.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use callboard_protocol::{Epoch, Kind, Offset, Payload, Position};

use super::faults::Rule;
use super::places::{Places, shown};
use super::roll::{Channel, Roll};

/// A channel may forget the ids of a publisher that was quiet for this long, and store what it sends again then
/// (PROTOCOL.md, "Publishing again").
const FORGOTTEN_MS: u64 = 120_000;

/// A publish, asked once and sent as often as it takes.
#[derive(Debug)]
pub(super) struct Publish<'a> {
    pub(super) log: usize,
    channel: Channel,
    payload: &'a Payload,
    asked_ms: u64,
    /// How many sessions of its client had ended when it was sent last.
    session: u32,
    /// How many answers are due from that session.
    due: u32,
    /// Whether it was sent again, as far as the log tells.
    resent: bool,
    answer: Answer,
    /// The first of the publishes to this channel that say the same; itself, unless a trial repeats itself.
    same: usize,
    /// How many say the same, and where that was stored: kept by the first of them.
    count: usize,
    places: Vec<Position>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It wants none.
    Unwanted,
    Open,
    Place {
        position: Position,
        at_ms: u64,
    },
    /// Refused. In doubt, it may have been stored by an earlier session all the same.
    Refused {
        in_doubt: bool,
    },
}

/// Where a publish was stored, when that was answered, and which it is.
type Stored = (Offset, u64, usize);

/// All publishes of a trial.
#[derive(Debug, Default)]
pub(super) struct Publishes<'a> {
    all: Vec<Publish<'a>>,
    by_number: HashMap<(usize, u64), usize>,
    by_payload: HashMap<(Channel, Kind, &'a [u8]), usize>,
}

/// Who asks, when, and how many sessions had ended by then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) log: usize,
    pub(super) at_ms: u64,
    pub(super) session: u32,
}

impl<'a> Publishes<'a> {
    /// A publish with a number wants an answer.
    pub(super) fn ask(
        &mut self,
        roll: &mut Roll<'a>,
        asker: Asker,
        number: Option<u64>,
        channel: &'a str,
        payload: &'a Payload,
    ) {
        let (publish, channel) = (self.all.len(), roll.channel(channel));
        if let Some(number) = number
            && self.by_number.insert((asker.log, number), publish).is_some()
        {
            roll.fault(Rule::Account, asker.log, Some(channel), format!("publish {number} was noted twice"));
        }
        let same = *self.by_payload.entry((channel, payload.kind(), payload.bytes())).or_insert(publish);
        let Asker { log, at_ms: asked_ms, session } = asker;
        let (answer, due) = if number.is_some() { (Answer::Open, 1) } else { (Answer::Unwanted, 0) };
        let (resent, count, places) = (false, 0, Vec::new());
        self.all.push(Publish { log, channel, payload, asked_ms, session, due, resent, answer, same, count, places });
        self.all[same].count += 1;
    }

    /// A publish is sent again.
    pub(super) fn ask_again(&mut self, roll: &mut Roll<'a>, asker: Asker, number: u64) {
        let Some(publish) = self.find(roll, asker, number, "a sending again of") else { return };
        let publish = &mut self.all[publish];
        // What another session was asked it does not answer any more.
        publish.due = if publish.session == asker.session { publish.due + 1 } else { 1 };
        (publish.session, publish.resent) = (asker.session, true);
    }

    /// A publish was answered with its place.
    pub(super) fn acknowledge(
        &mut self,
        roll: &mut Roll<'a>,
        places: &mut Places<'a>,
        asker: Asker,
        number: u64,
        position: Position,
    ) {
        let Some(publish) = self.answered(roll, asker, number) else { return };
        let Publish { channel, payload, .. } = self.all[publish];
        self.all[publish].answer = Answer::Place { position, at_ms: asker.at_ms };
        let place = places.see(roll, asker.log, channel, position, payload);
        if let Some(other) = places.answer(place, publish) {
            let Publish { log, payload: before, .. } = &self.all[other];
            let (text, before, whose) = (shown(payload), shown(before), roll.name(*log));
            let sentence = format!("{text} was answered with the place of {before} of {whose}");
            roll.fault_at(Rule::SharedPlace, asker.log, channel, position, sentence);
        }
    }

    /// A publish was answered with a failure.
    pub(super) fn refuse(&mut self, roll: &mut Roll<'a>, asker: Asker, number: u64) {
        let Some(publish) = self.answered(roll, asker, number) else { return };
        let publish = &mut self.all[publish];
        // One that was answered with a place has it, whatever became of it when it was sent again.
        if publish.answer == Answer::Open {
            publish.answer = Answer::Refused { in_doubt: publish.resent || publish.session != asker.session };
        }
    }

    fn answered(&mut self, roll: &mut Roll<'a>, asker: Asker, number: u64) -> Option<usize> {
        let known = self.find(roll, asker, number, "an answer to")?;
        let publish = &mut self.all[known];
        if publish.due == 0 {
            let sentence = format!("{} was answered again, after {:?}", shown(publish.payload), publish.answer);
            roll.fault(Rule::AnsweredTwice, asker.log, Some(publish.channel), sentence);
        }
        publish.due = publish.due.saturating_sub(1);
        Some(known)
    }

    fn find(&self, roll: &mut Roll<'a>, asker: Asker, number: u64, what: &str) -> Option<usize> {
        let known = self.by_number.get(&(asker.log, number)).copied();
        if known.is_none() {
            let sentence = format!("{what} publish {number}, which was not asked");
            roll.fault(Rule::Account, asker.log, None, sentence);
        }
        known
    }

    /// The publish of this number among all.
    pub(super) fn get(&self, publish: usize) -> &Publish<'a> {
        &self.all[publish]
    }

    /// Finds whose each place is, and judges what was stored.
    pub(super) fn judge_stored(&mut self, roll: &mut Roll<'a>, places: &mut Places<'a>, strangers: bool) {
        for place in &mut places.all {
            let said = (place.channel, place.payload.kind(), &place.payload.bytes()[..]);
            place.publish = self.by_payload.get(&said).copied();
            match place.publish {
                Some(publish) => self.all[publish].places.push(place.position),
                None if strangers => {}
                None => {
                    let sentence = format!("{} came, which nobody published to this channel", shown(place.payload));
                    roll.fault_at(Rule::Invented, place.log, place.channel, place.position, sentence);
                }
            }
        }
        for number in 0..self.all.len() {
            self.judge_places(roll, number);
        }
        self.judge_own_order(roll);
    }

    fn judge_places(&self, roll: &mut Roll<'a>, number: usize) {
        let publish = &self.all[number];
        let Publish { log, channel, payload, places, .. } = publish;
        if let (Answer::Refused { in_doubt: false }, 1, Some(position)) =
            (publish.answer, publish.count, places.first())
        {
            let sentence = format!("{} was refused, and stored all the same", shown(payload));
            roll.fault_at(Rule::RefusedStored, *log, *channel, *position, sentence);
        }
        if places.len() <= publish.count || self.may_be_forgotten(roll, number) {
            return;
        }
        let mut lives: BTreeMap<Epoch, Vec<Offset>> = BTreeMap::new();
        for position in places {
            lives.entry(position.epoch).or_default().push(position.offset);
        }
        for (epoch, mut offsets) in lives {
            if offsets.len() > publish.count {
                offsets.sort_unstable();
                let position = Position { epoch, offset: offsets[offsets.len() - 1] };
                let all: Vec<u64> = offsets.iter().map(|offset| offset.value()).collect();
                let sentence = format!("{} is stored at {all:?}, and was published {}×", shown(payload), publish.count);
                roll.fault_at(Rule::StoredTwice, *log, *channel, position, sentence);
            }
        }
    }

    /// Whether one of those who publish the same may have sent it again when its id was forgotten.
    fn may_be_forgotten(&self, roll: &Roll<'a>, number: usize) -> bool {
        self.all.iter().filter(|publish| publish.same == number).any(|publish| {
            let until_ms = match publish.answer {
                Answer::Unwanted => publish.asked_ms,
                Answer::Place { at_ms, .. } => at_ms,
                Answer::Open | Answer::Refused { .. } => {
                    roll.logs[publish.log].facts().last().map_or(publish.asked_ms, |(at_ms, _)| *at_ms)
                }
            };
            until_ms.saturating_sub(publish.asked_ms) >= FORGOTTEN_MS
        })
    }

    /// The first place in each epoch that is known to be this publish's.
    fn own_places(&self, publish: &Publish<'a>) -> Vec<Position> {
        let first = &self.all[publish.same];
        match publish.answer {
            _ if first.count == 1 => {
                let mut places = first.places.clone();
                places.sort_unstable_by_key(|place| (place.epoch, place.offset));
                places.dedup_by_key(|place| place.epoch);
                places
            }
            Answer::Place { position, .. } => vec![position],
            Answer::Unwanted | Answer::Open | Answer::Refused { .. } => Vec::new(),
        }
    }

    fn judge_own_order(&self, roll: &mut Roll<'a>) {
        let mut last: HashMap<(usize, Channel, Epoch), (Offset, usize)> = HashMap::new();
        for (number, publish) in self.all.iter().enumerate() {
            for position in self.own_places(publish) {
                match last.entry((publish.log, publish.channel, position.epoch)) {
                    Entry::Vacant(vacant) => drop(vacant.insert((position.offset, number))),
                    Entry::Occupied(mut before) => {
                        let (offset, known) = *before.get();
                        // What was forgotten and is stored again stands behind what came meanwhile.
                        if offset > position.offset && !self.may_be_forgotten(roll, self.all[known].same) {
                            let (text, before) = (shown(publish.payload), shown(self.all[known].payload));
                            let sentence = format!("{text} was published behind {before}, which is stored at {offset}");
                            roll.fault_at(Rule::OwnOrder, publish.log, publish.channel, position, sentence);
                        } else {
                            before.insert((position.offset, number));
                        }
                    }
                }
            }
        }
    }

    /// What is published after an answer came is stored behind what was answered.
    pub(super) fn judge_real_time(&self, roll: &mut Roll<'a>) {
        let mut lives: BTreeMap<(Channel, Epoch), Vec<Stored>> = BTreeMap::new();
        for (number, publish) in self.all.iter().enumerate() {
            if let Answer::Place { position, at_ms } = publish.answer {
                let life = lives.entry((publish.channel, position.epoch)).or_default();
                life.push((position.offset, at_ms, number));
            }
        }
        for ((channel, epoch), mut life) in lives {
            life.sort_unstable();
            // The earliest answer among those stored behind.
            let mut earliest = (u64::MAX, Offset::ZERO);
            for (offset, at_ms, number) in life.into_iter().rev() {
                let publish = &self.all[number];
                if publish.asked_ms > earliest.0 {
                    let (text, behind) = (shown(publish.payload), earliest.1);
                    let sentence = format!("{text} was published after {behind} was answered, and is stored before it");
                    roll.fault_at(Rule::RealTime, publish.log, channel, Position { epoch, offset }, sentence);
                }
                earliest = earliest.min((at_ms, offset));
            }
        }
    }

    /// When the last publish that was acknowledged was asked, in each epoch of each channel.
    pub(super) fn last_asked_ms(&self) -> HashMap<Channel, HashMap<Epoch, u64>> {
        let mut last: HashMap<Channel, HashMap<Epoch, u64>> = HashMap::new();
        for publish in &self.all {
            if let Answer::Place { position, .. } = publish.answer {
                let last = last.entry(publish.channel).or_default().entry(position.epoch).or_default();
                *last = publish.asked_ms.max(*last);
            }
        }
        last
    }

    /// At the end nobody waits for an answer any more.
    pub(super) fn judge_unanswered(&self, roll: &mut Roll<'a>, expected: impl Fn(usize) -> bool) {
        for publish in self.all.iter().filter(|publish| publish.due > 0 && expected(publish.log)) {
            let sentence = format!("{} was never answered", shown(publish.payload));
            roll.fault(Rule::Unanswered, publish.log, Some(publish.channel), sentence);
        }
    }
}
