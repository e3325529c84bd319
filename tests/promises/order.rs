//! In a channel all subscribers see one order, whoever publishes.

use std::collections::BTreeMap;

use callboard_client::{Client, SubscribeOptions as ReaderOptions};
use callboard_protocol::frame::{Answer, ServerFrame, Start, SubscribeOptions};
use callboard_protocol::{Offset, Payload};
use callboard_tests::checker::{settle, settle_at_rest};
use callboard_tests::raw::Dialer;
use callboard_tests::{Broker, Listener, Reader, Seen, soon};
use tokio::task::JoinSet;

const CHANNELS: [&str; 3] = ["acts/1", "acts/2", "acts/3"];

/// What each publisher says in each channel.
const LINES: usize = 120;

/// How many requests a raw publisher has on their way.
const IN_FLIGHT: usize = 32;

const PUBLISHERS: usize = 6;

fn line(publisher: &str, number: usize) -> String {
    format!("{publisher}:{number}")
}

/// A client that waits for some of its acknowledgements and not for others.
async fn client_publishes(client: Client, name: String) -> Seen {
    let seen = Seen::new(&name);
    for number in 0..LINES {
        for channel in CHANNELS {
            let text = line(&name, number);
            if number % 3 == 0 {
                let acked = soon("the acknowledgement", seen.publish_acked(&client, channel, text)).await;
                acked.expect("a message is published");
            } else {
                seen.publish(&client, channel, text).await.expect("a message is taken");
            }
        }
    }
    seen
}

/// A raw peer that asks for every acknowledgement, and sends on without waiting for it.
async fn peer_publishes(mut publisher: Listener) -> Seen {
    let name = publisher.seen.name();
    let mut in_flight = 0;
    for number in 0..LINES {
        for channel in CHANNELS {
            publisher.send_publish(0, channel, line(&name, number)).await;
            in_flight += 1;
            if in_flight == IN_FLIGHT {
                publisher.answered().await;
                in_flight -= 1;
            }
        }
    }
    for _ in 0..in_flight {
        publisher.answered().await;
    }
    publisher.seen
}

/// A raw peer that asks for nothing until it goes: a connection that is dropped takes with it what was not yet sent.
async fn peer_casts(mut publisher: Listener) -> Seen {
    let name = publisher.seen.name();
    for number in 0..LINES {
        for channel in CHANNELS {
            publisher.cast(channel, line(&name, number)).await;
        }
    }
    publisher.publish("elsewhere", format!("{name} is done")).await;
    publisher.seen
}

