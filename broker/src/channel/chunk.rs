//! Frames of one channel, encoded once and shared by all who get them; cut only on frame borders.

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec::{EncodeError, encode_stream};
use callboard_protocol::frame::{Message, ServerFrame, Skipped};
use callboard_protocol::{ChannelId, Offset};

use super::messages::Instance;
use crate::defaults::CHUNK_BYTES;
use crate::format::Format;

/// Where one frame of a chunk ends, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    end: u32,
    instance: Instance,
}

/// Messages that were taken and not yet handed out.
#[derive(Debug, Default)]
pub(crate) struct Open {
    buffer: BytesMut,
    marks: Vec<Mark>,
    first: Offset,
    /// The size of the last chunk and how many messages it had, which is a good guess at the next one's.
    expected: (usize, usize),
}

impl Open {
    /// For a first chunk of about this many bytes and messages.
    pub(super) fn expecting(bytes: usize, messages: usize) -> Self {
        Self { expected: (bytes.min(CHUNK_BYTES), messages), ..Self::default() }
    }

    /// Appends a message.
    pub(crate) fn append(&mut self, message: &Message<'_>, instance: Instance) -> Result<(), EncodeError> {
        if self.marks.is_empty() {
            let (bytes, messages) = self.expected;
            self.buffer.reserve(bytes);
            self.marks.reserve_exact(messages);
            self.first = message.offset;
        }
        encode_stream(&ServerFrame::Message(*message), &mut self.buffer)?;
        self.marks.push(Mark { end: to_u32(self.buffer.len()), instance });
        Ok(())
    }

    /// Whether it is time to flush before the mailbox is empty: another message as long as the last would not fit. So a
    /// buffer of [`CHUNK_BYTES`] need not grow for the last one of a chunk, which would copy all of it.
    pub(crate) fn is_full(&self) -> bool {
        let bytes = self.buffer.len();
        let before_the_last = self.marks.iter().nth_back(1).map_or(0, |mark| mark.end as usize);
        2 * bytes - before_the_last > CHUNK_BYTES
    }

    /// Seals what was appended; `None` if nothing was.
    pub(crate) fn seal(&mut self) -> Option<Chunk> {
        if self.marks.is_empty() {
            return None;
        }
        let bytes = if self.is_full() { CHUNK_BYTES } else { self.buffer.len() };
        self.expected = (bytes, self.marks.len());
        // A buffer of its own for each chunk: a history that keeps one message then keeps no other's memory, nor much
        // that was never filled.
        let buffer = std::mem::take(&mut self.buffer);
        let unused = buffer.capacity() - buffer.len();
        let (memory, frames) = if unused > buffer.len() / 4 {
            (buffer.len(), Bytes::copy_from_slice(&buffer))
        } else {
            (buffer.capacity(), buffer.freeze())
        };
        let marks = std::mem::take(&mut self.marks).into_boxed_slice();
        let memory = memory + size_of_val(&*marks) + CHUNK_BYTES_BESIDE;
        Some(Chunk { frames, marks, first: self.first, memory })
    }
}

fn to_u32(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a chunk has less than 16 KiB before its last message, which is at most a mebibyte")
}

/// What a chunk takes in a history beside its frames and marks: its entry, with room for another, and the counts of those
/// who share it.
const CHUNK_BYTES_BESIDE: usize = 320;

/// Consecutive messages of one channel and epoch, encoded for a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    frames: Bytes,
    marks: Box<[Mark]>,
    first: Offset,
    /// The memory that it takes until the last of it is forgotten.
    memory: usize,
}

impl Chunk {
    /// How many messages.
    pub(crate) fn messages(&self) -> usize {
        self.marks.len()
    }

    /// The first one's offset.
    pub(crate) fn first(&self) -> Offset {
        self.first
    }

    /// The last one's offset.
    pub(crate) fn last(&self) -> Offset {
        self.offset_at(self.marks.len().saturating_sub(1))
    }

    /// All of it, encoded.
    pub(crate) fn frames(&self) -> &Bytes {
        &self.frames
    }

    /// This chunk with the first two messages swapped, for sabotage.
    pub(crate) fn swapped(&self) -> Self {
        if self.messages() < 2 {
            return self.clone();
        }
        let (first, second) = (self.start_of(1), self.start_of(2));
        let mut frames = BytesMut::from(&self.frames[first..second]);
        frames.extend_from_slice(&self.frames[..first]);
        frames.extend_from_slice(&self.frames[second..]);
        Self { frames: frames.freeze(), ..self.clone() }
    }

