//! The header of a frame that a browser sends, read by RFC 6455, section 5.2; whether it may stand there is judged elsewhere.

use tungstenite::protocol::frame::coding::OpCode;

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whether it is the message's last frame.
    pub(crate) is_final: bool,
    /// Whether a reserved bit is set.
    pub(crate) is_extended: bool,
    /// What the frame is.
    pub(crate) opcode: OpCode,
    /// What its content is masked with, if it is.
    pub(crate) mask: Option<[u8; 4]>,
    /// The length of its content.
    pub(crate) content_bytes: u64,
    /// The header's own length.
    pub(crate) bytes: usize,
}

impl Header {
    /// The header that `bytes` begin with; `None` until it has come whole.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (content_bytes, rest) = match second & 0x7f {
            126 => rest.split_first_chunk().map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))?,
            127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
            short => (u64::from(short), rest),
        };
        let (mask, rest) = match second & 0x80 {
            0 => (None, rest),
            _ => rest.split_first_chunk().map(|(mask, rest)| (Some(*mask), rest))?,
        };
        Some(Self {
            is_final: first & 0x80 != 0,
            is_extended: first & 0x70 != 0,
            opcode: OpCode::from(first & 0x0f),
            mask,
            content_bytes,
            bytes: bytes.len() - rest.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tungstenite::protocol::frame::FrameHeader;
    use tungstenite::protocol::frame::coding::{Control, Data};

    use super::*;

    /// Every first byte, with each form of the length, masked or not.
    fn headers() -> impl Iterator<Item = Vec<u8>> {
        let seconds = [0, 1, 125, 126, 127, 0x80, 0x81, 0xfd, 0xfe, 0xff];
        (0..=255).flat_map(move |first| {
            seconds.map(|second| {
                let mut header = vec![first, second];
                header.extend(1..=12);
                header
            })
        })
    }

    #[test]
    fn a_header_is_read_as_tungstenite_reads_it() {
        for bytes in headers() {
            for length in 0..=bytes.len() {
                let mut cursor = Cursor::new(&bytes[..length]);
                let ours = Header::parse(&bytes[..length]);
                let Ok(theirs) = FrameHeader::parse(&mut cursor) else {
                    let opcode = ours.expect("it refuses what is whole").opcode;
                    assert!(matches!(opcode, OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_))));
                    continue;
                };
                let expected = theirs.map(|(header, content_bytes)| Header {
                    is_final: header.is_final,
                    is_extended: header.rsv1 || header.rsv2 || header.rsv3,
                    opcode: header.opcode,
                    mask: header.mask,
                    content_bytes,
                    bytes: usize::try_from(cursor.position()).unwrap(),
                });
                assert_eq!(ours, expected, "{:02x?}", &bytes[..length]);
            }
        }
    }
}
