//! A chunk in every format that its readers speak: transcoded once for each, when the first of them gets it; never remembered.

use bytes::{Bytes, BytesMut};
use callboard_bridge_ws::Dialect;
use callboard_protocol::ChannelId;

use super::chunk::Chunk;
use super::messages::Instance;
use crate::format::Format;

/// A chunk that is being handed out. A channel whose members all read streams transcodes nothing.
#[derive(Debug)]
pub(crate) struct Editions {
    chunk: Chunk,
    binary: Option<Edition>,
    json: Option<Edition>,
}

/// What the header of a message has more, at most, than the length before a body on a stream: so an edition in the binary
/// dialect has room from the beginning.
const HEADER_BYTES_MORE: usize = 7;

/// A chunk's messages in one dialect.
#[derive(Debug)]
struct Edition {
    frames: Bytes,
    /// Where each message ends.
    ends: Vec<usize>,
}

impl Editions {
    /// The editions of `chunk`, as it is handed out.
    pub(crate) fn of(chunk: Chunk) -> Self {
        Self { chunk, binary: None, json: None }
    }

    /// The chunk.
    pub(crate) fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// The chunk, when everybody has it.
    pub(crate) fn into_chunk(self) -> Chunk {
        self.chunk
    }

    /// All of it.
    pub(crate) fn frames(&mut self, format: Format) -> &Bytes {
        match format {
            Format::Stream => self.chunk.frames(),
            Format::Message(dialect) => &self.edition(dialect).1.frames,
        }
    }

    /// All of it but the messages of `own`; see [`Chunk::since_without`].
    pub(crate) fn without(&mut self, own: Instance, channel: ChannelId, format: Format) -> Vec<(Bytes, usize)> {
        match format {
            Format::Stream => self.chunk.since_without(self.chunk.first(), own, channel),
            Format::Message(dialect) => {
                let (chunk, edition) = self.edition(dialect);
                chunk.cut_without(chunk.first(), own, channel, format, &edition.frames, |index| edition.ends[index])
            }
        }
    }

    fn edition(&mut self, dialect: Dialect) -> (&Chunk, &Edition) {
        let Self { chunk, binary, json } = self;
        let edition = match dialect {
            Dialect::Binary => binary,
            Dialect::Json => json,
        };
        (chunk, edition.get_or_insert_with(|| Edition::new(chunk, dialect)))
    }
}

impl Edition {
    fn new(chunk: &Chunk, dialect: Dialect) -> Self {
        let mut frames = BytesMut::with_capacity(chunk.frames().len() + chunk.messages() * HEADER_BYTES_MORE);
        let transcode = |frame: &[u8]| {
            Format::transcode(dialect, frame, &mut frames);
            frames.len()
        };
        let ends = chunk.each().map(transcode).collect();
        Self { frames: frames.freeze(), ends }
    }
}
