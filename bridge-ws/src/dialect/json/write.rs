//! Frames written as JSON: the fields in the order of PROTOCOL.md and under its names, every one always there.

use bytes::BytesMut;
use callboard_protocol::frame::{
    Answer, Authenticate, ClientFrame, Credential, Goodbye, Identity, Logout, Membership, Named, Outcome, Ping, Pong,
    Provide, Reset, Resumed, ServerFrame, Skipped, Start, SubscribeOptions, Subscribed, Suspended, Unsubscribe,
    Welcome, Withdraw,
};
use callboard_protocol::{CallId, ChannelId, EventId, Kind, Millis, Offset, PayloadRef, Position, RequestId, Sequence};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::value::embeddable;

/// About how many bytes the names of a frame's fields have, as room to be made at once.
pub(in crate::dialect) const NAMES_BYTES: usize = 256;

/// Appends a broker's frame.
pub(in crate::dialect) fn write_server(frame: &ServerFrame<'_>, out: &mut BytesMut) {
    serde_json::to_writer(Tail(out), &Server::from(*frame))
        .expect("frames have no value that JSON cannot write, and the buffer grows");
}

/// Writes at the end of a buffer. It is here for its speed: JSON is written in many small pieces, and each is one copy.
struct Tail<'a>(&'a mut BytesMut);

impl std::io::Write for Tail<'_> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn write_all(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.0.extend_from_slice(piece);
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A client's frame.
pub(in crate::dialect) fn write_client(frame: &ClientFrame<'_>) -> String {
    serde_json::to_string(&Client::from(*frame)).expect("frames have no value that JSON cannot write")
}

