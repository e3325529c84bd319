//! What holds at one door holds at the browser's: limits count both together, a slow reader and a panic touch nobody else, and shutdown loses nothing.

use callboard::config::{Limits, Outbox, Rate};
use callboard::identity::KeyStore;
use callboard_bridge_ws::Dialect;
use callboard_protocol::close::Code;
use callboard_protocol::error::Class;
use callboard_protocol::frame::ServerFrame;
use callboard_tests::raw::{Dialer, Door};
use callboard_tests::{Broker, Neighbour, Peer, http, soon};

const CHANNEL: &str = "news";

/// The doors of browsers.
const BROWSERS: [Door; 2] = [Door::Binary, Door::Json];

async fn open(broker: &Broker, door: Door) -> Peer {
    let mut peer = broker.peer_at(door).await;
    peer.hello().await;
    peer
}

fn key(broker: &Broker) -> String {
    let keys = KeyStore::open(broker.data_dir()).expect("a store");
    keys.create("reporter").expect("a key").reveal()
}

#[tokio::test]
async fn connections_are_counted_over_all_doors_together() {
    for limits in
        [Limits { connections: 3, ..Limits::default() }, Limits { connections_per_address: 3, ..Limits::default() }]
    {
        let broker = Broker::start_for_browsers(|config| config.limits = limits).await;
        let mut inside = Vec::new();
        for door in Door::ALL {
            inside.push(open(&broker, door).await);
        }
        let (code, reason) = Dialer::new().connect(broker.addr()).await.sent_away().await;
        assert!(
            code == Code::Overloaded.number() && reason.contains("reached its limit of connections"),
            "{code} {reason}"
        );
        for dialect in [Dialect::Binary, Dialect::Json] {
            let refused = Peer::try_upgrade(broker.ws_addr(), dialect, "").await.expect_err("there is no place");
            assert!(refused.contains(" 503 "), "{refused}");
        }
        for mut peer in inside {
            peer.publish(CHANNEL, "whoever is in stays").await;
        }
    }
}

#[tokio::test]
async fn a_browser_that_leaves_makes_room_for_another_client() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let broker = Broker::start_for_browsers(|config| config.limits = limits).await;
    for door in BROWSERS {
        let mut leaving = open(&broker, door).await;
        leaving.say_goodbye(Code::Finished.number()).await;
        assert_eq!(leaving.sent_away().await.0, Code::Finished.number());
        drop(leaving);
        let client = broker.client().await;
        client.close().await.expect("closed");
        // Its place is free again when its last packet is heard.
        callboard_tests::eventually("a place", async || {
            let peer = Peer::try_upgrade(broker.ws_addr(), Dialect::Binary, "").await;
            peer.ok().map(drop)
        })
        .await;
    }
}

#[tokio::test]
async fn publishes_that_come_too_fast_are_refused_and_then_end_the_session() {
    for door in BROWSERS {
        let publishes = Rate { per_second: 1, burst: 3 };
        let limits = Limits { publishes, ..Limits::default() };
        let broker = Broker::start_for_browsers(|config| config.limits = limits).await;
        let mut neighbour = Neighbour::of(broker.addr()).await;
        let mut hasty = open(&broker, door).await;
        for _ in 0..3 {
            hasty.publish(CHANNEL, "x").await;
        }
        let failure = hasty.try_publish(CHANNEL, "x").await.expect_err("too fast");
        assert_eq!(failure.class, Class::TooManyRequests.name());
        for _ in 0..2_000 {
            hasty.cast(CHANNEL, "x").await;
        }
        assert_eq!(hasty.sent_away().await.0, Code::RateExceeded.number(), "{door:?}");
        neighbour.carries_on().await;
    }
}

