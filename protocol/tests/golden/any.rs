//! Every frame in every shape with anything in its fields, for tests of whatever reads and writes frames.

use callboard_protocol::frame::{
    Answer, Authenticate, Call, ClientFrame, Credential, Emit, Event, Failed, Goodbye, Hello, Identity, Introduce,
    Invoke, Logout, Membership, Message, Named, Outcome, Ping, Pong, Provide, Publish, Reset, Resumed, Return,
    ServerFrame, Skipped, Start, Subscribe, SubscribeOptions, Subscribed, Suspended, Unsubscribe, Welcome, Withdraw,
};
use callboard_protocol::limits::INTEGER_MAX;
use callboard_protocol::{
    CallId, ChannelId, ConnectionId, Epoch, EventId, Millis, Nonce, Offset, PayloadRef, Position, RequestId, Sequence,
};
use proptest::prelude::*;

/// What the fields of one frame hold.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) texts: [String; 4],
    integers: [u64; 4],
    wide: u32,
    code: u16,
    bytes: Vec<u8>,
    instance: [u8; 16],
    flag: bool,
    present: bool,
}

impl Fields {
    fn position(&self) -> Position {
        let [.., epoch, offset] = self.integers;
        Position { epoch: Epoch::saturating(epoch), offset: Offset::saturating(offset) }
    }

    fn payloads(&self) -> [PayloadRef<'_>; 3] {
        [PayloadRef::text(&self.texts[3]), PayloadRef::json(&self.texts[3]), PayloadRef::binary(&self.bytes)]
    }

