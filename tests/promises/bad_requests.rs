//! A request that cannot be done is refused with its class and a sentence, up to the very edge of each limit; the session goes on.

use callboard_protocol::error::Class;
use callboard_protocol::frame::{
    Answer, Call, ClientFrame, Emit, Provide, Publish, ServerFrame, Start, Subscribe, SubscribeOptions, Subscribed,
    Unsubscribe, Withdraw,
};
use callboard_protocol::limits::{
    CHANNEL_NAME_BYTES_MAX, INTEGER_MAX, KEY_BYTES_MAX, LABEL_BYTES_MAX, PAYLOAD_BYTES_DEFAULT, SENTENCE_BYTES_MAX,
};
use callboard_protocol::{Epoch, Offset, PayloadRef, Position, Sequence};
use callboard_tests::raw::Failure;
use callboard_tests::{Broker, Neighbour, Peer};

const CHANNEL: &str = "news";

#[tokio::test]
async fn a_payload_of_the_limit_is_taken_and_of_one_byte_more_is_not() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = guest(&broker).await;
    let subscribed = peer.subscribe(CHANNEL).await;
    let largest = "x".repeat(PAYLOAD_BYTES_DEFAULT);
    peer.publish(CHANNEL, largest.as_str()).await;
    for size in [PAYLOAD_BYTES_DEFAULT + 1, PAYLOAD_BYTES_DEFAULT * 2, (1 << 20) - 100] {
        let failure = peer.try_publish(CHANNEL, "x".repeat(size)).await.expect_err("it is too large");
        is_refused(&failure, Class::PayloadTooLarge);
        assert!(failure.sentence.contains(&PAYLOAD_BYTES_DEFAULT.to_string()), "{}", failure.sentence);
    }
    assert_eq!(peer.message().await.payload.as_str(), Some(largest.as_str()));
    peer.cast(CHANNEL, "x".repeat(PAYLOAD_BYTES_DEFAULT + 1)).await;
    let unasked =
        |frame: ServerFrame<'_>| if let ServerFrame::Failed(failed) = frame { Some(failed.into()) } else { None };
    is_refused(&peer.expect("a failure of request 0", unasked).await, Class::PayloadTooLarge);
    let next = peer.publish(CHANNEL, "on").await;
    assert_eq!(next.offset.value(), subscribed.next.value() + 1, "what was refused left no hole");
    neighbour.carries_on().await;
}

#[tokio::test]
async fn a_name_that_breaks_a_rule_is_refused_for_everything_that_takes_a_name() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = guest(&broker).await;
    let long = "n".repeat(CHANNEL_NAME_BYTES_MAX + 1);
    // 127 characters of two bytes and two of one are a byte too many all the same.
    let long_in_bytes = format!("{}nn", "ü".repeat(127));
    for name in [
        "",
        "/",
        "//",
        "/a",
        "a/",
        "a//b",
        "*",
        "**",
        "a/*",
        "*/a",
        "a/**",
        "**/a",
        "a/*/b",
        "\u{0}",
        "a\nb",
        "a\tb",
        "a\u{7f}",
        "a\u{80}b",
        "a\u{9f}b",
        "a/\r/b",
        &long,
        &long_in_bytes,
    ] {
        for failure in refusals(&mut peer, name).await {
            is_refused(&failure, Class::BadChannelName);
        }
        is_refused(&unsubscribe(&mut peer, name).await, Class::BadChannelName);
    }
    neighbour.carries_on().await;
}

#[tokio::test]
async fn a_name_that_only_looks_odd_is_a_name() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = guest(&broker).await;
    let longest = "n".repeat(CHANNEL_NAME_BYTES_MAX);
    let segments = "a/".repeat(127) + "a";
    for name in [
        longest.as_str(),
        &segments,
        "a*b",
        "***",
        "a/***",
        ">",
        "#",
        "+",
        "a b",
        " ",
        "..",
        "../..",
        "\u{202e}abc",
        "e\u{301}",
        "\u{feff}",
        "\u{fffd}",
        "😀",
        "__proto__",
        "everyone/else",
        "user",
        "User/7",
        "%2f",
        "a\\b",
    ] {
        peer.subscribe(name).await;
        let said = peer.publish(name, name).await;
        let heard = peer.message().await;
        assert_eq!((heard.offset, heard.payload.as_str()), (said.offset, Some(name)));
        peer.unsubscribe(name).await;
    }
    neighbour.carries_on().await;
}

