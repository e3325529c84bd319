//! After a reconnection a reader gets what it missed, or is told that it cannot: never a silent gap.

use callboard_client::{Client, Ended, Event, Gap, GapWhy, SubscribeOptions, Subscription};
use callboard_protocol::frame::{Reset, ServerFrame, Skipped, Start};
use callboard_protocol::{ChannelId, Offset};

use crate::broker::{Broker, Peer, at, patiently};

async fn subscribed(broker: &Broker) -> (Client, Peer, Subscription) {
    let (client, mut peer) = broker.meet().await;
    let (subscription, ()) = tokio::join!(client.subscribe("a"), peer.subscribe("a", 1, at(7, 10)));
    (client, peer, subscription.expect("it is subscribed"))
}

async fn offset(subscription: &mut Subscription) -> u64 {
    match patiently(subscription.next()).await {
        Some(Event::Message(message)) => message.position.offset.value(),
        other => panic!("a message was due, not {other:?}"),
    }
}

async fn gap(subscription: &mut Subscription) -> Gap {
    match patiently(subscription.next()).await {
        Some(Event::Gap(gap)) => gap,
        other => panic!("a gap was due, not {other:?}"),
    }
}

#[tokio::test]
async fn what_was_missed_is_recovered_from_the_last_place_seen() {
    let broker = Broker::start();
    let (_client, mut peer, mut subscription) = subscribed(&broker).await;
    peer.say_message(1, 11, "x").await;
    peer.say(ServerFrame::Skipped(Skipped { channel: ChannelId::saturating(1), through: Offset::saturating(13) }))
        .await;
    peer.say_message(1, 14, "x").await;
    assert_eq!((offset(&mut subscription).await, offset(&mut subscription).await), (11, 14));
    peer.vanish();
    let mut peer = broker.welcome().await;
    let (request, start) = peer.hear_subscribe("a").await;
    assert_eq!(start, Start::Recover(at(7, 14)));
    peer.say_recovered(request, 5, at(7, 16), 15, true).await;
    for next in 15..=17 {
        peer.say_message(5, next, "x").await;
        assert_eq!(offset(&mut subscription).await, next);
    }
}

#[tokio::test]
async fn what_cannot_be_recovered_is_a_gap() {
    let broker = Broker::start();
    let (_client, peer, mut subscription) = subscribed(&broker).await;
    peer.vanish();
    let mut peer = broker.welcome().await;
    let (request, _) = peer.hear_subscribe("a").await;
    peer.say_recovered(request, 1, at(7, 99), 100, false).await;
    peer.say_message(1, 100, "x").await;
    let told = gap(&mut subscription).await;
    assert_eq!((told.from, told.to, told.why), (Some(at(7, 10)), at(7, 99), GapWhy::NotRecoverable));
    assert_eq!(offset(&mut subscription).await, 100);
    peer.vanish();
    let mut peer = broker.welcome().await;
    let (request, _) = peer.hear_subscribe("a").await;
    peer.say_recovered(request, 1, at(8, 0), 1, false).await;
    let told = gap(&mut subscription).await;
    assert_eq!((told.from, told.to, told.why), (Some(at(7, 100)), at(8, 0), GapWhy::NewEpoch));
    assert_eq!(subscription.position(), at(8, 0));
}

#[tokio::test]
async fn a_reset_is_a_gap() {
    let broker = Broker::start();
    let (_client, mut peer, mut subscription) = subscribed(&broker).await;
    peer.say(ServerFrame::Reset(Reset { channel: ChannelId::saturating(1), position: at(7, 50) })).await;
    peer.say_message(1, 51, "x").await;
    let told = gap(&mut subscription).await;
    assert_eq!((told.from, told.to, told.why), (Some(at(7, 10)), at(7, 50), GapWhy::Reset));
    assert_eq!(offset(&mut subscription).await, 51);
}

/// A reader that asked for what came before, up to offset 20, and one that came while that was on its way.
async fn rewinding(broker: &Broker) -> (Client, Peer, [Subscription; 2]) {
    let (client, mut peer) = broker.meet().await;
    let rewind = SubscribeOptions { rewind: Some(10), ..SubscribeOptions::default() };
    let (first, ()) = tokio::join!(client.subscribe_with("a", rewind), async {
        let (request, _) = peer.hear_subscribe("a").await;
        peer.say_recovered(request, 1, at(7, 20), 11, true).await;
    });
    let second = patiently(client.subscribe("a")).await.expect("it is shared");
    assert_eq!(second.position(), at(7, 20));
    (client, peer, [first.expect("it is subscribed"), second])
}

fn reset(epoch: u64, offset: u64) -> ServerFrame<'static> {
    ServerFrame::Reset(Reset { channel: ChannelId::saturating(1), position: at(epoch, offset) })
}

