//! A broker that is away is told to the browsers at its edge, who keep their connections, and go on where they were.

use std::time::Duration;

use callboard::identity::KeyStore;
use callboard_bridge_ws::Dialect;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{ClientFrame, Goodbye, Pong, ServerFrame, Start};
use callboard_protocol::{Nonce, Position};
use callboard_tests::{Broker, Edge, Peer, Process, Proxy, http};

const CHANNEL: &str = "news";
const DIALECTS: [Dialect; 2] = [Dialect::Binary, Dialect::Json];

/// Hears that the broker is away and back, and says hello again.
async fn comes_back(browser: &mut Peer) {
    let nonce = browser.suspended().await;
    browser.back(nonce).await;
}

async fn subscribed(edge: &Edge, dialect: Dialect) -> Peer {
    let mut browser = edge.visitor(dialect).await;
    browser.subscribe(CHANNEL).await;
    browser
}

#[tokio::test]
async fn a_broker_that_is_killed_and_started_again_finds_its_browsers_on_their_old_connections() {
    let broker = Process::start().await;
    let edge = Edge::of_process(&broker).await;
    let mut browsers = Vec::new();
    for dialect in DIALECTS {
        let mut browser = subscribed(&edge, dialect).await;
        let position = browser.publish(CHANNEL, "before").await;
        browsers.push((browser, position));
    }
    let ended = broker.kill().await;
    let mut nonces = Vec::new();
    for (browser, _) in &mut browsers {
        nonces.push(browser.suspended().await);
    }
    let broker = ended.restart().await;
    for ((browser, position), nonce) in browsers.iter_mut().zip(nonces) {
        browser.back(nonce).await;
        // The messages died with the broker, and that is told.
        assert!(!browser.subscribe_from(CHANNEL, Start::Recover(*position)).await.recovered);
    }
    let client = broker.client().await;
    client.publish_acked(CHANNEL, "after").await.expect("published");
    for (mut browser, _) in browsers {
        assert_eq!(browser.message().await.payload.as_str(), Some("after"));
    }
}

#[tokio::test]
async fn a_broker_that_shuts_down_suspends_its_browsers() {
    let broker = Process::start().await;
    let edge = Edge::of_process(&broker).await;
    let mut browsers = Vec::new();
    for dialect in DIALECTS {
        browsers.push(subscribed(&edge, dialect).await);
    }
    let ended = broker.terminate().await;
    let broker = ended.restart().await;
    for browser in &mut browsers {
        comes_back(browser).await;
        browser.publish(CHANNEL, "again").await;
    }
    drop(broker);
}

#[tokio::test]
async fn who_was_cut_off_from_a_broker_that_lives_recovers_everything() {
    let broker = Broker::start().await;
    let proxy = Proxy::before(broker.addr()).await;
    let edge = Edge::open(broker.client_builder_by(proxy.addr()), broker.data_dir(), |_| ()).await;
    edge.reaches_its_broker().await;
    let mut native = broker.peer().await;
    native.hello().await;
    for dialect in DIALECTS {
        let mut browser = subscribed(&edge, dialect).await;
        let last: Position = native.publish(CHANNEL, "heard").await;
        assert_eq!(browser.message().await.offset, last.offset);
        proxy.cut();
        let nonce = browser.suspended().await;
        for number in 0..5 {
            native.publish(CHANNEL, format!("missed {number}")).await;
        }
        proxy.heal();
        browser.back(nonce).await;
        assert!(browser.subscribe_from(CHANNEL, Start::Recover(last)).await.recovered);
        for number in 0..5 {
            assert_eq!(browser.message().await.payload.as_str(), Some(format!("missed {number}").as_str()));
        }
    }
}