#[tokio::test]
async fn names_that_the_server_gives_are_refused_for_subscribe_rewind_recover_and_publish() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = guest(&broker).await;
    for name in [
        "everyone",
        "anonymous",
        "authenticated",
        "user/7",
        "user/7/inbox",
        "role/admin",
        "permission/write",
        "room/1",
        "project/x/y/z",
    ] {
        for failure in refusals(&mut peer, name).await {
            is_refused(&failure, Class::ReservedChannel);
        }
        is_refused(&unsubscribe(&mut peer, name).await, Class::NotSubscribed);
    }
    neighbour.carries_on().await;
}

/// Asks for everything that brings a session and this channel together; all of it must fail.
async fn refusals(peer: &mut Peer, name: &str) -> Vec<Failure> {
    let mut failures = Vec::new();
    for start in [Start::Live, Start::Rewind(10), Start::Recover(at(1, 1))] {
        failures.push(peer.try_subscribe(name, start, SubscribeOptions::NONE).await.expect_err(name));
    }
    failures.push(peer.try_publish(name, "x").await.expect_err(name));
    failures
}

async fn unsubscribe(peer: &mut Peer, channel: &str) -> Failure {
    let request = peer.next_request();
    peer.send(&ClientFrame::Unsubscribe(Unsubscribe { request, channel })).await;
    peer.answer(request, |_| None::<()>).await.expect_err("nothing is subscribed")
}

#[tokio::test]
async fn a_wish_that_the_broker_does_not_know_fails_and_the_session_goes_on() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = guest(&broker).await;
    for options in [SubscribeOptions(2), SubscribeOptions(3), SubscribeOptions(u32::MAX)] {
        let failure = peer.try_subscribe(CHANNEL, Start::Live, options).await.expect_err("nobody knows what it means");
        is_refused(&failure, Class::BadRequest);
    }
    peer.subscribe(CHANNEL).await;
    neighbour.carries_on().await;
}

#[tokio::test]
async fn a_message_key_of_the_limit_is_taken_and_of_one_byte_more_is_not() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = guest(&broker).await;
    peer.subscribe(CHANNEL).await;
    let (longest, too_long) = ("k".repeat(KEY_BYTES_MAX), "k".repeat(KEY_BYTES_MAX + 1));
    is_refused(&publish_with(&mut peer, 0, Some(&too_long)).await.expect_err("the key is too long"), Class::BadRequest);
    publish_with(&mut peer, 0, Some(&longest)).await.expect("the longest key is one");
    publish_with(&mut peer, 0, Some("")).await.expect("an empty key is one");
    assert_eq!(peer.message().await.key, Some(longest));
    assert_eq!(peer.message().await.key.as_deref(), Some(""));
    neighbour.carries_on().await;
}

async fn publish_with(peer: &mut Peer, sequence: u64, key: Option<&str>) -> Result<Position, Failure> {
    let (request, sequence) = (peer.next_request(), Sequence::saturating(sequence));
    let publish = Publish { request, sequence, channel: CHANNEL, key, payload: PayloadRef::text("x") };
    peer.send(&ClientFrame::Publish(publish)).await;
    peer.answer(request, |answer| if let Answer::Published(position) = answer { Some(position) } else { None }).await
}

