//! What the broker does when nobody configures it, each value with its reason.

use std::time::Duration;

/// One queue to a session, in bytes: about seven thousand small messages, a second or two of a busy channel for a
/// reader that stumbles, and still only a gibibyte for a thousand stalled readers of a thousand different channels.
pub const OUTBOX_BYTES: usize = 1 << 20;

/// The same in messages, so that tiny messages are bounded too.
pub const OUTBOX_MESSAGES: usize = 16 << 10;

/// What a channel remembers, in messages: enough for a page that reloads or a network that changes.
pub const HISTORY_MESSAGES: usize = 1024;

/// The same in bytes.
pub const HISTORY_BYTES: usize = 1 << 20;

/// And how long: a laptop carried to the next meeting comes back within it.
pub const HISTORY_AGE: Duration = Duration::from_secs(300);

/// Subscriptions a session may have: a page uses tens, a service that fans in may use thousands.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;

/// Until the first frame of a session has come: a handshake over a bad mobile link takes a few seconds.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Silence after which QUIC gives a peer up; clients send a keep-alive at a third of it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long shutdown waits for outboxes to empty: service managers kill after ten seconds or more.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(8);

/// Over how long clients are asked to spread their return after a shutdown.
pub const DRAIN_SPREAD: Duration = Duration::from_secs(5);

/// How long a channel that nothing happens to stays awake: long enough to bridge a conversation's pauses, short enough
/// that a burst over many channels does not hold seven kilobytes for each.
pub const CHANNEL_IDLE: Duration = Duration::from_secs(5);

/// Batches of publishes that may wait for a channel. A batch is what one read of one session brought, so this is tens
/// of thousands of messages; past it the publishers' reading stops.
pub const CHANNEL_MAILBOX: usize = 256;
