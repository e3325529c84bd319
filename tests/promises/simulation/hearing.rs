//! What a simulated client does with what it hears: notes it, and fails where a client of PROTOCOL.md would end the session.

use bytes::Bytes;
use callboard_protocol::codec::{decode_server, encode};
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, Failed, ServerFrame, Start, Subscribed};
use callboard_protocol::{ChannelId, Offset, Position, RequestId};
use callboard_tests::checker::Fact;

use super::client::{Asked, Client, Subscription};

impl Client {
    pub(super) fn take_frames(&mut self, now_ms: u64) {
        while let Some(body) = self.next_body() {
            let frame = decode_server(&body).expect("a broker says frames");
            let mut again = bytes::BytesMut::new();
            encode(&frame, &mut again).expect("what was decoded is short enough");
            assert_eq!(again, body, "one frame, one encoding");
            let session = self.session.as_mut().expect("a frame comes over a session");
            session.frame_order.handle(&frame).unwrap_or_else(|violation| panic!("{frame:?}: {violation}"));
            self.take(&frame, now_ms);
        }
    }

    fn next_body(&mut self) -> Option<Bytes> {
        let session = self.session.as_mut()?;
        session.deframer.poll_body().expect("a broker's stream is cut into bodies")
    }

    fn take(&mut self, frame: &ServerFrame<'_>, now_ms: u64) {
        match frame {
            ServerFrame::Welcome(_) => {
                self.session.as_mut().expect("a welcome comes over a session").open = true;
                self.log.note(now_ms, Fact::Connected);
            }
            ServerFrame::Goodbye(goodbye) => {
                self.session.as_mut().expect("a goodbye comes over a session").goodbye = Some(goodbye.code);
            }
            ServerFrame::Ok { request, answer } => self.answered(*request, answer, now_ms),
            ServerFrame::Failed(failed) => self.failed(failed, now_ms),
            ServerFrame::Message(message) => {
                let (number, stand) = self.standing(message.channel, message.offset);
                let (position, payload) = (stand, message.payload.to_owned());
                self.log.note(now_ms, Fact::Message { subscription: number, position, payload });
            }
            ServerFrame::Skipped(skipped) => {
                let (number, _) = self.standing(skipped.channel, skipped.through);
                self.log.note(now_ms, Fact::Skipped { subscription: number, through: skipped.through });
            }
            ServerFrame::Reset(reset) => {
                let number = self.of_channel(reset.channel);
                self.subscriptions.get_mut(&number).expect("a number has its subscription").stand =
                    Some(reset.position);
                self.log.note(now_ms, Fact::Gap { subscription: number, at: reset.position });
            }
            ServerFrame::Ping(_)
            | ServerFrame::Named(_)
            | ServerFrame::Membership(_)
            | ServerFrame::Event(_)
            | ServerFrame::Invoke(_)
            | ServerFrame::Suspended(_)
            | ServerFrame::Resumed(_) => panic!("{frame:?} was not to come"),
        }
    }

    fn of_channel(&self, channel: ChannelId) -> u64 {
        let session = self.session.as_ref().expect("a delivery comes over a session");
        let known = session.channels.get(&channel);
        *known.unwrap_or_else(|| {
            panic!("{}: a delivery of channel {channel}, which was not given or is given up", self.log.name())
        })
    }

    /// Moves the channel's subscription to `offset`. Which it is, and where it stands now.
    fn standing(&mut self, channel: ChannelId, offset: Offset) -> (u64, Position) {
        let number = self.of_channel(channel);
        let known = self.subscriptions.get_mut(&number).expect("a number has its subscription");
        let stand = known.stand.as_mut().expect("what was given a number has begun");
        stand.offset = offset;
        (number, *stand)
    }

    /// What the request asked for; each is answered once.
    fn asked(&mut self, request: RequestId) -> Asked {
        let session = self.session.as_mut().expect("an answer comes over a session");
        let asked = session.asked.remove(&request);
        asked.unwrap_or_else(|| panic!("{}: request {request} was answered twice", self.log.name()))
    }

