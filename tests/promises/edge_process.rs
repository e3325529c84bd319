//! `callboard bridge` as people run it: it serves browsers, says nothing of a secret, tells an outage once, and ends in order.

use std::net::UdpSocket;

use callboard::identity::{KeyStore, Rights};
use callboard_bridge_ws::Dialect;
use callboard_protocol::close::Code;
use callboard_tests::process::{BridgeProcess, Disk, command};
use callboard_tests::{Peer, Process, SOON, eventually, eventually_within, http};

const CHANNEL: &str = "news";
const DIALECTS: [Dialect; 2] = [Dialect::Binary, Dialect::Json];

#[tokio::test]
async fn a_bridge_serves_browsers_and_ends_in_order_when_it_is_asked_to() {
    let broker = Process::start().await;
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &[]).await;
    let mut native = broker.peer().await;
    native.hello().await;
    native.subscribe(CHANNEL).await;
    let mut browsers = Vec::new();
    for dialect in DIALECTS {
        let mut browser = Peer::upgrade(bridge.addr(), dialect).await;
        browser.hello().await;
        browser.publish(CHANNEL, "from afar").await;
        assert_eq!(native.message().await.payload.as_str(), Some("from afar"));
        browsers.push(browser);
    }
    let ended = tokio::spawn(bridge.terminate());
    for mut browser in browsers {
        assert_eq!(browser.goodbye().await.0, Code::ShuttingDown.number());
    }
    let ended = ended.await.expect("it has ended");
    assert!(ended.status.success(), "{}: {}", ended.status, ended.printed);
    assert!(ended.printed.contains("http://localhost:"), "it says where to go: {}", ended.printed);
}

#[tokio::test]
async fn no_secret_comes_into_its_log() {
    let broker = Process::start().await;
    let reporter = KeyStore::open(broker.data_dir()).expect("a store").create("reporter").expect("a key").reveal();
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &["--ws-cookie", "callboard_key"]).await;
    let wrong = format!("{}x", &reporter[..reporter.len() - 1]);
    for dialect in DIALECTS {
        for key in [&reporter, &wrong] {
            let fields = format!("Authorization: Bearer {key}\r\n");
            let mut browser = Peer::try_upgrade(bridge.addr(), dialect, &fields).await.expect("it is let in");
            browser.send_hello().await;
            browser.receive().await;
            browser.cast(CHANNEL, "a payload of its own").await;
        }
    }
    let body = r#"{"channel": "news", "payload": "a payload of its own"}"#;
    let fields = format!("Authorization: Bearer {reporter}\r\n");
    assert_eq!(http::post(bridge.addr(), "/v1/publish", &fields, body).await.status, 200);
    let key = bridge.key.clone();
    let printed = bridge.terminate().await.printed;
    assert!(printed.contains("a browser came"), "it tells what it does: {printed}");
    for secret in [&key, &reporter, &wrong] {
        let secret = secret.rsplit('_').next().expect("the end of a key");
        assert!(secret.len() > 20 && !printed.contains(secret), "a secret is in the log");
    }
    assert!(!printed.contains("a payload of its own"), "a payload is in the log");
}

#[tokio::test]
async fn an_outage_is_told_once_and_so_is_its_end() {
    let mut broker = Process::start_with(&["--metrics", "127.0.0.1:0"]).await;
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &[]).await;
    for outage in 1..=3 {
        // Each of its two connections could tell of it.
        eventually("both connections", async || {
            let metrics = broker.metrics().await.expect("it tells them");
            (metrics.value("callboard_bridges") == 2).then_some(())
        })
        .await;
        let ended = broker.terminate().await;
        let told = || bridge.printed().matches("the broker is away").count();
        eventually("the outage", async || (told() >= outage).then_some(())).await;
        broker = ended.restart().await;
    }
    let mut browser = Peer::upgrade(bridge.addr(), Dialect::Binary).await;
    browser.comes_in().await;
    let printed = bridge.terminate().await.printed;
    let told = |what: &str| printed.matches(what).count();
    assert_eq!((told("the broker is there"), told("the broker is away")), (4, 3), "{printed}");
}

