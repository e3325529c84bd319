//! What a bridge at an edge tells of itself. What means the same as at a broker has the same name.

use std::fmt;

use callboard_bridge_ws::edge::{Observer, Stats};
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::exposition::{Subject, closes, counter, counters, gauge, gauges, http_refused};

/// A bridge.
#[derive(Debug)]
pub(super) struct Edge {
    /// The bridge, as it is seen.
    pub(super) observer: Observer,
    /// The most memory that its configuration allows.
    pub(super) memory_bound_bytes: u64,
}

impl Subject for Edge {
    fn is_accepting(&self) -> bool {
        self.observer.is_accepting()
    }

    fn memory_bound_bytes(&self) -> u64 {
        self.memory_bound_bytes
    }

    fn panics(&self) -> u64 {
        self.observer.panics()
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.observer.stats();
        browsers(encoder, &stats)?;
        upstream(encoder, &stats)?;
        let bytes = Some(&Unit::Bytes);
        counter(encoder, "read", "Bytes read from browsers", bytes, stats.bytes_read)?;
        counter(encoder, "written", "Bytes written to browsers", bytes, stats.bytes_written)?;
        let help = "Memory of what browsers sent and the broker has not read, beyond 16 KiB of each";
        gauge(encoder, "inbox", help, bytes, stats.inbox_bytes)?;
        let help = "Memory of what the broker sent and browsers have not read, beyond 32 KiB of each";
        gauge(encoder, "outbox", help, bytes, stats.outbox_bytes)?;
        let help = "Messages in requests to POST /v1/publish";
        counter(encoder, "http_publishes", help, None, stats.http_publishes)?;
        counter(
            encoder,
            "http_published",
            "Messages of POST /v1/publish that were published",
            None,
            stats.http_published,
        )
    }
}

fn browsers(encoder: &mut DescriptorEncoder<'_>, stats: &Stats) -> fmt::Result {
    let browsers = &stats.browsers;
    let states = [
        ("new", browsers.new),
        ("opening", browsers.opening),
        ("open", browsers.open),
        ("suspended", browsers.suspended),
        ("waiting", browsers.waiting),
        ("leaving", browsers.leaving),
    ];
    let help = "Connected browsers: suspended ones wait for a broker that is away, waiting ones for a place at it";
    gauges(encoder, ("browsers", "state"), help, &states)?;
    let opened = stats.sessions_opened;
    counter(encoder, "sessions_opened", "Sessions opened with the broker for browsers", None, opened)?;
    let refused = &stats.refused;
    let reasons = [
        ("connections", refused.connections),
        ("connections_per_address", refused.address),
        ("away", refused.broker),
        ("full", refused.place),
    ];
    let help = "Sessions not opened: past a limit here, or while the broker was away or full, when browsers wait and \
        publishes over HTTP are refused";
    counters(encoder, ("sessions_refused", "reason"), help, &reasons)?;
    closes(encoder, stats.closes.iter().copied())?;
    http_refused(encoder, stats.http_refused.iter().copied())
}

fn upstream(encoder: &mut DescriptorEncoder<'_>, stats: &Stats) -> fmt::Result {
    let states = [("up", stats.connections_up), ("down", stats.connections_down)];
    let help = "Connections with the broker; those that are down are dialed again";
    gauges(encoder, ("upstream_connections", "state"), help, &states)?;
    let help = "Times that the last connection with the broker was lost";
    counter(encoder, "upstream_outages", help, None, stats.outages)
}
