//! A message that is no frame is refused with a sentence that says where and what, and never repeats what was sent.

#[path = "../../protocol/tests/golden/mod.rs"]
mod golden;

use bytes::{Bytes, BytesMut};
use callboard_bridge_ws::{Dialect, Incoming, Refused, TranscodeError};
use callboard_protocol::close::Code;
use callboard_protocol::codec::DecodeError;
use callboard_protocol::limits::{BODY_BYTES_MAX, SENTENCE_BYTES_MAX};

use golden::{json_file, malformed_vectors};

fn decode(dialect: Dialect, incoming: Incoming<'_>) -> Result<Bytes, Refused> {
    dialect.decode(incoming, [0; 16])
}

fn refusal_of(text: &str) -> Refused {
    decode(Dialect::Json, Incoming::Text(text)).expect_err("it is no frame")
}

#[test]
fn every_refused_text_of_the_file_is_refused_in_its_words() {
    for line in json_file("refused") {
        let text = line.text("text");
        let refused = match line.text("direction").as_str() {
            "client" => decode(Dialect::Json, Incoming::Text(&text)),
            _ => Dialect::Json.decode_server(Incoming::Text(&text)),
        };
        let refused = refused.expect_err(&line.text("name"));
        assert_eq!((refused.code, refused.to_string()), (Code::Malformed, line.text("sentence")), "{text}");
    }
}

#[test]
fn no_sentence_repeats_a_secret_or_is_longer_than_it_may_be() {
    for line in json_file("refused") {
        let sentence = line.text("sentence");
        assert!(!sentence.contains("s3cret"), "{sentence}");
        assert!(!sentence.contains(char::is_control), "{sentence:?}");
        assert!(sentence.len() <= SENTENCE_BYTES_MAX);
    }
}

#[test]
fn a_deep_message_costs_no_stack() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for nested in [deep("[", "]"), deep("{\"a\":", "}").replace(":}", ":0}")] {
        assert_eq!(refusal_of(&nested).code, Code::Malformed);
        for frame in [
            format!(r#"{{"kind":"Logout","request":{nested}}}"#),
            format!(r#"{{"kind":"Publish","channel":"a","payload":{nested}}}"#),
            format!(r#"{{"kind":"Publish","channel":"a","payload":{{"kind":"json","json":{nested}}}}}"#),
        ] {
            assert_eq!(refusal_of(&frame).code, Code::Malformed, "{frame:.80}");
        }
    }
    assert_eq!(refusal_of(&"[".repeat(BODY_BYTES_MAX)).code, Code::Malformed);
}

#[test]
fn a_message_is_as_long_as_a_body_may_be() {
    let around = r#"{"kind":"Publish","channel":"a","payload":""}"#.len();
    let longest = |more: usize| {
        let payload = "x".repeat(BODY_BYTES_MAX - around + more);
        format!(r#"{{"kind":"Publish","channel":"a","payload":"{payload}"}}"#)
    };
    assert_eq!(longest(0).len(), BODY_BYTES_MAX);
    assert!(decode(Dialect::Json, Incoming::Text(&longest(0))).is_ok());
    assert_eq!(refusal_of(&longest(1)).code, Code::FrameTooLong);
    let above = Bytes::from(vec![0; BODY_BYTES_MAX + 1]);
    let refused = decode(Dialect::Binary, Incoming::Binary(above)).expect_err("it is too long");
    assert_eq!(refused.code, Code::FrameTooLong);
}

#[test]
fn a_broker_s_text_may_be_longer_than_its_body() {
    let longer = format!(
        r#"{{"kind":"Message","channel":1,"offset":1,"published":0,"payload":"{}"}}"#,
        "\\u0001".repeat(BODY_BYTES_MAX / 4)
    );
    assert!(longer.len() > BODY_BYTES_MAX);
    assert!(Dialect::Json.decode_server(Incoming::Text(&longer)).is_ok());
    let too_long = longer.replace("\\u0001", "xxxxx");
    let refused = Dialect::Json.decode_server(Incoming::Text(&too_long)).expect_err("its body is too long");
    assert_eq!(refused.code, Code::FrameTooLong);
}

#[test]
fn a_message_of_the_other_type_is_refused() {
    let text = decode(Dialect::Binary, Incoming::Text("{}")).expect_err("text");
    assert_eq!(text.to_string(), "this is a text message; callboard.v1 has binary messages only");
    let binary = decode(Dialect::Json, Incoming::Binary(Bytes::from_static(&[4, 2]))).expect_err("binary");
    assert_eq!(binary.to_string(), "this is a binary message; callboard.v1.json has text messages only");
    assert_eq!((text.code, binary.code), (Code::Malformed, Code::Malformed));
}

#[test]
fn a_history_that_is_not_whole_frames_leaves_nothing_behind() {
    let ping = [3, 2, 0xac, 2];
    let cases: [(&[u8], TranscodeError); 5] = [
        (&[3, 2, 0xac], TranscodeError::Cut),
        (&[0], TranscodeError::Cut),
        (&[0x80], TranscodeError::Cut),
        (&[0x80, 0x80, 0x80, 1], TranscodeError::Cut),
        (&[1, 0x0e], TranscodeError::Frame(DecodeError::Invalid)),
    ];
    for (broken, error) in cases {
        let mut out = BytesMut::from(&b"before"[..]);
        let stream = [&ping[..], broken].concat();
        assert_eq!(Dialect::Json.transcode(&stream, &mut out), Err(error));
        assert_eq!(out, b"before"[..]);
        if error == TranscodeError::Cut {
            assert_eq!(Dialect::Binary.transcode(&stream, &mut out), Err(error));
            assert_eq!(out, b"before"[..]);
        }
    }
}

#[test]
fn bodies_that_are_malformed_as_bytes_are_no_json_either() {
    for vector in malformed_vectors() {
        let golden::Malformed::Body { body, .. } = vector else { continue };
        if let Ok(text) = std::str::from_utf8(&body) {
            assert_eq!(refusal_of(text).code, Code::Malformed);
        }
    }
}
