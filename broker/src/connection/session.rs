//! The inlet of one session: typed frames in, never awaiting a channel; what a full channel does not take is held.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::frame::ClientFrame;
use callboard_protocol::{ChannelName, ConnectionId};
use tokio::sync::Notify;

use super::outbox::{Ending, Outbox};
use super::state::{Command, Rules, State};
use crate::channel::{Input, Sent, Slot};
use crate::config;
use crate::directory::Directory;

/// Slots that a session remembers, so that a publisher does not look its channel up for every batch.
const SLOTS_MAX: usize = 256;

/// One session's way into the broker. Dropping it takes the session out of every channel.
#[derive(Debug)]
pub(crate) struct Session {
    state: State,
    directory: Arc<Directory>,
    outbox: Arc<Outbox>,
    slots: HashMap<ChannelName, Arc<Slot>>,
    /// Filled by the frames of one read and emptied behind it.
    commands: Vec<Command>,
    held: VecDeque<(Arc<Slot>, Input)>,
    /// Where room for the first held input is told.
    room: Option<Arc<Notify>>,
}

impl Session {
    /// A session that has not said hello.
    pub(crate) fn open(
        connection: ConnectionId,
        rules: Arc<Rules>,
        directory: Arc<Directory>,
        bounds: config::Outbox,
    ) -> Self {
        let outbox = Arc::new(Outbox::new(bounds));
        Self {
            state: State::new(rules, connection, Arc::clone(&outbox)),
            directory,
            outbox,
            slots: HashMap::new(),
            commands: Vec::new(),
            held: VecDeque::new(),
            room: None,
        }
    }

    /// The queue out.
    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Whether the session has said hello and was let in.
    pub(crate) fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// Takes a frame that was decoded from `body`.
    ///
    /// # Errors
    ///
    /// How the session ends, if it does.
    pub(crate) fn handle(&mut self, frame: &ClientFrame<'_>, body: &Bytes) -> Result<(), Ending> {
        self.state.handle(frame, body, &mut self.commands)
    }

    /// Hands the channels what the frames since the last call told them to do. Whether all of it was taken: if not,
    /// no more frames should be read until [`Session::room`] is ready.
    pub(crate) fn hand_over(&mut self) -> bool {
        for Command { channel, input } in std::mem::take(&mut self.commands) {
            let slot = self.slot(channel, &input);
            self.held.push_back((slot, input));
        }
        self.hand_over_held()
    }

    /// Hands a channel one thing more, behind what is held.
    pub(crate) fn send(&mut self, channel: ChannelName, input: Input) -> bool {
        let slot = self.slot(channel, &input);
        self.held.push_back((slot, input));
        self.hand_over_held()
    }

    /// Whether nothing is held.
    pub(crate) fn is_clear(&self) -> bool {
        self.held.is_empty()
    }

    fn hand_over_held(&mut self) -> bool {
        self.room = None;
        while let Some((mut slot, input)) = self.held.pop_front() {
            match self.directory.send(&mut slot, input) {
                Sent::Taken | Sent::Retired(_) => {}
                Sent::Full { input, room } => {
                    self.held.push_front((slot, input));
                    self.room = Some(room);
                    return false;
                }
            }
        }
        true
    }

    /// Ready when everything held was taken; never while nothing is held. May be dropped and called again.
    pub(crate) async fn room(&mut self) {
        if self.room.is_none() {
            return std::future::pending().await;
        }
        while let Some(room) = self.room.clone() {
            let mut notified = pin!(room.notified());
            // Listens before it tries again, so that room made in between is not missed.
            notified.as_mut().enable();
            let taken = self.hand_over_held();
            if !taken && self.room.as_ref().is_some_and(|now| Arc::ptr_eq(&room, now)) {
                notified.await;
                self.hand_over_held();
            }
        }
    }

    fn slot(&mut self, channel: ChannelName, input: &Input) -> Arc<Slot> {
        if let Some(slot) = self.slots.get(&channel) {
            return Arc::clone(slot);
        }
        let slot = self.directory.slot(&channel);
        if matches!(input, Input::Publish(_)) {
            if self.slots.len() >= SLOTS_MAX {
                self.slots.clear();
            }
            self.slots.insert(channel, Arc::clone(&slot));
        }
        slot
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for Command { channel, input } in self.state.leave_all() {
            let mut slot = self.directory.slot(&channel);
            // A channel whose mailbox is full is about to deliver, and lets go of a member whose outbox has ended.
            let _ = self.directory.send(&mut slot, input);
        }
    }
}
