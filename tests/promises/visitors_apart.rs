//! What one visitor does, or does not, reaches no other visitor of its bridge.

use callboard::config::{Limits, Rate};
use callboard_protocol::RequestId;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{ClientFrame, Credential, Logout, ServerFrame, Start, Subscribe, SubscribeOptions};
use callboard_tests::raw::{Bridge, Parting};
use callboard_tests::{Broker, Peer};

const CHANNEL: &str = "news";

/// What a broker may send on a stream that is not read.
const WINDOW_BYTES: u32 = 16 << 10;

/// Replays that a session may have under way before it is read no further, and some.
const REPLAYS: usize = 40;

/// Visitors that are stuck, each with a stream's window full of what is not read: together far more than all visitors
/// share.
const STUCK: usize = 12;
const STREAM_BYTES: usize = 256 << 10;

/// What a bridge's windows take, and what one visitor is lent; less than what two are.
const BRIDGE_AND_ONE_BYTES: usize = 21 << 20;

/// What each history has.
const MESSAGES: usize = 4;
const PIECE_BYTES: usize = 8 << 10;

/// Publishes, and hears what it published.
async fn carries_on(other: &mut Peer) {
    let position = other.publish(CHANNEL, "on").await;
    while other.message().await.offset != position.offset {}
}

async fn other(bridge: &Bridge) -> Peer {
    let mut other = bridge.visitor().await;
    other.subscribe(CHANNEL).await;
    other
}

/// A bridge that lets the broker send little on each stream ahead of its reading.
async fn narrow(broker: &Broker) -> Bridge {
    Bridge::at(broker.addr(), broker.data_dir(), |options| options.stream_window_bytes = WINDOW_BYTES).await
}

#[tokio::test]
async fn one_that_does_not_read_is_too_slow_alone() {
    let broker = Broker::start_with(|config| config.outbox.bytes = 128 << 10).await;
    let bridge = narrow(&broker).await;
    let mut other = other(&bridge).await;
    let mut slow = bridge.visitor().await;
    slow.subscribe("much").await;
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    for _ in 0..40 {
        publisher.publish("much", "x".repeat(PIECE_BYTES)).await;
        carries_on(&mut other).await;
    }
    // Its window is full of what it did not read: only the end of its stream can reach it.
    assert_eq!(
        slow.parting().await,
        Parting { code: Code::TooSlow.number(), sentence: String::new(), was_said: false }
    );
    carries_on(&mut other).await;
}

#[tokio::test]
async fn one_that_sends_nonsense_ends_alone() {
    let broker = Broker::start().await;
    let bridge = Bridge::of(&broker).await;
    let mut other = other(&bridge).await;
    for (bytes, code) in [
        (&[1, 99][..], Code::Malformed),
        (&[0x81, 0x00], Code::Malformed),
        (&[0xff, 0xff, 0xff, 0x7f], Code::FrameTooLong),
    ] {
        let mut wrong = bridge.visitor().await;
        wrong.send_bytes(bytes).await;
        let parting = wrong.parting().await;
        assert_eq!((parting.code, parting.was_said), (code.number(), true), "{bytes:?}");
        let mut wrong = bridge.stream().await;
        wrong.send_bytes(bytes).await;
        let parting = wrong.parting().await;
        assert_eq!((parting.code, parting.was_said), (code.number(), true), "{bytes:?} before it is introduced");
        carries_on(&mut other).await;
    }
    let mut torn = bridge.visitor().await;
    torn.send_bytes(&[40, 5]).await;
    torn.finish();
    assert_eq!(torn.parting().await.code, Code::Malformed.number());
    carries_on(&mut other).await;
}

#[tokio::test]
async fn one_that_sends_too_fast_is_told_and_ended_alone() {
    let frames = Rate { per_second: 1, burst: 20 };
    let broker = Broker::start_with(|config| config.limits = Limits { frames, ..Limits::default() }).await;
    let bridge = Bridge::of(&broker).await;
    let mut other = other(&bridge).await;
    let mut fast = bridge.visitor().await;
    for request in 1..1_100 {
        fast.send(&ClientFrame::Logout(Logout { request: RequestId::saturating(request) })).await;
    }
    assert_eq!(fast.parting().await.code, Code::RateExceeded.number());
    carries_on(&mut other).await;
}

#[tokio::test]
async fn those_that_ask_for_much_and_read_nothing_stop_nobody_elses_publishes() {
    let broker = with_histories(Limits::default()).await;
    let bridge = narrow(&broker).await;
    let mut other = other(&bridge).await;
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        stuck.push(stick(&bridge).await);
    }
    carries_on(&mut other).await;
    // Visitors who come only now are heard as well.
    carries_on(&mut self::other(&bridge).await).await;
    // Who reads at last is heard to the end.
    let mut first = stuck.remove(0);
    let mut heard = 0;
    while heard < REPLAYS * MESSAGES {
        heard += usize::from(matches!(first.receive().await.frame(), ServerFrame::Message(_)));
    }
    first.publish("filler", "heard").await;
    carries_on(&mut other).await;
}

#[tokio::test]
async fn where_memory_for_windows_is_short_it_is_the_stuck_who_go() {
    let broker = with_histories(Limits { window_bytes: BRIDGE_AND_ONE_BYTES, ..Limits::default() }).await;
    let bridge = narrow(&broker).await;
    let mut other = other(&bridge).await;
    let first = stick(&bridge).await;
    let mut second = stick(&bridge).await;
    assert_eq!(second.parting().await.code, Code::Overloaded.number());
    carries_on(&mut other).await;
    drop(first);
    let mut refused = broker.peer().await;
    let credential = Some(Credential { strategy: "apikey", secret: &bridge.key });
    refused.send_hello_as(credential).await;
    let (code, sentence) = refused.sent_away().await;
    assert_eq!(code, Code::Overloaded.number());
    assert!(sentence.contains("another bridge"), "{sentence}");
}

async fn with_histories(limits: Limits) -> Broker {
    let broker = Broker::start_with(|config| config.limits = limits).await;
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    for number in 0..REPLAYS {
        for _ in 0..MESSAGES {
            publisher.publish(&format!("history/{number}"), "x".repeat(PIECE_BYTES)).await;
        }
    }
    broker
}

/// A visitor that replays as much as it may, reads nothing of it, and says nearly as much more as its stream takes.
async fn stick(bridge: &Bridge) -> Peer {
    let mut visitor = bridge.visitor().await;
    for number in 0..REPLAYS {
        let channel = format!("history/{number}");
        let (request, start) = (visitor.next_request(), Start::Rewind(u32::MAX));
        let options = SubscribeOptions::NONE;
        visitor.send(&ClientFrame::Subscribe(Subscribe { request, channel: &channel, start, options })).await;
    }
    for _ in 0..STREAM_BYTES / PIECE_BYTES - 2 {
        visitor.cast("filler", "x".repeat(PIECE_BYTES)).await;
    }
    visitor
}
