//! A program that embeds the broker sees each message on its way in, whatever door it comes by, and may change or refuse it.

use callboard::{Hooks, Incoming};
use callboard_protocol::Payload;
use callboard_protocol::close::Code;
use callboard_protocol::error::Class;
use callboard_tests::raw::Door;
use callboard_tests::{Broker, http};

const CHANNEL: &str = "news";

/// Two hooks in order: the first shouts, the second minds what the first made of it.
fn shout(hooks: &mut Hooks) {
    hooks
        .incoming(|message: &mut Incoming<'_>| {
            let louder = message.payload.as_str().map(str::to_uppercase);
            *message.payload = louder.map_or_else(|| message.payload.clone(), Payload::text);
            *message.key = message.key.take().or_else(|| message.publisher.map(Into::into));
            Ok(())
        })
        .incoming(|message| match message.payload.as_str() {
            Some("SECRET") => Err("leave the secret out".to_owned()),
            Some("LONG") => {
                *message.payload = Payload::text("x".repeat(1001));
                Ok(())
            }
            Some("FALL") => panic!("a hook falls on purpose"),
            Some(_) | None => Ok(()),
        });
}

async fn broker() -> Broker {
    Broker::start_hooked(|config| config.payload_bytes_max = 1000, shout).await
}

#[tokio::test]
async fn what_a_hook_makes_of_a_message_is_what_subscribers_hear() {
    let broker = broker().await;
    let mut hearer = broker.peer().await;
    hearer.hello().await;
    hearer.subscribe(CHANNEL).await;
    for door in Door::ALL {
        let mut peer = broker.peer_at(door).await;
        peer.hello().await;
        peer.publish(CHANNEL, "quiet").await;
        peer.publish("elsewhere", Payload::binary(vec![1, 2])).await;
        assert_eq!(hearer.message().await.payload, Payload::text("QUIET"));
    }
}

#[tokio::test]
async fn what_a_hook_refuses_is_told_to_its_publisher_and_to_nobody_else() {
    let broker = broker().await;
    let mut hearer = broker.peer().await;
    hearer.hello().await;
    hearer.subscribe(CHANNEL).await;
    for door in Door::ALL {
        let mut peer = broker.peer_at(door).await;
        peer.hello().await;
        let refused = peer.try_publish(CHANNEL, "secret").await.expect_err("the second hook refuses it");
        assert_eq!(
            (refused.class.as_str(), refused.sentence.as_str()),
            (Class::Forbidden.name(), "leave the secret out")
        );
        let grown = peer.try_publish(CHANNEL, "long").await.expect_err("it is longer than a payload may be");
        assert_eq!(grown.class, Class::PayloadTooLarge.name());
        peer.publish(CHANNEL, "after").await;
        assert_eq!(hearer.message().await.payload, Payload::text("AFTER"));
    }
}

#[tokio::test]
async fn a_message_over_http_is_seen_as_well() {
    let broker = broker().await;
    let keys = callboard::identity::KeyStore::open(broker.data_dir()).expect("a store");
    let key = keys.create("reporter").expect("a key").reveal();
    let mut hearer = broker.peer().await;
    hearer.hello().await;
    hearer.subscribe(CHANNEL).await;
    let body = r#"{"messages":[{"channel":"news","payload":"secret"},{"channel":"news","payload":"open"}]}"#;
    let fields = format!("Authorization: Bearer {key}\r\n");
    let answer = http::post(broker.ws_addr(), "/v1/publish", &fields, body).await;
    let results = answer.json()["results"].clone();
    assert_eq!(results[0]["failed"]["sentence"], "leave the secret out", "{answer:?}");
    let heard = hearer.message().await;
    assert_eq!((heard.payload, heard.key.as_deref()), (Payload::text("OPEN"), Some("reporter")));
}

#[tokio::test]
async fn a_hook_that_panics_ends_its_publishers_session_alone() {
    let broker = broker().await;
    let mut neighbour = broker.peer().await;
    neighbour.hello().await;
    for door in Door::ALL {
        let mut peer = broker.peer_at(door).await;
        peer.hello().await;
        peer.cast(CHANNEL, "fall").await;
        assert_eq!(peer.sent_away().await.0, Code::Internal.number());
        neighbour.publish(CHANNEL, "on").await;
    }
}
