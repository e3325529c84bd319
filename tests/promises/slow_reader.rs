//! A slow reader hurts only itself, and recovers.

use std::time::Duration;

use callboard::config::{History, Pattern};
use callboard_client::{Bounds, GapWhy, Overflow, Reason, State, SubscribeOptions};
use callboard_protocol::close::Code;
use callboard_protocol::frame::Start;
use callboard_protocol::{Offset, Position};
use callboard_tests::raw::{Dialer, Ending};
use callboard_tests::{Broker, Listener, Peer, Reader, soon};

const CHANNEL: &str = "news";

/// Small, so that a reader who stopped is found out after few messages.
const OUTBOX_BYTES: usize = 128 << 10;

/// What a broker may send to a reader who does not read.
const WINDOW_BYTES: u32 = 16 << 10;

const PAYLOAD_BYTES: usize = 4 << 10;

/// Messages between two looks at who has read what: nobody who reads at all is too slow for so few.
const ROUND: usize = 8;

/// More than any of these tests publishes.
const LONG_HISTORY: usize = 10_000;

#[tokio::test]
async fn a_reader_that_stopped_is_ended_alone_and_recovers_everything() {
    let broker = broker(LONG_HISTORY).await;
    let mut slow = Listener::of("the slow one", narrow(&broker).await).await;
    let subscribed = slow.subscribe(CHANNEL, Start::Live).await;
    let (mut listeners, mut readers) = (Vec::new(), Vec::new());
    for number in 0..10 {
        let mut listener = Listener::of(&format!("listener {number}"), broker.peer().await).await;
        listener.subscribe(CHANNEL, Start::Live).await;
        listeners.push(listener);
        let client = broker.client().await;
        readers.push((Reader::live(&format!("reader {number}"), &client, CHANNEL).await, client));
    }
    let online: Vec<State> = readers.iter().map(|(_, client)| client.state()).collect();

    let mut publisher = Publisher::of(&broker).await;
    for _ in 0..24 {
        publisher.round().await;
        let published = publisher.published.len();
        for listener in &mut listeners {
            listener.hear(&subscribed, published).await;
        }
        for (reader, _) in &mut readers {
            reader.read(published).await;
        }
    }
    for listener in &listeners {
        listener.seen.assert_whole(CHANNEL, publisher.published.clone());
    }
    for ((reader, client), before) in readers.iter().zip(&online) {
        reader.seen.assert_whole(CHANNEL, publisher.published.clone());
        assert_eq!(client.state(), *before, "nobody else was sent away");
    }

    assert_eq!(slow.peer.closed().await, too_slow());
    let at = slow.position(&subscribed);
    let mut slow = slow.again(narrow(&broker).await).await;
    assert!(slow.subscribe(CHANNEL, Start::Recover(at)).await.recovered, "the history has everything since");
    slow.hear(&subscribed, publisher.published.len()).await;
    publisher.round().await;
    slow.hear(&subscribed, publisher.published.len()).await;
    slow.seen.assert_whole(CHANNEL, publisher.published);
}

#[tokio::test]
async fn a_replay_of_many_outboxes_is_whole_for_a_reader_who_takes_its_time() {
    let broker = broker(LONG_HISTORY).await;
    let mut publisher = Publisher::of(&broker).await;
    while publisher.published.len() * PAYLOAD_BYTES < 32 * OUTBOX_BYTES {
        publisher.round().await;
    }
    let history = publisher.published.len();

    let mut slow = Listener::of("the slow one", narrow(&broker).await).await;
    let other = slow.subscribe("other", Start::Live).await;
    let start = Start::Rewind(u32::MAX);
    let subscribed = slow.subscribe(CHANNEL, start).await;
    let mut others = Vec::new();
    // Its own reading is the clock: for every few messages that it takes, one more is published to each channel.
    while slow.heard(&subscribed) < history {
        let heard = slow.heard(&subscribed);
        slow.hear(&subscribed, heard + 4).await;
        publisher.publish().await;
        others.push(format!("beside {heard}"));
        publisher.peer.publish("other", format!("beside {heard}")).await;
    }
    slow.hear(&subscribed, publisher.published.len()).await;
    slow.hear(&other, others.len()).await;
    publisher.round().await;
    slow.hear(&subscribed, publisher.published.len()).await;
    slow.seen.assert_whole(CHANNEL, publisher.published);
    slow.seen.assert_whole("other", others);
}

