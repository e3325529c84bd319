//! Whoever runs an edge sees from its metrics who is in, who waits and for what, and what became of everybody else.

use callboard::identity::KeyStore;
use callboard_bridge_ws::Dialect;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{ClientFrame, Pong};
use callboard_tests::process::BridgeProcess;
use callboard_tests::{Broker, Peer, Process, eventually, http};

const CHANNEL: &str = "news";
const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:0"];

/// Waits until a bridge tells this of itself.
async fn tells(bridge: &BridgeProcess, name: &str, value: u64) {
    let told = async || (bridge.metrics().await.value(name) == value).then_some(());
    eventually(&format!("{name} {value}"), told).await;
}

fn browsers(state: &str) -> String {
    format!("callboard_browsers{{state=\"{state}\"}}")
}

fn refused(reason: &str) -> String {
    format!("callboard_sessions_refused_total{{reason=\"{reason}\"}}")
}

fn closes(code: Code) -> String {
    format!("callboard_closes_total{{code=\"{}\",reason=\"{}\"}}", code.number(), code.name())
}

async fn visitor(bridge: &BridgeProcess, dialect: Dialect) -> Peer {
    let mut browser = Peer::upgrade(bridge.addr(), dialect).await;
    browser.hello().await;
    browser
}

#[tokio::test]
async fn who_is_in_and_what_went_by_is_counted() {
    let broker = Process::start().await;
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &METRICS).await;
    tells(&bridge, "callboard_upstream_connections{state=\"up\"}", 2).await;
    let quiet = Peer::upgrade(bridge.addr(), Dialect::Json).await;
    let (mut one, mut two) = (visitor(&bridge, Dialect::Binary).await, visitor(&bridge, Dialect::Json).await);
    one.publish(CHANNEL, "said").await;
    tells(&bridge, &browsers("new"), 1).await;
    tells(&bridge, &browsers("open"), 2).await;
    let key = KeyStore::open(broker.data_dir()).expect("a store").create("reporter").expect("a key").reveal();
    let body = r#"{"channels": ["news", "user/7"], "payload": "x"}"#;
    let published = http::post(bridge.addr(), "/v1/publish", &format!("Authorization: Bearer {key}\r\n"), body).await;
    assert_eq!(published.status, 200, "{published:?}");
    two.say_goodbye(Code::Finished.number()).await;
    tells(&bridge, &browsers("open"), 1).await;
    tells(&bridge, &closes(Code::Finished), 1).await;
    let stranger = Peer::try_upgrade(bridge.addr(), Dialect::Json, "Origin: https://evil.example\r\n").await;
    assert!(stranger.is_err_and(|status| status.contains(" 403 ")));
    let told = bridge.metrics().await;
    for (name, value) in [
        ("callboard_accepting", 1),
        ("callboard_panics_total", 0),
        ("callboard_sessions_opened_total", 2),
        ("callboard_http_refused_total{status=\"403\"}", 1),
        ("callboard_http_publishes_total", 2),
        ("callboard_http_published_total", 1),
        ("callboard_upstream_outages_total", 0),
    ] {
        assert_eq!(told.value(name), value, "{name}");
    }
    assert!(told.value("callboard_memory_bound_bytes") > 0);
    assert!(told.value("callboard_read_bytes_total") > 0 && told.value("callboard_written_bytes_total") > 0);
    drop(quiet);
    tells(&bridge, &browsers("new"), 0).await;
}

