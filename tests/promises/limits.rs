//! Every limit is kept: whoever passes one is told so with its code, and nobody else notices.

use std::net::Ipv4Addr;
use std::time::Duration;

use callboard::config::{Limits, Rate};
use callboard_protocol::Position;
use callboard_protocol::close::Code;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Start, SubscribeOptions};
use callboard_tests::raw::{Dialer, first_datagrams};
use callboard_tests::{Broker, Listener, Peer, Proxy, soon};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

const CHANNEL: &str = "news";

/// Who publishes at once, and how much each.
const PUBLISHERS: usize = 4;
const PUBLISHES: usize = 3_000;

async fn broker(limits: Limits) -> Broker {
    Broker::start_with(|config| config.limits = limits).await
}

async fn peer(broker: &Broker) -> Peer {
    let mut peer = broker.peer().await;
    peer.hello().await;
    peer
}

/// A neighbour publishes to itself: it is not touched by what others do.
async fn carries_on(neighbour: &mut Peer) {
    let position = neighbour.publish("neighbour", "on").await;
    assert_eq!(neighbour.message().await.offset, position.offset);
}

async fn neighbour(broker: &Broker) -> Peer {
    let mut neighbour = peer(broker).await;
    neighbour.subscribe("neighbour").await;
    neighbour
}

async fn is_turned_away(broker: &Broker, why: &str) {
    let mut peer = Dialer::new().connect(broker.addr()).await;
    let (code, reason) = peer.sent_away().await;
    assert_eq!(code, Code::Overloaded.number());
    assert!(reason.contains(why), "{reason}");
}

#[tokio::test]
async fn connections_in_all() {
    let broker = broker(Limits { connections: 3, ..Limits::default() }).await;
    let mut neighbour = neighbour(&broker).await;
    let (second, _third) = (peer(&broker).await, peer(&broker).await);
    is_turned_away(&broker, "the broker has reached its limit of connections").await;
    carries_on(&mut neighbour).await;
    second.close(0);
    // A client that is turned away comes back until there is room.
    broker.client().await;
}

#[tokio::test]
async fn a_peer_that_falls_silent_gives_its_place_back() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let broker =
        Broker::start_with(|config| (config.limits, config.idle_timeout) = (limits, Duration::from_secs(2))).await;
    let network = Proxy::before(broker.addr()).await;
    let mut silent = Peer::connect(network.addr()).await;
    silent.hello().await;
    is_turned_away(&broker, "the broker has reached its limit of connections").await;
    // Nothing says goodbye: its machine has lost its power.
    network.cut();
    broker.client().await;
    drop(silent);
}

#[tokio::test]
async fn connections_from_one_address() {
    let broker = broker(Limits { connections_per_address: 2, ..Limits::default() }).await;
    let mut neighbour = neighbour(&broker).await;
    let _second = peer(&broker).await;
    is_turned_away(&broker, "this address has reached its limit of connections").await;
    carries_on(&mut neighbour).await;
}

#[tokio::test]
async fn channels_that_one_connection_begins() {
    let births = Rate { per_second: 1, burst: 3 };
    let broker = broker(Limits { births, ..Limits::default() }).await;
    let mut neighbour = neighbour(&broker).await;
    let mut eager = peer(&broker).await;
    for number in 0..3 {
        eager.publish(&format!("mine/{number}"), "x").await;
    }
    let by_publish = eager.try_publish("mine/3", "x").await.unwrap_err();
    let by_subscribe = eager.try_subscribe("mine/4", Start::Live, SubscribeOptions::NONE).await.unwrap_err();
    for failure in [by_publish, by_subscribe] {
        assert_eq!(failure.class, Class::TooManyRequests.name());
        assert!(failure.sentence.contains("wait"), "{}", failure.sentence);
    }
    eager.publish("mine/0", "a channel that is there already").await;
    eager.publish("neighbour", "somebody else's as well").await;
    neighbour.message().await;
    carries_on(&mut neighbour).await;
}

#[tokio::test]
async fn channels_that_one_address_begins_over_all_its_connections() {
    let births_per_address = Rate { per_second: 1, burst: 3 };
    let broker = broker(Limits { births_per_address, ..Limits::default() }).await;
    for number in 0..3 {
        peer(&broker).await.publish(&format!("mine/{number}"), "x").await;
    }
    let failure = peer(&broker).await.try_publish("mine/3", "x").await.unwrap_err();
    assert_eq!(failure.class, Class::TooManyRequests.name());
}

