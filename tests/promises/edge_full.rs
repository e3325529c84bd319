//! An edge that has little: few sessions a connection, or little room. It spreads its browsers, none waits for a place unawares, and a large message comes to all of them.

use std::net::Ipv4Addr;
use std::time::Duration;

use callboard_bridge_ws::Dialect;
use callboard_bridge_ws::edge::Limits;
use callboard_protocol::close::Code;
use callboard_tests::{Broker, Edge, Metrics, Peer, eventually, http, soon};
use futures_util::future::join_all;
use tokio::task::JoinSet;

const CHANNEL: &str = "news";
const ORDER: &str = r#"{"channel": "news", "payload": "x"}"#;

async fn two_a_connection() -> Broker {
    Broker::start_with(|config| config.limits.bridge_sessions = 2).await
}

async fn comes_in(edge: &Edge, dialect: Dialect) -> Peer {
    let mut browser = edge.peer(dialect).await;
    browser.comes_in().await;
    browser
}

async fn is_served(browser: &mut Peer) {
    browser.subscribe(CHANNEL).await;
    browser.publish(CHANNEL, "served").await;
}

#[tokio::test]
async fn more_browsers_than_its_connections_carry_get_further_connections() {
    let broker = two_a_connection().await;
    let edge = Edge::of(&broker).await;
    let mut browsers = Vec::new();
    for number in 0..9 {
        let dialect = if number % 2 == 0 { Dialect::Binary } else { Dialect::Json };
        browsers.push(comes_in(&edge, dialect).await);
    }
    for browser in &mut browsers {
        is_served(browser).await;
    }
}

/// What `edge` has room for at once does not decide who gets a message, however large that is.
async fn everybody_gets_half_a_mebibyte(limits: Limits, readers: usize) {
    let broker = Broker::start_with(|config| config.payload_bytes_max = 512 << 10).await;
    let edge = Edge::within(&broker, limits).await;
    let mut native = broker.peer().await;
    native.hello().await;
    let mut browsers = Vec::new();
    for number in 0..readers {
        let dialect = if number % 4 == 0 { Dialect::Json } else { Dialect::Binary };
        let mut browser = edge.visitor(dialect).await;
        browser.subscribe("large").await;
        browsers.push(browser);
    }
    for round in ["x", "y"] {
        let large = round.repeat(500_000);
        native.publish("large", large.as_str()).await;
        native.publish("large", "small").await;
        let read = browsers.iter_mut().map(async |browser| {
            assert_eq!(browser.message().await.payload.as_str(), Some(large.as_str()));
            assert_eq!(browser.message().await.payload.as_str(), Some("small"));
        });
        join_all(read).await;
    }
}

#[tokio::test]
async fn who_keeps_up_gets_a_large_message_however_many_get_it_at_once() {
    everybody_gets_half_a_mebibyte(Limits { outbox_bytes: 4 << 20, ..Limits::default() }, 40).await;
}

#[tokio::test]
async fn a_message_for_which_there_is_no_room_at_all_comes_to_one_after_the_other() {
    everybody_gets_half_a_mebibyte(Limits { outbox_bytes: 0, ..Limits::default() }, 8).await;
}

#[tokio::test]
async fn who_finds_no_place_on_any_connection_is_told_to_wait_and_served_when_one_is_free() {
    let broker = two_a_connection().await;
    // Two connections, which carry so many browsers with a broker as it comes.
    let edge = Edge::for_browsers(&broker, 1750).await;
    for dialect in [Dialect::Binary, Dialect::Json] {
        let mut inside = Vec::new();
        for _ in 0..4 {
            inside.push(comes_in(&edge, dialect).await);
        }
        let mut beyond = edge.peer(dialect).await;
        beyond.send_hello().await;
        let (nonce, sentence) = beyond.suspended_why().await;
        assert!(sentence.contains("has no place"), "{sentence}");
        let refused = http::post(edge.addr(), "/v1/publish", "Authorization: Bearer cb_x\r\n", ORDER).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.body.contains("has no place") && refused.head.contains("retry-after"), "{refused:?}");
        let mut leaving = inside.pop().expect("there are four");
        leaving.say_goodbye(Code::Finished.number()).await;
        drop(leaving);
        beyond.back(nonce).await;
        is_served(&mut beyond).await;
        for browser in &mut inside {
            is_served(browser).await;
        }
        drop((inside, beyond));
        eventually("the door to be empty", async || (edge.browsers() == 0).then_some(())).await;
    }
}

#[tokio::test]
async fn several_who_wait_have_each_a_place_that_is_free() {
    let broker = two_a_connection().await;
    let edge = Edge::for_browsers(&broker, 1750).await;
    let mut inside = Vec::new();
    for _ in 0..4 {
        inside.push(comes_in(&edge, Dialect::Binary).await);
    }
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let mut browser = edge.peer(Dialect::Binary).await;
        browser.send_hello().await;
        let nonce = browser.suspended().await;
        waiting.spawn(async move {
            browser.back(nonce).await;
            browser
        });
    }
    for _ in 0..3 {
        inside.pop();
        let mut browser = soon("a browser's turn", waiting.join_next()).await.expect("one waits").expect("it is in");
        is_served(&mut browser).await;
        inside.insert(0, browser);
    }
}

#[tokio::test]
async fn who_says_hello_after_the_broker_gave_up_its_place_gets_another_one() {
    let broker = Broker::start_with(|config| {
        config.limits.bridge_sessions = 2;
        config.hello_timeout = Duration::from_secs(1);
        config.metrics_listen = Some((Ipv4Addr::LOCALHOST, 0).into());
    })
    .await;
    let metrics = broker.inner().metrics_addr().expect("it serves them");
    let edge = Edge::for_browsers(&broker, 1750).await;
    let mut inside = Vec::new();
    for _ in 0..4 {
        inside.push(comes_in(&edge, Dialect::Binary).await);
    }
    let mut late = edge.peer(Dialect::Binary).await;
    late.send_hello().await;
    let nonce = late.suspended().await;
    drop(inside);
    late.resumed(nonce).await;
    // One of these has a later stream of the same connection: the broker opens all before it, and waits for their hello.
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(comes_in(&edge, Dialect::Json).await);
    }
    let (code, reason) = (Code::HandshakeTimeout.number(), Code::HandshakeTimeout.name());
    let given_up = format!("callboard_closes_total{{code=\"{code}\",reason=\"{reason}\"}}");
    eventually("the end of its place", async || {
        let metrics = soon("the metrics", Metrics::read(metrics)).await.expect("metrics");
        (metrics.value(&given_up) == 1).then_some(())
    })
    .await;
    // The edge has been told by then, on whichever connection.
    for other in &mut others {
        other.publish(CHANNEL, "served").await;
    }
    late.comes_in().await;
    is_served(&mut late).await;
}