/// [`ServerFrame`] with payloads and choices as JSON has them.
#[derive(Serialize)]
#[serde(tag = "kind")]
enum Server<'a> {
    Welcome(Welcome<'a>),
    Goodbye(Goodbye<'a>),
    Ping(Ping),
    Ok {
        request: RequestId,
        answer: Answered<'a>,
    },
    Failed {
        request: RequestId,
        code: u16,
        class: &'a str,
        sentence: &'a str,
        data: Option<Payload<'a>>,
    },
    Named(Named<'a>),
    Message {
        channel: ChannelId,
        offset: Offset,
        published: Millis,
        publisher: Option<&'a str>,
        key: Option<&'a str>,
        payload: Payload<'a>,
    },
    Skipped(Skipped),
    Reset(Reset),
    Membership(Membership<'a>),
    Event {
        channel: ChannelId,
        offset: Offset,
        id: EventId,
        service: &'a str,
        event: &'a str,
        payload: Payload<'a>,
    },
    Invoke {
        call: CallId,
        service: &'a str,
        method: &'a str,
        caller: Option<Identity<'a>>,
        arguments: Payload<'a>,
    },
    Suspended(Suspended<'a>),
    Resumed(Resumed),
}

impl<'a> From<ServerFrame<'a>> for Server<'a> {
    fn from(frame: ServerFrame<'a>) -> Self {
        match frame {
            ServerFrame::Welcome(f) => Self::Welcome(f),
            ServerFrame::Goodbye(f) => Self::Goodbye(f),
            ServerFrame::Ping(f) => Self::Ping(f),
            ServerFrame::Ok { request, answer } => Self::Ok { request, answer: answer.into() },
            ServerFrame::Failed(f) => Self::Failed {
                request: f.request,
                code: f.code,
                class: f.class,
                sentence: f.sentence,
                data: f.data.map(Payload),
            },
            ServerFrame::Named(f) => Self::Named(f),
            ServerFrame::Message(f) => Self::Message {
                channel: f.channel,
                offset: f.offset,
                published: f.published,
                publisher: f.publisher,
                key: f.key,
                payload: Payload(f.payload),
            },
            ServerFrame::Skipped(f) => Self::Skipped(f),
            ServerFrame::Reset(f) => Self::Reset(f),
            ServerFrame::Membership(f) => Self::Membership(f),
            ServerFrame::Event(f) => Self::Event {
                channel: f.channel,
                offset: f.offset,
                id: f.id,
                service: f.service,
                event: f.event,
                payload: Payload(f.payload),
            },
            ServerFrame::Invoke(f) => Self::Invoke {
                call: f.call,
                service: f.service,
                method: f.method,
                caller: f.caller,
                arguments: Payload(f.arguments),
            },
            ServerFrame::Suspended(f) => Self::Suspended(f),
            ServerFrame::Resumed(f) => Self::Resumed(f),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "kind")]
enum Answered<'a> {
    Done,
    Subscribed(Subscribed),
    Published { position: Position },
    Identity { identity: Option<Identity<'a>> },
    Returned { payload: Payload<'a> },
}

impl<'a> From<Answer<'a>> for Answered<'a> {
    fn from(answer: Answer<'a>) -> Self {
        match answer {
            Answer::Done => Self::Done,
            Answer::Subscribed(f) => Self::Subscribed(f),
            Answer::Published(position) => Self::Published { position },
            Answer::Identity(identity) => Self::Identity { identity },
            Answer::Returned(payload) => Self::Returned { payload: Payload(payload) },
        }
    }
}

/// [`ClientFrame`] with payloads and choices as JSON has them.
#[derive(Serialize)]
#[serde(tag = "kind")]
enum Client<'a> {
    Hello {
        agent: &'a str,
        instance: Hex<[u8; 16]>,
        capabilities: u32,
        credential: Option<Credential<'a>>,
    },
    Goodbye(Goodbye<'a>),
    Pong(Pong),
    Authenticate(Authenticate<'a>),
    Logout(Logout),
    Subscribe {
        request: RequestId,
        channel: &'a str,
        start: Begin,
        options: SubscribeOptions,
    },
    Unsubscribe(Unsubscribe<'a>),
    Publish {
        request: RequestId,
        sequence: Sequence,
        channel: &'a str,
        key: Option<&'a str>,
        payload: Payload<'a>,
    },
    Call {
        request: RequestId,
        service: &'a str,
        method: &'a str,
        arguments: Payload<'a>,
    },
    Provide(Provide<'a>),
    Withdraw(Withdraw<'a>),
    Return {
        call: CallId,
        outcome: Ended<'a>,
    },
    Emit {
        request: RequestId,
        service: &'a str,
        event: &'a str,
        payload: Payload<'a>,
    },
    Introduce {
        address: Hex<[u8; 16]>,
        origin: Option<&'a str>,
        credential: Option<Credential<'a>>,
        private: bool,
        ping_interval: Millis,
        publishes: u32,
    },
}

impl<'a> From<ClientFrame<'a>> for Client<'a> {
    fn from(frame: ClientFrame<'a>) -> Self {
        match frame {
            ClientFrame::Hello(f) => Self::Hello {
                agent: f.agent,
                instance: Hex(f.instance),
                capabilities: f.capabilities,
                credential: f.credential,
            },
            ClientFrame::Goodbye(f) => Self::Goodbye(f),
            ClientFrame::Pong(f) => Self::Pong(f),
            ClientFrame::Authenticate(f) => Self::Authenticate(f),
            ClientFrame::Logout(f) => Self::Logout(f),
            ClientFrame::Subscribe(f) => {
                Self::Subscribe { request: f.request, channel: f.channel, start: f.start.into(), options: f.options }
            }
            ClientFrame::Unsubscribe(f) => Self::Unsubscribe(f),
            ClientFrame::Publish(f) => Self::Publish {
                request: f.request,
                sequence: f.sequence,
                channel: f.channel,
                key: f.key,
                payload: Payload(f.payload),
            },
            ClientFrame::Call(f) => {
                Self::Call { request: f.request, service: f.service, method: f.method, arguments: Payload(f.arguments) }
            }
            ClientFrame::Provide(f) => Self::Provide(f),
            ClientFrame::Withdraw(f) => Self::Withdraw(f),
            ClientFrame::Return(f) => Self::Return { call: f.call, outcome: f.outcome.into() },
            ClientFrame::Emit(f) => {
                Self::Emit { request: f.request, service: f.service, event: f.event, payload: Payload(f.payload) }
            }
            ClientFrame::Introduce(f) => Self::Introduce {
                address: Hex(f.address),
                origin: f.origin,
                credential: f.credential,
                private: f.private,
                ping_interval: f.ping_interval,
                publishes: f.publishes,
            },
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "kind")]
enum Begin {
    Live,
    Recover { position: Position },
    Rewind { messages: u32 },
}

impl From<Start> for Begin {
    fn from(start: Start) -> Self {
        match start {
            Start::Live => Self::Live,
            Start::Recover(position) => Self::Recover { position },
            Start::Rewind(messages) => Self::Rewind { messages },
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "kind")]
enum Ended<'a> {
    Returned { payload: Payload<'a> },
    Failed { code: u16, class: &'a str, sentence: &'a str, data: Option<Payload<'a>> },
}

impl<'a> From<Outcome<'a>> for Ended<'a> {
    fn from(outcome: Outcome<'a>) -> Self {
        match outcome {
            Outcome::Returned(payload) => Self::Returned { payload: Payload(payload) },
            Outcome::Failed { code, class, sentence, data } => {
                Self::Failed { code, class, sentence, data: data.map(Payload) }
            }
        }
    }
}

struct Payload<'a>(PayloadRef<'a>);

impl Serialize for Payload<'_> {
    /// PROTOCOL.md, "JSON": a JSON payload is the value itself where every common parser reads it. One payload that some
    /// reader cannot parse must not make the message around it unreadable; it goes as text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = || std::str::from_utf8(self.0.bytes()).expect("text and JSON are UTF-8 by construction");
        let mut object = serializer.serialize_struct("Payload", 2)?;
        match self.0.kind() {
            Kind::Text => {
                object.serialize_field("kind", "text")?;
                object.serialize_field("text", text())?;
            }
            Kind::Json => {
                object.serialize_field("kind", "json")?;
                match embeddable(text()) {
                    Some(value) => object.serialize_field("json", value)?,
                    None => object.serialize_field("text", text())?,
                }
            }
            Kind::Binary => {
                object.serialize_field("kind", "binary")?;
                object.serialize_field("hex", &Hex(self.0.bytes()))?;
            }
        }
        object.end()
    }
}

/// Bytes as a string of two lower-case digits each.
struct Hex<T>(T);

impl<T: AsRef<[u8]>> Serialize for Hex<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<T: AsRef<[u8]>> std::fmt::Display for Hex<T> {
    /// Writes a piece at a time, so that neither is a string made nor each digit written alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for piece in self.0.as_ref().chunks(32) {
            let mut digits = [0; 64];
            for (pair, byte) in digits.chunks_exact_mut(2).zip(piece) {
                pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
            f.write_str(std::str::from_utf8(&digits[..2 * piece.len()]).expect("digits are ASCII"))?;
        }
        Ok(())
    }
}
