//! Every broker frame, every option and every choice in it, under the names of `vectors/frames.json`.

use callboard_protocol::frame::{
    Answer, Event, Failed, Goodbye, Identity, Invoke, Membership, Message, Named, Ping, Reset, Resumed, ServerFrame,
    Skipped, Subscribed, Suspended, Welcome,
};
use callboard_protocol::limits::INTEGER_MAX;
use callboard_protocol::{
    CallId, ChannelId, ConnectionId, Epoch, EventId, Millis, Nonce, Offset, PayloadRef, Position, RequestId,
};

const ALICE: Identity<'static> = Identity { strategy: "local", key: "user-7" };
const CHANNEL: ChannelId = ChannelId::saturating(12);
const POSITION: Position = Position { epoch: Epoch::saturating(0x1_0000_0001), offset: Offset::saturating(41) };

/// The named frames.
pub(crate) fn server_frames() -> Vec<(&'static str, ServerFrame<'static>)> {
    [session_frames(), answers(), channel_frames(), messages(), service_frames(), suspensions()].concat()
}

fn session_frames() -> Vec<(&'static str, ServerFrame<'static>)> {
    let welcome = Welcome {
        agent: "callboard/0.1.0",
        connection: ConnectionId::saturating(1),
        capabilities: 0,
        payload_bytes_max: 65536,
        subscriptions_max: 128,
        ping_interval: Millis::ZERO,
        identity: None,
    };
    let goodbye =
        Goodbye { code: 4100, sentence: "the broker is shutting down", retry_after: Some(Millis::saturating(250)) };
    vec![
        ("welcome", ServerFrame::Welcome(welcome)),
        ("welcome_pinging", ServerFrame::Welcome(Welcome { ping_interval: Millis::saturating(10_000), ..welcome })),
        ("welcome_identity", ServerFrame::Welcome(Welcome { identity: Some(ALICE), ..welcome })),
        (
            "welcome_widest",
            ServerFrame::Welcome(Welcome {
                agent: "",
                connection: ConnectionId::saturating(INTEGER_MAX),
                capabilities: u32::MAX,
                payload_bytes_max: u32::MAX,
                subscriptions_max: u32::MAX,
                ping_interval: Millis::saturating(INTEGER_MAX),
                identity: None,
            }),
        ),
        ("server_goodbye", ServerFrame::Goodbye(goodbye)),
        ("server_goodbye_no_retry", ServerFrame::Goodbye(Goodbye { code: 4400, retry_after: None, ..goodbye })),
        ("ping", ServerFrame::Ping(Ping { nonce: Nonce::saturating(300) })),
    ]
}

fn answers() -> Vec<(&'static str, ServerFrame<'static>)> {
    let ok = |answer| ServerFrame::Ok { request: RequestId::saturating(3), answer };
    let subscribed = Subscribed { channel: CHANNEL, position: POSITION, next: Offset::saturating(42), recovered: true };
    let failed = Failed {
        request: RequestId::saturating(3),
        code: 403,
        class: "forbidden",
        sentence: "you may not subscribe to this channel",
        data: None,
    };
    vec![
        ("ok_done", ok(Answer::Done)),
        ("ok_subscribed", ok(Answer::Subscribed(subscribed))),
        ("ok_subscribed_replay", ok(Answer::Subscribed(Subscribed { next: Offset::saturating(17), ..subscribed }))),
        ("ok_subscribed_lost", ok(Answer::Subscribed(Subscribed { recovered: false, ..subscribed }))),
        ("ok_published", ok(Answer::Published(POSITION))),
        ("ok_identity", ok(Answer::Identity(Some(ALICE)))),
        ("ok_identity_anonymous", ok(Answer::Identity(None))),
        ("ok_returned", ok(Answer::Returned(PayloadRef::json("[]")))),
        ("failed", ServerFrame::Failed(failed)),
        ("failed_data", ServerFrame::Failed(Failed { data: Some(PayloadRef::json("{\"limit\":10}")), ..failed })),
        (
            "failed_unanswered",
            ServerFrame::Failed(Failed {
                request: RequestId::ZERO,
                code: u16::MAX,
                class: "of-a-later-version",
                sentence: "",
                data: Some(PayloadRef::binary(&[0, 0xff])),
            }),
        ),
    ]
}

