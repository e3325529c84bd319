//! A panic ends what it must and nothing else: who waited is told to come back, members stay and are told, the rest goes on.

use std::net::Ipv4Addr;

use callboard::defaults::MEMBERS_IN_PLACE;
use callboard::identity::KeyStore;
use callboard_client::{Event, GapWhy};
use callboard_protocol::close::Code;
use callboard_protocol::frame::{Credential, ServerFrame, Start, SubscribeOptions};
use callboard_tests::raw::Ending;
use callboard_tests::{Broker, Metrics, Peer, eventually, soon};

/// A publish of `panic` to it panics in the channel.
const CHANNEL: &str = "faults/channel/news";

/// A publish of `panic` to it panics in the publisher's own connection.
const CONNECTION: &str = "faults/connection/news";

/// The sweep panics when it comes to one below it.
const SWEEP: &str = "faults/sweep";

/// Channels below it, so many that nearly each turn of the sweep comes to one.
const SWEPT: usize = 200;

async fn peer(broker: &Broker) -> Peer {
    let mut peer = broker.peer().await;
    peer.hello().await;
    peer
}

async fn is_told_to_come_back(mut peer: Peer) {
    assert_eq!(peer.sent_away().await.0, Code::Internal.number());
}

#[tokio::test]
async fn a_channel_that_panics_goes_on_with_its_members_in_another_epoch() {
    let broker = Broker::start().await;
    goes_on_in_another_epoch(&broker).await;
}

#[tokio::test]
async fn so_does_one_with_so_many_members_that_an_actor_runs_for_it() {
    let broker = Broker::start().await;
    let mut crowd = Vec::new();
    for _ in 0..MEMBERS_IN_PLACE {
        let mut member = peer(&broker).await;
        member.subscribe(CHANNEL).await;
        crowd.push(member);
    }
    goes_on_in_another_epoch(&broker).await;
}

async fn goes_on_in_another_epoch(broker: &Broker) {
    let (mut member, mut unlucky, mut other) = (peer(broker).await, peer(broker).await, peer(broker).await);
    let subscribed = member.subscribe(CHANNEL).await;
    let before = other.publish(CHANNEL, "before").await;
    assert_eq!(member.message().await.offset, before.offset);

    unlucky.send_publish(1, CHANNEL, "panic").await;
    is_told_to_come_back(unlucky).await;
    let reset =
        member
            .expect("that the channel begins anew", |frame| {
                if let ServerFrame::Reset(reset) = frame { Some(reset) } else { None }
            })
            .await;
    assert_eq!(reset.channel, subscribed.channel);
    assert_ne!(reset.position.epoch, before.epoch);

    let after = other.publish(CHANNEL, "after").await;
    assert_eq!((after.epoch, after.offset), (reset.position.epoch, reset.position.offset.next()));
    assert_eq!(member.message().await.offset, after.offset, "a member stays a member");
}

#[tokio::test]
async fn a_client_is_told_of_the_gap_that_a_panic_made() {
    let broker = Broker::start().await;
    let client = broker.client().await;
    let mut news = client.subscribe(CHANNEL).await.unwrap();
    let mut unlucky = peer(&broker).await;
    unlucky.send_publish(1, CHANNEL, "panic").await;
    is_told_to_come_back(unlucky).await;
    match soon("word of the gap", news.next()).await {
        Some(Event::Gap(gap)) => assert_eq!(gap.why, GapWhy::NewEpoch),
        other => panic!("instead of a gap: {other:?}"),
    }
    client.publish_acked(CHANNEL, "after").await.unwrap();
    match soon("the next message", news.next()).await {
        Some(Event::Message(message)) => assert_eq!(message.payload.as_str(), Some("after")),
        other => panic!("instead of the message: {other:?}"),
    }
}

#[tokio::test]
async fn what_waits_at_a_channel_that_panics_is_done_or_told() {
    let broker = Broker::start().await;
    let mut unlucky = peer(&broker).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(peer(&broker).await);
    }
    unlucky.send_publish(1, CHANNEL, "panic").await;
    for peer in &mut waiting {
        peer.send_publish(1, CHANNEL, "waits").await;
    }
    for peer in &mut waiting {
        // Answered, or ended with a code that says come back; silence would run into the deadline.
        match peer.published().await {
            Ok(_) => {}
            Err(Ending::Closed { code, .. }) => assert_eq!(code, u64::from(Code::Internal.number())),
            Err(other) => panic!("the session ended without a code: {other:?}"),
        }
    }
    let mut late = peer(&broker).await;
    let options = SubscribeOptions::NONE;
    assert!(late.try_subscribe(CHANNEL, Start::Live, options).await.is_ok(), "the channel lives");
    late.publish(CHANNEL, "on").await;
}

#[tokio::test]
async fn a_connection_that_panics_ends_alone() {
    let broker = Broker::start().await;
    let (mut neighbour, mut unlucky) = (peer(&broker).await, peer(&broker).await);
    neighbour.subscribe(CONNECTION).await;
    unlucky.subscribe(CONNECTION).await;
    unlucky.send_publish(1, CONNECTION, "panic").await;
    is_told_to_come_back(unlucky).await;
    let position = neighbour.publish(CONNECTION, "on").await;
    assert_eq!(neighbour.message().await.offset, position.offset);
}

#[tokio::test]
async fn a_sweep_that_panics_at_each_turn_still_ends_the_sessions_of_a_revoked_key() {
    let broker = Broker::start_with(|config| config.metrics_listen = Some((Ipv4Addr::LOCALHOST, 0).into())).await;
    let metrics = broker.inner().metrics_addr().expect("it serves them");
    let keys = KeyStore::open(broker.data_dir()).unwrap();
    let key = keys.create("leaver").unwrap();
    let mut leaver = broker.peer().await;
    leaver.hello_as(Some(Credential { strategy: "apikey", secret: &key.reveal() })).await;
    for number in 0..SWEPT {
        leaver.subscribe(&format!("{SWEEP}/{number}")).await;
    }
    let has_panicked = async || {
        let metrics = Metrics::read(metrics).await.expect("it answers");
        (metrics.value("callboard_panics_total") > 0).then_some(())
    };
    eventually("a sweep that panics", has_panicked).await;
    keys.revoke(key.id()).unwrap();
    assert_eq!(leaver.sent_away().await.0, Code::BadCredential.number());
}
