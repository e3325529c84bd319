//! Who cannot say who they are, or in which words they speak, is refused with a reason that repeats no secret.

use callboard::identity::KeyStore;
use callboard_protocol::close::Code;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, Authenticate, ClientFrame, Credential, Hello, ServerFrame};
use callboard_protocol::limits::{CREDENTIAL_BYTES_MAX, LABEL_BYTES_MAX};
use callboard_tests::raw::{Dialer, Failure};
use callboard_tests::{Broker, Neighbour, Peer};

/// What no sentence may repeat: the end of every secret shown here.
const CANARY: &str = "c0ffeec0ffee";

/// Secrets that are no key of the broker's, from almost one to none at all.
fn wrong_secrets(good: &str) -> Vec<String> {
    let [prefix, id, secret] = good.split('_').collect::<Vec<_>>()[..] else { panic!("a key has three parts") };
    let wrong = format!("{}{CANARY}", &secret[CANARY.len()..]);
    vec![
        format!("{prefix}_{id}_{wrong}"),
        format!("{prefix}_00000000_{wrong}"),
        format!("{prefix}_{id}_{}", &wrong[2..]),
        format!("{prefix}_{id}_{wrong}00{CANARY}"),
        format!("{prefix}_{id}_{}{CANARY}", "\u{0}".repeat(26)),
        format!("{prefix}_{id}_{}{CANARY}", "ü".repeat(26)),
        format!("{prefix}_{id}{CANARY}"),
        format!("{prefix}_../../{CANARY}_{wrong}"),
        format!("_{CANARY}"),
        CANARY.to_owned(),
        format!("{}{CANARY}", "5".repeat(CREDENTIAL_BYTES_MAX - CANARY.len())),
        String::new(),
    ]
}

#[tokio::test]
async fn a_wrong_key_ends_the_session_that_opens_with_it_and_is_not_repeated() {
    let (broker, good) = broker().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    for secret in wrong_secrets(&good) {
        let (code, sentence) =
            refused(&broker, "callboard-tests", Credential { strategy: "apikey", secret: &secret }).await;
        assert_eq!(code, Code::BadCredential.number(), "{secret}: {sentence}");
        assert_repeats_nothing(&sentence, &secret);
    }
    let (code, sentence) = refused(&broker, "callboard-tests", Credential { strategy: CANARY, secret: &good }).await;
    assert_eq!(code, Code::BadCredential.number());
    assert_repeats_nothing(&sentence, &good);
    neighbour.carries_on().await;
}

/// PROTOCOL.md, "Limits": a text over its limit ends the session in `Hello`, and only the request elsewhere.
#[tokio::test]
async fn a_hello_whose_texts_are_too_long_is_malformed() {
    let (broker, good) = broker().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let long_secret = format!("{}{CANARY}", "5".repeat(CREDENTIAL_BYTES_MAX));
    let (long_name, longest_name) = ("a".repeat(LABEL_BYTES_MAX + 1), "a".repeat(LABEL_BYTES_MAX));
    let strategy = "apikey";
    for (agent, credential) in [
        (longest_name.as_str(), Credential { strategy, secret: &long_secret }),
        ("", Credential { strategy: &long_name, secret: CANARY }),
        (&long_name, Credential { strategy, secret: &good }),
    ] {
        let (code, sentence) = refused(&broker, agent, credential).await;
        assert_eq!(code, Code::Malformed.number(), "{sentence}");
        assert_repeats_nothing(&sentence, &good);
    }
    let mut peer = broker.peer().await;
    peer.send(&hello(&longest_name, Credential { strategy, secret: &good })).await;
    peer.expect("Welcome to the longest name", |frame| matches!(frame, ServerFrame::Welcome(_)).then_some(())).await;
    neighbour.carries_on().await;
}

