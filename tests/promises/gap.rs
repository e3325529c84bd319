//! What cannot be given back is told.

use std::time::Duration;

use callboard::config::{Config, History, Pattern};
use callboard_client::{Client, GapWhy, State, SubscribeOptions};
use callboard_protocol::close::Code;
use callboard_protocol::frame::Start;
use callboard_protocol::{Offset, Position};
use callboard_tests::raw::{Dialer, Ending};
use callboard_tests::{Broker, Listener, Process, Proxy, Reader, Way, eventually, soon};

const CHANNEL: &str = "minutes";

/// Silence after which a client gives its connection up: the shortest that it can be told.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

fn remember(history: History) -> impl FnOnce(&mut Config) {
    move |config| config.history.push((Pattern::parse("**").expect("it is a pattern"), history))
}

async fn publish(publisher: &Client, text: &str) -> Position {
    let acked = soon("the acknowledgement", publisher.publish_acked(CHANNEL, text)).await;
    acked.expect("a message is published")
}

async fn went_offline(client: &Client) {
    let mut states = client.states();
    let offline = states.wait_for(|state| matches!(state, State::Waiting { .. } | State::Connecting));
    soon("the loss of the connection", offline).await.expect("the client does not close");
}

#[tokio::test]
async fn after_a_kill_the_reader_is_told_of_the_gap_and_hears_the_next_message() {
    let broker = Process::start().await;
    let client = broker.client_builder().idle_timeout(IDLE_TIMEOUT).connect().await.expect("the broker is there");
    let mut readers = [Reader::live("one", &client, CHANNEL).await, Reader::live("another", &client, CHANNEL).await];
    let before = publish(&client, "before").await;
    for reader in &mut readers {
        reader.read(1).await;
    }

    let broker = broker.kill().await.restart().await;
    for reader in &mut readers {
        let gap = reader.gap().await;
        assert_eq!((gap.from, gap.why), (Some(before), GapWhy::NewEpoch));
        assert_ne!(gap.to.epoch, before.epoch);
    }
    let after = publish(&client, "after").await;
    for reader in &mut readers {
        reader.read(2).await;
        assert_eq!(reader.position(), after);
        reader.seen.assert_in_order();
        assert_eq!((reader.seen.messages(CHANNEL).len(), reader.seen.gaps(CHANNEL)), (2, 1));
    }
    broker.terminate().await;
}

#[tokio::test]
async fn a_pause_longer_than_the_history_is_a_gap_with_both_its_ends() {
    let broker = Broker::start_with(remember(History { messages: 8, ..History::default() })).await;
    let proxy = Proxy::before(broker.addr()).await;
    let builder = broker.client_builder_by(proxy.addr()).idle_timeout(IDLE_TIMEOUT).attempt_timeout(IDLE_TIMEOUT);
    let client = builder.connect().await.expect("the broker is there");
    let publisher = broker.client().await;
    let mut reader = Reader::live("the reader", &client, CHANNEL).await;
    let from = publish(&publisher, "heard").await;
    reader.read(1).await;

    proxy.lose(Way::ToClient);
    proxy.lose(Way::ToBroker);
    went_offline(&client).await;
    // One more than the history has.
    let mut to = from;
    for _ in 0..9 {
        to = publish(&publisher, "lost").await;
    }
    proxy.heal();
    let gap = reader.gap().await;
    assert_eq!((gap.from, gap.to, gap.why), (Some(from), to, GapWhy::NotRecoverable));
    let next = publish(&publisher, "heard again").await;
    reader.read(2).await;
    assert_eq!((reader.position(), next.offset), (next, to.offset.next()));
    reader.seen.assert_in_order();
}

