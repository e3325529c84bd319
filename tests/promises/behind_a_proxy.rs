//! Nobody who comes through a proxy passes for this machine: whatever the visitor writes, and whether the proxy is known or not.

use std::net::SocketAddr;

use callboard::identity::KeyStore;
use callboard_bridge_ws::Dialect;
use callboard_bridge_ws::rules::Rules;
use callboard_protocol::error::Class;
use callboard_tests::{Broker, Edge, Peer, http};

const CHANNEL: &str = "news";

/// What a broker takes from a peer only if it is on this machine: a publish of nobody, and a key over a plain connection.
async fn taken(door: SocketAddr, key: &str, fields: &str) -> (bool, bool, bool) {
    let mut peer = Peer::try_upgrade(door, Dialect::Json, fields).await.expect("it shows nothing");
    peer.hello().await;
    let published = peer.try_publish(CHANNEL, "x").await;
    if let Err(failure) = &published {
        assert_eq!(failure.class, Class::NotAuthenticated.name(), "{fields}");
    }
    let fields = format!("{fields}Authorization: Bearer {key}\r\n");
    let opened = Peer::try_upgrade(door, Dialect::Json, &fields).await;
    let posted = http::post(door, "/v1/publish", &fields, r#"{"channel":"news","payload":"x"}"#).await.status;
    assert!(opened.is_ok() || posted == 403, "{fields}");
    (published.is_ok(), opened.is_ok(), posted == 200)
}

async fn judge(rules: Rules, cases: &[(&str, bool)]) {
    let broker = Broker::start_for_browsers(|config| {
        config.anonymous_publish = None;
        config.ws.hosts.clone_from(&rules.hosts);
        config.ws.trusted_proxies.clone_from(&rules.trusted_proxies);
    })
    .await;
    let edge = Edge::open(broker.client_builder(), broker.data_dir(), |config| config.rules = rules).await;
    edge.reaches_its_broker().await;
    let key = KeyStore::open(broker.data_dir()).expect("a store").create("reporter").expect("a key").reveal();
    for door in [broker.ws_addr(), edge.addr()] {
        for (fields, is_here) in cases {
            assert_eq!(taken(door, &key, fields).await, (*is_here, *is_here, *is_here), "{fields}");
        }
    }
}

fn rules() -> Rules {
    Rules { hosts: vec!["bus.example.org".parse().expect("a name")], ..Rules::default() }
}

#[tokio::test]
async fn behind_one_that_is_trusted() {
    let rules = Rules { trusted_proxies: vec!["127.0.0.1/32".parse().expect("a network")], ..rules() };
    let cases = [
        // A program on this machine that comes past the proxy.
        ("", true),
        ("Host: app.localhost\r\n", true),
        ("X-Forwarded-For: 203.0.113.9\r\n", false),
        // A proxy that appends to what the visitor wrote.
        ("X-Forwarded-For: 127.0.0.1, 203.0.113.9\r\n", false),
        ("X-Forwarded-For: \u{ff}, 203.0.113.9\r\n", false),
        ("X-Forwarded-For: \u{ff}\r\nX-Forwarded-For: 203.0.113.9\r\n", false),
        // A proxy that passes on what the visitor wrote.
        ("X-Forwarded-For: \u{ff}\r\n", false),
        ("X-Forwarded-For: 127.0.0.1\r\n", false),
        ("X-Forwarded-For: unknown\r\n", false),
        // A proxy that speaks of it in another field, or not at all.
        ("Forwarded: for=203.0.113.9\r\n", false),
        ("Host: bus.example.org\r\n", false),
    ];
    judge(rules, &cases).await;
}

#[tokio::test]
async fn behind_one_that_nobody_named() {
    let cases = [
        ("", true),
        ("Host: [::1]:5173\r\n", true),
        ("Host: bus.example.org\r\n", false),
        ("X-Forwarded-For: 203.0.113.9\r\n", false),
        ("X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n", false),
        ("X-Forwarded-Proto: http\r\n", false),
        ("Forwarded: for=127.0.0.1\r\n", false),
        ("X-Real-IP: 127.0.0.1\r\n", false),
        ("Via: 1.1 proxy\r\n", false),
    ];
    judge(rules(), &cases).await;
}

#[tokio::test]
async fn where_it_speaks_tls_and_is_trusted_a_key_is_taken_and_nobody_publishes_without_one() {
    let trusted = vec!["127.0.0.1/32".parse().expect("a network")];
    let broker = Broker::start_for_browsers(|config| {
        config.anonymous_publish = None;
        config.ws.hosts = rules().hosts;
        config.ws.trusted_proxies.clone_from(&trusted);
    })
    .await;
    let key = KeyStore::open(broker.data_dir()).expect("a store").create("reporter").expect("a key").reveal();
    let fields = "Host: bus.example.org\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(taken(broker.ws_addr(), &key, fields).await, (false, true, true));
}