    fn credential(&self) -> Credential<'_> {
        Credential { strategy: &self.texts[0], secret: &self.texts[1] }
    }

    fn identity(&self) -> Option<Identity<'_>> {
        self.present.then_some(Identity { strategy: &self.texts[0], key: &self.texts[1] })
    }

    fn data(&self) -> Option<PayloadRef<'_>> {
        self.present.then(|| self.payloads()[usize::from(self.code) % 3])
    }

    fn goodbye(&self) -> Goodbye<'_> {
        let retry_after = self.present.then_some(Millis::saturating(self.integers[0]));
        Goodbye { code: self.code, sentence: &self.texts[0], retry_after }
    }

    /// Every client frame, in every shape.
    pub(crate) fn client_frames(&self) -> Vec<ClientFrame<'_>> {
        let [first, second, ..] = self.integers;
        let [a, b, c, _] = [0, 1, 2, 3].map(|index| self.texts[index].as_str());
        let request = RequestId::saturating(first);
        let options = SubscribeOptions(self.wide);
        let credential = self.present.then_some(self.credential());
        let failed = Outcome::Failed { code: self.code, class: a, sentence: b, data: self.data() };
        let call = CallId::saturating(first);
        let mut frames = vec![
            ClientFrame::Hello(Hello { agent: c, instance: self.instance, capabilities: self.wide, credential }),
            ClientFrame::Goodbye(self.goodbye()),
            ClientFrame::Pong(Pong { nonce: Nonce::saturating(first) }),
            ClientFrame::Authenticate(Authenticate { request, credential: self.credential() }),
            ClientFrame::Logout(Logout { request }),
            ClientFrame::Unsubscribe(Unsubscribe { request, channel: a }),
            ClientFrame::Provide(Provide { request, service: a }),
            ClientFrame::Withdraw(Withdraw { request, service: a }),
            ClientFrame::Return(Return { call, outcome: failed }),
            ClientFrame::Introduce(Introduce {
                address: self.instance,
                origin: self.present.then_some(c),
                credential,
                private: self.flag,
                ping_interval: Millis::saturating(second),
                publishes: self.wide,
            }),
        ];
        for start in [Start::Live, Start::Recover(self.position()), Start::Rewind(self.wide)] {
            frames.push(ClientFrame::Subscribe(Subscribe { request, channel: a, start, options }));
        }
        for payload in self.payloads() {
            let (sequence, key) = (Sequence::saturating(second), self.present.then_some(b));
            frames.push(ClientFrame::Publish(Publish { request, sequence, channel: a, key, payload }));
            frames.push(ClientFrame::Call(Call { request, service: a, method: b, arguments: payload }));
            frames.push(ClientFrame::Return(Return { call, outcome: Outcome::Returned(payload) }));
            frames.push(ClientFrame::Emit(Emit { request, service: a, event: b, payload }));
        }
        frames
    }

    /// Every broker frame, in every shape.
    pub(crate) fn server_frames(&self) -> Vec<ServerFrame<'_>> {
        let [first, second, third, _] = self.integers;
        let [a, b, c, _] = [0, 1, 2, 3].map(|index| self.texts[index].as_str());
        let (request, channel) = (RequestId::saturating(first), ChannelId::saturating(first));
        let (offset, position) = (Offset::saturating(second), self.position());
        let subscribed = Subscribed { channel, position, next: offset, recovered: self.flag };
        let mut frames = vec![
            ServerFrame::Welcome(Welcome {
                agent: c,
                connection: ConnectionId::saturating(first),
                capabilities: self.wide,
                payload_bytes_max: self.wide,
                subscriptions_max: self.wide,
                ping_interval: Millis::saturating(second),
                identity: self.identity(),
            }),
            ServerFrame::Goodbye(self.goodbye()),
            ServerFrame::Ping(Ping { nonce: Nonce::saturating(first) }),
            ServerFrame::Failed(Failed { request, code: self.code, class: a, sentence: b, data: self.data() }),
            ServerFrame::Named(Named { channel, name: a, position }),
            ServerFrame::Skipped(Skipped { channel, through: offset }),
            ServerFrame::Reset(Reset { channel, position }),
            ServerFrame::Membership(Membership { name: a, member: self.flag }),
            ServerFrame::Suspended(Suspended {
                nonce: Nonce::saturating(first),
                sentence: a,
                retry_after: self.present.then_some(Millis::saturating(second)),
            }),
            ServerFrame::Resumed(Resumed { nonce: Nonce::saturating(first) }),
        ];
        let answers = [Answer::Done, Answer::Subscribed(subscribed), Answer::Published(position)];
        let answers = answers.into_iter().chain([Answer::Identity(self.identity())]);
        frames.extend(
            answers.chain(self.payloads().map(Answer::Returned)).map(|answer| ServerFrame::Ok { request, answer }),
        );
        for payload in self.payloads() {
            let (publisher, key) = (self.flag.then_some(a), self.present.then_some(b));
            let published = Millis::saturating(third);
            let id = EventId::saturating(third);
            frames.push(ServerFrame::Message(Message { channel, offset, published, publisher, key, payload }));
            frames.push(ServerFrame::Event(Event { channel, offset, id, service: a, event: b, payload }));
            let call = CallId::saturating(first);
            let caller = self.identity();
            frames.push(ServerFrame::Invoke(Invoke { call, service: c, method: b, caller, arguments: payload }));
        }
        frames
    }

    /// Fields that hold as little as they can, but for `integer`, `wide` and `code`.
    pub(crate) fn bare(integer: u64, wide: u32, code: u16) -> Self {
        let texts = [const { String::new() }; 4];
        Self { texts, integers: [integer; 4], wide, code, bytes: vec![], instance: [0; 16], flag: false, present: true }
    }
}

/// The integers at whose borders a varint gets longer or a limit ends.
fn integer() -> impl Strategy<Value = u64> {
    let edges = (0..=53).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits]).filter(|edge| *edge <= INTEGER_MAX);
    prop_oneof![prop::sample::select(edges.collect::<Vec<_>>()), 0..=INTEGER_MAX]
}

/// Fields that hold anything.
pub(crate) fn any_fields() -> impl Strategy<Value = Fields> {
    let wide = prop_oneof![Just(0), Just(127), Just(128), Just(u32::MAX), any::<u32>()];
    let code = prop_oneof![Just(0), Just(u16::MAX), any::<u16>()];
    let texts = prop::array::uniform4(prop_oneof![".{0,40}", "\\PC{120,140}", "[\\x00-\\x1f\\u{202e}]{0,3}"]);
    let bytes = prop_oneof![prop::collection::vec(any::<u8>(), 0..300), Just(vec![0x80; 16_384])];
    (texts, prop::array::uniform4(integer()), wide, code, bytes, any::<[u8; 16]>(), any::<(bool, bool)>()).prop_map(
        |(texts, integers, wide, code, bytes, instance, (flag, present))| Fields {
            texts,
            integers,
            wide,
            code,
            bytes,
            instance,
            flag,
            present,
        },
    )
}
