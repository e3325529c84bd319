//! A client's subscription and its witness: whatever is read is noted; nothing is read that the test did not ask for.

use callboard_client::{Client, Event, Gap, Offset, SubscribeOptions, Subscription};
use callboard_protocol::Position;
use callboard_protocol::frame::Start;

use crate::checker::Fact;
use crate::{Seen, soon};

/// A subscription whose events are noted as they are read.
#[derive(Debug)]
pub struct Reader {
    /// What was read.
    pub seen: Seen,
    subscription: Subscription,
    /// The subscription's number in what was seen.
    number: u64,
    exclude_own: bool,
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
        Self::seen_by(&Seen::new(witness), client, channel, options).await
    }

    /// The same, noted by a witness that may have more to note of this client.
    ///
    /// # Panics
    ///
    /// If the broker or the client refuses.
    pub async fn seen_by(seen: &Seen, client: &Client, channel: &str, options: SubscribeOptions) -> Self {
        let SubscribeOptions { rewind, recover_from, exclude_own, .. } = options;
        let start = match (rewind, recover_from) {
            (_, Some(position)) => Start::Recover(position),
            (Some(messages), None) => Start::Rewind(messages),
            (None, None) => Start::Live,
        };
        let number = seen.subscribing(channel, start, exclude_own);
        let subscription = soon("the subscription", client.subscribe_with(channel, options)).await;
        let subscription = subscription.unwrap_or_else(|error| panic!("no subscription to {channel}: {error}"));
        // One that was not recovered brings its gap as its first event.
        let at = recover_from.filter(|_| !subscription.recovered()).unwrap_or(subscription.position());
        seen.note(Fact::Began { subscription: number, at, recovered: true });
        Self { seen: seen.clone(), subscription, number, exclude_own, messages: 0 }
    }

    /// Leaves the channel.
    pub fn leave(self) {
        self.seen.note(Fact::Left { subscription: self.number });
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

    /// Reads what is there already, and waits for nothing more.
    ///
    /// # Panics
    ///
    /// If the last event is there.
    pub async fn read_what_is_there(&mut self) {
        loop {
            let before = self.position();
            tokio::select! {
                biased;
                event = self.subscription.next() => drop(self.take(before, event)),
                () = std::future::ready(()) => return,
            }
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
        let before = self.position();
        let event = soon("the subscription's next event", self.subscription.next()).await;
        self.take(before, event)
    }

    fn take(&mut self, before: Position, event: Option<Event>) -> Event {
        let subscription = self.number;
        match event {
            Some(Event::Message(message)) => {
                self.messages += 1;
                self.note_skipped(before, message.position);
                let (position, payload) = (message.position, message.payload.clone());
                self.seen.note(Fact::Message { subscription, position, payload });
                Event::Message(message)
            }
            Some(Event::Gap(gap)) => {
                self.seen.note(Fact::Gap { subscription, at: gap.to });
                Event::Gap(gap)
            }
            ended => panic!("the subscription of {} ended: {ended:?}", self.subscription.channel()),
        }
    }

    /// A client tells its program nothing of its own messages that the program did not want: what lies before the next
    /// one must be such.
    fn note_skipped(&self, before: Position, next: Position) {
        let through = Offset::saturating(next.offset.value().saturating_sub(1));
        if self.exclude_own && next.epoch == before.epoch && through > before.offset {
            self.seen.note(Fact::Skipped { subscription: self.number, through });
        }
    }
}
