//! The metrics as Prometheus reads them, in the OpenMetrics text format. No name of a channel, a key or a peer is in it.

use std::fmt;
use std::sync::Arc;

use callboard_protocol::close::Code;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::process::Process;

/// How the text below is announced.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is observed: a broker, or a bridge at an edge.
pub(crate) trait Subject: fmt::Debug + Send + Sync + 'static {
    /// Whether newcomers are let in.
    fn is_accepting(&self) -> bool;

    /// Upper bound on memory under this configuration.
    fn memory_bound_bytes(&self) -> u64;

    /// Actors that panicked.
    fn panics(&self) -> u64;

    /// Writes everything else.
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result;
}

/// All metrics as text.
pub(super) fn render(subject: &Arc<dyn Subject>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("callboard");
    registry.register_collector(Box::new(Callboard(Arc::clone(subject))));
    let mut text = String::new();
    text::encode_registry(&mut text, &registry)?;
    let mut process = Registry::with_prefix("process");
    process.register_collector(Box::new(Process::read()));
    text::encode_registry(&mut text, &process)?;
    text::encode_eof(&mut text)?;
    Ok(text)
}

#[derive(Debug)]
struct Callboard(Arc<dyn Subject>);

impl Collector for Callboard {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        about(&mut encoder, &*self.0)?;
        self.0.encode(&mut encoder)
    }
}

fn about(encoder: &mut DescriptorEncoder<'_>, subject: &dyn Subject) -> fmt::Result {
    let mut build = encoder.encode_descriptor("build", "The version of the running program", None, MetricType::Info)?;
    build.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
    let accepting = u64::from(subject.is_accepting());
    gauge(encoder, "accepting", "Whether new connections are accepted: 0 during a drain", None, accepting)?;
    let bound = subject.memory_bound_bytes();
    gauge(encoder, "memory_bound", "Upper bound on memory under this configuration", Some(&Unit::Bytes), bound)?;
    counter(encoder, "panics", "Actors that panicked; each one is a bug", None, subject.panics())
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

/// A number that only grows.
pub(super) fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Counter)?)
}

/// A number that goes up and down.
pub(super) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
}

/// How many connections were closed with each code.
pub(super) fn closes(
    encoder: &mut DescriptorEncoder<'_>,
    closes: impl IntoIterator<Item = (Code, u64)>,
) -> fmt::Result {
    let help = "Connections that were closed, by close code (PROTOCOL.md)";
    let mut family = encoder.encode_descriptor("closes", help, None, MetricType::Counter)?;
    for (code, count) in closes {
        let labels = [("code", code.number().to_string()), ("reason", code.name().to_owned())];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// How many requests over HTTP were refused with each status.
pub(super) fn http_refused(
    encoder: &mut DescriptorEncoder<'_>,
    refusals: impl IntoIterator<Item = (u16, u64)>,
) -> fmt::Result {
    let help = "Requests over HTTP, upgrades to WebSocket among them, that were refused, by status";
    let mut family = encoder.encode_descriptor("http_refused", help, None, MetricType::Counter)?;
    for (status, count) in refusals {
        ConstCounter::new(count).encode(family.encode_family(&[("status", status.to_string())])?)?;
    }
    Ok(())
}

/// A gauge for each value of one label.
pub(super) fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    (name, label): (&str, &str),
    help: &str,
    values: &[(&str, u64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (value, count) in values {
        ConstGauge::new(*count).encode(family.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}

/// A counter for each value of one label.
pub(super) fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    (name, label): (&str, &str),
    help: &str,
    values: &[(&str, u64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in values {
        ConstCounter::new(*count).encode(family.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}
