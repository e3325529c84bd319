//! The door behind every door: opens sessions in this process. It owns no socket.

use std::net::IpAddr;
use std::sync::Arc;

use callboard_protocol::ConnectionId;

use crate::config;
use crate::connection::{Arrival, Outbox, Registry, Rules, Session, Shares};
use crate::directory::Directory;
use crate::format::Format;
use crate::limit::{Admission, Budget, Inbox, Refused, Share, StallWatch, Ticket};

/// What a door needs to let a peer in.
#[derive(Debug)]
pub(crate) struct Local {
    /// The channels.
    pub(crate) directory: Arc<Directory>,
    /// The connections.
    pub(crate) registry: Arc<Registry>,
    /// What holds for every session.
    pub(crate) rules: Arc<Rules>,
    /// The bounds of each session's queue out.
    pub(crate) outbox: config::Outbox,
    /// The bytes that all queues out may have together.
    pub(crate) outboxes: Arc<Budget>,
    /// What all sessions have read and channels have not taken.
    pub(crate) inbox: Arc<Inbox>,
    /// The bytes that all frames which have not come whole may have together.
    pub(crate) partials: Arc<Budget>,
    /// The bytes that all large windows may have together.
    pub(crate) windows: Arc<Budget>,
    /// Who is in.
    pub(crate) admission: Arc<Admission>,
}

impl Local {
    /// Opens a session for a peer that has not said hello.
    pub(crate) fn open(&self, ticket: Ticket, format: Format, arrival: Arrival) -> (ConnectionId, Session) {
        let id = self.registry.next_id();
        let outbox = Outbox::new(self.outbox, &self.outboxes, format);
        let (inbox, partial, stall) = (Arc::clone(&self.inbox), Share::of(&self.partials), Arc::default());
        let shares = Shares { inbox, partial, stall, ticket };
        (id, Session::open(id, Arc::clone(&self.rules), Arc::clone(&self.directory), outbox, arrival, shares))
    }

    /// Looks whether keys were revoked, and ends the sessions that rely on them.
    pub(crate) fn follow_keys(&self) {
        let sessions = self.rules.keys.news(|live| self.registry.end_revoked(live)).unwrap_or(0);
        if sessions > 0 {
            tracing::info!(sessions, "API keys were revoked or lost a right; the sessions that relied on them end");
        }
    }

    /// Ends the sessions that hold room which others were refused, and do not get on.
    pub(crate) fn end_stalled(&self, watch: &mut StallWatch) {
        if !watch.look(&self.partials, self.directory.now()) {
            return;
        }
        let sessions = self.registry.end_stalled(watch);
        if sessions > 0 {
            tracing::info!(
                sessions,
                "sessions end that did not end what they began, while others had no room for theirs"
            );
        }
    }

    /// Lets a peer in, if there is a place for it.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<Ticket, Refused> {
        self.admission.admit(address, self.directory.now())
    }
}
