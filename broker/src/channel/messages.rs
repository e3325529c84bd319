//! What a channel is told. All of it goes through its slot, which knows whether the channel is awake.

use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::{Publish, Start, SubscribeOptions};
use callboard_protocol::{ConnectionId, Offset, Payload, RequestId, Sequence};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use crate::connection::{Gate, Outbox};
use crate::limit::Load;

/// A publisher's 128 random bits, the same over all reconnections of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instance(pub(crate) [u8; 16]);

/// The session behind a request, as channels know it: made when it opens and when its identity changes, shared by its requests.
#[derive(Debug)]
pub(crate) struct Requester {
    /// The connection.
    pub(crate) connection: ConnectionId,
    /// The client behind it, over reconnections.
    pub(crate) instance: Instance,
    /// The identity's key, which messages carry; `None` is anonymous.
    pub(crate) key: Option<Arc<str>>,
    /// Where answers and deliveries go.
    pub(crate) outbox: Arc<Outbox>,
}

/// Sees to it that a session is answered, and is carried by what it asks of a channel. Dropped unsettled, by a fault on the
/// way, it ends the session: whoever waits comes back and asks again.
#[derive(Debug)]
pub(crate) struct AnswerGuard {
    requester: Arc<Requester>,
    settled: bool,
    /// What was read with it, which waits as long as it does.
    load: Option<Arc<Load>>,
}

impl AnswerGuard {
    /// Guards the answer that `requester` waits for.
    pub(crate) fn of(requester: &Arc<Requester>) -> Self {
        Self { requester: Arc::clone(requester), settled: false, load: None }
    }

    /// Who asks.
    pub(crate) fn requester(&self) -> &Arc<Requester> {
        &self.requester
    }

    /// Takes over what was read with it.
    pub(crate) fn take_load(&mut self) -> Option<Arc<Load>> {
        self.load.take()
    }

    /// Notes that the session has its answer, or that somebody else now owes it.
    pub(crate) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for AnswerGuard {
    fn drop(&mut self) {
        if !self.settled {
            self.requester.outbox.end(Ending::plain(Code::Internal));
        }
    }
}

/// One thing for a channel to do.
#[derive(Debug)]
pub(crate) enum Input {
    /// Take messages.
    Publish(Batch),
    /// Take a member.
    Join(Join),
    /// Let a member go.
    Leave(Leave),
    /// Give a replaying member what came after what it has.
    Pull(Pull),
    /// Give those who read history the rest of it. That this is dropped tells that all before it was handled.
    Quiesce(mpsc::Sender<()>),
}

impl Input {
    /// The guard that it carries.
    fn guard(&mut self) -> Option<&mut AnswerGuard> {
        match self {
            Self::Publish(batch) => Some(&mut batch.from),
            Self::Join(join) => Some(&mut join.from),
            Self::Leave(leave) => leave.request.as_mut().map(|(_, guard)| guard),
            Self::Pull(_) | Self::Quiesce(_) => None,
        }
    }

    /// Notes what was read with it; `None` takes the note away.
    pub(crate) fn set_load(&mut self, load: Option<&Arc<Load>>) {
        if let Some(guard) = self.guard() {
            guard.load = load.map(Arc::clone);
        }
    }

    /// Whether it is noted what was read with it, where it can be.
    pub(crate) fn is_counted(&mut self) -> bool {
        self.guard().is_none_or(|guard| guard.load.is_some())
    }

    /// The memory that it takes on its way to its channel and there, beside the bytes that were read.
    pub(crate) fn memory(&self) -> usize {
        // In the mailbox it lies in a box that lies in a box, with room for as much again.
        let publications = match self {
            Self::Publish(batch) => batch.publications.capacity(),
            Self::Join(_) | Self::Leave(_) | Self::Pull(_) | Self::Quiesce(_) => 0,
        };
        4 * size_of::<Self>() + publications * (size_of::<Publication>() + PUBLICATION_BYTES)
    }
}

/// What a message becomes in its channel before it is handed out, beside its payload: a frame's head, a mark in the chunk,
/// an answer, and the place of its key.
const PUBLICATION_BYTES: usize = 96;

/// What one read of one session brought for one channel.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Who publishes.
    pub(crate) from: AnswerGuard,
    /// The messages, in order.
    pub(crate) publications: Vec<Publication>,
    /// The bytes that they have on their way out, about.
    pub(crate) bytes: usize,
    /// When it was read, if its latency is sampled.
    pub(crate) read: Option<Instant>,
}

/// Bytes of an encoded message that are neither its payload nor a key, about.
const HEADER_BYTES: usize = 24;

impl Batch {
    /// A batch with room for so many messages.
    pub(crate) fn with_room(from: AnswerGuard, messages: usize) -> Self {
        Self { from, publications: Vec::with_capacity(messages), bytes: 0, read: None }
    }

    /// Adds a message.
    pub(crate) fn push(&mut self, publication: Publication) {
        let key = publication.key.as_deref().map_or(0, str::len);
        let publisher = self.from.requester.key.as_deref().map_or(0, str::len);
        self.bytes += HEADER_BYTES + key + publisher + publication.payload.bytes().len();
        self.publications.push(publication);
    }
}

/// A message to be.
#[derive(Debug)]
pub(crate) struct Publication {
    /// Its request's number; zero wants no answer.
    pub(crate) request: RequestId,
    /// Its number among its publisher's; zero is none.
    pub(crate) sequence: Sequence,
    /// Its key.
    pub(crate) key: Option<Box<str>>,
    /// What it says.
    pub(crate) payload: Payload,
}

impl Publication {
    /// What `frame` says, which was decoded from `body` and goes on sharing its memory.
    pub(crate) fn of(frame: &Publish<'_>, body: &Bytes) -> Self {
        let (key, payload) = (frame.key.map(Into::into), frame.payload.share(body));
        Self { request: frame.request, sequence: frame.sequence, key, payload }
    }
}

/// A subscription to be.
#[derive(Debug)]
pub(crate) struct Join {
    /// Who subscribes.
    pub(crate) from: AnswerGuard,
    /// Its request's number.
    pub(crate) request: RequestId,
    /// Where to begin.
    pub(crate) start: Start,
    /// Further wishes.
    pub(crate) options: SubscribeOptions,
    /// The membership's gate.
    pub(crate) gate: Arc<Gate>,
    /// The right to replay, where the subscription may begin with history.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// The end of a subscription.
#[derive(Debug)]
pub(crate) struct Leave {
    /// Who leaves.
    pub(crate) connection: ConnectionId,
    /// The membership's gate: tells this membership from a later one of the same connection.
    pub(crate) gate: Arc<Gate>,
    /// The request to answer, and who waits; `None` when the session is over.
    pub(crate) request: Option<(RequestId, AnswerGuard)>,
    /// Whether the session was lost, so that its client may be on its way back.
    pub(crate) may_return: bool,
}

/// The wish of a replaying member for more.
#[derive(Debug)]
pub(crate) struct Pull {
    /// Who replays.
    pub(crate) connection: ConnectionId,
    /// The last offset it has.
    pub(crate) after: Offset,
    /// The membership's gate: tells this membership from a later one of the same connection.
    pub(crate) gate: Arc<Gate>,
    /// The right to replay, given back when there is nothing more.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}