#[tokio::test]
async fn a_pause_within_the_history_is_no_gap() {
    let broker = Broker::start_with(remember(History { messages: 8, ..History::default() })).await;
    let publisher = broker.client().await;
    let from = publish(&publisher, "heard").await;
    for _ in 0..8 {
        publish(&publisher, "missed").await;
    }
    let options = SubscribeOptions { recover_from: Some(from), ..SubscribeOptions::default() };
    let mut reader = Reader::with("the reader", &broker.client().await, CHANNEL, options).await;
    reader.read(8).await;
    reader.seen.assert_whole(CHANNEL, ["missed"; 8]);
}

#[tokio::test]
async fn what_is_older_than_the_history_keeps_is_told_as_lost() {
    let broker = Broker::start_with(remember(History { age: Duration::from_millis(300), ..History::default() })).await;
    let mut listener = Listener::of("the listener", broker.peer().await).await;
    // Who stays keeps the channel in its epoch.
    let mut staying = broker.peer().await;
    staying.hello().await;
    staying.subscribe(CHANNEL).await;
    let first = listener.peer.publish(CHANNEL, "heard").await;
    let head = listener.peer.publish(CHANNEL, "forgotten").await;
    let forgotten = eventually("the end of the history's age", async || {
        let mut peer = broker.peer().await;
        peer.hello().await;
        let subscribed = peer.subscribe_from(CHANNEL, Start::Recover(first)).await;
        assert_eq!(subscribed.position, head);
        let next = if subscribed.recovered { head.offset } else { head.offset.next() };
        assert_eq!(subscribed.next, next);
        (!subscribed.recovered).then_some(())
    });
    forgotten.await;
    let subscribed = listener.subscribe(CHANNEL, Start::Recover(head)).await;
    assert!(subscribed.recovered, "nothing is missing after {head}: {subscribed:?}");
}

#[tokio::test]
async fn a_channel_that_was_forgotten_is_born_in_another_epoch() {
    let short = History { age: Duration::from_millis(1), ..History::default() };
    let broker = Broker::start_with(|config| {
        remember(short)(config);
        config.channel_idle = Duration::from_millis(1);
    })
    .await;
    let mut peer = broker.peer().await;
    peer.hello().await;
    let before = peer.publish(CHANNEL, "forgotten").await;
    let reborn = eventually("another life of the channel", async || {
        let subscribed = peer.subscribe_from(CHANNEL, Start::Recover(before)).await;
        peer.unsubscribe(CHANNEL).await;
        (subscribed.position.epoch != before.epoch).then_some(subscribed)
    });
    let reborn = reborn.await;
    assert_eq!((reborn.recovered, reborn.position.offset, reborn.next.value()), (false, Offset::ZERO, 1));
}

#[tokio::test]
async fn who_is_sent_away_within_a_frame_is_told_by_the_close_and_hears_nothing_in_the_place_of_its_rest() {
    let broker = Broker::start_with(remember(History { messages: 100, ..History::default() })).await;
    let publisher = broker.client().await;
    let text = "x".repeat(8 << 10);
    for _ in 0..100 {
        publish(&publisher, &text).await;
    }
    let dialer = Dialer::with(|options| options.stream_window_bytes = 16 << 10);
    let mut listener = Listener::of("the listener", dialer.connect(broker.addr()).await).await;
    let subscribed = listener.subscribe(CHANNEL, Start::Rewind(100)).await;
    // The listener reads a window of it now and then, and what comes after the replay is forgotten meanwhile.
    for _ in 0..150 {
        publish(&publisher, &text).await;
    }
    let ending = loop {
        match listener.peer.next().await {
            Ok(body) => drop(listener.note(&body.frame())),
            Err(ending) => break ending,
        }
    };
    let too_slow = u64::from(Code::TooSlow.number());
    assert!(matches!(ending, Ending::Closed { code, .. } if code == too_slow), "{ending:?}");
    let heard = listener.heard(&subscribed);
    assert!(heard <= 100, "only what was remembered when the replay began can be replayed");
    listener.seen.assert_whole(CHANNEL, vec![text.as_str(); heard]);
}
