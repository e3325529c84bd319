//! Where a handshake may show a credential; it is taken as it is, and neither judged nor shown here.

use callboard_protocol::error::Class;
use http::{HeaderMap, Uri, header};

use crate::denial::Denial;
use crate::upstream::Secret;

/// What stands in `Authorization`, if anything does.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, Denial> {
    let mut fields = headers.get_all(header::AUTHORIZATION).into_iter();
    let Some(field) = fields.next() else { return Ok(None) };
    let secret = field.to_str().ok().and_then(|text| {
        let (scheme, secret) = text.split_once(' ')?;
        let secret = secret.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
    });
    match (secret, fields.next()) {
        (Some(secret), None) => Ok(Some(Secret::new(secret))),
        (None, _) | (_, Some(_)) => Err(Denial::new(
            Class::NotAuthenticated,
            "write the key into one header field: `Authorization: Bearer KEY`",
        )),
    }
}

/// The value of the cookie `name`, if there is one.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Result<Option<Secret>, Denial> {
    let fields = headers.get_all(header::COOKIE).into_iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    let values = pairs.filter_map(|pair| {
        let (key, value) = str::from_utf8(pair).ok()?.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    });
    only(values, "the cookie with the key was sent twice; delete one of them")
}

/// The value of the query's field `name`, if there is one.
pub(super) fn query(uri: &Uri, name: &str) -> Result<Option<Secret>, Denial> {
    let fields = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let values = fields.filter(|(key, _)| key == name).map(|(_, value)| value);
    only(values, "the query has two keys; leave one of them out")
}

fn only<T: Into<String>>(mut values: impl Iterator<Item = T>, twice: &'static str) -> Result<Option<Secret>, Denial> {
    let first = values.next();
    match values.next() {
        Some(_) => Err(Denial::new(Class::BadRequest, twice)),
        None => Ok(first.map(Secret::new)),
    }
}
