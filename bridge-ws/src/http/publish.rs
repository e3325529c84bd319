//! `POST /v1/publish`: for backends without a QUIC client; it pays for what a request takes before it takes it, and the
//! upstream judges every message.

use bytes::Bytes;
use callboard_protocol::error::Class;
use callboard_protocol::{Position, Refusal};
use http::request::Parts;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use serde::Serialize;
use tokio::time::timeout;

use super::body::{bad, parse};
use super::publish_budget::{PublishBudget, Reservation};
use crate::config::Limits;
use crate::defaults::{BODY_BYTES_FIRST, COME_AGAIN, MESSAGE_BYTES};
use crate::denial::{Denial, Failure, as_json, written};
use crate::rules::{Caller, bearer};
use crate::upstream::{Publisher, Upstream};

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<PositionBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failure<'a>>,
}

#[derive(Serialize)]
struct PositionBody {
    epoch: u64,
    offset: u64,
}

/// Publishes what a request asks for.
pub(super) async fn publish<U: Upstream>(
    upstream: &U,
    limits: &Limits,
    budget: &PublishBudget,
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
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        let sentence = "send the body as it is, without `Content-Encoding`";
        return Err(Denial::new(Class::BadRequest, sentence)
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            .with_header(header::ACCEPT_ENCODING, "identity")
            .and_close());
    }
    let Some(secret) = bearer(&head.headers)? else {
        let sentence = "publishing needs a key: `Authorization: Bearer KEY`";
        return Err(Denial::new(Class::NotAuthenticated, sentence).and_close());
    };
    caller.may_show()?;
    let publisher = Publisher { address: caller.address, secret };
    upstream.authenticate(&publisher).map_err(|refusal| Denial::from(refusal).and_close())?;
    let late =
        |_| Denial::new(Class::BadRequest, "the body did not arrive in time").with_status(StatusCode::REQUEST_TIMEOUT);
    let mut reservation = budget.enter();
    let reading = read(limits, &mut reservation, body);
    let text = timeout(limits.request_timeout, reading).await.map_err(|late_| late(late_).and_close())??;
    let items = parse(limits.publish_messages, &text)?;
    drop(text);
    if !reservation.take(items.len() * MESSAGE_BYTES) {
        return Err(full());
    }
    let channels: Vec<String> = items.iter().map(|item| item.channel.clone()).collect();
    let Ok(outcomes) = timeout(limits.request_timeout, upstream.publish(publisher, items)).await else {
        let sentence = "the bus did not answer in time; some of this may have been published";
        return Err(Denial::new(Class::Unavailable, sentence));
    };
    Ok(report(&channels, &outcomes?, reservation))
}

fn is_json(head: &Parts) -> bool {
    let mut fields = head.headers.get_all(header::CONTENT_TYPE).into_iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return false };
    let essence = field.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// Reads a body into one piece of memory: a stranger may send it in pieces of a byte, each of which would cost more.
async fn read(limits: &Limits, reservation: &mut Reservation, mut body: Incoming) -> Result<Vec<u8>, Denial> {
    let too_large = || {
        let sentence =
            format!("a body has at most {} bytes; send the messages in several requests", limits.publish_bytes);
        Denial::new(Class::PayloadTooLarge, sentence).and_close()
    };
    if body.size_hint().lower() > limits.publish_bytes as u64 {
        return Err(too_large());
    }
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| bad("the body is incomplete").and_close())?;
        // Trailers, which say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        let bytes = text.len() + data.len();
        if bytes > limits.publish_bytes {
            return Err(too_large());
        }
        if bytes > text.capacity() {
            // Only what has come is paid for: what is announced may never come.
            let wanted = bytes.max(2 * text.capacity()).max(BODY_BYTES_FIRST).min(limits.publish_bytes);
            if !reservation.take(wanted - text.capacity()) {
                return Err(full());
            }
            text.reserve_exact(wanted - text.len());
        }
        text.extend_from_slice(&data);
    }
    Ok(text)
}

fn full() -> Denial {
    let sentence = "too many HTTP publishes are in progress; try again in a moment";
    Denial::from(Refusal { retry_after: Some(COME_AGAIN), ..Refusal::new(Class::Unavailable, sentence) }).and_close()
}

/// All outcomes in the order of the request. The head is that of the first failure only if nothing was published. The
/// answer keeps the request's reservation until it is written.
fn report(
    channels: &[String],
    outcomes: &[Result<Position, Refusal>],
    reservation: Reservation,
) -> Response<Full<Bytes>> {
    let results = channels.iter().zip(outcomes).map(|(channel, outcome)| Outcome {
        channel,
        position: outcome.as_ref().ok().map(|at| PositionBody { epoch: at.epoch.value(), offset: at.offset.value() }),
        failed: outcome.as_ref().err().map(Failure::of),
    });
    let first = outcomes.iter().all(Result::is_err).then(|| outcomes.first()).flatten();
    let mut response = as_json(StatusCode::OK, reservation.around(written(&Results { results: results.collect() })));
    if let Some(Err(refusal)) = first {
        let (head, _) = Denial::from(refusal.clone()).into_parts();
        (*response.status_mut(), *response.headers_mut()) = (head.status, head.headers);
    }
    response
}
