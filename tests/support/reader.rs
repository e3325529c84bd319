//! A client's subscription and its witness: whatever is read is noted; nothing is read that the test did not ask for.

use callboard_client::{Client, Event, Gap, SubscribeOptions, Subscription};
use callboard_protocol::Position;

use crate::{Seen, seen, soon};

/// A subscription whose events are noted as they are read.
#[derive(Debug)]
pub struct Reader {
    /// What was read.
    pub seen: Seen,
    subscription: Subscription,
    messages: usize,
}

impl Reader {
    /// Subscribes a channel from the next message on.
    pub async fn live(witness: &str, client: &Client, channel: &str) -> Self {
        Self::with(witness, client, channel, SubscribeOptions::default()).await
    }

    /// Subscribes a channel with options.
    ///
    /// # Panics
    ///
    /// If the broker or the client refuses.
    pub async fn with(witness: &str, client: &Client, channel: &str, options: SubscribeOptions) -> Self {
        let subscription = soon("the subscription", client.subscribe_with(channel, options)).await;
        let subscription = subscription.unwrap_or_else(|error| panic!("{witness} has no {channel}: {error}"));
        let mut seen = Seen::new(witness);
        seen.note(channel, seen::Event::Began(subscription.position()));
        Self { seen, subscription, messages: 0 }
    }

    /// The place up to which was read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.subscription.position()
    }

    /// Reads on until this many messages were read in all.
    ///
    /// # Panics
    ///
    /// If the next event does not come in time, or is the last.
    pub async fn read(&mut self, messages: usize) {
        while self.messages < messages {
            self.next().await;
        }
    }

    /// Reads on until this place of the channel's epoch, or one behind it, was read.
    ///
    /// # Panics
    ///
    /// As [`Reader::read`].
    pub async fn read_to(&mut self, position: Position) {
        while self.position().epoch != position.epoch || self.position().offset < position.offset {
            self.next().await;
        }
    }

    /// Reads one event, which must be a gap.
    ///
    /// # Panics
    ///
    /// If it is another.
    pub async fn gap(&mut self) -> Gap {
        let event = self.next().await;
        let Event::Gap(gap) = event else { panic!("a gap was expected, and the next event is {event:?}") };
        gap
    }

    /// Reads one event.
    ///
    /// # Panics
    ///
    /// If it does not come in time, or is the last.
    pub async fn next(&mut self) -> Event {
        let event = soon("the subscription's next event", self.subscription.next()).await;
        let channel = self.subscription.channel().as_str();
        match event {
            Some(Event::Message(message)) => {
                self.messages += 1;
                self.seen.note(channel, seen::Event::Message(message.position, message.payload.clone()));
                Event::Message(message)
            }
            Some(Event::Gap(gap)) => {
                self.seen.note(channel, seen::Event::Gap(gap.to));
                Event::Gap(gap)
            }
            ended => panic!("the subscription of {channel} ended: {ended:?}"),
        }
    }
}
