//! A channel falls asleep and wakes under traffic without losing or doubling anything.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use callboard::config::{History, Pattern};
use callboard::defaults::MEMBERS_IN_PLACE;
use callboard_client::{Bounds, SubscribeOptions};
use callboard_protocol::frame::Start;
use callboard_protocol::{Epoch, Offset, Position};
use callboard_tests::{Broker, Listener, Peer, Reader, eventually, soon};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How long a channel stays awake: about as long as the pauses of those who use it.
const IDLE: Duration = Duration::from_millis(2);

const CHANNELS: [&str; 3] = ["a", "b", CROWDED];

/// The one with many members.
const CROWDED: &str = "c";

/// A channel that remembers nothing, so that each of its sleeps is the end of a life and can be seen.
const HOURGLASS: &str = "forgetful/hourglass";

const ROUNDS: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bursts_and_pauses_lose_and_double_nothing() {
    let broker = broker().await;
    let client = broker.client().await;
    let (mut listeners, mut readers, mut guests) = (Vec::new(), Vec::new(), JoinSet::new());
    let over = watch::Sender::new(false);
    for channel in CHANNELS {
        let mut listener = Listener::of("the listener", broker.peer().await).await;
        let subscribed = listener.subscribe(channel, Start::Live).await;
        let began = listener.position(&subscribed);
        listeners.push((listener, subscribed));
        let queue = Bounds { messages: usize::MAX, bytes: usize::MAX };
        let options = SubscribeOptions { queue, ..SubscribeOptions::default() };
        readers.push(Reader::with("the reader", &client, channel, options).await);
        guests.spawn(come_and_go(broker.peer().await, channel, began, over.subscribe()));
    }
    // With so many members an actor is woken by each publish; the others' channels lie where they are unless two meet.
    let mut crowd = Vec::new();
    for _ in 0..MEMBERS_IN_PLACE {
        let mut member = broker.peer().await;
        member.hello().await;
        member.subscribe(CROWDED).await;
        crowd.push(member);
    }
    let mut publishers = JoinSet::new();
    for number in 0..4 {
        publishers.spawn(publish_in_bursts(broker.peer().await, number));
    }
    let (mut published, mut lives) = (BTreeMap::new(), 0);
    while let Some(by_one) = publishers.join_next().await {
        let by_one = by_one.expect("a publisher publishes everything");
        lives += by_one.lives;
        for (channel, position, message) in by_one.acked {
            let double = published.insert((channel, position.offset), (position, message));
            assert_eq!(double, None, "two messages of {channel} have the place {position}");
        }
    }
    assert!(lives > ROUNDS, "the pauses were long enough for sleep: {lives}");
    over.send_replace(true);

    let of = |name: &str| -> Vec<String> {
        let of_one = published.iter().filter(|((channel, _), _)| *channel == name);
        of_one.map(|(_, (_, message))| message.clone()).collect()
    };
    for ((channel, (mut listener, subscribed)), mut reader) in CHANNELS.into_iter().zip(listeners).zip(readers) {
        listener.hear(&subscribed, of(channel).len()).await;
        listener.seen.assert_whole(channel, of(channel));
        reader.read(of(channel).len()).await;
        reader.seen.assert_whole(channel, of(channel));
        assert_eq!(reader.position(), listener.position(&subscribed));
    }
    while let Some(guest) = soon("a guest's last visit", guests.join_next()).await {
        let (guest, channel) = guest.expect("a guest sees everything");
        guest.seen.assert_whole(channel, of(channel));
    }
}

#[tokio::test]
async fn what_a_sleeping_channel_knows_it_still_knows_when_it_wakes() {
    let broker = broker().await;
    let mut peer = broker.peer().await;
    peer.hello().await;
    peer.send_publish(1, "a", "one").await;
    peer.send_publish(2, "a", "two").await;
    let (_, one) = peer.published().await.expect("an answer");
    let (_, two) = peer.published().await.expect("an answer");
    all_asleep(&mut peer).await;

    let mut listener = Listener::of("the listener", broker.peer().await).await;
    let subscribed = listener.subscribe("a", Start::Rewind(10)).await;
    assert_eq!(subscribed.position, two, "it is at the place where it fell asleep");
    listener.hear(&subscribed, 2).await;
    all_asleep(&mut peer).await;
    peer.send_publish(1, "a", "one").await;
    assert_eq!(peer.published().await.expect("an answer").1, one, "it knows what it has stored");
    all_asleep(&mut peer).await;
    assert_eq!(peer.publish("a", "three").await, Position { offset: two.offset.next(), ..two });
    listener.hear(&subscribed, 3).await;
    listener.seen.assert_whole("a", ["one", "two", "three"]);
}