#[tokio::test]
async fn who_joined_during_a_rewind_misses_nothing_of_it() {
    let broker = Broker::start();
    let (_client, mut peer, [mut first, mut second]) = rewinding(&broker).await;
    peer.say(reset(7, 15)).await;
    for next in 16..=21 {
        peer.say_message(1, next, "x").await;
    }
    let told = gap(&mut first).await;
    assert_eq!((told.from, told.to), (Some(at(7, 10)), at(7, 15)));
    assert_eq!((offset(&mut first).await, offset(&mut second).await), (16, 21));
}

#[tokio::test]
async fn the_gap_of_who_joined_during_a_rewind_begins_where_it_joined() {
    for to in [at(7, 30), at(8, 3)] {
        let broker = Broker::start();
        let (_client, mut peer, [mut first, mut second]) = rewinding(&broker).await;
        peer.say(reset(to.epoch.value(), to.offset.value())).await;
        peer.say_message(1, to.offset.value() + 1, "x").await;
        for (reader, from) in [(&mut first, at(7, 10)), (&mut second, at(7, 20))] {
            let told = gap(reader).await;
            assert_eq!((told.from, told.to), (Some(from), to));
            assert_eq!(offset(reader).await, to.offset.value() + 1);
        }
    }
    let broker = Broker::start();
    let (_client, peer, [mut first, mut second]) = rewinding(&broker).await;
    peer.vanish();
    let mut peer = broker.welcome().await;
    let (request, start) = peer.hear_subscribe("a").await;
    assert_eq!(start, Start::Recover(at(7, 10)));
    peer.say_recovered(request, 1, at(8, 3), 4, false).await;
    for (reader, from) in [(&mut first, at(7, 10)), (&mut second, at(7, 20))] {
        let told = gap(reader).await;
        assert_eq!((told.from, told.to), (Some(from), at(8, 3)));
    }
}

#[tokio::test]
async fn a_reader_brings_its_own_place() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let options = SubscribeOptions { recover_from: Some(at(7, 3)), ..SubscribeOptions::default() };
    let (subscription, ()) = tokio::join!(client.subscribe_with("a", options), async {
        let (request, start) = peer.hear_subscribe("a").await;
        assert_eq!(start, Start::Recover(at(7, 3)));
        peer.say_recovered(request, 1, at(9, 5), 6, false).await;
    });
    let mut subscription = subscription.expect("it is subscribed");
    assert!(!subscription.recovered());
    let told = gap(&mut subscription).await;
    assert_eq!((told.from, told.to, told.why), (Some(at(7, 3)), at(9, 5), GapWhy::NewEpoch));
}

#[tokio::test]
async fn a_channel_that_may_not_be_subscribed_again_ends_and_the_others_go_on() {
    let broker = Broker::start();
    let (client, mut peer, mut subscription) = subscribed(&broker).await;
    let (other, ()) = tokio::join!(client.subscribe("b"), peer.subscribe("b", 2, at(1, 0)));
    let mut other = other.expect("it is subscribed");
    peer.vanish();
    let mut peer = broker.welcome().await;
    let (request, _) = peer.hear_subscribe("a").await;
    peer.say_failed(request, 403, "forbidden").await;
    let Some(Event::Closed(Ended::Refused(failure))) = patiently(subscription.next()).await else {
        panic!("the reader is told");
    };
    assert_eq!(failure.code, 403);
    assert_eq!(patiently(subscription.next()).await, None);
    peer.subscribe_again("b", 2, at(1, 0)).await;
    peer.say_message(2, 1, "x").await;
    assert_eq!(offset(&mut other).await, 1);
}

#[tokio::test]
async fn a_channel_that_cannot_be_subscribed_now_is_asked_for_again() {
    let broker = Broker::start();
    let (_client, peer, mut subscription) = subscribed(&broker).await;
    peer.vanish();
    let mut peer = broker.welcome().await;
    for _ in 0..3 {
        let (request, start) = peer.hear_subscribe("a").await;
        assert_eq!(start, Start::Recover(at(7, 10)));
        peer.say_failed(request, 503, "unavailable").await;
    }
    peer.subscribe_again("a", 1, at(7, 10)).await;
    peer.say_message(1, 11, "x").await;
    assert_eq!(offset(&mut subscription).await, 11);
}

#[tokio::test]
async fn a_reader_that_came_while_offline_begins_with_the_next_message() {
    let broker = Broker::start();
    let (client, peer, mut first) = subscribed(&broker).await;
    peer.vanish();
    let mut peer = broker.accept().await;
    let (second, ()) = tokio::join!(client.subscribe("a"), async {
        peer.say_welcome().await;
        let (request, _) = peer.hear_subscribe("a").await;
        peer.say_recovered(request, 1, at(7, 12), 11, true).await;
    });
    let mut second = second.expect("it is subscribed");
    for next in 11..=13 {
        peer.say_message(1, next, "x").await;
        assert_eq!(offset(&mut first).await, next);
    }
    assert_eq!(offset(&mut second).await, 13);
}
