//! A session at the QUIC door: a connection and the session's stream, read and written by hand.

use bytes::BytesMut;
use callboard_protocol::codec::encode_stream;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::ClientFrame;
use callboard_protocol::limits::BODY_BYTES_MAX;
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream};

use super::body::{Body, Ending};
use super::dialer::Dialer;
use crate::soon;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// A stream and what it is on.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) connection: Connection,
    pub(super) outward: SendStream,
    inward: RecvStream,
    deframer: Deframer,
    pub(super) dialer: Dialer,
}

impl Stream {
    pub(super) async fn open(dialer: Dialer, connection: Connection) -> Result<Self, ConnectionError> {
        let (outward, inward) = soon("room for a stream", connection.open_bi()).await?;
        Ok(Self { connection, outward, inward, deframer: Deframer::new(BODY_BYTES_MAX), dialer })
    }

    /// Frames as this door wants them.
    pub(super) fn encode(frames: &[ClientFrame<'_>]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for frame in frames {
            encode_stream(frame, &mut bytes).expect("a test that wants a body that is too long sends its bytes");
        }
        bytes
    }

    /// A body behind its length.
    pub(super) fn around(body: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::new();
        let mut length = body.len();
        while length >= 0x80 {
            bytes.extend_from_slice(&[(length & 0x7f) as u8 | 0x80]);
            length >>= 7;
        }
        bytes.extend_from_slice(&[length as u8]);
        bytes.extend_from_slice(body);
        bytes
    }

    pub(super) async fn read(&mut self) -> Result<Body, Ending> {
        loop {
            match self.deframer.poll_body() {
                Ok(Some(body)) => return Ok(Body(body)),
                Ok(None) => {}
                Err(error) => panic!("the broker sent a stream that is none: {error}"),
            }
            match soon("a frame, or the session's end,", self.inward.read_chunk(READ_BYTES, true)).await {
                Ok(Some(chunk)) => self.deframer.handle_bytes(chunk.bytes),
                Ok(None) if self.deframer.is_mid_frame() => panic!("the broker ended its stream within a frame"),
                Ok(None) => return Err(self.connection.close_reason().map_or(Ending::Finished, Ending::from)),
                Err(ReadError::Reset(code)) => return Err(Ending::Reset(code.into_inner())),
                Err(ReadError::ConnectionLost(error)) => return Err(error.into()),
                Err(error @ (ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected)) => {
                    panic!("the test reads a stream that it ended: {error}")
                }
            }
        }
    }
}
