//! The channels that one session is subscribed to, within what it may have and what all sessions may have. It knows no channel.

use std::sync::Arc;

use callboard_protocol::error::Class;
use callboard_protocol::{ChannelName, Refusal};
use indexmap::IndexMap;

use super::gate::Gate;
use crate::limit::{Budget, Share};

/// One session's subscriptions.
#[derive(Debug)]
pub(super) struct Subscriptions {
    gates: IndexMap<ChannelName, Arc<Gate>>,
    max: usize,
    /// Their part of what all sessions may have together; a subscription counts one.
    share: Share,
}

impl Subscriptions {
    /// No subscription, of at most `max`, with a share of `all`.
    pub(super) fn new(max: usize, all: &Arc<Budget>) -> Self {
        Self { gates: IndexMap::new(), max, share: Share::of(all) }
    }

    /// Adds a subscription to `name`; its gate is open.
    ///
    /// # Errors
    ///
    /// Why there can be none.
    pub(super) fn insert(&mut self, name: &ChannelName) -> Result<Arc<Gate>, Refusal> {
        if self.gates.contains_key(name) {
            return Err(Refusal::new(
                Class::AlreadySubscribed,
                format!("this session is already subscribed to `{name}`; unsubscribe first to begin elsewhere"),
            ));
        }
        let max = self.max;
        if self.gates.len() >= max {
            return Err(Refusal::new(
                Class::TooManySubscriptions,
                format!("a session has at most {max} subscriptions; unsubscribe from one first"),
            ));
        }
        if !self.share.resize(self.gates.len() + 1) {
            return Err(Refusal::new(
                Class::Unavailable,
                "this broker has reached its limit of subscriptions; try again later",
            ));
        }
        let gate = Arc::new(Gate::default());
        self.gates.insert(name.clone(), Arc::clone(&gate));
        Ok(gate)
    }

    /// The gate of the subscription to `name`, if there is one.
    pub(super) fn get(&self, name: &ChannelName) -> Option<&Arc<Gate>> {
        self.gates.get(name)
    }

    /// Takes a subscription out, if it is there, and gives its gate.
    pub(super) fn remove(&mut self, name: &ChannelName) -> Option<Arc<Gate>> {
        let gate = self.gates.swap_remove(name)?;
        self.share.resize(self.gates.len());
        if self.gates.is_empty() {
            self.gates = IndexMap::new();
        }
        Some(gate)
    }

    /// Takes all out. They count until the session is over.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (ChannelName, Arc<Gate>)> {
        self.gates.drain(..)
    }
}
