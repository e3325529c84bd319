//! At an edge a browser has what it has at the broker: its messages, its rights and no others, its limits, and an order in which everything ends.

use std::net::Ipv4Addr;

use callboard::identity::KeyStore;
use callboard_bridge_ws::Dialect;
use callboard_protocol::close::Code;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{ClientFrame, Goodbye, Introduce, Publish, ServerFrame};
use callboard_protocol::{Millis, PayloadRef, RequestId, Sequence};
use callboard_tests::{Broker, Edge, Metrics, Peer, eventually, http, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CHANNEL: &str = "news";
const DIALECTS: [Dialect; 2] = [Dialect::Binary, Dialect::Json];

fn key(broker: &Broker, name: &str) -> String {
    KeyStore::open(broker.data_dir()).expect("a store").create(name).expect("a key").reveal()
}

async fn anonymous_may_not_publish() -> Broker {
    Broker::start_with(|config| config.anonymous_publish = Some(false)).await
}

/// Who the broker takes the peer for that says hello now.
async fn identity(peer: &mut Peer) -> Option<String> {
    peer.send_hello().await;
    let welcome = |frame: ServerFrame<'_>| {
        let ServerFrame::Welcome(welcome) = frame else { return None };
        Some(welcome.identity.map(|identity| identity.key.to_owned()))
    };
    peer.expect("Welcome", welcome).await
}

#[tokio::test]
async fn browsers_and_natives_hear_each_other() {
    let broker = Broker::start().await;
    let edge = Edge::of(&broker).await;
    let mut native = broker.peer().await;
    native.hello().await;
    native.subscribe(CHANNEL).await;
    for dialect in DIALECTS {
        let mut browser = edge.visitor(dialect).await;
        browser.subscribe(CHANNEL).await;
        let said = native.publish(CHANNEL, "from a native").await;
        assert_eq!(browser.message().await.offset, said.offset);
        assert_eq!(native.message().await.offset, said.offset);
        let said = browser.publish(CHANNEL, "from a browser").await;
        assert_eq!(native.message().await.offset, said.offset);
        assert_eq!(browser.message().await.offset, said.offset);
    }
}

#[tokio::test]
async fn large_messages_pass_whole_in_both_directions() {
    let broker = Broker::start().await;
    let edge = Edge::of(&broker).await;
    let large = "ü".repeat(32 << 10);
    for dialect in DIALECTS {
        let mut browser = edge.visitor(dialect).await;
        browser.subscribe(CHANNEL).await;
        for _ in 0..8 {
            browser.publish(CHANNEL, large.as_str()).await;
        }
        for _ in 0..8 {
            assert_eq!(browser.message().await.payload.as_str(), Some(large.as_str()));
        }
    }
}

#[tokio::test]
async fn nothing_of_the_edges_own_key_reaches_a_browser() {
    let broker = anonymous_may_not_publish().await;
    let edge = Edge::of(&broker).await;
    for dialect in DIALECTS {
        let mut browser = edge.peer(dialect).await;
        assert_eq!(identity(&mut browser).await, None);
        let refused = browser.try_publish(CHANNEL, "x").await.expect_err("it is anonymous");
        assert_eq!(refused.class, Class::NotAuthenticated.name());
        // Nor does a browser open sessions for others.
        let mut forger = edge.peer(dialect).await;
        let introduce = Introduce {
            address: Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets(),
            origin: None,
            credential: None,
            private: true,
            ping_interval: Millis::ZERO,
            publishes: 0,
        };
        forger.send(&ClientFrame::Introduce(introduce)).await;
        assert_eq!(forger.goodbye().await.0, Code::OutOfOrder.number());
        let mut late = edge.visitor(dialect).await;
        late.send(&ClientFrame::Introduce(introduce)).await;
        assert_eq!(late.goodbye().await.0, Code::OutOfOrder.number());
    }
}

