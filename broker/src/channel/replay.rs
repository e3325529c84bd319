//! Part of a history on its way to one session, held by the session's writer and pulled as the socket takes it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::{ChannelName, ConnectionId, Offset};
use tokio::sync::OwnedSemaphorePermit;

use super::messages::{Input, Pull};
use crate::connection::Gate;
use crate::limit::Share;

/// Encoded messages of one channel up to some offset, and where to ask for what came after it.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(super) channel: ChannelName,
    pub(super) gate: Arc<Gate>,
    pub(super) connection: ConnectionId,
    /// Each piece with its part of what all histories may have.
    pub(super) pieces: VecDeque<(Bytes, Arc<Share>)>,
    pub(super) through: Offset,
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// What the list of pieces takes of the memory that all outboxes may have.
    pub(super) share: Option<Share>,
}

impl Replay {
    /// The next piece; `None` at the end, or as soon as the membership is over.
    pub(crate) fn take(&mut self) -> Option<(Bytes, Arc<Share>)> {
        if self.gate.is_open() { self.pieces.pop_front() } else { None }
    }

    /// Takes the memory of the list of its pieces from what all outboxes may have. Whether there is that much.
    pub(crate) fn hold(&mut self, mut share: Share) -> bool {
        let fits = share.resize(self.pieces.capacity() * size_of::<(Bytes, Arc<Share>)>() + size_of::<Self>());
        self.share = Some(share);
        fits
    }

    /// What to ask the channel once all is taken: for more, or to be a live member from here on. `None` when the
    /// membership is over.
    pub(crate) fn finish(self) -> Option<(ChannelName, Input)> {
        if !self.gate.is_open() {
            return None;
        }
        let Self { connection, through: after, gate, permit, .. } = self;
        let pull = Pull { connection, after, gate, permit };
        Some((self.channel, Input::Pull(pull)))
    }
}
