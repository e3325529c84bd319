//! Every one of a thousand subscribers gets every message, once and in order.

use callboard_client::Client;
use callboard_protocol::frame::{Start, SubscribeOptions, Subscribed};
use callboard_protocol::{Offset, Payload};
use callboard_tests::checker::{Fact, settle, settle_at_rest};
use callboard_tests::raw::Dialer;
use callboard_tests::{Broker, Listener, Reader, Seen, soon};
use tokio::task::JoinSet;

const CHANNEL: &str = "stage/left";

/// A few more than a thousand: a channel hands a chunk to 1,024 members at a turn, and the border is worth a look.
const SUBSCRIBERS: usize = 1_030;

/// How many of them publish as well, and do not want to hear themselves.
const ACTORS: usize = 10;

/// What each of these says.
const LINES: usize = 5;

const BURSTS: usize = 5;
const BURST: usize = 10;

/// How many handshakes are on their way at once.
const AT_ONCE: usize = 50;

/// One who listens, and what the broker said of the subscription.
struct Seat {
    listener: Listener,
    subscribed: Subscribed,
}

impl Seat {
    async fn take(dialer: Dialer, broker: std::net::SocketAddr, number: usize, options: SubscribeOptions) -> Self {
        let mut listener = Listener::of(&format!("subscriber {number}"), dialer.connect(broker).await).await;
        let subscribed = listener.subscribe_with(CHANNEL, Start::Live, options).await;
        Self { listener, subscribed }
    }

    /// Hears up to an offset, and then finds that nothing was left to come.
    async fn hear_to(mut self, messages: usize) -> Seen {
        self.listener.hear_to(&self.subscribed, Offset::saturating(messages as u64)).await;
        self.listener.unsubscribe(CHANNEL).await;
        self.listener.seen
    }

    /// Says a line whenever something was heard.
    async fn act(mut self, number: usize, messages: usize) -> Seen {
        for line in 0..LINES {
            self.listener.cast(CHANNEL, format!("actor {number}: {line}")).await;
            self.listener.hear_one().await;
        }
        self.hear_to(messages).await
    }
}

/// Lets this many subscribers in, all from one socket.
async fn seats(broker: &Broker, number: usize, options: SubscribeOptions) -> Vec<Seat> {
    let (dialer, addr) = (Dialer::new(), broker.addr());
    let mut seats = Vec::new();
    while seats.len() < number {
        let last = number.min(seats.len() + AT_ONCE);
        let entering = (seats.len()..last).map(|number| Seat::take(dialer.clone(), addr, number, options));
        seats.extend(entering.collect::<JoinSet<_>>().join_all().await);
    }
    seats
}

