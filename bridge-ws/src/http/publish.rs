//! `POST /v1/publish`: for backends without a QUIC client; it reads and writes JSON, and the upstream judges every message.

use bytes::Bytes;
use callboard_protocol::Payload;
use callboard_protocol::Position;
use callboard_protocol::codec::decode_client;
use callboard_protocol::error::Class;
use callboard_protocol::frame::ClientFrame;
use http::request::Parts;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::config::Limits;
use crate::denial::{Denial, Failure, json};
use crate::dialect::{self, Dialect};
use crate::rules::{Caller, bearer};
use crate::upstream::{Parcel, Publisher, Refusal, Upstream};

/// One message, or several of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order<'a> {
    #[serde(borrow)]
    messages: Option<Vec<Item<'a>>>,
    channel: Option<String>,
    channels: Option<Vec<String>>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// One message to one or more channels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    channel: Option<String>,
    channels: Option<Vec<String>>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failure<'a>>,
}

#[derive(Serialize)]
struct Place {
    epoch: u64,
    offset: u64,
}

/// Publishes what a request asks for.
pub(super) async fn publish<U: Upstream>(
    upstream: &U,
    limits: &Limits,
    caller: &Caller,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Full<Bytes>>, Denial> {
    if !is_json(head) {
        let sentence = "send JSON, with `Content-Type: application/json`";
        return Err(Denial::new(Class::BadRequest, sentence)
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            .and_close());
    }
    let Some(secret) = bearer(&head.headers)? else {
        let sentence = "publishing needs a key: `Authorization: Bearer KEY`";
        return Err(Denial::new(Class::NotAuthenticated, sentence).and_close());
    };
    caller.may_show()?;
    let late =
        |_| Denial::new(Class::BadRequest, "the body did not come in time").with_status(StatusCode::REQUEST_TIMEOUT);
    let text = timeout(limits.request_timeout, read(limits, body)).await.map_err(|late_| late(late_).and_close())??;
    let parcels = parse(limits, &text)?;
    let channels: Vec<String> = parcels.iter().map(|parcel| parcel.channel.clone()).collect();
    let publishing = upstream.publish(Publisher { address: caller.address, secret }, parcels);
    let Ok(outcomes) = timeout(limits.request_timeout, publishing).await else {
        let sentence = "the bus did not answer in time; some of this may have been published";
        return Err(Denial::new(Class::Unavailable, sentence));
    };
    Ok(report(&channels, &outcomes?))
}

fn is_json(head: &Parts) -> bool {
    let mut fields = head.headers.get_all(header::CONTENT_TYPE).into_iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return false };
    let essence = field.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

async fn read(limits: &Limits, body: Incoming) -> Result<Bytes, Denial> {
    let too_large = || {
        let sentence =
            format!("a body has at most {} bytes; send the messages in several requests", limits.publish_bytes);
        Denial::new(Class::PayloadTooLarge, sentence).and_close()
    };
    if body.size_hint().lower() > limits.publish_bytes as u64 {
        return Err(too_large());
    }
    match Limited::new(body, limits.publish_bytes).collect().await {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(bad("the body did not come whole").and_close()),
    }
}

fn bad(sentence: impl Into<std::borrow::Cow<'static, str>>) -> Denial {
    Denial::new(Class::BadRequest, sentence)
}

fn parse(limits: &Limits, text: &[u8]) -> Result<Vec<Parcel>, Denial> {
    let order: Order<'_> = serde_json::from_slice(text).map_err(|error| bad(told(&error)))?;
    let Order { messages, channel, channels, key, payload } = order;
    let items = match messages {
        None => vec![Item { channel, channels, key, payload }],
        Some(items) if channel.is_none() && channels.is_none() && key.is_none() && payload.is_none() => items,
        Some(_) => return Err(bad("say either `messages`, or one message's `channel`, `key` and `payload`")),
    };
    let mut parcels = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let (key, payload) = content(&item).map_err(|sentence| bad(format!("message {index}: {sentence}")))?;
        let channels = match (item.channel, item.channels) {
            (Some(channel), None) => vec![channel],
            (None, Some(channels)) => channels,
            (Some(_), Some(_)) | (None, None) => {
                return Err(bad(format!("message {index}: say either `channel` or `channels`")));
            }
        };
        if parcels.len() + channels.len() > limits.publish_messages {
            let sentence = format!("one request publishes at most {} messages", limits.publish_messages);
            return Err(Denial::new(Class::PayloadTooLarge, sentence));
        }
        let parcel = |channel| Parcel { channel, key: key.clone(), payload: payload.clone() };
        parcels.extend(channels.into_iter().map(parcel));
    }
    if parcels.is_empty() { Err(bad("there is nothing to publish")) } else { Ok(parcels) }
}

/// What is wrong with a body, without what serde_json repeats of it: a value stands before the last of these words.
fn told(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rsplit_once(", expected ") {
        Some((_, wanted)) => format!("the body is not an order: expected {wanted}"),
        None => format!("the body is not an order: {said}"),
    }
}

/// Reads key and payload as the JSON dialect does, so that there is one way to write them.
fn content(item: &Item<'_>) -> Result<(Option<String>, Payload), String> {
    let payload = item.payload.ok_or("there is no `payload`")?;
    let key = item.key.map_or("null", RawValue::get);
    let frame = format!(r#"{{"kind":"Publish","channel":"","key":{key},"payload":{payload}}}"#);
    let body = Dialect::Json.decode(dialect::Incoming::Text(&frame), [0; 16]).map_err(|refused| refused.sentence)?;
    match decode_client(&body) {
        Ok(ClientFrame::Publish(publish)) => Ok((publish.key.map(str::to_owned), publish.payload.share(&body))),
        Ok(_) | Err(_) => Err("it is no message".into()),
    }
}

/// All outcomes in the order of the request. The status is that of the first failure only if nothing was published.
fn report(channels: &[String], outcomes: &[Result<Position, Refusal>]) -> Response<Full<Bytes>> {
    let results = channels.iter().zip(outcomes).map(|(channel, outcome)| Outcome {
        channel,
        position: outcome.as_ref().ok().map(|at| Place { epoch: at.epoch.value(), offset: at.offset.value() }),
        failed: outcome.as_ref().err().map(Failure::of),
    });
    let first = outcomes.iter().all(Result::is_err).then(|| outcomes.first()).flatten();
    let code = first.and_then(|outcome| outcome.as_ref().err()).map_or(200, |refusal| refusal.class.code());
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &Results { results: results.collect() })
}
