//! The metrics as Prometheus reads them, in the OpenMetrics text format. No name of a channel, a key or a peer is in it.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::process::Process;
use super::scope::Scope;

/// How the text below is announced.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics as text.
pub(super) fn render(scope: &std::sync::Arc<Scope>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("callboard");
    registry.register_collector(Box::new(Callboard(std::sync::Arc::clone(scope))));
    let mut text = String::new();
    text::encode_registry(&mut text, &registry)?;
    let mut process = Registry::with_prefix("process");
    process.register_collector(Box::new(Process::read()));
    text::encode_registry(&mut text, &process)?;
    text::encode_eof(&mut text)?;
    Ok(text)
}

#[derive(Debug)]
struct Callboard(std::sync::Arc<Scope>);

impl Collector for Callboard {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let scope = &self.0;
        about(&mut encoder, scope)?;
        connections(&mut encoder, scope)?;
        messages(&mut encoder, scope)?;
        latency(&mut encoder, scope)
    }
}

fn about(encoder: &mut DescriptorEncoder<'_>, scope: &Scope) -> fmt::Result {
    let mut build = encoder.encode_descriptor("build", "The program that runs", None, MetricType::Info)?;
    build.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
    let accepting = u64::from(scope.metrics.is_accepting());
    gauge(encoder, "accepting", "Whether newcomers are let in: 0 while the broker drains", None, accepting)?;
    let bound = scope.memory_bound_bytes;
    gauge(encoder, "memory_bound", "The most memory that the configuration allows", Some(&Unit::Bytes), bound)?;
    counter(encoder, "panics", "Actors that panicked; each one is a bug", None, scope.metrics.panics.value())
}

fn connections(encoder: &mut DescriptorEncoder<'_>, scope: &Scope) -> fmt::Result {
    let (metrics, depths) = (&scope.metrics, scope.depths());
    gauge(encoder, "connections", "Connections that are open", None, depths.outboxes)?;
    gauge(encoder, "sessions", "Sessions that have said hello", None, metrics.sessions.value())?;
    gauge(encoder, "bridges", "Connections that open sessions for others", None, metrics.bridges.value())?;
    gauge(encoder, "visitors", "Sessions that these have open for others", None, metrics.visitors.value())?;
    let opened = metrics.connections_opened.value();
    counter(encoder, "connections_opened", "Connections that were let in", None, opened)?;
    let subscriptions = scope.local.rules.subscriptions.held() as u64;
    gauge(encoder, "subscriptions", "Subscriptions of all sessions", None, subscriptions)?;
    let help = "Connections that were closed, by the code that PROTOCOL.md gives the reason";
    let mut closes = encoder.encode_descriptor("closes", help, None, MetricType::Counter)?;
    for (code, count) in metrics.closes() {
        let labels = [("code", code.number().to_string()), ("reason", code.name().to_owned())];
        ConstCounter::new(count).encode(closes.encode_family(&labels)?)?;
    }
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
    let mut channels = encoder.encode_descriptor("channels", help, None, MetricType::Gauge)?;
    for (state, count) in [("awake", awake), ("asleep", asleep)] {
        ConstGauge::new(count).encode(channels.encode_family(&[("state", state)])?)?;
    }
    let history = scope.directory.budgets().history.held() as u64;
    gauge(encoder, "history", "Memory of what all channels remember", Some(&Unit::Bytes), history)?;
    let ids = scope.directory.budgets().publish_ids.held() as u64;
    gauge(encoder, "publish_ids", "Memory of the publish ids that all channels remember", Some(&Unit::Bytes), ids)?;
    let help = "Publish ids that a channel forgot early because all channels together have no more memory for them";
    counter(encoder, "publish_ids_forgotten", help, None, metrics.publish_ids_forgotten.value())?;
    counter(encoder, "publishes", "Messages that channels took", None, metrics.publishes.value())?;
    let taken = metrics.publish_bytes.value();
    counter(encoder, "published", "Their bytes, as they are sent to subscribers", Some(&Unit::Bytes), taken)?;
    let deliveries = metrics.deliveries.value();
    counter(encoder, "deliveries", "Messages put into outboxes, one for each subscriber", None, deliveries)?;
    let help = "Messages that their own publisher did not get, as it wished";
    counter(encoder, "skipped", help, None, metrics.skipped.value())?;
    let help = "Parts of a history that were given to subscribers who had missed them";
    counter(encoder, "replays", help, None, metrics.replays.value())?;
    counter(encoder, "replayed", "The messages of these", None, metrics.replayed.value())?;
    let help = "Times that a session was read no further because a channel had too much to do";
    counter(encoder, "held", help, None, metrics.held.value())
}

fn latency(encoder: &mut DescriptorEncoder<'_>, scope: &Scope) -> fmt::Result {
    let (sum, count, buckets) = scope.metrics.latency.read();
    let help = "From a publish being read to its being written to a subscriber; one batch in some is measured";
    let unit = Some(&Unit::Seconds);
    let mut encoder = encoder.encode_descriptor("delivery", help, unit, MetricType::Histogram)?;
    encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(bytes) = self.resident_bytes {
            gauge(&mut encoder, "resident_memory", "Memory in use", Some(&Unit::Bytes), bytes)?;
        }
        match self.descriptors {
            Some(count) => gauge(&mut encoder, "open_fds", "Open descriptors", None, count),
            None => Ok(()),
        }
    }
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Counter)?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
}