/// Subscribers of every kind: raw peers on all channels, and clients whose readers have one channel each.
async fn audience(broker: &Broker) -> JoinSet<Vec<Seen>> {
    let (mut hearing, dialer) = (JoinSet::new(), Dialer::new());
    let last = Offset::saturating((LINES * PUBLISHERS) as u64);
    for number in 0..8 {
        let mut listener = Listener::of(&format!("peer {number}"), dialer.connect(broker.addr()).await).await;
        let mut subscribed = Vec::new();
        for channel in CHANNELS {
            subscribed.push(listener.subscribe(channel, Start::Live).await);
        }
        hearing.spawn(async move {
            for subscribed in &subscribed {
                listener.hear_to(subscribed, last).await;
            }
            vec![listener.seen]
        });
    }
    for number in 0..4 {
        let client = broker.client().await;
        let mut readers = Vec::new();
        for channel in CHANNELS {
            let name = format!("reader of client {number}");
            readers.push(Reader::with(&name, &client, channel, ReaderOptions::default()).await);
        }
        hearing.spawn(async move {
            let mut seen = Vec::new();
            for mut reader in readers {
                reader.read(LINES * PUBLISHERS).await;
                seen.push(reader.seen);
            }
            seen
        });
    }
    hearing
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_subscribers_see_one_order_of_many_publishers() {
    let broker = Broker::start().await;
    let hearing = audience(&broker).await;
    let mut publishing = JoinSet::new();
    for number in 0..PUBLISHERS / 3 {
        publishing.spawn(client_publishes(broker.client().await, format!("client {number}")));
        let publisher = Listener::of(&format!("publishing peer {number}"), broker.peer().await).await;
        publishing.spawn(peer_publishes(publisher));
        let publisher = Listener::of(&format!("silent peer {number}"), broker.peer().await).await;
        publishing.spawn(peer_casts(publisher));
    }
    let published = publishing.join_all().await;
    let seen = hearing.join_all().await.concat();

    let first = seen.iter().find(|seen| CHANNELS.iter().all(|channel| !seen.messages(channel).is_empty()));
    let first = first.expect("a raw peer heard all channels");
    for channel in CHANNELS {
        let order = first.messages(channel);
        assert_eq!(order.len(), LINES * PUBLISHERS);
        assert_each_in_its_own_order(&order);
        for seen in seen.iter().filter(|seen| !seen.messages(channel).is_empty()) {
            seen.assert_whole(channel, order.iter().cloned());
        }
    }
    settle_at_rest(published.iter().chain(&seen));
}

/// Holds that each publisher is there with all its lines, in the order in which it published them.
fn assert_each_in_its_own_order(order: &[Payload]) {
    let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for text in order {
        let text = text.as_str().expect("all messages are texts");
        let (publisher, _) = text.split_once(':').expect("all messages name their publisher");
        lines.entry(publisher).or_default().push(text.to_owned());
    }
    assert_eq!(lines.len(), PUBLISHERS);
    for (publisher, lines) in lines {
        let published: Vec<String> = (0..LINES).map(|number| line(publisher, number)).collect();
        assert_eq!(lines, published, "{publisher} is heard in its own order");
    }
}

#[tokio::test]
async fn what_was_acknowledged_comes_before_what_is_published_later() {
    let broker = Broker::start().await;
    let mut reader = Reader::live("the reader", &broker.client().await, CHANNELS[0]).await;
    let (client, other) = (broker.client().await, broker.client().await);
    let (by_client, by_other) = (Seen::new("the client"), Seen::new("the other"));
    let mut peer = Listener::of("the peer", broker.peer().await).await;
    let mut published = Vec::new();
    for number in 0..60 {
        let text = format!("{number}");
        published.push(text.clone());
        let position = match number % 3 {
            0 => soon("the acknowledgement", by_client.publish_acked(&client, CHANNELS[0], text)).await,
            1 => soon("the acknowledgement", by_other.publish_acked(&other, CHANNELS[0], text)).await,
            _ => Ok(peer.publish(CHANNELS[0], text).await),
        };
        let offset = position.expect("a message is published").offset;
        assert_eq!(offset.value(), number + 1, "no acknowledgement names another place");
    }
    reader.read(published.len()).await;
    reader.seen.assert_whole(CHANNELS[0], published.iter().map(String::as_str));
    settle_at_rest([&by_client, &by_other, &peer.seen, &reader.seen]);
}

#[tokio::test]
async fn an_own_message_is_delivered_before_it_is_acknowledged() {
    publish_and_listen(SubscribeOptions::NONE).await;
}

#[tokio::test]
async fn an_own_message_that_is_not_wanted_is_told_before_it_is_acknowledged() {
    publish_and_listen(SubscribeOptions::EXCLUDE_OWN).await;
}

/// Publishes in batches to a channel that others publish to as well, and finds each message delivered, or told as
/// skipped, when its acknowledgement comes.
async fn publish_and_listen(options: SubscribeOptions) {
    let broker = Broker::start().await;
    let mut others: JoinSet<_> = JoinSet::new();
    others.spawn(peer_casts(Listener::of("silent peer", broker.peer().await).await));
    others.spawn(client_publishes(broker.client().await, "client".to_owned()));
    let mut listener = Listener::of("the publisher", broker.peer().await).await;
    let subscribed = listener.subscribe_with(CHANNELS[0], Start::Live, options).await;
    for round in 0..10 {
        let mut asked = Vec::new();
        for number in 0..20 {
            asked.push(listener.send_publish(0, CHANNELS[0], line("own", 20 * round + number)).await);
        }
        while !asked.is_empty() {
            let body = listener.peer.receive().await;
            listener.note(&body.frame());
            if let ServerFrame::Ok { request, answer: Answer::Published(position) } = body.frame() {
                let heard = listener.position(&subscribed);
                assert!(heard.offset >= position.offset, "{position} was acknowledged, and {heard} was heard");
                asked.retain(|asked| *asked != request);
            }
        }
    }
    let own = listener
        .seen
        .messages(CHANNELS[0])
        .into_iter()
        .filter(|text| text.as_str().is_some_and(|text| text.starts_with("own")));
    assert_eq!(own.count(), if options == SubscribeOptions::NONE { 200 } else { 0 });
    let mut seen = others.join_all().await;
    seen.push(listener.seen);
    settle(&seen);
}
