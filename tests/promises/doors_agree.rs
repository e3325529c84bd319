//! Whichever door a client comes by, the same words get the same answers, codes, offsets and order.

use callboard_protocol::error::Class;
use callboard_protocol::frame::{
    Authenticate, Call, ClientFrame, Credential, Goodbye, Hello, Introduce, Logout, Outcome, Publish, Return, Start,
    SubscribeOptions, Unsubscribe,
};
use callboard_protocol::limits::{CHANNEL_NAME_BYTES_MAX, KEY_BYTES_MAX, PAYLOAD_BYTES_DEFAULT};
use callboard_protocol::{CallId, Epoch, Millis, Offset, PayloadRef, Position, RequestId, Sequence};
use callboard_tests::raw::Door;
use callboard_tests::{Broker, Edge};

use talk::Talk;

mod talk;

const CHANNEL: &str = "news";

/// Every way in: a door, and whether it is an edge's.
const WAYS: [(Door, bool); 5] =
    [(Door::Quic, false), (Door::Binary, false), (Door::Json, false), (Door::Binary, true), (Door::Json, true)];

/// Who says this at a door wants to be taken for somebody at another address.
const FORGED: ClientFrame<'_> = ClientFrame::Introduce(Introduce {
    address: [127; 16],
    origin: Some("https://app.example.org"),
    credential: None,
    private: true,
    ping_interval: Millis::ZERO,
    publishes: 0,
});

/// Has a scenario happen at every door, each with a broker of its own, and compares what was heard.
async fn agree<F: AsyncFn(&Broker, Door) -> Vec<String>>(scenario: F) -> Vec<String> {
    let mut first: Option<Vec<String>> = None;
    for (door, is_far) in WAYS {
        let mut broker = Broker::start_for_browsers(|config| {
            config.subscriptions_max = 3;
            config.anonymous_publish = Some(true);
        })
        .await;
        if is_far {
            broker = broker.behind_an_edge().await;
        }
        let heard = scenario(&broker, door).await;
        match &first {
            None => first = Some(heard),
            Some(first) => {
                for (place, (one, other)) in first.iter().zip(&heard).enumerate() {
                    assert_eq!(one, other, "line {place}, QUIC and {door:?}, at an edge: {is_far}");
                }
                assert_eq!(first.len(), heard.len(), "QUIC and {door:?}, at an edge: {is_far}");
            }
        }
    }
    first.expect("there are doors")
}

#[tokio::test]
async fn every_kind_of_message_comes_as_it_was_said() {
    let heard = agree(async |broker, door| {
        let mut talk = Talk::open(broker, door).await;
        talk.subscribe(CHANNEL, Start::Live, SubscribeOptions::NONE, 1).await;
        let every_byte: Vec<u8> = (0..=255).collect();
        let largest = "\u{1}".repeat(PAYLOAD_BYTES_DEFAULT);
        for payload in [
            PayloadRef::text("hi"),
            PayloadRef::text(""),
            PayloadRef::text("ü\u{0}\u{2028}\"\\\u{10ffff}\r\n"),
            PayloadRef::text(&largest),
            PayloadRef::json("{\"a\": [1, 2.50, null]}"),
            PayloadRef::json("[ 1e2 ]"),
            PayloadRef::binary(&every_byte),
            PayloadRef::binary(b""),
        ] {
            talk.publish(CHANNEL, None, payload, 2).await;
        }
        talk.publish(CHANNEL, Some("the \"key\"\n"), PayloadRef::text("about something"), 2).await;
        talk.publish(CHANNEL, Some(""), PayloadRef::text("about nothing"), 2).await;
        let request = talk.request();
        talk.peer.send(&ClientFrame::Unsubscribe(Unsubscribe { request, channel: CHANNEL })).await;
        talk.hear(1).await;
        talk.publish(CHANNEL, None, PayloadRef::text("unheard"), 1).await;
        talk.heard
    })
    .await;
    assert_eq!(heard.last().map(String::as_str), Some("13 published 11"), "{heard:?}");
}

#[tokio::test]
async fn own_messages_are_left_out_and_the_rest_is_in_order() {
    let heard = agree(async |broker, door| {
        let mut other = broker.peer().await;
        other.hello().await;
        let mut talk = Talk::open(broker, door).await;
        talk.subscribe(CHANNEL, Start::Live, SubscribeOptions::EXCLUDE_OWN, 1).await;
        for number in 0..3 {
            other.publish(CHANNEL, format!("{number}")).await;
            talk.hear(1).await;
            talk.publish(CHANNEL, None, PayloadRef::text("mine"), 2).await;
        }
        // And from history.
        let mut late = Talk::at(broker, door).await;
        late.peer.instance = talk.peer.instance;
        late.hello(None).await;
        late.subscribe(CHANNEL, Start::Rewind(6), SubscribeOptions::EXCLUDE_OWN, 7).await;
        [talk.heard, late.heard].concat()
    })
    .await;
    assert_eq!(heard.iter().filter(|line| line.starts_with("skipped")).count(), 6, "{heard:?}");
    assert!(heard.iter().all(|line| !line.contains("mine")), "{heard:?}");
}

