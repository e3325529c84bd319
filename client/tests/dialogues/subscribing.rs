//! Readers of one channel share it on the wire, each at its own pace, and the last one to leave closes it.

use callboard_client::{Bounds, Event, Gap, GapWhy, Overflow, SubscribeError, SubscribeOptions, Subscription};
use callboard_protocol::frame::{self, Answer, Start};

use crate::broker::{Broker, Heard, at, patiently};

async fn text(subscription: &mut Subscription) -> String {
    match patiently(subscription.next()).await {
        Some(Event::Message(message)) => message.payload.as_str().expect("it is text").to_owned(),
        other => panic!("a message was due, not {other:?}"),
    }
}

#[tokio::test]
async fn a_message_has_everything_that_the_broker_said() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (subscription, ()) = tokio::join!(client.subscribe("a/b"), peer.subscribe("a/b", 9, at(5, 40)));
    let mut subscription = subscription.expect("it is subscribed");
    assert_eq!((subscription.position(), subscription.recovered()), (at(5, 40), true));
    peer.say_message(9, 41, "hello").await;
    let Some(Event::Message(message)) = patiently(subscription.next()).await else { panic!("a message was due") };
    assert_eq!((message.channel.as_str(), message.position), ("a/b", at(5, 41)));
    assert_eq!((message.published.value(), message.publisher.as_deref()), (7, Some("alice")));
    assert_eq!((message.key, message.payload.as_str()), (None, Some("hello")));
    assert_eq!(subscription.position(), at(5, 41));
}

#[tokio::test]
async fn readers_of_one_channel_share_it_until_the_last_one_leaves() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (first, ()) = tokio::join!(client.subscribe("a"), peer.subscribe("a", 1, at(1, 0)));
    let mut first = first.expect("it is subscribed");
    peer.say_message(1, 1, "one").await;
    assert_eq!(text(&mut first).await, "one");
    let mut second = patiently(client.subscribe("a")).await.expect("it is shared");
    assert_eq!(second.position(), at(1, 1));
    peer.say_message(1, 2, "two").await;
    assert_eq!(text(&mut first).await, "two");
    assert_eq!(text(&mut second).await, "two");
    drop(first);
    peer.say_message(1, 3, "three").await;
    assert_eq!(text(&mut second).await, "three");
    drop(second);
    peer.hear_unsubscribe("a").await;
}

#[tokio::test]
async fn a_channel_that_is_left_and_wanted_again_is_asked_for_behind_the_answer() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (first, ()) = tokio::join!(client.subscribe("a"), peer.subscribe("a", 1, at(1, 0)));
    drop(first);
    let unsubscribe = peer.hear_unsubscribe("a").await;
    let (second, ()) = tokio::join!(client.subscribe("a"), async {
        peer.say_message(1, 1, "for nobody").await;
        peer.say_ok(unsubscribe, Answer::Done).await;
        let (request, start) = peer.hear_subscribe("a").await;
        assert_eq!(start, Start::Live);
        peer.say_subscribed(request, 1, at(1, 1)).await;
        peer.say_message(1, 2, "again").await;
    });
    assert_eq!(text(&mut second.expect("it is subscribed")).await, "again");
}

#[tokio::test]
async fn a_reader_that_left_before_the_answer_leaves_nothing_behind() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.subscribe("a").await }
    });
    let (request, _) = peer.hear_subscribe("a").await;
    asking.abort();
    assert!(asking.await.is_err());
    peer.say_subscribed(request, 1, at(1, 0)).await;
    peer.hear_unsubscribe("a").await;
}

#[tokio::test]
async fn what_cannot_be_shared_is_refused() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let own = SubscribeOptions { exclude_own: true, ..SubscribeOptions::default() };
    let (first, ()) = tokio::join!(client.subscribe_with("a", own), async {
        let Heard::Subscribe { request, options, .. } = peer.hear().await else { panic!("Subscribe was due") };
        assert_eq!(options, frame::SubscribeOptions::EXCLUDE_OWN);
        peer.say_subscribed(request, 1, at(1, 0)).await;
    });
    let _first = first.expect("it is subscribed");
    let rewind = SubscribeOptions { rewind: Some(5), ..own };
    let recover = SubscribeOptions { recover_from: Some(at(1, 0)), ..own };
    for options in [SubscribeOptions::default(), rewind, recover] {
        let refused = patiently(client.subscribe_with("a", options)).await;
        assert!(matches!(refused, Err(SubscribeError::AlreadySubscribed { .. })), "{refused:?}");
    }
    assert!(patiently(client.subscribe_with("a", own)).await.is_ok());
    let both = SubscribeOptions { rewind: Some(5), ..recover };
    assert!(matches!(client.subscribe_with("b", both).await, Err(SubscribeError::TwoStarts)));
}

