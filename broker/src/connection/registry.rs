//! The connections that are open, so that the broker can tell them things. Nothing on the message path comes here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use callboard_protocol::ConnectionId;
use kameo::actor::ActorRef;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::actor::Actor;

/// Every open connection by its number.
#[derive(Debug)]
pub(crate) struct Registry {
    open: Mutex<HashMap<ConnectionId, ActorRef<Actor>>>,
    count: watch::Sender<usize>,
    last_id: AtomicU64,
}

impl Registry {
    /// No connection.
    pub(crate) fn new() -> Self {
        Self { open: Mutex::default(), count: watch::Sender::new(0), last_id: AtomicU64::new(0) }
    }

    /// The next connection's number.
    pub(crate) fn next_id(&self) -> ConnectionId {
        ConnectionId::saturating(self.last_id.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Notes that a connection is open.
    pub(crate) fn insert(&self, id: ConnectionId, actor: ActorRef<Actor>) {
        let mut open = self.open.lock();
        open.insert(id, actor);
        self.count.send_replace(open.len());
    }

    /// Notes that a connection is over.
    pub(crate) fn remove(&self, id: ConnectionId) {
        let mut open = self.open.lock();
        open.remove(&id);
        self.count.send_replace(open.len());
    }

    /// The open connections.
    pub(crate) fn all(&self) -> Vec<ActorRef<Actor>> {
        self.open.lock().values().cloned().collect()
    }

    /// How many connections are open, and every change of that.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }
}
