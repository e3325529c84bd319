//! What waits in an outbox, and the memory that it is counted as. It locks nothing and wakes nobody.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::close::Ending;
use tokio::time::Instant;

use crate::channel::Replay;
use crate::config::OUTBOX_BYTES_FREE;
use crate::defaults::PLACES_KEPT;
use crate::limit::{Budget, Share};

/// What waits in an outbox.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Whole frames, encoded.
    Frames(Bytes),
    /// A replay to be pulled at the socket's pace from here on.
    Replay(Box<Replay>),
    /// When what was queued just before was read from its publisher: the latency from then until it is written is sampled.
    LatencyMark(Instant),
}

/// What a piece takes beside its bytes: its place in a queue with room to grow, and the buffer that an answer has for itself.
pub(super) const PIECE_BYTES_BESIDE: usize = 192;

impl Piece {
    /// The memory that it takes of what all outboxes may have.
    fn memory(&self) -> usize {
        match self {
            Self::Frames(frames) => frames.len() + PIECE_BYTES_BESIDE,
            // What it reads has a share of its own.
            Self::Replay(_) | Self::LatencyMark(_) => PIECE_BYTES_BESIDE,
        }
    }
}

/// Pieces in their order, what they are counted as, and how the session is to end behind them.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) pieces: VecDeque<(Piece, usize)>,
    pub(super) bytes: usize,
    pub(super) messages: usize,
    /// The memory of what waits.
    memory: usize,
    /// The memory of what was taken last, until more is taken: by then it is written.
    pub(super) taken: usize,
    pub(super) ending: Option<Ending>,
    /// What this outbox has of the memory that all outboxes may have.
    pub(super) share: Share,
}

impl Queue {
    /// An empty queue whose memory counts in `budget`.
    pub(super) fn of(budget: &Arc<Budget>) -> Self {
        Self {
            pieces: VecDeque::new(),
            bytes: 0,
            messages: 0,
            memory: 0,
            taken: 0,
            ending: None,
            share: Share::of(budget),
        }
    }

    /// Makes the share fit what waits and was taken, and `more`; in steps, so that an outbox that is read well never
    /// touches the budget. Whether the budget has that much.
    pub(super) fn hold(&mut self, more: usize) -> bool {
        let memory = self.memory + self.taken + more;
        let needed = memory.saturating_sub(OUTBOX_BYTES_FREE).next_multiple_of(OUTBOX_BYTES_FREE);
        needed == self.share.bytes() || self.share.resize(needed)
    }

    /// Drops what waits.
    pub(super) fn clear(&mut self) {
        self.pieces = VecDeque::new();
        (self.bytes, self.messages, self.memory) = (0, 0, 0);
        self.hold(0);
    }

    /// Puts a piece behind the others, counted as so many messages. Whether it is the only one.
    pub(super) fn push(&mut self, piece: Piece, messages: usize) -> bool {
        let was_empty = self.pieces.is_empty();
        self.memory += piece.memory();
        self.pieces.push_back((piece, messages));
        was_empty
    }

    /// As [`Outbox::drain`](super::Outbox::drain).
    pub(super) fn drain(&mut self, bytes: usize, mut sink: impl FnMut(Piece)) {
        let mut moved = 0;
        self.taken = 0;
        while moved < bytes {
            let Some((piece, messages)) = self.pieces.pop_front() else { break };
            self.messages -= messages;
            let step = match &piece {
                Piece::Frames(frames) => frames.len(),
                Piece::Replay(_) => bytes,
                Piece::LatencyMark(_) => 0,
            };
            if matches!(piece, Piece::Frames(_)) {
                self.bytes -= step;
            }
            moved += step;
            self.memory -= piece.memory();
            self.taken += piece.memory();
            sink(piece);
        }
        self.hold(0);
        if self.pieces.is_empty() && self.pieces.capacity() > PLACES_KEPT {
            self.pieces = VecDeque::new();
        }
    }
}
