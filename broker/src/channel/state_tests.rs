//! A channel's state against a model: any order of publishes, joins, leaves, flushes, reads and pulls.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use callboard_protocol::Payload;
use callboard_protocol::codec::decode_server;
use callboard_protocol::frame::Start;
use proptest::prelude::*;
use tokio::sync::Semaphore;

use super::*;
use crate::channel::{AnswerGuard, Input, Instance};
use crate::connection::{Gate, Outbox, Writer};
use crate::format::Format;
use crate::format::tests::{ALL, Reading};
use crate::limit::Budget;

const HISTORY_MESSAGES: usize = 8;
const OUTBOX_MESSAGES: usize = 12;

#[derive(Debug, Clone)]
enum Step {
    Publish { instance: u8, count: u8, sequence: Option<u8> },
    Join { instance: u8, start: Begin, exclude_own: bool, format: usize },
    Leave { member: usize },
    Flush { turn: usize },
    Read { member: usize },
    GiveRest,
}

#[derive(Debug, Clone)]
enum Begin {
    Live,
    Rewind(u32),
    Back(u64),
    Elsewhere,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let begin = prop_oneof![
        Just(Begin::Live),
        (0..12_u32).prop_map(Begin::Rewind),
        (0..12_u64).prop_map(Begin::Back),
        Just(Begin::Elsewhere)
    ];
    let step = prop_oneof![
        4 => (0..3_u8, 1..4_u8, prop::option::of(0..6_u8))
            .prop_map(|(instance, count, sequence)| Step::Publish { instance, count, sequence }),
        2 => (0..3_u8, begin, any::<bool>(), 0..ALL.len()).prop_map(|(instance, start, exclude_own, format)| Step::Join {
            instance,
            start,
            exclude_own,
            format
        }),
        1 => (0..8_usize).prop_map(|member| Step::Leave { member }),
        3 => (1..4_usize).prop_map(|turn| Step::Flush { turn }),
        3 => (0..8_usize).prop_map(|member| Step::Read { member }),
        1 => Just(Step::GiveRest),
    ];
    prop::collection::vec(step, 1..80)
}

/// One subscriber: reads its outbox as its client would and checks every rule of a subscription.
struct Reader {
    requester: Arc<Requester>,
    gate: Arc<Gate>,
    exclude_own: bool,
    writer: Writer,
    reading: Reading,
    expected: Option<u64>,
}

struct World {
    state: State,
    open: Open,
    answers: Answers,
    bounds: config::History,
    readers: BTreeMap<u64, Reader>,
    replays: Arc<Semaphore>,
    joined: u64,
    requests: u64,
    /// Every message by offset, from 1: whose it is and what it says.
    log: Vec<(u8, String)>,
    stored: BTreeMap<(u8, u8), u64>,
}

fn instance(number: u8) -> Instance {
    Instance([number + 1; 16])
}

impl World {
    fn new() -> Self {
        let epoch = Epoch::saturating(77);
        Self {
            state: State::new(
                ChannelId::saturating(1),
                ChannelName::parse("a/b").unwrap(),
                epoch,
                &Budgets { history: Budget::new(1 << 30), publish_ids: Budget::new(1 << 30) },
                &Arc::default(),
            ),
            open: Open::default(),
            answers: Answers::default(),
            bounds: config::History { messages: HISTORY_MESSAGES, bytes: 1 << 20, age: Duration::from_secs(60) },
            readers: BTreeMap::new(),
            replays: Arc::new(Semaphore::new(100)),
            joined: 0,
            requests: 0,
            log: Vec::new(),
            stored: BTreeMap::new(),
        }
    }

