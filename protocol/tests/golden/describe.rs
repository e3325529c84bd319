//! A frame's JSON description, as `vectors/frames.json` writes it: the field names of PROTOCOL.md, `kind` for a choice.

use callboard_protocol::frame::{Answer, ClientFrame, Credential, Goodbye, Identity, Outcome, ServerFrame, Start};
use callboard_protocol::{Kind, PayloadRef, Position};
use serde_json::{Value, json};

use super::files::hex_of;

/// A client's frame.
pub(crate) fn describe_client(frame: &ClientFrame<'_>) -> Value {
    match *frame {
        ClientFrame::Hello(f) => json!({ "kind": "Hello", "agent": f.agent, "instance": hex_of(&f.instance),
            "capabilities": f.capabilities, "credential": f.credential.map(credential) }),
        ClientFrame::Goodbye(f) => goodbye(f),
        ClientFrame::Pong(f) => json!({ "kind": "Pong", "nonce": f.nonce.value() }),
        ClientFrame::Authenticate(f) => json!({ "kind": "Authenticate", "request": f.request.value(),
            "credential": credential(f.credential) }),
        ClientFrame::Logout(f) => json!({ "kind": "Logout", "request": f.request.value() }),
        ClientFrame::Subscribe(f) => json!({ "kind": "Subscribe", "request": f.request.value(), "channel": f.channel,
            "start": start(f.start), "options": f.options.0 }),
        ClientFrame::Unsubscribe(f) => {
            json!({ "kind": "Unsubscribe", "request": f.request.value(), "channel": f.channel })
        }
        ClientFrame::Publish(f) => json!({ "kind": "Publish", "request": f.request.value(),
            "sequence": f.sequence.value(), "channel": f.channel, "key": f.key, "payload": payload(f.payload) }),
        ClientFrame::Call(f) => json!({ "kind": "Call", "request": f.request.value(), "service": f.service,
            "method": f.method, "arguments": payload(f.arguments) }),
        ClientFrame::Provide(f) => json!({ "kind": "Provide", "request": f.request.value(), "service": f.service }),
        ClientFrame::Withdraw(f) => json!({ "kind": "Withdraw", "request": f.request.value(), "service": f.service }),
        ClientFrame::Return(f) => {
            json!({ "kind": "Return", "call": f.call.value(), "outcome": outcome(f.outcome) })
        }
        ClientFrame::Emit(f) => json!({ "kind": "Emit", "request": f.request.value(), "service": f.service,
            "event": f.event, "payload": payload(f.payload) }),
        ClientFrame::Introduce(f) => json!({ "kind": "Introduce", "address": hex_of(&f.address), "origin": f.origin,
            "credential": f.credential.map(credential), "private": f.private,
            "ping_interval": f.ping_interval.value(), "publishes": f.publishes }),
    }
}

/// A broker's frame.
pub(crate) fn describe_server(frame: &ServerFrame<'_>) -> Value {
    match *frame {
        ServerFrame::Welcome(f) => json!({ "kind": "Welcome", "agent": f.agent, "connection": f.connection.value(),
            "capabilities": f.capabilities, "payload_bytes_max": f.payload_bytes_max,
            "subscriptions_max": f.subscriptions_max,
            "ping_interval": f.ping_interval.value(), "identity": f.identity.map(identity) }),
        ServerFrame::Goodbye(f) => goodbye(f),
        ServerFrame::Ping(f) => json!({ "kind": "Ping", "nonce": f.nonce.value() }),
        ServerFrame::Ok { request, answer: a } => {
            json!({ "kind": "Ok", "request": request.value(), "answer": answer(a) })
        }
        ServerFrame::Failed(f) => json!({ "kind": "Failed", "request": f.request.value(), "code": f.code,
            "class": f.class, "sentence": f.sentence, "data": f.data.map(payload) }),
        ServerFrame::Named(f) => json!({ "kind": "Named", "channel": f.channel.value(), "name": f.name,
            "position": position(f.position) }),
        ServerFrame::Message(f) => json!({ "kind": "Message", "channel": f.channel.value(),
            "offset": f.offset.value(), "published": f.published.value(), "publisher": f.publisher, "key": f.key,
            "payload": payload(f.payload) }),
        ServerFrame::Skipped(f) => {
            json!({ "kind": "Skipped", "channel": f.channel.value(), "through": f.through.value() })
        }
        ServerFrame::Reset(f) => {
            json!({ "kind": "Reset", "channel": f.channel.value(), "position": position(f.position) })
        }
        ServerFrame::Membership(f) => json!({ "kind": "Membership", "name": f.name, "member": f.member }),
        ServerFrame::Event(f) => json!({ "kind": "Event", "channel": f.channel.value(), "offset": f.offset.value(),
            "id": f.id.value(), "service": f.service, "event": f.event, "payload": payload(f.payload) }),
        ServerFrame::Invoke(f) => json!({ "kind": "Invoke", "call": f.call.value(), "service": f.service,
            "method": f.method, "caller": f.caller.map(identity), "arguments": payload(f.arguments) }),
        ServerFrame::Suspended(f) => json!({ "kind": "Suspended", "nonce": f.nonce.value(), "sentence": f.sentence,
            "retry_after": f.retry_after.map(|ms| ms.value()) }),
        ServerFrame::Resumed(f) => json!({ "kind": "Resumed", "nonce": f.nonce.value() }),
    }
}

fn goodbye(f: Goodbye<'_>) -> Value {
    json!({ "kind": "Goodbye", "code": f.code, "sentence": f.sentence, "retry_after": f.retry_after.map(|ms| ms.value()) })
}

fn credential(f: Credential<'_>) -> Value {
    json!({ "strategy": f.strategy, "secret": f.secret })
}

fn identity(f: Identity<'_>) -> Value {
    json!({ "strategy": f.strategy, "key": f.key })
}

fn position(f: Position) -> Value {
    json!({ "epoch": f.epoch.value(), "offset": f.offset.value() })
}

fn start(start: Start) -> Value {
    match start {
        Start::Live => json!({ "kind": "Live" }),
        Start::Recover(f) => json!({ "kind": "Recover", "position": position(f) }),
        Start::Rewind(messages) => json!({ "kind": "Rewind", "messages": messages }),
    }
}

fn answer(answer: Answer<'_>) -> Value {
    match answer {
        Answer::Done => json!({ "kind": "Done" }),
        Answer::Subscribed(f) => json!({ "kind": "Subscribed", "channel": f.channel.value(),
            "position": position(f.position), "next": f.next.value(), "recovered": f.recovered }),
        Answer::Published(f) => json!({ "kind": "Published", "position": position(f) }),
        Answer::Identity(f) => json!({ "kind": "Identity", "identity": f.map(identity) }),
        Answer::Returned(f) => json!({ "kind": "Returned", "payload": payload(f) }),
    }
}

fn outcome(outcome: Outcome<'_>) -> Value {
    match outcome {
        Outcome::Returned(f) => json!({ "kind": "Returned", "payload": payload(f) }),
        Outcome::Failed { code, class, sentence, data } => json!({ "kind": "Failed", "code": code, "class": class,
            "sentence": sentence, "data": data.map(payload) }),
    }
}

fn payload(payload: PayloadRef<'_>) -> Value {
    let text = || std::str::from_utf8(payload.bytes()).expect("text and JSON are UTF-8");
    match payload.kind() {
        Kind::Text => json!({ "kind": "text", "text": text() }),
        Kind::Json => json!({ "kind": "json", "json": text() }),
        Kind::Binary => json!({ "kind": "binary", "hex": hex_of(payload.bytes()) }),
    }
}
