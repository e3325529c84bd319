//! What the broker counts of itself. Those who count add up in plain integers and come here once a batch; nothing here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callboard_bridge_ws::{Closes, Counter, HttpRefusals};
use callboard_protocol::close::Code;

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Connections that were accepted.
    pub(crate) connections_opened: Counter,
    /// Sessions that are open: their hello was answered.
    pub(crate) sessions: Counter,
    /// Connections on which a bridge may open sessions for its visitors.
    pub(crate) bridges: Counter,
    /// Sessions that bridges opened for visitors.
    pub(crate) visitors: Counter,
    /// Channels whose actor runs.
    pub(crate) channels_awake: Counter,
    /// Messages that channels stored.
    pub(crate) publishes: Counter,
    /// Their bytes, encoded.
    pub(crate) publish_bytes: Counter,
    /// Messages that were put into outboxes, one for each.
    pub(crate) deliveries: Counter,
    /// Messages not delivered to their own publisher, at its wish.
    pub(crate) skipped: Counter,
    /// Parts of a history that were given to readers.
    pub(crate) replays: Counter,
    /// The messages of these.
    pub(crate) replayed: Counter,
    /// Bytes read from sessions.
    pub(crate) bytes_read: Counter,
    /// Bytes written to sessions.
    pub(crate) bytes_written: Counter,
    /// Times that a session was read no further because a channel's mailbox was full.
    pub(crate) held: Counter,
    /// Publish ids that were forgotten before their time, because memory was short.
    pub(crate) publish_ids_forgotten: Counter,
    /// Actors that panicked.
    pub(crate) panics: Counter,
    /// From a publish's arrival to its being written to a subscriber's socket.
    pub(crate) latency: Histogram,
    /// Requests over HTTP that were refused.
    pub(crate) http_refused: HttpRefusals,
    closes: Closes,
    accepting: AtomicBool,
}

impl Metrics {
    /// Notes that a connection was closed with this code.
    pub(crate) fn closed(&self, code: Code) {
        self.closes.note(code);
    }

    /// How many connections were closed with each code.
    pub(crate) fn closes(&self) -> impl Iterator<Item = (Code, u64)> {
        self.closes.read()
    }

    /// Notes whether newcomers are let in.
    pub(crate) fn set_accepting(&self, accepting: bool) {
        self.accepting.store(accepting, Ordering::Relaxed);
    }

    /// Whether newcomers are let in.
    pub(crate) fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Relaxed)
    }
}

/// Counts something for as long as it is there.
#[derive(Debug)]
pub(crate) struct Present {
    metrics: Arc<Metrics>,
    which: fn(&Metrics) -> &Counter,
}

impl Present {
    /// Counts one more of `which` until this is dropped.
    pub(crate) fn new(metrics: &Arc<Metrics>, which: fn(&Metrics) -> &Counter) -> Self {
        which(metrics).add(1);
        Self { metrics: Arc::clone(metrics), which }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        (self.which)(&self.metrics).sub(1);
    }
}

/// The upper bounds of the buckets, in microseconds: a loopback's tens to a stalled reader's seconds.
const BUCKETS_US: [u64; 14] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Durations by how long they were.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [Counter; BUCKETS_US.len()],
    beyond: Counter,
    sum_us: Counter,
}

impl Histogram {
    /// Takes a duration.
    pub(crate) fn observe(&self, duration: Duration) {
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let place = BUCKETS_US.partition_point(|bound| *bound < duration_us);
        self.buckets.get(place).unwrap_or(&self.beyond).add(1);
        self.sum_us.add(duration_us);
    }

    /// All durations together, in seconds; how many they are; and how many are in each bucket, by its upper bound.
    pub(crate) fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let seconds = |us: u64| Duration::from_micros(us).as_secs_f64();
        let bounds = BUCKETS_US.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        let counts = self.buckets.iter().chain([&self.beyond]).map(Counter::value);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        (seconds(self.sum_us.value()), count, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_present_is_counted_until_it_is_gone() {
        let metrics = Arc::new(Metrics::default());
        let one = Present::new(&metrics, |metrics| &metrics.sessions);
        let two = Present::new(&metrics, |metrics| &metrics.sessions);
        assert_eq!(metrics.sessions.value(), 2);
        drop((one, two));
        assert_eq!(metrics.sessions.value(), 0);
    }

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for us in [0, 50, 51, 5_000_000, 5_000_001] {
            histogram.observe(Duration::from_micros(us));
        }
        let (sum, count, buckets) = histogram.read();
        assert_eq!(count, 5);
        assert!((sum - 10.000_102).abs() < 1e-9, "{sum}");
        let filled: Vec<(f64, u64)> = buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.00005, 2), (0.0001, 1), (5.0, 1), (f64::INFINITY, 1)]);
    }
}
