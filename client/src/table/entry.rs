//! One channel of the table: how far its subscription is on the wire, where it stands, and who reads it here.

use std::sync::Arc;
use std::task::Waker;

use callboard_protocol::frame::{self, Start, Subscribed};
use callboard_protocol::{ChannelId, ChannelName, Offset, Position};
use tokio::sync::oneshot;

use super::end;
use crate::error::{Failure, SubscribeError};
use crate::event::{Ended, GapWhy, Message};
use crate::options::Overflow;
use crate::recovery::{Missing, Track, Violation};
use crate::subscription::{Beginning, Reader, Subscribing};

const LIVE_HAS_TRACK: &str = "a channel becomes live with a place, and loses it only when it is left";

/// A channel that somebody reads here, or that is not yet left on the wire.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: ChannelName,
    pub(super) phase: Phase,
    pub(super) members: Vec<Member>,
    /// Where the first reader wants to begin.
    start: Start,
    exclude_own: bool,
    /// Where the subscription stands; `None` until the broker answered for the first time.
    track: Option<Track>,
    /// The first offset for readers who come late: while a rewind is on its way, they do not get its rest.
    live: u64,
}

/// How far a channel is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is to be asked for.
    Wanted,
    /// It was asked for. A stale question is one whose last reader has left.
    Asking { start: Start, stale: bool },
    /// Its messages come under this number.
    Live { channel: ChannelId },
    /// It is to be unsubscribed: its last reader is gone.
    Unwanted { channel: ChannelId },
    /// The broker was told to unsubscribe it. Who comes now waits for the answer, and asks anew.
    Unsubscribing { channel: ChannelId },
    /// The broker refused it for a passing reason.
    Refused,
}

/// A reader of a channel.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) reader: Arc<Reader>,
    /// Who waits for the broker's answer; `None` once it came.
    pub(super) waiting: Option<oneshot::Sender<Result<Beginning, SubscribeError>>>,
    start: Start,
    /// The first offset that it gets in this epoch.
    from: u64,
}

impl Member {
    fn new(subscribing: Subscribing) -> Self {
        Self { reader: subscribing.reader, waiting: Some(subscribing.reply), start: subscribing.start, from: 0 }
    }

    fn begin(&mut self, position: Position, recovered: bool) {
        self.reader.inbox.lock().begin(position);
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(Ok(Beginning { position, recovered }));
        }
    }

    /// Tells what it missed of a stretch that the subscription did not get: nothing of what lies before its own place.
    fn missed(&mut self, missing: Missing, wakers: &mut Vec<Waker>) {
        let Missing { mut from, to, why } = missing;
        let place = self.from.saturating_sub(1);
        if let Some(from) = from.as_mut().filter(|from| from.offset.value() < place) {
            if from.epoch == to.epoch && to.offset.value() <= place {
                return;
            }
            from.offset = Offset::saturating(place);
        }
        self.from = 0;
        let mut inbox = self.reader.inbox.lock();
        inbox.gap(from, to, why);
        wakers.extend(inbox.take_reader());
    }
}

impl Entry {
    pub(super) fn new(subscribing: Subscribing) -> Self {
        Self {
            name: subscribing.channel.clone(),
            phase: Phase::Wanted,
            start: subscribing.start,
            exclude_own: subscribing.exclude_own,
            members: vec![Member::new(subscribing)],
            track: None,
            live: 0,
        }
    }

    pub(super) fn add_reader(&mut self, subscribing: Subscribing) {
        if self.members.is_empty() {
            // It is being unsubscribed, and begins anew for this reader.
            self.start = subscribing.start;
            self.exclude_own = subscribing.exclude_own;
        } else if subscribing.start != Start::Live || subscribing.exclude_own != self.exclude_own {
            let _ = subscribing.reply.send(Err(SubscribeError::AlreadySubscribed { channel: subscribing.channel }));
            return;
        }
        let mut member = Member::new(subscribing);
        if let (Phase::Live { .. }, Some(track)) = (self.phase, &self.track) {
            let Position { epoch, offset } = track.position();
            member.from = self.live;
            let at = Position { epoch, offset: offset.max(Offset::saturating(self.live.saturating_sub(1))) };
            member.begin(at, true);
        }
        self.members.push(member);
    }

