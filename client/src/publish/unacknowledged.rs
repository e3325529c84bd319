//! Publishes that are on their way and not yet acknowledged. Pure: it writes into a buffer and never waits.

use std::collections::VecDeque;

use bytes::BytesMut;
use callboard_protocol::codec;
use callboard_protocol::{Position, RequestId, Sequence};

use super::draft::Acked;
use crate::error::PublishError;
use crate::state::Reason;

/// The publishes that were taken from the queue and not yet answered, in the order of their numbers.
///
/// The first `sent` of them were written in this session, under ascending requests; the others wait to be written,
/// before anything newer.
#[derive(Debug, Default)]
pub(crate) struct Unacknowledged {
    waiting: VecDeque<Written>,
    sent: usize,
}

#[derive(Debug)]
struct Written {
    sequence: Sequence,
    /// This session's number for it; zero until it is written.
    request: RequestId,
    acked: Acked,
}

impl Unacknowledged {
    pub(crate) fn push(&mut self, sequence: Sequence, acked: Acked) {
        self.waiting.push_back(Written { sequence, request: RequestId::ZERO, acked });
    }

    /// Encodes the next one that this session has not sent, under the number that `ask` gives. `false` if there is none.
    pub(crate) fn write_next(&mut self, ask: impl FnOnce() -> RequestId, out: &mut BytesMut) -> bool {
        let Some(next) = self.waiting.get_mut(self.sent) else { return false };
        next.request = ask();
        codec::encode_stream(&next.acked.draft.frame(next.request, next.sequence), out)
            .expect("a checked name, key and payload fit a body");
        self.sent += 1;
        true
    }

    /// Takes the answer to `request` to the one who waits. `false` if no publish has this number.
    pub(crate) fn answer(&mut self, request: RequestId, answer: Result<Position, PublishError>) -> bool {
        let Some(written) = self.find(request).and_then(|index| self.waiting.remove(index)) else { return false };
        self.sent -= 1;
        // Whoever asked may have gone meanwhile; the message was published all the same.
        let _ = written.acked.reply.send(answer);
        true
    }

    /// Answers mostly come in the order of their requests, so the search begins at the front.
    fn find(&self, request: RequestId) -> Option<usize> {
        self.waiting.range(..self.sent).position(|written| written.request == request)
    }

    /// The session is over: all of them are to be sent again, under the same numbers.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Gives all of them up; their callers are told.
    pub(crate) fn clear(&mut self, why: &Reason) {
        self.sent = 0;
        for written in self.waiting.drain(..) {
            let _ = written.acked.reply.send(Err(PublishError::Closed(why.clone())));
        }
    }
}
