//! A program that subscribes, reads, publishes and drops as it likes, and what it may expect to see. It says nothing that
//! the client does not say for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec;
use callboard_protocol::frame::{ClientFrame, Hello, ServerFrame, Start, Welcome};
use callboard_protocol::{ChannelName, ConnectionId, Epoch, Millis, Offset, Payload, Position};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::broker::Broker;
use super::{Choices, Kind};
use crate::dialogue::Dialogue;
use crate::end::End;
use crate::error::{PublishError, SubscribeError};
use crate::event::Event;
use crate::inbox::{Inbox, Taken};
use crate::link::Shared;
use crate::options::{Bounds, Offline, Overflow};
use crate::publish::{Acked, Draft, Queue, Refusal};
use crate::state::Reason;
use crate::subscription::{Beginning, Reader, Subscribing};
use crate::wants::Wants;

const UNANSWERED_MAX: usize = 4;
const QUEUE: Bounds = Bounds { messages: 6, bytes: 600 };

/// What the broker takes of a payload.
const PAYLOAD_BYTES_MAX: usize = 200;

/// Readers at once, so that an input stays cheap.
const READERS_MAX: usize = 12;

pub(super) struct Program {
    wants: Wants,
    dialogue: Option<Dialogue>,
    readers: Vec<Observed>,
    answers: Vec<oneshot::Receiver<Result<Position, PublishError>>>,
    /// Whether nothing was withheld on purpose so far: then what a reader sees is dense.
    exact: bool,
    /// Whether the broker knows where its channels stand: then no gap goes back within an epoch. A broker that says
    /// anything may forget that it ever was where it was, and the reader is told so.
    remembers: bool,
}

/// A reader of one subscription, and the place up to which it knows everything.
struct Observed {
    channel: ChannelName,
    reader: Arc<Reader>,
    bounds: Bounds,
    answer: Option<oneshot::Receiver<Result<Beginning, SubscribeError>>>,
    at: Option<Position>,
    ended: bool,
}

impl Program {
    pub(super) fn new(kind: Kind) -> Self {
        let offline = if kind.queues_offline() { Offline::Queue(QUEUE) } else { Offline::FailAtOnce };
        let wants = Wants::new(Arc::new(Shared::new(Queue::new(offline, UNANSWERED_MAX))));
        Self {
            wants,
            dialogue: None,
            readers: Vec::new(),
            answers: Vec::new(),
            exact: true,
            remembers: !kind.says_anything(),
        }
    }

    pub(super) fn is_online(&self) -> bool {
        self.dialogue.is_some()
    }

    pub(super) fn subscribe(&mut self, choices: &mut Choices<'_>) {
        if self.readers.len() >= READERS_MAX {
            return;
        }
        let channel = name(choices);
        let bounds = Bounds { messages: 1 + usize::from(choices.below(4)), bytes: 1 + usize::from(choices.next()) };
        let overflow = if choices.below(3) == 0 { Overflow::Block } else { Overflow::Gap };
        let start = match choices.below(5) {
            0 => Start::Rewind(choices.below(9).into()),
            1 => Start::Recover(Position {
                epoch: Epoch::saturating(choices.below(3).into()),
                offset: Offset::saturating(choices.below(6).into()),
            }),
            _ => Start::Live,
        };
        let reader = Arc::new(Reader { inbox: Mutex::new(Inbox::new(bounds)), overflow });
        let (reply, answer) = oneshot::channel();
        let exclude_own = choices.below(4) == 0;
        let subscribing =
            Subscribing { channel: channel.clone(), start, exclude_own, reader: Arc::clone(&reader), reply };
        self.wants.drop_departed();
        self.wants.table.add_reader(subscribing);
        self.readers.push(Observed { channel, reader, bounds, answer: Some(answer), at: None, ended: false });
    }

    pub(super) fn drop_reader(&mut self, choice: u8) {
        if let Some(index) = usize::from(choice).checked_rem(self.readers.len()) {
            let reader = self.readers.swap_remove(index);
            self.wants.shared.note_departed(reader.channel, reader.reader);
        }
    }

    pub(super) fn read(&mut self, choice: u8) {
        if let Some(index) = usize::from(choice).checked_rem(self.readers.len()) {
            self.readers[index].read(self.exact, self.remembers);
        }
        self.take_more();
    }

    pub(super) fn read_all(&mut self) {
        for reader in 0..self.readers.len() {
            self.readers[reader].read(self.exact, self.remembers);
        }
        self.take_more();
    }

    /// # Panics
    ///
    /// If an acknowledged publish that entered the queue has no answer yet.
    pub(super) fn assert_answered(&mut self) {
        for answer in &mut self.answers {
            assert!(!matches!(answer.try_recv(), Err(TryRecvError::Empty)), "a publish is not sent again");
        }
        self.answers.clear();
    }

    pub(super) fn publish(&mut self, choices: &mut Choices<'_>) {
        let draft = draft(choices);
        let fits = draft.payload.bytes().len() <= PAYLOAD_BYTES_MAX;
        let offered = self.wants.shared.queue.lock().offer(&draft, None);
        assert!(offered.is_ok() || !fits || !self.is_online() || offered == Err(Refusal::Full), "{offered:?}");
    }

    pub(super) fn publish_acked(&mut self, choices: &mut Choices<'_>) {
        let (reply, answer) = oneshot::channel();
        let mut acked = Some(Acked { draft: draft(choices), reply });
        if self.wants.shared.queue.lock().offer_acked(&mut acked, None).is_ok() {
            self.answers.push(answer);
        }
    }

