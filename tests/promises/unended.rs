//! Who begins messages and does not end them takes room from others for moments only, however the rest of them trickles in.

use std::time::Duration;

use callboard::config::{Config, Limits};
use callboard_bridge_ws::edge;
use callboard_protocol::close::Code;
use callboard_tests::raw::Door;
use callboard_tests::{Broker, Edge, Peer, SOON, eventually, eventually_within};

const CHANNEL: &str = "news";

/// How long somebody may hold what others need.
const PATIENCE: Duration = Duration::from_secs(2);

/// That, a turn of the heartbeat and a lingering close, on a busy machine.
const A_WHILE: Duration = SOON.saturating_mul(3);

/// What each of the two sends of a message that it announces with twice as much: a third one finds no room.
const BEGUN_BYTES: usize = 520_000;
const ANNOUNCED_BYTES: u64 = 1 << 20;

/// What somebody else wants to say.
const PAYLOAD_BYTES: usize = 500_000;

/// A byte is taken at once, or not at all.
const BYTE_LIMIT: Duration = Duration::from_millis(100);

fn long_payloads(config: &mut Config) {
    config.payload_bytes_max = PAYLOAD_BYTES;
}

async fn narrow() -> Broker {
    Broker::start_for_browsers(|config| {
        long_payloads(config);
        config.limits = Limits { inbox_bytes: 2 << 20, ..Limits::default() };
        config.hello_timeout = PATIENCE;
    })
    .await
}

async fn open(broker: &Broker, door: Door) -> Peer {
    let mut peer = broker.peer_at(door).await;
    peer.hello().await;
    peer
}

/// A peer that has begun a message of spaces.
async fn beginner(broker: &Broker, door: Door) -> Peer {
    let mut peer = open(broker, door).await;
    let mask = [0; 4];
    let header = match door {
        Door::Quic => vec![0x80, 0x80, 0x40],
        Door::Binary => [&[0x82, 0xff][..], &ANNOUNCED_BYTES.to_be_bytes(), &mask].concat(),
        Door::Json => [&[0x81, 0xff][..], &ANNOUNCED_BYTES.to_be_bytes(), &mask].concat(),
    };
    peer.send_bytes(&[header, vec![b' '; BEGUN_BYTES]].concat()).await;
    peer
}

/// Whether somebody who says all of it is heard.
async fn is_heard(broker: &Broker, door: Door) -> bool {
    let mut publisher = open(broker, door).await;
    publisher.send_publish(0, CHANNEL, "x".repeat(PAYLOAD_BYTES).as_str()).await;
    publisher.published().await.is_ok()
}

async fn give_way(broker: &Broker, door: Door) {
    let mut beginners = [beginner(broker, door).await, beginner(broker, door).await];
    eventually_within(A_WHILE, "the end of those who do not end what they began", async || {
        is_heard(broker, door).await;
        let mut left = 0;
        for beginner in &mut beginners {
            left += usize::from(beginner.send_bytes_within(BYTE_LIMIT, b" ").await);
        }
        (left == 0).then_some(())
    })
    .await;
    for beginner in &mut beginners {
        let (code, reason) = beginner.sent_away().await;
        assert_eq!(code, Code::Overloaded.number());
        assert!(reason.contains("while others had no room"), "{reason}");
    }
    eventually("room", async || is_heard(broker, door).await.then_some(())).await;
}

#[tokio::test]
async fn over_quic() {
    give_way(&narrow().await, Door::Quic).await;
}

#[tokio::test]
async fn in_browsers() {
    let broker = narrow().await;
    for door in [Door::Binary, Door::Json] {
        give_way(&broker, door).await;
    }
}

#[tokio::test]
async fn in_browsers_at_an_edge() {
    let broker = Broker::start_with(long_payloads).await;
    let limits = edge::Limits { inbox_bytes: 1 << 20, ..edge::Limits::default() };
    let edge = Edge::open_with(broker.client_builder(), broker.data_dir(), limits, |config| {
        config.heartbeat.interval = PATIENCE / 2;
    })
    .await;
    edge.reaches_its_broker().await;
    let broker = broker.behind(edge);
    for door in [Door::Binary, Door::Json] {
        give_way(&broker, door).await;
    }
}
