//! Every frame comes back as it was written, whatever its fields hold; what is not a frame never becomes one.

mod golden;

use bytes::BytesMut;
use callboard_protocol::codec::{DecodeError, Frame, decode_client, decode_server, encode, encode_stream};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{
    Answer, Authenticate, Call, ClientFrame, Credential, Emit, Event, Failed, Goodbye, Hello, Identity, Invoke, Logout,
    Membership, Message, Named, Outcome, Ping, Pong, Provide, Publish, Reset, Return, ServerFrame, Skipped, Start,
    Subscribe, SubscribeOptions, Subscribed, Unsubscribe, Welcome, Withdraw,
};
use callboard_protocol::limits::{BODY_BYTES_MAX, INTEGER_MAX};
use callboard_protocol::{
    CallId, ChannelId, ConnectionId, Epoch, EventId, Millis, Nonce, Offset, PayloadRef, Position, RequestId, Sequence,
};
use proptest::prelude::*;

use golden::{Speaker, named_vectors};

/// What the fields of one frame hold.
#[derive(Debug, Clone)]
struct Fields {
    texts: [String; 4],
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
    fn client_frames(&self) -> Vec<ClientFrame<'_>> {
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
    fn server_frames(&self) -> Vec<ServerFrame<'_>> {
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
    fn bare(integer: u64, wide: u32, code: u16) -> Self {
        let texts = [const { String::new() }; 4];
        Self { texts, integers: [integer; 4], wide, code, bytes: vec![], instance: [0; 16], flag: false, present: true }
    }

    fn bodies(&self) -> Vec<(Speaker, Vec<u8>)> {
        let client = self.client_frames().into_iter().map(|frame| (Speaker::Client, body_of(&frame)));
        client.chain(self.server_frames().into_iter().map(|frame| (Speaker::Server, body_of(&frame)))).collect()
    }
}

/// The integers at whose borders a varint gets longer or a limit ends.
fn integer() -> impl Strategy<Value = u64> {
    let edges = (0..=53).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits]).filter(|edge| *edge <= INTEGER_MAX);
    prop_oneof![prop::sample::select(edges.collect::<Vec<_>>()), 0..=INTEGER_MAX]
}

