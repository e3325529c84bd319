//! The routes: each request is judged by the same rules, upgrade or not, and every answer carries the same guards.

use bytes::Bytes;
use callboard_protocol::error::Class;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use parking_lot::Mutex;

use super::door_state::{DoorState, Upgrade};
use super::publish::publish;
use crate::denial::{CROSS_ORIGIN_RESOURCE_POLICY, Denial, guard};
use crate::rules::{Arrival, Handshake, is_upgrade};
use crate::upstream::{Upstream, Visitor};

/// Where the bus is.
const BUS: &str = "/v1/bus";

/// Where backends publish.
const PUBLISH: &str = "/v1/publish";

type Answer = Response<Full<Bytes>>;

/// Answers one request. An upgrade leaves what it leads to in `pending`.
pub(super) async fn answer<U: Upstream>(
    door: &DoorState<U>,
    arrival: Arrival,
    pending: &Mutex<Option<Upgrade<U>>>,
    request: Request<Incoming>,
) -> Answer {
    let (head, body) = request.into_parts();
    let answered = route(door, arrival, pending, &head, body).await;
    let mut answer = answered.unwrap_or_else(|denial| {
        // The path has no secrets: they may stand in the query and in the header only.
        tracing::debug!(peer = %arrival.peer, path = head.uri.path(), status = denial.status.as_u16(), "request refused");
        door.note_refused(&denial);
        denial.into_response()
    });
    guard(answer.headers_mut());
    answer
}

async fn route<U: Upstream>(
    door: &DoorState<U>,
    arrival: Arrival,
    pending: &Mutex<Option<Upgrade<U>>>,
    head: &Parts,
    body: Incoming,
) -> Result<Answer, Denial> {
    let path = head.uri.path();
    if path == "/healthz" {
        // Probes call a door by whatever name they have, and learn nothing else.
        allow(head, &[Method::GET, Method::HEAD], "GET, HEAD")?;
        return Ok(text("alive\n"));
    }
    let rules = &door.config.rules;
    let caller = rules.caller(arrival, head)?;
    if path == BUS || path == "/" && is_upgrade(&head.headers) {
        let handshake = Handshake::of(head)?;
        let credential = rules.shown(&caller, head)?;
        door.check_open()?;
        let ticket = door.upstream.admit(caller.address)?;
        let visitor =
            Visitor { address: caller.address, origin: caller.origin, credential, is_private: caller.is_private };
        *pending.lock() = Some(Upgrade { ticket, visitor, dialect: handshake.dialect });
        return Ok(switch(handshake));
    }
    if path == PUBLISH {
        allow(head, &[Method::POST], "POST")?;
        door.check_open()?;
        return publish(&*door.upstream, &door.config.limits, &door.publish_budget, &caller, head, body).await;
    }
    let resource = || door.config.resources.iter().find_map(|resource| resource.answer(path));
    let Some(mut page) = door.pages.answer(path, &head.headers).or_else(resource) else {
        if let Some(page) = door.pages.not_found(&head.headers) {
            return Ok(page);
        }
        return Err(Denial::new(Class::NotFound, "there is nothing here"));
    };
    allow(head, &[Method::GET, Method::HEAD], "GET, HEAD")?;
    if let Some(origin) = caller.origin.and_then(|origin| HeaderValue::try_from(origin).ok()) {
        // A page that may use the bus may also load the modules that speak with it.
        page.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        page.headers_mut().insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    }
    page.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    Ok(page)
}

fn allow(head: &Parts, methods: &[Method], names: &'static str) -> Result<(), Denial> {
    if methods.contains(&head.method) {
        return Ok(());
    }
    let denial = Denial::new(Class::MethodNotAllowed, "this path does not support that method; see the header Allow");
    Err(denial.with_header(header::ALLOW, names))
}

fn text(text: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// RFC 6455, section 4.2.2. No extension is agreed on, so nothing is compressed.
fn switch(handshake: Handshake) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, handshake.accept);
    let subprotocol = HeaderValue::from_static(handshake.dialect.subprotocol());
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    answer
}
