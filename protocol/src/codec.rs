//! Frames to bodies and back, exactly: one frame has one encoding, and a body is one frame with nothing behind it.

mod by_hand;

use bytes::BytesMut;
use serde::{Deserialize, Serialize};

use crate::frame::{ClientFrame, Message, ServerFrame};
use crate::limits::{BODY_BYTES_MAX, LENGTH_BYTES_MAX};

/// A frame of either direction; the two enums implement it and nothing else needs to.
pub trait Frame: Serialize {
    /// The message that it is, if it is one: nearly all that a broker says.
    fn as_message(&self) -> Option<&Message<'_>> {
        None
    }
}

impl Frame for ClientFrame<'_> {}

impl Frame for ServerFrame<'_> {
    fn as_message(&self) -> Option<&Message<'_>> {
        if let ServerFrame::Message(message) = self { Some(message) } else { None }
    }
}

/// Why a body is no frame. The peer is at fault; the session ends with [`crate::close::Code::Malformed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is longer than [`BODY_BYTES_MAX`].
    #[error("a body has at most {BODY_BYTES_MAX} bytes, this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The body ends before its frame does.
    #[error("the body ends before its frame does")]
    Truncated,
    /// The frame ends before its body does.
    #[error("{bytes} bytes follow the frame")]
    Trailing {
        /// How many are left.
        bytes: usize,
    },
    /// An unknown kind of frame, a text that is not UTF-8, an integer above its limit, or another value that no
    /// field can have.
    #[error("the body has a value that its field cannot have")]
    Invalid,
    /// An integer is written with more bytes than it needs.
    #[error("an integer is written with more bytes than it needs")]
    Overlong,
}

/// Appends `frame`'s body to `out`.
///
/// # Errors
///
/// [`EncodeError`] if the body would be longer than a peer accepts; `out` is then as it was.
pub fn encode<F: Frame>(frame: &F, out: &mut BytesMut) -> Result<(), EncodeError> {
    let bytes = body_bytes(frame)?;
    write(frame, bytes, out);
    Ok(())
}

/// Appends `frame` framed for a stream: the body's length as a varint, then the body.
///
/// # Errors
///
/// [`EncodeError`] if the body would be longer than a peer accepts; `out` is then as it was.
pub fn encode_stream<F: Frame>(frame: &F, out: &mut BytesMut) -> Result<(), EncodeError> {
    encode_behind(frame, out, length_prefix)
}

/// Appends a body that is encoded already, framed for a stream.
///
/// # Errors
///
/// [`EncodeError`] if the body is longer than a peer accepts; `out` is then as it was.
pub fn append_body(body: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
    let bytes = body.len();
    if bytes > BODY_BYTES_MAX {
        return Err(EncodeError { bytes });
    }
    let (prefix, prefix_bytes) = length_prefix(bytes);
    out.reserve(prefix_bytes + bytes);
    out.extend_from_slice(&prefix[..prefix_bytes]);
    out.extend_from_slice(body);
    Ok(())
}

/// Appends the prefix that `prefix_of` makes for a body of so many bytes (as many bytes of the array as it says), then
/// `frame`'s body.
///
/// # Errors
///
/// [`EncodeError`] if the body would be longer than a peer accepts; `out` is then as it was.
pub fn encode_behind<F: Frame, const N: usize>(
    frame: &F,
    out: &mut BytesMut,
    prefix_of: impl FnOnce(usize) -> ([u8; N], usize),
) -> Result<(), EncodeError> {
    let bytes = body_bytes(frame)?;
    let (prefix, prefix_bytes) = prefix_of(bytes);
    // Exactly: whoever knows how much he will write has room for it, and needs no more.
    out.reserve(prefix_bytes + bytes);
    out.extend_from_slice(&prefix[..prefix_bytes]);
    write(frame, bytes, out);
    Ok(())
}

/// A frame's body would be longer than [`BODY_BYTES_MAX`]. The caller is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a body has at most {BODY_BYTES_MAX} bytes, this one would have {bytes}")]
pub struct EncodeError {
    /// How long it would be.
    pub bytes: usize,
}

/// How long `frame`'s body is.
///
/// # Errors
///
/// [`EncodeError`] if that is longer than a peer accepts.
pub fn body_bytes<F: Frame>(frame: &F) -> Result<usize, EncodeError> {
    let bytes = size(frame);
    if bytes > BODY_BYTES_MAX { Err(EncodeError { bytes }) } else { Ok(bytes) }
}

fn size<F: Frame>(frame: &F) -> usize {
    if let Some(message) = frame.as_message() {
        return by_hand::message_bytes(message);
    }
    postcard::serialize_with_flavor(frame, postcard::ser_flavors::Size::default())
        .expect("frames have no value that postcard cannot write, and counting takes no memory")
}

/// Appends the body of `frame`, which has `bytes` bytes.
fn write<F: Frame>(frame: &F, bytes: usize, out: &mut BytesMut) {
    if let Some(message) = frame.as_message() {
        return by_hand::write_message(message, out);
    }
    let start = out.len();
    // Its size is known, so it is written into a slice: a buffer that may grow would be asked for room at each field.
    out.resize(start + bytes, 0);
    postcard::to_slice(frame, &mut out[start..])
        .expect("frames have no value that postcard cannot write, and a frame has the size that was counted");
}

