//! An authenticated peer's identity, owned; the frame's borrowed one is made from it, never the other way round.

use std::sync::Arc;

use callboard_protocol::frame;

/// Who the broker takes a peer for. Cloning shares the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The strategy that told.
    pub strategy: &'static str,
    /// The peer's key under that strategy: an API key's name.
    pub key: Arc<str>,
}

impl Identity {
    /// The same identity, borrowed, as frames carry it.
    #[must_use]
    pub fn borrowed(&self) -> frame::Identity<'_> {
        frame::Identity { strategy: self.strategy, key: &self.key }
    }
}
