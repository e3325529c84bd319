//! What one client of a trial asked, was answered and saw, in its own order; never what it should have seen.

use callboard_protocol::frame::Start;
use callboard_protocol::{Offset, Payload, Position};

/// Something that a client did or that happened to it. Publishes and subscriptions have numbers of the log's own: each
/// is used once in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A session is open.
    Connected,
    /// The session is over, with a number of the close registry if somebody gave one. What the client holds it still
    /// holds: it is expected back.
    Disconnected {
        /// The number.
        code: Option<u16>,
    },
    /// The client's program ended it: nothing more is expected of it.
    Closed,
    /// A publish that asks for an answer; noted before it is sent. What a client sends again by itself is not noted again.
    Published {
        /// Its number.
        publish: u64,
        /// Where to.
        channel: String,
        /// What it says: no two publishes to a channel say the same, or less can be judged.
        payload: Payload,
    },
    /// A publish that asks for no answer; noted before it is sent.
    Cast {
        /// Where to.
        channel: String,
        /// What it says.
        payload: Payload,
    },
    /// A publish is sent again under its id, and asks for one more answer unless its session is another one.
    Resent {
        /// The publish's number.
        publish: u64,
    },
    /// A publish was answered with its place.
    Acknowledged {
        /// The publish's number.
        publish: u64,
        /// Its place.
        position: Position,
    },
    /// A publish was answered with a failure.
    Refused {
        /// The publish's number.
        publish: u64,
    },
    /// A subscription was asked for; noted before it is sent.
    Subscribing {
        /// Its number. It stays the same over reconnections.
        subscription: u64,
        /// What is subscribed.
        channel: String,
        /// Where it is to begin.
        start: Start,
        /// Whether the client's own messages are to be skipped.
        exclude_own: bool,
    },
    /// The subscription was refused.
    Denied {
        /// Its number.
        subscription: u64,
    },
    /// The subscription began, or went on after a reconnection: the next message is the one after this place.
    Began {
        /// Its number.
        subscription: u64,
        /// The place.
        at: Position,
        /// Whether nothing is missing between where it was, or was to begin, and this place.
        recovered: bool,
    },
    /// A message came.
    Message {
        /// The subscription's number.
        subscription: u64,
        /// The message's place.
        position: Position,
        /// What it says.
        payload: Payload,
    },
    /// Own messages up to and with this offset were left out.
    Skipped {
        /// The subscription's number.
        subscription: u64,
        /// The last of them.
        through: Offset,
    },
    /// The subscriber was told that messages are missing; it goes on after this place.
    Gap {
        /// The subscription's number.
        subscription: u64,
        /// The place.
        at: Position,
    },
    /// The end of the subscription was asked for.
    Leaving {
        /// Its number.
        subscription: u64,
    },
    /// The end of the subscription was answered, or the session that had it is over for good.
    Left {
        /// Its number.
        subscription: u64,
    },
}

impl Fact {
    /// The number of the subscription that it is about, if it is about one.
    #[must_use]
    pub fn subscription(&self) -> Option<u64> {
        match self {
            Self::Connected
            | Self::Disconnected { .. }
            | Self::Closed
            | Self::Published { .. }
            | Self::Cast { .. }
            | Self::Resent { .. }
            | Self::Acknowledged { .. }
            | Self::Refused { .. } => None,
            Self::Subscribing { subscription, .. }
            | Self::Denied { subscription }
            | Self::Began { subscription, .. }
            | Self::Message { subscription, .. }
            | Self::Skipped { subscription, .. }
            | Self::Gap { subscription, .. }
            | Self::Leaving { subscription }
            | Self::Left { subscription } => Some(*subscription),
        }
    }
}

/// What one client asked, was answered and saw, in its order, each with its time.
///
/// A log has one order of asking: callers that publish side by side through one client keep a log each, all [`by`](Self::by)
/// the same client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    name: String,
    client: String,
    facts: Vec<(u64, Fact)>,
}

impl Log {
    /// A log of nothing, of a client of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { client: name.clone(), name, facts: Vec::new() }
    }

    /// The same as one of several logs of one client: its messages are own messages in all of them.
    #[must_use]
    pub fn by(self, client: impl Into<String>) -> Self {
        Self { client: client.into(), ..self }
    }

    /// Notes a fact, at a time in milliseconds on the clock that all logs of the trial have in common.
    pub fn note(&mut self, at_ms: u64, fact: Fact) {
        self.facts.push((at_ms, fact));
    }

    /// Whose log it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose messages are this log's own.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }

    /// What was noted, in its order.
    #[must_use]
    pub fn facts(&self) -> &[(u64, Fact)] {
        &self.facts
    }
}
