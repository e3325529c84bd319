//! Who asks for more than one peer can need is told so, and what the broker keeps for them stays bounded.

use bytes::BytesMut;
use callboard::config::{Limits, Rate};
use callboard_protocol::close::Code;
use callboard_protocol::codec::encode_stream;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, ClientFrame, Publish, ServerFrame, Start, SubscribeOptions};
use callboard_protocol::limits::UNACKNOWLEDGED_MAX;
use callboard_protocol::{PayloadRef, RequestId, Sequence};
use callboard_tests::raw::Dialer;
use callboard_tests::{Broker, Growth, Neighbour, Peer, Process, SOON};

const CHANNEL: &str = "news";

const SUBSCRIPTIONS_MAX: usize = 50;

/// Channels that somebody tries to bring into being, a round of them between two looks at the answers.
const CHANNELS: usize = 100_000;
const ROUND: usize = 1_000;

/// Those that may be.
const BIRTHS: u64 = 2_500;

/// Publishes with ids, of one publisher and of each of many.
const IDS: u64 = 60_000;
const PUBLISHERS: usize = 200;

/// What the broker may need for all ids and everything around them: connections, buffers, a channel's history.
const GROWTH_BYTES_MAX: usize = 64 << 20;

#[tokio::test]
async fn subscriptions_beyond_the_limit_are_refused_until_one_is_given_up() {
    let broker = Broker::start_with(|config| config.subscriptions_max = SUBSCRIPTIONS_MAX).await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut greedy = broker.peer().await;
    greedy.hello().await;
    for number in 0..SUBSCRIPTIONS_MAX {
        greedy.subscribe(&format!("channel/{number}")).await;
    }
    for number in SUBSCRIPTIONS_MAX..2 * SUBSCRIPTIONS_MAX {
        let channel = format!("channel/{number}");
        let failure = greedy.try_subscribe(&channel, Start::Rewind(1), SubscribeOptions::NONE).await;
        let failure = failure.expect_err("there are as many as may be");
        assert_eq!((failure.code, failure.class.as_str()), (429, Class::TooManySubscriptions.name()));
    }
    greedy.unsubscribe("channel/0").await;
    greedy.subscribe("channel/99").await;
    let again = greedy.try_subscribe("channel/0", Start::Live, SubscribeOptions::NONE).await;
    assert_eq!(again.expect_err("its place is taken").class, Class::TooManySubscriptions.name());
    neighbour.carries_on().await;
}

#[tokio::test]
async fn who_goes_on_beginning_channels_is_refused_and_then_sent_away() {
    let births = Rate { per_second: 1, burst: BIRTHS };
    let limits = Limits { births, ..Limits::default() };
    let broker = Broker::start_with(|config| config.limits = limits).await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut greedy = broker.peer().await;
    greedy.hello().await;
    for round in 0..CHANNELS / ROUND {
        let names: Vec<String> = (0..ROUND).map(|number| format!("mine/{round}/{number}")).collect();
        let frames: Vec<ClientFrame<'_>> = names.iter().map(|name| publish(name, RequestId::ZERO, 0)).collect();
        if !sent_together(&mut greedy, &frames).await {
            break;
        }
        neighbour.hears_itself().await;
    }
    let mut refused = 0;
    let code = loop {
        let body = greedy.receive().await;
        if let ServerFrame::Goodbye(goodbye) = body.frame() {
            break goodbye.code;
        }
        let ServerFrame::Failed(failed) = body.frame() else { panic!("nobody asked for {:?}", body.frame()) };
        assert_eq!((failed.request, failed.class), (RequestId::ZERO, Class::TooManyRequests.name()));
        refused += 1;
    };
    assert_eq!(code, Code::RateExceeded.number());
    assert!(refused >= 1_000, "it was told {refused} times before");
    neighbour.carries_on().await;
}

#[tokio::test]
async fn a_flood_of_publish_ids_is_forgotten_but_for_the_last() {
    let broker = Process::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let growth = Growth::of(&broker);
    let mut flooder = broker.peer().await;
    flooder.hello().await;
    for first in (1..=IDS).step_by(ROUND) {
        let round: Vec<ClientFrame<'_>> =
            (first..first + ROUND as u64).map(|sequence| publish(CHANNEL, RequestId::ZERO, sequence)).collect();
        send_together(&mut flooder, &round).await;
        neighbour.hears_itself().await;
    }
    is_stored_once(&mut flooder, IDS + 1).await;
    // And as many others, each a publisher of its own.
    let dialer = Dialer::new();
    for _ in 0..PUBLISHERS {
        let mut publisher = dialer.connect(broker.addr()).await;
        publisher.hello().await;
        let ids = 1..UNACKNOWLEDGED_MAX as u64;
        let all: Vec<ClientFrame<'_>> = ids.map(|sequence| publish(CHANNEL, RequestId::ZERO, sequence)).collect();
        send_together(&mut publisher, &all).await;
        is_stored_once(&mut publisher, UNACKNOWLEDGED_MAX as u64).await;
    }
    neighbour.carries_on().await;
    growth.assert_below(GROWTH_BYTES_MAX, &broker);
}

/// Publishes under a sequence twice; it must be one message.
async fn is_stored_once(peer: &mut Peer, sequence: u64) {
    let mut positions = Vec::new();
    for _ in 0..2 {
        let request = peer.next_request();
        peer.send(&publish(CHANNEL, request, sequence)).await;
        let published = |answer: Answer<'_>| if let Answer::Published(at) = answer { Some(at) } else { None };
        positions.push(peer.answer(request, published).await.expect("a small publish is taken"));
    }
    assert_eq!(positions[0], positions[1], "sequence {sequence} is remembered");
}

/// The same to a broker that may have had enough; whether it took them.
async fn sent_together(peer: &mut Peer, frames: &[ClientFrame<'_>]) -> bool {
    let mut bytes = BytesMut::new();
    for frame in frames {
        encode_stream(frame, &mut bytes).expect("these frames are short");
    }
    peer.send_bytes_within(SOON, &bytes).await && peer.connection().close_reason().is_none()
}

/// Says frames in one write.
async fn send_together(peer: &mut Peer, frames: &[ClientFrame<'_>]) {
    let mut bytes = BytesMut::new();
    for frame in frames {
        encode_stream(frame, &mut bytes).expect("these frames are short");
    }
    peer.send_bytes(&bytes).await;
}

fn publish(channel: &str, request: RequestId, sequence: u64) -> ClientFrame<'_> {
    let (sequence, payload) = (Sequence::saturating(sequence), PayloadRef::text("x"));
    ClientFrame::Publish(Publish { request, sequence, channel, key: None, payload })
}
