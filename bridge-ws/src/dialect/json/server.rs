//! A broker's frames, read from JSON as a client of this dialect does: for tests and tools, never on the broker's way.

use std::borrow::Cow;

use bytes::Bytes;
use callboard_protocol::frame::{
    Answer, Event, Failed, Invoke, Membership, Message, Named, Ping, Reset, Resumed, ServerFrame, Skipped, Subscribed,
    Suspended, Welcome,
};
use serde_json::value::RawValue;

use super::object::{Fault, Object};
use super::part::{Carried, Pair, body_of, boolean, goodbye, identity, integer, payload, position, short, text, wide};
use crate::dialect::Refused;

/// The body of a broker's message.
pub(in crate::dialect) fn read_server(message: &str) -> Result<Bytes, Refused> {
    Ok(frame(Object::of_message(message)?)?)
}

fn frame(object: Object<'_>) -> Result<Bytes, Fault> {
    let kind = object.must("kind", text)?;
    let body = match &*kind {
        "Welcome" => welcome(object),
        "Goodbye" => goodbye(object, |said| body_of(&ServerFrame::Goodbye(said))),
        "Ping" => ping(object),
        "Ok" => ok(object),
        "Failed" => failed(object),
        "Named" => named(object),
        "Message" => message(object),
        "Skipped" => skipped(object),
        "Reset" => reset(object),
        "Membership" => membership(object),
        "Event" => event(object),
        "Invoke" => invoke(object),
        "Suspended" => suspended(object),
        "Resumed" => resumed(object),
        _ => {
            let kinds = "Welcome, Goodbye, Ping, Ok, Failed, Named, Message, Skipped, Reset, Membership, Event, Invoke, \
                         Suspended or Resumed";
            return Err(Fault::new(format!("must be a broker's frame: {kinds}")).within("kind"));
        }
    };
    body.map_err(|fault| fault.within(&kind))
}

fn welcome(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&[
        "kind",
        "agent",
        "connection",
        "capabilities",
        "payload_bytes_max",
        "subscriptions_max",
        "ping_interval",
        "identity",
    ])?;
    let agent = object.must("agent", text)?;
    let identity = object.option("identity", identity)?;
    body_of(&ServerFrame::Welcome(Welcome {
        agent: &agent,
        connection: object.must("connection", integer)?,
        capabilities: object.must("capabilities", wide)?,
        payload_bytes_max: object.must("payload_bytes_max", wide)?,
        subscriptions_max: object.must("subscriptions_max", wide)?,
        ping_interval: object.must("ping_interval", integer)?,
        identity: identity.as_ref().map(Pair::identity),
    }))
}

fn ping(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "nonce"])?;
    body_of(&ServerFrame::Ping(Ping { nonce: object.must("nonce", integer)? }))
}

fn ok(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "answer"])?;
    let request = object.must("request", integer)?;
    let answer = object.must("answer", answer)?;
    body_of(&ServerFrame::Ok { request, answer: answer.borrowed() })
}

/// An answer that borrows from the message, or owns what was unescaped.
enum Answered<'a> {
    Plain(Answer<'static>),
    Identity(Option<Pair<'a>>),
    Returned(Carried<'a>),
}

impl Answered<'_> {
    fn borrowed(&self) -> Answer<'_> {
        match self {
            Self::Plain(answer) => *answer,
            Self::Identity(identity) => Answer::Identity(identity.as_ref().map(Pair::identity)),
            Self::Returned(payload) => Answer::Returned(payload.borrowed()),
        }
    }
}

