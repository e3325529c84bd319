//! How a body of the broker's becomes what a browser's socket is given, and how long that is at most. It judges no frame.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec::decode_server;

use super::limits::COPIED_BYTES_MAX;
use crate::dialect::Dialect;
use crate::framing::{Opcode, header};

/// How much longer JSON says something: a byte is six where it is a control character.
const JSON_TIMES: usize = 6;

/// What a message in JSON has beside what it says.
const JSON_FRAME_BYTES: usize = 512;

/// How many bytes a body of `bytes` takes once it is transcoded.
pub(super) fn transcoded_bytes_max(dialect: Dialect, bytes: usize) -> usize {
    match dialect {
        Dialect::Json => bytes.saturating_mul(JSON_TIMES).saturating_add(JSON_FRAME_BYTES),
        Dialect::Binary => bytes,
    }
}

/// Transcodes a body behind `batch`, or behind `pieces` as it is. Gives the bytes that it takes.
pub(super) fn transcode(
    dialect: Dialect,
    body: Bytes,
    batch: &mut BytesMut,
    pieces: &mut VecDeque<Bytes>,
) -> Result<usize, String> {
    let (before, bytes) = (batch.len(), body.len());
    match dialect {
        Dialect::Json => {
            let frame = decode_server(&body).map_err(|error| error.to_string())?;
            dialect.encode(&frame, batch).map_err(|error| error.to_string())?;
            Ok(batch.len() - before)
        }
        Dialect::Binary => {
            header(Opcode::Binary, body.len(), batch);
            if body.len() < COPIED_BYTES_MAX {
                batch.extend_from_slice(&body);
            } else {
                pieces.extend([batch.split().freeze(), body]);
            }
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::RequestId;
    use callboard_protocol::codec::encode;
    use callboard_protocol::frame::{Failed, ServerFrame};

    use super::*;

    #[test]
    fn no_text_takes_more_than_was_asked_for_it() {
        for (letter, length) in [("", 0), ("\u{1}", 1), ("\u{1}", 100_000), ("ü", 10_000), ("\"", 10_000)] {
            let sentence = letter.repeat(length);
            let request = RequestId::saturating(u64::MAX);
            let failed = Failed { request, code: u16::MAX, class: "x", sentence: &sentence, data: None };
            let mut body = BytesMut::new();
            encode(&ServerFrame::Failed(failed), &mut body).expect("it is short");
            let asked = transcoded_bytes_max(Dialect::Json, body.len());
            let transcoded = transcode(Dialect::Json, body.freeze(), &mut BytesMut::new(), &mut VecDeque::new());
            let transcoded = transcoded.expect("it is a frame");
            assert!(transcoded <= asked, "{length} of {letter:?} took {transcoded} for {asked}");
            assert!(length < 100_000 || transcoded > asked / 2, "no more is asked for than there must be");
        }
    }
}