#[tokio::test]
async fn channels_in_all() {
    let broker = broker(Limits { channels: 2, ..Limits::default() }).await;
    let mut eager = peer(&broker).await;
    eager.publish("one", "x").await;
    eager.publish("two", "x").await;
    assert_eq!(eager.try_publish("three", "x").await.unwrap_err().class, Class::Unavailable.name());
    eager.publish("two", "x").await;
}

#[tokio::test]
async fn subscriptions_in_all() {
    let broker = broker(Limits { subscriptions: 3, ..Limits::default() }).await;
    let mut neighbour = neighbour(&broker).await;
    let (mut first, mut second) = (peer(&broker).await, peer(&broker).await);
    first.subscribe("one").await;
    second.subscribe("one").await;
    let failure = second.try_subscribe("two", Start::Live, SubscribeOptions::NONE).await.unwrap_err();
    assert_eq!(failure.class, Class::Unavailable.name());
    carries_on(&mut neighbour).await;
    first.unsubscribe("one").await;
    second.subscribe("two").await;
    let failure = first.try_subscribe("one", Start::Live, SubscribeOptions::NONE).await.unwrap_err();
    assert_eq!(failure.class, Class::Unavailable.name());
    // What a session had is free when it is over.
    second.close(0);
    broker.client().await.subscribe("one").await.expect("there is room again");
}

#[tokio::test]
async fn publishes_a_second() {
    let publishes = Rate { per_second: 1, burst: 5 };
    let broker = broker(Limits { publishes, ..Limits::default() }).await;
    let mut neighbour = neighbour(&broker).await;
    let mut eager = peer(&broker).await;
    for _ in 0..5 {
        eager.publish(CHANNEL, "x").await;
    }
    let failure = eager.try_publish(CHANNEL, "x").await.unwrap_err();
    assert_eq!(failure.class, Class::TooManyRequests.name());
    assert!(failure.data.as_deref().is_some_and(|data| data.contains("retry_after_ms")), "{:?}", failure.data);

    for _ in 0..1100 {
        eager.cast(CHANNEL, "x").await;
    }
    assert_eq!(eager.sent_away().await.0, Code::RateExceeded.number());
    carries_on(&mut neighbour).await;
}

#[tokio::test]
async fn frames_a_second() {
    let frames = Rate { per_second: 1, burst: 4 };
    let broker = broker(Limits { frames, ..Limits::default() }).await;
    let mut eager = peer(&broker).await;
    eager.subscribe("one").await;
    eager.unsubscribe("one").await;
    eager.subscribe("one").await;
    let failure = eager.try_subscribe("two", Start::Live, SubscribeOptions::NONE).await.unwrap_err();
    assert_eq!(failure.class, Class::TooManyRequests.name());
}

#[tokio::test]
async fn bytes_that_all_histories_remember() {
    let broker = broker(Limits { history_bytes: 100_000, ..Limits::default() }).await;
    let mut publisher = peer(&broker).await;
    let text = "x".repeat(1000);
    for number in 0..200 {
        publisher.publish(&format!("channel/{}", number % 2), text.as_str()).await;
    }
    let mut remembered = 0;
    for channel in ["channel/0", "channel/1"] {
        let subscribed = publisher.subscribe_from(channel, Start::Rewind(u32::MAX)).await;
        remembered += subscribed.position.offset.value() + 1 - subscribed.next.value();
    }
    assert!((50..=100).contains(&remembered), "{remembered} messages of a thousand bytes are remembered");
}

#[tokio::test]
async fn bytes_that_wait_in_all_outboxes() {
    let broker = broker(Limits { outbox_bytes: 256 << 10, ..Limits::default() }).await;
    let mut neighbour = Listener::of("the neighbour", broker.peer().await).await;
    let heard = neighbour.subscribe(CHANNEL, Start::Live).await;
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let mut peer = Dialer::with(|options| options.stream_window_bytes = 1 << 10).connect(broker.addr()).await;
        peer.hello().await;
        peer.subscribe(CHANNEL).await;
        stalled.push(peer);
    }
    let mut publisher = peer(&broker).await;
    let text = "x".repeat(10_000);
    // Less than any one outbox may hold, more than all of them may hold together.
    for _ in 0..60 {
        publisher.publish(CHANNEL, text.as_str()).await;
        neighbour.hear_one().await;
    }
    assert_eq!(neighbour.heard(&heard), 60);
    let mut sent_away = 0;
    for mut peer in stalled {
        sent_away += usize::from(peer.connection().close_reason().is_some());
        let _ = peer.next().await;
    }
    assert!(sent_away > 0, "those who do not read share what is left");
}

