//! The most memory that a configuration allows, term by term; computed from its values alone.

use super::{Config, OUTBOX_BYTES_FREE};
use crate::defaults::{CHANNEL_MAILBOX, FILL_BYTES, RECEIVE_WINDOW, SEND_WINDOW};

/// The program, its threads' stacks and the allocator's slack before anybody connects.
const PROGRAM_BYTES: u64 = 32 << 20;

/// What an idle connection costs: TLS and QUIC state, its actor and its place in the registry.
const CONNECTION_BYTES: u64 = 50 << 10;

/// What a handshake under way costs: the same state, before there is an actor.
const HANDSHAKE_BYTES: u64 = 50 << 10;

/// What a channel costs beside its history, awake: its slot, its state, its actor and an empty mailbox.
const CHANNEL_BYTES: u64 = 8 << 10;

/// What one subscription costs: an entry in the channel, one in the session, and the gate between them.
const SUBSCRIPTION_BYTES: u64 = 256;

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
        let windows = SEND_WINDOW + u64::from(RECEIVE_WINDOW);
        // What one outbox holds without a share of the total, and what its writer took from it and has not written.
        let outbox = size(self.outbox.bytes.min(OUTBOX_BYTES_FREE)) + size(FILL_BYTES);
        let beyond = self.outbox.bytes.saturating_sub(OUTBOX_BYTES_FREE);
        let outboxes = size(limits.outbox_bytes).min(connections.saturating_mul(size(beyond)));
        let terms = vec![
            term("the program", 1, PROGRAM_BYTES, ""),
            term("handshakes", size(limits.handshakes), HANDSHAKE_BYTES, "limits.handshakes"),
            term("connections", connections, CONNECTION_BYTES, "limits.connections"),
            term("QUIC windows", connections, windows, "limits.connections"),
            term("outboxes, at least", connections, outbox, "limits.connections"),
            term("outboxes, beyond that", 1, outboxes, "limits.outbox_bytes, outbox.bytes"),
            term("channels", size(limits.channels), CHANNEL_BYTES, "limits.channels"),
            term("histories", 1, size(limits.history_bytes), "limits.history_bytes"),
            term(
                "subscriptions",
                connections.saturating_mul(size(self.subscriptions_max)),
                SUBSCRIPTION_BYTES,
                "limits.connections, subscriptions_max",
            ),
        ];
        let beside = vec![
            format!(
                "what channels have not taken yet: at most {CHANNEL_MAILBOX} batches each; past it their publishers are \
                 not read"
            ),
            "the ids of publishes that channels remember for two minutes: at most 400 KiB each".to_owned(),
            "chunks of a history that readers still hold after the channel forgot them".to_owned(),
        ];
        MemoryBound { terms, beside }
    }
}

fn size(value: usize) -> u64 {
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
        let few = of(&config, "outboxes, beyond that");
        assert_eq!(few, 10 * ((1 << 20) - (64 << 10)), "ten full outboxes do not reach the total");
        config.limits.connections = 10_000;
        assert_eq!(of(&config, "outboxes, beyond that"), 512 << 20, "ten thousand are bounded by it");
        let sum: u64 = config.memory_bound().terms.iter().map(Term::bytes).sum();
        assert_eq!(config.memory_bound().bytes(), sum);
    }

    #[test]
    fn numbers_beyond_all_measure_do_no_harm() {
        let mut config = Config::new("data");
        config.limits.connections = usize::MAX;
        config.limits.history_bytes = usize::MAX;
        config.outbox.bytes = usize::MAX;
        assert_eq!(config.memory_bound().bytes(), u64::MAX);
    }
}
