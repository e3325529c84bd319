//! What a bridge is told by its door. The bus never tells it anything: it fills the session's queue.

use tokio::sync::mpsc;

/// A turn of the heartbeat: ask for a sign of life, or give a silent browser up.
#[derive(Debug)]
pub(crate) struct Tick;

/// Read no more, hand over what was read, and drop `done` when that is done.
#[derive(Debug)]
pub(crate) struct Drain {
    /// Dropped when nothing that was read is left to hand over.
    pub(crate) done: mpsc::Sender<()>,
}