#[tokio::test]
async fn bytes_of_publish_ids_in_all() {
    let broker = broker(Limits { publish_id_bytes: 8 << 10, ..Limits::default() }).await;
    let mut quiet = peer(&broker).await;
    let stored = publish_under_id(&mut quiet, 1).await;
    assert_eq!(publish_under_id(&mut quiet, 1).await, stored, "it is remembered");
    for _ in 0..40 {
        publish_under_id(&mut peer(&broker).await, 1).await;
    }
    assert_ne!(publish_under_id(&mut quiet, 1).await, stored, "the quietest was forgotten for those who came after it");
    let mut last = peer(&broker).await;
    let stored = publish_under_id(&mut last, 1).await;
    assert_eq!(publish_under_id(&mut last, 1).await, stored, "the last is remembered");
}

async fn publish_under_id(peer: &mut Peer, sequence: u64) -> Position {
    peer.send_publish(sequence, CHANNEL, "x").await;
    peer.published().await.expect("a small publish is taken").1
}

#[tokio::test]
async fn bytes_of_frames_that_are_begun_and_not_ended() {
    let broker = broker(Limits { inbox_bytes: 2 << 20, ..Limits::default() }).await;
    let mut neighbour = neighbour(&broker).await;
    let mut begun = Vec::new();
    for _ in 0..4 {
        let mut peer = peer(&broker).await;
        // The length of 1 MiB, and most of it: in a buffer with room for as much again, more than half of what all may have.
        let mut bytes = vec![0x80, 0x80, 0x40];
        bytes.resize(700_000, 7);
        peer.send_bytes(&bytes).await;
        begun.push(peer);
    }
    // The first has room, and those after it have none.
    assert_eq!(begun[0].connection().close_reason(), None, "half a frame is no fault yet");
    let (code, reason) = begun.pop().expect("four have begun").sent_away().await;
    assert_eq!(code, Code::Overloaded.number(), "{reason}");
    carries_on(&mut neighbour).await;
}

#[tokio::test]
async fn bytes_that_were_read_and_wait_for_channels() {
    // Much more comes than may wait, from many at once: nothing is lost, and everybody goes on.
    let broker = broker(Limits { inbox_bytes: 2 << 20, window_bytes: 0, ..Limits::default() }).await;
    let mut listener = Listener::of("the listener", broker.peer().await).await;
    let heard = listener.subscribe(CHANNEL, Start::Live).await;
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let mut publisher = peer(&broker).await;
        publishers.spawn(async move {
            for _ in 0..PUBLISHES {
                publisher.cast(CHANNEL, "x").await;
            }
            publisher.publish(CHANNEL, "the last").await;
        });
    }
    for _ in 0..PUBLISHERS * (PUBLISHES + 1) {
        listener.hear_one().await;
    }
    soon("the answers", publishers.join_all()).await;
    assert_eq!(listener.heard(&heard), PUBLISHERS * (PUBLISHES + 1));
}

#[tokio::test]
async fn handshakes_of_one_address() {
    const BEGUN: usize = 20;
    let broker = broker(Limits { handshakes_per_address: 4, ..Limits::default() }).await;
    let mut neighbour = neighbour(&broker).await;
    let attacker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket can be bound on loopback");
    for first in first_datagrams(BEGUN).await {
        attacker.send_to(&first, broker.addr()).await.expect("loopback takes a datagram");
    }
    // Half of what one address may have is begun at once. All others must prove their address first: they get a Retry,
    // which RFC 9000, section 17.2.5, tells by its first byte.
    let (mut retries, mut datagram) = (0, [0; 2048]);
    while retries < BEGUN - 2 {
        soon("a Retry", attacker.recv_from(&mut datagram)).await.expect("loopback gives a datagram");
        retries += usize::from(datagram[0] & 0xf0 == 0xf0);
    }
    // Whoever proves it is let in.
    peer(&broker).await.publish(CHANNEL, "from the very same address").await;
    carries_on(&mut neighbour).await;
}
