//! What is on its way from an outbox to a socket: few contiguous chunks, small pieces copied together; never decoded.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use tokio::time::Instant;

use super::outbox::{Outbox, Piece};
use crate::channel::Replay;
use crate::defaults::{CHUNK_BYTES, FILL_BYTES, PIECE_BYTES_SHARED};
use crate::format::Format;
use crate::limit::Share;

/// Chunks ready to be written, and the replays to be pulled beside the outbox.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    chunks: VecDeque<Bytes>,
    /// A small piece that has no company yet; alone it is passed on as it is.
    lone: Option<Bytes>,
    copied: BytesMut,
    replays: VecDeque<Replay>,
    finished: Vec<Replay>,
    /// What the histories count of it until it is written.
    shares: Vec<Arc<Share>>,
    /// When those parts of it were read from their publishers whose latency is sampled.
    latency_marks: Vec<Instant>,
}

impl Writer {
    /// Whether something is ready to be written.
    pub(crate) fn is_pending(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// How many bytes are ready to be written.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    /// Whether a replay is under way.
    pub(crate) fn is_replaying(&self) -> bool {
        !self.replays.is_empty()
    }

    /// The chunks to be written. Written ones are to be taken from the front.
    pub(crate) fn chunks(&mut self) -> &mut VecDeque<Bytes> {
        &mut self.chunks
    }

    /// Takes what the outbox and the replays have, up to about [`FILL_BYTES`] of each: so neither starves the other.
    pub(crate) fn fill(&mut self, outbox: &Outbox) {
        self.shares = Vec::new();
        let mut replays = std::mem::take(&mut self.replays);
        outbox.drain(FILL_BYTES, |piece| match piece {
            Piece::Frames(frames) => self.put(frames),
            Piece::Replay(replay) => replays.push_back(*replay),
            Piece::LatencyMark(read) => self.latency_marks.push(read),
        });
        let mut left = FILL_BYTES;
        while left > 0
            && let Some(replay) = replays.front_mut()
        {
            match replay.take() {
                Some((piece, share)) => {
                    let piece = match outbox.format() {
                        // It is the history's own memory for as long as it is written.
                        Format::Stream => {
                            self.shares.push(share);
                            piece
                        }
                        format @ Format::Message(_) => {
                            let copy = format.transcoded(piece);
                            if outbox.take_beside(copy.len()).is_err() {
                                break;
                            }
                            copy
                        }
                    };
                    left = left.saturating_sub(piece.len());
                    self.put(piece);
                }
                None => self.finished.extend(replays.pop_front()),
            }
        }
        self.replays = replays;
        self.end_copied();
    }

    /// The replays whose last piece was taken since the last call.
    pub(crate) fn take_finished(&mut self) -> Vec<Replay> {
        std::mem::take(&mut self.finished)
    }

    /// What is sampled and was written: when it was read from its publishers.
    pub(crate) fn take_latency_marks(&mut self) -> Vec<Instant> {
        if self.is_pending() { Vec::new() } else { std::mem::take(&mut self.latency_marks) }
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn put(&mut self, piece: Bytes) {
        if piece.len() >= PIECE_BYTES_SHARED {
            self.end_copied();
            self.chunks.push_back(piece);
            return;
        }
        if self.copied.len() + piece.len() > CHUNK_BYTES {
            self.end_copied();
        }
        match self.lone.take() {
            None if self.copied.is_empty() => self.lone = Some(piece),
            first => {
                if let Some(first) = first {
                    self.copied.reserve((4 * (first.len() + piece.len())).min(CHUNK_BYTES));
                    self.copied.extend_from_slice(&first);
                }
                self.copied.extend_from_slice(&piece);
            }
        }
    }

    fn end_copied(&mut self) {
        self.chunks.extend(self.lone.take());
        if !self.copied.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.copied).freeze());
        }
    }
}
