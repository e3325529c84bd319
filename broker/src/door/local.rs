//! The door behind every door: opens sessions in this process. It owns no socket.

use std::sync::Arc;

use callboard_protocol::ConnectionId;

use crate::config;
use crate::connection::{Registry, Rules, Session};
use crate::directory::Directory;

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
}

impl Local {
    /// Opens a session for a peer that has not said hello.
    pub(crate) fn open(&self) -> (ConnectionId, Session) {
        let id = self.registry.next_id();
        (id, Session::open(id, Arc::clone(&self.rules), Arc::clone(&self.directory), self.outbox))
    }
}
