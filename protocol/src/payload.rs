//! What a message carries: text, JSON or binary, verbatim; never looked into beyond its UTF-8.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

/// How a payload's bytes are to be read. The numbers are the wire's (PROTOCOL.md, "Payload").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// A JSON text in UTF-8. The broker carries it unread: that it parses is the publisher's promise.
    Json,
    /// Any bytes.
    Binary,
}

/// A payload that owns its bytes. Cloning shares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    kind: Kind,
    bytes: Bytes,
}

impl Payload {
    /// A payload of text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: Kind::Text, bytes: Bytes::from(text.into()) }
    }

    /// A payload that is a JSON text. It is carried verbatim and not parsed.
    #[must_use]
    pub fn json(json: impl Into<String>) -> Self {
        Self { kind: Kind::Json, bytes: Bytes::from(json.into()) }
    }

    /// A payload of bytes.
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Binary, bytes: bytes.into() }
    }

    /// How the bytes are to be read.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The bytes, as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The text of a text or JSON payload; `None` for a binary one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self.kind {
            Kind::Text | Kind::Json => std::str::from_utf8(&self.bytes).ok(),
            Kind::Binary => None,
        }
    }

    /// The payload, borrowed, as frames carry it.
    #[must_use]
    pub fn borrowed(&self) -> PayloadRef<'_> {
        PayloadRef { kind: self.kind, bytes: &self.bytes }
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// A payload inside a frame: it borrows from the body that was decoded, or from a [`Payload`] to be encoded.
///
/// Text and JSON are UTF-8 by construction: a decoder refuses a frame whose text is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PayloadRef<'a> {
    kind: Kind,
    #[serde(with = "serde_bytes")]
    bytes: &'a [u8],
}

impl<'a> PayloadRef<'a> {
    /// A payload of text.
    #[must_use]
    pub fn text(text: &'a str) -> Self {
        Self { kind: Kind::Text, bytes: text.as_bytes() }
    }

    /// A payload that is a JSON text. It is carried verbatim and not parsed.
    #[must_use]
    pub fn json(json: &'a str) -> Self {
        Self { kind: Kind::Json, bytes: json.as_bytes() }
    }

    /// A payload of bytes.
    #[must_use]
    pub fn binary(bytes: &'a [u8]) -> Self {
        Self { kind: Kind::Binary, bytes }
    }

    /// How the bytes are to be read.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The bytes, as they came.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// An owned payload that shares `body`'s memory: no byte is copied.
    ///
    /// # Panics
    ///
    /// If this payload was not decoded from `body`.
    #[must_use]
    pub fn share(&self, body: &Bytes) -> Payload {
        Payload { kind: self.kind, bytes: body.slice_ref(self.bytes) }
    }

    /// An owned payload with a copy of the bytes.
    #[must_use]
    pub fn to_owned(&self) -> Payload {
        Payload { kind: self.kind, bytes: Bytes::copy_from_slice(self.bytes) }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for PayloadRef<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire<'a>(Kind, #[serde(borrow, with = "serde_bytes")] &'a [u8]);

        let Wire(kind, bytes) = Wire::deserialize(deserializer)?;
        match kind {
            Kind::Text | Kind::Json if std::str::from_utf8(bytes).is_err() => {
                Err(serde::de::Error::custom("text and JSON are UTF-8"))
            }
            Kind::Text | Kind::Json | Kind::Binary => Ok(Self { kind, bytes }),
        }
    }
}
