//! What a scrape looks at: the counters, and what is cheaper to ask for than to count. It changes nothing.

use std::sync::Arc;

use crate::connection::Registry;
use crate::directory::Directory;
use crate::door::Local;
use crate::metrics::Metrics;

/// What can be seen of a broker.
#[derive(Debug)]
pub(crate) struct Scope {
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
    /// The channels.
    pub(crate) directory: Arc<Directory>,
    /// The connections.
    pub(crate) registry: Arc<Registry>,
    /// What the doors share.
    pub(crate) local: Arc<Local>,
    /// Upper bound on memory under this configuration.
    pub(crate) memory_bound_bytes: u64,
}

/// What waits in all outboxes at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Depths {
    /// How many outboxes there are.
    pub(crate) outboxes: u64,
    /// Messages that wait.
    pub(crate) messages: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// The bytes of the fullest.
    pub(crate) bytes_max: u64,
}

impl Scope {
    /// What waits now. It takes each outbox's lock for a moment, one after the other.
    pub(super) fn depths(&self) -> Depths {
        let mut depths = Depths::default();
        for outbox in self.registry.outboxes() {
            let (messages, bytes) = outbox.depth();
            depths.outboxes += 1;
            depths.messages += messages as u64;
            depths.bytes += bytes as u64;
            depths.bytes_max = depths.bytes_max.max(bytes as u64);
        }
        depths
    }
}