#[tokio::test]
async fn a_broker_that_is_gone_without_a_word_is_noticed_within_seconds() {
    let (killed, stopped) = (Process::start().await, Process::start().await);
    let mut browsers = Vec::new();
    for broker in [&killed, &stopped] {
        let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &[]).await;
        let mut browser = Peer::upgrade(bridge.addr(), Dialect::Binary).await;
        browser.comes_in().await;
        browsers.push((bridge, browser));
    }
    stopped.pause();
    killed.kill().await;
    for (bridge, browser) in &mut browsers {
        // A client's own patience is thirty seconds.
        let told = async || bridge.printed().contains("the broker is away").then_some(());
        eventually_within(2 * SOON, "the outage", told).await;
        browser.suspended().await;
    }
}

#[tokio::test]
async fn a_key_without_the_right_ends_it_with_what_to_do() {
    let broker = Process::start().await;
    let plain = KeyStore::open(broker.data_dir()).expect("a store").create("plain").expect("a key").reveal();
    for (key, sentence) in [(plain.as_str(), "--bridge"), ("cb_nobody_nothing", "token list")] {
        let mut bridge = command(Disk::Roomy);
        bridge.args(["bridge", "--ws-listen", "127.0.0.1:0", "--upstream"]).arg(broker.addr().to_string());
        bridge.arg("--data-dir").arg(broker.data_dir()).env("CALLBOARD_API_KEY", key);
        let ended = tokio::task::spawn_blocking(move || bridge.output()).await.expect("no panic").expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains(sentence), "{said}");
    }
}

#[tokio::test]
async fn a_signal_before_the_broker_was_reached_ends_browsers_in_order_too() {
    // Nobody answers there, and nobody says that nobody does.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let other = Process::start().await;
    let bridge = BridgeProcess::start(silent.local_addr().expect("it is bound"), other.data_dir(), &[]).await;
    let mut browser = Peer::upgrade(bridge.addr(), Dialect::Binary).await;
    browser.send_hello().await;
    browser.suspended().await;
    let ended = tokio::spawn(bridge.terminate());
    assert_eq!(browser.goodbye().await.0, Code::ShuttingDown.number());
    let ended = ended.await.expect("it has ended");
    assert!(ended.status.success(), "{}: {}", ended.status, ended.printed);
}

#[tokio::test]
async fn a_bridge_whose_key_is_revoked_says_so_and_goes_on_with_the_next_one_in_its_file() {
    let broker = Process::start().await;
    let keys = KeyStore::open(broker.data_dir()).expect("a store");
    let next_key = || keys.create_with("edge", Rights { bridge: true }).expect("a key can be made");
    let file = broker.data_dir().join("edge.key");
    let first = next_key();
    std::fs::write(&file, first.reveal()).expect("a file");
    let file_name = file.to_str().expect("a path in UTF-8");
    let arguments = ["--api-key-file", file_name, "--metrics", "127.0.0.1:0"];
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &arguments).await;
    let metrics = bridge.metrics_addr().await;
    assert_eq!(http::get(metrics, "/readyz").await.status, 200);
    let mut browser = Peer::upgrade(bridge.addr(), Dialect::Binary).await;
    browser.comes_in().await;
    let second = next_key();
    keys.revoke(first.id()).expect("it is there");
    let nonce = browser.suspended().await;
    let told = async || bridge.printed().contains("the broker refuses this bridge").then_some(());
    eventually("word of it", told).await;
    assert_eq!(http::get(metrics, "/readyz").await.status, 503);
    let mut newcomer = Peer::upgrade(bridge.addr(), Dialect::Binary).await;
    newcomer.send_hello().await;
    let (_, sentence) = newcomer.suspended_why().await;
    assert!(sentence.contains("operator"), "{sentence}");
    std::fs::write(&file, second.reveal()).expect("a file");
    browser.back(nonce).await;
    assert_eq!(http::get(metrics, "/readyz").await.status, 200);
}
