//! Inside TLS the browser's door is the same door, under the broker's certificate; what is no TLS is told so; a key in the open is not taken.

use std::path::Path;

use callboard::config::{Config, Tls};
use callboard::identity::KeyStore;
use callboard::tls::development_certificate;
use callboard_bridge_ws::Dialect;
use callboard_protocol::close::Code;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, Authenticate, ClientFrame, Credential, ServerFrame};
use callboard_tests::{Broker, Peer, http, soon, tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CHANNEL: &str = "news";

async fn start(change: impl FnOnce(&mut Config)) -> Broker {
    Broker::start_for_browsers(|config| {
        config.ws.tls = Some(true);
        config.anonymous_publish = Some(false);
        change(config);
    })
    .await
}

fn key(broker: &Broker) -> String {
    let keys = KeyStore::open(broker.data_dir()).expect("a store");
    keys.create("reporter").expect("a key").reveal()
}

/// One hears, one publishes in each dialect, and a backend over HTTP: all under the name that the certificate must have.
async fn carries_messages(broker: &Broker, name: &'static str, trusted: &Path) {
    let header = format!("Authorization: Bearer {}\r\n", key(broker));
    let dial = async || tls::connect(broker.ws_addr(), name, trusted).await.expect("a certificate to trust");
    for dialect in [Dialect::Binary, Dialect::Json] {
        let session = dial().await;
        assert_eq!(session.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut reader = Peer::try_upgrade_over(session, dialect, "").await.expect("an upgrade");
        reader.hello().await;
        reader.subscribe(CHANNEL).await;
        let mut publisher = Peer::try_upgrade_over(dial().await, dialect, &header).await.expect("an upgrade");
        publisher.hello().await;
        publisher.publish(CHANNEL, "x".repeat(60_000)).await;
        let answer = http::post_over(dial().await, "/v1/publish", &header, r#"{"channel":"news","payload":"y"}"#).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for length in [60_000, 1] {
            let heard = reader.message().await;
            assert_eq!((heard.payload.bytes().len(), heard.publisher.as_deref()), (length, Some("reporter")));
        }
        publisher.say_goodbye(Code::Finished.number()).await;
        assert_eq!(publisher.sent_away().await.0, Code::Finished.number());
    }
}

#[tokio::test]
async fn the_development_certificate_carries_messages() {
    let broker = start(|_| ()).await;
    let trusted = development_certificate(broker.data_dir());
    carries_messages(&broker, "localhost", &trusted).await;
    carries_messages(&broker, "127.0.0.1", &trusted).await;
}

#[tokio::test]
async fn a_chain_and_a_key_in_pem_files_carry_messages() {
    let home = tempfile::tempdir().expect("a directory");
    let [chain, key, root] = ["chain.pem", "key.pem", "root.pem"].map(|name| home.path().join(name));
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let authority = rcgen::CertifiedIssuer::self_signed(params, authority_key).expect("an authority");
    let own_key = rcgen::KeyPair::generate().expect("a key");
    let own = rcgen::CertificateParams::new(vec!["bus.example.org".to_owned()]).expect("a name");
    let own = own.signed_by(&own_key, &authority).expect("a certificate");
    std::fs::write(&root, authority.pem()).expect("written");
    std::fs::write(&chain, own.pem() + &authority.pem()).expect("written");
    std::fs::write(&key, own_key.serialize_pem()).expect("written");
    let broker = start(|config| config.tls = Tls::Pem { chain, key }).await;
    carries_messages(&broker, "bus.example.org", &root).await;
    let other = tls::connect(broker.ws_addr(), "localhost", &root).await.expect_err("a name that it does not have");
    assert!(other.to_string().contains("not valid for name"), "{other}");
}

/// What comes back of `bytes`, to the end.
async fn answered(broker: &Broker, bytes: &[u8]) -> Vec<u8> {
    let mut stream = soon("a TCP connection", TcpStream::connect(broker.ws_addr())).await.expect("a door that is open");
    soon("room for what is sent", stream.write_all(bytes)).await.expect("a door that listens");
    let mut back = Vec::new();
    // Whether it is an end or a reset depends on what was still on its way.
    drop(soon("the end", stream.read_to_end(&mut back)).await);
    back
}

#[tokio::test]
async fn plain_http_at_a_door_of_tls_is_told_so() {
    let broker = start(|_| ()).await;
    for request in ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /v1/bus HTTP/1.1\r\nHost: local"] {
        let back = String::from_utf8(answered(&broker, request.as_bytes()).await).expect("an answer of text");
        assert!(back.starts_with("HTTP/1.1 400 ") && back.contains("use https or wss"), "{back}");
    }
    carries_messages(&broker, "localhost", &development_certificate(broker.data_dir())).await;
}

#[tokio::test]
async fn tls_at_a_door_without_it_ends_soon() {
    let broker = start(|config| config.ws.tls = Some(false)).await;
    let trusted = development_certificate(broker.data_dir());
    tls::connect(broker.ws_addr(), "localhost", &trusted).await.expect_err("there is no TLS");
    let mut peer = Peer::upgrade(broker.ws_addr(), Dialect::Binary).await;
    peer.hello().await;
}

#[tokio::test]
async fn a_key_in_the_open_from_another_machine_is_not_taken() {
    let broker = start(|config| {
        config.ws.tls = Some(false);
        config.ws.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
        config.ws.cookie = Some("callboard_key".to_owned());
        config.ws.query_credential = Some("key".to_owned());
        config.ws.origins = vec!["https://app.example.org".parse().expect("an origin")];
    })
    .await;
    let key = key(&broker);
    let credential = Credential { strategy: "apikey", secret: &key };
    for (far, is_taken) in [
        ("X-Forwarded-For: 203.0.113.5\r\n", false),
        ("X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: http\r\n", false),
        ("X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n", true),
        ("", true),
    ] {
        let header = format!("{far}Authorization: Bearer {key}\r\n");
        let cookie = format!("{far}Origin: https://app.example.org\r\nCookie: callboard_key={key}\r\n");
        for fields in [&header, &cookie] {
            let opened = Peer::try_upgrade(broker.ws_addr(), Dialect::Json, fields).await;
            let status = opened.err().unwrap_or_default();
            assert_eq!(status.contains(" 403 "), !is_taken, "{far}: {status}");
        }
        let posted =
            http::post(broker.ws_addr(), "/v1/publish", &header, r#"{"channel":"news","payload":"x"}"#).await.status;
        assert_eq!(posted, if is_taken { 200 } else { 403 }, "{far}");

        let open = async || Peer::try_upgrade(broker.ws_addr(), Dialect::Binary, far).await.expect("it shows nothing");
        let mut at_once = open().await;
        at_once.send_hello_as(Some(credential)).await;
        let mut later = open().await;
        later.hello().await;
        let request = later.next_request();
        later.send(&ClientFrame::Authenticate(Authenticate { request, credential })).await;
        let answer = later.answer(request, |answer| matches!(answer, Answer::Identity(Some(_))).then_some(())).await;
        if is_taken {
            let welcome = |frame: ServerFrame<'_>| matches!(frame, ServerFrame::Welcome(_)).then_some(());
            at_once.expect("Welcome", welcome).await;
            assert_eq!(answer, Ok(()), "{far}");
        } else {
            let (code, reason) = at_once.sent_away().await;
            assert!(code == Code::Forbidden.number() && !reason.contains(&key), "{code} {reason}");
            assert_eq!(answer.expect_err("it was read on its way").class, Class::Forbidden.name());
        }
    }
}