    /// The memory that it takes until the last of it is forgotten.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Each message, encoded.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.marks.len()).map(|index| &self.frames[self.start_of(index)..self.start_of(index + 1)])
    }

    /// Whether a message of this publisher is among them.
    pub(crate) fn has(&self, instance: Instance) -> bool {
        self.marks.iter().any(|mark| mark.instance == instance)
    }

    /// How many of them are of this publisher.
    pub(crate) fn messages_by(&self, instance: Instance) -> usize {
        self.marks.iter().filter(|mark| mark.instance == instance).count()
    }

    /// The encoded messages from the offset `from` on, for a reader who gets everything, and how many they are; shares
    /// the memory.
    pub(crate) fn since(&self, from: Offset) -> (Bytes, usize) {
        let index = self.index_of(from);
        (self.frames.slice(self.start_of(index)..), self.marks.len() - index)
    }

    /// How many of the first messages have at least this many bytes together.
    pub(crate) fn messages_of(&self, bytes: usize) -> usize {
        // Asked of the oldest chunk, whose marks are in no cache any more: not looked at in vain.
        if bytes == 0 {
            return 0;
        }
        let whole = self.marks.partition_point(|mark| (mark.end as usize) < bytes);
        (whole + 1).min(self.marks.len())
    }

    /// The encoded messages from `from` on for a reader who does not get those of `own`: long runs of other messages share
    /// the memory, short ones are copied so that they do not keep it; each run of own ones is one `Skipped` frame. Gives the pieces and how many frames each has.
    pub(crate) fn since_without(&self, from: Offset, own: Instance, channel: ChannelId) -> Vec<(Bytes, usize)> {
        self.cut_without(from, own, channel, Format::Stream, &self.frames, |index| self.marks[index].end as usize)
    }

    /// What [`since_without`](Self::since_without) gives, in `format`: all messages are in `frames`, and `end_of` tells
    /// where each ends.
    pub(super) fn cut_without(
        &self,
        from: Offset,
        own: Instance,
        channel: ChannelId,
        format: Format,
        frames: &Bytes,
        end_of: impl Fn(usize) -> usize,
    ) -> Vec<(Bytes, usize)> {
        let start_of = |index| if index == 0 { 0 } else { end_of(index - 1) };
        let mut pieces = Vec::new();
        let mut index = self.index_of(from);
        while index < self.marks.len() {
            let is_own = self.marks[index].instance == own;
            let run = self.marks[index..].iter().take_while(|mark| (mark.instance == own) == is_own).count();
            let after = index + run;
            if is_own {
                pieces.push((skipped(channel, self.offset_at(after - 1), format), 1));
            } else {
                let others = start_of(index)..start_of(after);
                let is_short = others.len() < frames.len() / 2;
                let piece = if is_short { Bytes::copy_from_slice(&frames[others]) } else { frames.slice(others) };
                pieces.push((piece, run));
            }
            index = after;
        }
        pieces
    }

    /// Forgets the first messages, this many of them at most. The memory is kept until the last is forgotten.
    pub(crate) fn forget_first(&mut self, messages: usize) {
        let messages = messages.min(self.marks.len());
        let bytes = self.start_of(messages);
        self.first = self.offset_at(messages);
        self.frames = self.frames.slice(bytes..);
        let cut = to_u32(bytes);
        self.marks = self.marks[messages..].iter().map(|mark| Mark { end: mark.end - cut, ..*mark }).collect();
    }

    fn index_of(&self, offset: Offset) -> usize {
        let index = offset.value().saturating_sub(self.first.value());
        usize::try_from(index).map_or(self.marks.len(), |index| index.min(self.marks.len()))
    }

    fn offset_at(&self, index: usize) -> Offset {
        Offset::saturating(self.first.value() + index as u64)
    }

    fn start_of(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.marks[index - 1].end as usize }
    }
}

fn skipped(channel: ChannelId, through: Offset, format: Format) -> Bytes {
    let mut frame = BytesMut::new();
    format
        .encode(&ServerFrame::Skipped(Skipped { channel, through }), &mut frame)
        .expect("a frame of two integers fits any body");
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use callboard_protocol::{Millis, PayloadRef};

    use super::*;

    /// Appends messages with so many bytes of payload until the chunk is full. Gives the length of one, encoded.
    fn fill(open: &mut Open, payload_bytes: usize) -> usize {
        let payload = vec![7; payload_bytes];
        let message = Message {
            channel: ChannelId::saturating(1),
            offset: Offset::saturating(1),
            published: Millis::saturating(1),
            publisher: None,
            key: None,
            payload: PayloadRef::binary(&payload),
        };
        let mut messages = 0;
        while !open.is_full() {
            open.append(&message, Instance([0; 16])).expect("it fits a body");
            messages += 1;
        }
        open.buffer.len() / messages
    }

    #[test]
    fn a_chunk_is_full_when_another_message_would_not_fit() {
        for payload_bytes in [1, 100, 6000, 9000, 40_000] {
            let mut open = Open::default();
            let frame = fill(&mut open, payload_bytes);
            let chunk = open.seal().expect("a chunk");
            let bytes = chunk.frames().len();
            assert!(bytes <= CHUNK_BYTES || chunk.messages() == 1, "{bytes} bytes of messages of {frame}");
            assert!(bytes + frame > CHUNK_BYTES, "{bytes} bytes of messages of {frame}");
        }
    }

    #[test]
    fn behind_a_full_chunk_the_buffer_of_the_next_never_grows() {
        let mut open = Open::default();
        fill(&mut open, 100);
        open.seal().expect("a chunk");
        fill(&mut open, 101);
        assert_eq!(open.buffer.capacity(), CHUNK_BYTES);
    }
}
