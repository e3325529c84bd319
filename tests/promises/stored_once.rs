//! An acknowledged publish is stored once over reconnections, while the broker lives.

use std::future::ready;
use std::time::Duration;

use callboard::config::{History, Pattern};
use callboard_client::{Bounds, Client, State, SubscribeOptions};
use callboard_protocol::frame::Start;
use callboard_protocol::{Position, RequestId};
use callboard_tests::checker::{BACK_WITHIN_MS, Log, Trial, judge, now_ms};
use callboard_tests::{Broker, Listener, Peer, Proxy, Reader, SOON, Seen, Way, soon, within};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const CHANNEL: &str = "orders";

/// The most publishes with a number that a client may have unanswered.
const AHEAD: u64 = 128;

const NAMES: [&str; 3] = ["ann", "bob", "cleo"];

/// How many publishes of each client were acknowledged.
type Acked = [usize; NAMES.len()];

/// How long a client hears nothing before it gives its session up: as short as it may be.
const IDLE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_publish_whose_answer_was_never_read_has_its_first_place_when_it_is_sent_again() {
    let broker = broker().await;
    let mut listener = Listener::of("the listener", broker.peer().await).await;
    let subscribed = listener.subscribe(CHANNEL, Start::Live).await;
    let mut first = broker.peer().await;
    first.hello().await;
    first.send_publish(1, CHANNEL, "once").await;
    // It is stored, and nobody reads the answer.
    listener.hear(&subscribed, 1).await;
    let instance = first.instance;
    first.close(0);

    let mut again = came_back(&broker, instance).await;
    for _ in 0..2 {
        let request = again.send_publish(1, CHANNEL, "once").await;
        assert_eq!(answer(&mut again).await, (request, listener.position(&subscribed)));
    }
    let mut other = came_back(&broker, *b"another instance").await;
    other.send_publish(1, CHANNEL, "the same number of another publisher").await;
    answer(&mut other).await;
    again.send_publish(2, CHANNEL, "twice").await;
    answer(&mut again).await;
    listener.hear(&subscribed, 3).await;
    listener.seen.assert_whole(CHANNEL, ["once", "the same number of another publisher", "twice"]);
}

#[tokio::test]
async fn a_publisher_that_is_cut_off_again_and_again_is_stored_once_and_in_order() {
    let broker = broker().await;
    let mut listener = Listener::of("the listener", broker.peer().await).await;
    let subscribed = listener.subscribe(CHANNEL, Start::Live).await;
    let instance = *b"a life of lives.";
    let mut places = Vec::new();
    // Each life sends all that is unanswered, reads some answers more than the one before, and goes without a word.
    for life in 0.. {
        let mut peer = came_back(&broker, instance).await;
        let answered = places.len() as u64;
        for sequence in answered + 1..=AHEAD {
            peer.send_publish(sequence, CHANNEL, text(sequence)).await;
        }
        for _ in 0..life.min(AHEAD - answered) {
            places.push(answer(&mut peer).await.1);
        }
        peer.close(0);
        if places.len() as u64 == AHEAD {
            break;
        }
    }
    let offsets: Vec<u64> = places.iter().map(|place| place.offset.value()).collect();
    assert_eq!(offsets, (1..=AHEAD).collect::<Vec<_>>(), "each has a place of its own, in the order of their numbers");
    listener.hear(&subscribed, places.len()).await;
    let mut last = broker.peer().await;
    last.hello().await;
    last.publish(CHANNEL, "the end").await;
    listener.hear(&subscribed, places.len() + 1).await;
    listener.seen.assert_whole(CHANNEL, (1..=AHEAD).map(text).chain(["the end".to_owned()]));
}

