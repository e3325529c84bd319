//! The bounded queue of publishes between their callers and the socket. Pure: nothing here waits.

use std::collections::VecDeque;

use bytes::BytesMut;
use callboard_protocol::codec;
use callboard_protocol::limits::PAYLOAD_BYTES_CEILING;
use callboard_protocol::{RequestId, Sequence};

use super::draft::{Acked, Draft};
use super::waiters::{Kind, Now, Ticket, Waiters};
use crate::defaults::WRITE_BYTES;
use crate::error::PublishError;
use crate::options::Offline;
use crate::state::Reason;

/// A publish, or several, in the order of their calls.
#[derive(Debug)]
pub(crate) enum Run {
    /// Frames that nobody waits for, encoded at once: they are the same in every session.
    Forgotten { frames: BytesMut, messages: usize, bytes: usize },
    /// One that somebody waits for. Its request number is the session's and not yet known.
    Acked { sequence: Sequence, acked: Acked },
}

/// Why a publish does not enter the queue now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no room, or others were there first: wait for the turn.
    Full,
    /// It will not enter.
    Error(PublishError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Gate {
    Offline,
    Online,
    Closed(Reason),
}

/// The queue between callers and the socket, bounded in messages and bytes, with the line of those who wait for room.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) waiters: Waiters,
    runs: VecDeque<Run>,
    messages: usize,
    pub(super) bytes: usize,
    offline: Offline,
    gate: Gate,
    payload_bytes_max: usize,
    last: Sequence,
    /// The publishes that somebody waits for, in the queue and on their way.
    unanswered: usize,
    unanswered_max: usize,
}

impl Queue {
    pub(crate) fn new(offline: Offline, unanswered_max: usize) -> Self {
        Self {
            waiters: Waiters::default(),
            runs: VecDeque::new(),
            messages: 0,
            bytes: 0,
            offline,
            gate: Gate::Offline,
            payload_bytes_max: PAYLOAD_BYTES_CEILING,
            last: Sequence::ZERO,
            unanswered: 0,
            unanswered_max,
        }
    }

    /// A session is open, and takes payloads up to this size.
    pub(crate) fn open(&mut self, payload_bytes_max: usize) {
        if self.gate == Gate::Offline {
            self.gate = Gate::Online;
        }
        self.payload_bytes_max = payload_bytes_max.min(PAYLOAD_BYTES_CEILING);
    }

    /// The session is over; another one may follow.
    pub(crate) fn pause(&mut self) {
        if self.gate == Gate::Online {
            self.gate = Gate::Offline;
        }
    }

    /// Takes nothing more. What is inside stays, for a farewell.
    pub(crate) fn close(&mut self, why: Reason) {
        self.gate = Gate::Closed(why);
    }

    /// Drops what is inside; its callers are told.
    pub(crate) fn clear(&mut self, why: &Reason) {
        self.messages = 0;
        self.bytes = 0;
        for run in self.runs.drain(..) {
            match run {
                Run::Acked { acked, .. } => {
                    let _ = acked.reply.send(Err(PublishError::Closed(why.clone())));
                }
                Run::Forgotten { .. } => {}
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// What decides whose turn it is.
    pub(crate) fn now(&self) -> Now {
        Now { online: self.gate == Gate::Online, acked_may_go: self.unanswered < self.unanswered_max }
    }

    /// A publish that somebody waits for has its answer: there is room for another one.
    pub(crate) fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// Takes a publish that nobody waits for, at its turn. Says whether the queue was empty before.
    pub(crate) fn offer(&mut self, draft: &Draft, ticket: Option<Ticket>) -> Result<bool, Refusal> {
        self.admit(draft, Kind::Forgotten, ticket)?;
        let was_empty = self.runs.is_empty();
        let full = |frames: &BytesMut| frames.len() >= WRITE_BYTES;
        if !matches!(self.runs.back(), Some(Run::Forgotten { frames, .. }) if !full(frames)) {
            self.runs.push_back(Run::Forgotten { frames: BytesMut::new(), messages: 0, bytes: 0 });
        }
        if let Some(Run::Forgotten { frames, messages, bytes }) = self.runs.back_mut() {
            codec::encode_stream(&draft.frame(RequestId::ZERO, Sequence::ZERO), frames)
                .expect("a checked name, key and payload fit a body");
            *messages += 1;
            *bytes += draft.bytes();
        }
        self.count(draft);
        Ok(was_empty)
    }

    /// Takes a publish that somebody waits for, at its turn, and numbers it; one that it refuses stays where it was.
    /// Says whether the queue was empty before.
    pub(crate) fn offer_acked(&mut self, offered: &mut Option<Acked>, ticket: Option<Ticket>) -> Result<bool, Refusal> {
        let was_empty = self.runs.is_empty();
        if let Some(acked) = offered {
            self.admit(&acked.draft, Kind::Acked, ticket)?;
        }
        if let Some(acked) = offered.take() {
            self.last = self.last.next();
            self.unanswered += 1;
            self.count(&acked.draft);
            self.runs.push_back(Run::Acked { sequence: self.last, acked });
        }
        Ok(was_empty)
    }

    /// The oldest run. Room for its messages is free from here on.
    pub(crate) fn take(&mut self) -> Option<Run> {
        let run = self.runs.pop_front()?;
        let (messages, bytes) = match &run {
            Run::Forgotten { messages, bytes, .. } => (*messages, *bytes),
            Run::Acked { acked, .. } => (1, acked.draft.bytes()),
        };
        self.messages -= messages;
        self.bytes -= bytes;
        Some(run)
    }

    fn count(&mut self, draft: &Draft) {
        self.messages += 1;
        self.bytes += draft.bytes();
    }

    fn admit(&self, draft: &Draft, kind: Kind, ticket: Option<Ticket>) -> Result<(), Refusal> {
        let bytes = draft.payload.bytes().len();
        if bytes > self.payload_bytes_max {
            return Err(Refusal::Error(PublishError::PayloadTooLarge { bytes, max: self.payload_bytes_max }));
        }
        match (&self.gate, self.offline) {
            (Gate::Closed(why), _) => return Err(Refusal::Error(PublishError::Closed(why.clone()))),
            (Gate::Offline, Offline::FailAtOnce) => return Err(Refusal::Error(PublishError::Offline)),
            (Gate::Offline | Gate::Online, _) => {}
        }
        if !self.waiters.has_turn(kind, ticket, self.now()) {
            return Err(Refusal::Full);
        }
        match (&self.gate, kind) {
            _ if self.fits(draft) => Ok(()),
            // Who waits for an answer can wait for room, offline too.
            (Gate::Offline, Kind::Forgotten) => Err(Refusal::Error(PublishError::QueueFull)),
            (Gate::Offline | Gate::Online | Gate::Closed(_), _) => Err(Refusal::Full),
        }
    }

    fn fits(&self, draft: &Draft) -> bool {
        let bounds = self.offline.bounds();
        // An empty queue takes any one publish, so that no legal payload waits for ever.
        self.runs.is_empty()
            || (self.messages < bounds.messages && self.bytes.saturating_add(draft.bytes()) <= bounds.bytes)
    }
}
