//! A broker that says what might well be said: it knows what it was asked and where its channels stand. It judges nothing
//! but the order of the client's frames.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{
    Answer, ClientFrame, Failed, Goodbye, Message, Named, Ping, Publish, Reset, ServerFrame, Skipped, Start, Subscribe,
    Subscribed, Unsubscribe,
};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::session::FromClient;
use callboard_protocol::{ChannelId, Epoch, Millis, Nonce, Offset, PayloadRef, Position, RequestId, codec};

use super::{Choices, Kind};

/// What the broker knows. Channels outlive sessions, as they do in a broker.
#[derive(Default)]
pub(super) struct Broker {
    frame_order: FromClient,
    asked: VecDeque<Question>,
    channels: BTreeMap<String, Channel>,
    /// The largest number that a channel has. No two have the same, whatever became of a subscription.
    numbers: u64,
}

/// A request that waits for its answer.
struct Question {
    request: RequestId,
    about: About,
}

enum About {
    Subscribe(String, Start),
    Unsubscribe(String),
    Publish(String),
    Else,
}

/// A channel, and how far this session heard it; `None` when it is not subscribed.
#[derive(Default)]
struct Channel {
    number: u64,
    epoch: u64,
    head: u64,
    heard: Option<u64>,
}

impl Channel {
    fn position(&self) -> Position {
        Position { epoch: Epoch::saturating(self.epoch), offset: Offset::saturating(self.head) }
    }
}

impl Broker {
    /// A session begins; what was asked in the one before is forgotten.
    pub(super) fn begin(&mut self) {
        self.frame_order = FromClient::default();
        self.asked.clear();
        for channel in self.channels.values_mut() {
            channel.heard = None;
        }
    }

    /// Takes what a client wrote: every frame is one, and may stand where it stands.
    pub(super) fn hear(&mut self, written: BytesMut) {
        let mut deframer = Deframer::new(BODY_BYTES_MAX);
        deframer.handle_bytes(written.freeze());
        while let Some(body) = deframer.poll_body().expect("a client frames well") {
            let frame = codec::decode_client(&body).expect("a client encodes well");
            self.frame_order.handle(&frame).expect("a client says nothing out of order");
            self.note(&frame);
        }
        assert!(!deframer.is_mid_frame(), "a client gathers whole frames");
    }

    fn note(&mut self, frame: &ClientFrame<'_>) {
        let (request, about) = match frame {
            ClientFrame::Subscribe(Subscribe { request, channel, start, .. }) => {
                (*request, About::Subscribe((*channel).to_owned(), *start))
            }
            ClientFrame::Unsubscribe(Unsubscribe { request, channel }) => {
                (*request, About::Unsubscribe((*channel).to_owned()))
            }
            ClientFrame::Publish(Publish { request, channel, .. }) => (*request, About::Publish((*channel).to_owned())),
            ClientFrame::Hello(_) | ClientFrame::Pong(_) | ClientFrame::Goodbye(_) => return,
            ClientFrame::Authenticate(_)
            | ClientFrame::Logout(_)
            | ClientFrame::Call(_)
            | ClientFrame::Provide(_)
            | ClientFrame::Withdraw(_)
            | ClientFrame::Return(_)
            | ClientFrame::Emit(_)
            | ClientFrame::Introduce(_) => (RequestId::ZERO, About::Else),
        };
        // What asks for no answer gets none.
        if request != RequestId::ZERO {
            self.asked.push_back(Question { request, about });
        }
    }

    /// The next thing to say, by the input's choice; `None` if there is nothing of the kind to be said.
    pub(super) fn say(&mut self, kind: Kind, choices: &mut Choices<'_>) -> Option<Bytes> {
        match choices.below(32) {
            0..=11 => self.answer(choices),
            12 if kind.lies() => self.lie(choices),
            12..=27 => self.message(choices),
            28 => self.skip_or_reset(kind, choices),
            29 | 30 => Some(encoded(&ServerFrame::Ping(Ping { nonce: Nonce::saturating(choices.next().into()) }))),
            _ => Some(name_or_part(choices)),
        }
    }

