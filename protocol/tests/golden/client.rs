//! Every client frame, every option and every choice in it, under the names of `vectors/frames.json`.

use callboard_protocol::frame::{
    Authenticate, Call, ClientFrame, Credential, Emit, Goodbye, Hello, Introduce, Logout, Outcome, Pong, Provide,
    Publish, Return, Start, Subscribe, SubscribeOptions, Unsubscribe, Withdraw,
};
use callboard_protocol::limits::INTEGER_MAX;
use callboard_protocol::{CallId, Epoch, Millis, Nonce, Offset, PayloadRef, Position, RequestId, Sequence};

const INSTANCE: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xff];

/// Longer than 127 bytes, so that its length takes two.
const LONG: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123",
    "0123456789012345678901234567890123456789012345678901234567890123",
);

const fn request(number: u64) -> RequestId {
    RequestId::saturating(number)
}

/// The named frames.
pub(crate) fn client_frames() -> Vec<(&'static str, ClientFrame<'static>)> {
    [session_frames(), channel_frames(), publishes(), service_frames(), introductions()].concat()
}

fn session_frames() -> Vec<(&'static str, ClientFrame<'static>)> {
    let hello = Hello { agent: "callboard-client/0.1.0", instance: INSTANCE, capabilities: 0, credential: None };
    let credential = Credential { strategy: "apikey", secret: "feed.s3cret" };
    vec![
        ("hello", ClientFrame::Hello(hello)),
        ("hello_credential", ClientFrame::Hello(Hello { credential: Some(credential), ..hello })),
        (
            "hello_widest",
            ClientFrame::Hello(Hello { agent: "", instance: [0xff; 16], capabilities: u32::MAX, ..hello }),
        ),
        ("client_goodbye", ClientFrame::Goodbye(Goodbye { code: 4000, sentence: "", retry_after: None })),
        (
            "client_goodbye_retry",
            ClientFrame::Goodbye(Goodbye {
                code: u16::MAX,
                sentence: "until later",
                retry_after: Some(Millis::saturating(1500)),
            }),
        ),
        ("pong", ClientFrame::Pong(Pong { nonce: Nonce::saturating(300) })),
        ("pong_largest", ClientFrame::Pong(Pong { nonce: Nonce::saturating(INTEGER_MAX) })),
        ("authenticate", ClientFrame::Authenticate(Authenticate { request: request(1), credential })),
        ("logout", ClientFrame::Logout(Logout { request: request(2) })),
    ]
}

fn channel_frames() -> Vec<(&'static str, ClientFrame<'static>)> {
    let subscribe =
        Subscribe { request: request(3), channel: "demo/hello", start: Start::Live, options: SubscribeOptions::NONE };
    let position = Position { epoch: Epoch::saturating(0x1_0000_0001), offset: Offset::saturating(41) };
    vec![
        ("subscribe", ClientFrame::Subscribe(subscribe)),
        ("subscribe_recover", ClientFrame::Subscribe(Subscribe { start: Start::Recover(position), ..subscribe })),
        ("subscribe_rewind", ClientFrame::Subscribe(Subscribe { start: Start::Rewind(100), ..subscribe })),
        ("subscribe_rewind_most", ClientFrame::Subscribe(Subscribe { start: Start::Rewind(u32::MAX), ..subscribe })),
        (
            "subscribe_exclude_own",
            ClientFrame::Subscribe(Subscribe {
                channel: "grüße/😀",
                options: SubscribeOptions::EXCLUDE_OWN,
                ..subscribe
            }),
        ),
        (
            "subscribe_unknown_options",
            ClientFrame::Subscribe(Subscribe { options: SubscribeOptions(u32::MAX), ..subscribe }),
        ),
        ("unsubscribe", ClientFrame::Unsubscribe(Unsubscribe { request: request(4), channel: "demo/hello" })),
    ]
}

fn publishes() -> Vec<(&'static str, ClientFrame<'static>)> {
    let publish = Publish {
        request: request(7),
        sequence: Sequence::saturating(1),
        channel: "demo/hello",
        key: None,
        payload: PayloadRef::text("hi"),
    };
    let unanswered = Publish { request: RequestId::ZERO, sequence: Sequence::ZERO, ..publish };
    vec![
        ("publish", ClientFrame::Publish(publish)),
        ("publish_json", ClientFrame::Publish(Publish { payload: PayloadRef::json("{\"a\":1}"), ..publish })),
        ("publish_binary", ClientFrame::Publish(Publish { payload: PayloadRef::binary(&[0, 0xff]), ..publish })),
        ("publish_empty", ClientFrame::Publish(Publish { payload: PayloadRef::text(""), ..publish })),
        ("publish_long", ClientFrame::Publish(Publish { payload: PayloadRef::text(LONG), ..publish })),
        ("publish_key", ClientFrame::Publish(Publish { key: Some("door-3"), ..publish })),
        ("publish_empty_key", ClientFrame::Publish(Publish { key: Some(""), ..publish })),
        ("publish_unanswered", ClientFrame::Publish(unanswered)),
        (
            "publish_largest",
            ClientFrame::Publish(Publish {
                request: request(INTEGER_MAX),
                sequence: Sequence::saturating(INTEGER_MAX),
                ..publish
            }),
        ),
    ]
}

fn service_frames() -> Vec<(&'static str, ClientFrame<'static>)> {
    let failed = Outcome::Failed { code: 404, class: "not-found", sentence: "no such message", data: None };
    let failed_data = Outcome::Failed {
        code: 400,
        class: "bad-request",
        sentence: "the text is too short",
        data: Some(PayloadRef::json("{\"field\":\"text\"}")),
    };
    let returned = |call: u64, outcome| ClientFrame::Return(Return { call: CallId::saturating(call), outcome });
    vec![
        (
            "call",
            ClientFrame::Call(Call {
                request: request(8),
                service: "messages",
                method: "find",
                arguments: PayloadRef::json("{}"),
            }),
        ),
        ("provide", ClientFrame::Provide(Provide { request: request(9), service: "messages" })),
        ("withdraw", ClientFrame::Withdraw(Withdraw { request: request(10), service: "messages" })),
        ("return", returned(5, Outcome::Returned(PayloadRef::json("[]")))),
        ("return_failed", returned(6, failed)),
        ("return_failed_data", returned(1 << 32, failed_data)),
        (
            "emit",
            ClientFrame::Emit(Emit {
                request: request(11),
                service: "messages",
                event: "created",
                payload: PayloadRef::json("{\"id\":1}"),
            }),
        ),
    ]
}

fn introductions() -> Vec<(&'static str, ClientFrame<'static>)> {
    let introduce = Introduce {
        address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7],
        origin: Some("https://app.example.org"),
        credential: None,
        private: true,
        ping_interval: Millis::saturating(10_000),
        publishes: 0,
    };
    let credential = Credential { strategy: "apikey", secret: "feed.s3cret" };
    vec![
        ("introduce", ClientFrame::Introduce(introduce)),
        (
            "introduce_credential",
            ClientFrame::Introduce(Introduce { origin: None, credential: Some(credential), ..introduce }),
        ),
        (
            "introduce_publishes",
            ClientFrame::Introduce(Introduce { origin: None, credential: Some(credential), publishes: 3, ..introduce }),
        ),
        (
            "introduce_widest",
            ClientFrame::Introduce(Introduce {
                address: [0xff; 16],
                origin: Some(""),
                private: false,
                ping_interval: Millis::saturating(INTEGER_MAX),
                publishes: u32::MAX,
                ..introduce
            }),
        ),
    ]
}
