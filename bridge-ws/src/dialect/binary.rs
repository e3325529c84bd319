//! The dialect `callboard.v1`: a binary message is one body, so nothing is translated and nothing is copied.

use bytes::{BufMut, BytesMut};
use callboard_protocol::codec::{EncodeError, encode_behind};
use callboard_protocol::frame::ServerFrame;

use crate::framing::{Opcode, header_of};

pub(super) fn encode(frame: &ServerFrame<'_>, out: &mut BytesMut) -> Result<(), EncodeError> {
    encode_behind(frame, out, |bytes| header_of(Opcode::Binary, bytes))
}

/// Appends a body that is encoded already.
pub(super) fn transcode(body: &[u8], out: &mut BytesMut) {
    let (header, header_bytes) = header_of(Opcode::Binary, body.len());
    out.reserve(header_bytes + body.len());
    out.put_slice(&header[..header_bytes]);
    out.put_slice(body);
}
