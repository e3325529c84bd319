//! Who does a publish: its publisher where a quiet channel lies, an actor wherever that would cost others. Never both.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::decode_server;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{Answer, ServerFrame, Start, SubscribeOptions};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{ConnectionId, Payload, RequestId, Sequence};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::*;
use crate::chance::Chance;
use crate::channel::{AnswerGuard, Batch, Instance, Join, Publication, Requester};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::connection::{Gate, Outbox, Writer};
use crate::defaults::MEMBERS_IN_PLACE;
use crate::limit::Budget;
use crate::metrics::Metrics;

/// A directory with one channel.
struct House {
    directory: Arc<Directory>,
    metrics: Arc<Metrics>,
    slot: Arc<Slot>,
    sessions: u64,
}

/// A session, and what it was told so far.
struct Guest {
    requester: Arc<Requester>,
    deframer: Deframer,
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Message(u64, String),
    Stored(u64),
    Subscribed,
}

impl House {
    fn with_channel(name: &str) -> Self {
        let metrics = Arc::<Metrics>::default();
        let config = Config::new("unused");
        let directory =
            Arc::new(Directory::new(Clock::start(), Chance::of_the_system(), Arc::new(config), Arc::clone(&metrics)));
        let slot = directory.slot(&ChannelName::parse(name).unwrap());
        Self { directory, metrics, slot, sessions: 0 }
    }

    fn guest(&mut self) -> Guest {
        self.sessions += 1;
        let bounds = config::Outbox { messages: 4_000, bytes: 1 << 20 };
        let requester = Requester {
            connection: ConnectionId::saturating(self.sessions),
            instance: Instance([7; 16]),
            key: None,
            outbox: Arc::new(Outbox::new(bounds, &Budget::new(1 << 30), crate::format::Format::Stream)),
        };
        Guest { requester: Arc::new(requester), deframer: Deframer::new(BODY_BYTES_MAX) }
    }

    fn members(&mut self, count: usize) -> Vec<Guest> {
        let join = |_| {
            let guest = self.guest();
            let join = Join {
                from: AnswerGuard::of(&guest.requester),
                request: RequestId::saturating(1),
                start: Start::Live,
                options: SubscribeOptions::NONE,
                gate: Arc::new(Gate::default()),
                permit: None,
            };
            self.directory.send(&mut Arc::clone(&self.slot), Input::Join(join)).unwrap();
            guest
        };
        (0..count).map(join).collect()
    }

    fn publish(&self, guest: &Guest, texts: &[&str]) {
        self.directory.send(&mut Arc::clone(&self.slot), Input::Publish(guest.batch(texts))).unwrap();
    }

    fn is_awake(&self) -> bool {
        self.metrics.channels_awake.value() > 0
    }
}

impl Guest {
    fn batch(&self, texts: &[&str]) -> Batch {
        let mut batch = Batch::with_room(AnswerGuard::of(&self.requester), texts.len());
        for text in texts {
            let (request, sequence) = (RequestId::saturating(1), Sequence::ZERO);
            batch.push(Publication { request, sequence, key: None, payload: Payload::text(*text) });
        }
        batch
    }

    fn told(&mut self) -> Vec<Told> {
        let mut writer = Writer::default();
        while {
            writer.fill(&self.requester.outbox);
            writer.is_pending()
        } {
            writer.chunks().drain(..).for_each(|chunk| self.deframer.handle_bytes(chunk));
        }
        let mut told = Vec::new();
        while let Some(body) = self.deframer.poll_body().unwrap() {
            told.push(match decode_server(&body).unwrap() {
                ServerFrame::Message(message) => {
                    let text = std::str::from_utf8(message.payload.bytes()).unwrap();
                    Told::Message(message.offset.value(), text.to_owned())
                }
                ServerFrame::Ok { answer: Answer::Published(position), .. } => Told::Stored(position.offset.value()),
                ServerFrame::Ok { answer: Answer::Subscribed(_), .. } => Told::Subscribed,
                other => panic!("nobody asked for this: {other:?}"),
            });
        }
        told
    }
}

#[tokio::test]
async fn a_publish_to_a_quiet_channel_is_done_at_once_and_wakes_nobody() {
    let mut house = House::with_channel("quiet");
    let mut members = house.members(MEMBERS_IN_PLACE);
    let publisher = &mut members[0];
    house.publish(publisher, &["one", "two"]);
    let whole = [
        Told::Subscribed,
        Told::Message(1, "one".into()),
        Told::Message(2, "two".into()),
        Told::Stored(1),
        Told::Stored(2),
    ];
    assert_eq!(publisher.told(), whole, "its own message comes before its answer");
    assert_eq!(members[1].told(), whole[..3]);
    assert!(!house.is_awake());
}

