//! An authenticated peer's identity, owned; the frame's borrowed one is made from it, never the other way round.

use std::sync::Arc;

use callboard_protocol::frame;

use super::apikey::KeyId;

/// Who the broker takes a peer for. Cloning shares the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The strategy that told.
    pub strategy: &'static str,
    /// The peer's key under that strategy: an API key's name.
    pub key: Arc<str>,
    /// The API key that the identity relies on: revoked, it ends every session of this identity.
    pub id: KeyId,
    /// What that key allows. It is the peer's alone: no session that it opens for others has any of it.
    pub rights: Rights,
}

/// What an API key allows beside what every authenticated peer may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights {
    /// To open sessions for others, as a bridge at the edge does for browsers, and to say from which address they come.
    pub bridge: bool,
}

impl Identity {
    /// The identity, borrowed, as frames carry it.
    #[must_use]
    pub fn borrowed(&self) -> frame::Identity<'_> {
        frame::Identity { strategy: self.strategy, key: &self.key }
    }
}
