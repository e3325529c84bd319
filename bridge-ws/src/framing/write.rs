//! What RFC 6455 wants around what a server says: headers, unmasked and never fragmented; never what is inside.

use bytes::{BufMut, BytesMut};

/// Longest content of a control message, in bytes (RFC 6455, section 5.5).
pub(crate) const CONTROL_BYTES_MAX: usize = 125;

/// Longest reason of a close message, in bytes: what its code leaves of [`CONTROL_BYTES_MAX`].
const REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// Longest header of a message, in bytes.
const HEADER_BYTES_MAX: usize = 10;

/// What a message is. Each is one whole frame of RFC 6455, so the first byte has FIN set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
    /// The last message.
    Close,
    /// Answers a ping.
    Pong,
}

impl Opcode {
    const fn first_byte(self) -> u8 {
        match self {
            Self::Text => 0x81,
            Self::Binary => 0x82,
            Self::Close => 0x88,
            Self::Pong => 0x8a,
        }
    }
}

/// Appends the header of a message whose content has `bytes` bytes: 2, 4 or 10 bytes.
pub(crate) fn header(opcode: Opcode, bytes: usize, out: &mut BytesMut) {
    let (header, length) = header_of(opcode, bytes);
    out.put_slice(&header[..length]);
}

/// Appends a close message. A reason that is longer than [`REASON_BYTES_MAX`] is cut between two characters.
pub(crate) fn close(code: u16, reason: &str, out: &mut BytesMut) {
    let end = (0..=reason.len().min(REASON_BYTES_MAX)).rev().find(|end| reason.is_char_boundary(*end));
    let reason = &reason[..end.expect("the beginning is a boundary")];
    header(Opcode::Close, 2 + reason.len(), out);
    out.put_u16(code);
    out.put_slice(reason.as_bytes());
}

/// Appends a pong with the content of the ping that it answers; it takes [`CONTROL_BYTES_MAX`] bytes at most.
pub(crate) fn pong(content: &[u8], out: &mut BytesMut) {
    let content = &content[..content.len().min(CONTROL_BYTES_MAX)];
    header(Opcode::Pong, content.len(), out);
    out.put_slice(content);
}

/// Appends a message whose length is known only when it is written; `write` appends the content.
///
/// Room is left for the header of a message of 126 to 65,535 bytes, as most are; the content of others is moved.
pub(crate) fn message_of_unknown_length(opcode: Opcode, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    const USUAL: usize = 4;
    let start = out.len();
    out.put_bytes(0, USUAL);
    write(out);
    let bytes = out.len() - start - USUAL;
    let (header, length) = header_of(opcode, bytes);
    out.put_bytes(0, length.saturating_sub(USUAL));
    if length != USUAL {
        out.copy_within(start + USUAL..start + USUAL + bytes, start + length);
        out.truncate(start + length + bytes);
    }
    out[start..start + length].copy_from_slice(&header[..length]);
}

/// A header, and how many bytes of it count. RFC 6455, section 5.2: the shortest of three ways to write a length; no
/// mask, because a server uses none.
pub(crate) fn header_of(opcode: Opcode, bytes: usize) -> ([u8; HEADER_BYTES_MAX], usize) {
    let mut header = [opcode.first_byte(), 0, 0, 0, 0, 0, 0, 0, 0, 0];
    match bytes {
        0..=125 => {
            header[1] = bytes as u8;
            (header, 2)
        }
        126..=0xffff => {
            header[1] = 126;
            header[2..4].copy_from_slice(&(bytes as u16).to_be_bytes());
            (header, 4)
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&(bytes as u64).to_be_bytes());
            (header, HEADER_BYTES_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_in_the_shortest_of_three_ways() {
        for (bytes, expected) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 0xff, 0xff]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let content = vec![b'x'; bytes];
            let mut measured = BytesMut::from(&b"before"[..]);
            header(Opcode::Text, bytes, &mut measured);
            assert_eq!(&measured[6..], expected, "{bytes}");
            measured.put_slice(&content);
            let mut moved = BytesMut::from(&b"before"[..]);
            message_of_unknown_length(Opcode::Text, &mut moved, |out| out.put_slice(&content));
            assert_eq!(moved, measured, "{bytes}");
        }
    }

    #[test]
    fn a_reason_is_cut_between_two_characters() {
        let mut out = BytesMut::new();
        close(4100, "come back", &mut out);
        assert_eq!(out, b"\x88\x0b\x10\x04come back"[..]);
        out.clear();
        close(4400, &format!("{}ü", "x".repeat(REASON_BYTES_MAX - 1)), &mut out);
        assert_eq!(out[..4], [0x88, 124, 0x11, 0x30], "the half of a character has no place");
        assert_eq!(out[4..], vec![b'x'; REASON_BYTES_MAX - 1]);
    }

    #[test]
    fn a_control_message_stays_within_its_limit() {
        let mut out = BytesMut::new();
        pong(&[7; 200], &mut out);
        assert_eq!(out[..2], [0x8a, 125]);
        assert_eq!(out.len(), 2 + CONTROL_BYTES_MAX);
    }
}
