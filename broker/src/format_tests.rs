//! What a peer of each format reads, for the tests of all who write; and that a format changes nothing that is said.

use bytes::{Buf, Bytes, BytesMut};
use callboard_bridge_ws::{Dialect, Incoming};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::Skipped;
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{ChannelId, Offset, codec::decode_server};

use super::*;

/// Every format that there is.
pub(crate) const ALL: [Format; 3] = [Format::Stream, Format::Message(Dialect::Binary), Format::Message(Dialect::Json)];

/// Takes the bodies out of what a session was written.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Of a stream.
    Stream(Deframer),
    /// Of a WebSocket.
    Messages(Dialect, BytesMut),
}

impl Reading {
    /// Nothing was read yet.
    pub(crate) fn of(format: Format) -> Self {
        match format {
            Format::Stream => Self::Stream(Deframer::new(BODY_BYTES_MAX)),
            Format::Message(dialect) => Self::Messages(dialect, BytesMut::new()),
        }
    }

    /// Takes what was written.
    pub(crate) fn handle_bytes(&mut self, bytes: Bytes) {
        match self {
            Self::Stream(deframer) => deframer.handle_bytes(bytes),
            Self::Messages(_, buffer) => buffer.extend_from_slice(&bytes),
        }
    }

    /// The next whole body.
    pub(crate) fn next_body(&mut self) -> Option<Bytes> {
        match self {
            Self::Stream(deframer) => deframer.poll_body().expect("what the broker writes can be cut"),
            Self::Messages(dialect, buffer) => {
                let content = next_message(buffer)?;
                let incoming = match dialect {
                    Dialect::Binary => Incoming::Binary(content),
                    Dialect::Json => Incoming::Text(str::from_utf8(&content).expect("JSON is text")),
                };
                Some(dialect.decode_server(incoming).expect("what the broker writes is of its dialect"))
            }
        }
    }
}

/// The content of the first message, if it is whole (RFC 6455, section 5.2).
fn next_message(buffer: &mut BytesMut) -> Option<Bytes> {
    let (header, length) = match *buffer.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().unwrap()))),
        127 => (10, usize::try_from(u64::from_be_bytes(buffer.get(2..10)?.try_into().unwrap())).unwrap()),
        short => (2, usize::from(short)),
    };
    assert!(matches!(buffer[0], 0x81 | 0x82), "whole data messages only");
    if buffer.len() < header + length {
        return None;
    }
    buffer.advance(header);
    Some(buffer.split_to(length).freeze())
}

#[test]
fn a_format_changes_nothing_that_is_said() {
    for format in ALL {
        let (mut stream, mut encoded) = (BytesMut::new(), BytesMut::new());
        for through in [1, 300, 70_000] {
            let skipped = Skipped { channel: ChannelId::saturating(through), through: Offset::saturating(through) };
            let frame = ServerFrame::Skipped(skipped);
            Format::Stream.encode(&frame, &mut stream).unwrap();
            format.encode(&frame, &mut encoded).unwrap();
        }
        assert_eq!(
            format.transcoded(stream.freeze()),
            encoded,
            "{format:?}: transcoded late is the same as encoded at once"
        );
        let mut reading = Reading::of(format);
        reading.handle_bytes(encoded.freeze());
        for through in [1, 300, 70_000] {
            let body = reading.next_body().expect("as many as were written");
            let ServerFrame::Skipped(skipped) = decode_server(&body).unwrap() else { panic!("{format:?}") };
            assert_eq!(skipped.through.value(), through, "{format:?}");
        }
        assert_eq!(reading.next_body(), None);
    }
}
