//! What a simulated broker holds, counted from outside between two moves; it changes nothing.

use callboard_protocol::{ChannelName, ConnectionId, Position};

use crate::interior::Interior;

/// Everything that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// How many channels the directory believes to have.
    pub channels_counted: usize,
    /// The channels, by name.
    pub channels: Vec<Channel>,
    /// The queues out of the open connections, by age of the connection.
    pub queues: Vec<Queue>,
    /// What all queues out have of their budget.
    pub outbox_bytes_held: usize,
    /// What all histories have of theirs.
    pub history_bytes_held: usize,
    /// Connections that have a place among those that are let in.
    pub places: usize,
    /// Actors that panicked.
    pub panics: u64,
    /// Times that a session was read no further because a channel's mailbox was full.
    pub held: u64,
    /// Parts of histories that were given to readers.
    pub replays: u64,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// What is known of it while it sleeps; nothing while its actor has it.
    pub asleep: Option<Asleep>,
}

/// A channel that sleeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asleep {
    /// Where it stands.
    pub position: Position,
    /// Its members' connections.
    pub members: Vec<ConnectionId>,
    /// Messages that it remembers.
    pub history_messages: usize,
    /// Bytes that it remembers.
    pub history_bytes: usize,
    /// What it has of the budget for them.
    pub history_share_bytes: usize,
}

/// A queue out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// The connection.
    pub connection: ConnectionId,
    /// Frames that wait.
    pub messages: usize,
    /// Bytes that wait.
    pub bytes: usize,
    /// What it has of the budget for them.
    pub share_bytes: usize,
}

impl Census {
    pub(super) fn of(interior: &Interior) -> Self {
        let (directory, registry) = (interior.directory(), interior.registry());
        let channels =
            directory.all().into_iter().map(|slot| Channel { name: slot.name().clone(), asleep: slot.look() });
        let queues = registry.queues().into_iter().map(|(connection, outbox)| {
            let (messages, bytes) = outbox.depth();
            Queue { connection, messages, bytes, share_bytes: outbox.share_bytes() }
        });
        let metrics = registry.metrics();
        Self {
            channels_counted: directory.channels(),
            channels: channels.collect(),
            queues: queues.collect(),
            outbox_bytes_held: interior.local().outboxes.held(),
            history_bytes_held: directory.budgets().history.held(),
            places: interior.local().admission.open(),
            panics: metrics.panics.value(),
            held: metrics.held.value(),
            replays: metrics.replays.value(),
        }
    }
}
