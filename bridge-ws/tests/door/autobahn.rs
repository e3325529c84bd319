//! The door speaks RFC 6455 to the letter: cases under the numbers of the Autobahn test suite, groups 1 to 7 and 10.

use callboard_bridge_ws::Dialect;
use callboard_protocol::PayloadRef;

use crate::house::House;
use crate::peer::{BINARY, CLOSE, PING, PONG, Peer, TEXT, bare, masked, publish};

/// What comes back.
#[derive(Debug)]
enum Back {
    /// A pong with this content.
    Pong(&'static [u8]),
    /// The echo of a publish of this text.
    Echo(String),
    /// A close with this code, or none, without a `Goodbye`.
    Close(Option<u16>),
}

use Back::{Close, Echo, Pong};

const FIN: u8 = 0x80;

/// A message that is cut into frames of `step` bytes with control frames `between` them.
fn fragments(first: u8, content: &[u8], step: usize, between: &[u8]) -> Vec<u8> {
    let count = content.len().div_ceil(step);
    let mut bytes = Vec::new();
    for (index, piece) in content.chunks(step).enumerate() {
        let opcode = if index == 0 { first & 0x0f } else { 0 };
        bytes.extend(masked(opcode | if index + 1 == count { FIN } else { 0 }, piece));
        if index + 1 < count {
            bytes.extend(between);
        }
    }
    bytes
}

/// Says `bytes` to a new session, each at once and byte by byte, and holds what comes back against `backs`.
async fn run(house: &House, number: &str, dialect: Dialect, bytes: &[u8], backs: &[Back]) {
    for spelled in [false, true] {
        if spelled && bytes.len() > 2000 {
            continue;
        }
        let mut peer = Peer::open(house.door.address(), dialect).await;
        if spelled {
            peer.spell(bytes).await
        } else {
            peer.say(bytes).await
        }
        for back in backs {
            match back {
                Pong(content) => assert_eq!(peer.message().await, Some((PONG, content.to_vec().into())), "{number}"),
                Echo(text) => peer.expect_echo(PayloadRef::text(text)).await,
                Close(code) => {
                    let (goodbye, found, _) = peer.expect_end().await;
                    assert_eq!((goodbye, found), (None, *code), "{number}");
                }
            }
        }
        if !matches!(backs.last(), Some(Close(_))) {
            peer.say(masked(CLOSE, b"\x03\xe8")).await;
            assert_eq!(peer.expect_end().await.1, Some(1000), "{number}: a session in order goes on");
        }
    }
}

/// The content of a publish of `text`, and the type of its message.
fn content(dialect: Dialect, text: &str) -> (u8, Vec<u8>) {
    let frame = publish(1, "demo", PayloadRef::text(text));
    match dialect {
        Dialect::Json => {
            (TEXT, format!(r#"{{"kind":"Publish","request":1,"channel":"demo","payload":"{text}"}}"#).into_bytes())
        }
        Dialect::Binary => {
            let mut body = bytes::BytesMut::new();
            callboard_protocol::codec::encode(&frame, &mut body).unwrap();
            (BINARY, body.to_vec())
        }
    }
}

#[tokio::test]
async fn group_1_messages_of_every_length_come_back() {
    let house = House::open().await;
    for (number, dialect) in [("1.1", Dialect::Json), ("1.2", Dialect::Binary)] {
        for length in [0, 1, 60, 125, 126, 127, 128, 65_200, 65_535, 65_536, 100_000, 500_000] {
            let text = "x".repeat(length);
            let (first, content) = content(dialect, &text);
            run(&house, number, dialect, &masked(first, &content), &[Echo(text)]).await;
        }
    }
}

#[tokio::test]
async fn group_2_pings_are_answered_and_pongs_need_no_reason() {
    let house = House::open().await;
    let long: &'static [u8] = &[0xfe; 125];
    let ten: Vec<u8> = (0..10).flat_map(|ping| masked(PING, &[b'0' + ping])).collect();
    let cases: &[(&str, Vec<u8>, Vec<Back>)] = &[
        ("2.1", masked(PING, b""), vec![Pong(b"")]),
        ("2.2", masked(PING, b"Hello, world!"), vec![Pong(b"Hello, world!")]),
        ("2.3", masked(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), vec![Pong(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")]),
        ("2.4, 2.6", masked(PING, long), vec![Pong(long)]),
        ("2.5", masked(PING, &[0xfe; 126]), vec![Close(Some(1002))]),
        ("2.7", masked(PONG, b""), vec![]),
        ("2.8", masked(PONG, b"unsolicited"), vec![]),
        ("2.9", [masked(PONG, b"unsolicited"), masked(PING, b"p")].concat(), vec![Pong(b"p")]),
        ("2.10, 2.11", ten, [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"].map(|ping| Pong(ping)).into()),
    ];
    for (number, bytes, backs) in cases {
        run(&house, number, Dialect::Binary, bytes, backs).await;
    }
}

#[tokio::test]
async fn groups_3_and_4_reserved_bits_and_opcodes_fail_the_connection() {
    let house = House::open().await;
    let (first, hello) = content(Dialect::Json, "good");
    let good = masked(first, &hello);
    for reserved in 1..8_u8 {
        for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
            let bytes = [good.clone(), masked(opcode | reserved << 4, b""), masked(PING, b"never")].concat();
            run(&house, "3.*", Dialect::Json, &bytes, &[Echo("good".into()), Close(Some(1002))]).await;
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let bytes = [good.clone(), masked(FIN | opcode, b"x"), masked(PING, b"never")].concat();
        run(&house, "4.*", Dialect::Json, &bytes, &[Echo("good".into()), Close(Some(1002))]).await;
    }
}

#[tokio::test]
async fn group_5_messages_may_be_fragmented_and_control_frames_may_not() {
    let house = House::open().await;
    let dialect = Dialect::Json;
    let (first, message) = content(dialect, "fragments");
    let (half, ping) = (message.len() / 2 + 1, masked(PING, b"between"));
    let echo = || Echo("fragments".into());
    let begun = masked(first & 0x0f, b"fragment");
    let cases: &[(&str, Vec<u8>, Vec<Back>)] = &[
        ("5.1", [masked(0x09, b"a"), masked(FIN, b"b")].concat(), vec![Close(Some(1002))]),
        ("5.2", [masked(0x0a, b"a"), masked(FIN, b"b")].concat(), vec![Close(Some(1002))]),
        ("5.3 to 5.5", fragments(first, &message, half, b""), vec![echo()]),
        ("5.6 to 5.8", fragments(first, &message, half, &ping), vec![Pong(b"between"), echo()]),
        ("5.9 to 5.11", [masked(FIN, b"nothing"), masked(PING, b"never")].concat(), vec![Close(Some(1002))]),
        ("5.12 to 5.14", [masked(0x00, b"nothing"), masked(PING, b"never")].concat(), vec![Close(Some(1002))]),
        (
            "5.15",
            [fragments(first, &message, half, b""), masked(0x00, b"nothing")].concat(),
            vec![echo(), Close(Some(1002))],
        ),
        ("5.16", [masked(0x00, b"x"), begun.clone(), masked(FIN, b"y")].concat(), vec![Close(Some(1002))]),
        ("5.18", [begun.clone(), masked(first, b"another")].concat(), vec![Close(Some(1002))]),
        (
            "5.19, 5.20",
            fragments(first, &message, 1 + message.len() / 3, &ping),
            vec![Pong(b"between"), Pong(b"between"), echo()],
        ),
        ("5.20 byte by byte", fragments(first, &message, 1, b""), vec![echo()]),
    ];
    for (number, bytes, backs) in cases {
        run(&house, number, dialect, bytes, backs).await;
    }
}

#[tokio::test]
async fn group_6_a_text_is_utf_8_wherever_it_is_cut() {
    let house = House::open().await;
    let dialect = Dialect::Json;
    let text = "κόσμε Hello-µ@ßöäüàá-UTF-8!! 𐍈\u{10FFFF}\u{FFFF}";
    let (first, message) = content(dialect, text);
    let empty = [masked(0x01, b""), masked(0x00, b""), masked(0x00, &message), masked(FIN, b"")].concat();
    let mut cases = vec![
        ("6.1.3", empty, vec![Echo(text.into())]),
        ("6.2.1", masked(first, &message), vec![Echo(text.into())]),
        ("6.2.2", fragments(first, &message, 1 + message.len() / 2, b""), vec![Echo(text.into())]),
        ("6.2.3", fragments(first, &message, 1, b""), vec![Echo(text.into())]),
    ];
    for bad in [
        &b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"[..],
        b"\xf4\x90\x80\x80",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\x80",
        b"\xce",
        b"\xed\xbf\xbf",
    ] {
        cases.push(("6.3, 6.6 to 6.23", masked(TEXT, bad), vec![Close(Some(1007))]));
        cases.push(("6.3.2", fragments(TEXT, bad, 1, b""), vec![Close(Some(1007))]));
    }
    // The connection fails with the fragment that shows it: the rest of the message never comes.
    let early = [masked(0x01, "κόσμε".as_bytes()), masked(0x00, b"\xf4\x90\x80\x80")].concat();
    cases.push(("6.4.1", early, vec![Close(Some(1007))]));
    for (number, bytes, backs) in &cases {
        run(&house, number, dialect, bytes, backs).await;
    }
}

#[tokio::test]
async fn group_7_a_close_is_answered_with_its_code_and_nothing_is_heard_behind_it() {
    let house = House::open().await;
    let dialect = Dialect::Json;
    let (first, message) = content(dialect, "behind");
    let normal = masked(CLOSE, b"\x03\xe8");
    let reason = |length: usize| masked(CLOSE, &[&b"\x03\xe8"[..], &vec![b'*'; length]].concat());
    let mut cases = vec![
        ("7.1.1", [masked(first, &message), normal.clone()].concat(), vec![Echo("behind".into()), Close(Some(1000))]),
        ("7.1.2", [normal.clone(), normal.clone()].concat(), vec![Close(Some(1000))]),
        ("7.1.3", [normal.clone(), masked(PING, b"")].concat(), vec![Close(Some(1000))]),
        ("7.1.4", [normal.clone(), masked(first, &message)].concat(), vec![Close(Some(1000))]),
        (
            "7.1.5",
            [masked(0x01, b"fragment1"), normal.clone(), masked(FIN, b"fragment2")].concat(),
            vec![Close(Some(1000))],
        ),
        ("7.3.1", masked(CLOSE, b""), vec![Close(None)]),
        ("7.3.2", masked(CLOSE, b"a"), vec![Close(Some(1002))]),
        ("7.3.3", normal, vec![Close(Some(1000))]),
        ("7.3.4", masked(CLOSE, b"\x03\xe8Hello World!"), vec![Close(Some(1000))]),
        ("7.3.5", reason(123), vec![Close(Some(1000))]),
        ("7.3.6", reason(124), vec![Close(Some(1002))]),
        ("7.5.1", masked(CLOSE, b"\x03\xe8\xce\xba\xed\xa0\x80edited"), vec![Close(Some(1007))]),
    ];
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        cases.push(("7.7", masked(CLOSE, &code.to_be_bytes()), vec![Close(Some(code))]));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(("7.9, 7.13", masked(CLOSE, &code.to_be_bytes()), vec![Close(Some(1002))]));
    }
    for (number, bytes, backs) in &cases {
        run(&house, number, dialect, bytes, backs).await;
    }
}

#[tokio::test]
async fn group_10_a_long_message_comes_back_from_many_fragments() {
    let house = House::open().await;
    let text = "*".repeat(65_536);
    let (first, message) = content(Dialect::Binary, &text);
    run(&house, "10.1.1", Dialect::Binary, &fragments(first, &message, 1300, b""), &[Echo(text)]).await;
}

#[tokio::test]
async fn what_is_not_masked_fails_the_connection_before_its_content_comes() {
    let house = House::open().await;
    let mut unmasked = bare(BINARY, &[0; 1000]);
    unmasked.truncate(4);
    run(&house, "unmasked", Dialect::Binary, &unmasked, &[Close(Some(1002))]).await;
}