fn channel_frames() -> Vec<(&'static str, ServerFrame<'static>)> {
    let largest = Position { epoch: Epoch::saturating(INTEGER_MAX), offset: Offset::saturating(INTEGER_MAX) };
    vec![
        ("named", ServerFrame::Named(Named { channel: CHANNEL, name: "user/7", position: POSITION })),
        ("skipped", ServerFrame::Skipped(Skipped { channel: CHANNEL, through: Offset::saturating(44) })),
        ("reset", ServerFrame::Reset(Reset { channel: CHANNEL, position: POSITION })),
        ("reset_largest", ServerFrame::Reset(Reset { channel: ChannelId::saturating(INTEGER_MAX), position: largest })),
        ("membership_joined", ServerFrame::Membership(Membership { name: "user/7", member: true })),
        ("membership_left", ServerFrame::Membership(Membership { name: "user/7", member: false })),
    ]
}

fn messages() -> Vec<(&'static str, ServerFrame<'static>)> {
    let message = Message {
        channel: CHANNEL,
        offset: Offset::saturating(42),
        published: Millis::saturating(1_770_000_000_000),
        publisher: None,
        key: None,
        payload: PayloadRef::text("hi"),
    };
    vec![
        ("message", ServerFrame::Message(message)),
        ("message_publisher", ServerFrame::Message(Message { publisher: Some("user-7"), ..message })),
        ("message_key", ServerFrame::Message(Message { key: Some("door-3"), ..message })),
        ("message_json", ServerFrame::Message(Message { payload: PayloadRef::json("{\"a\":1}"), ..message })),
        (
            "message_binary",
            ServerFrame::Message(Message {
                publisher: Some("user-7"),
                key: Some(""),
                payload: PayloadRef::binary(&[0, 0xff]),
                ..message
            }),
        ),
        (
            "message_largest",
            ServerFrame::Message(Message {
                channel: ChannelId::saturating(INTEGER_MAX),
                offset: Offset::saturating(INTEGER_MAX),
                published: Millis::saturating(INTEGER_MAX),
                ..message
            }),
        ),
    ]
}

fn service_frames() -> Vec<(&'static str, ServerFrame<'static>)> {
    let invoke = Invoke {
        call: CallId::saturating(5),
        service: "messages",
        method: "get",
        caller: None,
        arguments: PayloadRef::json("{\"id\":1}"),
    };
    vec![
        (
            "event",
            ServerFrame::Event(Event {
                channel: CHANNEL,
                offset: Offset::saturating(43),
                id: EventId::saturating(900),
                service: "messages",
                event: "created",
                payload: PayloadRef::json("{\"id\":1}"),
            }),
        ),
        ("invoke", ServerFrame::Invoke(invoke)),
        ("invoke_caller", ServerFrame::Invoke(Invoke { caller: Some(ALICE), ..invoke })),
    ]
}

fn suspensions() -> Vec<(&'static str, ServerFrame<'static>)> {
    let suspended = Suspended {
        nonce: Nonce::saturating(301),
        sentence: "the broker behind this bridge is away",
        retry_after: Some(Millis::saturating(1500)),
    };
    let largest = Nonce::saturating(INTEGER_MAX);
    vec![
        ("suspended", ServerFrame::Suspended(suspended)),
        ("suspended_no_retry", ServerFrame::Suspended(Suspended { nonce: largest, sentence: "", retry_after: None })),
        ("resumed", ServerFrame::Resumed(Resumed { nonce: suspended.nonce })),
        ("resumed_largest", ServerFrame::Resumed(Resumed { nonce: largest })),
    ]
}