#[tokio::test]
async fn a_wrong_key_later_on_is_refused_and_the_identity_stays() {
    let (broker, good) = broker().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = broker.peer().await;
    peer.hello_as(Some(Credential { strategy: "apikey", secret: &good })).await;
    peer.subscribe("news").await;
    for secret in wrong_secrets(&good) {
        let failure = authenticate(&mut peer, &secret).await.expect_err("it is no key");
        assert_eq!((failure.code, failure.class.as_str()), (401, Class::NotAuthenticated.name()));
        assert_repeats_nothing(&failure.sentence, &secret);
    }
    let long = format!("{}{CANARY}", "5".repeat(CREDENTIAL_BYTES_MAX));
    let failure = authenticate(&mut peer, &long).await.expect_err("it is too long");
    assert_eq!((failure.code, failure.class.as_str()), (400, Class::BadRequest.name()));
    assert_repeats_nothing(&failure.sentence, &long);
    peer.publish("news", "still the same").await;
    assert_eq!(peer.message().await.publisher.as_deref(), Some("reporter"));
    assert_eq!(authenticate(&mut peer, &good).await, Ok(Some("reporter".to_owned())));
    neighbour.carries_on().await;
}

#[tokio::test]
async fn words_that_the_broker_does_not_speak_are_refused_in_the_handshake() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let unknown: [&[&[u8]]; 4] =
        [&[b"callboard/2"], &[b"h3"], &[b"callboard/1 ", b"CALLBOARD/1", b"callboard"], &[&[0xff; 255]]];
    for alpn in unknown {
        let dialer = Dialer::with(|options| options.alpn = alpn.iter().map(|name| name.to_vec()).collect());
        let error = dialer.try_connect(broker.addr()).await.expect_err("no version in common");
        assert!(matches!(error, quinn::ConnectionError::ConnectionClosed(_)), "{error}");
        assert!(error.to_string().contains("120"), "TLS calls it no_application_protocol, 120: {error}");
    }
    let silent = Dialer::with(|options| options.alpn = Vec::new());
    silent.try_connect(broker.addr()).await.expect_err("a version has to be named");
    let many = Dialer::with(|options| options.alpn = vec![b"callboard/2".to_vec(), b"callboard/1".to_vec()]);
    many.connect(broker.addr()).await.hello().await;
    neighbour.carries_on().await;
}

/// A broker, and a key of one `reporter`.
async fn broker() -> (Broker, String) {
    let broker = Broker::start().await;
    let keys = KeyStore::open(broker.data_dir()).expect("the keys are readable");
    let good = keys.create("reporter").expect("a key can be made").reveal();
    (broker, good)
}

fn hello<'a>(agent: &'a str, credential: Credential<'a>) -> ClientFrame<'a> {
    ClientFrame::Hello(Hello { agent, instance: [7; 16], capabilities: 0, credential: Some(credential) })
}

/// Opens a session that must be refused; the code and the sentence.
async fn refused(broker: &Broker, agent: &str, credential: Credential<'_>) -> (u16, String) {
    let mut peer = broker.peer().await;
    peer.send(&hello(agent, credential)).await;
    peer.sent_away().await
}

async fn authenticate(peer: &mut Peer, secret: &str) -> Result<Option<String>, Failure> {
    let request = peer.next_request();
    let credential = Credential { strategy: "apikey", secret };
    peer.send(&ClientFrame::Authenticate(Authenticate { request, credential })).await;
    let key = |answer: Answer<'_>| {
        let Answer::Identity(identity) = answer else { return None };
        Some(identity.map(|identity| identity.key.to_owned()))
    };
    peer.answer(request, key).await
}

#[track_caller]
fn assert_repeats_nothing(sentence: &str, secret: &str) {
    let tail = &secret[secret.len().saturating_sub(CANARY.len())..];
    assert!(!sentence.is_empty() && !sentence.contains(CANARY), "{sentence}");
    assert!(tail.is_empty() || !sentence.contains(tail), "{sentence}");
}
