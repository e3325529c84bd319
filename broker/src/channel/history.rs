//! What a channel remembers: the chunks that were handed out, bounded by count, bytes and age.

use std::collections::VecDeque;
use std::sync::Arc;

use callboard_protocol::{Millis, Offset};

use super::chunk::Chunk;
use crate::config;
use crate::limit::{Budget, Share};

/// The chunks still remembered, oldest first, without a hole between them.
#[derive(Debug)]
pub(crate) struct History {
    chunks: VecDeque<Remembered>,
    messages: usize,
    bytes: usize,
    /// The bytes that all histories may have.
    budget: Arc<Budget>,
}

/// A chunk that is remembered.
#[derive(Debug)]
struct Remembered {
    taken: Millis,
    chunk: Chunk,
    /// The chunk's memory, taken from what all histories may have: by the history, and by replays that still read it
    /// when the history has forgotten it.
    share: Arc<Share>,
}

impl History {
    /// A history of nothing, with a share of `budget`.
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self { chunks: VecDeque::new(), messages: 0, bytes: 0, budget: Arc::clone(budget) }
    }

    /// Remembers a chunk that was handed out at `now`, and forgets what passes a bound.
    pub(crate) fn push(&mut self, chunk: Chunk, now: Millis, bounds: &config::History) {
        if bounds.messages == 0 || bounds.bytes == 0 {
            return;
        }
        let mut share = Share::of(&self.budget);
        while !share.resize(chunk.memory()) {
            if self.chunks.is_empty() {
                // Others have all of it: this channel remembers nothing, and so there is no hole.
                return;
            }
            self.forget(usize::MAX);
        }
        self.messages += chunk.messages();
        self.bytes += chunk.frames().len();
        self.chunks.push_back(Remembered { taken: now, chunk, share: Arc::new(share) });
        while self.messages > bounds.messages || self.bytes > bounds.bytes {
            let Some(Remembered { chunk: oldest, .. }) = self.chunks.front() else { break };
            let too_many = self.messages.saturating_sub(bounds.messages);
            let too_large = oldest.messages_of(self.bytes.saturating_sub(bounds.bytes));
            self.forget(too_many.max(too_large));
        }
        self.expire(now, bounds);
    }

    /// Forgets what is older than its age.
    pub(crate) fn expire(&mut self, now: Millis, bounds: &config::History) {
        let age_ms = u64::try_from(bounds.age.as_millis()).unwrap_or(u64::MAX);
        while let Some(Remembered { taken, chunk, .. }) = self.chunks.front()
            && now.value().saturating_sub(taken.value()) >= age_ms
        {
            let messages = chunk.messages();
            self.forget(messages);
        }
    }

    /// Forgets up to `messages` of the oldest chunk.
    fn forget(&mut self, messages: usize) {
        let Some(Remembered { chunk, .. }) = self.chunks.front_mut() else { return };
        let (had, bytes) = (chunk.messages(), chunk.frames().len());
        if messages >= had {
            self.chunks.pop_front();
            self.messages -= had;
            self.bytes -= bytes;
            if self.chunks.is_empty() {
                self.chunks = VecDeque::new();
            }
        } else {
            chunk.forget_first(messages);
            self.messages -= messages;
            self.bytes -= bytes - chunk.frames().len();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.chunks = VecDeque::new();
        (self.messages, self.bytes) = (0, 0);
    }

    /// How many messages are remembered.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// How many bytes are remembered, and the share of the budget that is held for them.
    #[cfg(feature = "simulation")]
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.bytes, self.chunks.iter().map(|remembered| remembered.share.bytes()).sum())
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// The oldest message's offset; `None` when nothing is remembered.
    pub(crate) fn first(&self) -> Option<Offset> {
        self.chunks.front().map(|oldest| oldest.chunk.first())
    }

    /// The chunks that have the message at `from` or a later one, oldest first, each with its memory's share.
    pub(crate) fn since(&self, from: Offset) -> impl Iterator<Item = (&Chunk, &Arc<Share>)> {
        let start = self.chunks.partition_point(|remembered| remembered.chunk.last() < from);
        self.chunks.range(start..).map(|remembered| (&remembered.chunk, &remembered.share))
    }
}
