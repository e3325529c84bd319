//! Publishes with a receipt are on their way side by side, in the order of their calls: nobody passes one that waits.

use std::time::Duration;

use callboard_client::{Bounds, Client, Offline, PublishError, Receipt};
use callboard_protocol::frame::Answer;
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::broker::{Broker, Heard, Peer, at, patiently};

async fn receipt(client: &Client, text: &str) -> Receipt {
    patiently(client.publish_receipt("a", text)).await.expect("it has its place")
}

/// Answers what the client publishes, in the order in which it comes, and gives the texts.
async fn answer_all(peer: &mut Peer, count: u64) -> Vec<String> {
    let mut texts = Vec::new();
    while (texts.len() as u64) < count {
        let Heard::Publish { request, sequence, text, .. } = peer.hear().await else { panic!("a publish was due") };
        assert_eq!(sequence.value(), texts.len() as u64 + 1);
        peer.say_ok(request, Answer::Published(at(1, sequence.value()))).await;
        texts.push(text);
    }
    texts
}

#[tokio::test]
async fn receipts_resolve_as_the_answers_come() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (first, second) = (receipt(&client, "first").await, receipt(&client, "second").await);
    let mut requests = Vec::new();
    for text in ["first", "second"] {
        requests.push(peer.hear_publish(text).await.0);
    }
    peer.say_ok(requests[1], Answer::Published(at(1, 2))).await;
    assert_eq!(patiently(second).await, Ok(at(1, 2)));
    peer.say_failed(requests[0], 403, "forbidden").await;
    assert!(matches!(patiently(first).await, Err(PublishError::Refused(_))));
}

#[tokio::test]
async fn calls_that_wait_keep_the_order_of_their_coming() {
    let broker = Broker::start();
    let bounds = Bounds { messages: 3, bytes: 100 };
    let builder = broker.builder().offline(Offline::Queue(bounds)).unacknowledged(5);
    let (client, mut peer) = broker.meet_with(builder).await;
    let texts: Vec<_> = (0..300).map(|number| format!("{number:0width$}", width = 3 + number % 40)).collect();
    // All of them wait at once, and most of them several times over.
    let publishes = join_all(texts.iter().map(|text| client.publish_acked("a", text.as_str())));
    let (positions, heard) = patiently(async { tokio::join!(publishes, answer_all(&mut peer, 300)) }).await;
    assert_eq!(heard, texts);
    let wanted: Vec<_> = (1..=300).map(|offset| Ok(at(1, offset))).collect();
    assert_eq!(positions, wanted);
}

#[tokio::test]
async fn a_newcomer_does_not_pass_one_that_waits() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet_with(broker.builder().unacknowledged(1)).await;
    let first = receipt(&client, "first").await;
    let (request, _) = peer.hear_publish("first").await;
    let mut waits = Box::pin(client.publish_receipt("a", "second"));
    assert!(waits.as_mut().now_or_never().is_none());
    peer.say_ok(request, Answer::Published(at(1, 1))).await;
    assert_eq!(patiently(first).await, Ok(at(1, 1)));
    // There is room now, and the one that waits for it has not looked yet.
    let mut newcomer = Box::pin(client.publish_receipt("a", "third"));
    assert!(newcomer.as_mut().now_or_never().is_none());
    let _second = patiently(waits).await.expect("it has its place");
    let (request, _) = peer.hear_publish("second").await;
    peer.say_ok(request, Answer::Published(at(1, 2))).await;
    let _third = patiently(newcomer).await.expect("it has its place");
    peer.hear_publish("third").await;
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_publishes_nothing_and_hands_its_turn_on() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet_with(broker.builder().unacknowledged(1)).await;
    let _first = receipt(&client, "first").await;
    let mut dropped = Box::pin(client.publish_receipt("a", "dropped"));
    assert!(dropped.as_mut().now_or_never().is_none());
    let next = tokio::spawn({
        let client = client.clone();
        async move { client.publish_acked("a", "next").await }
    });
    let (request, _) = peer.hear_publish("first").await;
    peer.say_ok(request, Answer::Published(at(1, 1))).await;
    drop(dropped);
    let (request, _) = peer.hear_publish("next").await;
    peer.say_ok(request, Answer::Published(at(1, 2))).await;
    assert_eq!(patiently(next).await.expect("no panic"), Ok(at(1, 2)));
}

#[tokio::test]
async fn a_receipt_keeps_the_session_without_a_client() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let last = receipt(&client, "last").await;
    drop(client);
    let (request, _) = peer.hear_publish("last").await;
    peer.say_ok(request, Answer::Published(at(1, 1))).await;
    assert_eq!(patiently(last).await, Ok(at(1, 1)));
    assert_eq!(peer.hear().await, Heard::Goodbye(4000));
}

#[tokio::test]
async fn a_receipt_that_is_dropped_takes_nothing_back() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet_with(broker.builder().unacknowledged(1)).await;
    drop(receipt(&client, "first").await);
    let (request, _) = peer.hear_publish("first").await;
    peer.say_ok(request, Answer::Published(at(1, 1))).await;
    let _second = receipt(&client, "second").await;
    peer.hear_publish("second").await;
}

#[tokio::test]
async fn without_a_session_a_call_that_is_to_fail_does_not_wait_for_its_turn() {
    let broker = Broker::start();
    let builder = broker.builder().offline(Offline::FailAtOnce).unacknowledged(1).close_timeout(Duration::ZERO);
    let (client, mut peer) = broker.meet_with(builder).await;
    let first = receipt(&client, "first").await;
    peer.hear_publish("first").await;
    let waits: Vec<_> = (0..3)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.publish_receipt("a", "x").await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    peer.vanish();
    for waits in waits {
        assert_eq!(patiently(waits).await.expect("no panic"), Err(PublishError::Offline));
    }
    let late = client.publish_receipt("a", "x").now_or_never().expect("it does not wait");
    assert_eq!(late.map(drop), Err(PublishError::Offline));
    assert!(patiently(client.close()).await.is_err());
    assert!(matches!(patiently(first).await, Err(PublishError::Closed(_))));
}
