//! What an edge lets in and holds, and how its browsers come back; each number with its reason.

use std::time::Duration;

use callboard_client::defaults::SESSIONS_A_CONNECTION;

/// The edge's own bounds. All others are the broker's, which counts by the address that the edge tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Browsers in all.
    pub connections: usize,
    /// Browsers from one address, an IPv6 one counted by its first 64 bits.
    pub connections_per_address: usize,
    /// Bytes of what browsers began and did not end, or said and the broker has not taken, beyond 16 KiB of each. Past it
    /// one that has no room is sent away, and so is who holds some and does not get on for a whole turn of the heartbeat.
    pub inbox_bytes: usize,
    /// Bytes of what the broker said and browsers have not taken, beyond 32 KiB of each. Past it a large message waits, and
    /// who takes nothing of one is ended as too slow.
    pub outbox_bytes: usize,
}

impl Limits {
    /// How many connections there can be with the broker.
    #[must_use]
    pub fn connections_with_broker(&self) -> usize {
        self.connections.div_ceil(SESSIONS_A_LANE).max(LANES_AT_FIRST)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 50_000, connections_per_address: 10_000, inbox_bytes: 128 << 20, outbox_bytes: 512 << 20 }
    }
}

// What follows is not for operators.

/// Of [`Limits::inbox_bytes`] each browser has this much beside: what is read at once.
pub const INBOX_BYTES_FREE: usize = 16 << 10;

/// Of [`Limits::outbox_bytes`] the same: no reader keeps up at every moment. Beside it each may have what one read brought.
pub const OUTBOX_BYTES_FREE: usize = 32 << 10;

/// Connections with the broker from the start: one core of the broker's encrypts one of them.
pub(super) const LANES_AT_FIRST: usize = 2;

/// How many browsers a connection has room for at the least: what is given back of a thousand places, QUIC tells of an eighth
/// at a time.
pub(super) const SESSIONS_A_LANE: usize = SESSIONS_A_CONNECTION / 8 * 7;

/// How long no further connection is tried after this machine refused one.
pub(super) const DIAL_PAUSE: Duration = Duration::from_secs(5);

/// How many new sessions a second browsers are asked to begin when the broker is back: all that were here come then, each
/// with its subscriptions.
pub(super) const RESUMED_PER_SECOND: u32 = 1000;

/// How much is handed to a browser's socket at once.
pub(super) const FILL_BYTES: usize = 64 << 10;

/// From here on a body is handed on as it is, and not copied behind its header.
pub(super) const COPIED_BYTES_MAX: usize = 4 << 10;

/// How much may wait for a browser that reads nothing: a question or two, and what became of its session.
pub(super) const WAITING_MAX: usize = 4;
