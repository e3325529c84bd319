//! What a raw peer hears: bodies, and what the frames in them say in a form that outlives them.

use bytes::Bytes;
use callboard_protocol::codec::decode_server;
use callboard_protocol::frame::{self, ServerFrame};
use callboard_protocol::{ChannelId, Offset, Payload};

/// One frame's body, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(pub Bytes);

impl Body {
    /// The frame.
    ///
    /// # Panics
    ///
    /// If it is none: a broker never says such a thing.
    #[must_use]
    pub fn frame(&self) -> ServerFrame<'_> {
        decode_server(&self.0).unwrap_or_else(|error| panic!("the broker said {:02x?}: {error}", &self.0[..]))
    }
}

/// A message, with bytes of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The channel's number.
    pub channel: ChannelId,
    /// Its place there.
    pub offset: Offset,
    /// Who published it.
    pub publisher: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// What it says.
    pub payload: Payload,
}

impl From<frame::Message<'_>> for Message {
    fn from(message: frame::Message<'_>) -> Self {
        Self {
            channel: message.channel,
            offset: message.offset,
            publisher: message.publisher.map(str::to_owned),
            key: message.key.map(str::to_owned),
            payload: message.payload.to_owned(),
        }
    }
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its number in the failure registry.
    pub code: u16,
    /// Its class.
    pub class: String,
    /// The sentence for people.
    pub sentence: String,
    /// What programs may read beside the class, if it is text.
    pub data: Option<String>,
}

impl From<frame::Failed<'_>> for Failure {
    fn from(failed: frame::Failed<'_>) -> Self {
        let data = failed.data.map(|data| String::from_utf8_lossy(data.bytes()).into_owned());
        Self { code: failed.code, class: failed.class.to_owned(), sentence: failed.sentence.to_owned(), data }
    }
}

/// How the broker ended a session or its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It closed the connection with a code of the close registry.
    Closed {
        /// The code.
        code: u64,
        /// The sentence.
        reason: String,
    },
    /// It ended the session's stream and left the connection open.
    Finished,
    /// It reset the session's stream with this code.
    Reset(u64),
    /// The connection was lost, and nobody said why.
    Lost(String),
}

impl From<quinn::ConnectionError> for Ending {
    fn from(error: quinn::ConnectionError) -> Self {
        if let quinn::ConnectionError::ApplicationClosed(close) = &error {
            let reason = String::from_utf8_lossy(&close.reason).into_owned();
            return Self::Closed { code: close.error_code.into_inner(), reason };
        }
        Self::Lost(error.to_string())
    }
}