fn answer(value: &RawValue) -> Result<Answered<'_>, Fault> {
    let object = Object::of_value(value)?;
    match &*object.must("kind", text)? {
        "Done" => object.only(&["kind"]).map(|_| Answered::Plain(Answer::Done)),
        "Subscribed" => {
            let object = object.only(&["kind", "channel", "position", "next", "recovered"])?;
            Ok(Answered::Plain(Answer::Subscribed(Subscribed {
                channel: object.must("channel", integer)?,
                position: object.must("position", position)?,
                next: object.must("next", integer)?,
                recovered: object.must("recovered", boolean)?,
            })))
        }
        "Published" => {
            let published = object.only(&["kind", "position"])?.must("position", position)?;
            Ok(Answered::Plain(Answer::Published(published)))
        }
        "Identity" => Ok(Answered::Identity(object.only(&["kind", "identity"])?.option("identity", identity)?)),
        "Returned" => Ok(Answered::Returned(object.only(&["kind", "payload"])?.must("payload", payload)?)),
        _ => Err(Fault::new("must be Done, Subscribed, Published, Identity or Returned").within("kind")),
    }
}

fn failed(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "code", "class", "sentence", "data"])?;
    let request = object.must("request", integer)?;
    let (class, sentence): (Cow<'_, str>, Cow<'_, str>) = (object.must("class", text)?, object.must("sentence", text)?);
    let data = object.option("data", payload)?;
    body_of(&ServerFrame::Failed(Failed {
        request,
        code: object.must("code", short)?,
        class: &class,
        sentence: &sentence,
        data: data.as_ref().map(Carried::borrowed),
    }))
}

fn named(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "channel", "name", "position"])?;
    let name = object.must("name", text)?;
    let channel = object.must("channel", integer)?;
    body_of(&ServerFrame::Named(Named { channel, name: &name, position: object.must("position", position)? }))
}

fn message(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "channel", "offset", "published", "publisher", "key", "payload"])?;
    let publisher = object.option("publisher", text)?;
    let key = object.option("key", text)?;
    let payload = object.must("payload", payload)?;
    body_of(&ServerFrame::Message(Message {
        channel: object.must("channel", integer)?,
        offset: object.must("offset", integer)?,
        published: object.must("published", integer)?,
        publisher: publisher.as_deref(),
        key: key.as_deref(),
        payload: payload.borrowed(),
    }))
}

fn skipped(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "channel", "through"])?;
    let channel = object.must("channel", integer)?;
    body_of(&ServerFrame::Skipped(Skipped { channel, through: object.must("through", integer)? }))
}

fn reset(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "channel", "position"])?;
    let channel = object.must("channel", integer)?;
    body_of(&ServerFrame::Reset(Reset { channel, position: object.must("position", position)? }))
}

fn membership(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "name", "member"])?;
    let name = object.must("name", text)?;
    body_of(&ServerFrame::Membership(Membership { name: &name, member: object.must("member", boolean)? }))
}

fn event(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "channel", "offset", "id", "service", "event", "payload"])?;
    let service = object.must("service", text)?;
    let event = object.must("event", text)?;
    let payload = object.must("payload", payload)?;
    body_of(&ServerFrame::Event(Event {
        channel: object.must("channel", integer)?,
        offset: object.must("offset", integer)?,
        id: object.must("id", integer)?,
        service: &service,
        event: &event,
        payload: payload.borrowed(),
    }))
}

fn invoke(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "call", "service", "method", "caller", "arguments"])?;
    let service = object.must("service", text)?;
    let method = object.must("method", text)?;
    let caller = object.option("caller", identity)?;
    let arguments = object.must("arguments", payload)?;
    body_of(&ServerFrame::Invoke(Invoke {
        call: object.must("call", integer)?,
        service: &service,
        method: &method,
        caller: caller.as_ref().map(Pair::identity),
        arguments: arguments.borrowed(),
    }))
}

fn suspended(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "nonce", "sentence", "retry_after"])?;
    let nonce = object.must("nonce", integer)?;
    let sentence = object.must("sentence", text)?;
    let retry_after = object.option("retry_after", integer)?;
    body_of(&ServerFrame::Suspended(Suspended { nonce, sentence: &sentence, retry_after }))
}

fn resumed(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "nonce"])?;
    body_of(&ServerFrame::Resumed(Resumed { nonce: object.must("nonce", integer)? }))
}