    /// A session begins, as the handshake leaves it.
    pub(super) fn connect(&mut self) {
        let mut dialogue = Dialogue::default();
        dialogue.push(&ClientFrame::Hello(Hello { agent: "", instance: [7; 16], capabilities: 0, credential: None }));
        let welcome = Welcome {
            agent: "",
            connection: ConnectionId::saturating(1),
            capabilities: 0,
            payload_bytes_max: u32::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u32::MAX),
            subscriptions_max: 100,
            ping_interval: Millis::ZERO,
            identity: None,
        };
        let mut body = BytesMut::new();
        codec::encode(&ServerFrame::Welcome(welcome), &mut body).expect("a short frame fits a body");
        dialogue.decode(&body).expect("a Welcome is the first frame of a broker");
        self.wants.connected(PAYLOAD_BYTES_MAX);
        self.dialogue = Some(dialogue);
    }

    pub(super) fn disconnect(&mut self) {
        if self.dialogue.take().is_some() {
            self.wants.disconnected();
        }
    }

    /// Everything that the client has to say now.
    pub(super) fn write(&mut self) -> BytesMut {
        self.wants.drop_departed();
        let Some(dialogue) = &mut self.dialogue else { return BytesMut::new() };
        dialogue.fill(&mut self.wants);
        let written = dialogue.gathering.split();
        assert!(self.wants.unacknowledged.len() <= UNANSWERED_MAX);
        written
    }

    /// A body comes from the broker.
    pub(super) fn hear(&mut self, body: Bytes, broker: &mut Broker) {
        let withheld = matches!(codec::decode_server(&body), Ok(ServerFrame::Skipped(_) | ServerFrame::Event(_)));
        self.exact &= !withheld;
        if let Some(dialogue) = &mut self.dialogue {
            if dialogue.is_stalled() {
                // The socket is not read while a reader has no room.
                self.take_more();
                return;
            }
            let mut body = Some(body);
            let taken = dialogue.take_bodies(&mut self.wants, || Ok(body.take()));
            self.settle(taken);
        }
        broker.hear(self.write());
    }

    /// What waited for a reader's room may have it now.
    fn take_more(&mut self) {
        if let Some(dialogue) = &mut self.dialogue {
            let taken = dialogue.take_bodies(&mut self.wants, || Ok(None));
            self.settle(taken);
        }
    }

    fn settle(&mut self, taken: Result<(), End>) {
        let Some(dialogue) = &mut self.dialogue else { return };
        if dialogue.take_setback().is_some() {
            self.wants.table.retry();
        }
        self.wants.table.wake();
        if taken.is_err() {
            self.disconnect();
        }
    }

    /// The client closes: everybody who waits is told, and every reader finds the end.
    pub(super) fn close(mut self) {
        self.disconnect();
        self.wants.drop_departed();
        self.wants.unacknowledged.clear(&Reason::Asked);
        self.wants.shared.change_gate(|queue| {
            queue.close(Reason::Asked);
            queue.clear(&Reason::Asked);
        });
        self.wants.table.end(&Reason::Asked);
        for mut answer in self.answers {
            assert!(!matches!(answer.try_recv(), Err(TryRecvError::Empty)), "somebody waits for ever");
        }
        for mut reader in self.readers {
            while !reader.ended {
                reader.read(self.exact, self.remembers);
            }
        }
    }
}

impl Observed {
    /// Takes what there is: whether it was let in, then a handful of events, each at its place.
    fn read(&mut self, exact: bool, remembers: bool) {
        match self.answer.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(Ok(beginning))) => (self.answer, self.at) = (None, Some(beginning.position)),
            Some(Ok(Err(_)) | Err(TryRecvError::Closed)) => (self.answer, self.ended) = (None, true),
            Some(Err(TryRecvError::Empty)) => return,
            None => {}
        }
        if self.ended {
            return;
        }
        let mut hand = VecDeque::new();
        let taken = self.reader.inbox.lock().take(&mut hand, Waker::noop());
        assert!(hand.len() <= 2 * self.bounds.messages + 2, "a reader holds what its bounds allow");
        self.ended |= taken == Taken::Ended;
        for event in hand {
            assert!(!self.ended, "nothing follows the end");
            self.see(event, exact, remembers);
        }
    }

    fn see(&mut self, event: Event, exact: bool, remembers: bool) {
        let at = self.at.expect("events come once the subscription began");
        match event {
            Event::Message(message) => {
                let Position { epoch, offset } = message.position;
                assert_eq!((epoch, &message.channel), (at.epoch, &self.channel), "an epoch changes with a gap");
                assert!(offset > at.offset, "{offset} after {at}");
                assert!(!exact || offset == at.offset.next(), "{offset} after {at}: a hole, and nobody told of it");
                self.at = Some(message.position);
            }
            Event::Gap(gap) => {
                let ahead = gap.to.epoch != at.epoch || gap.to.offset >= at.offset;
                assert!(ahead || !remembers, "a gap never goes back, {} after {at}", gap.to);
                self.at = Some(gap.to);
            }
            Event::Closed(_) => {
                // The next look finds that nothing follows.
            }
        }
    }
}

fn draft(choices: &mut Choices<'_>) -> Draft {
    Draft { channel: name(choices), key: None, payload: Payload::binary(choices.bytes().to_vec()) }
}

fn name(choices: &mut Choices<'_>) -> ChannelName {
    ChannelName::parse(["channel/0", "channel/1", "channel/2", "user/7"][usize::from(choices.below(4))])
        .expect("they are names")
}
