//! The integers of the wire, each a type of its own, none above 2^53 − 1.

use serde::{Deserialize, Serialize};

use crate::limits::INTEGER_MAX;

/// An integer was above 2^53 − 1 (PROTOCOL.md, "Integers").
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is above 2^53 - 1, the largest integer on the wire")]
pub struct TooLarge(pub u64);

macro_rules! integers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// The integer `value`, if the wire can carry it.
            ///
            /// # Errors
            ///
            /// [`TooLarge`] above 2^53 − 1.
            pub const fn new(value: u64) -> Result<Self, TooLarge> {
                if value > INTEGER_MAX { Err(TooLarge(value)) } else { Ok(Self(value)) }
            }

            /// The largest integer up to `value` that the wire can carry.
            #[must_use]
            pub const fn saturating(value: u64) -> Self {
                if value > INTEGER_MAX { Self(INTEGER_MAX) } else { Self(value) }
            }

            /// The plain integer.
            #[must_use]
            pub const fn value(self) -> u64 {
                self.0
            }

            /// The integer after this one; the largest is followed by itself.
            #[must_use]
            pub const fn next(self) -> Self {
                Self::saturating(self.0 + 1)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = TooLarge;

            fn try_from(value: u64) -> Result<Self, TooLarge> {
                Self::new(value)
            }
        }

        impl From<$name> for u64 {
            fn from(integer: $name) -> Self {
                integer.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integers! {
    /// A channel's number on the wire, broker-wide and never used twice by one run of the broker. It grants nothing.
    ChannelId;
    /// One life of a channel: drawn at random at each birth, so that offsets of two lives are never compared.
    Epoch;
    /// A message's place in its channel. The first message of an epoch has offset 1; 0 is the place before it.
    Offset;
    /// A request's number, chosen by the client: ascending within a session, from 1. In a `Publish`, 0 asks for no answer.
    RequestId;
    /// A publisher's own count of its acknowledged publishes, from 1; 0 is none. With the publisher's instance it makes
    /// a publish's id.
    Sequence;
    /// A connection's number in one run of the broker.
    ConnectionId;
    /// Milliseconds: since 1970 for a point in time, or a span.
    Millis;
    /// A number that its sender chose and that comes back as it was.
    Nonce;
    /// A service event's number, so that a copy over another channel can be known for one.
    EventId;
    /// A call's number between the broker and the provider of a service.
    CallId;
}

/// A place in a channel: an offset under an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The life of the channel that the offset belongs to.
    pub epoch: Epoch,
    /// The offset of the last message up to this place.
    pub offset: Offset,
}

impl std::fmt::Display for Position {
    /// Writes `offset@epoch`, the epoch in base 16.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{:x}", self.offset, self.epoch.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_is_two_to_the_fifty_three_minus_one() {
        assert!(Offset::new(INTEGER_MAX).is_ok());
        assert_eq!(Offset::new(INTEGER_MAX + 1), Err(TooLarge(INTEGER_MAX + 1)));
        assert_eq!(Offset::saturating(u64::MAX).next().value(), INTEGER_MAX);
    }
}
