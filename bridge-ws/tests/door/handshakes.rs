//! Whoever may not come in is told so before the upgrade: with a status, a class and a sentence that says what to do.

use std::sync::Arc;
use std::time::Duration;

use callboard_bridge_ws::Dialect;
use callboard_bridge_ws::upstream::CredentialSource;
use callboard_protocol::error::Class;
use callboard_protocol::{Millis, PayloadRef, Refusal};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::house::House;
use crate::peer::{Answer, Peer, UPGRADE};

const BINARY: &str = "Sec-WebSocket-Protocol: callboard.v1\r\n";

/// Asks for the bus with these lines and gives the answer.
async fn ask(house: &House, first: &str, lines: &str) -> Answer {
    let mut peer = Peer::dial(house.door.address()).await;
    peer.say(format!("{first}\r\n{lines}\r\n")).await;
    peer.answer().await
}

fn good() -> String {
    format!("Host: localhost\r\n{UPGRADE}{BINARY}")
}

#[tokio::test]
async fn a_handshake_out_of_order_gets_a_status_and_a_sentence() {
    let house = House::with(|config| config.rules.cookie = Some("session".into())).await;
    let (get, good) = ("GET /v1/bus HTTP/1.1", good());
    let without = |field: &str| {
        let lines = good.lines().filter(|line| !line.to_ascii_lowercase().starts_with(field));
        lines.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let with = |line: &str| format!("{good}{line}\r\n");
    let instead = |field: &str, line: &str| format!("{}{line}\r\n", without(field));
    for (first, lines, status, class) in [
        ("POST /v1/bus HTTP/1.1", good.clone(), 405, "method-not-allowed"),
        ("GET /v1/bus HTTP/1.0", good.clone(), 400, "bad-request"),
        ("GET http://localhost/v1/bus HTTP/1.1", good.clone(), 400, "bad-request"),
        (get, without("upgrade"), 426, "bad-request"),
        (get, without("connection"), 426, "bad-request"),
        (get, instead("sec-websocket-version", "Sec-WebSocket-Version: 8"), 426, "bad-request"),
        (get, without("sec-websocket-key"), 400, "bad-request"),
        (get, with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, "bad-request"),
        (get, instead("sec-websocket-key", "Sec-WebSocket-Key: short"), 400, "bad-request"),
        (get, without("sec-websocket-protocol"), 400, "bad-request"),
        (get, instead("sec-websocket-protocol", "Sec-WebSocket-Protocol: callboard.v9"), 400, "bad-request"),
        (get, instead("sec-websocket-protocol", "Sec-WebSocket-Protocol: \u{fc}"), 400, "bad-request"),
        (get, with("Transfer-Encoding: chunked"), 400, "bad-request"),
        (get, with("Content-Length: 3"), 400, "bad-request"),
        (get, with("Origin: https://evil.example"), 403, "forbidden"),
        (get, with("Origin: null"), 403, "forbidden"),
        (get, with("Origin: http://localhost:1"), 403, "forbidden"),
        (get, with("Cookie: session=k"), 403, "forbidden"),
        (get, with("Authorization: Basic eDp5"), 401, "not-authenticated"),
        (get, instead("host", "Host: evil.example"), 421, "forbidden"),
        (get, without("host"), 400, "bad-request"),
        (get, with("Host: localhost"), 400, "bad-request"),
        ("GET /v2/bus HTTP/1.1", good.clone(), 404, "not-found"),
    ] {
        let answer = ask(&house, first, &lines).await;
        assert_eq!(answer.status, status, "{first}\n{lines}\n{answer:?}");
        assert!(answer.body.contains(&format!("\"class\":\"{class}\"")), "{answer:?}");
        assert!(answer.body.contains("\"sentence\":\""), "{answer:?}");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.field("sec-websocket-version"), lines.contains("Version: 8").then_some("13"));
        assert_eq!(answer.field("allow"), (status == 405).then_some("GET"));
    }
    assert!(house.bus.sessions.lock().unwrap().is_empty(), "nobody came in");
}

#[tokio::test]
async fn too_much_header_is_refused_before_it_is_read() {
    let house = House::open().await;
    let many = "X-Header: 1\r\n".repeat(2000);
    let long = format!("X-Header: {}\r\n", "x".repeat(64 << 10));
    let target = format!("GET /v1/bus?{} HTTP/1.1", "x".repeat(64 << 10));
    for (first, lines) in [
        ("GET /v1/bus HTTP/1.1", format!("{}{many}", good())),
        ("GET /v1/bus HTTP/1.1", format!("{}{long}", good())),
        (target.as_str(), good()),
    ] {
        let mut peer = Peer::dial(house.door.address()).await;
        peer.say(format!("{first}\r\n{lines}\r\n")).await;
        let answer = peer.answer().await;
        assert_eq!(answer.status, 431, "{answer:?}");
        assert_is_told(&mut peer, &answer, "at most 64 header fields, and 32768 bytes").await;
    }
}

