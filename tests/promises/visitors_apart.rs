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

/// What two bridges' windows take, and what one visitor of either is lent; less than what two are.
const BRIDGES_AND_ONE_BYTES: usize = (40 << 20) + (768 << 10);

/// What a bridge's windows take; less than what one visitor is lent beside them.
const BRIDGE_BYTES: usize = 20 << 20;

/// Visitors of one bridge that may be stuck at once.
const STUCK_MAX: usize = 16;

/// Visitors who speak at the same moment: more than batches may wait for a channel.
const CROWD: usize = 320;

/// Subscribers of whom a channel takes batches in turn.
const AUDIENCE: usize = 20;

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
    read_all(&mut first).await;
    first.publish("filler", "heard").await;
    carries_on(&mut other).await;
}

#[tokio::test]
async fn what_one_was_lent_is_there_for_others_once_it_reads() {
    let broker = with_histories(Limits { window_bytes: BRIDGES_AND_ONE_BYTES, ..Limits::default() }).await;
    let (bridge, elsewhere) = (narrow(&broker).await, narrow(&broker).await);
    let mut other = other(&bridge).await;
    let mut first = stick(&bridge).await;
    for bridge in [&bridge, &elsewhere] {
        assert_eq!(stick(bridge).await.parting().await.code, Code::Overloaded.number(), "one is lent all there is");
    }
    read_all(&mut first).await;
    for _ in 0..STREAM_BYTES / PIECE_BYTES {
        other.cast("filler", "x".repeat(PIECE_BYTES)).await;
    }
    carries_on(&mut other).await;
    let mut second = stick(&elsewhere).await;
    carries_on(&mut self::other(&elsewhere).await).await;
    read_all(&mut second).await;
    second.publish("filler", "heard").await;
}

#[tokio::test]
async fn no_more_are_stuck_at_once_than_a_bridge_is_lent_for() {
    let broker = with_histories(Limits::default()).await;
    let bridge = narrow(&broker).await;
    let mut other = other(&bridge).await;
    let mut stuck = Vec::new();
    for _ in 0..STUCK_MAX {
        stuck.push(stick(&bridge).await);
        carries_on(&mut other).await;
    }
    assert_eq!(stick(&bridge).await.parting().await.code, Code::Overloaded.number());
    carries_on(&mut other).await;
    for visitor in &mut stuck {
        read_all(visitor).await;
    }
}

#[tokio::test]
async fn those_that_ask_for_much_and_say_little_more_are_lent_nothing() {
    let broker = with_histories(Limits { window_bytes: BRIDGE_BYTES, ..Limits::default() }).await;
    let bridge = narrow(&broker).await;
    let mut other = other(&bridge).await;
    let mut visitors = Vec::new();
    for number in 0..4 {
        let mut visitor = bridge.visitor().await;
        ask_for_much(&mut visitor).await;
        visitor.cast(CHANNEL, format!("{number} after all")).await;
        if number % 2 == 0 {
            visitor.finish();
        }
        visitors.push(visitor);
        carries_on(&mut other).await;
    }
    for (number, visitor) in visitors.iter_mut().enumerate() {
        if number % 2 == 0 {
            assert_eq!(visitor.parting().await.code, Code::Finished.number());
        } else {
            read_all(visitor).await;
        }
        assert_eq!(other.message().await.payload.as_str(), Some(format!("{number} after all").as_str()));
    }
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

#[tokio::test]
async fn those_whose_channel_is_full_for_a_moment_are_lent_nothing() {
    let broker =
        Broker::start_with(|config| config.limits = Limits { window_bytes: BRIDGE_BYTES, ..Limits::default() }).await;
    let bridge = narrow(&broker).await;
    let (mut crowd, mut audience) = (Vec::new(), Vec::new());
    for _ in 0..AUDIENCE {
        audience.push(other(&bridge).await);
    }
    for _ in 0..CROWD {
        crowd.push(bridge.visitor().await);
    }
    for visitor in &mut crowd {
        visitor.cast(CHANNEL, "all at once").await;
    }
    for listener in &mut audience {
        for _ in 0..CROWD {
            assert_eq!(listener.message().await.payload.as_str(), Some("all at once"));
        }
    }
    for visitor in &mut crowd {
        visitor.publish("elsewhere", "still here").await;
    }
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

/// Asks for more histories than are replayed at once.
async fn ask_for_much(visitor: &mut Peer) {
    for number in 0..REPLAYS {
        let channel = format!("history/{number}");
        let (request, start) = (visitor.next_request(), Start::Rewind(u32::MAX));
        let options = SubscribeOptions::NONE;
        visitor.send(&ClientFrame::Subscribe(Subscribe { request, channel: &channel, start, options })).await;
    }
}

/// Reads what was asked for so.
async fn read_all(visitor: &mut Peer) {
    let mut heard = 0;
    while heard < REPLAYS * MESSAGES {
        heard += usize::from(matches!(visitor.receive().await.frame(), ServerFrame::Message(_)));
    }
}

/// A visitor that replays as much as it may, reads nothing of it, and says nearly as much more as its stream takes.
async fn stick(bridge: &Bridge) -> Peer {
    let mut visitor = bridge.visitor().await;
    ask_for_much(&mut visitor).await;
    for _ in 0..STREAM_BYTES / PIECE_BYTES - 2 {
        visitor.cast("filler", "x".repeat(PIECE_BYTES)).await;
    }
    visitor
}
