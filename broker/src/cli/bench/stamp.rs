//! What stands at the beginning of every payload: time, run, publisher and sequence, so that each delivery can be checked.

use bytes::{BufMut, BytesMut};
use callboard_protocol::codec::encode_stream;
use callboard_protocol::frame::{ClientFrame, Publish};
use callboard_protocol::{PayloadRef, RequestId, Sequence};

/// A stamp's bytes: the shortest payload there is.
pub(super) const STAMP_BYTES: usize = 24;

/// A stamp as text, a letter for four bits.
const STAMP_LETTERS: usize = 2 * STAMP_BYTES;

/// The letter for nothing; the others follow.
const LETTER: u8 = b'a';

/// What the payloads of a run look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// How long each is, in bytes.
    pub(super) bytes: usize,
    /// Whether it is text, as in JSON: there bytes would be twice as long.
    pub(super) is_text: bool,
}

impl Form {
    /// The shortest payload of this kind.
    pub(super) fn bytes_min(self) -> usize {
        if self.is_text { STAMP_LETTERS } else { STAMP_BYTES }
    }

    /// The stamp of a message that ends with its payload. One of another length has none where it is looked for.
    pub(super) fn stamp_of(self, message: &[u8]) -> Option<Stamp> {
        let payload = &message[message.len().saturating_sub(self.bytes)..];
        if self.is_text { Stamp::of_letters(payload) } else { Stamp::decode(payload) }
    }

    fn write(self, stamp: &Stamp, payload: &mut [u8]) {
        let bytes = stamp.encode();
        if self.is_text {
            for (pair, byte) in payload.chunks_exact_mut(2).zip(bytes) {
                pair.copy_from_slice(&[LETTER + (byte >> 4), LETTER + (byte & 15)]);
            }
        } else {
            payload[..STAMP_BYTES].copy_from_slice(&bytes);
        }
    }
}

/// What a payload begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When it was meant to be published, in nanoseconds of the run's own clock.
    pub(super) time_ns: u64,
    /// Drawn at random for each run, so that messages of another one are known for strangers.
    pub(super) run: u32,
    /// Whose message it is.
    pub(super) publisher: u32,
    /// Its number among the publisher's, from 0, without gaps.
    pub(super) sequence: u64,
}

impl Stamp {
    /// The stamp's bytes.
    pub(super) fn encode(&self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        bytes[..8].copy_from_slice(&self.time_ns.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.run.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.publisher.to_le_bytes());
        bytes[16..].copy_from_slice(&self.sequence.to_le_bytes());
        bytes
    }

    /// The stamp of a payload; `None` if it is too short for one.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let bytes: &[u8; STAMP_BYTES] = payload.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        Some(Self { time_ns: long(0), run: word(8), publisher: word(12), sequence: long(16) })
    }

    /// The stamp of a payload that is text.
    fn of_letters(text: &[u8]) -> Option<Self> {
        let letters: &[u8; STAMP_LETTERS] = text.first_chunk()?;
        let mut bytes = [0; STAMP_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(letters.chunks_exact(2)) {
            let (high, low) = (pair[0].wrapping_sub(LETTER), pair[1].wrapping_sub(LETTER));
            if high > 15 || low > 15 {
                return None;
            }
            *byte = high << 4 | low;
        }
        Self::decode(&bytes)
    }
}

/// Writes the publishes of one publisher to one channel: the frame is encoded once, then only its stamp changes.
#[derive(Debug)]
pub(super) struct Pen {
    frame: Vec<u8>,
    /// Where the payload begins in it.
    payload: usize,
    form: Form,
    next: Stamp,
}

impl Pen {
    /// A pen for `channel` and payloads of this form, long enough for a stamp.
    pub(super) fn new(channel: &str, form: Form, run: u32, publisher: u32) -> Self {
        let filling = ".".repeat(form.bytes.max(form.bytes_min()));
        let publish = Publish {
            request: RequestId::ZERO,
            sequence: Sequence::ZERO,
            channel,
            key: None,
            payload: if form.is_text { PayloadRef::text(&filling) } else { PayloadRef::binary(filling.as_bytes()) },
        };
        let mut frame = BytesMut::new();
        encode_stream(&ClientFrame::Publish(publish), &mut frame)
            .expect("a payload of legal size and a channel of legal length fit a body");
        // The payload is the last field of the frame.
        let payload = frame.len() - filling.len();
        Self { frame: frame.to_vec(), payload, form, next: Stamp { time_ns: 0, run, publisher, sequence: 0 } }
    }

    /// Appends the next message, meant to be published at `time_ns`.
    pub(super) fn write(&mut self, time_ns: u64, out: &mut BytesMut) {
        self.next.time_ns = time_ns;
        self.form.write(&self.next, &mut self.frame[self.payload..]);
        self.next.sequence += 1;
        out.put_slice(&self.frame);
    }

    /// How many messages were written.
    pub(super) fn written(&self) -> u64 {
        self.next.sequence
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use callboard_protocol::codec::decode_client;
    use callboard_protocol::deframe::Deframer;

    use super::*;

    #[test]
    fn a_stamp_comes_back_as_it_was() {
        let stamp = Stamp { time_ns: u64::MAX - 1, run: 7, publisher: u32::MAX, sequence: 1 << 40 };
        assert_eq!(Stamp::decode(&stamp.encode()), Some(stamp));
        assert_eq!(Stamp::decode(&[0; STAMP_BYTES - 1]), None);
    }

    #[test]
    fn a_stamp_in_text_is_a_stamp() {
        let form = Form { bytes: 60, is_text: true };
        let stamp = Stamp { time_ns: u64::MAX - 1, run: 7, publisher: u32::MAX, sequence: 1 << 40 };
        let mut payload = [b'.'; 60];
        form.write(&stamp, &mut payload);
        let message = [b"BEFORE", &payload[..]].concat();
        assert_eq!(form.stamp_of(&message), Some(stamp));
        assert_eq!(form.stamp_of(&message[1..]), Some(stamp), "it is looked for from the end");
        assert_eq!(form.stamp_of(&message[..message.len() - 1]), None);
        assert!(payload.is_ascii());
    }

    #[test]
    fn a_pen_writes_publishes_with_rising_sequences() {
        let mut pen = Pen::new("bench/a", Form { bytes: 128, is_text: false }, 9, 3);
        let mut out = BytesMut::new();
        pen.write(10, &mut out);
        pen.write(20, &mut out);
        let mut deframer = Deframer::new(1 << 20);
        deframer.handle_bytes(Bytes::from(out));
        for (sequence, time_ns) in [(0, 10), (1, 20)] {
            let body = deframer.poll_body().expect("a stream").expect("a body");
            let ClientFrame::Publish(publish) = decode_client(&body).expect("a frame") else { panic!("no publish") };
            assert_eq!((publish.channel, publish.payload.bytes().len()), ("bench/a", 128));
            let stamp = Stamp::decode(publish.payload.bytes());
            assert_eq!(stamp, Some(Stamp { time_ns, run: 9, publisher: 3, sequence }));
        }
        assert_eq!((deframer.poll_body(), pen.written()), (Ok(None), 2));
    }
}