    /// Answers the oldest request.
    pub(super) fn answer(&mut self, choices: &mut Choices<'_>) -> Option<Bytes> {
        let Question { request, about } = self.asked.pop_front()?;
        let how = choices.next();
        if how.is_multiple_of(5) {
            let (code, class) =
                [(403, "forbidden"), (503, "unavailable"), (429, "too-many-requests")][usize::from(how / 5) % 3];
            return Some(encoded(&ServerFrame::Failed(Failed { request, code, class, sentence: "no", data: None })));
        }
        let answer = match about {
            About::Subscribe(name, start) => {
                let channel = self.channels.entry(name).or_default();
                if channel.number == 0 {
                    self.numbers += 1;
                    (channel.number, channel.epoch) = (self.numbers, 1);
                }
                let next = match start {
                    Start::Live => channel.head + 1,
                    Start::Rewind(count) => channel.head + 1 - channel.head.min(u64::from(count % 4)),
                    Start::Recover(at) => at.offset.value() + 1,
                };
                let whole = !matches!(start, Start::Recover(_))
                    || start == Start::Recover(Position { offset: Offset::saturating(next - 1), ..channel.position() })
                        && next <= channel.head + 1;
                let recovered = whole && !how.is_multiple_of(7);
                let next =
                    if whole && (recovered || !matches!(start, Start::Recover(_))) { next } else { channel.head + 1 };
                channel.heard = Some(next - 1);
                Answer::Subscribed(Subscribed {
                    channel: ChannelId::saturating(channel.number),
                    position: channel.position(),
                    next: Offset::saturating(next),
                    recovered,
                })
            }
            About::Unsubscribe(name) => {
                self.channels.entry(name).or_default().heard = None;
                Answer::Done
            }
            About::Publish(name) => Answer::Published(self.channels.entry(name).or_default().position()),
            About::Else => Answer::Done,
        };
        Some(encoded(&ServerFrame::Ok { request, answer }))
    }

    /// One of the channels that are heard, by the input's choice.
    fn heard(&mut self, choice: u8) -> Option<&mut Channel> {
        let count = self.channels.values().filter(|channel| channel.heard.is_some()).count();
        let index = usize::from(choice).checked_rem(count)?;
        self.channels.values_mut().filter(|channel| channel.heard.is_some()).nth(index)
    }

    fn message(&mut self, choices: &mut Choices<'_>) -> Option<Bytes> {
        let channel = self.heard(choices.next())?;
        let offset = channel.heard? + 1;
        channel.heard = Some(offset);
        channel.head = channel.head.max(offset);
        let message = Message {
            channel: ChannelId::saturating(channel.number),
            offset: Offset::saturating(offset),
            published: Millis::ZERO,
            publisher: None,
            key: None,
            payload: PayloadRef::binary(choices.bytes()),
        };
        Some(encoded(&ServerFrame::Message(message)))
    }

    /// A message where none may stand: behind a hole, or again.
    fn lie(&mut self, choices: &mut Choices<'_>) -> Option<Bytes> {
        let channel = self.heard(choices.next())?;
        let offset = channel.heard? + [0, 2, 3, 100][usize::from(choices.below(4))];
        let message = Message {
            channel: ChannelId::saturating(channel.number),
            offset: Offset::saturating(offset),
            published: Millis::ZERO,
            publisher: None,
            key: None,
            payload: PayloadRef::text("nobody reads this"),
        };
        Some(encoded(&ServerFrame::Message(message)))
    }

    fn skip_or_reset(&mut self, kind: Kind, choices: &mut Choices<'_>) -> Option<Bytes> {
        let channel = self.heard(choices.next())?;
        let (number, far) = (ChannelId::saturating(channel.number), u64::from(choices.below(4)));
        let offset = channel.heard? + far;
        let (frame, heard) = match choices.below(3) {
            0 if kind.withholds() => {
                let through = Offset::saturating(offset + 1);
                (ServerFrame::Skipped(Skipped { channel: number, through }), through.value())
            }
            0 | 1 => {
                channel.head = channel.head.max(offset);
                let position = Position { offset: Offset::saturating(offset), ..channel.position() };
                (ServerFrame::Reset(Reset { channel: number, position }), offset)
            }
            _ => {
                (channel.epoch, channel.head) = (channel.epoch + 1, far);
                (ServerFrame::Reset(Reset { channel: number, position: channel.position() }), far)
            }
        };
        channel.heard = Some(heard);
        channel.head = channel.head.max(heard);
        Some(encoded(&frame))
    }
}

fn name_or_part(choices: &mut Choices<'_>) -> Bytes {
    let position = Position { epoch: Epoch::saturating(1), offset: Offset::saturating(choices.next().into()) };
    match choices.below(3) {
        0 => {
            let channel = ChannelId::saturating(100 + u64::from(choices.below(3)));
            let name = ["user/7", "everyone", "channel/1"][usize::from(choices.below(3))];
            encoded(&ServerFrame::Named(Named { channel, name, position }))
        }
        1 => {
            let name = ["user/7", "everyone", "channel/1"][usize::from(choices.below(3))];
            encoded(&ServerFrame::Membership(callboard_protocol::frame::Membership { name, member: false }))
        }
        _ => encoded(&ServerFrame::Goodbye(Goodbye { code: 4100, sentence: "later", retry_after: None })),
    }
}

fn encoded(frame: &ServerFrame<'_>) -> Bytes {
    let mut body = BytesMut::new();
    codec::encode(frame, &mut body).expect("short frames fit a body");
    body.freeze()
}
