//! A channel's members, position and history: a plain struct that is told things and fills outboxes; never waits.

use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::{Answer, Message, Reset, ServerFrame, SubscribeOptions, Subscribed};
use callboard_protocol::{ChannelId, ChannelName, ConnectionId, Epoch, Millis, Offset, Position, RequestId, Sequence};
use indexmap::IndexMap;
use tokio::time::Instant;

use super::answers::Answers;
use super::chunk::{Chunk, Open};
use super::edition::Editions;
use super::history::History;
use super::member::Member;
use super::messages::{Join, Leave, Publication, Requester};
use super::window::Window;
use crate::config;
use crate::connection::Ended;
use crate::directory::Budgets;
use crate::faults::{Orders, Sabotage};
use crate::metrics::Metrics;

#[cfg(feature = "simulation")]
mod look;
mod reading;

/// What lives as long as the channel, awake or asleep.
#[derive(Debug)]
pub(crate) struct State {
    id: ChannelId,
    name: ChannelName,
    epoch: Epoch,
    head: Offset,
    members: IndexMap<ConnectionId, Member>,
    history: History,
    window: Window,
    /// When a member was lost last, who may be on the way back; zero is never.
    lost: Millis,
    metrics: Arc<Metrics>,
    orders: Orders,
}

impl State {
    /// A channel that was just born.
    pub(crate) fn new(
        id: ChannelId,
        name: ChannelName,
        epoch: Epoch,
        budgets: &Budgets,
        metrics: &Arc<Metrics>,
    ) -> Self {
        Self {
            id,
            name,
            epoch,
            head: Offset::ZERO,
            members: IndexMap::new(),
            history: History::new(&budgets.history),
            window: Window::new(&budgets.publish_ids),
            lost: Millis::ZERO,
            metrics: Arc::clone(metrics),
            orders: Orders::default(),
        }
    }

    /// This state under orders to do something wrong.
    pub(crate) fn under(self, orders: Orders) -> Self {
        Self { orders, ..self }
    }

