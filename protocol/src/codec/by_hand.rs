//! The two frames that come by the million, a publish on its way in and a message on its way out, read and written without
//! serde: byte for byte what postcard makes of them, and never any other frame.

use bytes::{BufMut, BytesMut};

use crate::frame::{Message, Publish};
use crate::integer::{RequestId, Sequence};
use crate::limits::INTEGER_MAX;
use crate::payload::{Kind, PayloadRef};

/// PROTOCOL.md, "From client to broker".
const PUBLISH: u8 = 7;

/// PROTOCOL.md, "From broker to client".
const MESSAGE: u8 = 6;

/// Bytes of a varint that counts to [`INTEGER_MAX`].
const INTEGER_BYTES_MAX: usize = 8;

const _: () = assert!(INTEGER_MAX >> (7 * INTEGER_BYTES_MAX) == 0 && INTEGER_MAX >> (7 * (INTEGER_BYTES_MAX - 1)) > 0);

/// The publish that `body` is; `None` if it is anything else, or is wrong in any way: whoever asks then says what it is.
pub(super) fn read_publish(body: &[u8]) -> Option<Publish<'_>> {
    let rest = body.strip_prefix(&[PUBLISH])?;
    let (request, rest) = read_integer(rest)?;
    let (sequence, rest) = read_integer(rest)?;
    let (channel, rest) = read_text(rest)?;
    let (key, rest) = match rest.split_first()? {
        (0, rest) => (None, rest),
        (1, rest) => read_text(rest).map(|(key, rest)| (Some(key), rest))?,
        _ => return None,
    };
    let (kind, rest) = rest.split_first()?;
    let (length, payload) = read_integer(rest)?;
    if usize::try_from(length) != Ok(payload.len()) {
        return None;
    }
    let payload = match kind {
        0 => PayloadRef::text(str::from_utf8(payload).ok()?),
        1 => PayloadRef::json(str::from_utf8(payload).ok()?),
        2 => PayloadRef::binary(payload),
        _ => return None,
    };
    let (request, sequence) = (RequestId::new(request).ok()?, Sequence::new(sequence).ok()?);
    Some(Publish { request, sequence, channel, key, payload })
}

/// A varint in its shortest form, and what stands behind it.
fn read_integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let mut value = u64::from(first & 0x7f);
    let mut last = *first;
    let mut shift = 7;
    while last >= 0x80 {
        let (next, behind) = rest.split_first()?;
        // PROTOCOL.md, "Integers": the shortest form only.
        if *next == 0 || shift >= 7 * INTEGER_BYTES_MAX {
            return None;
        }
        value |= u64::from(next & 0x7f) << shift;
        (last, rest, shift) = (*next, behind, shift + 7);
    }
    Some((value, rest))
}

fn read_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = read_integer(bytes)?;
    let (text, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((str::from_utf8(text).ok()?, rest))
}

/// How long the body of `message` is.
pub(super) fn message_bytes(message: &Message<'_>) -> usize {
    let Message { channel, offset, published, publisher, key, payload } = message;
    let payload_bytes = payload.bytes().len();
    2 + integer_bytes(channel.value())
        + integer_bytes(offset.value())
        + integer_bytes(published.value())
        + text_bytes(*publisher)
        + text_bytes(*key)
        + integer_bytes(payload_bytes as u64)
        + payload_bytes
}

/// Appends the body of `message`.
pub(super) fn write_message(message: &Message<'_>, out: &mut BytesMut) {
    let Message { channel, offset, published, publisher, key, payload } = message;
    let mut few = Few::NONE;
    few.put(MESSAGE);
    few.put_integer(channel.value());
    few.put_integer(offset.value());
    few.put_integer(published.value());
    for text in [publisher, key] {
        few.put(u8::from(text.is_some()));
        if let Some(text) = text {
            few.put_integer(text.len() as u64);
            out.put_slice(few.bytes());
            out.put_slice(text.as_bytes());
            few = Few::NONE;
        }
    }
    few.put(match payload.kind() {
        Kind::Text => 0,
        Kind::Json => 1,
        Kind::Binary => 2,
    });
    few.put_integer(payload.bytes().len() as u64);
    out.put_slice(few.bytes());
    out.put_slice(payload.bytes());
}

