//! A publish before it is a frame, and who waits for its answer.

use callboard_protocol::frame::{ClientFrame, Publish};
use callboard_protocol::{ChannelName, Payload, Position, RequestId, Sequence};
use tokio::sync::oneshot;

use crate::error::PublishError;

/// What is to be published, named and checked.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) channel: ChannelName,
    pub(crate) key: Option<String>,
    pub(crate) payload: Payload,
}

impl Draft {
    pub(super) fn frame(&self, request: RequestId, sequence: Sequence) -> ClientFrame<'_> {
        ClientFrame::Publish(Publish {
            request,
            sequence,
            channel: self.channel.as_str(),
            key: self.key.as_deref(),
            payload: self.payload.borrowed(),
        })
    }

    /// What it counts for in the queue: a little more than its frame.
    pub(super) fn bytes(&self) -> usize {
        16 + self.channel.as_str().len() + self.key.as_ref().map_or(0, String::len) + self.payload.bytes().len()
    }
}

/// A publish that somebody waits for.
#[derive(Debug)]
pub(crate) struct Acked {
    pub(crate) draft: Draft,
    pub(crate) reply: oneshot::Sender<Result<Position, PublishError>>,
}
