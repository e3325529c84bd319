//! Frames from broker to client.

use serde::{Deserialize, Serialize};

use super::part::{Answer, Goodbye, Identity};
use crate::integer::{CallId, ChannelId, ConnectionId, EventId, Millis, Nonce, Offset, Position, RequestId};
use crate::payload::PayloadRef;

/// A frame from broker to client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerFrame<'a> {
    /// The first frame of a session: the answer to `Hello`.
    Welcome(#[serde(borrow)] Welcome<'a>),
    /// The last one.
    Goodbye(#[serde(borrow)] Goodbye<'a>),
    /// Asks for a `Pong`.
    Ping(Ping),
    /// A request went well.
    Ok {
        /// The request's number.
        request: RequestId,
        /// What it gave.
        #[serde(borrow)]
        answer: Answer<'a>,
    },
    /// A request did not go well.
    Failed(#[serde(borrow)] Failed<'a>),
    /// Gives a channel its number before a delivery that no `Subscribed` announced.
    Named(#[serde(borrow)] Named<'a>),
    /// A message of a channel.
    Message(#[serde(borrow)] Message<'a>),
    /// Offsets that this subscription does not get on purpose.
    Skipped(Skipped),
    /// The channel goes on from another position; what lay between is lost.
    Reset(Reset),
    /// The broker made this connection a member of a channel, or ended that.
    Membership(#[serde(borrow)] Membership<'a>),
    /// An event of a service.
    Event(#[serde(borrow)] Event<'a>),
    /// A call for this provider to answer with `Return`.
    Invoke(#[serde(borrow)] Invoke<'a>),
    /// The session is over and its connection is not: the broker behind this bridge is away.
    Suspended(#[serde(borrow)] Suspended<'a>),
    /// The broker is back: the next session begins on the same connection.
    Resumed(Resumed),
}

/// Answers `Hello`: the session is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome<'a> {
    /// What the broker is, for people who read logs: `callboard/0.1.0`.
    pub agent: &'a str,
    /// This connection's number.
    pub connection: ConnectionId,
    /// What the broker can do beyond this version, one bit each; none is given a meaning yet, so 0.
    pub capabilities: u32,
    /// The largest payload, in bytes, that this session may publish.
    pub payload_bytes_max: u32,
    /// The most channels that this session may be subscribed to at once.
    pub subscriptions_max: u32,
    /// The broker says something at least this often, a `Ping` if nothing else; zero promises nothing.
    pub ping_interval: Millis,
    /// Who the peer is; `None` is anonymous.
    #[serde(borrow)]
    pub identity: Option<Identity<'a>>,
}

/// Asks for a `Pong` with the same nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Comes back in the pong.
    pub nonce: Nonce,
}

/// A request did not go well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed<'a> {
    /// The request's number; 0 for a publish that asked for no answer.
    pub request: RequestId,
    /// A number of the failure registry ([`crate::error::Class`]).
    pub code: u16,
    /// The failure's class, in kebab case.
    pub class: &'a str,
    /// A sentence for people: what is wrong, and what to do next.
    pub sentence: &'a str,
    /// What a program may read beside the class.
    #[serde(borrow)]
    pub data: Option<PayloadRef<'a>>,
}

/// Gives a channel its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named<'a> {
    /// The number.
    pub channel: ChannelId,
    /// The channel's name.
    pub name: &'a str,
    /// The position before the first delivery.
    pub position: Position,
}

/// A message of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<'a> {
    /// The channel's number.
    pub channel: ChannelId,
    /// The message's offset: one more than that of the last `Message` or `Skipped` of the channel.
    pub offset: Offset,
    /// When the broker took it, by the broker's clock.
    pub published: Millis,
    /// The identity's key of who published it; `None` for an anonymous publisher.
    pub publisher: Option<&'a str>,
    /// The key that the publisher gave.
    pub key: Option<&'a str>,
    /// What it says.
    #[serde(borrow)]
    pub payload: PayloadRef<'a>,
}

/// Offsets up to and with `through` that this subscription does not get on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The channel's number.
    pub channel: ChannelId,
    /// The last of them.
    pub through: Offset,
}

/// The channel goes on after another position; what lay between is lost to this subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// The channel's number.
    pub channel: ChannelId,
    /// The next message is the one after it.
    pub position: Position,
}

/// The broker made this connection a member of a channel, or ended that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership<'a> {
    /// The channel's name.
    pub name: &'a str,
    /// Whether it is one now.
    pub member: bool,
}

/// An event of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// The channel that brought it.
    pub channel: ChannelId,
    /// Its offset there.
    pub offset: Offset,
    /// The event's own number: the same over every channel.
    pub id: EventId,
    /// The service.
    pub service: &'a str,
    /// The event's name.
    pub event: &'a str,
    /// What it carries.
    #[serde(borrow)]
    pub payload: PayloadRef<'a>,
}

/// A call for a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke<'a> {
    /// The call's number, for `Return`.
    pub call: CallId,
    /// The service.
    pub service: &'a str,
    /// Its method.
    pub method: &'a str,
    /// Who calls; `None` is anonymous.
    #[serde(borrow)]
    pub caller: Option<Identity<'a>>,
    /// The arguments.
    #[serde(borrow)]
    pub arguments: PayloadRef<'a>,
}

/// The broker behind a bridge is away: the session is over, and its connection waits (PROTOCOL.md, "Suspended sessions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspended<'a> {
    /// Comes back in a pong.
    pub nonce: Nonce,
    /// A sentence for people: what is away.
    pub sentence: &'a str,
    /// In how long the bridge tries again, where it has an opinion.
    pub retry_after: Option<Millis>,
}

/// The broker behind a bridge is back: the client says `Hello` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The nonce of the last `Suspended`.
    pub nonce: Nonce,
}
