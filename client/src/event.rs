//! What a subscription gives to its reader: messages, gaps, and at the end why it ended.

use std::fmt;

use bytes::Bytes;
use callboard_protocol::frame;
use callboard_protocol::{ChannelName, Millis, Payload, Position};

use crate::error::Failure;
use crate::state::Reason;

/// An item of a [`Subscription`](crate::Subscription).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message of the channel.
    Message(Message),
    /// At this place messages are missing, or may be.
    Gap(Gap),
    /// The subscription has ended and will not come back; nothing follows.
    Closed(Ended),
}

/// A message of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The channel.
    pub channel: ChannelName,
    /// The message's place in it.
    pub position: Position,
    /// When the broker took it, in milliseconds since 1970 by the broker's clock.
    pub published: Millis,
    /// The identity's key of who published it; `None` for an anonymous publisher.
    pub publisher: Option<Text>,
    /// The key that the publisher gave.
    pub key: Option<Text>,
    /// What it says. It shares memory with what was read together with it, up to 64 KiB: whoever keeps small payloads
    /// for long does well to copy them.
    pub payload: Payload,
}

impl Message {
    pub(crate) fn shared(channel: ChannelName, position: Position, frame: &frame::Message<'_>, body: &Bytes) -> Self {
        Self {
            channel,
            position,
            published: frame.published,
            publisher: frame.publisher.map(|text| Text::shared(text, body)),
            key: frame.key.map(|text| Text::shared(text, body)),
            payload: frame.payload.share(body),
        }
    }

    /// What the message counts for in a queue that is bounded in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let text = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.0.len());
        self.payload.bytes().len() + text(&self.publisher) + text(&self.key)
    }
}

/// A stretch of a channel that the subscription did not get. Messages before it and behind it are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The last place before it, where that is known.
    pub from: Option<Position>,
    /// The last place in it: the next message comes after this one. Under another epoch than `from`, how much is
    /// missing is not known.
    pub to: Position,
    /// Why. Several gaps in a row are told as one, from the first's beginning, for the last one's reason.
    pub why: GapWhy,
}

/// Why messages are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapWhy {
    /// The channel's history no longer reaches back to where the subscription was.
    NotRecoverable,
    /// The channel was born again, as after a restart of the broker: its offsets began anew.
    NewEpoch,
    /// The broker dropped messages for this subscription while it went on.
    Reset,
    /// The reader of this subscription was slower than the channel, and its queue was full.
    SlowConsumer,
}

impl fmt::Display for GapWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRecoverable => "the history no longer reaches back",
            Self::NewEpoch => "the channel started anew",
            Self::Reset => "the broker dropped messages",
            Self::SlowConsumer => "the reader was too slow",
        })
    }
}

/// Why a subscription ended for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// After a reconnection the broker refused to subscribe the channel again.
    #[error("the broker refused to subscribe again: {0}")]
    Refused(Failure),
    /// The client has closed.
    #[error("the client has closed: {0}")]
    Closed(Reason),
}

/// A text that shares the memory of the frame that brought it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(Bytes);

impl Text {
    fn shared(text: &str, body: &Bytes) -> Self {
        Self(body.slice_ref(text.as_bytes()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the bytes were a text when they were taken")
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
