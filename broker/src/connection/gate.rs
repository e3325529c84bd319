//! A membership's gate: the one thing that a session tells a channel without a message. It opens once and shuts once.

use std::sync::atomic::{AtomicBool, Ordering};

/// A membership's permission to be delivered to, held by the channel and by the session. Once shut it stays shut.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicBool);

impl Gate {
    /// Lets nothing more through.
    pub(crate) fn shut(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether deliveries may pass.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }
}