#[tokio::test]
async fn a_reader_that_was_dropped_is_not_in_the_way_of_the_next_one() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (first, ()) = tokio::join!(client.subscribe("a"), peer.subscribe("a", 1, at(1, 0)));
    let mut reader = first.expect("it is subscribed");
    let rewind = SubscribeOptions { rewind: Some(5), ..SubscribeOptions::default() };
    for _ in 0..20 {
        drop(reader);
        let (next, ()) = tokio::join!(client.subscribe_with("a", rewind), async {
            let unsubscribe = peer.hear_unsubscribe("a").await;
            peer.say_ok(unsubscribe, Answer::Done).await;
            peer.subscribe("a", 1, at(1, 0)).await;
        });
        reader = next.expect("nobody else reads the channel");
    }
}

#[tokio::test]
async fn a_channel_that_the_broker_refuses_is_an_error() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (refused, ()) = tokio::join!(client.subscribe("user/1"), async {
        let (request, _) = peer.hear_subscribe("user/1").await;
        peer.say_failed(request, 403, "reserved-channel").await;
    });
    let Err(SubscribeError::Refused(failure)) = refused else { panic!("it was refused") };
    assert_eq!(failure.known_class(), Some(callboard_client::Class::ReservedChannel));
}

#[tokio::test]
async fn a_rewind_comes_first_and_only_to_who_asked_for_it() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let rewind = SubscribeOptions { rewind: Some(2), ..SubscribeOptions::default() };
    let (first, ()) = tokio::join!(client.subscribe_with("a", rewind), async {
        let (request, start) = peer.hear_subscribe("a").await;
        assert_eq!(start, Start::Rewind(2));
        peer.say_recovered(request, 1, at(1, 9), 8, true).await;
    });
    let mut first = first.expect("it is subscribed");
    let mut second = patiently(client.subscribe("a")).await.expect("it is shared");
    assert_eq!((first.position(), second.position()), (at(1, 7), at(1, 9)));
    for offset in 8..=10 {
        peer.say_message(1, offset, &offset.to_string()).await;
    }
    for offset in ["8", "9", "10"] {
        assert_eq!(text(&mut first).await, offset);
    }
    assert_eq!(text(&mut second).await, "10");
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_nobody_else_is_touched() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let small = SubscribeOptions { queue: Bounds { messages: 2, bytes: 1000 }, ..SubscribeOptions::default() };
    let (slow, ()) = tokio::join!(client.subscribe_with("a", small), peer.subscribe("a", 1, at(1, 0)));
    let mut slow = slow.expect("it is subscribed");
    let mut fast = patiently(client.subscribe("a")).await.expect("it is shared");
    for offset in 1..=5 {
        peer.say_message(1, offset, &offset.to_string()).await;
        assert_eq!(text(&mut fast).await, offset.to_string());
    }
    assert_eq!(text(&mut slow).await, "1");
    assert_eq!(text(&mut slow).await, "2");
    let Some(Event::Gap(Gap { from, to, why, .. })) = patiently(slow.next()).await else { panic!("a gap was due") };
    assert_eq!((from, to, why), (Some(at(1, 2)), at(1, 5), GapWhy::SlowConsumer));
    peer.say_message(1, 6, "6").await;
    assert_eq!(text(&mut slow).await, "6");
}

#[tokio::test]
async fn a_reader_that_must_miss_nothing_holds_the_others_up() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let block = SubscribeOptions {
        queue: Bounds { messages: 2, bytes: 1000 },
        overflow: Overflow::Block,
        ..SubscribeOptions::default()
    };
    let (slow, ()) = tokio::join!(client.subscribe_with("a", block), peer.subscribe("a", 1, at(1, 0)));
    let mut slow = slow.expect("it is subscribed");
    for offset in 1..=20 {
        peer.say_message(1, offset, &offset.to_string()).await;
    }
    client.publish("b", "writing goes on").await.expect("it is online");
    peer.hear_publish("writing goes on").await;
    for offset in 1..=20 {
        assert_eq!(text(&mut slow).await, offset.to_string());
    }
    assert_eq!(slow.position(), at(1, 20));
}

#[tokio::test]
async fn a_blocked_reader_that_leaves_sets_the_others_free() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let block = SubscribeOptions {
        queue: Bounds { messages: 1, bytes: 1000 },
        overflow: Overflow::Block,
        ..SubscribeOptions::default()
    };
    let (slow, ()) = tokio::join!(client.subscribe_with("a", block), peer.subscribe("a", 1, at(1, 0)));
    let (other, ()) = tokio::join!(client.subscribe("b"), peer.subscribe("b", 2, at(1, 0)));
    for offset in 1..=3 {
        peer.say_message(1, offset, "for the slow one").await;
    }
    peer.say_message(2, 1, "for the other").await;
    drop(slow);
    assert_eq!(text(&mut other.expect("it is subscribed")).await, "for the other");
    peer.hear_unsubscribe("a").await;
}

#[tokio::test]
async fn one_off_channels_are_names_that_nobody_else_has() {
    let broker = Broker::start();
    let client = broker.builder().connect_lazy().expect("the options hold");
    let (one, two) = (client.one_off_channel(), client.one_off_channel());
    assert_ne!(one, two);
    assert_eq!(one.as_str().len(), "once/".len() + 32);
}
