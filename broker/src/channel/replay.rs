//! Part of a history on its way to one session, held by the session's writer and pulled as the socket takes it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::{ChannelName, ConnectionId, Offset};
use tokio::sync::OwnedSemaphorePermit;

use super::messages::{Input, Pull};
use crate::connection::Gate;

/// Encoded messages of one channel up to some offset, and where to ask for what came after it.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(super) channel: ChannelName,
    pub(super) gate: Arc<Gate>,
    pub(super) connection: ConnectionId,
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) through: Offset,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

impl Replay {
    /// The next piece; `None` at the end, or as soon as the membership is over.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        if self.gate.is_open() { self.pieces.pop_front() } else { None }
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
