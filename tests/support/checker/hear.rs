//! What a raw peer says and hears, put in its place in the peer's log; judged elsewhere.

use std::collections::HashMap;

use callboard_protocol::frame::{Answer, ServerFrame, Start, SubscribeOptions, Subscribed};
use callboard_protocol::{ChannelId, Offset, Payload, Position, RequestId};

use super::log::Fact;
use super::seen::Seen;

/// What is to be known of a raw peer's sessions to understand what it hears.
#[derive(Debug)]
pub struct Ear {
    seen: Seen,
    /// Subscriptions by the numbers of their channels, each with the place of what was heard last.
    channels: HashMap<ChannelId, (u64, Position)>,
    /// Where subscriptions stood when the session before this one ended.
    stood: HashMap<u64, Position>,
    /// The last subscription of each channel, unless it was left.
    held: HashMap<String, u64>,
    /// Publishes by the requests of this session that are to answer them, and by their sequences.
    asked: HashMap<RequestId, u64>,
    sent: HashMap<u64, u64>,
}

impl Ear {
    /// One who has heard nothing.
    #[must_use]
    pub fn of(seen: &Seen) -> Self {
        Self {
            seen: seen.clone(),
            channels: HashMap::new(),
            stood: HashMap::new(),
            held: HashMap::new(),
            asked: HashMap::new(),
            sent: HashMap::new(),
        }
    }

    /// A session is open.
    pub fn welcomed(&mut self) {
        self.stood.extend(self.channels.drain().map(|(_, stands)| stands));
        self.asked.clear();
        self.seen.note(Fact::Connected);
    }

    /// The session is over, and nobody said so.
    pub fn cut_off(&mut self) {
        self.seen.note(Fact::Disconnected { code: None });
    }

    /// A channel is to be subscribed. A recovery from where the last subscription of the channel stands goes on with it,
    /// unless it was left. Gives the subscription's number.
    pub fn subscribing(&mut self, channel: &str, start: Start, options: SubscribeOptions) -> u64 {
        if let Some(held) = self.held.get(channel).copied() {
            if matches!(start, Start::Recover(place) if self.stood.get(&held) == Some(&place)) {
                return held;
            }
            // The session that had it is gone, and the new one asks for something else.
            self.seen.note(Fact::Left { subscription: held });
        }
        let exclude_own = options.contains(SubscribeOptions::EXCLUDE_OWN);
        let subscription = self.seen.subscribing(channel, start, exclude_own);
        self.held.insert(channel.to_owned(), subscription);
        subscription
    }

    /// The broker answered a subscription.
    pub fn subscribed(&mut self, subscription: u64, subscribed: &Subscribed) {
        let before = Offset::saturating(subscribed.next.value().saturating_sub(1));
        let at = Position { offset: before, ..subscribed.position };
        self.seen.note(Fact::Began { subscription, at, recovered: subscribed.recovered });
        self.channels.insert(subscribed.channel, (subscription, at));
    }

    /// The broker refused a subscription.
    pub fn denied(&mut self, channel: &str) {
        if let Some(subscription) = self.held.remove(channel) {
            self.seen.note(Fact::Denied { subscription });
        }
    }

    /// A channel is to be left.
    pub fn leaving(&mut self, channel: &str) {
        if let Some(subscription) = self.held.get(channel).copied() {
            self.seen.note(Fact::Leaving { subscription });
        }
    }

    /// A channel was left.
    pub fn left(&mut self, channel: &str) {
        if let Some(subscription) = self.held.remove(channel) {
            self.seen.note(Fact::Left { subscription });
        }
    }

    /// A publish is to be sent under a number of its publisher's (0 is none); `request` will answer it.
    pub fn publishing(&mut self, request: RequestId, sequence: u64, channel: &str, payload: &Payload) {
        if let Some(publish) = self.sent.get(&sequence).copied() {
            self.seen.note(Fact::Resent { publish });
            self.asked.insert(request, publish);
            return;
        }
        let (publish, channel) = (self.seen.number(), channel.to_owned());
        self.seen.note(Fact::Published { publish, channel, payload: payload.clone() });
        self.asked.insert(request, publish);
        if sequence != 0 {
            self.sent.insert(sequence, publish);
        }
    }

    /// A publish is to be sent that nothing answers.
    pub fn casting(&mut self, channel: &str, payload: &Payload) {
        self.seen.note(Fact::Cast { channel: channel.to_owned(), payload: payload.clone() });
    }

    /// Something was heard.
    ///
    /// # Panics
    ///
    /// If it is about a channel's number that was never given: a broker names a channel before it delivers.
    pub fn hear(&mut self, frame: &ServerFrame<'_>) {
        match frame {
            ServerFrame::Named(named) => {
                let subscription = self.subscribing(named.name, Start::Live, SubscribeOptions::NONE);
                self.seen.note(Fact::Began { subscription, at: named.position, recovered: true });
                self.channels.insert(named.channel, (subscription, named.position));
            }
            ServerFrame::Message(message) => self.deliver(message.channel, message.offset, message.payload.to_owned()),
            ServerFrame::Event(event) => self.deliver(event.channel, event.offset, event.payload.to_owned()),
            ServerFrame::Skipped(skipped) => {
                let through = skipped.through;
                let (subscription, last) = self.standing(skipped.channel);
                last.offset = through;
                self.seen.note(Fact::Skipped { subscription, through });
            }
            ServerFrame::Reset(reset) => {
                let at = reset.position;
                let (subscription, last) = self.standing(reset.channel);
                *last = at;
                self.seen.note(Fact::Gap { subscription, at });
            }
            ServerFrame::Ok { request, answer: Answer::Published(position) } => {
                if let Some(publish) = self.asked.get(request).copied() {
                    self.seen.note(Fact::Acknowledged { publish, position: *position });
                }
            }
            ServerFrame::Failed(failed) => {
                if let Some(publish) = self.asked.get(&failed.request).copied() {
                    self.seen.note(Fact::Refused { publish });
                }
            }
            ServerFrame::Goodbye(goodbye) => self.seen.note(Fact::Disconnected { code: Some(goodbye.code) }),
            ServerFrame::Suspended(_) => self.seen.note(Fact::Disconnected { code: None }),
            ServerFrame::Welcome(_)
            | ServerFrame::Ping(_)
            | ServerFrame::Ok { .. }
            | ServerFrame::Membership(_)
            | ServerFrame::Resumed(_)
            | ServerFrame::Invoke(_) => {}
        }
    }

    fn deliver(&mut self, channel: ChannelId, offset: Offset, payload: Payload) {
        let (subscription, last) = self.standing(channel);
        last.offset = offset;
        let position = *last;
        self.seen.note(Fact::Message { subscription, position, payload });
    }

    fn standing(&mut self, channel: ChannelId) -> (u64, &mut Position) {
        let known = self.channels.get_mut(&channel);
        let (subscription, last) =
            known.unwrap_or_else(|| panic!("a delivery of channel {channel}, which has no name"));
        (*subscription, last)
    }
}