#[tokio::test]
async fn an_idle_channel_with_nothing_to_remember_is_forgotten_when_its_last_member_has_left() {
    let broker = broker().await;
    let mut peer = broker.peer().await;
    peer.hello().await;
    let first = peer.publish("forgetful/a", "nobody hears this").await;
    all_asleep(&mut peer).await;
    let second = peer.publish("forgetful/a", "nor this").await;
    assert_ne!(first.epoch, second.epoch, "each life has an epoch of its own");
    assert_eq!((first.offset, second.offset), (Offset::saturating(1), Offset::saturating(1)));

    let mut listener = Listener::of("the listener", broker.peer().await).await;
    let subscribed = listener.subscribe("forgetful/a", Start::Live).await;
    let mut next = subscribed.position;
    for _ in 0..3 {
        all_asleep(&mut peer).await;
        next.offset = next.offset.next();
        assert_eq!(peer.publish("forgetful/a", "the member hears this").await, next, "a member keeps it alive");
    }
    listener.hear(&subscribed, 3).await;
    listener.unsubscribe("forgetful/a").await;
    all_asleep(&mut peer).await;
    let third = peer.publish("forgetful/a", "nobody hears this either").await;
    assert_ne!(third.epoch, subscribed.position.epoch);
    let mut listener = Listener::of("another listener", broker.peer().await).await;
    let subscribed = listener.subscribe("forgetful/a", Start::Live).await;
    listener.peer.close(0);
    let reborn = async || {
        let life = peer.publish("forgetful/a", "is anybody here?").await.epoch;
        (life != subscribed.position.epoch).then_some(())
    };
    eventually("another life after a member that went without a word", reborn).await;
}

/// What a publisher was told.
struct Bursts {
    acked: Vec<(&'static str, Position, String)>,
    /// How many lives of the hourglass it saw.
    lives: usize,
}

/// Publishes bursts of different sizes with pauses that are about as long as a channel stays awake, each time to
/// another channel, and sends the last message of each burst once more behind the pause.
async fn publish_in_bursts(mut peer: Peer, number: usize) -> Bursts {
    peer.hello().await;
    let mut pause = rhythm(IDLE / 2 * (number as u32 + 2));
    let (mut acked, mut lives, mut sequence) = (Vec::new(), HashSet::<Epoch>::new(), 0);
    let hourglass = format!("{HOURGLASS}/{number}");
    for round in 0..ROUNDS {
        let channel = CHANNELS[(round + number) % CHANNELS.len()];
        let mut burst = Vec::new();
        for _ in 0..=round % 4 {
            sequence += 1;
            let message = format!("{number}.{sequence}");
            peer.send_publish(sequence, channel, message.as_str()).await;
            burst.push(message);
        }
        for message in burst {
            let (_, position) = peer.published().await.expect("an answer");
            acked.push((channel, position, message));
        }
        lives.insert(peer.publish(&hourglass, "").await.epoch);
        pause.tick().await;
        let (_, stored, message) = acked.last().expect("a burst has a message");
        peer.send_publish(sequence, channel, message.as_str()).await;
        assert_eq!(peer.published().await.expect("an answer").1, *stored, "it was stored before the pause");
        pause.tick().await;
    }
    Bursts { acked, lives: lives.len() }
}

/// Subscribes from where it left, leaves in the middle of what comes, and so on; at last it stays to the end.
async fn come_and_go(
    peer: Peer,
    channel: &'static str,
    began: Position,
    over: watch::Receiver<bool>,
) -> (Listener, &'static str) {
    let mut guest = Listener::of("the guest", peer).await;
    let mut pause = rhythm(IDLE * 2);
    let mut at = began;
    loop {
        let last = *over.borrow();
        let subscribed = guest.subscribe(channel, Start::Recover(at)).await;
        assert!(subscribed.recovered, "the history has everything");
        let missed = subscribed.position.offset.value() - at.offset.value();
        let missed = usize::try_from(missed).expect("it fits");
        let stays = if last { missed } else { missed / 2 };
        guest.hear(&subscribed, guest.heard(&subscribed) + stays).await;
        guest.unsubscribe(channel).await;
        at = guest.position(&subscribed);
        if last {
            return (guest, channel);
        }
        pause.tick().await;
    }
}

/// A broker whose channels sleep whenever they can, and wait for nobody. All but the forgetful ones remember everything.
async fn broker() -> Broker {
    Broker::start_with(|config| {
        config.channel_idle = IDLE;
        config.channel_grace = Duration::ZERO;
        for (pattern, messages) in [("forgetful/**", 0), ("**", usize::MAX)] {
            let pattern = Pattern::parse(pattern).expect("it is a pattern");
            let bounds = History { messages, bytes: usize::MAX, age: Duration::from_secs(600) };
            config.history.push((pattern, bounds));
        }
    })
    .await
}

/// Waits until every channel that nothing happens to has fallen asleep: an hourglass that was turned after that has
/// run out three times.
async fn all_asleep(peer: &mut Peer) {
    for _ in 0..3 {
        let life = peer.publish(HOURGLASS, "").await.epoch;
        let run_out = async || (peer.publish(HOURGLASS, "").await.epoch != life).then_some(());
        eventually("another life of the hourglass", run_out).await;
    }
}

/// Pauses of this length, measured from the end of what lies between them.
fn rhythm(pause: Duration) -> Interval {
    let mut rhythm = interval(pause);
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rhythm
}