/// The length that stands before a body on a stream, and how many bytes of it count.
fn length_prefix(length: usize) -> ([u8; LENGTH_BYTES_MAX], usize) {
    let (mut prefix, mut rest, mut bytes) = ([0; LENGTH_BYTES_MAX], length, 0);
    while rest >= 0x80 {
        prefix[bytes] = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
        bytes += 1;
    }
    prefix[bytes] = rest as u8;
    (prefix, bytes + 1)
}

/// Decodes a client's frame; it borrows from `body`.
///
/// # Errors
///
/// What is wrong with the body.
pub fn decode_client(body: &[u8]) -> Result<ClientFrame<'_>, DecodeError> {
    if body.len() <= BODY_BYTES_MAX
        && let Some(publish) = by_hand::read_publish(body)
    {
        return Ok(ClientFrame::Publish(publish));
    }
    decode(body)
}

/// Decodes a broker's frame; it borrows from `body`.
///
/// # Errors
///
/// What is wrong with the body.
pub fn decode_server(body: &[u8]) -> Result<ServerFrame<'_>, DecodeError> {
    decode(body)
}

fn decode<'a, F: Deserialize<'a> + Frame>(body: &'a [u8]) -> Result<F, DecodeError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(DecodeError::TooLong { bytes: body.len() });
    }
    let (frame, rest) = postcard::take_from_bytes::<F>(body).map_err(|error| {
        if error == postcard::Error::DeserializeUnexpectedEnd { DecodeError::Truncated } else { DecodeError::Invalid }
    })?;
    if !rest.is_empty() {
        return Err(DecodeError::Trailing { bytes: rest.len() });
    }
    // PROTOCOL.md, "Integers": the shortest form only. Varints are the one thing that postcard reads in several
    // forms, and each longer form makes the body longer than what its frame encodes to.
    if size(&frame) != body.len() {
        return Err(DecodeError::Overlong);
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Goodbye, Publish};
    use crate::integer::{RequestId, Sequence};
    use crate::payload::PayloadRef;

    fn publish(payload: &[u8]) -> ClientFrame<'_> {
        ClientFrame::Publish(Publish {
            request: RequestId::ZERO,
            sequence: Sequence::ZERO,
            channel: "a",
            key: None,
            payload: PayloadRef::binary(payload),
        })
    }

    /// A payload that makes the body of `publish` have exactly `body_bytes`.
    fn payload_for(body_bytes: usize) -> Vec<u8> {
        let near = body_bytes.saturating_sub(16)..body_bytes;
        vec![0; near.into_iter().find(|bytes| size(&publish(&vec![0; *bytes])) == body_bytes).expect("a near payload")]
    }

    #[test]
    fn a_body_at_the_limit_goes_through_and_one_above_does_not() {
        let mut out = BytesMut::from(&b"before"[..]);
        let longest = payload_for(BODY_BYTES_MAX);
        encode(&publish(&longest), &mut out).unwrap();
        assert_eq!(out.len(), 6 + BODY_BYTES_MAX);
        assert_eq!(decode_client(&out[6..]), Ok(publish(&longest)));
        out.truncate(6);

        let above = payload_for(BODY_BYTES_MAX + 1);
        let error = EncodeError { bytes: BODY_BYTES_MAX + 1 };
        assert_eq!(encode(&publish(&above), &mut out), Err(error));
        assert_eq!(encode_stream(&publish(&above), &mut out), Err(error));
        assert_eq!(out, b"before"[..], "a frame that is refused leaves nothing behind");
        assert_eq!(
            decode_client(&vec![0; BODY_BYTES_MAX + 1]),
            Err(DecodeError::TooLong { bytes: BODY_BYTES_MAX + 1 }),
            "the length is judged before the content"
        );
    }

    #[test]
    fn a_stream_has_the_shortest_length_before_each_body() {
        for (body_bytes, prefix) in [
            (127, &[0x7f][..]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (BODY_BYTES_MAX, &[0x80, 0x80, 0x40]),
        ] {
            let mut out = BytesMut::new();
            encode_stream(&publish(&payload_for(body_bytes)), &mut out).unwrap();
            assert_eq!(&out[..prefix.len()], prefix, "{body_bytes}");
            assert_eq!(out.len(), prefix.len() + body_bytes);
            let mut again = BytesMut::new();
            append_body(&out[prefix.len()..], &mut again).unwrap();
            assert_eq!(again, out, "a body that is encoded already is framed alike");
        }
        assert_eq!(
            append_body(&[0; BODY_BYTES_MAX + 1], &mut BytesMut::new()).map_err(|error| error.bytes),
            Err(BODY_BYTES_MAX + 1)
        );
    }

    #[test]
    fn a_decoded_frame_points_into_its_body() {
        let mut body = BytesMut::new();
        encode(&publish(b"carried"), &mut body).unwrap();
        let body = body.freeze();
        let Ok(ClientFrame::Publish(frame)) = decode_client(&body) else { panic!("a publish") };
        let payload = frame.payload.share(&body);
        assert_eq!(payload.bytes().as_ptr(), body[body.len() - 7..].as_ptr(), "no byte is copied");
        assert_eq!(payload, frame.payload.to_owned());
    }

    #[test]
    fn frames_may_stand_one_behind_the_other_in_one_buffer() {
        let goodbye = ServerFrame::Goodbye(Goodbye { code: 4000, sentence: "", retry_after: None });
        let mut out = BytesMut::new();
        encode_stream(&goodbye, &mut out).unwrap();
        encode_stream(&goodbye, &mut out).unwrap();
        assert_eq!(out, [5, 1, 0xa0, 0x1f, 0, 0, 5, 1, 0xa0, 0x1f, 0, 0][..]);
    }
}
