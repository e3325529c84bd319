//! The most memory that a configuration allows, term by term; computed from its values alone.

use callboard_bridge_ws::defaults::BODY_COPIES;

use super::{Config, OUTBOX_BYTES_FREE};
use crate::defaults::{
    BRIDGE_BYTES, BRIDGE_STREAM_BYTES, INCOMING_BYTES, LOANS_MAX, PARTIAL_BYTES_FREE, RECEIVE_WINDOW,
    RECEIVE_WINDOW_SMALL, SEND_WINDOW, SEND_WINDOW_SMALL, SLOTS_MAX, SMALL_PIECES,
};

/// The program, its threads' stacks and what they are just working on.
pub(super) const PROGRAM_BYTES: u64 = 32 << 20;

/// What an idle connection costs: TLS and QUIC state, its actor and its place in the registry.
const CONNECTION_BYTES: u64 = 56 << 10;

/// What a handshake under way costs: the same state, before there is an actor, and a certificate to be sent.
const HANDSHAKE_BYTES: u64 = 96 << 10;

/// What an HTTP connection costs whose request has as long a header as it may, inside TLS: hyper's buffers and state, and
/// what TLS has read and not deciphered, and written and not sent. A browser's open session costs less than a QUIC one.
pub(super) const HTTP_CONNECTION_BYTES: u64 = 160 << 10;

/// What a channel costs beside its history, awake: its slot, its state, its actor and an empty mailbox.
const CHANNEL_BYTES: u64 = 8 << 10;

/// What one subscription costs: an entry in the channel, one in the session, the gate between them, and the name.
const SUBSCRIPTION_BYTES: u64 = 768;

/// What a session remembers of a channel that it publishes to: its name, and its place though it may be retired.
const GRANT_BYTES: u64 = 1024;

/// What the allocator needs beside what it was asked for: an eighth, as free memory lies between what is in use.
const SLACK: u64 = 8;

/// What is true wherever QUIC is spoken.
pub(super) const SHARED_BUFFERS: &str = "datagrams that arrived together share a buffer of up to 64 KiB: a peer that \
    leaves holes in a stream on purpose can hold up to fifty times what the windows allow";

/// The most memory that a configuration allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryBound {
    /// What it is added up from.
    pub terms: Vec<Term>,
    /// What is bounded otherwise than in bytes and is not in the sum, a sentence each.
    pub beside: Vec<String>,
}

/// A part of the most memory that a configuration allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What it is.
    pub name: &'static str,
    /// How many of it there can be.
    pub count: u64,
    /// How many bytes each can have.
    pub each_bytes: u64,
    /// The settings that bound it; empty if none does.
    pub settings: &'static str,
}

impl Term {
    /// All of it, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.each_bytes)
    }
}

impl MemoryBound {
    /// The bound of what is added up from these, and from what the allocator needs for them.
    pub(super) fn of(mut terms: Vec<Term>, beside: &[&str]) -> Self {
        let sum = terms.iter().map(Term::bytes).fold(0, u64::saturating_add);
        terms.push(Term { name: "the allocator's slack", count: 1, each_bytes: sum / SLACK, settings: "" });
        let kernels = "the socket's buffers, which are the kernel's";
        Self { terms, beside: [kernels].iter().chain(beside).map(|sentence| (*sentence).to_owned()).collect() }
    }

    /// The sum of all terms, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.terms.iter().map(Term::bytes).fold(0, u64::saturating_add)
    }
}

