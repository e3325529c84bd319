//! An HTTP answer that says no: a status, a row of PROTOCOL.md's "Failures" and what to do; and the fields that guard every
//! answer. It never repeats what was sent.

use std::borrow::Cow;

use bytes::Bytes;
use callboard_protocol::error::Class;
use callboard_protocol::{Millis, Refusal};
use http::header::{self, HeaderName, HeaderValue};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::hint::Hint;

/// Which pages may load what stands here.
pub(crate) const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What a request is answered that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    /// The status.
    pub(crate) status: StatusCode,
    class: Class,
    sentence: Cow<'static, str>,
    retry_after: Option<Millis>,
    headers: Vec<(HeaderName, HeaderValue)>,
    ends_connection: bool,
    hint: Option<Hint>,
}

/// How a failure is written in JSON, here and in the results of a publish.
#[derive(Debug, Serialize)]
pub(crate) struct Failure<'a> {
    code: u16,
    class: &'static str,
    sentence: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<'a> Failure<'a> {
    /// A refusal's failure.
    pub(crate) fn of(refusal: &'a Refusal) -> Self {
        let Refusal { class, sentence, retry_after } = refusal;
        Self {
            code: class.code(),
            class: class.name(),
            sentence,
            retry_after_ms: retry_after.as_ref().map(|wait| wait.value()),
        }
    }
}

impl Denial {
    /// A denial with the status of its class.
    pub(crate) fn new(class: Class, sentence: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::from_u16(class.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            status,
            class,
            sentence: sentence.into(),
            retry_after: None,
            headers: Vec::new(),
            ends_connection: false,
            hint: None,
        }
    }

    /// What it says.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn sentence(&self) -> &str {
        &self.sentence
    }

    /// This denial with a more exact status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// This denial with a header field.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// This denial, after which the connection is closed: what follows cannot be trusted, or is not read.
    pub(crate) fn and_close(mut self) -> Self {
        self.ends_connection = true;
        self
    }

    /// This denial with what an operator could do about it.
    pub(crate) fn with_hint(mut self, hint: Hint) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What an operator could do about it.
    pub(crate) fn hint(&self) -> Option<&Hint> {
        self.hint.as_ref()
    }

    /// The answer.
    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let (head, body) = self.into_parts();
        Response::from_parts(head, Full::new(body))
    }

    /// The answer's header, and its body.
    pub(crate) fn into_parts(self) -> (Parts, Bytes) {
        let refusal = Refusal { class: self.class, sentence: self.sentence, retry_after: self.retry_after };
        let body = Bytes::from(written(&Failure::of(&refusal)));
        let (mut head, ()) = head(self.status).into_parts();
        let headers = &mut head.headers;
        headers.extend(self.headers);
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.value().div_ceil(1000)));
        }
        if self.ends_connection {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        (head, body)
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self { retry_after: refusal.retry_after, ..Self::new(refusal.class, refusal.sentence) }
    }
}

/// A text in JSON, with an end of line for whoever reads it in a terminal.
pub(crate) fn written(content: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(content).expect("numbers and strings are JSON");
    text.push(b'\n');
    text
}

/// An answer in JSON, which nobody may keep.
pub(crate) fn as_json(status: StatusCode, text: Bytes) -> Response<Full<Bytes>> {
    head(status).map(|()| Full::new(text))
}

fn head(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a browser is told of every answer, unless the answer says otherwise itself.
pub(crate) fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
