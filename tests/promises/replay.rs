//! Who drops and comes back within the history gets exactly what was missed.

use std::time::Duration;

use callboard::config::{Config, History, Pattern};
use callboard_client::{Client, State, SubscribeOptions as ReaderOptions};
use callboard_protocol::frame::{Start, SubscribeOptions, Subscribed};
use callboard_protocol::{Epoch, Offset, Position};
use callboard_tests::raw::Dialer;
use callboard_tests::{Broker, Listener, Proxy, Reader, Way, soon};

const CHANNEL: &str = "minutes";

/// Silence after which a client gives its connection up: the shortest that it can be told.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

fn offset(value: usize) -> Offset {
    Offset::saturating(value as u64)
}

/// A history of every channel with these bounds.
fn remember(messages: usize, bytes: usize) -> impl FnOnce(&mut Config) {
    move |config| {
        let everything = Pattern::parse("**").expect("it is a pattern");
        config.history.push((everything, History { messages, bytes, ..History::default() }));
    }
}

/// Publishes messages with these numbers, and knows that the broker has them.
async fn publish(publisher: &Client, numbers: std::ops::RangeInclusive<usize>) -> Position {
    let mut position = None;
    for number in numbers {
        let acked = soon("the acknowledgement", publisher.publish_acked(CHANNEL, text(number))).await;
        position = Some(acked.expect("a message is published"));
    }
    position.expect("something was to be published")
}

fn text(number: usize) -> String {
    format!("message {number}")
}

/// Everything that was published up to this number, from the first.
fn texts(last: usize) -> impl Iterator<Item = String> {
    (1..=last).map(text)
}

