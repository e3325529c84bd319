//! The bodies of the fuzz targets: laws about any bytes at all; never a harness (each target in `fuzz/` is one line).

use std::io;

use bytes::{Bytes, BytesMut};
use callboard_protocol::Kind;
use callboard_protocol::close::Code;
use callboard_protocol::codec::{decode_client, decode_server, encode_stream};
use callboard_protocol::limits::{BODY_BYTES_MAX, SENTENCE_BYTES_MAX};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use tungstenite::Message as Said;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};

use crate::http::parse_publish;
use crate::reader::{Message, Reader};
use crate::upstream::PublishItem;
use crate::{Dialect, Incoming, Outgoing, Refused};

/// What stands for chance where a `Hello` names no instance.
const INSTANCE: [u8; 16] = *b"0123456789abcdef";

/// Any bytes as a client's JSON message, and as a body to be written as one: what is taken is a frame, what is written
/// is taken as the same frame, and what is refused is refused with a sentence that may be said.
pub fn json_client(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        match Dialect::Json.decode(Incoming::Text(text), INSTANCE) {
            Ok(body) => client_comes_back(&body),
            Err(refused) => may_be_said(&refused),
        }
    }
    if decode_client(input).is_ok() {
        client_comes_back(input);
    }
    let binary = Bytes::copy_from_slice(input);
    assert_eq!(
        Dialect::Binary.decode(Incoming::Binary(binary.clone()), INSTANCE),
        Ok(binary),
        "a body is not looked into"
    );
}

fn client_comes_back(body: &[u8]) {
    let frame = decode_client(body).expect("what the dialect takes is a frame");
    let Ok(Outgoing::Text(text)) = Dialect::Json.encode_client(&frame) else { panic!("a frame is written as text") };
    read_by_another_parser(&text, body.len());
    if text.len() > BODY_BYTES_MAX {
        return;
    }
    let again = Dialect::Json.decode(Incoming::Text(&text), INSTANCE).expect("what is written is taken");
    same_but_for_white_space(body, &again);
    let frame = decode_client(&again).expect("what the dialect takes is a frame");
    assert_eq!(Dialect::Json.encode_client(&frame), Ok(Outgoing::Text(text)), "one frame, one text");
}

/// Any bytes as a broker's JSON message, and as a body to be written as one, under the same laws; and what lies in a
/// history is transcoded like what is encoded at once.
pub fn json_server(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        match Dialect::Json.decode_server(Incoming::Text(text)) {
            Ok(body) => server_comes_back(&body),
            Err(refused) => may_be_said(&refused),
        }
    }
    if decode_server(input).is_ok() {
        server_comes_back(input);
    }
    for dialect in [Dialect::Binary, Dialect::Json] {
        let mut out = BytesMut::from(&b"before"[..]);
        if dialect.transcode(input, &mut out).is_err() {
            assert_eq!(out, b"before"[..], "what is refused leaves nothing behind");
        }
    }
}

fn server_comes_back(body: &[u8]) {
    let frame = decode_server(body).expect("what the dialect takes is a frame");
    let (mut text, mut binary, mut stream) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
    Dialect::Json.encode(&frame, &mut text).expect("what was decoded is short enough to encode");
    Dialect::Binary.encode(&frame, &mut binary).expect("what was decoded is short enough to encode");
    encode_stream(&frame, &mut stream).expect("what was decoded is short enough to encode");
    for (dialect, message) in [(Dialect::Json, &text), (Dialect::Binary, &binary)] {
        let mut transcoded = BytesMut::new();
        dialect.transcode(&stream, &mut transcoded).expect("a whole frame");
        assert_eq!(&transcoded, message);
    }
    assert_eq!(content(0x82, &binary), body, "a binary message is the body");

    let content = std::str::from_utf8(content(0x81, &text)).expect("JSON is UTF-8");
    read_by_another_parser(content, body.len());
    let again = Dialect::Json.decode_server(Incoming::Text(content)).expect("what is written is taken");
    same_but_for_white_space(body, &again);
    let mut once_more = BytesMut::new();
    let frame = decode_server(&again).expect("what the dialect takes is a frame");
    Dialect::Json.encode(&frame, &mut once_more).expect("what was decoded is short enough to encode");
    assert_eq!(once_more, text, "one frame, one text");
}

/// RFC 6455, section 5.2, read from the other side: the content of one whole unmasked message.
fn content(first_byte: u8, message: &[u8]) -> &[u8] {
    assert_eq!(message[0], first_byte);
    let (length, start) = match message[1] {
        126 => (u64::from(u16::from_be_bytes([message[2], message[3]])), 4),
        127 => (u64::from_be_bytes(message[2..10].try_into().expect("eight bytes")), 10),
        short => (u64::from(short), 2),
    };
    assert!(start == 2 || length > 125 && (start == 4 || length > 0xffff), "the shortest form");
    assert_eq!(length, (message.len() - start) as u64);
    &message[start..]
}

/// PROTOCOL.md, "JSON": the white space around a JSON payload is not carried, and all else is.
fn same_but_for_white_space(body: &[u8], again: &[u8]) {
    assert!(again == body || again.len() < body.len(), "{body:02x?} comes back as {again:02x?}");
}

