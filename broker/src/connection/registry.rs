//! The connections that are open, so that the broker can tell them things and end them. Nothing on the message path comes here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callboard_protocol::ConnectionId;
use callboard_protocol::close::{Code, Ending};
use kameo::actor::ActorRef;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::actor::Actor;
use super::outbox::Outbox;
use super::session::Session;
use crate::identity::{KeyBinding, LiveKeys};
use crate::limit::{Stall, StallWatch};
use crate::metrics::Metrics;

/// Why a session ends whose key is gone, or has less rights than it had. With the code's own sentence it fits the close of a WebSocket.
const REVOKED: &str = "its key was revoked or lost a right; `callboard token new` makes another";

/// Why a session ends that holds what others need. With the code's own sentence it fits the close of a WebSocket.
const STALLED: &str = "it did not end what it began while others had no room";

/// Every open connection by its number.
#[derive(Debug)]
pub(crate) struct Registry {
    open: Mutex<BTreeMap<ConnectionId, Open>>,
    count: watch::Sender<usize>,
    last_id: AtomicU64,
    metrics: Arc<Metrics>,
}

/// An open connection.
#[derive(Debug)]
struct Open {
    /// Its actor, if the broker itself has it read no more and ends it; a door that does that has its own.
    actor: Option<ActorRef<Box<Actor>>>,
    outbox: Arc<Outbox>,
    binding: Arc<KeyBinding>,
    stall: Arc<Stall>,
}

impl Registry {
    /// No connection.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { open: Mutex::default(), count: watch::Sender::new(0), last_id: AtomicU64::new(0), metrics }
    }

    /// What the broker counts.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The next connection's number.
    pub(crate) fn next_id(&self) -> ConnectionId {
        ConnectionId::saturating(self.last_id.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Notes that a connection is open, before its session takes a frame.
    pub(crate) fn insert(&self, id: ConnectionId, actor: Option<ActorRef<Box<Actor>>>, session: &Session) {
        self.metrics.connections_opened.add(1);
        let (outbox, binding) = (Arc::clone(session.outbox()), Arc::clone(session.key_binding()));
        let stall = Arc::clone(session.stall());
        let mut open = self.open.lock();
        open.insert(id, Open { actor, outbox, binding, stall });
        self.count.send_replace(open.len());
    }

    /// Notes that a connection is over.
    pub(crate) fn remove(&self, id: ConnectionId) {
        let mut open = self.open.lock();
        open.remove(&id);
        self.count.send_replace(open.len());
    }

    /// The actors of the open connections that have one here, by age.
    pub(crate) fn actors(&self) -> Vec<ActorRef<Box<Actor>>> {
        self.open.lock().values().filter_map(|open| open.actor.clone()).collect()
    }

    /// The queues out of all open connections, by age.
    pub(crate) fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.open.lock().values().map(|open| Arc::clone(&open.outbox)).collect()
    }

    /// The outboxes of all connections with their numbers, by age.
    #[cfg(feature = "simulation")]
    pub(crate) fn queues(&self) -> Vec<(ConnectionId, Arc<Outbox>)> {
        self.open.lock().iter().map(|(id, open)| (*id, Arc::clone(&open.outbox))).collect()
    }

    /// Ends the sessions whose key was revoked, or lost a right that they have of it. How many they are.
    pub(crate) fn end_revoked(&self, live: &LiveKeys) -> usize {
        let end = |open: &Open| open.outbox.end(Ending::because(Code::BadCredential, REVOKED));
        self.open.lock().values().filter(|open| open.binding.end_if_revoked(live, || end(open))).count()
    }

    /// Ends the sessions that have not got on for too long. How many they are.
    pub(crate) fn end_stalled(&self, watch: &StallWatch) -> usize {
        let open = self.open.lock();
        let stalled = open.values().filter(|open| watch.is_over(&open.stall) && open.outbox.check().is_ok());
        stalled.map(|open| open.outbox.end(Ending::because(Code::Overloaded, STALLED))).count()
    }

    /// How many connections are open, and every change of that.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }
}
