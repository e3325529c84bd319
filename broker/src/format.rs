//! How a session's frames are encoded for its socket; a format keeps no state and never changes what a frame says.

use bytes::{Bytes, BytesMut};
use callboard_bridge_ws::Dialect;
use callboard_protocol::codec::{EncodeError, encode_stream};
use callboard_protocol::frame::ServerFrame;

/// What stands around a frame, and in which words it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// A body behind its length, as on a QUIC stream; what a history holds.
    #[default]
    Stream,
    /// A whole message of a WebSocket.
    Message(Dialect),
}

impl Format {
    /// Appends `frame`.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if its body would be longer than a peer accepts; `out` is then as it was.
    pub(crate) fn encode(self, frame: &ServerFrame<'_>, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Stream => encode_stream(frame, out),
            Self::Message(dialect) => dialect.encode(frame, out),
        }
    }

    /// Appends `frames`, whole frames of a stream that the broker encoded itself.
    pub(crate) fn transcode(dialect: Dialect, frames: &[u8], out: &mut BytesMut) {
        dialect.transcode(frames, out).expect("the broker reads what it encoded");
    }

    /// Frames of a stream in this format. In the format of streams they go on sharing their memory.
    pub(crate) fn transcoded(self, frames: Bytes) -> Bytes {
        match self {
            Self::Stream => frames,
            Self::Message(dialect) => {
                let mut out = BytesMut::with_capacity(frames.len());
                Self::transcode(dialect, &frames, &mut out);
                out.freeze()
            }
        }
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
pub(crate) mod tests;
