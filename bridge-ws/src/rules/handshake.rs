//! The opening handshake of RFC 6455, section 4.2: what a request must be so that the socket may speak WebSocket.

use std::fmt;

use callboard_protocol::error::Class;
use callboard_protocol::version::{WEBSOCKET_BINARY, WEBSOCKET_JSON};
use data_encoding::BASE64;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use crate::denial::Denial;
use crate::dialect::Dialect;

/// RFC 6455, section 1.3: what a server puts behind a key before it hashes both.
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Values of a list that are looked at: a stranger may send thousands, and a browser sends a few.
const VALUES_MAX: usize = 32;

/// A handshake that is in order.
pub(crate) struct Handshake {
    /// What the broker answers to the key.
    pub(crate) accept: HeaderValue,
    /// What is spoken.
    pub(crate) dialect: Dialect,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

/// Whether a request asks for a WebSocket at all; another protocol may be asked for in vain (RFC 9110, section 7.8).
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::UPGRADE, "websocket") || headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

impl Handshake {
    /// Judges a request's header.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub(crate) fn of(request: &Parts) -> Result<Self, Denial> {
        let headers = &request.headers;
        if request.method != Method::GET {
            let denial = Denial::new(Class::MethodNotAllowed, "open a WebSocket with GET");
            return Err(denial.with_header(header::ALLOW, "GET"));
        }
        if request.version != Version::HTTP_11 {
            return Err(bad("open a WebSocket over HTTP/1.1"));
        }
        if !has_token(headers, header::UPGRADE, "websocket") || !has_token(headers, header::CONNECTION, "upgrade") {
            let sentence =
                "this is the bus: open it as a WebSocket, with `Connection: Upgrade` and `Upgrade: websocket`";
            return Err(upgrade_required(sentence));
        }
        if headers.contains_key(header::TRANSFER_ENCODING)
            || headers.get_all(header::CONTENT_LENGTH).into_iter().any(|length| length != "0")
        {
            return Err(bad("the request that opens a WebSocket must have no body"));
        }
        if one(headers, header::SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(upgrade_required("the only version of WebSocket is 13")
                .with_header(header::SEC_WEBSOCKET_VERSION, "13"));
        }
        let Some(key) = one(headers, header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)) else {
            return Err(bad("send one Sec-WebSocket-Key: 16 random bytes in base64"));
        };
        Ok(Self { accept: accept(key), dialect: dialect(headers)? })
    }
}

fn bad(sentence: &'static str) -> Denial {
    Denial::new(Class::BadRequest, sentence).and_close()
}

fn upgrade_required(sentence: &'static str) -> Denial {
    Denial::new(Class::BadRequest, sentence)
        .with_status(StatusCode::UPGRADE_REQUIRED)
        .with_header(header::UPGRADE, "websocket")
        .with_header(header::CONNECTION, "upgrade")
}

/// The value of a field that stands there once.
fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut fields = headers.get_all(name).into_iter();
    let first = fields.next()?.to_str().ok()?;
    fields.next().is_none().then(|| first.trim())
}

/// The values of a field that is a list, as far as they are looked at.
fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let fields = headers.get_all(name).into_iter();
    fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).take(VALUES_MAX)
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    values(headers, name).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

fn is_key(key: &str) -> bool {
    BASE64.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == 16)
}

/// RFC 6455, section 4.2.2, point 5.4.
fn accept(key: &str) -> HeaderValue {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(SUFFIX);
    HeaderValue::try_from(BASE64.encode(hash.finish().as_ref())).expect("base64 is ASCII")
}

/// The first dialect of those that are offered that we know.
fn dialect(headers: &HeaderMap) -> Result<Dialect, Denial> {
    let mut offered = values(headers, header::SEC_WEBSOCKET_PROTOCOL);
    offered.find_map(|name| Dialect::of_subprotocol(str::from_utf8(name).ok()?)).ok_or_else(|| {
        let sentence = format!("offer the WebSocket subprotocol `{WEBSOCKET_BINARY}` or `{WEBSOCKET_JSON}`");
        Denial::new(Class::BadRequest, sentence).and_close()
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "chat, callboard.v1"),
    ];

    fn judge(method: Method, version: Version, without: &str, with: &[(&'static str, &str)]) -> Result<Handshake, u16> {
        let mut request = Request::get("/v1/bus").body(()).unwrap().into_parts().0;
        (request.method, request.version) = (method, version);
        for (name, value) in GOOD.iter().filter(|(name, _)| *name != without).chain(with) {
            request.headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Handshake::of(&request).map_err(|denial| denial.status.as_u16())
    }

    #[test]
    fn a_handshake_in_order_is_answered_as_in_rfc_6455_section_1_3() {
        let handshake = judge(Method::GET, Version::HTTP_11, "", &[]).unwrap();
        assert_eq!(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(handshake.dialect, Dialect::Binary);
    }

    #[test]
    fn the_first_known_subprotocol_of_those_offered_is_spoken() {
        let name = "sec-websocket-protocol";
        for (offers, dialect) in [
            (&["callboard.v1.json, callboard.v1"][..], Dialect::Json),
            (&["chat", "callboard.v1.json"], Dialect::Json),
            (&["ä", "callboard.v1"], Dialect::Binary),
            (&["callboard.v2,\tcallboard.v1 "], Dialect::Binary),
        ] {
            let with: Vec<_> = offers.iter().map(|offer| (name, *offer)).collect();
            assert_eq!(judge(Method::GET, Version::HTTP_11, name, &with).unwrap().dialect, dialect, "{offers:?}");
        }
    }

    #[test]
    fn a_list_is_looked_at_as_far_as_a_browser_would_write_one() {
        let name = "sec-websocket-protocol";
        let offer = |others: usize| {
            let value = format!("{}callboard.v1", "chat,".repeat(others));
            judge(Method::GET, Version::HTTP_11, name, &[(name, &value)]).map(|handshake| handshake.dialect)
        };
        assert_eq!((offer(VALUES_MAX - 1), offer(VALUES_MAX)), (Ok(Dialect::Binary), Err(400)));
    }

    #[test]
    fn a_handshake_out_of_order_is_refused() {
        for (without, with, status) in [
            ("connection", &[][..], 426),
            ("connection", &[("connection", "close")], 426),
            ("upgrade", &[("upgrade", "h2c")], 426),
            ("", &[("transfer-encoding", "chunked")], 400),
            ("", &[("content-length", "5")], 400),
            ("sec-websocket-version", &[], 426),
            ("sec-websocket-version", &[("sec-websocket-version", "8")], 426),
            ("", &[("sec-websocket-version", "13")], 426),
            ("sec-websocket-key", &[], 400),
            ("sec-websocket-key", &[("sec-websocket-key", "")], 400),
            ("sec-websocket-key", &[("sec-websocket-key", "c2hvcnQ=")], 400),
            ("sec-websocket-key", &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ")], 400),
            ("", &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")], 400),
            ("sec-websocket-protocol", &[], 400),
            ("sec-websocket-protocol", &[("sec-websocket-protocol", "callboard.v2")], 400),
            ("sec-websocket-protocol", &[("sec-websocket-protocol", "CALLBOARD.V1")], 400),
        ] {
            let judged = judge(Method::GET, Version::HTTP_11, without, with);
            assert_eq!(judged.unwrap_err(), status, "-{without} {with:?}");
        }
        assert_eq!(judge(Method::POST, Version::HTTP_11, "", &[]).unwrap_err(), 405);
        assert_eq!(judge(Method::GET, Version::HTTP_10, "", &[]).unwrap_err(), 400);
    }
}
