//! What a bridge at an edge tells of itself. What means the same as at a broker has the same name.

use std::fmt;

use callboard_bridge_ws::edge::{Figures, Sight};
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::exposition::{Subject, closes, counter, counters, gauge, gauges};

/// A bridge.
#[derive(Debug)]
pub(super) struct Edge {
    /// The bridge, as it is seen.
    pub(super) sight: Sight,
    /// The most memory that its configuration allows.
    pub(super) memory_bound_bytes: u64,
}

impl Subject for Edge {
    fn is_accepting(&self) -> bool {
        self.sight.is_accepting()
    }

    fn memory_bound_bytes(&self) -> u64 {
        self.memory_bound_bytes
    }

    fn panics(&self) -> u64 {
        self.sight.panics()
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.sight.figures();
        browsers(encoder, &figures)?;
        upstream(encoder, &figures)?;
        let bytes = Some(&Unit::Bytes);
        counter(encoder, "read", "Bytes read from browsers", bytes, figures.bytes_read)?;
        counter(encoder, "written", "Bytes written to browsers", bytes, figures.bytes_written)?;
        let help = "Memory of what browsers sent and the broker has not read, beyond 16 KiB of each";
        gauge(encoder, "inbox", help, bytes, figures.inbox_bytes)?;
        let help = "Memory of what the broker sent and browsers have not read, beyond 32 KiB of each";
        gauge(encoder, "outbox", help, bytes, figures.outbox_bytes)?;
        let help = "Messages in requests to POST /v1/publish";
        counter(encoder, "http_publishes", help, None, figures.http_publishes)?;
        counter(
            encoder,
            "http_published",
            "Messages of POST /v1/publish that were published",
            None,
            figures.http_published,
        )
    }
}

fn browsers(encoder: &mut DescriptorEncoder<'_>, figures: &Figures) -> fmt::Result {
    let browsers = &figures.browsers;
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
    let opened = figures.sessions_opened;
    counter(encoder, "sessions_opened", "Sessions opened with the broker for browsers", None, opened)?;
    let refused = &figures.refused;
    let reasons = [
        ("connections", refused.connections),
        ("connections_per_address", refused.address),
        ("away", refused.broker),
        ("full", refused.place),
    ];
    let help = "Sessions not opened: past a limit here, or while the broker was away or full, when browsers wait and \
        publishes over HTTP are refused";
    counters(encoder, ("sessions_refused", "reason"), help, &reasons)?;
    closes(encoder, figures.closes.iter().copied())
}

fn upstream(encoder: &mut DescriptorEncoder<'_>, figures: &Figures) -> fmt::Result {
    let states = [("up", figures.connections_up), ("down", figures.connections_down)];
    let help = "Connections with the broker; those that are down are dialed again";
    gauges(encoder, ("upstream_connections", "state"), help, &states)?;
    let help = "Times that the last connection with the broker was lost";
    counter(encoder, "upstream_outages", help, None, figures.outages)
}
