//! A broker that breaks the protocol never panics a client: the session ends with the right code and another one follows.

use callboard_client::{Client, Event, Reason, State, Subscription};
use callboard_protocol::close::Code;
use callboard_protocol::frame::{Answer, Membership, Message, Named, Reset, ServerFrame, Skipped};
use callboard_protocol::{ChannelId, Millis, Offset, PayloadRef, RequestId};

use crate::broker::{Broker, Peer, at, patiently};

async fn subscribed(broker: &Broker) -> (Client, Peer, Subscription) {
    let (client, mut peer) = broker.meet().await;
    let (subscription, ()) = tokio::join!(client.subscribe("a"), peer.subscribe("a", 1, at(7, 10)));
    (client, peer, subscription.expect("it is subscribed"))
}

/// The client ends the session with `code`, says why, and recovers in the next one.
async fn blames(broker: &Broker, client: &Client, peer: Peer, subscription: &mut Subscription, code: Code) {
    let mut states = client.states();
    peer.expect_fault(code).await;
    let mut peer = broker.accept().await;
    let blamed = states.current();
    assert!(matches!(blamed, State::Connecting), "{blamed:?}");
    peer.say_welcome().await;
    peer.subscribe_again("a", 1, at(7, 10)).await;
    peer.say_message(1, 11, "all is well").await;
    let event = patiently(subscription.next()).await;
    let Some(Event::Message(message)) = event else { panic!("nothing wrong was passed on, not {event:?}") };
    assert_eq!(message.position, at(7, 11));
    peer.vanish();
    assert!(patiently(states.next()).await.is_some());
}

#[tokio::test]
async fn bytes_that_are_no_frame_are_malformed() {
    for (bytes, code) in [
        (&b"\x01\xff"[..], Code::Malformed),
        (b"\x00", Code::Malformed),
        (b"\x80\x00", Code::Malformed),
        (b"\xff\xff\x7f", Code::FrameTooLong),
        (b"\xff\xff\xff", Code::FrameTooLong),
        (b"\x03\x02\x2a\x00", Code::Malformed),
    ] {
        let broker = Broker::start();
        let (client, mut peer, mut subscription) = subscribed(&broker).await;
        peer.say_bytes(bytes).await;
        blames(&broker, &client, peer, &mut subscription, code).await;
    }
}

#[tokio::test]
async fn offsets_that_are_not_dense_are_never_passed_on() {
    for offset in [10, 12, 0, (1 << 53) - 1] {
        let broker = Broker::start();
        let (client, mut peer, mut subscription) = subscribed(&broker).await;
        peer.say_message(1, offset, "wrong").await;
        blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
    }
}

#[tokio::test]
async fn a_broker_does_not_skip_or_reset_backwards() {
    let channel = ChannelId::saturating(1);
    for frame in [
        ServerFrame::Skipped(Skipped { channel, through: Offset::saturating(10) }),
        ServerFrame::Reset(Reset { channel, position: at(7, 9) }),
    ] {
        let broker = Broker::start();
        let (client, mut peer, mut subscription) = subscribed(&broker).await;
        peer.say(frame).await;
        blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
    }
}

#[tokio::test]
async fn answers_to_nobody_are_out_of_order() {
    for request in [0, 1, 99] {
        let broker = Broker::start();
        let (client, mut peer, mut subscription) = subscribed(&broker).await;
        peer.say_ok(RequestId::saturating(request), Answer::Done).await;
        blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
    }
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    peer.say_failed(RequestId::saturating(1), 500, "general-error").await;
    blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
}

#[tokio::test]
async fn a_session_is_not_opened_twice() {
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    peer.say_welcome().await;
    blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
}

#[tokio::test]
async fn a_recovery_that_leaves_something_out_is_not_believed() {
    let broker = Broker::start();
    let (client, peer, mut subscription) = subscribed(&broker).await;
    peer.vanish();
    let mut peer = broker.welcome().await;
    let (request, _) = peer.hear_subscribe("a").await;
    peer.say_recovered(request, 1, at(7, 20), 12, true).await;
    blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
}

#[tokio::test]
async fn an_answer_of_another_kind_is_out_of_order() {
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    let publisher = client.clone();
    let publish = tokio::spawn(async move { publisher.publish_acked("b", "x").await });
    let (request, _) = peer.hear_publish("x").await;
    peer.say_ok(request, Answer::Done).await;
    peer.expect_fault(Code::OutOfOrder).await;
    let mut peer = broker.welcome().await;
    let (request, sequence) = peer.hear_publish("x").await;
    assert_eq!(sequence.value(), 1);
    peer.say_ok(request, Answer::Published(at(1, 1))).await;
    assert_eq!(patiently(publish).await.expect("no panic"), Ok(at(1, 1)));
    peer.subscribe_again("a", 1, at(7, 10)).await;
    peer.say_message(1, 11, "all is well").await;
    assert!(matches!(patiently(subscription.next()).await, Some(Event::Message(_))));
}

#[tokio::test]
async fn one_number_is_not_given_to_two_channels() {
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    let other = tokio::spawn(async move { client.subscribe("b").await });
    let (request, _) = peer.hear_subscribe("b").await;
    peer.say_subscribed(request, 1, at(1, 0)).await;
    peer.expect_fault(Code::OutOfOrder).await;
    let mut peer = broker.welcome().await;
    peer.subscribe_again("a", 1, at(7, 10)).await;
    peer.subscribe("b", 2, at(1, 0)).await;
    assert!(patiently(other).await.expect("no panic").is_ok());
    peer.say_message(1, 11, "all is well").await;
    assert!(matches!(patiently(subscription.next()).await, Some(Event::Message(_))));
}

