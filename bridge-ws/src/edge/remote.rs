//! The bus, for bridges that are far from it: each browser's session is a stream to the broker, introduced as that browser's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use callboard_client::{BuildError, Builder, Reason};
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::error::Class;
use callboard_protocol::{Millis, Position, Refusal};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::browser::Browser;
use super::budget::{Share, Shares, WaitingBudget};
use super::introduction::introduction;
use super::limits::{INBOX_BYTES_FREE, Limits, OUTBOX_BYTES_FREE};
use super::metrics::{Metrics, RefusalReason};
use super::pool::Pool;
use super::publishing;
use super::registry::Registry;
use super::session::{Session, Ticket};
use super::state::{Patience, State};
use crate::address_limit::AddressLimit;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::progress::Progress;
use crate::upstream::{PublishItem, Publisher, Upstream, Visitor};

/// The upstream over QUIC, for a bridge at the edge.
#[derive(Debug)]
pub struct Remote {
    pool: Arc<Pool>,
    registry: Arc<Registry>,
    /// What browsers said and the broker has not taken.
    inbox: Arc<WaitingBudget>,
    /// What the broker said and browsers have not taken.
    outbox: Arc<WaitingBudget>,
    seats: Arc<Semaphore>,
    per_address: Arc<AddressLimit>,
    metrics: Arc<Metrics>,
    ping_interval: Millis,
    patience: Patience,
    /// Until a publish over HTTP must have been let in.
    publish_patience: Duration,
}

impl Remote {
    /// The bus that `builder` reaches, for a door of this configuration.
    pub(super) fn new(builder: Builder, limits: Limits, door: &Config) -> Result<Self, BuildError> {
        let interval = door.heartbeat.interval.as_millis().max(1);
        let metrics = Arc::<Metrics>::default();
        Ok(Self {
            pool: Pool::new(builder, limits.connections_with_broker(), Arc::clone(&metrics))?,
            registry: Arc::default(),
            inbox: WaitingBudget::new(limits.inbox_bytes, INBOX_BYTES_FREE),
            // Without any there would be nothing to wait for.
            outbox: WaitingBudget::new(limits.outbox_bytes.max(1), OUTBOX_BYTES_FREE),
            seats: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            per_address: AddressLimit::new(limits.connections_per_address),
            metrics,
            ping_interval: Millis::saturating(u64::try_from(interval).unwrap_or(u64::MAX)),
            patience: Patience {
                hello: door.heartbeat.ticks(door.hello_timeout),
                answer: door.heartbeat.ticks(door.heartbeat.grace),
            },
            // The other half is for the answers.
            publish_patience: door.limits.request_timeout / 2,
        })
    }

    /// Whether there is a broker now, or else why not. Waits for the first attempt.
    pub(super) async fn reached(&self) -> Result<(), Option<Reason>> {
        self.pool.reached().await
    }

    /// Sends every browser away, to come back spread over `spread`.
    pub(super) fn say_goodbye(&self, spread: Duration) {
        let browsers = self.registry.all();
        let endings = Ending::of_shutdown(browsers.len(), spread);
        for (browser, ending) in browsers.into_iter().zip(endings) {
            browser.lock().send_away(ending);
        }
    }

    /// What it counts.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The browsers that are in.
    pub(super) fn browsers(&self) -> Vec<Arc<Mutex<Browser>>> {
        self.registry.all()
    }

    /// How many connections with the broker are up, and how many are not.
    pub(super) fn connections(&self) -> (u64, u64) {
        self.pool.connections()
    }

    /// Whether the broker refuses this bridge.
    pub(super) fn is_refused(&self) -> bool {
        self.pool.is_refused()
    }

    /// How much is held of what browsers said.
    pub(super) fn inbox_bytes(&self) -> u64 {
        self.inbox.held() as u64
    }

    /// How much is held of what the broker said.
    pub(super) fn outbox_bytes(&self) -> u64 {
        self.outbox.held() as u64
    }

    /// Says goodbye to the broker, behind everything that browsers said.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Upstream for Remote {
    type Ticket = Ticket;
    type Session = Session;

    fn admit(&self, address: IpAddr) -> Result<Ticket, Refusal> {
        let full = |reason, of| {
            self.metrics.refused(reason).add(1);
            Refusal::new(Class::Unavailable, format!("{}: {of}", Code::Overloaded.sentence()))
        };
        let seat = Arc::clone(&self.seats).try_acquire_owned();
        let seat = seat.map_err(|_| full(RefusalReason::Connections, "too many browsers are connected"))?;
        let permit = self.per_address.take(address);
        let permit =
            permit.ok_or_else(|| full(RefusalReason::Address, "too many browsers are connected from this address"))?;
        Ok(Ticket::new(seat, permit))
    }

    fn open(&self, ticket: Ticket, visitor: Visitor, dialect: Dialect) -> Session {
        let Visitor { address, origin, credential, is_private } = visitor;
        tracing::debug!(%address, origin, "a browser came");
        let secret = credential.as_ref().map(|shown| shown.secret.expose());
        let introduction = introduction(address, origin.as_deref(), secret, is_private, self.ping_interval, 0);
        let shares = Shares { inward: Share::of(&self.inbox), outward: Share::of(&self.outbox) };
        let browser = Browser::new(State::new(self.patience), dialect, introduction, Arc::clone(&self.pool), shares);
        Session::new(browser, Arc::clone(&self.registry), Arc::clone(&self.metrics), ticket)
    }

    // `authenticate` lets everybody pass: only the broker knows keys, and to ask it first would cost each publish a round trip.
    // So bodies of strangers are read too, within `ws.publish_bytes` in all.
    async fn publish(
        &self,
        publisher: Publisher,
        messages: Vec<PublishItem>,
    ) -> Result<Vec<Result<Position, Refusal>>, Refusal> {
        let secret = Some(publisher.secret.expose());
        // The door has looked whether the secret could be shown.
        let progress = Progress::new(messages);
        let publishes = progress.publishes();
        let introduction = introduction(publisher.address, None, secret, true, self.ping_interval, publishes);
        self.metrics.http_publishes.add(u64::from(publishes));
        publishing::publish(&self.pool, &introduction, progress, self.publish_patience).await
    }

    fn note_refused(&self, status: u16) {
        self.metrics.http_refused.note(status);
    }
}