async fn listener(broker: &Broker) -> Listener {
    Listener::of("the listener", broker.peer().await).await
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed_and_then_what_is_new() {
    let broker = Broker::start().await;
    let publisher = broker.client().await;
    let mut listener = listener(&broker).await;
    let first = listener.subscribe(CHANNEL, Start::Live).await;
    publish(&publisher, 1..=10).await;
    listener.hear(&first, 10).await;
    let left = listener.position(&first);

    let mut listener = listener.again(broker.peer().await).await;
    let head = publish(&publisher, 11..=30).await;
    let second = listener.subscribe(CHANNEL, Start::Recover(left)).await;
    assert_eq!(second, Subscribed { position: head, next: offset(11), recovered: true, ..first });
    listener.hear(&first, 30).await;
    publish(&publisher, 31..=31).await;
    listener.hear(&first, 31).await;
    listener.seen.assert_whole(CHANNEL, texts(31));
}

#[tokio::test]
async fn nothing_is_missed_by_who_comes_back_again_and_again_to_a_busy_channel() {
    let broker = Broker::start_with(remember(1 << 20, 64 << 20)).await;
    let publisher = broker.client().await;
    let mut listener = listener(&broker).await;
    let mut subscribed = listener.subscribe(CHANNEL, Start::Live).await;
    let mut published = 0;
    let publishing = async {
        loop {
            publish(&publisher, published + 1..=published + 1).await;
            published += 1;
        }
    };
    let coming_back = async {
        for round in 1..=40 {
            // Now it leaves within the replay, now behind it, and most times with something on its way.
            listener.hear(&subscribed, listener.heard(&subscribed) + 1 + round * 7 % 30).await;
            let left = listener.position(&subscribed);
            listener = listener.again(broker.peer().await).await;
            subscribed = listener.subscribe(CHANNEL, Start::Recover(left)).await;
            assert!(subscribed.recovered && subscribed.next == left.offset.next(), "{left}: {subscribed:?}");
        }
        (listener, subscribed)
    };
    let (mut listener, subscribed) = tokio::select! {
        came_back = coming_back => came_back,
        () = publishing => unreachable!("it publishes until the listener has come back often enough"),
    };
    // One more may have been on its way when the publishing ended.
    let head = publish(&publisher, published + 1..=published + 1).await;
    listener.hear_to(&subscribed, head.offset).await;
    listener.seen.assert_in_order();
    assert_eq!(listener.seen.gaps(CHANNEL), 0);
    assert_eq!(listener.heard(&subscribed) as u64, head.offset.value());
}

#[tokio::test]
async fn recovery_at_the_head_replays_nothing() {
    let broker = Broker::start().await;
    let publisher = broker.client().await;
    let head = publish(&publisher, 1..=5).await;
    let mut listener = listener(&broker).await;
    let subscribed = listener.subscribe(CHANNEL, Start::Recover(head)).await;
    assert_eq!((subscribed.position, subscribed.next, subscribed.recovered), (head, offset(6), true));
    publish(&publisher, 6..=6).await;
    listener.hear(&subscribed, 1).await;
    listener.seen.assert_whole(CHANNEL, [text(6)]);
}

#[tokio::test]
async fn what_cannot_be_recovered_whole_is_not_recovered_at_all() {
    let broker = Broker::start_with(remember(8, 1 << 20)).await;
    let publisher = broker.client().await;
    let head = publish(&publisher, 1..=20).await;
    let at = |value| Position { offset: offset(value), ..head };
    let other = Epoch::saturating(head.epoch.value() ^ 1);
    for (place, recovered, why) in [
        (at(12), true, "the history reaches back just far enough"),
        (at(11), false, "one message is forgotten"),
        (at(0), false, "many messages are forgotten"),
        (at(20), true, "nothing was missed"),
        (at(21), false, "the place is beyond the head"),
        (Position { offset: Offset::saturating(u64::MAX), ..head }, false, "the place is far beyond the head"),
        (Position { epoch: other, offset: offset(15) }, false, "the channel never had this epoch"),
        (Position { epoch: other, offset: offset(0) }, false, "the channel never had this epoch"),
    ] {
        let mut listener = listener(&broker).await;
        let subscribed = listener.subscribe(CHANNEL, Start::Recover(place)).await;
        let next = if recovered { place.offset.next() } else { offset(21) };
        assert_eq!((subscribed.position, subscribed.next, subscribed.recovered), (head, next, recovered), "{why}");
        listener.hear_to(&subscribed, head.offset).await;
        listener.unsubscribe(CHANNEL).await;
        listener.seen.assert_whole(CHANNEL, texts(20).skip(if recovered { place.offset.value() as usize } else { 20 }));
    }
}

#[tokio::test]
async fn rewinding_gives_the_last_messages() {
    let broker = Broker::start_with(remember(8, 1 << 20)).await;
    let publisher = broker.client().await;
    let head = publish(&publisher, 1..=20).await;
    for (wanted, given) in [(0, 0), (1, 1), (7, 7), (8, 8), (9, 8), (u32::MAX, 8)] {
        let mut listener = listener(&broker).await;
        let subscribed = listener.subscribe(CHANNEL, Start::Rewind(wanted)).await;
        let next = offset(21 - given);
        assert_eq!((subscribed.position, subscribed.next, subscribed.recovered), (head, next, true), "{wanted}");
        listener.hear(&subscribed, given).await;
        listener.unsubscribe(CHANNEL).await;
        listener.seen.assert_whole(CHANNEL, texts(20).skip(20 - given));
    }
}

/// Messages of about a kibibyte, many more than an outbox or a window takes; gives where the channel began.
async fn publish_volumes(publisher: &Client, number: usize) -> (Position, Vec<String>) {
    let published: Vec<String> = (0..number).map(|number| format!("{number:01000}")).collect();
    for text in &published {
        publisher.publish(CHANNEL, text.as_str()).await.expect("a message is taken");
    }
    let last = soon("the acknowledgement", publisher.publish_acked(CHANNEL, "the last")).await;
    let head = last.expect("a message is published");
    assert_eq!(head.offset, offset(number + 1));
    (Position { offset: offset(0), ..head }, [published, vec!["the last".to_owned()]].concat())
}

/// A listener that the broker can send little to before it has read that.
async fn slow_listener(broker: &Broker) -> Listener {
    let dialer = Dialer::with(|options| options.stream_window_bytes = 16 << 10);
    Listener::of("the slow listener", dialer.connect(broker.addr()).await).await
}

#[tokio::test]
async fn a_long_replay_is_pulled_by_a_slow_reader_while_the_channel_goes_on() {
    let broker = Broker::start_with(remember(10_000, 64 << 20)).await;
    let publisher = broker.client().await;
    let (begin, mut published) = publish_volumes(&publisher, 3_999).await;
    let mut listener = slow_listener(&broker).await;
    let subscribed = listener.subscribe(CHANNEL, Start::Recover(begin)).await;
    assert!(subscribed.recovered && subscribed.next == offset(1), "{subscribed:?}");
    for round in 1..=200 {
        listener.hear(&subscribed, 20 * round).await;
        let text = format!("meanwhile {round}");
        soon("the acknowledgement", publisher.publish_acked(CHANNEL, text.as_str()))
            .await
            .expect("a message is published");
        published.push(text);
    }
    listener.hear(&subscribed, published.len()).await;
    listener.seen.assert_whole(CHANNEL, published.iter().map(String::as_str));
}

#[tokio::test]
async fn a_replay_ends_when_its_channel_is_left_and_goes_on_where_it_is_taken_up() {
    let broker = Broker::start_with(remember(10_000, 64 << 20)).await;
    let publisher = broker.client().await;
    let (begin, published) = publish_volumes(&publisher, 1_999).await;
    let mut listener = slow_listener(&broker).await;
    let subscribed = listener.subscribe(CHANNEL, Start::Recover(begin)).await;
    listener.hear(&subscribed, 5).await;
    listener.unsubscribe(CHANNEL).await;
    let heard = listener.heard(&subscribed);
    assert!(heard < 1_000, "{heard} messages were heard of a channel that was left after the fifth");
    let request = listener.peer.send_publish(0, "elsewhere", "nothing").await;
    assert_eq!(listener.peer.published().await.expect("the session goes on").0, request);

    let again = listener.subscribe(CHANNEL, Start::Recover(listener.position(&subscribed))).await;
    assert!(again.recovered);
    listener.hear(&subscribed, published.len()).await;
    listener.seen.assert_whole(CHANNEL, published.iter().map(String::as_str));
}

#[tokio::test]
async fn own_messages_stay_left_out_of_a_replay_and_are_told() {
    let broker = Broker::start().await;
    let publisher = broker.client().await;
    let mut listener = listener(&broker).await;
    let first = listener.subscribe_with(CHANNEL, Start::Live, SubscribeOptions::EXCLUDE_OWN).await;
    listener.peer.publish(CHANNEL, "own").await;
    publish(&publisher, 1..=1).await;
    listener.hear(&first, 1).await;
    let left = listener.position(&first);

    let mut listener = listener.again(broker.peer().await).await;
    for number in 2..=4 {
        listener.peer.publish(CHANNEL, "own").await;
        listener.peer.publish(CHANNEL, "own").await;
        publish(&publisher, number..=number).await;
    }
    let head = listener.peer.publish(CHANNEL, "own").await;
    let second = listener.subscribe_with(CHANNEL, Start::Recover(left), SubscribeOptions::EXCLUDE_OWN).await;
    assert!(second.recovered && second.next == left.offset.next(), "{second:?}");
    listener.hear_to(&second, head.offset).await;
    publish(&publisher, 5..=5).await;
    listener.hear_to(&second, head.offset.next()).await;
    listener.seen.assert_whole(CHANNEL, texts(5));
}

#[tokio::test]
async fn a_client_whose_connection_broke_misses_nothing() {
    let broker = Broker::start().await;
    let proxy = Proxy::before(broker.addr()).await;
    let builder = broker.client_builder_by(proxy.addr()).idle_timeout(IDLE_TIMEOUT).attempt_timeout(IDLE_TIMEOUT);
    let client = builder.connect().await.expect("the broker is there");
    let publisher = broker.client().await;
    let mut readers = [Reader::live("one", &client, CHANNEL).await, Reader::live("another", &client, CHANNEL).await];
    let mut states = client.states();
    for round in [0, 30] {
        publish(&publisher, round + 1..=round + 10).await;
        for reader in &mut readers {
            reader.read(round + 10).await;
        }
        proxy.lose(Way::ToClient);
        proxy.lose(Way::ToBroker);
        publish(&publisher, round + 11..=round + 20).await;
        let offline = states.wait_for(|state| matches!(state, State::Waiting { .. }));
        soon("the loss of the connection", offline).await.expect("the client does not close");
        publish(&publisher, round + 21..=round + 30).await;
        proxy.heal();
    }
    publish(&publisher, 61..=61).await;
    for reader in &mut readers {
        reader.read(61).await;
        reader.seen.assert_whole(CHANNEL, texts(61));
    }
}

#[tokio::test]
async fn a_program_that_is_started_again_goes_on_where_it_was() {
    let broker = Broker::start().await;
    let publisher = broker.client().await;
    let mut before = Reader::live("the program", &broker.client().await, CHANNEL).await;
    publish(&publisher, 1..=10).await;
    before.read(7).await;
    let options = ReaderOptions { recover_from: Some(before.position()), ..ReaderOptions::default() };
    drop(before);
    publish(&publisher, 11..=20).await;
    let mut after = Reader::with("the program again", &broker.client().await, CHANNEL, options).await;
    publish(&publisher, 21..=21).await;
    after.read(14).await;
    after.seen.assert_whole(CHANNEL, texts(21).skip(7));
}
