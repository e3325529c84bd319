//! A raw peer and its witness: whatever is heard is noted; nothing is heard that the test did not ask for.

use std::collections::BTreeMap;

use callboard_protocol::frame::{
    Answer, ClientFrame, Goodbye, ServerFrame, Start, SubscribeOptions, Subscribed, Unsubscribe,
};
use callboard_protocol::{ChannelId, Offset, Payload, Position, RequestId};

use crate::checker::Ear;
use crate::{Peer, Seen};

/// A raw peer whose deliveries are noted as they are heard.
#[derive(Debug)]
pub struct Listener {
    /// What was heard.
    pub seen: Seen,
    /// The peer, for whatever else it is to say.
    pub peer: Peer,
    ear: Ear,
    places: BTreeMap<ChannelId, Place>,
    is_online: bool,
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
        let seen = Seen::new(witness);
        let mut ear = Ear::of(&seen);
        ear.welcomed();
        Self { seen, peer, ear, places: BTreeMap::new(), is_online: true }
    }

    /// Comes back with another peer that has said nothing yet, as the same client: it has seen what this one has.
    pub async fn again(mut self, mut peer: Peer) -> Self {
        peer.instance = self.peer.instance;
        if self.is_online {
            self.ear.cut_off();
        }
        peer.hello().await;
        self.ear.welcomed();
        Self { peer, is_online: true, ..self }
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
        let subscription = self.ear.subscribing(channel, start, options);
        let subscribed = self.peer.try_subscribe(channel, start, options).await;
        let subscribed = subscribed.unwrap_or_else(|failure| panic!("no subscription to {channel}: {failure:?}"));
        self.ear.subscribed(subscription, &subscribed);
        let before = subscribed.next.value().saturating_sub(1);
        let position = Position { offset: Offset::saturating(before), ..subscribed.position };
        let place = self.places.entry(subscribed.channel).or_insert(Place { messages: 0, position });
        place.position = position;
        subscribed
    }

    /// Ends a subscription; what is on its way meanwhile is noted.
    pub async fn unsubscribe(&mut self, channel: &str) {
        let request = self.peer.next_request();
        self.ear.leaving(channel);
        self.peer.send(&ClientFrame::Unsubscribe(Unsubscribe { request, channel })).await;
        let done = ServerFrame::Ok { request, answer: Answer::Done };
        loop {
            let body = self.peer.receive().await;
            if body.frame() == done {
                self.ear.left(channel);
                return;
            }
            self.note(&body.frame());
        }
    }

    /// Publishes under a number of its own (0 is none), and gives the request that its answer will have.
    pub async fn send_publish(&mut self, sequence: u64, channel: &str, payload: impl Into<Payload>) -> RequestId {
        let payload = payload.into();
        let request = self.peer.request_after_this();
        self.ear.publishing(request, sequence, channel, &payload);
        let sent = self.peer.send_publish(sequence, channel, payload).await;
        debug_assert_eq!(sent, request, "a publish takes the next request");
        sent
    }

    /// Publishes and hears on until that is answered.
    ///
    /// # Panics
    ///
    /// If it is refused, or the broker says goodbye instead.
    pub async fn publish(&mut self, channel: &str, payload: impl Into<Payload>) -> Position {
        let asked = self.send_publish(0, channel, payload).await;
        loop {
            let (request, position) = self.answered().await;
            if request == asked {
                return position;
            }
        }
    }

    /// Hears on until a publish is answered.
    ///
    /// # Panics
    ///
    /// As [`Listener::publish`].
    pub async fn answered(&mut self) -> (RequestId, Position) {
        self.answered_or_gone().await.expect("a publish is answered before the session ends")
    }

    /// The same where the broker may well end the session instead; `None` then.
    ///
    /// # Panics
    ///
    /// If a request is refused.
    pub async fn answered_or_gone(&mut self) -> Option<(RequestId, Position)> {
        while let Ok(body) = self.peer.next().await {
            let farewell = self.note(&body.frame());
            let frame = body.frame();
            assert!(!matches!(frame, ServerFrame::Failed(_)), "an answer was expected, and the broker said {frame:?}");
            if let ServerFrame::Ok { request, answer: Answer::Published(position) } = frame {
                return Some((request, position));
            }
            if farewell.is_some() {
                break;
            }
        }
        None
    }

    /// Publishes without asking for an answer.
    pub async fn cast(&mut self, channel: &str, payload: impl Into<Payload>) {
        let payload = payload.into();
        self.ear.casting(channel, &payload);
        self.peer.cast(channel, payload).await;
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
        self.ear.hear(frame);
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
        self.is_online = false;
        Some(goodbye.into())
    }
}
