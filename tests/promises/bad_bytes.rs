//! Bytes that are no frame end the session of who sent them, with a code and a sentence, and nobody else notices.

use std::net::SocketAddr;
use std::time::Duration;

use callboard_protocol::close::Code;
use callboard_protocol::codec::decode_client;
use callboard_protocol::limits::SENTENCE_BYTES_MAX;
use callboard_tests::raw::{Dialer, Ending};
use callboard_tests::vectors::{Speaker, Wrong, framed, golden, malformed};
use callboard_tests::{Broker, Neighbour, Peer, Proxy};
use tokio::task::JoinSet;

/// Dialogues that go on beside each other: enough that nobody waits for the other side's acknowledgements.
const AT_ONCE: usize = 32;

/// Streams of random bytes.
const RANDOM: u64 = 200;

/// Bytes to send, and how the session must end.
#[derive(Debug)]
struct Case {
    name: String,
    hello: bool,
    bytes: Vec<u8>,
    /// Whether nothing comes behind the bytes; a session that waits for more then has to say so.
    finish: bool,
    ends: Vec<Code>,
}

/// Every malformed vector, as a stranger's first bytes and behind a good `Hello`.
#[tokio::test]
async fn every_malformed_vector_is_told_its_code_before_hello_and_after() {
    let mut cases = Vec::new();
    for vector in malformed() {
        let (bytes, code) = match &vector.what {
            Wrong::Body(Speaker::Client, body) => (framed(body), Code::Malformed),
            Wrong::Stream(bytes) if ["TooLong", "LengthTooLong"].contains(&vector.error.as_str()) => {
                (bytes.clone(), Code::FrameTooLong)
            }
            Wrong::Stream(bytes) => (bytes.clone(), Code::Malformed),
            // What a broker says wrong is for clients to refuse, and what stands wrong is another promise.
            Wrong::Body(Speaker::Server, _) | Wrong::Session(_) => continue,
        };
        for hello in [false, true] {
            // Up to here nothing is wrong; it is when nothing more comes. Whatever else is refused needs no end to be.
            let finish = matches!(vector.what, Wrong::Stream(_)) && vector.error == "Truncated";
            let ends = vec![if hello { code } else { before_hello(&vector.name, code) }];
            cases.push(Case { name: vector.name.clone(), hello, bytes: bytes.clone(), finish, ends });
        }
    }
    assert!(cases.len() > 100, "the file was read");
    hold(cases).await;
}

/// PROTOCOL.md, "Stream" and "Session": a client's first body has a smaller limit, and is `Hello`.
fn before_hello(vector: &str, code: Code) -> Code {
    match vector {
        "length at the limit and nothing behind" => Code::FrameTooLong,
        "length 0 behind a good frame" => Code::OutOfOrder,
        _ => code,
    }
}

#[tokio::test]
async fn every_prefix_of_a_frame_with_nothing_behind_it_is_malformed() {
    let mut cases = Vec::new();
    for vector in golden().into_iter().filter(|vector| vector.speaker == Speaker::Client) {
        let (stream, opens) = (framed(&vector.body), vector.body[0] == 0);
        for length in 1..stream.len() {
            // Behind the first bytes of a long text there is nothing new.
            if length > 40 && length + 2 < stream.len() {
                continue;
            }
            let name = format!("the first {length} bytes of {}", vector.name);
            let (bytes, ends) = (stream[..length].to_vec(), vec![Code::Malformed]);
            cases.push(Case { name, hello: !opens, bytes, finish: true, ends });
        }
    }
    assert!(cases.len() > 300, "the file was read");
    hold(cases).await;
}

#[tokio::test]
async fn a_frame_of_the_other_direction_is_read_as_this_ones_and_refused() {
    let mut cases = Vec::new();
    for vector in golden().into_iter().filter(|vector| vector.speaker == Speaker::Server) {
        let is_a_clients = decode_client(&vector.body).is_ok();
        // The two sides say goodbye alike; whatever else a client could have said it may not say first.
        let first = match (is_a_clients, vector.body[0]) {
            (false, _) => Code::Malformed,
            (true, 1) => Code::Finished,
            (true, _) => Code::OutOfOrder,
        };
        let (name, bytes) = (vector.name, framed(&vector.body));
        if !is_a_clients {
            let (name, bytes, ends) = (name.clone(), bytes.clone(), vec![Code::Malformed]);
            cases.push(Case { name, hello: true, bytes, finish: false, ends });
        }
        cases.push(Case { name, hello: false, bytes, finish: false, ends: vec![first] });
    }
    hold(cases).await;
}

#[tokio::test]
async fn random_bytes_end_their_session_and_nothing_else() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut cases = Vec::new();
    for number in 0..RANDOM {
        let length = 1 + number as usize * 7 % 500;
        let bytes = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 32) as u8
        });
        let ends = vec![Code::Malformed, Code::FrameTooLong, Code::OutOfOrder, Code::Finished];
        let (name, bytes) = (format!("random bytes, number {number}"), bytes.take(length).collect());
        cases.push(Case { name, hello: number % 2 == 0, bytes, finish: true, ends });
    }
    hold(cases).await;
}

/// Plays every case against one broker, and looks whether anybody else has noticed.
async fn hold(cases: Vec<Case>) {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let (mut playing, dialer) = (JoinSet::new(), Dialer::new());
    for case in cases {
        if playing.len() >= AT_ONCE {
            playing.join_next().await.expect("some are playing").expect("the case holds");
        }
        playing.spawn(play(dialer.clone(), broker.addr(), case));
    }
    while let Some(played) = playing.join_next().await {
        played.expect("the case holds");
    }
    neighbour.carries_on().await;
}

async fn play(dialer: Dialer, broker: SocketAddr, case: Case) {
    let Case { name, hello, bytes, finish, ends } = case;
    let mut peer = dialer.connect(broker).await;
    if hello {
        peer.hello().await;
    }
    peer.send_bytes(&bytes).await;
    if finish {
        peer.finish();
    }
    let (code, sentence) = peer.sent_away().await;
    let what = if hello { "after hello" } else { "before hello" };
    assert!(ends.iter().any(|end| end.number() == code), "{name}, {what}: {code} {sentence:?} instead of {ends:?}");
    assert!((1..=SENTENCE_BYTES_MAX).contains(&sentence.len()), "{name}, {what}: {sentence:?}");
}

/// Silence within a frame is no fault of the session's: it is QUIC that gives up peers who are gone.
#[tokio::test]
async fn half_a_frame_behind_hello_may_wait_as_long_as_its_peer_is_there() {
    let broker = Broker::start_with(|config| {
        config.hello_timeout = Duration::from_millis(500);
        config.idle_timeout = Duration::from_secs(1);
    })
    .await;
    let network = Proxy::before(broker.addr()).await;
    let (mut there, mut gone) = (half_a_frame(broker.addr()).await, half_a_frame(network.addr()).await);
    network.cut();
    assert!(matches!(gone.closed().await, Ending::Lost(_)), "nobody is there to be told anything");
    there.send_bytes(b"hi").await;
    let said = there.message().await;
    assert_eq!(said.payload.as_str(), Some("hi"), "the frame was completed after everybody's patience was over");
    Neighbour::of(broker.addr()).await.carries_on().await;
}

/// Subscribes, and begins a publish that lacks its two bytes of payload.
async fn half_a_frame(broker: SocketAddr) -> Peer {
    let mut peer = Dialer::new().connect(broker).await;
    peer.hello().await;
    peer.subscribe("c").await;
    peer.send_bytes(&[10, 7, 0, 0, 1, b'c', 0, 0, 2]).await;
    peer
}
