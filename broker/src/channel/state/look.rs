//! What a simulation may see of a sleeping channel; it changes nothing.

use super::State;
use crate::simulation::Asleep;

impl State {
    /// What the channel holds.
    pub(crate) fn look(&self) -> Asleep {
        let (history_bytes, history_share_bytes) = self.history.bytes();
        Asleep {
            position: self.position(),
            members: self.members.keys().copied().collect(),
            history_messages: self.history.messages(),
            history_bytes,
            history_share_bytes,
        }
    }
}
