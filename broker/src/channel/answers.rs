//! Answers to publishes, which go out behind the chunk that they are about; it never decides what they say.

use std::sync::Arc;

use bytes::BytesMut;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::{Answer, ServerFrame};
use callboard_protocol::{Epoch, Offset, Position, RequestId};

use super::messages::Requester;
use crate::format::Format;

/// Who waits, for the answer to which request, and the offset that it will tell.
#[derive(Debug, Default)]
pub(crate) struct Answers(pub(super) Vec<(Arc<Requester>, RequestId, Offset)>);

impl Answers {
    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Somebody waits.
    pub(super) fn push(&mut self, requester: &Arc<Requester>, request: RequestId, offset: Offset) {
        self.0.push((Arc::clone(requester), request, offset));
    }

    /// Answers everybody who waits: their messages are stored in this epoch.
    pub(super) fn send(&mut self, epoch: Epoch) {
        let mut rest = self.0.drain(..).peekable();
        while let Some((requester, request, offset)) = rest.next() {
            let mut frames = BytesMut::new();
            let (mut count, format) = (1, requester.outbox.format());
            published(&mut frames, format, request, Position { epoch, offset });
            while let Some((_, request, offset)) = rest.next_if(|(next, ..)| Arc::ptr_eq(next, &requester)) {
                published(&mut frames, format, request, Position { epoch, offset });
                count += 1;
            }
            // A session that is over needs no answer.
            let _ = requester.outbox.answer(frames.freeze(), count);
        }
    }

    /// Ends the sessions that wait: what they asked for is in doubt, and they ask again when they come back.
    pub(crate) fn abandon(&mut self) {
        for (requester, ..) in self.0.drain(..) {
            requester.outbox.end(Ending::plain(Code::Internal));
        }
    }
}

fn published(out: &mut BytesMut, format: Format, request: RequestId, position: Position) {
    let answer = ServerFrame::Ok { request, answer: Answer::Published(position) };
    format.encode(&answer, out).expect("a frame of integers fits any body");
}