/// Whatever lies in a payload, the message around it can be read, and has the length that PROTOCOL.md allows.
fn read_by_another_parser(text: &str, body_bytes: usize) {
    assert!(text.len() <= 6 * body_bytes + 1024, "{body_bytes} bytes become {}", text.len());
    if !text.contains(PRIVATE_TO_SERDE) {
        let value: Value = serde_json::from_str(text).expect("another parser reads it");
        assert!(value["kind"].is_string());
    }
}

/// A name that serde_json keeps for itself, and reads another value behind.
const PRIVATE_TO_SERDE: &str = "$serde_json::private";

/// Any bytes as the body of `POST /v1/publish`: what is taken is an object with messages that are objects, and the same
/// messages written anew are taken as the same; what is refused is refused with a sentence that may be said.
pub fn publish_body(input: &[u8]) {
    let items = match parse_publish(MESSAGES_MAX, input) {
        Ok(items) => items,
        Err(denial) => {
            assert!(matches!(denial.status.as_u16(), 400 | 413));
            let sentence = denial.sentence();
            assert!(!sentence.is_empty() && sentence.len() <= SENTENCE_BYTES_MAX, "{sentence}");
            return assert!(!sentence.contains(char::is_control), "{sentence:?}");
        }
    };
    assert!((1..=MESSAGES_MAX).contains(&items.len()), "{} messages", items.len());
    let text = std::str::from_utf8(input).expect("JSON is UTF-8");
    if !text.contains(PRIVATE_TO_SERDE) {
        let body: Value = serde_json::from_str(text).expect("another parser reads it");
        assert!(body.is_object(), "{text}");
        let messages = body.get("messages").and_then(Value::as_array);
        assert!(messages.is_none_or(|messages| messages.iter().all(Value::is_object)), "{text}");
    }
    let again = json!({ "messages": items.iter().map(message).collect::<Vec<_>>() }).to_string();
    assert!(parse_publish(MESSAGES_MAX, again.as_bytes()).is_ok_and(|same| same == items), "{again}");
}

/// More than a fuzzer comes to by itself; it asks for a list that is too long with these.
const MESSAGES_MAX: usize = 4;

fn message(item: &PublishItem) -> Value {
    let payload = match item.payload.kind() {
        Kind::Text => json!({ "kind": "text", "text": item.payload.as_str() }),
        Kind::Json => json!({ "kind": "json", "text": item.payload.as_str() }),
        Kind::Binary => json!({ "kind": "binary", "hex": HEXLOWER.encode(item.payload.bytes()) }),
    };
    json!({ "channel": item.channel, "key": item.key, "payload": payload })
}

/// Any bytes behind an upgrade, read by our decoder and by tungstenite's whole one: how they were cut means nothing, what
/// ours hears is what the other hears, and what the other refuses ours refuses, if not earlier.
pub fn websocket(input: &[u8]) {
    let (heard, is_refused) = hear(input, input.len().max(1));
    for step in [1, 3, 64] {
        assert_eq!(hear(input, step), (heard.clone(), is_refused), "how bytes were cut means nothing");
    }
    let (others, other_refused) = hear_with_tungstenite(input);
    assert!(heard.len() <= others.len() && heard == others[..heard.len()], "{heard:?} is no beginning of {others:?}");
    assert!(is_refused || !other_refused && heard == others, "{heard:?} is taken, and {others:?} is refused");
}

/// What our decoder hears, as the other would say it, and whether it refuses the rest.
fn hear(input: &[u8], step: usize) -> (Vec<Said>, bool) {
    let (mut reader, mut all) = (Reader::new(MESSAGE_BYTES), Vec::new());
    for piece in input.chunks(step) {
        reader.handle_bytes(piece);
        loop {
            match reader.poll() {
                Ok(Some(message)) => all.push(match message {
                    Message::Text(text) => Said::Text(text),
                    Message::Binary(bytes) => Said::Binary(bytes),
                    Message::Ping(bytes) => Said::Ping(bytes),
                    Message::Pong => Said::Pong(Bytes::new()),
                    Message::Close(code) => {
                        Said::Close(code.map(|code| CloseFrame { code: code.into(), reason: "".into() }))
                    }
                }),
                Ok(None) => break,
                Err(_) => return (all, true),
            }
        }
    }
    (all, false)
}

fn hear_with_tungstenite(input: &[u8]) -> (Vec<Said>, bool) {
    let config = WebSocketConfig::default()
        .read_buffer_size(64)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let (mut memory, mut all) = (Memory(input), Vec::new());
    loop {
        match context.read(&mut memory) {
            Ok(Said::Pong(_)) => all.push(Said::Pong(Bytes::new())),
            Ok(Said::Close(frame)) => {
                all.push(Said::Close(frame.map(|frame| CloseFrame { reason: "".into(), ..frame })));
                return (all, false);
            }
            Ok(said) => all.push(said),
            Err(tungstenite::Error::Io(_)) => return (all, false),
            Err(_) => return (all, true),
        }
    }
}

/// The longest message in these laws: short enough for a fuzzer to pass it.
const MESSAGE_BYTES: usize = 200;

/// Bytes as a stream that has no more of them yet.
struct Memory<'a>(&'a [u8]);

impl io::Read for Memory<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(out) }
    }
}

impl io::Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn may_be_said(refused: &Refused) {
    assert!(matches!(refused.code, Code::Malformed | Code::FrameTooLong));
    assert!(!refused.sentence.is_empty() && refused.sentence.len() <= SENTENCE_BYTES_MAX, "{refused}");
    assert!(!refused.sentence.contains(char::is_control), "{refused:?}");
}