#[tokio::test]
async fn an_outage_and_those_who_wait_for_its_end_are_counted() {
    let broker = Process::start().await;
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &METRICS).await;
    tells(&bridge, "callboard_upstream_connections{state=\"up\"}", 2).await;
    let mut browser = visitor(&bridge, Dialect::Binary).await;
    let ended = broker.terminate().await;
    let nonce = browser.suspended().await;
    let mut late = Peer::upgrade(bridge.addr(), Dialect::Json).await;
    tells(&bridge, "callboard_upstream_outages_total", 1).await;
    late.send_hello().await;
    let late_nonce = late.suspended().await;
    let told = bridge.metrics().await;
    assert_eq!(told.value(&browsers("suspended")), 2);
    assert_eq!(told.value(&refused("away")), 1);
    assert_eq!(told.value("callboard_upstream_connections{state=\"up\"}"), 0);
    assert_eq!(told.value("callboard_upstream_connections{state=\"down\"}"), 2);
    let _broker = ended.restart().await;
    browser.back(nonce).await;
    late.back(late_nonce).await;
    tells(&bridge, &browsers("open"), 2).await;
    assert_eq!(bridge.metrics().await.value("callboard_upstream_outages_total"), 1);
}

#[tokio::test]
async fn who_waits_for_a_place_at_the_broker_is_counted_apart() {
    let broker = Broker::start_with(|config| config.limits.bridge_sessions = 1).await;
    // Two connections at most, with a session each.
    let arguments = [METRICS[0], METRICS[1], "--limits-connections", "1750"];
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &arguments).await;
    tells(&bridge, "callboard_upstream_connections{state=\"up\"}", 2).await;
    let mut inside = Vec::new();
    for _ in 0..2 {
        let mut browser = Peer::upgrade(bridge.addr(), Dialect::Binary).await;
        browser.comes_in().await;
        inside.push(browser);
    }
    let mut beyond = Peer::upgrade(bridge.addr(), Dialect::Json).await;
    beyond.send_hello().await;
    let nonce = beyond.suspended().await;
    beyond.send(&ClientFrame::Pong(Pong { nonce })).await;
    tells(&bridge, &browsers("waiting"), 1).await;
    let told = bridge.metrics().await;
    assert_eq!((told.value(&browsers("suspended")), told.value(&browsers("open"))), (0, 2));
    let full = told.value(&refused("full"));
    assert!(full > 0);
    let body = r#"{"channel": "news", "payload": "x"}"#;
    let post = http::post(bridge.addr(), "/v1/publish", "Authorization: Bearer cb_x\r\n", body).await;
    assert_eq!(post.status, 503, "{post:?}");
    assert_eq!(bridge.metrics().await.value(&refused("full")), full + 1);
}

#[tokio::test]
async fn who_finds_no_room_at_the_edge_is_counted_by_the_limit() {
    let broker = Broker::start().await;
    for (limit, reason) in
        [("--limits-connections", "connections"), ("--limits-connections-per-address", "connections_per_address")]
    {
        let arguments = [METRICS[0], METRICS[1], limit, "1"];
        let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &arguments).await;
        let inside = Peer::upgrade(bridge.addr(), Dialect::Binary).await;
        let refusal = Peer::try_upgrade(bridge.addr(), Dialect::Binary, "").await.expect_err("one is in");
        assert!(refusal.contains("503"), "{refusal}");
        tells(&bridge, &refused(reason), 1).await;
        drop(inside);
    }
}

#[tokio::test]
async fn a_drain_is_seen_while_it_lasts() {
    let broker = Process::start().await;
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &METRICS).await;
    let (door, metrics) = (bridge.addr(), bridge.metrics_addr().await);
    tells(&bridge, "callboard_upstream_connections{state=\"up\"}", 2).await;
    assert_eq!(http::get(metrics, "/readyz").await.status, 200);
    // Somebody who is waited for.
    broker.pause();
    let body = r#"{"channel": "news", "payload": "x"}"#;
    let request = tokio::spawn(http::post(door, "/v1/publish", "Authorization: Bearer cb_x\r\n", body));
    tells(&bridge, "callboard_http_publishes_total", 1).await;
    let ended = tokio::spawn(bridge.terminate());
    let drains = async || (http::get(metrics, "/readyz").await.status == 503).then_some(());
    eventually("the drain", drains).await;
    broker.resume();
    drop(request.await.expect("it was answered"));
    assert!(ended.await.expect("it has ended").status.success());
}
