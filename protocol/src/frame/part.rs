//! What frames of both directions are made of.

use serde::{Deserialize, Serialize};

use crate::integer::{ChannelId, Millis, Offset, Position};
use crate::payload::PayloadRef;

/// What a peer shows to say who it is (PROTOCOL.md, "Credential").
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential<'a> {
    /// The name of the way to tell: `apikey` is one.
    pub strategy: &'a str,
    /// The secret, in the strategy's own form. Never logged.
    pub secret: &'a str,
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("strategy", &self.strategy).finish_non_exhaustive()
    }
}

/// Who the broker takes a peer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity<'a> {
    /// The strategy that told.
    pub strategy: &'a str,
    /// The peer's key under that strategy: an API key's name, a user's id.
    pub key: &'a str,
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// With the next message.
    Live,
    /// With the message after this position, if every one since is still in the channel's history.
    Recover(Position),
    /// With the last messages of the history, this many at most.
    Rewind(u32),
}

/// A set of wishes about a subscription, one bit each (PROTOCOL.md, "Subscribe").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscribeOptions(pub u32);

impl SubscribeOptions {
    /// No wish.
    pub const NONE: Self = Self(0);
    /// Do not deliver what a session with this same instance published; it is told as skipped.
    pub const EXCLUDE_OWN: Self = Self(1);

    const KNOWN: u32 = Self::EXCLUDE_OWN.0;

    /// The wishes among these that no rule names. A broker refuses them, so that they can be given a meaning later.
    #[must_use]
    pub const fn unknown(self) -> Self {
        Self(self.0 & !Self::KNOWN)
    }

    /// Whether every wish of `other` is among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a request that went well is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer<'a> {
    /// It was done; there is nothing more to tell.
    Done,
    /// The answer to `Subscribe`.
    Subscribed(Subscribed),
    /// The answer to `Publish`: where the message stands.
    Published(Position),
    /// The answer to `Authenticate` and `Logout`: who the peer is from here on.
    Identity(#[serde(borrow)] Option<Identity<'a>>),
    /// The answer to `Call`.
    Returned(#[serde(borrow)] PayloadRef<'a>),
}

/// The answer to `Subscribe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribed {
    /// The number that deliveries of this channel carry.
    pub channel: ChannelId,
    /// The channel's last message when the subscription began.
    pub position: Position,
    /// The offset of the first message that the subscription gets; up to `position` they come from history.
    pub next: Offset,
    /// Whether nothing is missing since the position that the client gave. `false` only after [`Start::Recover`], and
    /// then the subscription is live: what was missed is lost to it.
    pub recovered: bool,
}

/// How a call ended at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome<'a> {
    /// It gave this result.
    Returned(#[serde(borrow)] PayloadRef<'a>),
    /// It failed.
    Failed {
        /// A code as in [`Failed`](crate::frame::Failed).
        code: u16,
        /// The class of the failure, in kebab case.
        class: &'a str,
        /// A sentence for people.
        sentence: &'a str,
        /// What a program may read beside the class.
        #[serde(borrow)]
        data: Option<PayloadRef<'a>>,
    },
}

/// The last frame of a session, from either peer. Whoever gets it sends no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye<'a> {
    /// A number of the close registry ([`crate::close`]).
    pub code: u16,
    /// A sentence for people.
    pub sentence: &'a str,
    /// How long to stay away before coming back, where the sender has an opinion.
    pub retry_after: Option<Millis>,
}
