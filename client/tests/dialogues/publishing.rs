//! A publish is written once, acknowledged once, sent again under the same id, or its caller is told.

use std::time::Duration;

use callboard_client::{Bounds, CloseError, Offline, Overflow, PublishError, Reason, SubscribeOptions};
use callboard_protocol::frame::Answer;
use callboard_protocol::{RequestId, Sequence};

use crate::broker::{Broker, Heard, at, patiently};

#[tokio::test]
async fn publishes_arrive_in_the_order_of_their_calls() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let publisher = tokio::spawn(async move {
        for number in 0..5000 {
            client.publish("a", number.to_string()).await.expect("it is online");
        }
        client
    });
    for number in 0..5000 {
        let (request, sequence) = peer.hear_publish(&number.to_string()).await;
        assert_eq!((request, sequence), (RequestId::ZERO, Sequence::ZERO));
    }
    drop(publisher);
}

#[tokio::test]
async fn an_acknowledged_publish_gives_its_position() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (position, ()) = tokio::join!(client.publish_acked("a", "x"), async {
        let (request, sequence) = peer.hear_publish("x").await;
        assert_eq!(sequence.value(), 1);
        peer.say_ok(request, Answer::Published(at(3, 14))).await;
    });
    assert_eq!(position, Ok(at(3, 14)));
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again_first_and_under_the_same_ids() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let publish = |text: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.publish_acked("a", text).await })
    };
    let mut tasks = Vec::new();
    let mut requests = Vec::new();
    for text in ["one", "two", "three"] {
        tasks.push(publish(text));
        requests.push(peer.hear_publish(text).await);
    }
    peer.say_ok(requests[1].0, Answer::Published(at(1, 2))).await;
    assert_eq!(patiently(tasks.remove(1)).await.expect("no panic"), Ok(at(1, 2)));
    peer.vanish();
    let mut peer = broker.accept().await;
    client.publish("a", "newer").await.expect("it waits");
    peer.say_welcome().await;
    for (text, first) in [("one", requests[0]), ("three", requests[2])] {
        let (request, sequence) = peer.hear_publish(text).await;
        assert_eq!(sequence, first.1);
        peer.say_ok(request, Answer::Published(at(1, sequence.value()))).await;
    }
    peer.hear_publish("newer").await;
    for (task, offset) in tasks.into_iter().zip([1, 3]) {
        assert_eq!(patiently(task).await.expect("no panic"), Ok(at(1, offset)));
    }
}

#[tokio::test]
async fn a_refused_publish_is_its_callers_error_or_counted() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (refused, ()) = tokio::join!(client.publish_acked("a", "x"), async {
        let (request, _) = peer.hear_publish("x").await;
        peer.say_failed(RequestId::ZERO, 403, "forbidden").await;
        peer.say_failed(request, 403, "forbidden").await;
    });
    let Err(PublishError::Refused(failure)) = refused else { panic!("it was refused") };
    assert_eq!((failure.code, &*failure.class), (403, "forbidden"));
    assert_eq!(client.refusals(), 1);
}

#[tokio::test]
async fn offline_publishes_wait_up_to_the_bound_and_then_fail() {
    let broker = Broker::start();
    let bounds = Bounds { messages: 2, bytes: 1000 };
    let client = broker.builder().offline(Offline::Queue(bounds)).connect_lazy().expect("the options hold");
    assert_eq!(client.publish("a", "one").await, Ok(()));
    assert_eq!(client.publish("a", "two").await, Ok(()));
    assert_eq!(client.publish("a", "three").await, Err(PublishError::QueueFull));
    let mut peer = broker.welcome().await;
    peer.hear_publish("one").await;
    peer.hear_publish("two").await;
}

#[tokio::test]
async fn offline_publishes_fail_at_once_if_they_are_to() {
    let broker = Broker::start();
    let builder = broker.builder().offline(Offline::FailAtOnce).unacknowledged(1);
    let (client, mut peer) = broker.meet_with(builder).await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.publish_acked("a", "first").await }
    });
    peer.hear_publish("first").await;
    let second = tokio::spawn({
        let client = client.clone();
        async move { client.publish_acked("a", "second").await }
    });
    peer.vanish();
    assert_eq!(patiently(second).await.expect("no panic"), Err(PublishError::Offline));
    let mut peer = broker.accept().await;
    assert_eq!(client.publish("a", "x").await, Err(PublishError::Offline));
    peer.say_welcome().await;
    let (request, _) = peer.hear_publish("first").await;
    peer.say_ok(request, Answer::Published(at(1, 1))).await;
    assert_eq!(patiently(first).await.expect("no panic"), Ok(at(1, 1)));
}

#[tokio::test]
async fn a_full_queue_makes_its_callers_wait_while_there_is_a_session() {
    let broker = Broker::start();
    let bounds = Bounds { messages: 1, bytes: 1 };
    let (client, mut peer) = broker.meet_with(broker.builder().offline(Offline::Queue(bounds))).await;
    let publishers: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.publish("a", "x").await })
        })
        .collect();
    for _ in 0..50 {
        peer.hear_publish("x").await;
    }
    for publisher in publishers {
        assert_eq!(patiently(publisher).await.expect("no panic"), Ok(()));
    }
}

