//! A backend publishes over HTTP with a key in `Authorization`, in JSON; each message has its own outcome.

use callboard_protocol::Payload;

use crate::house::House;
use crate::peer::{Answer, Peer, soon};

const JSON: &str = "Content-Type: application/json\r\n";
const KEY: &str = "Authorization: Bearer good\r\n";

async fn post(house: &House, lines: &str, body: &str) -> Answer {
    let mut peer = Peer::dial(house.door.address()).await;
    let length = body.len();
    peer.say(format!("POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{lines}\r\n{body}"))
        .await;
    peer.answer().await
}

#[tokio::test]
async fn a_batch_is_published_in_order_and_answered_with_offsets() {
    let house = House::open().await;
    let body = r#"{"messages":[
        {"channel":"demo/a","payload":"hi"},
        {"channels":["demo/a","bad//name"],"key":"k","payload":{"kind":"json","json":{"a": 1.50}}},
        {"channel":"demo/b","payload":{"kind":"binary","hex":"00ff"}}]}"#;
    let answer = post(&house, &format!("{JSON}{KEY}"), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.body,
        concat!(
            r#"{"results":[{"channel":"demo/a","position":{"epoch":7,"offset":1}},"#,
            r#"{"channel":"demo/a","position":{"epoch":7,"offset":2}},"#,
            r#"{"channel":"bad//name","failed":{"code":400,"class":"bad-channel-name","sentence":"there is an empty segment"}},"#,
            r#"{"channel":"demo/b","position":{"epoch":7,"offset":3}}]}"#,
            "\n"
        )
    );
    let published = house.bus.published.lock().unwrap();
    let told: Vec<_> =
        published.iter().map(|(_, item)| (item.channel.as_str(), item.key.as_deref(), item.payload.clone())).collect();
    let expected = [
        ("demo/a", None, Payload::text("hi")),
        ("demo/a", Some("k"), Payload::json(r#"{"a": 1.50}"#)),
        ("demo/b", None, Payload::binary(&b"\x00\xff"[..])),
    ];
    assert_eq!(told, expected, "a JSON payload is carried as it was written");
}

#[tokio::test]
async fn one_message_may_stand_alone_and_its_failure_is_the_status() {
    let house = House::open().await;
    let good = post(&house, &format!("{JSON}{KEY}"), r#"{"channel":"demo","payload":"hi"}"#).await;
    assert_eq!(
        (good.status, good.body.as_str()),
        (200, "{\"results\":[{\"channel\":\"demo\",\"position\":{\"epoch\":7,\"offset\":1}}]}\n")
    );
    let bad = post(&house, &format!("{JSON}{KEY}"), r#"{"channel":"a//b","payload":"hi"}"#).await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn a_request_that_is_not_in_order_is_refused_whole() {
    let house = House::with(|config| {
        config.limits.publish_bytes = 10_000;
        config.limits.publish_messages = 3;
        config.rules.cookie = Some("session".into());
    })
    .await;
    let message = r#"{"channel":"demo","payload":"hi"}"#;
    let many = format!(r#"{{"messages":[{message},{message},{message},{message}]}}"#);
    let long = format!(r#"{{"channel":"demo","payload":"{}"}}"#, "x".repeat(10_000));
    let deep = format!(r#"{{"channel":"demo","payload":{{"kind":"json","json":{}}}}}"#, "[".repeat(5000));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (lines, body, status, class) in [
        (format!("{KEY}{form}"), message, 415, "bad-request"),
        (format!("{KEY}Content-Type: text/plain; application/json\r\n"), message, 415, "bad-request"),
        (format!("{KEY}{JSON}{JSON}"), message, 415, "bad-request"),
        (KEY.to_owned(), message, 415, "bad-request"),
        (JSON.to_owned(), message, 401, "not-authenticated"),
        (format!("{JSON}Cookie: session=good\r\n"), message, 401, "not-authenticated"),
        (format!("{JSON}Authorization: Basic Z29vZA==\r\n"), message, 401, "not-authenticated"),
        (format!("{JSON}Authorization: Bearer stranger\r\n"), message, 401, "not-authenticated"),
        (format!("{JSON}{KEY}Origin: https://evil.example\r\n"), message, 403, "forbidden"),
        (format!("{JSON}Authorization: Bearer busy\r\n"), message, 429, "too-many-requests"),
        (format!("{JSON}{KEY}"), &long, 413, "payload-too-large"),
        (format!("{JSON}{KEY}"), &many, 413, "payload-too-large"),
        (format!("{JSON}{KEY}"), &deep, 400, "bad-request"),
        (format!("{JSON}{KEY}"), "", 400, "bad-request"),
        (format!("{JSON}{KEY}Content-Encoding: gzip\r\n"), message, 415, "bad-request"),
        (format!("{JSON}{KEY}"), "[]", 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"[null,"p/a",null,null,"hi"]"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"[null,null,["p/a","p/b"],null,{"kind":"json","json":1}]"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"messages":[["p/a",null,null,"hi"]]}"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"messages":[]}"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"channel":"demo"}"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"payload":"hi"}"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"channel":"demo","payload":7}"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"channel":"demo","payload":"hi","publisher":"me"}"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"channel":"demo","payload":"hi","messages":[]}"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"channel":"a","channels":["b"],"payload":"hi"}"#, 400, "bad-request"),
        (format!("{JSON}{KEY}"), r#"{"channel":"demo","channel":"twice","payload":"hi"}"#, 400, "bad-request"),
    ] {
        let answer = post(&house, &lines, body).await;
        assert_eq!(answer.status, status, "{lines}\n{answer:?}");
        assert!(answer.body.contains(&format!("\"class\":\"{class}\"")), "{answer:?}");
        assert_eq!(answer.field("www-authenticate"), (status == 401).then_some("Bearer"));
        assert_eq!(answer.field("retry-after"), (status == 429).then_some("2"));
    }
    assert!(house.bus.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_value_in_the_place_of_a_payload_is_told_how_it_is_written() {
    let house = House::open().await;
    for payload in [r#"{"door":3}"#, "7", "[1]"] {
        let body = format!(r#"{{"channel":"demo","payload":{payload}}}"#);
        let answer = post(&house, &format!("{JSON}{KEY}"), &body).await;
        let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let wanted =
            r#"message 0: payload: must be a string, or an object with a `kind`, such as {"kind":"json","json":…}"#;
        assert_eq!((answer.status, told["sentence"].as_str()), (400, Some(wanted)), "{payload}");
    }
}

#[tokio::test]
async fn a_body_in_chunks_has_the_same_limit() {
    let house = House::with(|config| config.limits.publish_bytes = 1000).await;
    let mut peer = Peer::dial(house.door.address()).await;
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400)).repeat(10);
    peer.say(format!(
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{JSON}{KEY}\r\n{chunk}"
    ))
    .await;
    assert_eq!(peer.answer().await.status, 413);
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_is_not_waited_for() {
    let house = House::open().await;
    let mut peer = Peer::dial(house.door.address()).await;
    peer.say(format!("POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n{JSON}{KEY}\r\n"))
        .await;
    assert_eq!(peer.answer().await.status, 413);
}

#[tokio::test]
async fn whoever_is_refused_amid_a_body_is_listened_to_for_a_while() {
    let house = House::open().await;
    let mut peer = Peer::dial(house.door.address()).await;
    peer.say(format!("POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n{JSON}{KEY}\r\n"))
        .await;
    peer.say("x".repeat(1_000_000)).await;
    assert_eq!(peer.answer().await.status, 413);
    assert!(peer.is_listened_to().await, "a socket that is closed amid what it is sent takes its answer back");
}

#[tokio::test]
async fn a_strangers_body_is_not_waited_for() {
    let house = House::open().await;
    for key in ["", "Authorization: Bearer stranger\r\n"] {
        let mut peer = Peer::dial(house.door.address()).await;
        peer.say(format!(
            "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n{JSON}{key}\r\n{{"
        ))
        .await;
        assert_eq!(peer.answer().await.status, 401, "{key}");
    }
}

#[tokio::test]
async fn a_body_may_come_in_chunks_of_a_byte_and_a_list_is_as_long_as_it_may_be() {
    let house = House::open().await;
    let body = format!(r#"{{"channels":[{}"demo"],"payload":"hi"}}"#, r#""demo","#.repeat(999));
    let chunks: String = body.bytes().map(|byte| format!("1\r\n{}\r\n", char::from(byte))).collect();
    let mut peer = Peer::dial(house.door.address()).await;
    peer.say(format!(
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{JSON}{KEY}\r\n{chunks}0\r\n\r\n"
    ))
    .await;
    assert_eq!(peer.answer().await.status, 200);
    for list in [r#""demo","#.repeat(1000), r#""","#.repeat(300_000)] {
        let body = format!(r#"{{"channels":[{list}"demo"],"payload":"hi"}}"#);
        let answer = post(&house, &format!("{JSON}{KEY}"), &body).await;
        assert!(answer.status == 413 && answer.body.contains("at most 1000 messages"), "{answer:?}");
        let items = list.replace(r#""demo""#, "{}").replace(r#""""#, "{}");
        let answer = post(&house, &format!("{JSON}{KEY}"), &format!(r#"{{"messages":[{items}{{}}]}}"#)).await;
        assert!(answer.status == 413 && answer.body.contains("at most 1000 messages"), "{answer:?}");
    }
    let broken = format!(r#"{{"messages":[{}7]}}"#, r#"{"channel":"demo","payload":"hi"},"#.repeat(3));
    let answer = post(&house, &format!("{JSON}{KEY}"), &broken).await;
    assert!(answer.status == 400 && answer.body.contains("`messages`: expected an object"), "{answer:?}");
}

#[tokio::test]
async fn bodies_under_way_share_a_bound_and_whoever_passes_it_is_told_when_to_come_again() {
    let house = House::with(|config| config.limits = config.limits.with_publishes_bytes(64 << 10)).await;
    let head = format!("POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000\r\n{JSON}{KEY}\r\n");
    let mut slow = Vec::new();
    // Each has paid for as much as has come, and for no more.
    for _ in 0..4 {
        let mut peer = Peer::dial(house.door.address()).await;
        peer.say(format!("{head}{}", " ".repeat(15_900))).await;
        slow.push(peer);
    }
    let message = r#"{"channel":"demo","payload":"hi"}"#;
    let refused = soon(async {
        loop {
            let answer = post(&house, &format!("{JSON}{KEY}"), message).await;
            if answer.status != 200 {
                break answer;
            }
        }
    })
    .await;
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")), "{refused:?}");
    assert!(refused.body.contains(r#""class":"unavailable""#) && refused.body.contains(r#""retry_after_ms":1000"#));
    for mut peer in slow {
        peer.say(format!("{message}{}", " ".repeat(100 - message.len()))).await;
        assert_eq!(peer.answer().await.status, 200);
    }
    assert_eq!(post(&house, &format!("{JSON}{KEY}"), message).await.status, 200, "room comes back");
}

#[tokio::test]
async fn an_answer_repeats_channels_alone_each_escaped_and_once() {
    let house = House::open().await;
    let long = "x".repeat(900_000);
    for channel in
        ["//\"},{\"position\":1}", "//</script>\u{1}\u{7f}\u{2028}\r\n", "//ü\u{1f3ad}\\", &format!("//{long}")]
    {
        let body = serde_json::json!({ "channel": channel, "payload": "hi" }).to_string();
        let answer = post(&house, &format!("{JSON}{KEY}"), &body).await;
        assert_eq!((answer.status, answer.field("x-content-type-options")), (400, Some("nosniff")));
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert!(answer.body.len() < body.len() + 200, "{} bytes for {}", answer.body.len(), body.len());
        assert!(!answer.body.trim_end().contains(|letter| letter < ' '), "{:.200}", answer.body);
        let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(told["results"].as_array().map(Vec::len), Some(1));
        assert_eq!(told["results"][0]["channel"], channel);
    }
    for body in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"channel":["{long}"],"payload":"hi"}}"#),
        format!(r#"{{"messages":{{"{long}":1}}}}"#),
        format!(r#"{{"messages":[{{"{long}":1}}]}}"#),
        format!(r#"{{"channels":[{{"{long}":1}}],"payload":"hi"}}"#),
        format!(r#"{{"channel":"demo","payload":{{"kind":"{long}"}}}}"#),
        format!(r#"{{"channel":"demo","payload":{{"{long}":1}}}}"#),
        format!(r#"{{"channel":"demo","key":"{long}","payload":"hi"}}"#),
        long,
    ] {
        let answer = post(&house, &format!("{JSON}{KEY}"), &body).await;
        assert!(answer.status >= 400 && answer.body.len() < 400, "{} {:.500}", answer.status, answer.body);
    }
}
