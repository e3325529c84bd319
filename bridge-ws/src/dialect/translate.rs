//! The dialects and how each is chosen; a translator keeps no state between two messages and never judges their order.

use bytes::{Bytes, BytesMut};
use callboard_protocol::close::Code;
use callboard_protocol::codec::{DecodeError, EncodeError, decode_server, encode};
use callboard_protocol::frame::{ClientFrame, ServerFrame};
use callboard_protocol::limits::{BODY_BYTES_MAX, LENGTH_BYTES_MAX};
use callboard_protocol::version::{WEBSOCKET_BINARY, WEBSOCKET_JSON};

use super::{binary, json};
use crate::framing::{Opcode, message_of_unknown_length};

/// What is spoken on one socket, agreed by subprotocol (PROTOCOL.md, "Versions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `callboard.v1`: a binary message is one body.
    Binary,
    /// `callboard.v1.json`: a text message is one frame as JSON (PROTOCOL.md, "JSON").
    Json,
}

/// A message of a browser, whole and unmasked; a text is UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(Bytes),
}

/// What a client says: the content of one message, for a WebSocket library to mask and send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

/// A message is no frame. The peer is at fault, and the session ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refused {
    /// Why, for programs.
    pub code: Code,
    /// Where and what is wrong, for people. It repeats no value that the peer sent, and at most one name.
    pub sentence: String,
}

/// Bytes that should be frames of the broker are none. The fault is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TranscodeError {
    /// They are not bodies, each behind its length.
    #[error("the bytes are not whole bodies, each behind its length")]
    Cut,
    /// A body is no frame.
    #[error(transparent)]
    Frame(#[from] DecodeError),
    /// A frame is too long to be said.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl Dialect {
    /// The dialect of this subprotocol; `None` for one that this broker does not know.
    #[must_use]
    pub fn of_subprotocol(name: &str) -> Option<Self> {
        match name {
            WEBSOCKET_BINARY => Some(Self::Binary),
            WEBSOCKET_JSON => Some(Self::Json),
            _ => None,
        }
    }

    /// The subprotocol's name.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Binary => WEBSOCKET_BINARY,
            Self::Json => WEBSOCKET_JSON,
        }
    }

    /// Appends `frame` as one whole unmasked WebSocket message, header and content.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the frame's body would be longer than a peer accepts, in whatever dialect; `out` is then as it
    /// was.
    pub fn encode(self, frame: &ServerFrame<'_>, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Binary => binary::encode(frame, out),
            Self::Json => {
                let bytes = callboard_protocol::codec::body_bytes(frame)?;
                out.reserve(bytes + json::NAMES_BYTES);
                message_of_unknown_length(Opcode::Text, out, |out| json::write_server(frame, out));
                Ok(())
            }
        }
    }

    /// Appends frames of a QUIC stream (PROTOCOL.md, "Stream"), as a history holds them, as messages of this dialect.
    ///
    /// # Errors
    ///
    /// [`TranscodeError`] if `stream` is not whole frames of the broker; `out` is then as it was. The binary dialect does
    /// not look into the bodies.
    pub fn transcode(self, stream: &[u8], out: &mut BytesMut) -> Result<(), TranscodeError> {
        let start = out.len();
        let done = self.transcode_all(stream, out);
        if done.is_err() {
            out.truncate(start);
        }
        done
    }

    fn transcode_all(self, mut stream: &[u8], out: &mut BytesMut) -> Result<(), TranscodeError> {
        while !stream.is_empty() {
            let (body, rest) = split_body(stream).ok_or(TranscodeError::Cut)?;
            match self {
                Self::Binary => binary::transcode(body, out),
                Self::Json => self.encode(&decode_server(body)?, out)?,
            }
            stream = rest;
        }
        Ok(())
    }

    /// The body of a client's message, for [`decode_client`](callboard_protocol::codec::decode_client) to read.
    ///
    /// A binary message is the body itself, not copied and not looked into. A JSON one is translated; `instance` is taken
    /// for a `Hello` that names none, and should be random.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the message is too long, of the other type, or no frame of a client.
    #[inline]
    pub fn decode(self, incoming: Incoming<'_>, instance: [u8; 16]) -> Result<Bytes, Refused> {
        self.body(incoming, |text| json::read_client(text, instance))
    }

    /// What a client of this dialect says for `frame`; the other way of [`decode`](Self::decode).
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the frame's body would be longer than a peer accepts.
    pub fn encode_client(self, frame: &ClientFrame<'_>) -> Result<Outgoing, EncodeError> {
        let mut body = BytesMut::new();
        encode(frame, &mut body)?;
        Ok(match self {
            Self::Binary => Outgoing::Binary(body.freeze()),
            Self::Json => Outgoing::Text(json::write_client(frame)),
        })
    }

    /// The body of a broker's message, for [`decode_server`] to read; the other way of [`encode`](Self::encode), whose
    /// header is taken off.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the message is of the other type or no frame of a broker.
    pub fn decode_server(self, incoming: Incoming<'_>) -> Result<Bytes, Refused> {
        match (self, incoming) {
            // PROTOCOL.md, "JSON": what a broker says may be longer than its body.
            (Self::Json, Incoming::Text(text)) => json::read_server(text),
            (Self::Json | Self::Binary, incoming) => self.body(incoming, json::read_server),
        }
    }

    #[inline]
    fn body(self, incoming: Incoming<'_>, read: impl FnOnce(&str) -> Result<Bytes, Refused>) -> Result<Bytes, Refused> {
        let bytes = match &incoming {
            Incoming::Text(text) => text.len(),
            Incoming::Binary(body) => body.len(),
        };
        if bytes > BODY_BYTES_MAX {
            let sentence = format!("a message has at most {BODY_BYTES_MAX} bytes, this one has {bytes}");
            return Err(Refused { code: Code::FrameTooLong, sentence });
        }
        match (self, incoming) {
            (Self::Binary, Incoming::Binary(body)) => Ok(body),
            (Self::Json, Incoming::Text(text)) => read(text),
            (Self::Binary, Incoming::Text(_)) => Err(self.other("text", "binary")),
            (Self::Json, Incoming::Binary(_)) => Err(self.other("binary", "text")),
        }
    }

    fn other(self, found: &str, expected: &str) -> Refused {
        let sentence = format!("this is a {found} message; {} has {expected} messages only", self.subprotocol());
        Refused { code: Code::Malformed, sentence }
    }
}

/// The first body of a stream and what stands behind it; `None` if there is no whole one.
fn split_body(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = stream.iter().take(LENGTH_BYTES_MAX).position(|byte| byte & 0x80 == 0)?;
    let (prefix, rest) = stream.split_at(last + 1);
    let length = prefix.iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
    (length > 0).then(|| rest.split_at_checked(length)).flatten()
}
