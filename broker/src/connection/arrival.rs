//! How a peer came in, as its door tells before the first frame; it judges nothing.

use std::fmt;

use callboard_protocol::Millis;
use callboard_protocol::frame::Credential;

/// What a session knows before `Hello`.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// What the peer showed at the door; it counts where `Hello` shows nothing.
    pub(crate) shown: Option<Shown>,
    /// Whether nobody on the way can read along, so that a secret may be shown.
    pub(crate) is_private: bool,
    /// Whether the peer is on this machine, as far as its door knows.
    pub(crate) is_local: bool,
    /// How often the door says something at least; zero promises nothing.
    pub(crate) ping_interval: Millis,
    /// How many messages it publishes, if it is one request over HTTP: they count for its key, whose bearer may make many.
    pub(crate) publishes: Option<u32>,
}

impl Default for Arrival {
    /// As at the QUIC door: encrypted, from where the broker listens, and QUIC itself keeps watch over an idle connection.
    fn default() -> Self {
        Self { shown: None, is_private: true, is_local: true, ping_interval: Millis::ZERO, publishes: None }
    }
}

/// A credential that was shown at a door. Nothing shows it by accident.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    strategy: String,
    secret: String,
}

impl Shown {
    /// What was shown.
    pub(crate) fn new(strategy: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { strategy: strategy.into(), secret: secret.into() }
    }

    /// The credential, with its secret.
    pub(crate) fn credential(&self) -> Credential<'_> {
        Credential { strategy: &self.strategy, secret: &self.secret }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(…)")
    }
}