#[tokio::test]
async fn a_reader_whom_the_history_has_overtaken_is_told_what_it_lost() {
    let broker = broker(2 * ROUND).await;
    let mut publisher = Publisher::of(&broker).await;
    publisher.round().await;
    publisher.round().await;
    let mut slow = Listener::of("the slow one", narrow(&broker).await).await;
    let subscribed = slow.subscribe(CHANNEL, Start::Rewind(u32::MAX)).await;
    // It reads nothing of its replay until twice what the history holds has been published behind that.
    for _ in 0..4 {
        publisher.round().await;
    }
    // The close may overtake the end of what it was sent.
    while let Ok(body) = slow.peer.next().await {
        slow.note(&body.frame());
    }
    assert_eq!(slow.peer.closed().await, too_slow());

    let (at, heard) = (slow.position(&subscribed), slow.heard(&subscribed));
    assert!(heard <= 2 * ROUND, "what came behind its replay is not remembered any more");
    let mut slow = slow.again(narrow(&broker).await).await;
    let again = slow.subscribe(CHANNEL, Start::Recover(at)).await;
    assert!(!again.recovered, "never a part");
    publisher.publish().await;
    slow.hear(&subscribed, heard + 1).await;
    slow.seen.assert_in_order();
    assert_eq!(slow.seen.gaps(CHANNEL), 1);
}

#[tokio::test]
async fn a_program_that_stopped_reading_one_subscription_finds_the_gap_at_its_place() {
    let broker = broker(LONG_HISTORY).await;
    let client = broker.client().await;
    let queue = Bounds { messages: 10, bytes: usize::MAX };
    let options = SubscribeOptions { queue, overflow: Overflow::Gap, ..SubscribeOptions::default() };
    let mut stalled = Reader::with("the stalled one", &client, CHANNEL, options).await;
    let mut steady = Reader::live("the steady one", &client, CHANNEL).await;
    let mut publisher = Publisher::of(&broker).await;
    for _ in 0..10 {
        publisher.round().await;
        steady.read(publisher.published.len()).await;
    }

    let place = |offset: usize| Position { offset: Offset::saturating(offset as u64), ..steady.position() };
    stalled.read(10).await;
    let gap = stalled.gap().await;
    assert_eq!((gap.from, gap.to, gap.why), (Some(place(10)), place(10 * ROUND), GapWhy::SlowConsumer));
    assert_eq!(gap.to, steady.position());
    publisher.round().await;
    stalled.read(10 + ROUND).await;
    steady.read(publisher.published.len()).await;

    stalled.seen.assert_in_order();
    assert_eq!(stalled.position(), steady.position());
    steady.seen.assert_whole(CHANNEL, publisher.published);
}

#[tokio::test]
async fn a_program_that_must_miss_nothing_is_sent_away_and_recovers_what_it_did_not_read() {
    let broker = broker(LONG_HISTORY).await;
    let client = broker.client().await;
    let queue = Bounds { messages: 10, bytes: usize::MAX };
    let options = SubscribeOptions { queue, overflow: Overflow::Block, ..SubscribeOptions::default() };
    let mut reader = Reader::with("the reader", &client, CHANNEL, options).await;
    let mut publisher = Publisher::of(&broker).await;
    let mut states = client.states();
    let sent_away = tokio::spawn(async move { states.wait_for(|state| !matches!(state, State::Online(_))).await });
    // The client's own window takes a mebibyte before the broker feels that nobody reads.
    while publisher.published.len() * PAYLOAD_BYTES < 20 * OUTBOX_BYTES {
        publisher.round().await;
    }
    let state = soon("the end of a session that is too slow", sent_away).await.expect("it waits and no more");
    let Some(State::Waiting { why: Reason::Ended { code, .. }, .. }) = state else { panic!("the client is {state:?}") };
    assert_eq!(code, Code::TooSlow.number());
    reader.read(publisher.published.len()).await;
    reader.seen.assert_whole(CHANNEL, publisher.published);
}

/// A broker whose channels remember this many messages.
async fn broker(history: usize) -> Broker {
    Broker::start_with(|config| {
        config.payload_bytes_max = 2 * PAYLOAD_BYTES;
        config.outbox.bytes = OUTBOX_BYTES;
        let everything = Pattern::parse("**").expect("it is a pattern");
        let bounds = History { messages: history, bytes: usize::MAX, age: Duration::from_secs(600) };
        config.history.push((everything, bounds));
    })
    .await
}

/// A peer that makes it felt soon that it does not read.
async fn narrow(broker: &Broker) -> Peer {
    Dialer::with(|options| options.stream_window_bytes = WINDOW_BYTES).connect(broker.addr()).await
}

fn too_slow() -> Ending {
    Ending::Closed { code: Code::TooSlow.number().into(), reason: Code::TooSlow.sentence().to_owned() }
}

/// A publisher and what it has published.
struct Publisher {
    peer: Peer,
    published: Vec<String>,
}

impl Publisher {
    async fn of(broker: &Broker) -> Self {
        let mut peer = broker.peer().await;
        peer.hello().await;
        Self { peer, published: Vec::new() }
    }

    async fn round(&mut self) {
        for _ in 1..ROUND {
            let message = self.next();
            self.peer.cast(CHANNEL, message).await;
        }
        self.publish().await;
    }

    async fn publish(&mut self) {
        let message = self.next();
        self.peer.publish(CHANNEL, message).await;
    }

    fn next(&mut self) -> String {
        let message = format!("{:0PAYLOAD_BYTES$}", self.published.len());
        self.published.push(message.clone());
        message
    }
}
