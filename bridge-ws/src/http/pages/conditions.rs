//! What a request says of the answer that it wants: in which coding, and unless it has it already. Pure: header in, word out.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

/// Whether gzip may be sent, and is wanted no less than the file as it is (RFC 9110, section 12.5.3).
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut other) = (None, None, None);
    for (coding, weight) in members(headers, &header::ACCEPT_ENCODING).filter_map(weighed) {
        match coding {
            "identity" => identity = Some(weight),
            "*" => other = Some(weight),
            // "A recipient SHOULD consider x-gzip to be equivalent to gzip" (section 8.4.1.3).
            _ if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => gzip = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(other).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// Whether who asks has what this tag names: its tag is in the list, as a weak one too, or the list is `*` (section 13.1.2).
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    members(headers, &header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes())
}

/// The members of a list that may stand in several lines.
fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// A coding with its weight; `None` if that is none.
fn weighed(member: &str) -> Option<(&str, f32)> {
    let Some((coding, parameter)) = member.split_once(';') else { return Some((member, 1.0)) };
    let weight = parameter.trim().strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse().ok()?;
    (0.0..=1.0).contains(&weight).then_some((coding.trim_end(), weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn gzip_is_for_those_who_want_it() {
        for lines in [
            &["gzip"][..],
            &["gzip, deflate, br, zstd"],
            &["deflate", "x-GZip;q=0.001"],
            &["*"],
            &["*;q=0.1, identity;q=0.1"],
            &["identity;q=0.5 , gzip ; q=0.5"],
        ] {
            assert!(takes_gzip(&headers(header::ACCEPT_ENCODING, lines)), "{lines:?}");
        }
        for lines in [
            &[][..],
            &[""],
            &["br"],
            &["gzip;q=0"],
            &["gzip;q=0.000, *"],
            &["*;q=0"],
            &["gzip;q=0.4, identity;q=0.5"],
            &["gzip;q=2"],
            &["gzip;q=NaN"],
            &["gzip;level=9"],
            &["notgzip"],
            &["gzip\u{e9}"],
        ] {
            assert!(!takes_gzip(&headers(header::ACCEPT_ENCODING, lines)), "{lines:?}");
        }
    }

    #[test]
    fn what_somebody_has_is_known_by_its_tag() {
        let tag = HeaderValue::from_static("\"b\"");
        for known in [&["\"b\""][..], &["\"a\", W/\"b\""], &["\"a\"", "\"b\""], &["*"]] {
            assert!(is_known(&headers(header::IF_NONE_MATCH, known), &tag), "{known:?}");
        }
        for unknown in [&[][..], &[""], &["b"], &["\"a\""], &["\"b"], &["\"b-gzip\""], &["W/b"]] {
            assert!(!is_known(&headers(header::IF_NONE_MATCH, unknown), &tag), "{unknown:?}");
        }
    }
}
