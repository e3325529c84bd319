//! What one session has of the memory that all sessions share on their way in. It hands nothing over.

use std::sync::Arc;

use callboard_protocol::close::{Code, Ending};

use super::Session;
use crate::connection::messages::Command;
use crate::defaults::PARTIAL_BYTES_FREE;
use crate::limit::{Inbox, Load, Share, Stall, Ticket};

/// What a session has of what is counted over all of them.
#[derive(Debug)]
pub(crate) struct Shares {
    /// What was read and waits for channels.
    pub(crate) inbox: Arc<Inbox>,
    /// Of the bytes of all frames that have not come whole, and of all that waits for a reader who does not read.
    pub(crate) partial: Share,
    /// Since when that has been held without anything coming whole, for whoever ends those who hold it for too long.
    pub(crate) stall: Arc<Stall>,
    /// The session's place among those that are let in.
    pub(crate) ticket: Ticket,
}

impl Session {
    /// Counts what was read, with the memory of what it became: twice, as it is encoded for subscribers before it is gone.
    pub(super) fn load(&self, commands: &[Command]) -> Option<Arc<Load>> {
        if commands.is_empty() {
            return None;
        }
        let inputs: usize = commands.iter().map(|command| command.input.memory()).sum();
        Some(self.shares.inbox.take(2 * self.read_bytes + inputs))
    }

    /// Counts what waits for this session's own reading apart from what waits for channels, which never takes long: else
    /// those who do not read could keep everybody from being read. A session that is given no room for it is ended.
    pub(super) fn count_as_unread(&mut self) {
        let inputs: usize = self.held.iter().map(|(_, input)| input.memory()).sum();
        self.unread_bytes = 2 * self.read_bytes + inputs;
        self.held.iter_mut().for_each(|(_, input)| input.set_load(None));
        if let Err(ending) = self.resize_share() {
            self.outbox.end(ending);
        }
    }

    /// Makes the share fit what is counted for this session alone.
    pub(super) fn resize_share(&mut self) -> Result<(), Ending> {
        let (share, needed) = (&mut self.shares.partial, self.unread_bytes + self.partial_bytes);
        let before = share.bytes();
        if needed == before && before == 0 {
            return Ok(());
        }
        if needed == before || share.resize(needed) {
            let gets_on = std::mem::take(&mut self.gets_on);
            if needed == 0 {
                self.shares.stall.end();
            } else if before == 0 || gets_on {
                self.shares.stall.begin(self.directory.now());
            }
            return Ok(());
        }
        Err(Ending::because(Code::Overloaded, "the broker holds too many incomplete frames; try again later"))
    }

    /// Counts the bytes of a frame that has not come whole.
    ///
    /// # Errors
    ///
    /// How the session ends if there is no room for them.
    pub(crate) fn hold_partial(&mut self, bytes: usize) -> Result<(), Ending> {
        // A frame that grows piece by piece lies in a buffer with room for as much again.
        self.partial_bytes = 2 * bytes.saturating_sub(PARTIAL_BYTES_FREE);
        self.resize_share()
    }
}