#[tokio::test]
async fn a_browser_that_does_not_read_is_sent_away_alone() {
    for door in BROWSERS {
        let outbox = Outbox { messages: 1000, bytes: 256 << 10 };
        let broker = Broker::start_for_browsers(|config| config.outbox = outbox).await;
        let (mut publisher, mut reader) = (open(&broker, Door::Quic).await, open(&broker, door).await);
        let mut stuck = open(&broker, door).await;
        reader.subscribe(CHANNEL).await;
        stuck.subscribe(CHANNEL).await;
        let large = "x".repeat(60_000);
        // More than the kernel holds at both ends: 4 MiB to be sent, and what the peer's small buffer takes. And not much
        // more: the door waits two seconds for a browser that does not read, and then cuts it off without a word.
        for _ in 0..100 {
            publisher.publish(CHANNEL, large.as_str()).await;
            assert_eq!(reader.message().await.payload.bytes().len(), large.len());
        }
        let (code, _) = stuck.sent_away().await;
        assert_eq!(code, Code::TooSlow.number(), "{door:?}");
        publisher.publish(CHANNEL, "on").await;
        assert_eq!(reader.message().await.payload.as_str(), Some("on"));
    }
}

#[tokio::test]
async fn browsers_that_do_not_end_what_they_begin_share_a_bound() {
    let limits = Limits { inbox_bytes: 2 << 20, ..Limits::default() };
    let broker = Broker::start_for_browsers(|config| config.limits = limits).await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut beginners = Vec::new();
    for door in [Door::Binary, Door::Json, Door::Binary] {
        let mut beginner = open(&broker, door).await;
        let first = if door == Door::Json { 0x81 } else { 0x82 };
        // A message of a million bytes under a mask of zeros, without its end.
        let header = [&[first, 0xff][..], &1_000_000_u64.to_be_bytes(), &[0; 4]].concat();
        beginner.send_bytes(&[header, vec![b' '; 900_000]].concat()).await;
        beginners.push(Box::pin(async move { beginner.sent_away().await }));
    }
    let ((code, reason), ..) = futures_util::future::select_all(beginners).await;
    assert_eq!(code, Code::Overloaded.number());
    assert!(reason.contains("too many incomplete frames"), "{reason}");
    neighbour.carries_on().await;
}

#[tokio::test]
async fn a_panic_in_a_browsers_session_ends_that_session_alone() {
    for door in BROWSERS {
        let broker = Broker::start_for_browsers(|_| ()).await;
        let (mut unlucky, mut other) = (open(&broker, door).await, open(&broker, door).await);
        other.subscribe(CHANNEL).await;
        unlucky.cast("faults/connection/news", "panic").await;
        assert_eq!(unlucky.sent_away().await.0, Code::Internal.number(), "{door:?}");
        other.publish(CHANNEL, "on").await;
        assert_eq!(other.message().await.payload.as_str(), Some("on"));
    }
}