    /// Where the channel stands.
    pub(crate) fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.head }
    }

    /// Whether the channel may be forgotten: nothing is left of it, and whoever was lost had `grace` to come back to it.
    pub(crate) fn is_over(&self, now: Millis, grace: Duration) -> bool {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let is_awaiting = now.value().saturating_sub(self.lost.value()) < grace_ms;
        self.members.is_empty() && self.history.is_empty() && self.window.is_empty() && !is_awaiting
    }

    /// Forgets what is too old.
    pub(crate) fn expire(&mut self, now: Millis, bounds: &config::History) {
        self.history.expire(now, bounds);
        self.window.expire(now);
    }

    /// Removes members whose sessions are over and who found no room to say so.
    pub(crate) fn remove_ended_members(&mut self, now: Millis) {
        let before = self.members.len();
        self.members.retain(|_, member| member.outbox.check().is_ok());
        if self.members.len() < before {
            self.lost = now;
        }
    }

    /// Whether somebody is a member.
    pub(crate) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    /// Whether there are so many members at most, and each has read enough that it would not lag far behind after
    /// this many messages and bytes more.
    pub(crate) fn is_light(&self, members: usize, messages: usize, bytes: usize) -> bool {
        self.members.len() <= members
            && self.members.values().all(|member| member.outbox.keeps_up_with(messages, bytes))
    }

    /// The channel's name.
    pub(crate) fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Takes a message: it gets the next offset and is encoded to the end of `open`, unless it was stored before.
    pub(crate) fn publish(
        &mut self,
        from: &Arc<Requester>,
        publication: &Publication,
        now: Millis,
        open: &mut Open,
        answers: &mut Answers,
    ) {
        let offset = self.store(from, publication, now, open);
        if publication.request != RequestId::ZERO {
            answers.push(from, publication.request, offset);
            if self.orders.has(Sabotage::DuplicateAnswer) {
                answers.push(from, publication.request, offset);
            }
        }
    }

    fn store(&mut self, from: &Requester, publication: &Publication, now: Millis, open: &mut Open) -> Offset {
        let Publication { sequence, key, payload, .. } = publication;
        if *sequence != Sequence::ZERO
            && let Some(stored) = self.window.find(from.instance, *sequence)
            && !self.orders.has(Sabotage::StoredAgain)
        {
            return stored;
        }
        let offset = self.head.next();
        if self.orders.has(Sabotage::AckedNotStored) && payload.bytes().as_ref() == b"struck" {
            return offset;
        }
        let message = Message {
            channel: self.id,
            offset,
            published: now,
            publisher: from.key.as_deref(),
            key: key.as_deref(),
            payload: payload.borrowed(),
        };
        open.append(&message, from.instance).expect("the session admits no payload, key or name that fits no body");
        self.head = offset;
        if *sequence != Sequence::ZERO {
            let forgotten = self.window.insert(from.instance, *sequence, offset, now);
            self.metrics.publish_ids_forgotten.add(forgotten);
        }
        offset
    }

    /// Hands a chunk to up to `count` members from the `from`th on. Gives the place of the next member, or `None`
    /// after the last.
    pub(crate) fn deliver(&mut self, editions: &mut Editions, from: usize, count: usize) -> Option<usize> {
        let (mut index, mut left, mut deliveries, mut skipped) = (from, count, 0, 0);
        let mut swapped = self.orders.has(Sabotage::SwappedPair).then(|| Editions::of(editions.chunk().swapped()));
        let editions = swapped.as_mut().unwrap_or(editions);
        let (chunk, fifth) = (editions.chunk(), Offset::saturating(5));
        let is_lost = self.orders.has(Sabotage::LostChunk) && (chunk.first()..=chunk.last()).contains(&fifth);
        while left > 0
            && let Some((_, member)) = self.members.get_index(index)
        {
            let handed = if is_lost && index == 0 { Ok((0, 0)) } else { member.deliver(self.id, editions) };
            match handed {
                Ok((given, own)) => {
                    deliveries += given as u64;
                    skipped += own as u64;
                    index += 1;
                }
                // The session is over: its place is taken by the last member, who is next.
                Err(Ended) => drop(self.members.swap_remove_index(index)),
            }
            left -= 1;
        }
        self.metrics.deliveries.add(deliveries);
        self.metrics.skipped.add(skipped);
        (left == 0).then_some(index)
    }

    /// Has one of the members sample the latency: the time from `read` until what it was handed last is written.
    pub(crate) fn sample_latency(&self, read: Instant) {
        let chosen = usize::try_from(self.head.value()).unwrap_or_default().checked_rem(self.members.len());
        if let Some((_, member)) = chosen.and_then(|chosen| self.members.get_index(chosen))
            && member.replaying.is_none()
        {
            member.outbox.mark_latency(read);
        }
    }

    /// Remembers a chunk that every member was handed.
    pub(crate) fn remember(&mut self, chunk: Chunk, now: Millis, bounds: &config::History) {
        self.metrics.publishes.add(chunk.messages() as u64);
        self.metrics.publish_bytes.add(chunk.frames().len() as u64);
        self.history.push(chunk, now, bounds);
    }

    /// Answers the publishers of a chunk that every member was handed.
    pub(crate) fn answer(&self, answers: &mut Answers) {
        answers.send(self.epoch);
    }

    /// Takes a member and answers its request; what it asked for of the history follows.
    pub(crate) fn join(&mut self, join: Join, now: Millis, bounds: &config::History) {
        self.history.expire(now, bounds);
        let Join { from, request, start, options, gate, permit } = join;
        let requester = Arc::clone(from.requester());
        from.settle();
        let (next, recovered) = self.begin(start);
        let answer = Answer::Subscribed(Subscribed { channel: self.id, position: self.position(), next, recovered });
        if requester.outbox.say(&ServerFrame::Ok { request, answer }).is_err() {
            return;
        }
        let without = options.contains(SubscribeOptions::EXCLUDE_OWN).then_some(requester.instance);
        let without = without.filter(|_| !self.orders.has(Sabotage::OwnDelivered));
        let mut member = Member { outbox: Arc::clone(&requester.outbox), gate, without, replaying: None };
        if next <= self.head {
            member.replaying = Some(self.head);
            self.count_replay(next);
            if member.outbox.replay(self.replay(requester.connection, &member, next, permit)).is_err() {
                return;
            }
        }
        self.members.insert(requester.connection, member);
    }

    /// Lets a member go and answers its request.
    pub(crate) fn leave(&mut self, leave: Leave, now: Millis) {
        let Leave { connection, gate, request, may_return } = leave;
        if let Some(member) = self.members.get_mut(&connection).filter(|member| Arc::ptr_eq(&member.gate, &gate)) {
            if self.orders.has(Sabotage::LateLeave) {
                member.gate = Arc::default();
            } else {
                self.members.swap_remove(&connection);
            }
            if may_return {
                self.lost = now;
            }
        }
        if self.members.is_empty() {
            self.members = IndexMap::new();
        }
        if let Some((request, from)) = request {
            // A session that is over needs no answer.
            let _ = from.requester().outbox.say(&ServerFrame::Ok { request, answer: Answer::Done });
            from.settle();
        }
    }

    /// Ends every member's session: the channel cannot go on.
    pub(crate) fn abandon(&mut self) {
        for (_, member) in self.members.drain(..) {
            member.outbox.end(Ending::plain(Code::Internal));
        }
    }

    /// A fault leaves this epoch in doubt: counts and logs it, and begins the epoch `epoch`.
    pub(crate) fn fail(&mut self, fault: impl std::fmt::Display, epoch: Epoch) {
        self.metrics.panics.add(1);
        tracing::error!(channel = %self.name, %fault, "a channel panicked; it goes on in another epoch");
        self.reset(epoch);
    }

    /// Begins another epoch after a fault left the old one in doubt: members stay and are told, the rest is forgotten.
    pub(crate) fn reset(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.head = Offset::ZERO;
        self.history.clear();
        self.window.clear();
        if self.orders.has(Sabotage::UntoldReset) {
            return;
        }
        let reset = ServerFrame::Reset(Reset { channel: self.id, position: self.position() });
        self.members.retain(|_, member| {
            if member.replaying.is_some() {
                // What it still has to pull is of the old epoch: only a new session can tell the two apart.
                member.outbox.end(Ending::plain(Code::Internal));
                return false;
            }
            member.outbox.deliver_frame(&member.gate, &reset).is_ok()
        });
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
#[expect(clippy::wildcard_enum_match_arm, reason = "any other frame fails the test")]
mod tests;
