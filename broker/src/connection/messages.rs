//! What a connection is told by the broker itself. Channels never tell it anything: they fill its outbox.

use tokio::sync::mpsc;

use super::outbox::Ending;

/// Read no more, hand over what was read, and drop `done` when that is done.
#[derive(Debug)]
pub(crate) struct Drain {
    /// Dropped when nothing that was read is left to hand over.
    pub(crate) done: mpsc::Sender<()>,
}

/// End the session behind what its outbox has.
#[derive(Debug)]
pub(crate) struct End(pub(crate) Ending);
