//! Answers to requests that hyper does not read, or that are no requests: like every other refusal, only that nobody routes them.

use std::borrow::Cow;

use bytes::Bytes;
use callboard_protocol::error::Class;
use http::StatusCode;

use crate::config::Limits;
use crate::denial::{Denial, guard};

/// Why a request was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unparsed {
    /// Hyper refused it with this status.
    Refused(StatusCode),
    /// Its header did not come in time.
    Late,
    /// It came in the open to a door of TLS.
    Open,
}

impl Unparsed {
    /// Why hyper ended a connection, if a request was the reason: `refusal` is what it would have answered, and `read`
    /// what it has read of that request.
    pub(super) fn of(error: &hyper::Error, refusal: Option<StatusCode>, read: &[u8]) -> Option<Self> {
        match refusal {
            Some(status) => Some(Self::Refused(status)),
            None if error.is_timeout() => (!read.is_empty()).then_some(Self::Late),
            // HTTP/2 begins so, and hyper has nothing to say to it.
            None => read.starts_with(b"PRI * HTTP/2").then_some(Self::Refused(StatusCode::BAD_REQUEST)),
        }
    }

    /// What is said of it.
    pub(super) fn denial(self, limits: &Limits) -> Denial {
        let (status, sentence) = match self {
            Self::Late => (StatusCode::REQUEST_TIMEOUT, Cow::from("the request's header did not arrive in time")),
            Self::Open => (StatusCode::BAD_REQUEST, "this port requires TLS: use https or wss".into()),
            Self::Refused(status @ (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG)) => {
                let Limits { headers, header_bytes, .. } = limits;
                let most = format!("{headers} header fields, and {header_bytes} bytes before its body");
                (status, format!("a request has at most {most}").into())
            }
            Self::Refused(status) => (status, "this is not an HTTP/1.1 request".into()),
        };
        Denial::new(Class::BadRequest, sentence).with_status(status).and_close()
    }
}

/// The whole answer.
pub(super) fn written(denial: Denial) -> Bytes {
    let (mut head, body) = denial.into_parts();
    guard(&mut head.headers);
    let mut answer = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", head.status, body.len()).into_bytes();
    for (name, value) in &head.headers {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(&body);
    answer.into()
}