/// Whether an answer is like every other refusal, and the last one.
async fn assert_is_told(peer: &mut Peer, answer: &Answer, sentence: &str) {
    assert!(answer.body.starts_with(r#"{"code":400,"class":"bad-request","sentence":""#), "{answer:?}");
    assert!(answer.body.contains(sentence) && answer.body.ends_with("\"}\n"), "{answer:?}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("connection", "close"),
    ] {
        assert_eq!(answer.field(name), Some(value), "{answer:?}");
    }
    assert_eq!(peer.message().await, None, "nothing follows");
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let house = House::open().await;
    for said in [
        "GET\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/9.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nno field\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: much\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}",
    ] {
        for before in ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
            let mut peer = Peer::dial(house.door.address()).await;
            peer.say(before).await;
            if !before.is_empty() {
                assert_eq!(peer.answer().await.status, 200);
            }
            peer.say(said).await;
            let answer = peer.answer().await;
            assert_eq!(answer.status, 400, "{said}: {answer:?}");
            assert_is_told(&mut peer, &answer, "this is not an HTTP/1.1 request").await;
        }
    }
}

#[tokio::test]
async fn a_header_that_does_not_come_in_time_is_not_waited_for() {
    let house = House::with(|config| config.limits.header_timeout = Duration::from_millis(100)).await;
    let mut silent = Peer::dial(house.door.address()).await;
    assert_eq!(silent.message().await, None);
    let mut slow = Peer::dial(house.door.address()).await;
    slow.say("GET /v1/bus HTTP/1.1\r\nHost: local").await;
    let answer = slow.answer().await;
    assert_eq!(answer.status, 408, "{answer:?}");
    assert_is_told(&mut slow, &answer, "did not arrive in time").await;
}

#[tokio::test]
async fn one_address_takes_its_own_places_only() {
    let house = House::with(|config| config.limits.http_connections_per_address = 2).await;
    let first = Peer::dial(house.door.address()).await;
    let mut second = Peer::dial(house.door.address()).await;
    second.say(format!("GET /v1/bus HTTP/1.1\r\n{}\r\n", good())).await;
    assert_eq!(second.answer().await.status, 101);
    let mut third = Peer::dial(house.door.address()).await;
    third.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(third.answer().await.status, 200, "a WebSocket gives its place back");
    let mut fourth = Peer::dial(house.door.address()).await;
    fourth.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(fourth.read_out().await, b"", "the first and the third have the places");
    drop((first, third));
}

#[tokio::test]
async fn what_is_pipelined_behind_the_upgrade_is_heard() {
    let house = House::open().await;
    for dialect in [Dialect::Binary, Dialect::Json] {
        let template = Peer::upgrade(house.door.address(), dialect).await;
        let hello = template.hello();
        let publish = template.publish(1, PayloadRef::text("early"));
        let mut peer = Peer::upgrade_with(house.door.address(), dialect, &[hello, publish].concat()).await;
        peer.expect_welcome().await;
        peer.expect_echo(PayloadRef::text("early")).await;
    }
}

#[tokio::test]
async fn a_second_request_behind_the_upgrade_is_no_request() {
    let house = House::open().await;
    let smuggled = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut peer = Peer::upgrade_with(house.door.address(), Dialect::Binary, smuggled).await;
    assert_eq!(peer.expect_end().await.1, Some(1002));
}

#[tokio::test]
async fn a_bus_without_a_place_says_so_before_the_upgrade() {
    let house = House::open().await;
    let refusal = Refusal::new(Class::Unavailable, "the broker has reached its limit of connections");
    *house.bus.refusal.lock().unwrap() = Some(Refusal { retry_after: Some(Millis::saturating(2500)), ..refusal });
    let answer = ask(&house, "GET /v1/bus HTTP/1.1", &good()).await;
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("3")));
    assert!(answer.body.contains("\"retry_after_ms\":2500"), "{answer:?}");
}