/// What is above the largest integer is malformed; the vectors say so, and `bad_bytes` sends them.
#[tokio::test]
async fn positions_at_the_edges_recover_nothing_and_say_so() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = guest(&broker).await;
    let mut last = peer.publish(CHANNEL, "the first").await;
    let epoch = last.epoch.value();
    for position in [
        at(0, 0),
        at(0, INTEGER_MAX),
        at(INTEGER_MAX, 0),
        at(INTEGER_MAX, INTEGER_MAX),
        at(epoch, INTEGER_MAX),
        at(epoch, last.offset.value() + 100),
        at(epoch, 1 << 32),
        at(epoch ^ 1, 1),
    ] {
        let subscribed = subscribe(&mut peer, Start::Recover(position)).await;
        assert!(!subscribed.recovered, "{position:?} was never reached");
        assert_eq!((subscribed.position, subscribed.next), (last, last.offset.next()), "{position:?}");
        last = peer.publish(CHANNEL, "on").await;
        assert_eq!(peer.message().await.offset, last.offset, "{position:?} is live");
        peer.unsubscribe(CHANNEL).await;
    }
    for start in [Start::Recover(at(epoch, 0)), Start::Rewind(u32::MAX), Start::Rewind(last.offset.value() as u32)] {
        let subscribed = subscribe(&mut peer, start).await;
        assert_eq!((subscribed.recovered, subscribed.next.value()), (true, 1), "{start:?}");
        while peer.message().await.offset < last.offset {}
        peer.unsubscribe(CHANNEL).await;
    }
    let subscribed = subscribe(&mut peer, Start::Rewind(0)).await;
    assert_eq!((subscribed.recovered, subscribed.next), (true, last.offset.next()));
    neighbour.carries_on().await;
}

/// Subscribes by a frame of its own, so that nothing of `start` is made smaller on the way.
async fn subscribe(peer: &mut Peer, start: Start) -> Subscribed {
    let (request, options) = (peer.next_request(), SubscribeOptions::NONE);
    peer.send(&ClientFrame::Subscribe(Subscribe { request, channel: CHANNEL, start, options })).await;
    let subscribed =
        |answer: Answer<'_>| if let Answer::Subscribed(subscribed) = answer { Some(subscribed) } else { None };
    peer.answer(request, subscribed).await.unwrap_or_else(|failure| panic!("{start:?}: {failure:?}"))
}

#[tokio::test]
async fn sequences_at_the_edges_are_ids_like_any_other() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = guest(&broker).await;
    let mut ids = Vec::new();
    // What does not ascend is odd; it is still remembered, and stored once.
    for sequence in [1, INTEGER_MAX, INTEGER_MAX - 1, 1 << 32, 2] {
        ids.push((sequence, publish_with(&mut peer, sequence, None).await.expect("it is a sequence")));
    }
    for (sequence, first) in &ids {
        assert_eq!(publish_with(&mut peer, *sequence, None).await.as_ref(), Ok(first), "sequence {sequence} again");
    }
    let one = publish_with(&mut peer, 0, None).await.expect("0 is no id");
    let two = publish_with(&mut peer, 0, None).await.expect("0 is no id");
    assert_eq!(two.offset, one.offset.next(), "what has no id is stored each time");
    neighbour.carries_on().await;
}

fn at(epoch: u64, offset: u64) -> Position {
    Position { epoch: Epoch::saturating(epoch), offset: Offset::saturating(offset) }
}

async fn guest(broker: &Broker) -> Peer {
    let mut peer = broker.peer().await;
    peer.hello().await;
    peer
}

#[track_caller]
fn is_refused(failure: &Failure, class: Class) {
    assert_eq!((failure.code, failure.class.as_str()), (class.code(), class.name()), "{}", failure.sentence);
    assert!((1..=SENTENCE_BYTES_MAX).contains(&failure.sentence.len()), "{failure:?}");
}

#[tokio::test]
async fn a_label_of_one_byte_too_many_is_refused_as_such_whatever_it_is_for() {
    let broker = Broker::start().await;
    let mut peer = guest(&broker).await;
    let (most, more) = ("l".repeat(LABEL_BYTES_MAX), "l".repeat(LABEL_BYTES_MAX + 1));
    for (first, second) in [(&most, &most), (&more, &most), (&most, &more)] {
        let nothing = PayloadRef::json("null");
        for number in 0..4 {
            let request = peer.next_request();
            let (frame, seconds) = match number {
                0 => (ClientFrame::Call(Call { request, service: first, method: second, arguments: nothing }), true),
                1 => (ClientFrame::Emit(Emit { request, service: first, event: second, payload: nothing }), true),
                2 => (ClientFrame::Provide(Provide { request, service: first }), false),
                _ => (ClientFrame::Withdraw(Withdraw { request, service: first }), false),
            };
            peer.send(&frame).await;
            let failure = peer.answer(request, |_| None::<()>).await.expect_err("there are no services");
            let is_long = first == &more || seconds && second == &more;
            is_refused(&failure, if is_long { Class::BadRequest } else { Class::NotImplemented });
        }
    }
}
