//! The bounds that keep one peer from hurting another, with the reasons for their defaults.

/// So many at once, and so many a second after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many come back in a second.
    pub per_second: u64,
    /// How many may be had at once.
    pub burst: u64,
}

/// The bounds on peers and on what they hold in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all. At some 50 KiB for each idle one, 50,000 are two and a half gibibytes.
    pub connections: usize,
    /// Connections from one address, or from the /64 of an IPv6 one: an office behind one address, or a load generator.
    /// Lower it on the open internet.
    pub connections_per_address: usize,
    /// Sessions that a bridge may have open for others on one connection. Each counts among the connections, under the
    /// address that the bridge tells; a bridge that needs more connects again.
    pub bridge_sessions: usize,
    /// Handshakes under way. From half of it on a peer must first show that its address is its own (QUIC's Retry); past
    /// it a newcomer is refused before anything is kept for it.
    pub handshakes: usize,
    /// Handshakes under way from one address, or from one IPv6 /64, so that one cannot take all: enough for an office
    /// that reconnects at once after a shutdown.
    pub handshakes_per_address: usize,
    /// Channels in all, asleep or awake. At 1 KiB for each quiet one, a million are a gibibyte.
    pub channels: usize,
    /// Subscriptions in all: twenty for each of as many connections as there may be.
    pub subscriptions: usize,
    /// Channels that one connection may create: a fan-in service begins with thousands, and no page needs more than a
    /// few a second after that.
    pub births: Rate,
    /// Channels that the connections of one address may create.
    pub births_per_address: Rate,
    /// Frames that one session may send. What a runaway loop sends and no program that waits for anything.
    pub frames: Rate,
    /// Publishes that one session may send, or one key by all its requests over HTTP; the same reason.
    pub publishes: Rate,
    /// Memory of all histories together, with what readers still hold of what was forgotten. Past it a channel that
    /// publishes forgets its own oldest messages.
    pub history_bytes: usize,
    /// Memory of the publish ids of all channels. A publisher that sends without pause keeps eight kibibytes;
    /// past it a channel forgets its quietest publishers early.
    pub publish_id_bytes: usize,
    /// Memory of what waits in all outboxes together, beyond the first [`OUTBOX_BYTES_FREE`] of each. Past it a session
    /// that is behind is ended as too slow.
    pub outbox_bytes: usize,
    /// Memory of what was read and is not yet handed out by its channel: a burst of some hundred thousand messages. Past
    /// it nobody is read for a moment. As much again may be held for those who begin a frame and do not end it; past that
    /// they are sent away, those too who hold some for longer than a peer may take to open its session.
    pub inbox_bytes: usize,
    /// Memory of all QUIC windows together, beyond the small ones that each connection has: of two thousand connections
    /// at full speed at once. Past it further ones keep their small windows.
    pub window_bytes: usize,
}

/// Bytes that an outbox may hold without a share of the total: no reader keeps an outbox empty at every moment.
pub const OUTBOX_BYTES_FREE: usize = 32 << 10;

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 50_000,
            connections_per_address: 10_000,
            bridge_sessions: 1_000,
            handshakes: 2_000,
            handshakes_per_address: 1_000,
            channels: 1_000_000,
            subscriptions: 1_000_000,
            births: Rate { per_second: 500, burst: 20_000 },
            births_per_address: Rate { per_second: 5_000, burst: 200_000 },
            frames: Rate { per_second: 1_000_000, burst: 2_000_000 },
            publishes: Rate { per_second: 500_000, burst: 1_000_000 },
            history_bytes: 512 << 20,
            publish_id_bytes: 128 << 20,
            outbox_bytes: 512 << 20,
            inbox_bytes: 128 << 20,
            window_bytes: 1 << 30,
        }
    }
}
