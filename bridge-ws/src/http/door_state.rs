//! What all connections of one door share, and what a request for an upgrade leaves behind. It speaks with nobody.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::error::Class;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::pages::Pages;
use super::publish_budget::PublishBudget;
use super::unparsed::{Unparsed, written};
use crate::address_limit::{AddressLimit, AddressPermit};
use crate::bridge::{Bridge, Patience};
use crate::config::Config;
use crate::denial::Denial;
use crate::dialect::Dialect;
use crate::hint::Hints;
use crate::present::Count;
use crate::socket::Socket;
use crate::upstream::{Upstream, Visitor};
use crate::wheel::Wheel;

/// What all connections of a door share.
pub(crate) struct DoorState<U: Upstream> {
    pub(crate) config: Config,
    pub(crate) upstream: Arc<U>,
    pub(crate) wheel: Arc<Wheel<Box<Bridge<U::Session>>>>,
    pub(crate) count: Count,
    /// Whether nobody is let in any more.
    pub(crate) is_shut: watch::Receiver<bool>,
    pub(super) pages: &'static Pages,
    pub(super) tls: Option<TlsAcceptor>,
    per_address: Arc<AddressLimit>,
    /// What the operator was told of refusals.
    hints: Mutex<Hints>,
    /// What publishes over HTTP take.
    pub(crate) publish_budget: PublishBudget,
}

/// Where a connection's request leaves what it leads to.
pub(super) type PendingUpgrade<U> = Arc<Mutex<Option<Upgrade<U>>>>;

/// What an upgrade leads to.
pub(crate) struct Upgrade<U: Upstream> {
    pub(super) ticket: U::Ticket,
    pub(super) visitor: Visitor,
    pub(super) dialect: Dialect,
}

impl<U: Upstream> fmt::Debug for DoorState<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorState").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<U: Upstream> DoorState<U> {
    /// A door that nobody has come through.
    pub(crate) fn new(config: Config, upstream: Arc<U>, is_shut: watch::Receiver<bool>) -> Self {
        let tls = config.tls.as_ref().map(|tls| {
            let mut tls = rustls::ServerConfig::clone(tls);
            // The one protocol that is spoken here; a certificate's configuration may name those of another door.
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(tls))
        });
        Self {
            upstream,
            wheel: Arc::new(Wheel::new()),
            count: Count::new(),
            is_shut,
            pages: Pages::of_this_build(),
            tls,
            hints: Mutex::default(),
            per_address: AddressLimit::new(config.limits.http_connections_per_address),
            publish_budget: PublishBudget::new(config.limits.publishes_bytes),
            config,
        }
    }

    /// A permit for a connection from `peer`; none if it has enough.
    pub(super) fn permit(&self, peer: IpAddr) -> Option<Option<AddressPermit>> {
        let is_trusted = self.config.rules.trusted_proxies.iter().any(|net| net.contains(&peer.to_canonical()));
        if is_trusted { Some(None) } else { self.per_address.take(peer).map(Some) }
    }

    /// Counts a refusal, and tells the operator what could be done about it.
    pub(super) fn note_refused(&self, denial: &Denial) {
        self.upstream.note_refused(denial.status.as_u16());
        if let Some(hint) = denial.hint() {
            self.hints.lock().tell(hint, Instant::now());
        }
    }

    /// The whole answer to what is no request.
    pub(super) fn answer_unparsed(&self, unparsed: Unparsed) -> Bytes {
        let denial = unparsed.denial(&self.config.limits);
        self.note_refused(&denial);
        written(denial)
    }

    /// Whether somebody may still come in.
    pub(super) fn check_open(&self) -> Result<(), Denial> {
        if *self.is_shut.borrow() {
            let sentence = "the server is shutting down; try again in a moment";
            return Err(Denial::new(Class::Unavailable, sentence).and_close());
        }
        Ok(())
    }

    fn patience(&self) -> Patience {
        let heartbeat = self.config.heartbeat;
        Patience {
            hello: Instant::now() + self.config.hello_timeout,
            drain: self.config.drain_deadline,
            ticks: heartbeat.ticks(heartbeat.grace),
        }
    }

    pub(super) fn open(&self, upgrade: Upgrade<U>, socket: Socket, rest: &[u8]) {
        let Upgrade { ticket, visitor, dialect } = upgrade;
        let session = self.upstream.open(ticket, visitor, dialect);
        let bridge = Bridge::new(session, dialect, socket, rest, self.patience(), self.count.enter());
        bridge.start(&self.wheel);
    }
}