    fn requester(&mut self, number: u8, format: Format) -> Arc<Requester> {
        self.joined += 1;
        let bounds = config::Outbox { messages: OUTBOX_MESSAGES, bytes: 1 << 20 };
        Arc::new(Requester {
            connection: ConnectionId::saturating(self.joined),
            instance: instance(number),
            key: None,
            outbox: Arc::new(Outbox::new(bounds, &Budget::new(1 << 30), format)),
        })
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish { instance, count, sequence } => self.publish(instance, count, sequence),
            Step::Join { instance, start, exclude_own, format } => {
                self.join(instance, &start, exclude_own, ALL[format])
            }
            Step::Leave { member } => self.leave(member),
            Step::Flush { turn } => self.flush(turn),
            Step::GiveRest => {
                self.flush(8);
                self.state.flush_replays();
            }
            Step::Read { member } => {
                if let Some(id) = self.nth(member) {
                    self.read(id);
                }
            }
        }
    }

    fn nth(&self, member: usize) -> Option<u64> {
        self.readers.keys().nth(member % self.readers.len().max(1)).copied()
    }

    fn publish(&mut self, number: u8, count: u8, sequence: Option<u8>) {
        let from = self.requester(number, ALL[usize::from(number) % ALL.len()]);
        let mut publications = Vec::new();
        for index in 0..count {
            // Only the first of a batch carries an id, so that ids come again and are known.
            let sequence = sequence.filter(|_| index == 0);
            let text = format!("{}", self.log.len());
            match sequence.map(|sequence| self.stored.entry((number, sequence))) {
                Some(std::collections::btree_map::Entry::Occupied(_)) => {}
                entry => {
                    self.log.push((number, text.clone()));
                    if let Some(entry) = entry {
                        entry.or_insert(self.log.len() as u64);
                    }
                }
            }
            self.requests += 1;
            publications.push(Publication {
                request: RequestId::saturating(self.requests),
                sequence: sequence.map_or(Sequence::ZERO, |sequence| Sequence::saturating(u64::from(sequence) + 1)),
                key: None,
                payload: Payload::text(text),
            });
        }
        for publication in &publications {
            self.state.publish(&from, publication, Millis::ZERO, &mut self.open, &mut self.answers);
        }
        assert_eq!(self.state.position().offset.value(), self.log.len() as u64, "stored once each");
    }

    fn flush(&mut self, turn: usize) {
        if let Some(mut editions) = self.open.seal().map(Editions::of) {
            let mut next = Some(0);
            while let Some(from) = next {
                next = self.state.deliver(&mut editions, from, turn);
            }
            self.state.remember(editions.into_chunk(), Millis::ZERO, &self.bounds);
        }
        let asked: Vec<_> =
            self.answers.0.iter().map(|(requester, request, _)| (Arc::clone(requester), *request)).collect();
        self.state.answer(&mut self.answers);
        for (requester, request) in asked {
            let answers = answers_in(&requester.outbox);
            assert!(answers.is_empty() || answers.contains(&request), "a publish is answered");
        }
    }

    fn join(&mut self, number: u8, start: &Begin, exclude_own: bool, format: Format) {
        self.flush(8);
        let head = self.log.len() as u64;
        let kept = head.min(HISTORY_MESSAGES as u64);
        let epoch = self.state.epoch;
        let at = |offset| Position { epoch, offset: Offset::saturating(offset) };
        let (start, next, recovered) = match start {
            Begin::Live => (Start::Live, head + 1, true),
            Begin::Rewind(wanted) => (Start::Rewind(*wanted), head + 1 - kept.min(u64::from(*wanted)), true),
            Begin::Back(by) if *by <= head && *by <= kept => (Start::Recover(at(head - by)), head - by + 1, true),
            Begin::Back(by) => (Start::Recover(at(head.saturating_sub(*by))), head + 1, false),
            Begin::Elsewhere => {
                (Start::Recover(Position { epoch: Epoch::saturating(1), offset: Offset::ZERO }), head + 1, false)
            }
        };
        // One that goes back further than the channel is old asks for its first message, which may still be there.
        let (next, recovered) = match start {
            Start::Recover(position) if position.epoch == epoch && head - position.offset.value() <= kept => {
                (position.offset.value() + 1, true)
            }
            _ => (next, recovered),
        };
        let requester = self.requester(number, format);
        let gate = Arc::new(Gate::default());
        let options = if exclude_own { SubscribeOptions::EXCLUDE_OWN } else { SubscribeOptions::NONE };
        let request = RequestId::saturating(1);
        let permit = Arc::clone(&self.replays).try_acquire_owned().ok();
        let join = Join { from: AnswerGuard::of(&requester), request, start, options, gate: Arc::clone(&gate), permit };
        self.state.join(join, Millis::ZERO, &self.bounds);
        let mut reader = Reader {
            requester,
            gate,
            exclude_own,
            writer: Writer::default(),
            reading: Reading::of(format),
            expected: None,
        };
        // The answer is what every test of the subscription starts from.
        reader.writer.fill(&reader.requester.outbox);
        let body = reader.next_body().expect("a subscribe is answered at once");
        let ServerFrame::Ok { answer: Answer::Subscribed(answer), .. } = decode_server(&body).unwrap() else {
            panic!("the answer comes before any delivery");
        };
        assert_eq!((answer.position.offset.value(), answer.next.value(), answer.recovered), (head, next, recovered));
        reader.expected = Some(next);
        self.readers.insert(self.joined, reader);
    }

    fn leave(&mut self, member: usize) {
        let Some(id) = self.nth(member) else { return };
        self.flush(8);
        let reader = self.readers.remove(&id).unwrap();
        reader.gate.shut();
        let (connection, gate) = (reader.requester.connection, Arc::clone(&reader.gate));
        self.state.leave(Leave { connection, gate, request: None, may_return: false }, Millis::ZERO);
        assert!(!self.state.members.contains_key(&reader.requester.connection));
    }

    /// Reads what one member has, and hands its pulls over.
    fn read(&mut self, id: u64) {
        loop {
            let reader = self.readers.get_mut(&id).expect("only leaving takes a reader away");
            reader.check(&self.log);
            reader.writer.fill(&reader.requester.outbox);
            reader.check(&self.log);
            let pulls = reader.writer.take_finished();
            if pulls.is_empty() && !reader.writer.is_replaying() {
                return;
            }
            for replay in pulls {
                if let Some((_, Input::Pull(pull))) = replay.finish() {
                    self.flush(8);
                    self.state.pull(pull);
                }
            }
        }
    }
}

