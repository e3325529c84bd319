//! A witness: what one subscriber saw of its channels, and whether that was whole, in order and told; never what it should say.
//!
//! The invariants are those of every promise about deliveries: within a channel and an epoch offsets are dense,
//! ascending and not repeated; what is missing was told; and two witnesses never saw different bytes at one place.

mod hear;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::fmt;

use callboard_protocol::{ChannelId, Offset, Payload, Position};

use walk::Walk;

/// Something that a subscriber saw on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The subscription began, or began again after a reconnection; the next message is the one after this position.
    Began(Position),
    /// A message, at its place.
    Message(Position, Payload),
    /// Messages up to and with this offset were left out on purpose.
    Skipped(Offset),
    /// Messages were lost, and the subscriber was told so; it goes on after this position.
    Gap(Position),
}

/// What one subscriber saw, channel by channel, in its order.
#[derive(Debug, Clone)]
pub struct Seen {
    witness: String,
    channels: BTreeMap<String, Vec<Event>>,
    /// What a raw peer was told about the numbers of channels: the name, and the position of what it heard last.
    numbers: BTreeMap<ChannelId, (String, Position)>,
}

/// What a witness saw wrong, one sentence each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl Seen {
    /// A witness of this name, which has seen nothing.
    #[must_use]
    pub fn new(witness: impl Into<String>) -> Self {
        Self { witness: witness.into(), channels: BTreeMap::new(), numbers: BTreeMap::new() }
    }

    /// Notes what was seen on a channel.
    pub fn note(&mut self, channel: &str, event: Event) {
        self.channels.entry(channel.to_owned()).or_default().push(event);
    }

    /// What was seen on a channel.
    #[must_use]
    pub fn events(&self, channel: &str) -> &[Event] {
        self.channels.get(channel).map_or(&[], Vec::as_slice)
    }

    /// The messages that were seen on a channel.
    #[must_use]
    pub fn messages(&self, channel: &str) -> Vec<&Payload> {
        Walk::along(self.events(channel)).places.into_iter().map(|(_, payload)| payload).collect()
    }

    /// How many gaps were told on a channel.
    #[must_use]
    pub fn gaps(&self, channel: &str) -> usize {
        self.events(channel).iter().filter(|event| matches!(event, Event::Gap(_))).count()
    }

    /// Holes that nobody told of, repeats, reorderings, and messages of a channel that was never begun.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let faults = self.channels.iter().flat_map(|(channel, events)| {
            let faults = Walk::along(events).faults.into_iter();
            faults.map(move |fault| format!("{} on {channel}: {fault}", self.witness))
        });
        Faults(faults.collect())
    }

    /// # Panics
    ///
    /// If anything was missing untold, repeated or out of order.
    #[track_caller]
    pub fn assert_in_order(&self) {
        let faults = self.faults();
        assert!(faults.0.is_empty(), "{faults}");
    }

    /// # Panics
    ///
    /// If anything was missing at all on the channel, told or not, or if the messages are others than these.
    #[track_caller]
    pub fn assert_whole<P: Into<Payload>>(&self, channel: &str, published: impl IntoIterator<Item = P>) {
        self.assert_in_order();
        let published: Vec<Payload> = published.into_iter().map(Into::into).collect();
        let seen = self.messages(channel);
        let agree = seen.iter().zip(&published).take_while(|(seen, published)| **seen == *published).count();
        assert!(
            agree == seen.len() && agree == published.len() && self.gaps(channel) == 0,
            "{} on {channel}: saw {} of {} messages with {} gaps; the first {agree} agree, then {:?} was published and {:?} seen",
            self.witness,
            seen.len(),
            published.len(),
            self.gaps(channel),
            published.get(agree),
            seen.get(agree),
        );
    }

    fn places(&self) -> impl Iterator<Item = (&str, Position, &Payload)> {
        self.channels.iter().flat_map(|(channel, events)| {
            let walk = Walk::along(events);
            walk.places.into_iter().map(move |(position, payload)| (channel.as_str(), position, payload))
        })
    }
}

/// Places where two witnesses saw different bytes.
#[must_use]
pub fn disagreements<'a>(witnesses: impl IntoIterator<Item = &'a Seen>) -> Faults {
    let mut first = BTreeMap::new();
    let mut faults = Vec::new();
    for seen in witnesses {
        for (channel, position, payload) in seen.places() {
            let place = (channel, position.epoch, position.offset);
            let (witness, before) = *first.entry(place).or_insert((&seen.witness, payload));
            if before != payload {
                let other = &seen.witness;
                faults.push(format!("{channel} at {position}: {witness} saw {before:?}, {other} saw {payload:?}"));
            }
        }
    }
    Faults(faults)
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}
