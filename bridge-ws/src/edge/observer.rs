//! What can be seen of an edge from outside: its counts, and what is cheaper to ask for than to count. It changes nothing.

use std::sync::{Arc, Weak};

use callboard_protocol::close::Code;

use super::metrics::{Metrics, RefusalReason};
use super::remote::Remote;
use super::state::Phase;

/// A view of an edge, while it runs and while it drains. It keeps nothing of it going.
#[derive(Debug, Clone)]
pub struct Observer {
    metrics: Arc<Metrics>,
    remote: Weak<Remote>,
}

/// What an edge is doing, and what it has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Browsers that are in.
    pub browsers: Browsers,
    /// Connections with the broker that are up.
    pub connections_up: u64,
    /// Connections with the broker that are being dialed.
    pub connections_down: u64,
    /// Times that the last of them was lost.
    pub outages: u64,
    /// Sessions opened with the broker for browsers.
    pub sessions_opened: u64,
    /// Sessions that were not, for browsers and for publishes over HTTP.
    pub refused: Refused,
    /// Browsers' connections that were closed, by code.
    pub closes: Vec<(Code, u64)>,
    /// Requests over HTTP that were refused, by status.
    pub http_refused: Vec<(u16, u64)>,
    /// Messages that requests over HTTP asked to publish.
    pub http_publishes: u64,
    /// Messages that requests over HTTP published.
    pub http_published: u64,
    /// Memory of what browsers began and did not end, or said and the broker has not taken, beyond what each has free.
    pub inbox_bytes: u64,
    /// Memory of what the broker sent and browsers have not taken, beyond what each has free.
    pub outbox_bytes: u64,
    /// Bytes read from browsers.
    pub bytes_read: u64,
    /// Bytes written to browsers.
    pub bytes_written: u64,
}

/// Browsers by where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Browsers {
    /// Said no hello yet, or none since the broker is back.
    pub new: u64,
    /// Said hello, and the broker has not answered.
    pub opening: u64,
    /// In a session with the broker.
    pub open: u64,
    /// Wait for a broker that is away.
    pub suspended: u64,
    /// Wait for their turn and a place at the broker.
    pub waiting: u64,
    /// Are on their way out.
    pub leaving: u64,
}

/// Who got no session, by what there was none of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// Room for one more browser here.
    pub connections: u64,
    /// Room for one more browser from its address.
    pub address: u64,
    /// A broker; browsers wait, and publishes over HTTP are refused.
    pub broker: u64,
    /// A place at the broker; browsers wait, and publishes over HTTP are refused.
    pub place: u64,
}

impl Observer {
    pub(super) fn of(remote: &Arc<Remote>) -> Self {
        Self { metrics: Arc::clone(remote.metrics()), remote: Arc::downgrade(remote) }
    }

    /// Whether newcomers are let in, and not only to wait for somebody who mends what the broker refuses here. A broker
    /// that is merely away changes nothing: it is away for every other bridge, too.
    #[must_use]
    pub fn is_accepting(&self) -> bool {
        self.metrics.is_accepting() && !self.remote.upgrade().is_some_and(|remote| remote.is_refused())
    }

    /// Actors that panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.metrics.panics.value()
    }

    /// What there is to be seen now. It takes each browser's lock for a moment, one after the other.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (metrics, remote) = (&self.metrics, self.remote.upgrade());
        let (connections_up, connections_down) = remote.as_ref().map_or((0, 0), |remote| remote.connections());
        Stats {
            browsers: remote.as_ref().map_or_else(Browsers::default, |remote| Browsers::of(remote, connections_up > 0)),
            connections_up,
            connections_down,
            outages: metrics.outages.value(),
            sessions_opened: metrics.opened.value(),
            refused: Refused::of(metrics),
            closes: metrics.closes.read().collect(),
            http_refused: metrics.http_refused.read().collect(),
            http_publishes: metrics.http_publishes.value(),
            http_published: metrics.http_published.value(),
            inbox_bytes: remote.as_ref().map_or(0, |remote| remote.inbox_bytes()),
            outbox_bytes: remote.as_ref().map_or(0, |remote| remote.outbox_bytes()),
            bytes_read: metrics.bytes_read.value(),
            bytes_written: metrics.bytes_written.value(),
        }
    }
}

impl Browsers {
    fn of(remote: &Remote, is_up: bool) -> Self {
        let mut browsers = Self::default();
        for browser in remote.browsers() {
            let browser = browser.lock();
            let place = match browser.state().phase() {
                Phase::New { .. } => &mut browsers.new,
                Phase::Opening => &mut browsers.opening,
                Phase::Open => &mut browsers.open,
                Phase::Suspended { .. } if is_up => &mut browsers.waiting,
                Phase::Suspended { .. } => &mut browsers.suspended,
                Phase::Over => &mut browsers.leaving,
            };
            *place += 1;
        }
        browsers
    }
}

impl Refused {
    fn of(metrics: &Metrics) -> Self {
        let of = |reason| metrics.refused(reason).value();
        Self {
            connections: of(RefusalReason::Connections),
            address: of(RefusalReason::Address),
            broker: of(RefusalReason::Broker),
            place: of(RefusalReason::Place),
        }
    }
}