impl Config {
    /// The most memory that a broker with this configuration can come to need: when every peer that may connect does,
    /// fills what it may fill and reads nothing. A broker in ordinary use needs a small part of it.
    #[must_use]
    pub fn memory_bound(&self) -> MemoryBound {
        let limits = &self.limits;
        let connections = size(limits.connections);
        let term = |name, count, each_bytes, settings| Term { name, count, each_bytes, settings };
        let send_small = SMALL_PIECES * SEND_WINDOW_SMALL;
        // One read more may wait to be decoded.
        let receive = |window: u32| out_of_order(window) + u64::from(window);
        let small = send_small + receive(RECEIVE_WINDOW_SMALL);
        let large = SEND_WINDOW - SEND_WINDOW_SMALL + receive(RECEIVE_WINDOW - RECEIVE_WINDOW_SMALL);
        // Any connection may be a bridge's, that has larger windows and lends to its visitors.
        let bridge = (size(BRIDGE_BYTES) + u64::from(LOANS_MAX) * receive(RECEIVE_WINDOW))
            .saturating_add(size(limits.bridge_sessions).saturating_mul(size(BRIDGE_STREAM_BYTES)));
        let larger = size(limits.window_bytes).min(connections.saturating_mul(large.max(bridge)));
        let subscriptions = size(limits.subscriptions).min(connections.saturating_mul(size(self.subscriptions_max)));
        let mut terms = vec![
            term("the program", 1, PROGRAM_BYTES, ""),
            term("newcomers", 1, INCOMING_BYTES, ""),
            term("handshakes", size(limits.handshakes), HANDSHAKE_BYTES, "limits.handshakes"),
            term("connections", connections, CONNECTION_BYTES, "limits.connections"),
            term("their channels' names", connections, size(SLOTS_MAX) * GRANT_BYTES, "limits.connections"),
            term("their QUIC windows", connections, small, "limits.connections"),
            term("their outboxes", connections, size(OUTBOX_BYTES_FREE), "limits.connections"),
            term("their partial frames", connections, 2 * size(PARTIAL_BYTES_FREE), "limits.connections"),
            term("larger windows", 1, larger, "limits.window_bytes"),
            term("larger outboxes", 1, size(limits.outbox_bytes), "limits.outbox_bytes"),
            term("larger partial frames", 1, size(limits.inbox_bytes), "limits.inbox_bytes"),
            term("waiting for channels", 1, size(limits.inbox_bytes), "limits.inbox_bytes"),
            term("channels", size(limits.channels), CHANNEL_BYTES, "limits.channels"),
            term("histories", 1, size(limits.history_bytes), "limits.history_bytes"),
            term("publish ids", 1, size(limits.publish_id_bytes), "limits.publish_id_bytes"),
            term("subscriptions", subscriptions, SUBSCRIPTION_BYTES, "limits.subscriptions, subscriptions_max"),
        ];
        if self.ws_address().is_some() {
            let requests = size(self.ws.http_connections);
            terms.push(term("HTTP connections", requests, HTTP_CONNECTION_BYTES, "ws.http_connections"));
            terms.push(term("publishes over HTTP", size(BODY_COPIES), size(self.ws.publish_bytes), "ws.publish_bytes"));
        }
        MemoryBound::of(terms, &[SHARED_BUFFERS])
    }
}

/// What QUIC keeps of what came and was not read: what is out of order is kept up to two and a half times.
pub(super) fn out_of_order(window: u32) -> u64 {
    u64::from(window) / 2 * 5
}

pub(super) fn size(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_follows_the_limits() {
        let mut config = Config::new("data");
        let of = |config: &Config, name: &str| {
            config.memory_bound().terms.iter().find(|term| term.name == name).expect("a term").bytes()
        };
        config.limits.connections = 10;
        config.subscriptions_max = 3;
        assert_eq!(of(&config, "connections"), 10 * CONNECTION_BYTES);
        assert_eq!(of(&config, "subscriptions"), 30 * SUBSCRIPTION_BYTES);
        assert!(of(&config, "larger windows") < 1 << 30, "ten connections do not reach the total");
        config.limits.connections = 10_000;
        assert_eq!(of(&config, "larger windows"), 1 << 30, "ten thousand are bounded by it");
        config.subscriptions_max = 1_000_000;
        assert_eq!(of(&config, "subscriptions"), 1_000_000 * SUBSCRIPTION_BYTES);
        let sum: u64 = config.memory_bound().terms.iter().map(Term::bytes).sum();
        assert_eq!(config.memory_bound().bytes(), sum);
    }

    #[test]
    fn numbers_beyond_all_measure_do_no_harm() {
        let mut config = Config::new("data");
        config.limits.connections = usize::MAX;
        config.limits.history_bytes = usize::MAX;
        config.limits.bridge_sessions = usize::MAX;
        config.outbox.bytes = usize::MAX;
        assert_eq!(config.memory_bound().bytes(), u64::MAX);
    }
}
