//! What a connection is told by the broker itself, and what it tells channels. These never tell it anything: they fill its outbox.

use callboard_protocol::ChannelName;
use tokio::sync::mpsc;

use crate::channel::Input;

/// Read no more, hand over what was read, and drop `done` when that is done.
#[derive(Debug)]
pub(crate) struct Drain {
    /// Dropped when nothing that was read is left to hand over.
    pub(crate) done: mpsc::Sender<()>,
}

/// Something for a channel to do.
#[derive(Debug)]
pub(crate) struct Command {
    /// The channel.
    pub(crate) channel: ChannelName,
    /// What it is to do.
    pub(crate) input: Input,
}