#[tokio::test]
async fn who_comes_back_gets_what_it_missed_or_is_told() {
    let heard = agree(async |broker, door| {
        let mut publisher = broker.peer().await;
        publisher.hello().await;
        publisher.publish(CHANNEL, "0").await;
        let before = publisher.publish(CHANNEL, "1").await;
        for number in 2..5 {
            publisher.publish(CHANNEL, format!("{number}")).await;
        }
        let mut talks = Vec::new();
        let elsewhere = Position { epoch: Epoch::saturating(1), offset: Offset::saturating(2) };
        let beyond = Position { offset: Offset::saturating(9), ..before };
        for (start, frames) in [
            (Start::Live, 1),
            (Start::Rewind(2), 3),
            (Start::Rewind(100), 6),
            (Start::Recover(before), 4),
            (Start::Recover(elsewhere), 1),
            (Start::Recover(beyond), 1),
        ] {
            let mut talk = Talk::open(broker, door).await;
            talk.subscribe(CHANNEL, start, SubscribeOptions::NONE, frames).await;
            talk.publish("elsewhere", None, PayloadRef::text("and nothing else comes"), 1).await;
            talks.push(talk);
        }
        publisher.publish(CHANNEL, "and then live").await;
        let mut heard = Vec::new();
        for mut talk in talks {
            talk.hear(1).await;
            heard.append(&mut talk.heard);
        }
        heard
    })
    .await;
    assert_eq!(heard.iter().filter(|line| line.contains("recovered false")).count(), 2, "{heard:?}");
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_in_the_same_words() {
    let heard = agree(async |broker, door| {
        let mut talk = Talk::open(broker, door).await;
        let (long_name, long_key) = ("n".repeat(CHANNEL_NAME_BYTES_MAX + 1), "k".repeat(KEY_BYTES_MAX + 1));
        for name in ["", "a//b", "/a", "a/*", "**", "a\u{0}b", "everyone", "user/7", &long_name] {
            talk.subscribe(name, Start::Live, SubscribeOptions::NONE, 1).await;
            talk.publish(name, None, PayloadRef::text("x"), 1).await;
            let request = talk.request();
            talk.peer.send(&ClientFrame::Unsubscribe(Unsubscribe { request, channel: name })).await;
            talk.hear(1).await;
        }
        talk.subscribe(CHANNEL, Start::Live, SubscribeOptions(1 << 7), 1).await;
        for name in [CHANNEL, CHANNEL, "two", "three", "four"] {
            talk.subscribe(name, Start::Live, SubscribeOptions::NONE, 1).await;
        }
        let too_large = "x".repeat(PAYLOAD_BYTES_DEFAULT + 1);
        talk.publish(CHANNEL, None, PayloadRef::text(&too_large), 1).await;
        talk.publish(CHANNEL, Some(&long_key), PayloadRef::text("x"), 1).await;
        let request = talk.request();
        let arguments = PayloadRef::json("{}");
        talk.peer.send(&ClientFrame::Call(Call { request, service: "messages", method: "find", arguments })).await;
        talk.hear(1).await;
        talk.publish(CHANNEL, None, PayloadRef::text("the session goes on"), 2).await;
        talk.heard
    })
    .await;
    for class in [
        Class::BadChannelName,
        Class::ReservedChannel,
        Class::NotSubscribed,
        Class::AlreadySubscribed,
        Class::TooManySubscriptions,
        Class::PayloadTooLarge,
        Class::BadRequest,
        Class::NotImplemented,
    ] {
        assert!(heard.iter().any(|line| line.contains(class.name())), "{} in {heard:?}", class.name());
    }
}

#[tokio::test]
async fn credentials_are_taken_and_refused_alike() {
    let heard = agree(async |broker, door| {
        let keys = callboard::identity::KeyStore::open(broker.data_dir()).expect("a store");
        let key = keys.create("reporter").expect("a key").reveal();
        let mut talk = Talk::at(broker, door).await;
        talk.hello(Some(Credential { strategy: "apikey", secret: &key })).await;
        talk.subscribe(CHANNEL, Start::Live, SubscribeOptions::NONE, 1).await;
        talk.publish(CHANNEL, None, PayloadRef::text("as the reporter"), 2).await;
        let request = talk.request();
        talk.peer.send(&ClientFrame::Logout(Logout { request })).await;
        talk.hear(1).await;
        talk.publish(CHANNEL, None, PayloadRef::text("as nobody"), 2).await;
        for (strategy, secret) in [("apikey", "cb_nobody_nothing"), ("jwt", &*key), ("apikey", &*key)] {
            let request = talk.request();
            let credential = Credential { strategy, secret };
            talk.peer.send(&ClientFrame::Authenticate(Authenticate { request, credential })).await;
            talk.hear(1).await;
        }
        let mut stranger = Talk::at(broker, door).await;
        stranger.hello(Some(Credential { strategy: "apikey", secret: "cb_nobody_nothing" })).await;
        [talk.heard, stranger.hear_out().await].concat()
    })
    .await;
    assert_eq!(heard.last().map(String::as_str), Some("closed 4300"), "{heard:?}");
}

#[tokio::test]
async fn what_ends_a_session_ends_it_with_the_same_code() {
    let heard = agree(async |broker, door| {
        let mut heard = Vec::new();
        let publish = ClientFrame::Publish(Publish {
            request: RequestId::saturating(1),
            sequence: Sequence::ZERO,
            channel: CHANNEL,
            key: None,
            payload: PayloadRef::text("x"),
        });
        for first in [publish, FORGED] {
            let mut hasty = Talk::at(broker, door).await;
            hasty.peer.send(&first).await;
            heard.extend(hasty.hear_out().await);
        }

        let outcome = Outcome::Returned(PayloadRef::text("x"));
        let instance = [1; 16];
        let long = "a".repeat(256);
        for frame in [
            ClientFrame::Hello(Hello { agent: "again", instance, capabilities: 0, credential: None }),
            ClientFrame::Return(Return { call: CallId::saturating(1), outcome }),
            FORGED,
            ClientFrame::Goodbye(Goodbye { code: 4000, sentence: "", retry_after: None }),
        ] {
            let mut talk = Talk::open(broker, door).await;
            talk.peer.send(&frame).await;
            heard.extend(talk.hear_out().await);
        }
        let mut wordy = Talk::at(broker, door).await;
        let hello = Hello { agent: &long, instance, capabilities: 0, credential: None };
        wordy.peer.send(&ClientFrame::Hello(hello)).await;
        heard.extend(wordy.hear_out().await);
        heard
    })
    .await;
    let codes: Vec<&str> = heard.iter().filter_map(|line| line.strip_prefix("closed ")).collect();
    assert_eq!(codes, ["4401", "4401", "4401", "4401", "4401", "4000", "4400"], "{heard:?}");
}

#[tokio::test]
async fn bytes_that_are_no_frame_close_with_malformed_at_every_door() {
    for (door, is_far) in WAYS {
        let mut broker = Broker::start_for_browsers(|_| ()).await;
        if is_far {
            broker = broker.behind_an_edge().await;
        }
        for body in [&b"\xff"[..], b"\x07", b"{\"kind\":", b"[]", b"\x80\x80\x80\x80\x01"] {
            let mut talk = Talk::open(&broker, door).await;
            let text = String::from_utf8_lossy(body);
            talk.peer.send_body(if door == Door::Json { text.as_bytes() } else { body }).await;
            let heard = talk.hear_out().await;
            assert_eq!(heard.last().map(String::as_str), Some("closed 4400"), "{door:?} {body:02x?}: {heard:?}");
        }
    }
}

#[tokio::test]
async fn a_publish_sent_again_is_stored_once_across_doors() {
    let broker = Broker::start_for_browsers(|_| ()).await;
    let mut listener = broker.peer().await;
    listener.hello().await;
    listener.subscribe(CHANNEL).await;
    let mut positions = Vec::new();
    let edge = Edge::of(&broker).await;
    for (door, is_far) in WAYS {
        let mut talk = if is_far { Talk::at_edge(&edge, door).await } else { Talk::at(&broker, door).await };
        talk.peer.instance = [7; 16];
        talk.hello(None).await;
        let (request, sequence) = (talk.request(), Sequence::saturating(1));
        let payload = PayloadRef::text("once");
        let publish = Publish { request, sequence, channel: CHANNEL, key: None, payload };
        talk.peer.send(&ClientFrame::Publish(publish)).await;
        talk.hear(1).await;
        positions.push(talk.heard.pop());
    }
    assert_eq!(positions, vec![Some("1 published 1".to_owned()); WAYS.len()]);
    listener.publish(CHANNEL, "next").await;
    assert_eq!([listener.message().await.offset, listener.message().await.offset].map(|at| at.value()), [1, 2]);
}

#[tokio::test]
async fn all_doors_of_one_broker_hear_the_same_messages_in_the_same_order() {
    const ROUNDS: usize = 200;
    let broker = Broker::start_for_browsers(|_| ()).await;
    let mut talks = Vec::new();
    let edge = Edge::of(&broker).await;
    for (door, is_far) in WAYS {
        let mut talk = if is_far { Talk::at_edge(&edge, door).await } else { Talk::at(&broker, door).await };
        talk.hello(None).await;
        talk.subscribe(CHANNEL, Start::Live, SubscribeOptions::NONE, 1).await;
        talk.heard.clear();
        talks.push(talk);
    }
    for round in 0..ROUNDS {
        for talk in &mut talks {
            talk.peer.cast(CHANNEL, format!("{round} \"\u{7}ü\"")).await;
        }
    }
    let mut heard = Vec::new();
    for mut talk in talks {
        talk.hear(WAYS.len() * ROUNDS).await;
        heard.push(talk.heard);
    }
    for (way, other) in WAYS.iter().zip(&heard) {
        assert_eq!(heard[0], *other, "QUIC and {way:?}");
    }
    let offsets =
        heard[0].iter().zip(1..).filter(|(line, offset)| line.starts_with(&format!("message {offset} "))).count();
    assert_eq!(offsets, WAYS.len() * ROUNDS, "dense and in order");
}