    fn answered(&mut self, request: RequestId, answer: &Answer<'_>, now_ms: u64) {
        match (self.asked(request), answer) {
            (Asked::Subscribe(number), Answer::Subscribed(subscribed)) => self.begin(number, subscribed, now_ms),
            (Asked::Unsubscribe(number), Answer::Done) => self.leave(number, now_ms),
            (Asked::Publish(sequence), Answer::Published(position)) => {
                let known = self.unanswered.remove(&sequence).expect("what is asked is unanswered");
                self.check_own_copy(&known.channel, *position);
                self.log.note(now_ms, Fact::Acknowledged { publish: known.publish, position: *position });
            }
            (Asked::Other, Answer::Published(_) | Answer::Identity(_)) => {}
            (asked, answer) => panic!("{asked:?} was answered with {answer:?}"),
        }
    }

    /// PROTOCOL.md, "Order": a publisher's own copy, or that it is skipped, comes before its answer.
    fn check_own_copy(&self, channel: &str, position: Position) {
        for known in self.subscriptions.values().filter(|known| known.began && known.live && !known.leaving) {
            let stand = known.stand.expect("what began stands somewhere");
            let is_there = known.channel != channel || stand.epoch != position.epoch || stand.offset >= position.offset;
            assert!(
                is_there,
                "{}: {position} of `{channel}` is answered, and its own copy did not come",
                self.log.name()
            );
        }
    }

    fn begin(&mut self, number: u64, subscribed: &Subscribed, now_ms: u64) {
        let Subscribed { channel, position, next, recovered } = *subscribed;
        assert!(next >= Offset::saturating(1) && next <= position.offset.next(), "{subscribed:?}");
        assert!(recovered || next == position.offset.next(), "{subscribed:?}");
        let session = self.session.as_mut().expect("an answer comes over a session");
        let before = session.channels.insert(channel, number);
        assert_eq!(before, None, "a channel's number is one subscription's");
        let known = self.subscriptions.get_mut(&number).expect("what is asked is known");
        let at = Position { epoch: position.epoch, offset: Offset::saturating(next.value() - 1) };
        if let (Some(stand), true) = (known.stand, recovered) {
            assert_eq!(at, stand, "recovery goes on where the subscription stood");
        }
        if let (Start::Rewind(wanted), None) = (known.start, known.stand) {
            let given = position.offset.value() + 1 - next.value();
            assert!(given <= u64::from(wanted), "{subscribed:?}: no more than was wanted");
        }
        (known.stand, known.began, known.live) = (Some(at), true, next > position.offset);
        self.log.note(now_ms, Fact::Began { subscription: number, at, recovered });
    }

    /// The channel of this subscription is left; so is what else of it began, if the end of that was refused before.
    fn leave(&mut self, number: u64, now_ms: u64) {
        let Some(channel) = self.subscriptions.get(&number).map(|known| known.channel.clone()) else { return };
        let is_left = |known: u64, of: &Subscription| known == number || of.began && of.channel == channel;
        let left: Vec<u64> =
            self.subscriptions.iter().filter(|(known, of)| is_left(**known, of)).map(|(known, _)| *known).collect();
        for number in left {
            let session = self.session.as_mut().expect("an answer comes over a session");
            session.channels.retain(|_, known| *known != number);
            self.to_leave.retain(|known| *known != number);
            self.subscriptions.remove(&number);
            self.log.note(now_ms, Fact::Left { subscription: number });
        }
    }

    fn failed(&mut self, failed: &Failed<'_>, now_ms: u64) {
        if failed.request == RequestId::ZERO {
            return;
        }
        match self.asked(failed.request) {
            Asked::Subscribe(number) => {
                let known = self.subscriptions.get_mut(&number).expect("what is asked is known");
                if known.leaving {
                    // The end of it is answered as well.
                    return;
                }
                self.subscriptions.remove(&number);
                self.log.note(now_ms, Fact::Denied { subscription: number });
            }
            Asked::Unsubscribe(number) if failed.class == Class::NotSubscribed.name() => self.leave(number, now_ms),
            // It may have been left with another one of the same channel meanwhile.
            Asked::Unsubscribe(number) if !self.subscriptions.contains_key(&number) => {}
            Asked::Unsubscribe(number) => self.to_leave.push(number),
            Asked::Publish(sequence) => {
                let known = self.unanswered.remove(&sequence).expect("what is asked is unanswered");
                self.log.note(now_ms, Fact::Refused { publish: known.publish });
            }
            Asked::Other => {}
        }
    }
}