#[tokio::test]
async fn a_browser_that_comes_while_the_broker_is_away_waits_and_is_served() {
    let broker = Process::start().await;
    let edge = Edge::of_process(&broker).await;
    let mut witness = edge.visitor(Dialect::Binary).await;
    let ended = broker.kill().await;
    witness.suspended().await;
    let mut waiting = Vec::new();
    for dialect in DIALECTS {
        let mut browser = edge.peer(dialect).await;
        browser.send_hello().await;
        let (nonce, sentence) = browser.suspended_why().await;
        assert!(sentence.contains("is away"), "{sentence}");
        waiting.push((browser, nonce));
    }
    let refused =
        http::post(edge.addr(), "/v1/publish", "Authorization: Bearer cb_x\r\n", r#"{"channel":"a","payload":"x"}"#)
            .await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let _broker = ended.restart().await;
    for (mut browser, nonce) in waiting {
        browser.back(nonce).await;
        browser.subscribe(CHANNEL).await;
        browser.publish(CHANNEL, "served").await;
        assert_eq!(browser.message().await.payload.as_str(), Some("served"));
    }
}

#[tokio::test]
async fn what_is_said_before_the_pong_belongs_to_no_session() {
    let broker = Process::start().await;
    let edge = Edge::of_process(&broker).await;
    for_each_suspended(broker, &edge, async |browser, broker| {
        let nonce = browser.suspended().await;
        // Said into the session that is over, and a pong of something else.
        browser.cast(CHANNEL, "of the old session").await;
        browser.send(&ClientFrame::Pong(Pong { nonce: Nonce::saturating(7) })).await;
        let broker = broker.restart().await;
        browser.back(nonce).await;
        let subscribed = browser.subscribe_from(CHANNEL, Start::Rewind(10)).await;
        assert_eq!(subscribed.position.offset.value(), 0, "nothing was published");
        broker
    })
    .await;
}

/// Has this happen in each dialect to a browser whose broker was killed; it is to give back a broker.
async fn for_each_suspended(
    mut broker: Process,
    edge: &Edge,
    scenario: impl AsyncFn(&mut Peer, callboard_tests::process::Ended) -> Process,
) {
    for dialect in DIALECTS {
        let mut browser = edge.visitor(dialect).await;
        let ended = broker.kill().await;
        broker = scenario(&mut browser, ended).await;
    }
}

#[tokio::test]
async fn who_does_not_answer_while_it_waits_is_given_up_and_who_does_may_wait_for_long() {
    let broker = Process::start().await;
    let edge = Edge::open(broker.client_builder(), broker.data_dir(), |config| {
        config.heartbeat.interval = Duration::from_millis(250);
        config.heartbeat.grace = Duration::from_secs(4);
    })
    .await;
    edge.reaches_its_broker().await;
    let (mut silent, mut patient) = (edge.visitor(Dialect::Binary).await, edge.visitor(Dialect::Json).await);
    let ended = broker.kill().await;
    let nonce = patient.suspended().await;
    // The two came by different connections: now both are known to be gone.
    silent.suspended().await;
    patient.send(&ClientFrame::Pong(Pong { nonce })).await;
    // Many times the grace of the one who says nothing.
    let mut pings = 0;
    while pings < 20 {
        if let ServerFrame::Ping(ping) = patient.receive().await.frame() {
            pings += 1;
            let nonce = ping.nonce;
            patient.send(&ClientFrame::Pong(Pong { nonce })).await;
        }
    }
    let goodbye = loop {
        if let ServerFrame::Goodbye(Goodbye { code, .. }) = silent.receive().await.frame() {
            break code;
        }
    };
    assert_eq!(goodbye, Code::Idle.number());
    let _broker = ended.restart().await;
    let resumed = |frame: ServerFrame<'_>| {
        let ServerFrame::Resumed(resumed) = frame else { return None };
        Some(resumed.nonce)
    };
    assert_eq!(patient.expect("Resumed", resumed).await, nonce);
}

#[tokio::test]
async fn an_edge_with_suspended_browsers_shuts_down_in_order() {
    let broker = Process::start().await;
    let edge = Edge::of_process(&broker).await;
    let mut browsers = Vec::new();
    for dialect in DIALECTS {
        browsers.push(edge.visitor(dialect).await);
    }
    broker.kill().await;
    for browser in &mut browsers {
        browser.suspended().await;
    }
    let draining = tokio::spawn(edge.drain());
    for mut browser in browsers {
        assert_eq!(browser.goodbye().await.0, Code::ShuttingDown.number());
    }
    draining.await.expect("it has ended");
}

#[tokio::test]
async fn a_publish_that_was_never_let_in_says_so() {
    let broker = Process::start().await;
    let key = KeyStore::open(broker.data_dir()).expect("a store").create("backend").expect("a key").reveal();
    let edge = Edge::open(broker.client_builder(), broker.data_dir(), |config| {
        config.limits.request_timeout = Duration::from_millis(500);
    })
    .await;
    edge.reaches_its_broker().await;
    broker.pause();
    let fields = format!("Authorization: Bearer {key}\r\n");
    let answer = http::post(edge.addr(), "/v1/publish", &fields, r#"{"channel": "news", "payload": "x"}"#).await;
    broker.resume();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.contains("in time; this was not published"), "{answer:?}");
}
