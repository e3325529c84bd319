//! Whatever ends a session, the client does what the code says, and says what it does.

use std::time::Duration;

use bytes::BytesMut;
use callboard_client::{Client, ConnectError, Ended, Event, Reason, State, Trust};
use callboard_protocol::close::Code;
use callboard_protocol::frame::{Goodbye, Ping, Resumed, ServerFrame, Suspended};
use callboard_protocol::{Nonce, codec};
use quinn::VarInt;
use tokio::time::Instant;

use crate::broker::{Broker, Heard, at, closed, patiently};

#[tokio::test]
async fn a_broken_connection_is_opened_again_by_the_same_instance() {
    let broker = Broker::start();
    let (client, peer) = broker.meet().await;
    let hello = peer.hello().clone();
    peer.vanish();
    let peer = broker.welcome().await;
    assert_eq!(*peer.hello(), hello);
    assert!(patiently(client.states().online()).await.is_some());
}

#[tokio::test]
async fn the_broker_is_left_alone_for_as_long_as_it_asks() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let mut states = client.states();
    let began = Instant::now();
    peer.say_goodbye(Code::ShuttingDown.number(), Some(400)).await;
    let waiting = patiently(states.wait_for(|state| matches!(state, State::Waiting { .. }))).await;
    let Some(State::Waiting { until, why: Reason::Ended { code, .. } }) = waiting else { panic!("not {waiting:?}") };
    assert_eq!(code, Code::ShuttingDown.number());
    assert!(until >= began + Duration::from_millis(400));
    broker.welcome().await;
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn what_comes_together_with_welcome_is_not_left_lying() {
    let broker = Broker::start();
    let client = broker.builder().connect_lazy().expect("the options hold");
    let goodbye = Goodbye { code: Code::Kicked.number(), sentence: "out again", retry_after: None };
    let mut peer = broker.accept().await;
    peer.say_welcome_and(ServerFrame::Goodbye(goodbye)).await;
    assert!(matches!(closed(&client).await, Reason::Ended { code: 4001, .. }));
}

#[tokio::test]
async fn a_session_that_is_suspended_is_lost_and_never_resumed() {
    let suspended = Suspended { nonce: Nonce::saturating(7), sentence: "it restarts", retry_after: None };
    let broker = Broker::start();
    let hour = Duration::from_secs(3600);
    let (patient, mut peer) = broker.meet_with(broker.builder().backoff(hour, hour)).await;
    let mut states = patient.states();
    peer.say(ServerFrame::Suspended(suspended)).await;
    let waiting = patiently(states.wait_for(|state| matches!(state, State::Waiting { .. }))).await;
    let Some(State::Waiting { why: Reason::Lost(why), .. }) = waiting else { panic!("not {waiting:?}") };
    assert!(why.contains("away") && why.contains("it restarts"), "{why}");
    assert_eq!(peer.closed_with().await, u64::from(Code::Finished.number()));

    let (_client, mut peer) = broker.meet().await;
    peer.say(ServerFrame::Suspended(suspended)).await;
    let mut unwelcome = broker.accept().await;
    unwelcome.say(ServerFrame::Suspended(suspended)).await;
    assert_eq!(unwelcome.closed_with().await, u64::from(Code::Finished.number()));
    let mut peer = broker.welcome().await;
    peer.say(ServerFrame::Resumed(Resumed { nonce: suspended.nonce })).await;
    peer.expect_fault(Code::OutOfOrder).await;
}

#[tokio::test]
async fn a_code_without_a_frame_counts_as_well() {
    let broker = Broker::start();
    let (client, peer) = broker.meet().await;
    peer.connection.close(VarInt::from_u32(Code::TooSlow.number().into()), b"too slow");
    let mut peer = broker.welcome().await;
    let _ = peer.send.reset(VarInt::from_u32(Code::Forbidden.number().into()));
    assert!(matches!(closed(&client).await, Reason::Ended { code: 4403, .. }));
}

#[tokio::test]
async fn a_client_that_may_not_come_back_closes_and_tells_its_readers() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (subscription, ()) = tokio::join!(client.subscribe("a"), peer.subscribe("a", 1, at(1, 0)));
    let mut subscription = subscription.expect("it is subscribed");
    peer.say_message(1, 1, "last").await;
    peer.say_goodbye(Code::Kicked.number(), None).await;
    assert!(matches!(closed(&client).await, Reason::Ended { code: 4001, .. }));
    assert!(matches!(patiently(subscription.next()).await, Some(Event::Message(_))));
    let Some(Event::Closed(Ended::Closed(Reason::Ended { code: 4001, .. }))) = patiently(subscription.next()).await
    else {
        panic!("the reader is told");
    };
    assert_eq!(patiently(subscription.next()).await, None);
    assert!(client.publish("a", "x").await.is_err());
    assert!(client.subscribe("a").await.is_err());
    assert_eq!(client.close().await, Ok(()));
}

