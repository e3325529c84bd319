//! What the broker says of an ending on a stream, and how a stream ends whose bytes are no frames. It ends nothing itself.

use bytes::{Bytes, BytesMut};
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::encode_stream;
use callboard_protocol::deframe::DeframeError;
use callboard_protocol::frame::ServerFrame;

/// The ending of a session whose bytes are no frames.
pub(crate) fn malformed(error: &DeframeError) -> Ending {
    let too_long = matches!(error, DeframeError::TooLong { .. } | DeframeError::LengthTooLong);
    Ending::because(if too_long { Code::FrameTooLong } else { Code::Malformed }, error)
}

/// The goodbye that tells an ending, for a stream.
pub(crate) fn goodbye_frame(ending: &Ending) -> Bytes {
    let mut frame = BytesMut::new();
    encode_stream(&ServerFrame::Goodbye(ending.goodbye()), &mut frame).expect("a sentence fits a body");
    frame.freeze()
}
