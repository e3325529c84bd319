//! A client's frames, read from JSON; what may be left out is listed in PROTOCOL.md, "JSON", and here, nowhere else.

use std::borrow::Cow;

use bytes::Bytes;
use callboard_protocol::frame::{
    Authenticate, Call, ClientFrame, Emit, Hello, Introduce, Logout, Outcome, Pong, Provide, Publish, Return, Start,
    Subscribe, SubscribeOptions, Unsubscribe, Withdraw,
};
use callboard_protocol::{RequestId, Sequence};
use serde_json::value::RawValue;

use super::object::{Fault, Object};
use super::part::{
    Carried, Pair, body_of, boolean, credential, goodbye, integer, payload, short, sixteen_bytes, start, text, wide,
};
use crate::dialect::Refused;

/// The body of a client's message.
pub(in crate::dialect) fn read_client(message: &str, instance: [u8; 16]) -> Result<Bytes, Refused> {
    Ok(frame(Object::of_message(message)?, instance)?)
}

fn frame(object: Object<'_>, instance: [u8; 16]) -> Result<Bytes, Fault> {
    let kind = object.must("kind", text)?;
    let body = match &*kind {
        "Hello" => hello(object, instance),
        "Goodbye" => goodbye(object, |said| body_of(&ClientFrame::Goodbye(said))),
        "Pong" => pong(object),
        "Authenticate" => authenticate(object),
        "Logout" => logout(object),
        "Subscribe" => subscribe(object),
        "Unsubscribe" => unsubscribe(object),
        "Publish" => publish(object),
        "Call" => call(object),
        "Provide" => provide(object),
        "Withdraw" => withdraw(object),
        "Return" => end_of_call(object),
        "Emit" => emit(object),
        "Introduce" => introduce(object),
        _ => {
            let kinds = "Hello, Goodbye, Pong, Authenticate, Logout, Subscribe, Unsubscribe, Publish, Call, Provide, \
                         Withdraw, Return, Emit or Introduce";
            return Err(Fault::new(format!("must be a client's frame: {kinds}")).within("kind"));
        }
    };
    body.map_err(|fault| fault.within(&kind))
}

fn hello(object: Object<'_>, instance: [u8; 16]) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "agent", "instance", "capabilities", "credential"])?;
    let agent = object.or("agent", text, Cow::Borrowed(""))?;
    let instance = object.or("instance", sixteen_bytes, instance)?;
    let capabilities = object.or("capabilities", wide, 0)?;
    let shown = object.option("credential", credential)?;
    let credential = shown.as_ref().map(Pair::credential);
    body_of(&ClientFrame::Hello(Hello { agent: &agent, instance, capabilities, credential }))
}

fn pong(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "nonce"])?;
    body_of(&ClientFrame::Pong(Pong { nonce: object.must("nonce", integer)? }))
}

fn authenticate(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "credential"])?;
    let request = object.must("request", integer)?;
    let credential = object.must("credential", credential)?;
    body_of(&ClientFrame::Authenticate(Authenticate { request, credential: credential.credential() }))
}

fn logout(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request"])?;
    body_of(&ClientFrame::Logout(Logout { request: object.must("request", integer)? }))
}

fn subscribe(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "channel", "start", "options"])?;
    let request = object.must("request", integer)?;
    let channel = object.must("channel", text)?;
    let start = object.or("start", start, Start::Live)?;
    let options = SubscribeOptions(object.or("options", wide, 0)?);
    body_of(&ClientFrame::Subscribe(Subscribe { request, channel: &channel, start, options }))
}

fn unsubscribe(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "channel"])?;
    let request = object.must("request", integer)?;
    let channel = object.must("channel", text)?;
    body_of(&ClientFrame::Unsubscribe(Unsubscribe { request, channel: &channel }))
}

fn publish(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "sequence", "channel", "key", "payload"])?;
    let request = object.or("request", integer, RequestId::ZERO)?;
    let sequence = object.or("sequence", integer, Sequence::ZERO)?;
    let channel = object.must("channel", text)?;
    let key = object.option("key", text)?;
    let payload = object.must("payload", payload)?;
    body_of(&ClientFrame::Publish(Publish {
        request,
        sequence,
        channel: &channel,
        key: key.as_deref(),
        payload: payload.borrowed(),
    }))
}

fn call(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "service", "method", "arguments"])?;
    let request = object.must("request", integer)?;
    let service = object.must("service", text)?;
    let method = object.must("method", text)?;
    let arguments = object.must("arguments", payload)?;
    let arguments = arguments.borrowed();
    body_of(&ClientFrame::Call(Call { request, service: &service, method: &method, arguments }))
}

fn provide(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "service"])?;
    let request = object.must("request", integer)?;
    let service = object.must("service", text)?;
    body_of(&ClientFrame::Provide(Provide { request, service: &service }))
}

fn withdraw(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "service"])?;
    let request = object.must("request", integer)?;
    let service = object.must("service", text)?;
    body_of(&ClientFrame::Withdraw(Withdraw { request, service: &service }))
}

fn end_of_call(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "call", "outcome"])?;
    let call = object.must("call", integer)?;
    let outcome = object.must("outcome", outcome)?;
    body_of(&ClientFrame::Return(Return { call, outcome: outcome.borrowed() }))
}

/// An outcome that borrows from the message, or owns what was unescaped.
enum Ended<'a> {
    Returned(Carried<'a>),
    Failed { code: u16, class: Cow<'a, str>, sentence: Cow<'a, str>, data: Option<Carried<'a>> },
}

impl Ended<'_> {
    fn borrowed(&self) -> Outcome<'_> {
        match self {
            Self::Returned(payload) => Outcome::Returned(payload.borrowed()),
            Self::Failed { code, class, sentence, data } => {
                Outcome::Failed { code: *code, class, sentence, data: data.as_ref().map(Carried::borrowed) }
            }
        }
    }
}

fn outcome(value: &RawValue) -> Result<Ended<'_>, Fault> {
    let object = Object::of_value(value)?;
    match &*object.must("kind", text)? {
        "Returned" => Ok(Ended::Returned(object.only(&["kind", "payload"])?.must("payload", payload)?)),
        "Failed" => {
            let object = object.only(&["kind", "code", "class", "sentence", "data"])?;
            let (code, class) = (object.must("code", short)?, object.must("class", text)?);
            let sentence = object.or("sentence", text, Cow::Borrowed(""))?;
            Ok(Ended::Failed { code, class, sentence, data: object.option("data", payload)? })
        }
        _ => Err(Fault::new("must be Returned or Failed").within("kind")),
    }
}

fn emit(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "request", "service", "event", "payload"])?;
    let request = object.must("request", integer)?;
    let service = object.must("service", text)?;
    let event = object.must("event", text)?;
    let payload = object.must("payload", payload)?;
    let payload = payload.borrowed();
    body_of(&ClientFrame::Emit(Emit { request, service: &service, event: &event, payload }))
}

fn introduce(object: Object<'_>) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "address", "origin", "credential", "private", "ping_interval", "publishes"])?;
    let address = object.must("address", sixteen_bytes)?;
    let origin = object.option("origin", text)?;
    let shown = object.option("credential", credential)?;
    let private = object.must("private", boolean)?;
    let ping_interval = object.must("ping_interval", integer)?;
    let publishes = object.must("publishes", wide)?;
    let credential = shown.as_ref().map(Pair::credential);
    body_of(&ClientFrame::Introduce(Introduce {
        address,
        origin: origin.as_deref(),
        credential,
        private,
        ping_interval,
        publishes,
    }))
}