#[tokio::test]
async fn the_bus_is_told_who_came_and_what_was_shown() {
    let house = House::with(|config| {
        config.rules.cookie = Some("session".into());
        config.rules.origins = vec!["https://app.example".parse().unwrap()];
        config.rules.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let lines = "Origin: https://app.example\r\nCookie: session=secret\r\nX-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(ask(&house, "GET / HTTP/1.1", &format!("{}{lines}", good())).await.status, 101);
    let mut peer = Peer::dial(house.door.address()).await;
    peer.say(format!("GET /v1/bus HTTP/1.1\r\n{}Authorization: Bearer key\r\n\r\n", good())).await;
    assert_eq!(peer.answer().await.status, 101);
    peer.say(crate::peer::masked(crate::peer::CLOSE, b"")).await;
    peer.expect_end().await;
    let came = house.bus.visitors.lock().unwrap();
    let told: Vec<_> =
        came.iter().map(|came| (came.address.to_string(), came.origin.as_deref(), came.shown.clone())).collect();
    assert_eq!(
        told,
        [
            (
                "203.0.113.5".to_owned(),
                Some("https://app.example"),
                Some((CredentialSource::Cookie, "secret".to_owned()))
            ),
            ("127.0.0.1".to_owned(), None, Some((CredentialSource::Authorization, "key".to_owned()))),
        ]
    );
    assert!(came.iter().all(|came| came.is_private));
}

#[tokio::test]
async fn every_refusal_is_counted_by_its_status() {
    let house = House::open().await;
    let mut peer = Peer::dial(house.door.address()).await;
    let mut wanted = Vec::new();
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:5173", 403),
        ("GET /v1/bus HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:5173", 403),
        ("GET / HTTP/1.1\r\nHost: localhost", 200),
        ("GET / HTTP/1.1\r\nHost: bus.example.org", 421),
        ("GET /nowhere HTTP/1.1\r\nHost: localhost", 404),
        ("GET / HTTP/9.9\r\nHost: localhost", 400),
    ] {
        peer.say(format!("{request}\r\n\r\n")).await;
        assert_eq!(peer.answer().await.status, status, "{request}");
        wanted.extend((status != 200).then_some(status));
        assert_eq!(*house.bus.refused.lock().unwrap(), wanted, "{request}");
    }
}

#[tokio::test]
async fn health_pages_and_unknown_paths_have_their_answers() {
    let house = House::open().await;
    let mut peer = Peer::dial(house.door.address()).await;
    for (request, status, allow) in [
        ("GET /healthz HTTP/1.1\r\nHost: any.name", 200, None),
        ("POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0", 405, Some("GET, HEAD")),
        ("GET /v1/publish HTTP/1.1\r\nHost: localhost", 405, Some("POST")),
        ("OPTIONS /v1/publish HTTP/1.1\r\nHost: localhost", 405, Some("POST")),
        ("GET / HTTP/1.1\r\nHost: localhost", 200, None),
        // As curl asks with --http2.
        (
            "GET / HTTP/1.1\r\nHost: localhost.\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
            200,
            None,
        ),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0", 405, Some("GET, HEAD")),
        ("GET /callboard/index.js HTTP/1.1\r\nHost: localhost", 200, None),
        ("GET /callboard/nothing.js HTTP/1.1\r\nHost: localhost", 404, None),
        ("GET /callboard/../Cargo.toml HTTP/1.1\r\nHost: localhost", 404, None),
    ] {
        peer.say(format!("{request}\r\n\r\n")).await;
        let answer = peer.answer().await;
        assert_eq!((answer.status, answer.field("allow")), (status, allow), "{request}");
        assert!(answer.field("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert_eq!(answer.field("cross-origin-resource-policy"), Some("same-origin"));
    }
}

#[tokio::test]
async fn a_websocket_inside_tls_is_the_same() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let server = rustls::ServerConfig::builder().with_no_client_auth();
    let tls = server.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    let house = House::with(|config| config.tls = Some(Arc::new(tls))).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let mut client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut peer = Peer::open_tls(house.door.address(), Arc::new(client)).await;
    let long = "x".repeat(500_000);
    for request in 1..5 {
        peer.say(peer.publish(request, PayloadRef::text(&long))).await;
        peer.expect_echo(PayloadRef::text(&long)).await;
    }
    peer.say(crate::peer::masked(crate::peer::CLOSE, b"\x03\xe8")).await;
    assert_eq!(peer.expect_end().await.1, Some(1000));
    let mut plain = Peer::dial(house.door.address()).await;
    plain.say(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = plain.answer().await;
    assert_eq!(answer.status, 400);
    assert_is_told(&mut plain, &answer, "use https or wss").await;
}