#[tokio::test]
async fn clients_whose_answers_get_lost_have_everything_stored_once_and_in_order() {
    let broker = broker().await;
    let proxy = Proxy::before(broker.addr()).await;
    let witness = broker.client().await;
    let mut live = Reader::with("the witness", &witness, CHANNEL, everything(None)).await;
    let ((acked, stop), mut publishers) =
        ((watch::Sender::new([0; NAMES.len()]), watch::Sender::new(false)), JoinSet::new());
    let (mut clients, mut witnesses) = (Vec::new(), Vec::new());
    for (number, name) in NAMES.into_iter().enumerate() {
        let builder = broker.client_builder_by(proxy.addr()).idle_timeout(IDLE);
        let client = soon("a session through the proxy", builder.connect()).await.expect("the broker takes the client");
        let seen = Seen::new(name);
        seen.follow(&client);
        clients.push(client.clone());
        witnesses.push(seen.clone());
        publishers.spawn(publish((client, seen), number, acked.clone(), stop.subscribe()));
    }
    // The answers get lost first, then everything, then what the clients send.
    for ways in [&[Way::ToClient][..], &[Way::ToClient, Way::ToBroker], &[Way::ToBroker]] {
        some_more(&acked).await;
        ways.iter().for_each(|way| proxy.lose(*way));
        for client in &clients {
            let mut states = client.states();
            let offline = states.wait_for(|state| !matches!(state, State::Online(_)));
            within(3 * SOON, offline).await.expect("the client comes back");
        }
        proxy.heal();
    }
    let healed_ms = now_ms();
    some_more(&acked).await;
    stop.send_replace(true);
    let mut all = 0;
    while let Some(by_one) = soon("the last answers", publishers.join_next()).await {
        all += by_one.expect("everything is acknowledged");
    }

    live.read(all).await;
    let last = live.seen.publish_acked(&witness, CHANNEL, "the end").await.expect("it is taken");
    live.read_to(last).await;
    let mut replayed = Reader::with("who came late", &broker.client().await, CHANNEL, everything(Some(u32::MAX))).await;
    replayed.read_to(last).await;
    for reader in [live, replayed] {
        assert_eq!(reader.seen.messages(CHANNEL).len(), all + 1, "each is stored once");
        witnesses.push(reader.seen);
    }
    let logs: Vec<Log> = witnesses.iter().map(Seen::log).collect();
    judge(&Trial::quiet(&logs, Some(healed_ms), BACK_WITHIN_MS)).assert_none();
}

/// Publishes until told to stop, with many on their way at once. Gives how many were acknowledged.
async fn publish(
    (client, seen): (Client, Seen),
    publisher: usize,
    acked: watch::Sender<Acked>,
    stop: watch::Receiver<bool>,
) -> usize {
    let publish = async |number: usize| {
        let message = format!("{} {number}", NAMES[publisher]);
        seen.publish_acked(&client, CHANNEL, message).await.expect("the broker lives");
        acked.send_modify(|acked| acked[publisher] += 1);
    };
    stream::iter(0..).take_while(|_| ready(!*stop.borrow())).map(publish).buffered(32).count().await
}

/// Waits until everybody is online and has had some more answers, so many that their connections have forgotten the
/// cut before: a round trip that was measured over it would have them wait for long.
async fn some_more(acked: &watch::Sender<Acked>) {
    let before = *acked.borrow();
    let mut acked = acked.subscribe();
    let enough = |acked: &Acked| acked.iter().zip(before).all(|(acked, before)| *acked >= before + 500);
    soon("some more answers", acked.wait_for(enough)).await.expect("the sender is here");
}

/// A queue that leaves nothing out, however late it is read.
fn everything(rewind: Option<u32>) -> SubscribeOptions {
    let queue = Bounds { messages: usize::MAX, bytes: usize::MAX };
    SubscribeOptions { rewind, queue, ..SubscribeOptions::default() }
}

/// A broker that remembers everything.
async fn broker() -> Broker {
    Broker::start_with(|config| {
        let everything = Pattern::parse("**").expect("it is a pattern");
        let bounds = History { messages: usize::MAX, bytes: usize::MAX, age: Duration::from_secs(600) };
        config.history.push((everything, bounds));
    })
    .await
}

/// A new session of the publisher `instance`.
async fn came_back(broker: &Broker, instance: [u8; 16]) -> Peer {
    let mut peer = broker.peer().await;
    peer.instance = instance;
    peer.hello().await;
    peer
}

async fn answer(peer: &mut Peer) -> (RequestId, Position) {
    peer.published().await.unwrap_or_else(|ending| panic!("an answer was expected, and the session ended: {ending:?}"))
}

fn text(sequence: u64) -> String {
    format!("order {sequence}")
}
