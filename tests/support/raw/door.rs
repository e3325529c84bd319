//! The ways into a broker, as a raw peer takes them.

use callboard_bridge_ws::Dialect;

/// A way in, and what is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// QUIC.
    Quic,
    /// The browser's door, `callboard.v1`.
    Binary,
    /// The browser's door, `callboard.v1.json`.
    Json,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Quic, Self::Binary, Self::Json];

    /// What is spoken at the browser's door; `None` at the other one.
    #[must_use]
    pub fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Quic => None,
            Self::Binary => Some(Dialect::Binary),
            Self::Json => Some(Dialect::Json),
        }
    }
}