#[tokio::test]
async fn what_the_handshake_shows_is_the_browsers_own_credential() {
    let broker = anonymous_may_not_publish().await;
    let data_dir = broker.data_dir();
    let edge = Edge::open(broker.client_builder(), data_dir, |config| {
        config.rules.cookie = Some("callboard_key".to_owned());
        config.rules.origins = vec!["https://example.org".parse().expect("an origin")];
    })
    .await;
    edge.reaches_its_broker().await;
    let reporter = key(&broker, "reporter");
    for dialect in DIALECTS {
        for fields in [
            format!("Authorization: Bearer {reporter}\r\n"),
            format!("Origin: https://example.org\r\nCookie: callboard_key={reporter}\r\n"),
        ] {
            let mut browser = Peer::try_upgrade(edge.addr(), dialect, &fields).await.expect("it is let in");
            assert_eq!(identity(&mut browser).await.as_deref(), Some("reporter"));
            browser.publish(CHANNEL, "as the reporter").await;
        }
        let fields = "Authorization: Bearer cb_nobody_nothing\r\n";
        let mut stranger = Peer::try_upgrade(edge.addr(), dialect, fields).await.expect("it is let in");
        stranger.send_hello().await;
        assert_eq!(stranger.goodbye().await.0, Code::BadCredential.number());
    }
}

