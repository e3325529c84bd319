//! What an edge counts of itself. Who counts comes here once a read, a write or a session, never once a message of a browser.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::counter::{Closes, Counter, HttpRefusals};

/// What there was none of for a browser, or a publish over HTTP, that got no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalReason {
    /// [`Limits::connections`](super::Limits::connections): it was told so before its socket opened.
    Connections,
    /// [`Limits::connections_per_address`](super::Limits::connections_per_address): the same.
    Address,
    /// The broker: a browser waits, and a publish is refused.
    Broker,
    /// A place at the broker: the same.
    Place,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Sessions opened with the broker for browsers.
    pub(super) opened: Counter,
    refused: [Counter; 4],
    /// Times that the last connection with the broker was lost.
    pub(super) outages: Counter,
    /// Messages that requests over HTTP asked to publish.
    pub(super) http_publishes: Counter,
    /// Messages that requests over HTTP published.
    pub(super) http_published: Counter,
    /// Bytes read from browsers.
    pub(super) bytes_read: Counter,
    /// Bytes written to browsers.
    pub(super) bytes_written: Counter,
    /// Actors that panicked.
    pub(super) panics: Counter,
    /// Browsers' connections that were closed.
    pub(super) closes: Closes,
    /// Requests over HTTP that were refused.
    pub(super) http_refused: HttpRefusals,
    accepting: AtomicBool,
}

impl Metrics {
    /// How many got no session for this reason.
    pub(super) fn refused(&self, reason: RefusalReason) -> &Counter {
        let [connections, address, broker, place] = &self.refused;
        match reason {
            RefusalReason::Connections => connections,
            RefusalReason::Address => address,
            RefusalReason::Broker => broker,
            RefusalReason::Place => place,
        }
    }

    /// Notes whether newcomers are let in.
    pub(super) fn set_accepting(&self, accepting: bool) {
        self.accepting.store(accepting, Ordering::Relaxed);
    }

    /// Whether newcomers are let in.
    pub(super) fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Relaxed)
    }
}
