//! How a session ends: what its peer is told. It ends nothing itself.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use callboard_protocol::Millis;
use callboard_protocol::close::Code;
use callboard_protocol::codec::encode_stream;
use callboard_protocol::deframe::DeframeError;
use callboard_protocol::frame::{Goodbye, ServerFrame};

use callboard_protocol::sentence::capped;

/// Why and how a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The code that the peer is told.
    pub(crate) code: Code,
    /// The sentence that goes with it.
    pub(crate) sentence: Cow<'static, str>,
    /// How long the peer should stay away.
    pub(crate) retry_after: Option<Millis>,
}

impl Ending {
    /// An ending with the registry's own sentence.
    pub(crate) fn plain(code: Code) -> Self {
        Self { code, sentence: code.sentence().into(), retry_after: None }
    }

    /// An ending with a more exact sentence.
    pub(crate) fn because(code: Code, reason: impl std::fmt::Display) -> Self {
        let sentence = capped(format!("{}: {reason}", code.sentence()));
        Self { code, sentence: sentence.into(), retry_after: None }
    }

    /// The ending of a session whose bytes are no frames.
    pub(crate) fn torn(error: &DeframeError) -> Self {
        let too_long = matches!(error, DeframeError::TooLong { .. } | DeframeError::LengthTooLong);
        Self::because(if too_long { Code::FrameTooLong } else { Code::Malformed }, error)
    }

    /// The goodbye that tells it, for a stream.
    pub(crate) fn goodbye_frame(&self) -> Bytes {
        let mut frame = BytesMut::new();
        let goodbye = ServerFrame::Goodbye(Goodbye {
            code: self.code.number(),
            sentence: &self.sentence,
            retry_after: self.retry_after,
        });
        encode_stream(&goodbye, &mut frame).expect("a sentence fits a body");
        frame.freeze()
    }
}