#[tokio::test]
async fn http_publishes_by_the_edge_under_the_keys_of_those_who_publish() {
    let broker = anonymous_may_not_publish().await;
    let edge = Edge::of(&broker).await;
    let mut listener = broker.peer().await;
    listener.hello().await;
    listener.subscribe(CHANNEL).await;
    let bearer = |key: &str| format!("Authorization: Bearer {key}\r\n");
    let body = r#"{"messages": [{"channel": "news", "payload": "one"}, {"channel": "a//b", "payload": "two"}]}"#;
    let answer = http::post(edge.addr(), "/v1/publish", &bearer(&key(&broker, "backend")), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let results = answer.json();
    assert_eq!(results["results"][0]["position"]["offset"], 1, "{results}");
    assert_eq!(results["results"][1]["failed"]["class"], Class::BadChannelName.name(), "{results}");
    let heard = listener.message().await;
    assert_eq!((heard.payload.as_str(), heard.publisher.as_deref()), (Some("one"), Some("backend")));
    let many: Vec<String> = (0..500).map(|number| format!(r#"{{"channel": "many", "payload": "{number}"}}"#)).collect();
    let body = format!(r#"{{"messages": [{}]}}"#, many.join(","));
    let answer = http::post(edge.addr(), "/v1/publish", &bearer(&key(&broker, "another")), &body).await;
    assert_eq!(answer.json()["results"][499]["position"]["offset"], 500, "{answer:?}");
    let wrong = http::post(edge.addr(), "/v1/publish", &bearer("cb_nobody_nothing"), &body).await;
    assert_eq!(wrong.status, 401, "{wrong:?}");
}

#[tokio::test]
async fn one_large_payload_reaches_many_channels() {
    let broker = anonymous_may_not_publish().await;
    let edge = Edge::of(&broker).await;
    let channels: Vec<String> = (0..100).map(|number| format!(r#""many/{number}""#)).collect();
    let body = format!(r#"{{"channels": [{}], "payload": "{}"}}"#, channels.join(","), "x".repeat(40 << 10));
    let fields = format!("Authorization: Bearer {}\r\n", key(&broker, "backend"));
    let results = http::post(edge.addr(), "/v1/publish", &fields, &body).await.json();
    for place in 0..100 {
        assert_eq!(results["results"][place]["position"]["offset"], 1, "{place}: {results}");
    }
}

#[tokio::test]
async fn a_slow_browser_is_ended_alone() {
    let broker = Broker::start_with(|config| {
        config.outbox.bytes = 128 << 10;
        config.metrics_listen = Some((Ipv4Addr::LOCALHOST, 0).into());
    })
    .await;
    let metrics = broker.inner().metrics_addr().expect("it serves them");
    let edge = Edge::of(&broker).await;
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    for dialect in DIALECTS {
        let (mut slow, mut other) = (edge.visitor(dialect).await, edge.visitor(dialect).await);
        slow.subscribe("much").await;
        other.subscribe("much").await;
        // What it does not read fills its socket first, which on loopback takes some MiB.
        let payload = "x".repeat(32 << 10);
        eventually("the end of the slow one", async || {
            let at = publisher.publish("much", payload.as_str()).await;
            while other.message().await.offset != at.offset {}
            let metrics = soon("the metrics", Metrics::read(metrics)).await.expect("metrics");
            (metrics.value("callboard_visitors") < 2).then_some(())
        })
        .await;
        // The edge waits for it a moment longer.
        assert_eq!(slow.sent_away().await.0, Code::TooSlow.number());
        other.publish(CHANNEL, "on").await;
        drop(other);
        eventually("the door to be empty", async || (edge.browsers() == 0).then_some(())).await;
    }
}

#[tokio::test]
async fn who_leaves_is_heard_to_the_end() {
    let broker = Broker::start().await;
    let edge = Edge::of(&broker).await;
    let mut listener = broker.peer().await;
    listener.hello().await;
    listener.subscribe(CHANNEL).await;
    for dialect in DIALECTS {
        let mut leaving = edge.visitor(dialect).await;
        // Each is answered, so that the broker finds out at once if nobody hears it any more.
        let words = "last words ".repeat(100);
        let publish = |request| {
            let payload = PayloadRef::text(&words);
            let (request, sequence) = (RequestId::saturating(request), Sequence::ZERO);
            ClientFrame::Publish(Publish { request, sequence, channel: CHANNEL, key: None, payload })
        };
        let mut said: Vec<ClientFrame<'_>> = (1..=500).map(publish).collect();
        said.push(ClientFrame::Goodbye(Goodbye { code: 4000, sentence: "", retry_after: None }));
        leaving.send_all(&said).await;
        for _ in 1..said.len() {
            assert_eq!(listener.message().await.payload.as_str(), Some(words.as_str()));
        }
        while leaving.next().await.is_ok() {}
        let mut gone = edge.visitor(dialect).await;
        gone.cast(CHANNEL, "and gone").await;
        drop(gone);
        assert_eq!(listener.message().await.payload.as_str(), Some("and gone"));
    }
}

#[tokio::test]
async fn an_edge_that_shuts_down_tells_its_browsers_and_loses_nothing() {
    let broker = Broker::start().await;
    let edge = Edge::of(&broker).await;
    let mut listener = broker.peer().await;
    listener.hello().await;
    listener.subscribe(CHANNEL).await;
    let mut browsers = Vec::new();
    for dialect in DIALECTS {
        let mut browser = edge.visitor(dialect).await;
        browser.cast(CHANNEL, "on the way").await;
        browsers.push(browser);
    }
    for _ in DIALECTS {
        listener.message().await;
    }
    let draining = tokio::spawn(edge.drain());
    for mut browser in browsers {
        let goodbye = |frame: ServerFrame<'_>| {
            let ServerFrame::Goodbye(goodbye) = frame else { return None };
            Some((goodbye.code, goodbye.retry_after.is_some()))
        };
        assert_eq!(browser.expect("Goodbye", goodbye).await, (Code::ShuttingDown.number(), true));
    }
    draining.await.expect("it has ended");
    listener.publish(CHANNEL, "the broker goes on").await;
}

#[tokio::test]
async fn an_edge_that_shuts_down_answers_the_publish_that_is_under_way() {
    let broker = anonymous_may_not_publish().await;
    let edge = Edge::of(&broker).await;
    let mut browser = edge.visitor(Dialect::Binary).await;
    let body = r#"{"channel": "news", "payload": "last"}"#;
    let head = format!(
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        body.len(),
        key(&broker, "backend"),
    );
    let mut request = soon("a TCP connection", TcpStream::connect(edge.addr())).await.expect("an open door");
    request.write_all(head.as_bytes()).await.expect("a door that listens");
    let mut go_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    soon("to be asked for the body", request.read_exact(&mut go_on)).await.expect("it is let in");
    let draining = tokio::spawn(edge.drain());
    assert_eq!(browser.goodbye().await.0, Code::ShuttingDown.number());
    while browser.next().await.is_ok() {}
    drop(browser);
    request.write_all(body.as_bytes()).await.expect("it still reads");
    let mut answer = String::new();
    soon("the answer", request.read_to_string(&mut answer)).await.expect("an answer of text");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    draining.await.expect("it has ended");
}
