//! Every frame comes back through JSON as it was written, whatever its fields hold; no text at all makes a reader panic.

#[path = "../../protocol/tests/golden/mod.rs"]
mod golden;

use bytes::BytesMut;
use callboard_bridge_ws::{Dialect, Incoming, JSON_DEPTH_MAX, Outgoing, fuzzing};
use callboard_protocol::codec::{decode_client, decode_server};
use callboard_protocol::frame::{ClientFrame, Publish, ServerFrame};
use callboard_protocol::{PayloadRef, RequestId, Sequence};
use proptest::prelude::*;
use serde_json::value::RawValue;

use golden::{Fields, any_fields};

/// Pieces of which a text is made that is nearly a frame.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "d83d",
    "null",
    "true",
    "-0",
    "1e999",
    "9007199254740993",
    "\"kind\"",
    "\"Publish\"",
    "\"Hello\"",
    "\"Subscribe\"",
    "\"channel\"",
    "\"payload\"",
    "\"json\"",
    "\"hex\"",
    "\"start\"",
    "1",
    "\"a\"",
    " ",
    "\u{0}",
    "\u{feff}",
    "\u{1f600}",
];

/// A JSON payload as it comes back: without the white space around it, unless it has to go as text.
fn carried(json: &str) -> &str {
    serde_json::from_str::<&RawValue>(json).map_or(json, RawValue::get)
}

proptest! {
    // Each case is every frame in every shape, with payloads of up to 16 KiB.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_frame_comes_back_through_json(fields in any_fields()) {
        for frame in fields.client_frames() {
            let said = Dialect::Json.encode_client(&frame);
            let Ok(Outgoing::Text(text)) = said else { panic!("{said:?}") };
            let body = Dialect::Json.decode(Incoming::Text(&text), [0; 16]).expect("what is written is taken");
            prop_assert_eq!(decode_client(&body), Ok(frame));
        }
        for frame in fields.server_frames() {
            let mut message = BytesMut::new();
            Dialect::Json.encode(&frame, &mut message).expect("a frame within the limit");
            let text = content(&message);
            let body = Dialect::Json.decode_server(Incoming::Text(text)).expect("what is written is taken");
            prop_assert_eq!(decode_server(&body), Ok(frame));
        }
    }
}

proptest! {
    #[test]
    fn a_json_payload_comes_back_with_its_exact_text(json in json_text()) {
        let publish = |payload| ClientFrame::Publish(Publish {
            request: RequestId::ZERO,
            sequence: Sequence::ZERO,
            channel: "a",
            key: None,
            payload,
        });
        let said = Dialect::Json.encode_client(&publish(PayloadRef::json(&json)));
        let Ok(Outgoing::Text(text)) = said else { panic!("{said:?}") };
        let body = Dialect::Json.decode(Incoming::Text(&text), [0; 16]).expect("what is written is taken");
        prop_assert_eq!(decode_client(&body), Ok(publish(PayloadRef::json(carried(&json)))));
    }

    #[test]
    fn any_text_is_refused_or_is_a_frame(text in "\\PC{0,60}", pieces in prop::collection::vec(prop::sample::select(PIECES), 0..30)) {
        for text in [text, pieces.concat()] {
            fuzzing::json_client(text.as_bytes());
            fuzzing::json_server(text.as_bytes());
        }
    }
}

/// JSON texts, some with white space around them, some that do not parse.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("text")),
        "[ -~]{0,8}",
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(" ,"))),
            inner.prop_map(|value| format!("{{\"\\u0041\":\t{value}\n}}")),
        ]
    });
    (value, "[ \t\r\n]{0,2}").prop_map(|(value, space)| format!("{space}{value}{space}"))
}

fn content(message: &[u8]) -> &str {
    let header = match message[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    std::str::from_utf8(&message[header..]).expect("JSON is UTF-8")
}

#[test]
fn the_deepest_payload_in_the_deepest_frame_is_read_by_a_common_parser() {
    let deepest = format!("{}{}", "[".repeat(JSON_DEPTH_MAX), "]".repeat(JSON_DEPTH_MAX));
    let payload = PayloadRef::json(&deepest);
    let answer = callboard_protocol::frame::Answer::Returned(payload);
    let mut message = BytesMut::new();
    let frame = ServerFrame::Ok { request: RequestId::ZERO, answer };
    Dialect::Json.encode(&frame, &mut message).expect("a short frame");
    let value: serde_json::Value = serde_json::from_str(content(&message)).expect("128 levels are read");
    assert!(value["answer"]["payload"]["json"].is_array(), "the payload went as a value");
}

#[test]
fn a_text_is_at_most_six_times_as_long_as_its_body() {
    let mut fields = Fields::bare(0, 0, 0);
    fields.texts = [const { String::new() }; 4].map(|_| "\u{1}".repeat(10_000));
    for frame in fields.server_frames() {
        let (mut message, mut body) = (BytesMut::new(), BytesMut::new());
        Dialect::Json.encode(&frame, &mut message).expect("a frame within the limit");
        callboard_protocol::codec::encode(&frame, &mut body).expect("a frame within the limit");
        // PROTOCOL.md, "JSON": the length of a broker's message.
        assert!(content(&message).len() <= 6 * body.len() + 1024);
    }
}
