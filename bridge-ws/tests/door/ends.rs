//! A session ends at this door as at every other: a `Goodbye`, then a close with the same code and sentence.

use callboard_bridge_ws::Dialect;
use callboard_protocol::PayloadRef;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::decode_server;
use callboard_protocol::frame::{ClientFrame, Goodbye, Hello, ServerFrame};
use callboard_protocol::limits::HELLO_BYTES_MAX;
use std::time::Duration;

use crate::house::House;
use crate::peer::{BINARY, CLOSE, Peer, TEXT, masked, publish, soon};

const DOCUMENT: &str = include_str!("../../../PROTOCOL.md");

/// Says `bytes` to a session that has not said hello, or has, and gives the codes of its end.
async fn end_of(house: &House, dialect: Dialect, is_open: bool, bytes: &[u8]) -> (Option<u16>, Option<u16>, String) {
    let address = house.door.address();
    let mut peer = if is_open { Peer::open(address, dialect).await } else { Peer::upgrade(address, dialect).await };
    peer.say(bytes).await;
    let end = peer.expect_end().await;
    drop(peer);
    soon(house.session().closed()).await;
    end
}

#[tokio::test]
async fn what_is_no_frame_ends_as_at_every_door() {
    let house = House::open().await;
    use Code::{FrameTooLong, Malformed, OutOfOrder};
    let hello = |dialect| match dialect {
        Dialect::Binary => {
            masked(BINARY, b"\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x00\x00")
        }
        Dialect::Json => masked(TEXT, br#"{"kind":"Hello"}"#),
    };
    for dialect in [Dialect::Binary, Dialect::Json] {
        let (own, other) = if dialect == Dialect::Binary { (BINARY, TEXT) } else { (TEXT, BINARY) };
        for (what, is_open, bytes, code) in [
            ("the other type", false, masked(other, b"x"), Malformed),
            ("the other type", true, masked(other, b"x"), Malformed),
            ("an empty message", true, masked(own, b""), Malformed),
            ("no frame", false, masked(own, b"\x7f"), Malformed),
            ("no frame", true, masked(own, b"\x7f"), Malformed),
            ("a second hello", true, hello(dialect), OutOfOrder),
            ("a long first message", false, masked(own, &vec![b' '; HELLO_BYTES_MAX + 1]), FrameTooLong),
            ("a length of 1 MiB and 1", true, vec![own, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0], FrameTooLong),
            ("a length of 2^62", true, vec![own, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], FrameTooLong),
        ] {
            let (goodbye, close, sentence) = end_of(&house, dialect, is_open, &bytes).await;
            assert_eq!((goodbye, close), (Some(code.number()), Some(code.number())), "{dialect:?}: {what}: {sentence}");
            assert!(!sentence.is_empty(), "{what}");
        }
        let (goodbye, close, _) =
            end_of(&house, dialect, true, &[own, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
        assert_eq!((goodbye, close), (None, Some(1002)), "RFC 6455 itself forbids a length of 2^63");
    }
}

#[tokio::test]
async fn a_goodbye_says_of_a_message_what_the_document_says_of_it() {
    let house = House::open().await;
    let (_, table) = DOCUMENT.split_once("\n| message | sentence |\n| --- | --- |\n").expect("the table is there");
    let rows: Vec<_> =
        table.lines().map_while(|row| row.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")).collect();
    assert!(rows.len() > 2, "{rows:?}");
    for (message, sentence) in rows {
        let mut peer = Peer::open(house.door.address(), Dialect::Json).await;
        peer.say(masked(TEXT, message.as_bytes())).await;
        let body = peer.frame().await;
        let Ok(ServerFrame::Goodbye(said)) = decode_server(&body) else { panic!("no goodbye: {body:?}") };
        assert_eq!(said.sentence, sentence, "{message}");
        let (_, _, reason) = peer.expect_end().await;
        assert!(reason.len() > 20 && sentence.starts_with(&reason), "{reason}");
    }
}

#[tokio::test]
async fn the_first_message_may_be_as_long_as_the_longest_hello() {
    let house = House::open().await;
    let mut peer = Peer::upgrade(house.door.address(), Dialect::Json).await;
    let mut hello = br#"{"kind":"Hello"}"#.to_vec();
    hello.resize(HELLO_BYTES_MAX, b' ');
    let long = publish(1, "demo", PayloadRef::text("behind"));
    let (_, mut next) = peer.content(&long);
    next.resize(HELLO_BYTES_MAX + 1, b' ');
    peer.say([masked(TEXT, &hello), masked(TEXT, &next)].concat()).await;
    peer.expect_welcome().await;
    peer.expect_echo(PayloadRef::text("behind")).await;
}

#[tokio::test]
async fn an_ending_of_the_bus_comes_behind_what_it_said() {
    let house = House::open().await;
    for dialect in [Dialect::Binary, Dialect::Json] {
        let mut peer = Peer::open(house.door.address(), dialect).await;
        let frame = peer.publish(1, PayloadRef::text("last"));
        peer.say(frame).await;
        peer.expect_echo(PayloadRef::text("last")).await;
        house.session().end(Ending::plain(Code::ShuttingDown));
        let (goodbye, close, sentence) = peer.expect_end().await;
        assert_eq!((goodbye, close), (Some(4100), Some(4100)));
        assert_eq!(sentence, Code::ShuttingDown.sentence());
        drop(peer);
        assert_eq!(soon(house.session().closed()).await, Code::ShuttingDown);
    }
}

#[tokio::test]
async fn a_long_sentence_is_whole_in_the_goodbye_and_cut_in_the_close() {
    let house = House::open().await;
    let mut peer = Peer::open(house.door.address(), Dialect::Json).await;
    house.session().end(Ending::because(Code::Kicked, "ü".repeat(300)));
    let (_, _, sentence) = peer.expect_end().await;
    assert!(sentence.len() <= 123 && sentence.ends_with('ü'), "{sentence}");
}

#[tokio::test]
async fn a_goodbye_and_a_close_end_the_session_behind_its_publishes() {
    let house = House::open().await;
    let goodbye = ClientFrame::Goodbye(Goodbye { code: 4000, sentence: "", retry_after: None });
    for closes in [false, true] {
        *house.bus.holds.lock().unwrap() = true;
        let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
        let last = if closes { masked(CLOSE, b"\x0f\xa0bye") } else { peer.encode(&goodbye) };
        peer.say([peer.publish(1, PayloadRef::text("held")), last].concat()).await;
        peer.expect_echo(PayloadRef::text("held")).await;
        let session = house.session();
        house.settle().await;
        assert!(session.is_held() && peer.hears_nothing().await, "the session waits for room");
        session.make_room();
        let (goodbye, close, _) = peer.expect_end().await;
        assert_eq!((goodbye, close), (if closes { None } else { Some(4000) }, Some(4000)));
        drop(peer);
        assert_eq!(soon(session.closed()).await, Code::Finished);
    }
}

#[tokio::test]
async fn while_something_is_held_nothing_is_read_and_everything_is_written() {
    let house = House::open().await;
    *house.bus.holds.lock().unwrap() = true;
    let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
    peer.say(peer.publish(1, PayloadRef::text("first"))).await;
    peer.expect_echo(PayloadRef::text("first")).await;
    peer.say(peer.publish(2, PayloadRef::text("second"))).await;
    let session = house.session();
    house.settle().await;
    session.say(crate::peer::bare(BINARY, b"\x02\x07").into());
    assert_eq!(&peer.frame().await[..], b"\x02\x07", "what the bus says comes, the second publish is not read");
    session.make_room();
    peer.expect_echo(PayloadRef::text("second")).await;
}

#[tokio::test]
async fn a_session_that_is_not_opened_in_time_ends() {
    let house = House::with(|config| config.hello_timeout = Duration::from_millis(50)).await;
    let mut peer = Peer::upgrade(house.door.address(), Dialect::Json).await;
    let (goodbye, close, _) = peer.expect_end().await;
    assert_eq!((goodbye, close), (Some(4202), Some(4202)));
}

#[tokio::test]
async fn a_browser_that_vanishes_ends_its_session() {
    let house = House::open().await;
    let peer = Peer::open(house.door.address(), Dialect::Binary).await;
    let session = house.session();
    drop(peer);
    assert_eq!(soon(session.closed()).await, Code::Finished);
    soon(house.door.wait_idle()).await;
}

#[tokio::test]
async fn a_panic_ends_its_own_session_only() {
    let house = House::open().await;
    let mut neighbour = Peer::open(house.door.address(), Dialect::Binary).await;
    let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
    peer.say(peer.encode(&publish(1, "panic", PayloadRef::text("now")))).await;
    let (goodbye, close, _) = peer.expect_end().await;
    assert_eq!((goodbye, close), (Some(4200), Some(4200)));
    neighbour.say(neighbour.publish(1, PayloadRef::text("still here"))).await;
    neighbour.expect_echo(PayloadRef::text("still here")).await;
}

#[tokio::test]
async fn a_door_that_drains_hands_over_what_was_read_and_lets_nobody_in() {
    let house = House::open().await;
    *house.bus.holds.lock().unwrap() = true;
    let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
    let mut waiting = Peer::dial(house.door.address()).await;
    peer.say(peer.publish(1, PayloadRef::text("held"))).await;
    peer.expect_echo(PayloadRef::text("held")).await;
    house.door.stop_accepting();
    assert_eq!(waiting.read_out().await, b"", "who waits for nothing is sent away");
    let session = house.session();
    {
        let mut draining = std::pin::pin!(house.door.drain());
        let is_early = tokio::select! { biased; () = &mut draining => true, () = tokio::task::yield_now() => false };
        assert!(!is_early, "something is held");
        session.make_room();
        soon(draining).await;
    }
    peer.say(peer.publish(2, PayloadRef::text("too late"))).await;
    session.end(Ending::plain(Code::ShuttingDown));
    assert_eq!(peer.expect_end().await.0, Some(4100), "what came later was not read");
    drop(peer);
    soon(house.door.wait_idle()).await;
}

#[tokio::test]
async fn a_hello_of_the_binary_dialect_is_a_body() {
    let house = House::open().await;
    let mut peer = Peer::upgrade(house.door.address(), Dialect::Binary).await;
    let hello = ClientFrame::Hello(Hello { agent: "a", instance: [9; 16], capabilities: 0, credential: None });
    peer.say(peer.encode(&hello)).await;
    peer.expect_welcome().await;
    assert_eq!(house.door.browsers(), 1);
}

#[tokio::test]
async fn a_door_that_hung_up_listens_until_the_browser_does_so_too() {
    let house = House::open().await;
    let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
    peer.say([masked(BINARY, b"\x7f"), vec![0; 100_000]].concat()).await;
    assert_eq!(peer.expect_end().await.1, Some(4400));
    assert!(peer.is_listened_to().await, "a reset would take the last words back");
}