#[tokio::test]
async fn a_channel_with_many_members_has_an_actor() {
    let mut house = House::with_channel("crowded");
    let members = house.members(MEMBERS_IN_PLACE + 1);
    house.publish(&members[0], &["one"]);
    assert!(house.is_awake());
}

#[tokio::test]
async fn a_channel_whose_member_does_not_keep_up_has_an_actor_whose_mailbox_is_bounded() {
    let mut house = House::with_channel("slow");
    let mut members = house.members(1);
    let publisher = house.guest();
    let mut published = 0;
    while !house.is_awake() {
        house.publish(&publisher, &["x"]);
        published += 1;
        assert!(published < 4_000, "it would have been sent away");
    }
    assert_eq!(members[0].told().len(), published, "its join, and all but what the actor has not done yet");
}

#[tokio::test]
async fn a_channel_that_nothing_keeps_has_an_actor_that_does() {
    let mut house = House::with_channel("forgetful");
    let mut config = Config::new("unused");
    let bounds = config::History { messages: 0, ..config::History::default() };
    config.history.push((config::Pattern::parse("**").unwrap(), bounds));
    house.directory =
        Arc::new(Directory::new(Clock::start(), Chance::of_the_system(), Arc::new(config), Arc::clone(&house.metrics)));
    house.slot = house.directory.slot(house.slot.name());
    let publisher = house.guest();
    house.publish(&publisher, &["one"]);
    assert!(house.is_awake(), "it would be in another epoch after each sweep");
}

#[tokio::test]
async fn a_member_that_was_gone_and_found_no_room_to_say_so_is_waited_for() {
    let mut house = House::with_channel("awaits");
    let members = house.members(1);
    members[0].requester.outbox.end(Ending::plain(Code::Internal));
    let (grace, mut phase) = (Duration::from_secs(60), house.slot.phase.lock());
    let Phase::Asleep(state) = &mut *phase else { panic!("nothing woke it") };
    state.remove_ended_members(Millis::saturating(100_000));
    assert!(!state.has_members() && !state.is_over(Millis::saturating(159_999), grace));
    assert!(state.is_over(Millis::saturating(160_000), grace));
}

#[tokio::test]
async fn where_two_publishers_meet_an_actor_goes_on_behind_what_was_done_in_place() {
    let mut house = House::with_channel("met");
    let mut members = house.members(1);
    let publisher = house.guest();
    house.publish(&publisher, &["one"]);
    let met = Input::Publish(publisher.batch(&["two"]));
    assert!(matches!(house.slot.take(house.slot.phase.lock(), met, false, &house.directory), Sent::Taken));
    house.publish(&publisher, &["three"]);
    assert!(house.is_awake());
    settled(&house).await;
    let texts = ["one", "two", "three"];
    let whole = (1..).zip(texts).map(|(offset, text)| Told::Message(offset, text.to_owned()));
    assert_eq!(members[0].told(), [Told::Subscribed].into_iter().chain(whole).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_publishers_of_one_channel_keep_its_offsets_dense_and_their_own_order() {
    const EACH: usize = 300;
    let mut house = House::with_channel("busy");
    let mut members = house.members(2);
    let publishers: Vec<_> = (0..6).map(|_| house.guest()).collect();
    let house = Arc::new(house);
    let mut publishing = JoinSet::new();
    for (number, publisher) in publishers.iter().enumerate() {
        let batches: Vec<_> = (0..EACH).map(|count| publisher.batch(&[&format!("{number}.{count}")])).collect();
        let house = Arc::clone(&house);
        publishing.spawn(async move {
            for batch in batches {
                house.directory.send_when_there_is_room(&mut Arc::clone(&house.slot), Input::Publish(batch)).await;
            }
        });
    }
    publishing.join_all().await;
    settled(&house).await;
    let told = members[0].told();
    assert_eq!(told, members[1].told(), "all see the same");
    let mut next = BTreeMap::new();
    for (told, offset) in told.into_iter().skip(1).zip(1..) {
        let Told::Message(at, text) = told else { panic!("a member is told messages, not {told:?}") };
        assert_eq!(at, offset);
        let (number, count) = text.split_once('.').unwrap();
        let expected = next.entry(number.to_owned()).or_insert(0);
        assert_eq!(count.parse::<usize>().unwrap(), *expected, "the order of publisher {number}");
        *expected += 1;
    }
    assert_eq!(next.values().sum::<usize>(), publishers.len() * EACH);
    for mut publisher in publishers {
        let told = publisher.told();
        assert_eq!(told.len(), EACH, "each publish is answered once");
        assert!(told.windows(2).all(|pair| matches!(pair, [Told::Stored(one), Told::Stored(two)] if one < two)));
    }
}

/// Waits until the channel has handled everything before this.
async fn settled(house: &House) {
    let (done, mut all) = mpsc::channel(1);
    house.directory.send_when_there_is_room(&mut Arc::clone(&house.slot), Input::Quiesce(done)).await;
    assert_eq!(all.recv().await, None);
}