#[tokio::test]
async fn a_first_session_that_is_refused_for_good_is_an_error() {
    let broker = Broker::start();
    let (refused, ()) = tokio::join!(broker.builder().connect(), async {
        broker.accept().await.dismiss(Code::Forbidden.number()).await;
    });
    assert!(matches!(refused, Err(ConnectError::Refused(Reason::Ended { code: 4403, .. }))), "{refused:?}");
}

#[tokio::test]
async fn a_first_session_comes_late_if_the_broker_comes_late() {
    let broker = Broker::start();
    let (client, _peer) = tokio::join!(broker.builder().connect(), async {
        broker.accept().await.dismiss(Code::Overloaded.number()).await;
        broker.accept().await.vanish();
        broker.welcome().await
    });
    assert!(client.is_ok());
}

#[tokio::test]
async fn nobody_there_is_an_error_that_says_so() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let url = format!("callboard://127.0.0.1:{}", socket.local_addr().expect("it is bound").port());
    let timeout = Duration::from_millis(300);
    let builder = Client::builder(url).trust(Trust::insecure()).attempt_timeout(timeout / 3).connect_timeout(timeout);
    let Err(ConnectError::Timeout { last: Some(Reason::Unreachable(why)) }) = patiently(builder.connect()).await else {
        panic!("nobody is there");
    };
    assert!(why.contains("did not answer in time"), "{why}");
}

#[tokio::test]
async fn a_session_goes_on_over_another_socket() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let before = peer.remote();
    client.rebind().await.expect("the system has another port");
    client.publish("a", "from elsewhere").await.expect("it is online");
    peer.hear_publish("from elsewhere").await;
    assert_ne!(peer.remote(), before);
}

#[tokio::test]
async fn the_last_handle_says_goodbye() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let clone = client.clone();
    drop(client);
    clone.publish("a", "the last word").await.expect("it is online");
    drop(clone);
    peer.hear_publish("the last word").await;
    assert_eq!(peer.hear().await, Heard::Goodbye(Code::Finished.number()));
    assert_eq!(peer.closed_with().await, 4000);
}

#[tokio::test]
async fn the_last_handle_waits_a_moment_for_a_session_if_something_is_unsaid() {
    let broker = Broker::start();
    let client = broker.builder().connect_lazy().expect("the options hold");
    client.publish("a", "the first and the last word").await.expect("it waits");
    drop(client);
    let mut peer = broker.welcome().await;
    peer.hear_publish("the first and the last word").await;
    assert_eq!(peer.hear().await, Heard::Goodbye(Code::Finished.number()));
}

#[tokio::test]
async fn states_end_with_the_client_and_not_with_its_handles() {
    let broker = Broker::start();
    let (client, _peer) = broker.meet().await;
    let (mut states, mut waiting) = (client.states(), client.states());
    client.close().await.expect("nothing is on its way");
    assert!(matches!(patiently(states.next()).await, Some(State::Closed { why: Reason::Asked })));
    assert_eq!(patiently(states.next()).await, None);
    assert_eq!(patiently(waiting.wait_for(|state| matches!(state, State::Waiting { .. }))).await, None);
    assert_eq!(patiently(client.states().online()).await, None);
}

#[tokio::test]
async fn a_subscription_keeps_the_session_without_a_client() {
    let broker = Broker::start();
    let (client, mut peer) = broker.meet().await;
    let (subscription, ()) = tokio::join!(client.subscribe("a"), peer.subscribe("a", 1, at(1, 0)));
    drop(client);
    peer.say_message(1, 1, "still here").await;
    let mut subscription = subscription.expect("it is subscribed");
    assert!(matches!(patiently(subscription.next()).await, Some(Event::Message(_))));
    drop(subscription);
    assert_eq!(peer.closed_with().await, 4000);
}

#[tokio::test]
async fn each_question_of_the_broker_is_answered_in_its_order() {
    let broker = Broker::start();
    let (_client, mut peer) = broker.meet().await;
    // More than the client keeps: it reads the rest when it has written some.
    let nonces = || (0..5000).map(Nonce::saturating);
    let mut questions = BytesMut::new();
    for nonce in nonces() {
        codec::encode_stream(&ServerFrame::Ping(Ping { nonce }), &mut questions).expect("the frame fits");
    }
    peer.say_bytes(&questions).await;
    for nonce in nonces() {
        assert_eq!(peer.hear().await, Heard::Pong(nonce));
    }
}