fn fields() -> impl Strategy<Value = Fields> {
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

fn body_of<F: Frame>(frame: &F) -> Vec<u8> {
    let mut body = BytesMut::new();
    encode(frame, &mut body).expect("a frame within the limit");
    body.to_vec()
}

/// What becomes of a body that is decoded and encoded again.
fn again(speaker: Speaker, body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    match speaker {
        Speaker::Client => decode_client(body).map(|frame| body_of(&frame)),
        Speaker::Server => decode_server(body).map(|frame| body_of(&frame)),
    }
}

proptest! {
    #[test]
    fn every_frame_comes_back_as_it_was(fields in fields()) {
        for frame in fields.client_frames() {
            let body = body_of(&frame);
            prop_assert_eq!(decode_client(&body), Ok(frame));
        }
        for frame in fields.server_frames() {
            let body = body_of(&frame);
            prop_assert_eq!(decode_server(&body), Ok(frame));
        }
    }

    #[test]
    fn a_stream_gives_its_frames_back_however_it_is_chunked(
        fields in prop::collection::vec(fields(), 1..3),
        chunks in prop::collection::vec(1..2000_usize, 1..20),
    ) {
        let mut stream = BytesMut::new();
        let mut bodies = Vec::new();
        for frame in fields.iter().flat_map(Fields::client_frames) {
            encode_stream(&frame, &mut stream).expect("a frame within the limit");
            bodies.push(body_of(&frame));
        }
        let mut deframer = Deframer::new(BODY_BYTES_MAX);
        let mut cut = Vec::new();
        for chunk_bytes in chunks.iter().cycle() {
            if stream.is_empty() {
                break;
            }
            let chunk = stream.split_to(stream.len().min(*chunk_bytes)).freeze();
            deframer.handle_bytes(chunk);
            while let Some(body) = deframer.poll_body().expect("a good stream") {
                cut.push(body.to_vec());
            }
        }
        prop_assert_eq!(cut, bodies);
        prop_assert!(!deframer.is_mid_frame());
    }

    #[test]
    fn bytes_at_random_are_refused_or_come_back_as_they_were(body in prop::collection::vec(any::<u8>(), 0..64)) {
        for speaker in [Speaker::Client, Speaker::Server] {
            if let Ok(again) = again(speaker, &body) {
                prop_assert_eq!(&again, &body);
            }
        }
    }
}

#[test]
fn no_beginning_of_a_frame_is_a_frame() {
    for vector in named_vectors() {
        for end in 0..vector.body.len() {
            let found = again(vector.speaker, &vector.body[..end]);
            assert_eq!(found, Err(DecodeError::Truncated), "the first {end} bytes of {}", vector.name);
        }
    }
}

#[test]
fn a_frame_with_any_byte_changed_is_refused_or_is_another_frame() {
    for vector in named_vectors() {
        for at in 0..vector.body.len() {
            for value in (0..=u8::MAX).filter(|value| *value != vector.body[at]) {
                let mut body = vector.body.clone();
                body[at] = value;
                if let Ok(again) = again(vector.speaker, &body) {
                    assert_eq!(again, body, "{} with {value:02x} at {at}", vector.name);
                }
            }
        }
    }
}

#[test]
fn a_frame_with_any_byte_behind_it_is_refused() {
    for vector in named_vectors() {
        for byte in 0..=u8::MAX {
            let body = [&vector.body[..], &[byte]].concat();
            assert_eq!(again(vector.speaker, &body), Err(DecodeError::Trailing { bytes: 1 }), "{}", vector.name);
        }
    }
}

/// Puts each of `edges` in the place of every `largest` in every frame, one at a time.
fn at_every_place(fields: &Fields, largest: u64, edges: &[(u64, bool)]) -> usize {
    let largest = varint(largest);
    let mut places = 0;
    for (speaker, body) in fields.bodies() {
        for at in (0..body.len()).filter(|at| body[*at..].starts_with(&largest)) {
            places += 1;
            let replaced = |by: &[u8]| [&body[..at], by, &body[at + largest.len()..]].concat();
            for (edge, legal) in edges {
                let body = replaced(&varint(*edge));
                let expected = if *legal { Ok(body.clone()) } else { Err(DecodeError::Invalid) };
                assert_eq!(again(speaker, &body), expected, "{edge} at {at} of {body:02x?}");
            }
            let mut overlong = varint(5);
            overlong[0] |= 0x80;
            overlong.push(0);
            assert_eq!(again(speaker, &replaced(&overlong)), Err(DecodeError::Overlong), "at {at} of {body:02x?}");
        }
    }
    places
}

fn varint(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

#[test]
fn every_integer_field_ends_at_two_to_the_fifty_three_minus_one() {
    let legal =
        [0, 1, 127, 128, (1 << 31) - 1, 1 << 31, 1 << 32, INTEGER_MAX - 1, INTEGER_MAX].map(|edge| (edge, true));
    let illegal = [INTEGER_MAX + 1, 1 << 54, 1 << 63, u64::MAX].map(|edge| (edge, false));
    let places = at_every_place(&Fields::bare(INTEGER_MAX, 1, 1), INTEGER_MAX, &[&legal[..], &illegal[..]].concat());
    assert_eq!(places, 75, "every integer of every frame was tried");
}

#[test]
fn every_narrow_integer_field_ends_at_its_width() {
    let legal = [0, 1, (1 << 31) - 1, 1 << 31, u64::from(u32::MAX) - 1].map(|edge| (edge, true));
    let illegal = [1 << 32, 1 << 33, INTEGER_MAX, u64::MAX].map(|edge| (edge, false));
    let edges = [&legal[..], &illegal[..]].concat();
    assert_eq!(at_every_place(&Fields::bare(1, u32::MAX, 1), u64::from(u32::MAX), &edges), 8);
    let edges = [(0, true), (4000, true), (1 << 15, true), (1 << 16, false), (1 << 32, false), (u64::MAX, false)];
    assert_eq!(at_every_place(&Fields::bare(1, 1, u16::MAX), u64::from(u16::MAX), &edges), 4);
}
