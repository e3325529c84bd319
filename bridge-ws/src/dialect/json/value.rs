//! Which JSON texts may stand inside a message as they are: those that every common parser reads; never what they mean.

use serde_json::value::RawValue;

/// How deep a JSON payload may be nested to stand inside a message as a value. Common parsers stop at 128 levels, and a
/// frame takes up to three around its payload.
pub const JSON_DEPTH_MAX: usize = 120;

/// `json` as a value to be written into a message, without the white space around it; `None` if it must go as text.
pub(super) fn embeddable(json: &str) -> Option<&RawValue> {
    let value: &RawValue = serde_json::from_str(json).ok()?;
    flaw(value).is_none().then_some(value)
}

/// Why some parser would not read `value`, although it keeps the grammar of JSON.
pub(super) fn flaw(value: &RawValue) -> Option<&'static str> {
    let mut rest = value.get().as_bytes();
    let mut depth = 0_usize;
    while let Some(first) = rest.first() {
        let taken = match first {
            b'[' | b'{' => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return Some("is nested more than 120 deep");
                }
                1
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'"' => match string_bytes(rest) {
                Some(bytes) => bytes,
                None => return Some("has half of a surrogate pair, which is no text"),
            },
            b'-' | b'0'..=b'9' => {
                let bytes = number_bytes(rest);
                if !is_a_double(&rest[..bytes]) {
                    return Some("has a number that is too large for a double");
                }
                bytes
            }
            _ => 1,
        };
        rest = &rest[taken..];
    }
    None
}

/// How long the string is that `json` begins with; `None` if one of its escapes is half of a surrogate pair.
fn string_bytes(json: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += json[at..].iter().position(|byte| matches!(byte, b'"' | b'\\')).expect("the grammar closes each string");
        if json[at] == b'"' {
            return Some(at + 1);
        }
        at += match escaped_unit(&json[at..]) {
            None => 2,
            Some(0xd800..=0xdbff) => match escaped_unit(&json[at + 6..]) {
                Some(0xdc00..=0xdfff) => 12,
                Some(_) | None => return None,
            },
            Some(0xdc00..=0xdfff) => return None,
            Some(_) => 6,
        };
    }
}

/// The UTF-16 unit of a `\uXXXX` that `json` begins with.
fn escaped_unit(json: &[u8]) -> Option<u16> {
    let digits = json.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn number_bytes(json: &[u8]) -> usize {
    let of_a_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    json.iter().position(|byte| !of_a_number(byte)).unwrap_or(json.len())
}

fn is_a_double(number: &[u8]) -> bool {
    /// Without an exponent a number of so few characters is small enough.
    const SHORT: usize = 300;
    if number.len() < SHORT && !number.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return true;
    }
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok());
    number.is_some_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_parser_reads_is_embedded_as_it_is() {
        let deepest = format!("{}{}", "[".repeat(JSON_DEPTH_MAX), "]".repeat(JSON_DEPTH_MAX));
        for json in [
            "null",
            "-0.0",
            "1e308",
            "123456789012345678901234567890",
            r#""\ud83d\ude00 \" \\ \u0000""#,
            r#"{"a":[1,{"__proto__":null}],"a":"]]]"}"#,
            "[ 1 ,\n 2 ]",
            &deepest,
        ] {
            assert_eq!(embeddable(json).map(RawValue::get), Some(json));
        }
        assert_eq!(embeddable(" \t\r\n{} \n").map(RawValue::get), Some("{}"));
    }

    #[test]
    fn what_some_parser_would_not_read_goes_as_text() {
        let too_deep = format!("{}{}", "[".repeat(JSON_DEPTH_MAX + 1), "]".repeat(JSON_DEPTH_MAX + 1));
        for json in [
            "",
            " ",
            "nul",
            "01",
            "+1",
            "1.",
            ".5",
            "NaN",
            "'a'",
            "[1,]",
            "{a:1}",
            "1 2",
            "\"\n\"",
            "\"\\x\"",
            "\u{feff}1",
            "1e999",
            "-1e999",
            "[0,1e400]",
            r#""\ud83d""#,
            r#""\ude00\ud83d""#,
            r#""\ud83d\u0041""#,
            r#"{"\udc00":1}"#,
            &too_deep,
            &"9".repeat(400),
            &"[".repeat(100_000),
        ] {
            assert!(embeddable(json).is_none(), "{json:.40}");
        }
    }
}