fn named(channel: u64, name: &str) -> ServerFrame<'_> {
    ServerFrame::Named(Named { channel: ChannelId::saturating(channel), name, position: at(3, 4) })
}

#[tokio::test]
async fn deliveries_of_channels_that_the_broker_named_touch_nobody() {
    let broker = Broker::start();
    let (_client, mut peer, mut subscription) = subscribed(&broker).await;
    let channel = ChannelId::saturating(77);
    peer.say(ServerFrame::Membership(Membership { name: "user/7", member: true })).await;
    peer.say(named(77, "user/7")).await;
    peer.say_message(77, 5, "for nobody").await;
    peer.say(ServerFrame::Skipped(Skipped { channel, through: Offset::saturating(7) })).await;
    peer.say(ServerFrame::Reset(Reset { channel, position: at(3, 9) })).await;
    peer.say_message(77, 10, "for nobody").await;
    peer.say_message(1, 11, "all is well").await;
    assert!(matches!(patiently(subscription.next()).await, Some(Event::Message(_))));
}

#[tokio::test]
async fn a_number_that_was_not_given_brings_nothing() {
    let channel = ChannelId::saturating(77);
    for frame in [
        ServerFrame::Message(Message {
            channel,
            offset: Offset::saturating(5),
            published: Millis::ZERO,
            publisher: None,
            key: None,
            payload: PayloadRef::binary(b"x"),
        }),
        ServerFrame::Skipped(Skipped { channel, through: Offset::saturating(5) }),
        ServerFrame::Reset(Reset { channel, position: at(3, 9) }),
    ] {
        let broker = Broker::start();
        let (client, mut peer, mut subscription) = subscribed(&broker).await;
        peer.say(frame).await;
        blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
    }
}

#[tokio::test]
async fn a_membership_that_ended_brings_nothing() {
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    peer.say(named(77, "user/7")).await;
    peer.say_message(77, 5, "for nobody").await;
    peer.say(ServerFrame::Membership(Membership { name: "user/7", member: false })).await;
    peer.say_message(77, 6, "too late").await;
    blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
}

#[tokio::test]
async fn a_named_channel_is_dense_and_has_a_number_of_its_own() {
    for wrong in [named(77, "user/8"), named(1, "user/8")] {
        let broker = Broker::start();
        let (client, mut peer, mut subscription) = subscribed(&broker).await;
        peer.say(named(77, "user/7")).await;
        peer.say(wrong).await;
        blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
    }
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    peer.say(named(77, "user/7")).await;
    peer.say_message(77, 6, "one is missing").await;
    blames(&broker, &client, peer, &mut subscription, Code::OutOfOrder).await;
}

#[tokio::test]
async fn a_channel_that_was_left_is_given_up_with_the_answer() {
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    let (left, ()) = tokio::join!(client.subscribe("b"), peer.subscribe("b", 2, at(1, 0)));
    drop(left);
    let unsubscribe = peer.hear_unsubscribe("b").await;
    peer.say_message(2, 1, "on its way").await;
    peer.say_ok(unsubscribe, Answer::Done).await;
    peer.say_message(1, 11, "all is well").await;
    assert!(matches!(patiently(subscription.next()).await, Some(Event::Message(_))));
    peer.say_message(2, 2, "too late").await;
    peer.expect_fault(Code::OutOfOrder).await;
}

#[tokio::test]
async fn a_greeting_that_is_none_is_not_believed() {
    let broker = Broker::start();
    let client = broker.builder().connect_lazy().expect("the options hold");
    let mut states = client.states();
    let mut peer = broker.accept().await;
    peer.say_message(1, 1, "too soon").await;
    peer.expect_fault(Code::OutOfOrder).await;
    let at_fault =
        |state: &State| matches!(state, State::Waiting { why: Reason::BrokerAtFault(_), .. } | State::Connecting);
    assert!(patiently(states.wait_for(at_fault)).await.is_some());
    let _peer = broker.welcome().await;
    assert!(patiently(states.online()).await.is_some());
}

/// Frames and pieces of frames in no sense at all, from a generator that needs no seed file.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let mut bytes = Vec::new();
    for _ in 0..8 {
        let length = byte() % 12 + 1;
        bytes.push(length);
        // Small numbers are kinds of frames, channels, requests and lengths; few others get past the decoder.
        bytes.extend((0..length).map(|_| if byte() < 200 { byte() % 13 } else { byte() }));
    }
    bytes
}

#[tokio::test]
async fn noise_never_panics_a_client_or_reaches_its_readers() {
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    for seed in 0..300 {
        peer.say_bytes(&noise(seed)).await;
        // The client reads to the end, and leaves for the one reason or the other.
        let _ = peer.send.finish();
        peer.closed_with().await;
        peer = broker.welcome().await;
        let (request, start) = peer.hear_subscribe("a").await;
        let callboard_protocol::frame::Start::Recover(position) = start else { panic!("it recovers, not {start:?}") };
        peer.say_subscribed(request, 1, position).await;
    }
    assert!(patiently(client.states().online()).await.is_some());
    drop(client);
    let position = subscription.position();
    peer.say_message(1, position.offset.value() + 1, "all is well").await;
    assert!(patiently(subscription.next()).await.is_some());
}
