//! Frames from client to broker.

use serde::{Deserialize, Serialize};

use super::part::{Credential, Goodbye, Outcome, Start, SubscribeOptions};
use crate::integer::{CallId, Millis, Nonce, RequestId, Sequence};
use crate::payload::PayloadRef;

/// A frame from client to broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientFrame<'a> {
    /// The first frame of a session.
    Hello(#[serde(borrow)] Hello<'a>),
    /// The last one.
    Goodbye(#[serde(borrow)] Goodbye<'a>),
    /// The answer to `Ping`.
    Pong(Pong),
    /// Asks to be taken for someone.
    Authenticate(#[serde(borrow)] Authenticate<'a>),
    /// Asks to be anonymous again.
    Logout(Logout),
    /// Asks for a channel's messages.
    Subscribe(#[serde(borrow)] Subscribe<'a>),
    /// Asks for no more of them.
    Unsubscribe(#[serde(borrow)] Unsubscribe<'a>),
    /// Gives a message to a channel.
    Publish(#[serde(borrow)] Publish<'a>),
    /// Calls a method of a service.
    Call(#[serde(borrow)] Call<'a>),
    /// Offers a service.
    Provide(#[serde(borrow)] Provide<'a>),
    /// Takes the offer back.
    Withdraw(#[serde(borrow)] Withdraw<'a>),
    /// Ends a call that the broker handed to this provider.
    Return(#[serde(borrow)] Return<'a>),
    /// Tells an event of a service that this client provides.
    Emit(#[serde(borrow)] Emit<'a>),
    /// Says for whom a bridge opens a session.
    Introduce(#[serde(borrow)] Introduce<'a>),
}

/// Opens a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello<'a> {
    /// What the client is, for people who read logs: `callboard-client/0.1.0`.
    pub agent: &'a str,
    /// The publisher's 128 random bits, the same over all reconnections of one client.
    pub instance: [u8; 16],
    /// What the client can do beyond this version, one bit each; none is given a meaning yet, so 0.
    pub capabilities: u32,
    /// Who the client is; without it the session is anonymous.
    #[serde(borrow)]
    pub credential: Option<Credential<'a>>,
}

/// Answers a `Ping` with its nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The nonce of the ping.
    pub nonce: Nonce,
}

/// Asks to be taken for someone. A refusal leaves the identity as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticate<'a> {
    /// The request's number.
    pub request: RequestId,
    /// What is shown.
    #[serde(borrow)]
    pub credential: Credential<'a>,
}

/// Asks to be anonymous again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logout {
    /// The request's number.
    pub request: RequestId,
}

/// Asks for a channel's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe<'a> {
    /// The request's number.
    pub request: RequestId,
    /// The channel's name, not yet checked.
    pub channel: &'a str,
    /// Where to begin.
    pub start: Start,
    /// Further wishes.
    pub options: SubscribeOptions,
}

/// Asks for no more messages of a channel. After the answer none comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsubscribe<'a> {
    /// The request's number.
    pub request: RequestId,
    /// The channel's name, not yet checked.
    pub channel: &'a str,
}

/// Gives a message to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish<'a> {
    /// The request's number, or 0 for a publish that wants no answer.
    pub request: RequestId,
    /// The publish's number among the publisher's, or 0. Sent again under the same one, it is stored once.
    pub sequence: Sequence,
    /// The channel's name, not yet checked.
    pub channel: &'a str,
    /// What the message is about, for those who keep only the last message of a key.
    pub key: Option<&'a str>,
    /// What it says.
    #[serde(borrow)]
    pub payload: PayloadRef<'a>,
}

/// Calls a method of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call<'a> {
    /// The request's number.
    pub request: RequestId,
    /// The service.
    pub service: &'a str,
    /// Its method.
    pub method: &'a str,
    /// The arguments, in the form that the service reads.
    #[serde(borrow)]
    pub arguments: PayloadRef<'a>,
}

/// Offers a service: the broker may send `Invoke` for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provide<'a> {
    /// The request's number.
    pub request: RequestId,
    /// The service.
    pub service: &'a str,
}

/// Takes the offer of a service back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw<'a> {
    /// The request's number.
    pub request: RequestId,
    /// The service.
    pub service: &'a str,
}

/// Ends a call that the broker handed over with `Invoke`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return<'a> {
    /// The call's number.
    pub call: CallId,
    /// How it ended.
    #[serde(borrow)]
    pub outcome: Outcome<'a>,
}

/// Tells an event of a provided service; publishers decide who hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emit<'a> {
    /// The request's number.
    pub request: RequestId,
    /// The service.
    pub service: &'a str,
    /// The event's name.
    pub event: &'a str,
    /// What it carries.
    #[serde(borrow)]
    pub payload: PayloadRef<'a>,
}

/// Says for whom a bridge opens a session; the visitor's own `Hello` follows (PROTOCOL.md, "Visitors").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduce<'a> {
    /// The visitor's IP address as IPv6, an IPv4 one mapped.
    pub address: [u8; 16],
    /// Where the visitor's page comes from, if it has one, not yet checked.
    pub origin: Option<&'a str>,
    /// What the visitor showed before its `Hello`; it counts where that shows nothing.
    #[serde(borrow)]
    pub credential: Option<Credential<'a>>,
    /// Whether nobody between the visitor and the bridge can read along.
    pub private: bool,
    /// The bridge says something to the visitor at least this often: what `Welcome` is to promise.
    pub ping_interval: Millis,
    /// How many messages the session publishes, where it is one request over HTTP; 0 where it is a browser's.
    pub publishes: u32,
}