    /// Removes a reader. Says whether it was here and the last one.
    pub(super) fn remove_reader(&mut self, reader: &Arc<Reader>) -> bool {
        let Some(index) = self.members.iter().position(|member| Arc::ptr_eq(&member.reader, reader)) else {
            return false;
        };
        self.members.swap_remove(index);
        if !self.members.is_empty() {
            return false;
        }
        self.track = None;
        self.live = 0;
        self.phase = match self.phase {
            Phase::Live { channel } => Phase::Unwanted { channel },
            Phase::Asking { start, .. } => Phase::Asking { start, stale: true },
            Phase::Wanted | Phase::Unwanted { .. } | Phase::Unsubscribing { .. } | Phase::Refused => self.phase,
        };
        true
    }

    /// Where the next `Subscribe` begins.
    pub(super) fn next_start(&self) -> Start {
        self.track.as_ref().map_or(self.start, |track| Start::Recover(track.position()))
    }

    pub(super) fn options(&self) -> frame::SubscribeOptions {
        if self.exclude_own { frame::SubscribeOptions::EXCLUDE_OWN } else { frame::SubscribeOptions::NONE }
    }

    /// The broker answered a `Subscribe` that asked for `start`.
    pub(super) fn begin(
        &mut self,
        start: Start,
        answer: &Subscribed,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), Violation> {
        let (track, missing) = Track::begin(start, answer)?;
        self.phase = Phase::Live { channel: answer.channel };
        self.track = Some(track);
        self.live = answer.position.offset.value() + 1;
        for member in &mut self.members {
            let is_new = member.waiting.is_some();
            if is_new && member.start == Start::Live {
                member.from = self.live;
                member.begin(answer.position, true);
                continue;
            }
            if is_new {
                member.begin(track.position(), answer.recovered);
            }
            if let Some(missing) = missing {
                member.missed(missing, wakers);
            }
        }
        Ok(())
    }

    /// The broker refused a `Subscribe`. Readers that were subscribed before stay if the reason may pass.
    pub(super) fn refuse(&mut self, failure: &Failure, wakers: &mut Vec<Waker>) {
        let stays = |member: &Member| member.waiting.is_none() && failure.is_transient();
        let (staying, going): (Vec<_>, Vec<_>) = std::mem::take(&mut self.members).into_iter().partition(stays);
        self.members = staying;
        for member in going {
            end(member, || SubscribeError::Refused(failure.clone()), || Ended::Refused(failure.clone()), wakers);
        }
    }

    pub(super) fn check(&self, offset: Offset) -> Result<(), Violation> {
        self.track.as_ref().expect(LIVE_HAS_TRACK).check(offset)
    }

    pub(super) fn advance(&mut self, offset: Offset) -> Result<Position, Violation> {
        self.track.as_mut().expect(LIVE_HAS_TRACK).handle_offset(offset)
    }

    pub(super) fn skip(&mut self, through: Offset) -> Result<(), Violation> {
        self.track.as_mut().expect(LIVE_HAS_TRACK).handle_skipped(through)
    }

    pub(super) fn reset(&mut self, position: Position, wakers: &mut Vec<Waker>) -> Result<(), Violation> {
        let missing = self.track.as_mut().expect(LIVE_HAS_TRACK).handle_reset(position)?;
        if missing.why == GapWhy::NewEpoch {
            self.live = 0;
        }
        for member in &mut self.members {
            member.missed(missing, wakers);
        }
        Ok(())
    }

    /// Whether a reader that must miss nothing has no room for this message. It will tell when it has.
    pub(super) fn is_blocked_by(&self, frame: &frame::Message<'_>) -> bool {
        self.members.iter().any(|member| match member.reader.overflow {
            Overflow::Gap => false,
            Overflow::Block => {
                let bytes =
                    frame.payload.bytes().len() + frame.publisher.map_or(0, str::len) + frame.key.map_or(0, str::len);
                let mut inbox = member.reader.inbox.lock();
                let blocked = frame.offset.value() >= member.from && !inbox.has_room(bytes);
                if blocked {
                    inbox.block();
                }
                blocked
            }
        })
    }

    /// Gives a message to every reader. The last one gets the message itself, the others share it.
    pub(super) fn push(&self, message: Message, wakers: &mut Vec<Waker>) {
        let offset = message.position.offset.value();
        let mut readers = self.members.iter().filter(|member| offset >= member.from).peekable();
        let mut message = Some(message);
        while let Some(member) = readers.next() {
            let copy = if readers.peek().is_some() { message.clone() } else { message.take() };
            let Some(copy) = copy else { return };
            let mut inbox = member.reader.inbox.lock();
            inbox.push(copy);
            wakers.extend(inbox.take_reader());
        }
    }
}
