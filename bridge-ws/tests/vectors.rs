//! The golden vectors mean the same in both dialects, both ways; every other reader of JSON is held against the same file.

#[path = "../../protocol/tests/golden/mod.rs"]
mod golden;

use bytes::{Bytes, BytesMut};
use callboard_bridge_ws::{Dialect, Incoming, Outgoing};
use callboard_protocol::codec::{decode_client, decode_server, encode_stream};
use callboard_protocol::frame::{Answer, ServerFrame};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{PayloadRef, RequestId};
use serde_json::Value;

use golden::{Speaker, bytes_of, hex_of, json_file, named_vectors};

/// What `short` in the file has where the broker draws an instance.
const DRAWN: [u8; 16] = [0xaa; 16];

/// The content of a message and its first byte, for bodies as short as the vectors'.
fn content(message: &[u8]) -> (u8, &[u8]) {
    let header = if message[1] == 126 { 4 } else { 2 };
    (message[0], &message[header..])
}

#[test]
fn every_frame_is_written_as_its_golden_text() {
    let golden = json_file("frames");
    let mut written = Vec::new();
    for vector in named_vectors() {
        let text = match vector.speaker {
            Speaker::Client => {
                let said = Dialect::Json.encode_client(&decode_client(&vector.body).expect("a golden frame"));
                let Ok(Outgoing::Text(text)) = said else { panic!("{}: {said:?}", vector.name) };
                text
            }
            Speaker::Server => {
                let mut message = BytesMut::new();
                let frame = decode_server(&vector.body).expect("a golden frame");
                Dialect::Json.encode(&frame, &mut message).expect("a golden frame is short");
                let (first, content) = content(&message);
                assert_eq!(first, 0x81, "one whole text message");
                String::from_utf8(content.to_vec()).expect("UTF-8")
            }
        };
        written.push((vector.name, text));
    }
    let golden: Vec<_> = golden.iter().map(|line| (line.text("name"), line.text("text"))).collect();
    assert_eq!(golden, written);
}

#[test]
fn every_golden_text_is_read_as_its_frame() {
    for (vector, line) in named_vectors().into_iter().zip(json_file("frames")) {
        let text = line.text("text");
        let body = match vector.speaker {
            Speaker::Client => Dialect::Json.decode(Incoming::Text(&text), DRAWN),
            Speaker::Server => Dialect::Json.decode_server(Incoming::Text(&text)),
        };
        assert_eq!(body, Ok(Bytes::from(vector.body)), "{}", vector.name);
    }
}

#[test]
fn a_golden_text_says_what_frames_json_says_of_its_frame() {
    for (vector, line) in named_vectors().into_iter().zip(json_file("frames")) {
        let mut said: Value = serde_json::from_str(&line.text("text")).expect("a message is JSON");
        json_payloads_as_text(&mut said);
        assert_eq!(said, vector.frame, "{}", vector.name);
    }
}

/// PROTOCOL.md, "JSON": this is all that differs from the description in frames.json, which has the value's text.
fn json_payloads_as_text(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    if fields.get("kind").is_some_and(|kind| kind == "json") {
        let text = fields.remove("text").unwrap_or_else(|| Value::String(fields["json"].to_string()));
        fields.insert("json".to_owned(), text);
    }
    fields.values_mut().for_each(json_payloads_as_text);
}

#[test]
fn a_binary_message_is_the_golden_body() {
    for vector in named_vectors() {
        let body = Bytes::from(vector.body);
        match vector.speaker {
            Speaker::Client => {
                let frame = decode_client(&body).expect("a golden frame");
                assert_eq!(Dialect::Binary.encode_client(&frame), Ok(Outgoing::Binary(body.clone())));
                let decoded = Dialect::Binary.decode(Incoming::Binary(body.clone()), DRAWN).expect("a body");
                assert_eq!(decoded.as_ptr(), body.as_ptr(), "no byte is copied");
                assert_eq!(decoded, body);
            }
            Speaker::Server => {
                let mut message = BytesMut::new();
                let frame = decode_server(&body).expect("a golden frame");
                Dialect::Binary.encode(&frame, &mut message).expect("a golden frame is short");
                assert_eq!(content(&message), (0x82, &body[..]), "{}", vector.name);
                assert_eq!(Dialect::Binary.decode_server(Incoming::Binary(body.clone())), Ok(body));
            }
        }
    }
}

#[test]
fn a_history_dressed_again_is_what_would_have_been_said_at_once() {
    let vectors: Vec<_> = named_vectors().into_iter().filter(|vector| vector.speaker == Speaker::Server).collect();
    for dialect in [Dialect::Binary, Dialect::Json] {
        let (mut stream, mut at_once) = (BytesMut::new(), BytesMut::new());
        for vector in &vectors {
            let frame = decode_server(&vector.body).expect("a golden frame");
            encode_stream(&frame, &mut stream).expect("a golden frame is short");
            dialect.encode(&frame, &mut at_once).expect("a golden frame is short");
        }
        let mut transcoded = BytesMut::new();
        dialect.transcode(&stream, &mut transcoded).expect("whole frames");
        assert_eq!(transcoded, at_once, "{dialect:?}");
    }
}

#[test]
fn what_may_be_left_out_is_filled_in() {
    for line in json_file("short") {
        let text = line.text("text");
        let body = Dialect::Json.decode(Incoming::Text(&text), DRAWN);
        let body = body.unwrap_or_else(|refused| panic!("{text}: {refused}"));
        assert_eq!(hex_of(&body), line.text("hex"), "{text} is {:?}", decode_client(&body));
        assert!(decode_client(&bytes_of(&line.text("hex"))).is_ok());
    }
}

#[test]
fn a_dialect_is_chosen_by_its_subprotocol() {
    for dialect in [Dialect::Binary, Dialect::Json] {
        assert_eq!(Dialect::of_subprotocol(dialect.subprotocol()), Some(dialect));
    }
    for unknown in ["", "callboard", "callboard.v2", "callboard.v1.JSON", "callboard/1"] {
        assert_eq!(Dialect::of_subprotocol(unknown), None);
    }
}

#[test]
fn a_frame_that_is_too_long_leaves_nothing_behind() {
    let payload = "x".repeat(BODY_BYTES_MAX);
    let frame = ServerFrame::Ok { request: RequestId::ZERO, answer: Answer::Returned(PayloadRef::text(&payload)) };
    for dialect in [Dialect::Binary, Dialect::Json] {
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(dialect.encode(&frame, &mut out).is_err());
        assert_eq!(out, b"before"[..], "{dialect:?}");
    }
}