impl Reader {
    fn next_body(&mut self) -> Option<Bytes> {
        for chunk in self.writer.chunks().drain(..) {
            self.reading.handle_bytes(chunk);
        }
        self.reading.next_body()
    }

    fn check(&mut self, log: &[(u8, String)]) {
        while let Some(body) = self.next_body() {
            let expected = self.expected.expect("a reader is made with its answer");
            let own = self.exclude_own.then_some(self.requester.instance);
            match decode_server(&body).expect("what the broker writes can be decoded") {
                ServerFrame::Message(message) => {
                    assert_eq!(message.offset.value(), expected, "offsets are dense");
                    let (publisher, text) = &log[usize::try_from(expected).unwrap() - 1];
                    assert_eq!(message.payload.bytes(), text.as_bytes(), "the same offset is the same message");
                    assert_ne!(Some(instance(*publisher)), own, "own messages are left out");
                    self.expected = Some(expected + 1);
                }
                ServerFrame::Skipped(skipped) => {
                    let through = skipped.through.value();
                    for offset in expected..=through {
                        let (publisher, _) = &log[usize::try_from(offset).unwrap() - 1];
                        assert_eq!(Some(instance(*publisher)), own, "only own messages are skipped");
                    }
                    assert!(through >= expected, "a skip goes forward");
                    self.expected = Some(through + 1);
                }
                other => panic!("a subscriber was sent {other:?}"),
            }
        }
    }
}

fn answers_in(outbox: &Outbox) -> Vec<RequestId> {
    let mut writer = Writer::default();
    writer.fill(outbox);
    let mut reading = Reading::of(outbox.format());
    for chunk in writer.chunks().drain(..) {
        reading.handle_bytes(chunk);
    }
    let mut requests = Vec::new();
    while let Some(body) = reading.next_body() {
        if let ServerFrame::Ok { request, .. } = decode_server(&body).unwrap() {
            requests.push(request);
        }
    }
    requests
}

#[test]
fn who_went_without_a_word_is_let_go_while_it_reads_history_too() {
    for start in [Begin::Live, Begin::Rewind(1)] {
        let mut world = World::new();
        world.publish(0, 1, None);
        world.join(1, &start, false, Format::Stream);
        for reader in world.readers.values() {
            reader.requester.outbox.abandon(Ending::plain(Code::Finished));
        }
        world.publish(0, 1, None);
        world.flush(8);
        assert!(world.state.members.is_empty(), "{start:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_member_gets_every_message_once_in_order_or_is_told_to_come_back(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            prop_assert!(world.state.history.messages() <= HISTORY_MESSAGES);
        }
        world.flush(8);
        let head = world.log.len() as u64;
        let ids: Vec<u64> = world.readers.keys().copied().collect();
        for id in ids {
            world.read(id);
            let reader = &world.readers[&id];
            let caught_up = reader.expected == Some(head + 1);
            let told = reader.requester.outbox.ending().is_some_and(|(ending, _)| ending.code == Code::TooSlow);
            prop_assert!(caught_up != told, "caught up: {caught_up}, told to come back: {told}");
        }
    }
}
