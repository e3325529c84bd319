//! A raw peer and its witness: whatever is heard is noted; nothing is heard that the test did not ask for.

use std::collections::BTreeMap;

use callboard_protocol::frame::{
    Answer, ClientFrame, Goodbye, ServerFrame, Start, SubscribeOptions, Subscribed, Unsubscribe,
};
use callboard_protocol::{ChannelId, Offset, Position};

use crate::{Peer, Seen};

/// A raw peer whose deliveries are noted as they are heard.
#[derive(Debug)]
pub struct Listener {
    /// What was heard.
    pub seen: Seen,
    /// The peer, for whatever else it is to say.
    pub peer: Peer,
    places: BTreeMap<ChannelId, Place>,
}

/// How far a listener is in a channel.
#[derive(Debug, Clone, Copy)]
struct Place {
    messages: usize,
    position: Position,
}

/// How a broker said goodbye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// The code.
    pub code: u16,
    /// How many milliseconds it asked the peer to stay away, if it did.
    pub retry_after_ms: Option<u64>,
}

impl From<&Goodbye<'_>> for Farewell {
    fn from(goodbye: &Goodbye<'_>) -> Self {
        Self { code: goodbye.code, retry_after_ms: goodbye.retry_after.map(|millis| millis.value()) }
    }
}

impl Listener {
    /// Opens the session of a peer that has said nothing yet.
    pub async fn of(witness: &str, mut peer: Peer) -> Self {
        peer.hello().await;
        Self { seen: Seen::new(witness), peer, places: BTreeMap::new() }
    }

    /// Comes back with another peer that has said nothing yet, as the same client: it has seen what this one has.
    pub async fn again(self, mut peer: Peer) -> Self {
        peer.instance = self.peer.instance;
        peer.hello().await;
        Self { peer, ..self }
    }

    /// Subscribes a channel.
    pub async fn subscribe(&mut self, channel: &str, start: Start) -> Subscribed {
        self.subscribe_with(channel, start, SubscribeOptions::NONE).await
    }

    /// Subscribes a channel with options.
    ///
    /// # Panics
    ///
    /// If the broker refuses.
    pub async fn subscribe_with(&mut self, channel: &str, start: Start, options: SubscribeOptions) -> Subscribed {
        let subscribed = self.peer.try_subscribe(channel, start, options).await;
        let subscribed = subscribed.unwrap_or_else(|failure| panic!("no subscription to {channel}: {failure:?}"));
        self.seen.subscribed(channel, &subscribed);
        let before = subscribed.next.value().saturating_sub(1);
        let position = Position { offset: Offset::saturating(before), ..subscribed.position };
        let place = self.places.entry(subscribed.channel).or_insert(Place { messages: 0, position });
        place.position = position;
        subscribed
    }

    /// Ends a subscription; what is on its way meanwhile is noted.
    pub async fn unsubscribe(&mut self, channel: &str) {
        let request = self.peer.next_request();
        self.peer.send(&ClientFrame::Unsubscribe(Unsubscribe { request, channel })).await;
        let done = ServerFrame::Ok { request, answer: Answer::Done };
        loop {
            let body = self.peer.receive().await;
            if body.frame() == done {
                return;
            }
            self.note(&body.frame());
        }
    }

    /// Hears on until this many messages of a channel came in all.
    pub async fn hear(&mut self, subscribed: &Subscribed, messages: usize) {
        while self.heard(subscribed) < messages {
            self.hear_one().await;
        }
    }

    /// Hears on until a channel has come to this offset, by messages or by what was left out on purpose.
    pub async fn hear_to(&mut self, subscribed: &Subscribed, offset: Offset) {
        while self.position(subscribed).offset < offset {
            self.hear_one().await;
        }
    }

    /// How many messages of a channel were heard.
    #[must_use]
    pub fn heard(&self, subscribed: &Subscribed) -> usize {
        self.place(subscribed).messages
    }

    /// The place up to which a channel was heard.
    #[must_use]
    pub fn position(&self, subscribed: &Subscribed) -> Position {
        self.place(subscribed).position
    }

    fn place(&self, subscribed: &Subscribed) -> Place {
        *self.places.get(&subscribed.channel).expect("a listener hears what it subscribed itself")
    }

    /// Hears one frame.
    ///
    /// # Panics
    ///
    /// If none comes in time, or it is a goodbye.
    pub async fn hear_one(&mut self) {
        if let Some(farewell) = self.hear_next().await {
            panic!("a delivery was expected, and the broker said goodbye: {farewell:?}");
        }
    }

    /// Hears everything up to the broker's goodbye.
    pub async fn hear_out(&mut self) -> Farewell {
        loop {
            if let Some(farewell) = self.hear_next().await {
                return farewell;
            }
        }
    }

    async fn hear_next(&mut self) -> Option<Farewell> {
        let body = self.peer.receive().await;
        self.note(&body.frame())
    }

    /// Notes a frame that the test took from the peer itself; gives how the broker said goodbye, if it did.
    pub fn note(&mut self, frame: &ServerFrame<'_>) -> Option<Farewell> {
        self.seen.hear(frame);
        if let ServerFrame::Message(message) = frame
            && let Some(place) = self.places.get_mut(&message.channel)
        {
            place.messages += 1;
            place.position.offset = message.offset;
        }
        if let ServerFrame::Skipped(skipped) = frame
            && let Some(place) = self.places.get_mut(&skipped.channel)
        {
            place.position.offset = skipped.through;
        }
        let ServerFrame::Goodbye(goodbye) = frame else { return None };
        Some(goodbye.into())
    }
}