#[tokio::test]
async fn a_channel_that_panics_tells_browsers_that_it_begins_anew() {
    for door in BROWSERS {
        let broker = Broker::start_for_browsers(|_| ()).await;
        let channel = "faults/channel/news";
        let (mut member, mut unlucky) = (open(&broker, door).await, open(&broker, Door::Quic).await);
        let before = member.subscribe(channel).await.position;
        unlucky.cast(channel, "panic").await;
        assert_eq!(unlucky.sent_away().await.0, Code::Internal.number());
        let reset = |frame: ServerFrame<'_>| if let ServerFrame::Reset(reset) = frame { Some(reset) } else { None };
        assert_ne!(member.expect("a reset", reset).await.position.epoch, before.epoch);
        let position = member.publish(channel, "on").await;
        assert_eq!(member.message().await.offset, position.offset);
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_a_shutdown_has_reached_every_browser() {
    const MESSAGES: usize = 500;
    let broker = Broker::start_for_browsers(|_| ()).await;
    let mut readers = Vec::new();
    for door in BROWSERS {
        let mut reader = open(&broker, door).await;
        reader.subscribe(CHANNEL).await;
        readers.push(reader);
    }
    let mut publisher = open(&broker, Door::Json).await;
    for number in 0..MESSAGES {
        publisher.publish(CHANNEL, format!("{number}")).await;
    }
    // Published, and perhaps not read yet.
    publisher.cast(CHANNEL, "the last").await;
    let drain = tokio::spawn(broker.drain());
    for mut reader in readers {
        for number in 0..MESSAGES {
            assert_eq!(reader.message().await.payload.as_str(), Some(format!("{number}").as_str()));
        }
        assert_eq!(reader.sent_away().await.0, Code::ShuttingDown.number());
    }
    assert_eq!(publisher.sent_away().await.0, Code::ShuttingDown.number());
    soon("the end of the drain", drain).await.expect("the drain ends well");
}

#[tokio::test]
async fn a_key_in_the_handshake_counts_as_one_in_hello() {
    let broker = Broker::start_for_browsers(|config| {
        config.anonymous_publish = Some(false);
        config.ws.cookie = Some("callboard_key".to_owned());
        config.ws.origins = vec!["https://app.example.org".parse().expect("an origin")];
    })
    .await;
    let key = key(&broker);
    let header = format!("Authorization: Bearer {key}\r\n");
    let cookie = format!("Origin: https://app.example.org\r\nCookie: a=b; callboard_key={key}\r\n");
    for fields in [&header, &cookie] {
        for dialect in [Dialect::Binary, Dialect::Json] {
            let mut peer = Peer::try_upgrade(broker.ws_addr(), dialect, fields).await.expect("an upgrade");
            peer.hello().await;
            peer.subscribe(CHANNEL).await;
            peer.publish(CHANNEL, "x").await;
            assert_eq!(peer.message().await.publisher.as_deref(), Some("reporter"));
        }
    }
    let wrong = "Authorization: Bearer cb_nobody_nothing\r\n";
    let mut peer = Peer::try_upgrade(broker.ws_addr(), Dialect::Binary, wrong).await.expect("an upgrade");
    peer.send_hello().await;
    assert_eq!(peer.sent_away().await.0, Code::BadCredential.number());
    let foreign = format!("Origin: https://evil.example.org\r\nCookie: callboard_key={key}\r\n");
    let refused = Peer::try_upgrade(broker.ws_addr(), Dialect::Binary, &foreign).await.expect_err("a foreign page");
    assert!(refused.contains(" 403 "), "{refused}");
}

#[tokio::test]
async fn publishing_over_http_answers_offsets_and_reaches_every_door() {
    let broker = Broker::start_for_browsers(|config| config.anonymous_publish = Some(false)).await;
    let authorization = format!("Authorization: Bearer {}\r\n", key(&broker));
    let mut readers = Vec::new();
    for door in Door::ALL {
        let mut reader = open(&broker, door).await;
        reader.subscribe(CHANNEL).await;
        readers.push(reader);
    }
    let post = async |fields: &str, body: &str| http::post(broker.ws_addr(), "/v1/publish", fields, body).await;
    let answer = post(&authorization, r#"{"channel":"news","key":"k","payload":"hi"}"#).await;
    assert_eq!((answer.status, &answer.json()["results"][0]["position"]["offset"]), (200, &1.into()), "{answer:?}");
    let batch = r#"{"messages":[
        {"channels":["news","elsewhere"],"payload":{"kind":"json","json":{"a":1}}},
        {"channel":"a//b","payload":"x"},
        {"channel":"user/7","payload":"x"},
        {"channel":"news","payload":"last"}]}"#;
    let answer = post(&authorization, batch).await;
    let results = answer.json()["results"].clone();
    assert_eq!(answer.status, 200, "{answer:?}");
    let offsets: Vec<Option<u64>> = (0..5).map(|place| results[place]["position"]["offset"].as_u64()).collect();
    assert_eq!(offsets, [Some(2), Some(1), None, None, Some(3)], "{answer:?}");
    let classes: Vec<Option<&str>> = (0..5).map(|place| results[place]["failed"]["class"].as_str()).collect();
    assert_eq!(classes, [None, None, Some("bad-channel-name"), Some("reserved-channel"), None], "{answer:?}");
    for reader in &mut readers {
        for (payload, message_key) in [("hi", Some("k")), ("{\"a\":1}", None), ("last", None)] {
            let heard = reader.message().await;
            assert_eq!((heard.payload.as_str(), heard.key.as_deref()), (Some(payload), message_key));
            assert_eq!(heard.publisher.as_deref(), Some("reporter"));
        }
    }
    let too_large = format!(r#"{{"channel":"news","payload":"{}"}}"#, "x".repeat(70_000));
    for (fields, body, status) in [
        ("Authorization: Bearer cb_nobody_nothing\r\n", r#"{"channel":"news","payload":"x"}"#, 401),
        ("", r#"{"channel":"news","payload":"x"}"#, 401),
        (&authorization, r#"{"channel":"everyone","payload":"x"}"#, 403),
        (&authorization, &too_large, 413),
    ] {
        assert_eq!(post(fields, body).await.status, status, "{fields} {}", &body[..30]);
    }
}
