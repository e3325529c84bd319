//! What a simulated client says: greetings, wishes, publishes, and all of it again when it comes back.

use bytes::BytesMut;
use callboard_protocol::frame::{
    Authenticate, ClientFrame, Credential, Hello, Logout, Publish, Start, Subscribe, SubscribeOptions, Unsubscribe,
};
use callboard_protocol::{Payload, RequestId, Sequence};
use callboard_tests::checker::Fact;

use super::client::{Asked, Client, Subscription, Unanswered};

impl Client {
    /// Hello, then what it holds, then what was not answered.
    pub(super) fn greet(&mut self, now_ms: u64, bytes: &mut BytesMut) {
        let credential = self.credential.clone();
        let hello = ClientFrame::Hello(Hello {
            agent: "simulation",
            instance: self.instance,
            capabilities: 0,
            credential: credential.as_deref().map(apikey),
        });
        self.write(&hello, None, bytes);
        let held: Vec<u64> = self.subscriptions.keys().copied().collect();
        for number in held {
            self.ask_for(number, bytes);
        }
        let unanswered: Vec<Sequence> = self.unanswered.keys().copied().collect();
        for sequence in unanswered {
            self.log.note(now_ms, Fact::Resent { publish: self.unanswered[&sequence].publish });
            self.send(sequence, bytes);
        }
    }

    fn ask_for(&mut self, number: u64, bytes: &mut BytesMut) {
        let request = self.next_request();
        let known = &self.subscriptions[&number];
        let (channel, start) = (known.channel.clone(), known.stand.map_or(known.start, Start::Recover));
        let options = if known.exclude_own { SubscribeOptions::EXCLUDE_OWN } else { SubscribeOptions::NONE };
        let frame = ClientFrame::Subscribe(Subscribe { request, channel: &channel, start, options });
        self.write(&frame, Some(Asked::Subscribe(number)), bytes);
    }

    fn send(&mut self, sequence: Sequence, bytes: &mut BytesMut) {
        let request = self.next_request();
        let Unanswered { channel, payload, .. } = &self.unanswered[&sequence];
        let (channel, payload) = (channel.clone(), payload.clone());
        let frame = publish(request, sequence, &channel, &payload);
        self.write(&frame, Some(Asked::Publish(sequence)), bytes);
    }

    pub(super) fn subscribe(
        &mut self,
        channel: &str,
        start: Start,
        exclude_own: bool,
        now_ms: u64,
        bytes: &mut BytesMut,
    ) {
        if self.holds(channel) {
            return;
        }
        let (number, channel) = (self.number(), channel.to_owned());
        self.log.note(now_ms, Fact::Subscribing { subscription: number, channel: channel.clone(), start, exclude_own });
        let known =
            Subscription { channel, start, exclude_own, stand: None, live: false, began: false, leaving: false };
        self.subscriptions.insert(number, known);
        self.ask_for(number, bytes);
    }

    pub(super) fn unsubscribe(&mut self, channel: &str, now_ms: u64, bytes: &mut BytesMut) {
        let held = self.subscriptions.iter_mut().find(|(_, known)| !known.leaving && known.channel == channel);
        let Some((&number, known)) = held else { return };
        known.leaving = true;
        self.log.note(now_ms, Fact::Leaving { subscription: number });
        let request = self.next_request();
        let frame = ClientFrame::Unsubscribe(Unsubscribe { request, channel });
        self.write(&frame, Some(Asked::Unsubscribe(number)), bytes);
    }

    /// Asks again for the ends that were refused for now.
    pub(super) fn leave_again(&mut self, bytes: &mut BytesMut) {
        for number in std::mem::take(&mut self.to_leave) {
            let channel = self.subscriptions[&number].channel.clone();
            let request = self.next_request();
            let frame = ClientFrame::Unsubscribe(Unsubscribe { request, channel: &channel });
            self.write(&frame, Some(Asked::Unsubscribe(number)), bytes);
        }
    }

    /// Publishes what is to be stored once and answered.
    pub(super) fn publish(&mut self, channel: &str, payload: Payload, now_ms: u64, bytes: &mut BytesMut) {
        let number = self.number();
        let (publish, channel) = (number, channel.to_owned());
        self.log.note(now_ms, Fact::Published { publish, channel: channel.clone(), payload: payload.clone() });
        let sequence = Sequence::saturating(number);
        self.unanswered.insert(sequence, Unanswered { publish, channel, payload });
        self.send(sequence, bytes);
    }

    /// Publishes what is sent once, with an answer or without.
    pub(super) fn cast(&mut self, channel: &str, payload: &Payload, answered: bool, now_ms: u64, bytes: &mut BytesMut) {
        self.log.note(now_ms, Fact::Cast { channel: channel.to_owned(), payload: payload.clone() });
        let request = if answered { self.next_request() } else { RequestId::ZERO };
        self.write(&publish(request, Sequence::ZERO, channel, payload), Some(Asked::Other), bytes);
    }

    pub(super) fn authenticate(&mut self, secret: &str, bytes: &mut BytesMut) {
        let request = self.next_request();
        let frame = ClientFrame::Authenticate(Authenticate { request, credential: apikey(secret) });
        self.write(&frame, Some(Asked::Other), bytes);
    }

    pub(super) fn logout(&mut self, bytes: &mut BytesMut) {
        let request = self.next_request();
        self.write(&ClientFrame::Logout(Logout { request }), Some(Asked::Other), bytes);
    }
}

fn apikey(secret: &str) -> Credential<'_> {
    Credential { strategy: "apikey", secret }
}

fn publish<'a>(request: RequestId, sequence: Sequence, channel: &'a str, payload: &'a Payload) -> ClientFrame<'a> {
    ClientFrame::Publish(Publish { request, sequence, channel, key: None, payload: payload.borrowed() })
}