fn integer_bytes(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

fn text_bytes(text: Option<&str>) -> usize {
    text.map_or(1, |text| 1 + integer_bytes(text.len() as u64) + text.len())
}

/// The fields between two slices, put together before they are copied: four integers, and four bytes beside them.
struct Few {
    bytes: [u8; 4 * INTEGER_BYTES_MAX + 4],
    length: usize,
}

impl Few {
    const NONE: Self = Self { bytes: [0; 4 * INTEGER_BYTES_MAX + 4], length: 0 };

    fn put(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn put_integer(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(value as u8 | 0x80);
            value >>= 7;
        }
        self.put(value as u8);
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{ClientFrame, ServerFrame};
    use crate::integer::{ChannelId, Millis, Offset};

    /// Integers at each length of a varint.
    fn integers() -> impl Iterator<Item = u64> {
        (0..8)
            .flat_map(|bytes| [0, 1, 0x7f].map(|value| value << (7 * bytes)))
            .chain([INTEGER_MAX])
            .filter(|value| *value <= INTEGER_MAX)
    }

    fn payloads() -> Vec<PayloadRef<'static>> {
        let long = "ü".repeat(100).leak();
        vec![PayloadRef::text(""), PayloadRef::json("{}"), PayloadRef::text(long), PayloadRef::binary(&[0xff; 127])]
    }

    /// Publishes that have one edge each, and some that have several.
    fn publishes() -> Vec<Publish<'static>> {
        let mut all = Vec::new();
        for payload in payloads() {
            for key in [None, Some(""), Some("größe")] {
                for integer in integers() {
                    let (request, sequence) = (RequestId::saturating(integer), Sequence::saturating(integer / 3));
                    all.push(Publish { request, sequence, channel: "bench/ä", key, payload });
                }
            }
        }
        all
    }

    /// What postcard makes of a body, if it is a publish and has no shorter form.
    fn read_by_postcard(body: &[u8]) -> Option<Publish<'_>> {
        let (frame, rest) = postcard::take_from_bytes::<ClientFrame<'_>>(body).ok()?;
        let ClientFrame::Publish(publish) = frame else { return None };
        (rest.is_empty() && super::super::size(&frame) == body.len()).then_some(publish)
    }

    #[test]
    fn a_publish_is_read_as_postcard_reads_it_and_refused_as_it_refuses_it() {
        for publish in publishes() {
            let body = postcard::to_allocvec(&ClientFrame::Publish(publish)).unwrap();
            assert_eq!(read_publish(&body), Some(publish));
            for length in 0..body.len() {
                assert_eq!(read_publish(&body[..length]), None, "the first {length} bytes of {body:02x?}");
            }
            // Behind the payload's beginning all bytes are alike.
            for at in 0..body.len().min(40) {
                for byte in [0, 1, 2, 3, 7, 0x7f, 0x80, 0x81, 0xc3, 0xff, body[at] ^ 0x80, body[at].wrapping_add(1)] {
                    let mut changed = body.clone();
                    changed[at] = byte;
                    assert_eq!(read_publish(&changed), read_by_postcard(&changed), "{changed:02x?}");
                    changed.insert(at, body[at]);
                    assert_eq!(read_publish(&changed), read_by_postcard(&changed), "{changed:02x?}");
                }
            }
        }
    }

    #[test]
    fn a_message_is_written_as_postcard_writes_it() {
        for payload in payloads() {
            for text in [None, Some(""), Some("größe"), Some(&*"x".repeat(300).leak())] {
                for integer in integers() {
                    let message = Message {
                        channel: ChannelId::saturating(integer),
                        offset: Offset::saturating(integer / 2),
                        published: Millis::saturating(INTEGER_MAX - integer),
                        publisher: text,
                        key: text.filter(|_| integer % 2 == 0),
                        payload,
                    };
                    let expected = postcard::to_allocvec(&ServerFrame::Message(message)).unwrap();
                    let mut body = BytesMut::from(&b"before"[..]);
                    write_message(&message, &mut body);
                    assert_eq!(body[6..], expected);
                    assert_eq!(message_bytes(&message), expected.len());
                }
            }
        }
    }
}