/// Publishes in bursts; the next one begins when the broker has the one before.
async fn publish_in_bursts(seen: &Seen, publisher: &Client) -> Vec<String> {
    let mut published = Vec::new();
    for burst in 0..BURSTS {
        let mut texts = (0..BURST).map(|number| format!("burst {burst}: {number}"));
        published.extend(texts.clone());
        let last = texts.next_back().expect("a burst has messages");
        for text in texts {
            seen.publish(publisher, CHANNEL, text).await.expect("a message is taken");
        }
        soon("the acknowledgement", seen.publish_acked(publisher, CHANNEL, last))
            .await
            .expect("a message is published");
    }
    published
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_subscribers_get_every_message_once_and_in_order() {
    let broker = Broker::start().await;
    let audience = seats(&broker, SUBSCRIBERS - ACTORS, SubscribeOptions::NONE).await;
    let actors = seats(&broker, ACTORS, SubscribeOptions::EXCLUDE_OWN).await;
    let total = BURSTS * BURST + ACTORS * LINES;
    let hearing: JoinSet<_> = audience.into_iter().map(|seat| seat.hear_to(total)).collect();
    let acting: JoinSet<_> = actors
        .into_iter()
        .enumerate()
        .map(|(number, actor)| async move { (number, actor.act(number, total).await) })
        .collect();
    let publisher = Seen::new("the publisher");
    let published = publish_in_bursts(&publisher, &broker.client().await).await;

    let mut heard = hearing.join_all().await;
    let whole = texts(heard[0].messages(CHANNEL));
    assert_eq!(from(&whole, "burst"), published, "the audience heard what was published, once and in order");
    for seen in &heard {
        seen.assert_whole(CHANNEL, whole.iter().map(String::as_str));
    }
    assert_eq!(heard.len(), SUBSCRIBERS - ACTORS);
    for (number, seen) in acting.join_all().await {
        let own = format!("actor {number}:");
        assert_eq!(from(&whole, &own).len(), LINES, "the audience heard {own} once a line");
        let others = whole.iter().filter(|text| !text.starts_with(&own)).map(String::as_str);
        seen.assert_whole(CHANNEL, others);
        assert_eq!(skipped(&seen), LINES as u64, "an actor was told of every line that it did not hear");
        heard.push(seen);
    }
    heard.push(publisher);
    settle_at_rest(&heard);
}

fn texts(payloads: Vec<Payload>) -> Vec<String> {
    payloads.into_iter().map(|payload| payload.as_str().expect("all messages are texts").to_owned()).collect()
}

fn from(texts: &[String], publisher: &str) -> Vec<String> {
    texts.iter().filter(|text| text.starts_with(publisher)).cloned().collect()
}

/// How many messages were left out and told.
fn skipped(seen: &Seen) -> u64 {
    let (mut place, mut skipped) = (0, 0);
    for (_, fact) in seen.log().facts() {
        if let Fact::Began { at: position, .. } | Fact::Message { position, .. } = fact {
            place = position.offset.value();
        }
        if let Fact::Skipped { through, .. } = fact {
            skipped += through.value() - place;
            place = through.value();
        }
    }
    skipped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_come_and_go_take_nothing_from_those_who_stay() {
    let broker = Broker::start().await;
    let (dialer, addr) = (Dialer::new(), broker.addr());
    let staying = seats(&broker, 40, SubscribeOptions::NONE).await;
    let mut passers_by: JoinSet<_> = (0..6).map(|number| come_and_go(dialer.clone(), addr, number)).collect();
    let publisher = broker.client().await;
    let (mut published, mut witnesses) = (Vec::new(), Vec::new());
    while !passers_by.is_empty() {
        published.push(format!("{}", published.len()));
        let acked = publisher.publish_acked(CHANNEL, published[published.len() - 1].as_str());
        soon("the acknowledgement", acked).await.expect("a message is published");
        while let Some(seen) = passers_by.try_join_next() {
            witnesses.extend(seen.expect("nobody who passes by panics"));
        }
    }
    for seat in staying {
        let seen = seat.hear_to(published.len()).await;
        seen.assert_whole(CHANNEL, published.iter().map(String::as_str));
        witnesses.push(seen);
    }
    settle(&witnesses);
}

/// Subscribes and leaves again and again, in each of the ways that there are.
async fn come_and_go(dialer: Dialer, broker: std::net::SocketAddr, number: usize) -> Vec<Seen> {
    let mut all = Vec::new();
    for round in 0..8 {
        let mut seat = Seat::take(dialer.clone(), broker, number, SubscribeOptions::NONE).await;
        match round % 4 {
            0 => seat.listener.unsubscribe(CHANNEL).await,
            1 => seat.listener.peer.say_goodbye(4000).await,
            2 => seat.listener.peer.finish(),
            _ => seat.listener.hear_one().await,
        }
        all.push(seat.listener.seen);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_every_client_get_messages_of_every_size() {
    let broker = Broker::start().await;
    let mut reading = JoinSet::new();
    for number in 0..6 {
        let client = broker.client().await;
        for place in 0..3 {
            let mut reader = Reader::live(&format!("reader {place} of client {number}"), &client, CHANNEL).await;
            reading.spawn(async move {
                reader.read(60).await;
                reader.seen
            });
        }
    }
    let publisher = broker.client().await;
    // From nothing to the largest payload, so that chunks are cut at every kind of place.
    let sizes = [0, 1, 100, 127, 128, 5_000, 16_300, 16_384, 20_000, 65_536];
    let text = |(number, size): (usize, usize)| number.to_string().repeat(size).chars().take(size).collect();
    let published: Vec<String> = (0..60).zip(sizes.into_iter().cycle()).map(text).collect();
    for text in &published {
        publisher.publish(CHANNEL, text.as_str()).await.expect("a message is taken");
    }
    for seen in reading.join_all().await {
        seen.assert_whole(CHANNEL, published.iter().map(String::as_str));
    }
}
