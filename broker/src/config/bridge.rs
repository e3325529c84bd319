//! What a configuration means for a bridge at an edge: which values count there, and the most memory that they allow. It
//! opens nothing.

use callboard_bridge_ws::defaults::BODY_COPIES;
use callboard_bridge_ws::edge::{INBOX_BYTES_FREE, Limits, OUTBOX_BYTES_FREE};
use callboard_client::defaults::{SESSIONS_A_CONNECTION, SHARED_SEND_WINDOW_BYTES, STREAM_WINDOW_BYTES};

use super::Config;
use super::memory::{HTTP_CONNECTION_BYTES, MemoryBound, PROGRAM_BYTES, SHARED_BUFFERS, Term, out_of_order, size};
use crate::defaults::SMALL_PIECES;

/// What an idle browser costs: its socket, its actor, its places in tables, and its stream to the broker.
const BROWSER_BYTES: u64 = 16 << 10;

/// What TLS adds to it: its state, what it has read and not deciphered, and what it was given and has not sent.
const TLS_BYTES: u64 = 96 << 10;

/// What a connection with the broker costs beside its windows: TLS and QUIC state, and what its socket is read into.
const UPSTREAM_BYTES: u64 = 4 << 20;

/// What a session costs that says its last words: its stream, and its place among those that do.
const LEAVING_BYTES: u64 = 4 << 10;

impl Config {
    /// This configuration for a bridge, without what only a broker opens and allows.
    #[must_use]
    pub fn for_bridge(self) -> Self {
        Self { listen: ([127, 0, 0, 1], self.listen.port()).into(), anonymous_publish: Some(false), demo: None, ..self }
    }

    /// What a bridge lets in and holds.
    #[must_use]
    pub fn bridge_limits(&self) -> Limits {
        Limits {
            connections: self.limits.connections,
            connections_per_address: self.limits.connections_per_address,
            inbox_bytes: self.limits.inbox_bytes,
            outbox_bytes: self.limits.outbox_bytes,
        }
    }

    /// An upper bound on the memory of a bridge with this configuration: every browser that may connect does, sends what
    /// it may and reads nothing, and the broker reads nothing. A bridge in ordinary use needs a small part of it.
    #[must_use]
    pub fn bridge_memory_bound(&self) -> MemoryBound {
        let limits = self.bridge_limits();
        let (browsers, upstream) = (size(limits.connections), size(limits.connections_with_broker()));
        let term = |name, count, each_bytes, settings| Term { name, count, each_bytes, settings };
        let browser = BROWSER_BYTES + if self.ws_has_tls() { TLS_BYTES } else { 0 };
        // Whatever grows piece by piece lies in a buffer with room for as much again.
        let inbox_free = 2 * size(INBOX_BYTES_FREE);
        // Behind what a browser waits for lies what one read brought: a stream's window at most.
        let outbox_free = 2 * size(OUTBOX_BYTES_FREE) + u64::from(STREAM_WINDOW_BYTES);
        let sending = UPSTREAM_BYTES + SMALL_PIECES * SHARED_SEND_WINDOW_BYTES;
        let leaving = upstream.saturating_mul(size(SESSIONS_A_CONNECTION));
        let terms = vec![
            term("the program", 1, PROGRAM_BYTES, ""),
            term("browsers", browsers, browser, "limits.connections"),
            term("sent by browsers", browsers, inbox_free, "limits.connections"),
            term("more sent by browsers", 2, size(limits.inbox_bytes), "limits.inbox_bytes"),
            term("waiting for browsers", browsers, outbox_free, "limits.connections"),
            term("more waiting for them", 2, size(limits.outbox_bytes), "limits.outbox_bytes"),
            term("their QUIC windows", browsers, out_of_order(STREAM_WINDOW_BYTES), "limits.connections"),
            term("broker's connections", upstream, sending, "limits.connections"),
            term("sessions that leave", leaving, LEAVING_BYTES + inbox_free, "limits.connections"),
            term("HTTP connections", size(self.ws.http_connections), HTTP_CONNECTION_BYTES, "ws.http_connections"),
            term("publishes over HTTP", size(BODY_COPIES), size(self.ws.publish_bytes), "ws.publish_bytes"),
        ];
        MemoryBound::of(terms, &[SHARED_BUFFERS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_a_bridge_follows_its_own_limits_and_no_others() {
        let mut config = Config::new("data");
        let of = |config: &Config, name: &str| {
            config.bridge_memory_bound().terms.iter().find(|term| term.name == name).expect("a term").bytes()
        };
        config.limits.connections = 10;
        assert_eq!(of(&config, "browsers"), 10 * BROWSER_BYTES);
        assert_eq!(of(&config, "sessions that leave") / size(SESSIONS_A_CONNECTION), 2 * (LEAVING_BYTES + (32 << 10)));
        config.ws.tls = Some(true);
        assert_eq!(of(&config, "browsers"), 10 * (BROWSER_BYTES + TLS_BYTES));
        let before = config.bridge_memory_bound();
        config.limits.history_bytes *= 2;
        config.limits.channels *= 2;
        assert_eq!(config.bridge_memory_bound(), before);
        config.limits.outbox_bytes *= 2;
        assert!(config.bridge_memory_bound().bytes() > before.bytes());
        config.limits.connections = usize::MAX;
        assert_eq!(config.bridge_memory_bound().bytes(), u64::MAX);
    }

    #[test]
    fn a_bridge_opens_and_allows_nothing_of_what_a_broker_does() {
        let mut config = Config::new("data");
        config.listen = ([0, 0, 0, 0], 5000).into();
        (config.anonymous_publish, config.demo) = (Some(true), Some(true));
        let config = config.for_bridge();
        assert!(config.listen.ip().is_loopback() && !config.may_publish_anonymously());
        assert_eq!((config.demo, config.ws_address()), (None, Some(([127, 0, 0, 1], 5000).into())));
    }
}
