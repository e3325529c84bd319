//! What those get who read a channel's history: where they begin, and parts of it until they are live. It forgets nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::Start;
use callboard_protocol::{ConnectionId, Offset};
use tokio::sync::OwnedSemaphorePermit;

use super::super::member::Member;
use super::super::messages::Pull;
use super::super::replay::Replay;
use super::State;
use crate::faults::Sabotage;
use crate::limit::Share;

impl State {
    /// The first offset that a subscription gets, and whether nothing is missing before it.
    pub(super) fn begin(&self, start: Start) -> (Offset, bool) {
        let live = self.head.next();
        match start {
            Start::Live => (live, true),
            Start::Rewind(wanted) => {
                let messages = self.history.messages().min(wanted as usize) as u64;
                (Offset::saturating(live.value() - messages), true)
            }
            Start::Recover(position) => {
                let next = position.offset.next();
                let oldest = self.history.first().unwrap_or(live);
                // PROTOCOL.md, "Recovery": every missed message, or `recovered: false`; never a part.
                let whole = position.epoch == self.epoch && position.offset <= self.head && next >= oldest;
                let hidden = self.orders.has(Sabotage::SilentGap) && position.epoch == self.epoch && next <= live;
                if whole || hidden { (next, true) } else { (live, false) }
            }
        }
    }

    /// The remembered messages from `next` on, for `member`.
    pub(super) fn replay(
        &self,
        connection: ConnectionId,
        member: &Member,
        next: Offset,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Replay {
        let mut pieces: VecDeque<_> =
            self.rest(member, next).map(|(piece, _, share)| (piece, Arc::clone(share))).collect();
        if self.orders.has(Sabotage::RepeatedReplay) {
            pieces.extend(pieces.clone());
        }
        pieces.shrink_to_fit();
        let (channel, gate) = (self.name.clone(), Arc::clone(&member.gate));
        Replay { channel, gate, connection, pieces, through: self.head, permit, share: None }
    }

    /// The pieces of history from `next` on that `member` gets, how many frames each has, and its memory's share.
    fn rest<'a>(
        &'a self,
        member: &'a Member,
        next: Offset,
    ) -> impl Iterator<Item = (Bytes, usize, &'a Arc<Share>)> + 'a {
        let cut = move |(chunk, share)| {
            member.cut(chunk, next, self.id).into_iter().map(move |(piece, frames)| (piece, frames, share))
        };
        self.history.since(next).flat_map(cut)
    }

    /// The pieces of history from `next` on in the member's format.
    fn rest_for(&self, member: &Member, next: Offset) -> Vec<(Bytes, usize)> {
        let format = member.outbox.format();
        self.rest(member, next).map(|(piece, frames, _)| (format.transcoded(piece), frames)).collect()
    }

    /// Gives a replaying member what came while it read, or makes it a live one if nothing did.
    pub(crate) fn pull(&mut self, pull: Pull) {
        let Pull { connection, after, gate, permit } = pull;
        let Some(member) = self.members.get_mut(&connection).filter(|member| Arc::ptr_eq(&member.gate, &gate)) else {
            return;
        };
        // Whoever was given more meanwhile asks again at the end of that.
        if member.replaying != Some(after) {
            return;
        }
        if after == self.head {
            member.replaying = None;
        } else {
            self.continue_replay(connection, after, permit);
        }
    }

    /// Gives every replaying member the rest without waiting to be asked: a session that is told to end asks no more.
    pub(crate) fn flush_replays(&mut self) {
        let behind = |(connection, member): (&ConnectionId, &Member)| {
            let after = member.replaying.filter(|after| *after < self.head)?;
            Some((*connection, after))
        };
        let behind: Vec<_> = self.members.iter().filter_map(behind).collect();
        for (connection, after) in behind {
            self.continue_replay(connection, after, None);
        }
    }

    fn continue_replay(&mut self, connection: ConnectionId, after: Offset, permit: Option<OwnedSemaphorePermit>) {
        let next = after.next();
        self.count_replay(next);
        let member = &self.members[&connection];
        if self.history.first().is_none_or(|oldest| oldest > next) {
            // The history was overtaken: more came between two pulls than it holds.
            member.outbox.abandon(Ending::plain(Code::TooSlow));
            return;
        }
        // A permit comes with a pull: its replay is at its end, so what is left may follow as deliveries if it is little.
        if permit.is_some() && member.outbox.offer(&member.gate, &self.rest_for(member, next)) {
            self.members[&connection].replaying = None;
            return;
        }
        // A session that is over is found by the next delivery.
        let _ = member.outbox.replay(self.replay(connection, member, next, permit));
        self.members[&connection].replaying = Some(self.head);
    }

    pub(super) fn count_replay(&self, next: Offset) {
        self.metrics.replays.add(1);
        self.metrics.replayed.add((self.head.value() + 1).saturating_sub(next.value()));
    }
}