#[tokio::test]
async fn a_publish_that_is_turned_away_hands_the_room_on() {
    let broker = Broker::start();
    let bounds = Bounds { messages: 1, bytes: 1000 };
    let client = broker.builder().offline(Offline::Queue(bounds)).connect_lazy().expect("the options hold");
    let mut peer = broker.accept().await;
    client.publish("a", "first").await.expect("it waits");
    let publish = |text: String| {
        let client = client.clone();
        tokio::spawn(async move { client.publish_acked("a", text).await })
    };
    let large: Vec<_> = (0..5).map(|_| publish("x".repeat(100))).collect();
    let small = publish("small".to_owned());
    tokio::task::yield_now().await;
    peer.say_welcome_of(10).await;
    peer.hear_publish("first").await;
    let (request, _) = peer.hear_publish("small").await;
    peer.say_ok(request, Answer::Published(at(1, 1))).await;
    assert_eq!(patiently(small).await.expect("no panic"), Ok(at(1, 1)));
    for refused in large {
        let too_large = PublishError::PayloadTooLarge { bytes: 100, max: 10 };
        assert_eq!(patiently(refused).await.expect("no panic"), Err(too_large));
    }
}

#[tokio::test]
async fn no_more_than_the_bound_are_on_their_way() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet_with(broker.builder().unacknowledged(2)).await;
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.publish_acked("a", "x").await })
        })
        .collect();
    let (first, _) = peer.hear_publish("x").await;
    peer.hear_publish("x").await;
    client.publish("a", "behind them").await.expect("it is online");
    peer.hear_publish("behind them").await;
    peer.say_ok(first, Answer::Published(at(1, 1))).await;
    peer.hear_publish("x").await;
    drop(tasks);
}

#[tokio::test]
async fn what_a_broker_cannot_take_is_refused_here() {
    let broker = Broker::start();
    let (client, _peer) = tokio::join!(broker.builder().connect(), async {
        let mut peer = broker.accept().await;
        peer.say_welcome_of(10).await;
        peer
    });
    let client = client.expect("a session");
    let large = client.publish("a", "eleven bytes").await;
    assert_eq!(large, Err(PublishError::PayloadTooLarge { bytes: 12, max: 10 }));
    assert!(matches!(client.publish("a//b", "x").await, Err(PublishError::Name(_))));
    let key = callboard_client::PublishOptions::key("k".repeat(256));
    assert_eq!(client.publish_with("a", "x", key).await, Err(PublishError::KeyTooLong { bytes: 256 }));
}

#[tokio::test]
async fn closing_waits_for_what_is_on_its_way() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let acked = tokio::spawn({
        let client = client.clone();
        async move { client.publish_acked("a", "x").await }
    });
    let (request, _) = peer.hear_publish("x").await;
    let (result, ()) = tokio::join!(client.close(), async {
        peer.say_ok(request, Answer::Published(at(1, 1))).await;
        assert_eq!(peer.hear().await, Heard::Goodbye(4000));
        assert_eq!(peer.closed_with().await, 4000);
    });
    assert_eq!(result, Ok(()));
    assert_eq!(patiently(acked).await.expect("no panic"), Ok(at(1, 1)));
    assert_eq!(client.publish("a", "late").await, Err(PublishError::Closed(Reason::Asked)));
}

#[tokio::test]
async fn closing_tells_what_was_left() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet_with(broker.builder().close_timeout(Duration::from_millis(50))).await;
    let acked = tokio::spawn({
        let client = client.clone();
        async move { client.publish_acked("a", "x").await }
    });
    peer.hear_publish("x").await;
    assert_eq!(patiently(client.close()).await, Err(CloseError::Unsent { messages: 1 }));
    assert_eq!(patiently(acked).await.expect("no panic"), Err(PublishError::Closed(Reason::Asked)));
}

#[tokio::test]
async fn a_reader_that_blocks_and_does_not_read_costs_the_close_timeout() {
    let broker = Broker::start();
    let timeout = Duration::from_millis(200);
    let (client, mut peer) = broker.meet_with(broker.builder().close_timeout(timeout)).await;
    let block = SubscribeOptions {
        queue: Bounds { messages: 1, bytes: 1000 },
        overflow: Overflow::Block,
        ..SubscribeOptions::default()
    };
    let (reader, ()) = tokio::join!(client.subscribe_with("a", block), peer.subscribe("a", 1, at(1, 0)));
    let receipt = client.publish_receipt("b", "x").await.expect("it has its place");
    let (request, _) = peer.hear_publish("x").await;
    for offset in 1..=2 {
        peer.say_message(1, offset, "not read").await;
    }
    peer.say_ok(request, Answer::Published(at(1, 1))).await;
    let began = tokio::time::Instant::now();
    assert_eq!(patiently(client.close()).await, Err(CloseError::Unsent { messages: 1 }));
    assert!(began.elapsed() >= timeout);
    assert_eq!(patiently(receipt).await, Err(PublishError::Closed(Reason::Asked)));
    drop(reader);
}
