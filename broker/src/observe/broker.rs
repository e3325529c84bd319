//! What a broker tells of itself: its counters, and what it is asked at the moment of a scrape.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::exposition::{Subject, closes, counter, gauge, gauges, http_refused};
use super::scope::Scope;

impl Subject for Scope {
    fn is_accepting(&self) -> bool {
        self.metrics.is_accepting()
    }

    fn memory_bound_bytes(&self) -> u64 {
        self.memory_bound_bytes
    }

    fn panics(&self) -> u64 {
        self.metrics.panics.value()
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        connections(encoder, self)?;
        messages(encoder, self)?;
        latency(encoder, self)
    }
}

fn connections(encoder: &mut DescriptorEncoder<'_>, scope: &Scope) -> fmt::Result {
    let (metrics, depths) = (&scope.metrics, scope.depths());
    gauge(encoder, "connections", "Connections that are open", None, depths.outboxes)?;
    gauge(encoder, "sessions", "Sessions that have said hello", None, metrics.sessions.value())?;
    gauge(encoder, "bridges", "Connections that open sessions for others", None, metrics.bridges.value())?;
    gauge(encoder, "visitors", "Sessions that bridges have open for others", None, metrics.visitors.value())?;
    let opened = metrics.connections_opened.value();
    counter(encoder, "connections_opened", "Connections that were accepted", None, opened)?;
    let subscriptions = scope.local.rules.subscriptions.held() as u64;
    gauge(encoder, "subscriptions", "Subscriptions of all sessions", None, subscriptions)?;
    closes(encoder, metrics.closes())?;
    http_refused(encoder, metrics.http_refused.read())?;
    let bytes = Some(&Unit::Bytes);
    counter(encoder, "read", "Bytes read from sessions", bytes, metrics.bytes_read.value())?;
    counter(encoder, "written", "Bytes written to sessions", bytes, metrics.bytes_written.value())?;
    let inbox = scope.local.inbox.held() as u64;
    gauge(encoder, "inbox", "Memory of what was read and waits for channels", bytes, inbox)?;
    gauge(encoder, "outbox_messages", "Messages that wait in all outboxes", None, depths.messages)?;
    gauge(encoder, "outbox", "Bytes that wait in all outboxes", bytes, depths.bytes)?;
    gauge(encoder, "outbox_fullest", "Bytes that wait in the fullest outbox", bytes, depths.bytes_max)
}

fn messages(encoder: &mut DescriptorEncoder<'_>, scope: &Scope) -> fmt::Result {
    let metrics = &scope.metrics;
    let awake = metrics.channels_awake.value();
    let asleep = (scope.directory.channels() as u64).saturating_sub(awake);
    let help = "Channels that exist, by whether an actor runs for them";
    gauges(encoder, ("channels", "state"), help, &[("awake", awake), ("asleep", asleep)])?;
    let history = scope.directory.budgets().history.held() as u64;
    gauge(encoder, "history", "Memory of the histories of all channels", Some(&Unit::Bytes), history)?;
    let ids = scope.directory.budgets().publish_ids.held() as u64;
    gauge(encoder, "publish_ids", "Memory of the publish ids of all channels", Some(&Unit::Bytes), ids)?;
    let help = "Publish ids that were forgotten early because the memory for all of them was full";
    counter(encoder, "publish_ids_forgotten", help, None, metrics.publish_ids_forgotten.value())?;
    counter(encoder, "publishes", "Messages that channels accepted", None, metrics.publishes.value())?;
    let taken = metrics.publish_bytes.value();
    counter(
        encoder,
        "published",
        "Bytes of the accepted messages, as they are sent to subscribers",
        Some(&Unit::Bytes),
        taken,
    )?;
    let deliveries = metrics.deliveries.value();
    counter(encoder, "deliveries", "Messages put into outboxes, one for each subscriber", None, deliveries)?;
    let help = "Messages not delivered to their own publisher, at its wish";
    counter(encoder, "skipped", help, None, metrics.skipped.value())?;
    let help = "Parts of a history sent to subscribers that had missed them";
    counter(encoder, "replays", help, None, metrics.replays.value())?;
    counter(encoder, "replayed", "Messages in these parts of histories", None, metrics.replayed.value())?;
    let help = "Reads paused because a channel's mailbox was full";
    counter(encoder, "held", help, None, metrics.held.value())
}

fn latency(encoder: &mut DescriptorEncoder<'_>, scope: &Scope) -> fmt::Result {
    let (sum, count, buckets) = scope.metrics.latency.read();
    let help = "From a publish being read to its being written to a subscriber; one batch in some is measured";
    let unit = Some(&Unit::Seconds);
    let mut encoder = encoder.encode_descriptor("delivery", help, unit, MetricType::Histogram)?;
    encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}
