//! One subscriber of a channel: what it gets of a chunk, and where that goes. It never waits and never encodes a message.

use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::{ChannelId, Offset};

use super::chunk::Chunk;
use super::edition::Editions;
use super::messages::Instance;
use crate::connection::{Ended, Gate, Outbox};

/// A session that gets what its channel is told.
#[derive(Debug)]
pub(super) struct Member {
    /// Where its deliveries go.
    pub(super) outbox: Arc<Outbox>,
    /// Its permission to be delivered to.
    pub(super) gate: Arc<Gate>,
    /// The publisher whose messages this member does not get.
    pub(super) without: Option<Instance>,
    /// The last offset of what it was given to read, while it still reads history; what is published meanwhile it will
    /// find there.
    pub(super) replaying: Option<Offset>,
}

impl Member {
    /// Hands over a chunk. Gives how many messages of it the member gets, and how many it does not as its own.
    pub(super) fn deliver(&self, id: ChannelId, editions: &mut Editions) -> Result<(usize, usize), Ended> {
        if self.replaying.is_some() {
            // It finds the chunk in the history, unless nobody will ask for it any more.
            return self.outbox.check().map(|()| (0, 0));
        }
        let (format, all) = (self.outbox.format(), editions.chunk().messages());
        let own = self.without.map_or(0, |own| editions.chunk().messages_by(own));
        match self.without {
            Some(without) if own > 0 => {
                for (piece, messages) in editions.without(without, id, format) {
                    self.outbox.deliver(&self.gate, &piece, messages)?;
                }
            }
            Some(_) | None => self.outbox.deliver(&self.gate, editions.frames(format), all)?,
        }
        Ok((all - own, own))
    }

    /// What this member gets of a chunk from `next` on, as frames of a stream, and how many frames each piece has.
    pub(super) fn cut(&self, chunk: &Chunk, next: Offset, id: ChannelId) -> Vec<(Bytes, usize)> {
        match self.without.filter(|own| chunk.has(*own)) {
            None => vec![chunk.since(next)],
            Some(own) => chunk.since_without(next, own, id),
        }
    }
}
