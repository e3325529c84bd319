//! Origins of pages (RFC 6454) and the patterns that let them in; nothing is resolved, nothing is guessed.

use std::fmt;
use std::str::FromStr;

use super::host::Authority;

/// Where a page comes from: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    authority: Authority,
}

impl Origin {
    /// Reads the header field; `None` for `null` and for everything that is no origin.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let starts_well = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let goes_on_well = scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
        (starts_well && goes_on_well).then_some(())?;
        Some(Self { scheme: scheme.to_ascii_lowercase(), authority: Authority::parse(authority)? })
    }

    /// Whether a page of this origin was served by `host` itself, over TLS or not.
    pub(super) fn is_same(&self, host: &Authority, is_tls: bool) -> bool {
        let scheme = if is_tls { "https" } else { "http" };
        self.scheme == scheme
            && self.authority.host == host.host
            && self.port() == host.port.or_else(|| default_port(scheme))
    }

    fn port(&self) -> Option<u16> {
        self.authority.port.or_else(|| default_port(&self.scheme))
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Which pages may come in beside those of the same origin: `https://app.example.org`, `https://*.example.org` with every
/// name below it, `capacitor://localhost`, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Any,
    Exact(Origin),
    /// Scheme, the end of the name with its dot, and port.
    Below {
        scheme: String,
        suffix: String,
        port: Option<u16>,
    },
}

/// A text is no pattern of origins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is `scheme://host` or `scheme://host:port`, the host may begin with `*.`; `*` alone allows every page"
)]
pub struct NoOrigin;

impl OriginPattern {
    /// Whether this lets every page in.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == Kind::Any
    }

    pub(super) fn admits(&self, origin: &Origin) -> bool {
        match &self.0 {
            Kind::Any => true,
            Kind::Exact(exact) => {
                exact.scheme == origin.scheme
                    && exact.authority.host == origin.authority.host
                    && exact.port() == origin.port()
            }
            Kind::Below { scheme, suffix, port } => {
                let port = port.or_else(|| default_port(scheme));
                let is_below = origin.authority.host.strip_suffix(suffix.as_str()).is_some_and(|name| !name.is_empty());
                *scheme == origin.scheme && is_below && port == origin.port()
            }
        }
    }
}

impl FromStr for OriginPattern {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        if text == "*" {
            return Ok(Self(Kind::Any));
        }
        let Some((scheme, below)) = text.split_once("://*.") else {
            return Origin::parse(text).map(|origin| Self(Kind::Exact(origin))).ok_or(NoOrigin);
        };
        let Origin { scheme, authority } = Origin::parse(&format!("{scheme}://{below}")).ok_or(NoOrigin)?;
        if authority.is_address() {
            return Err(NoOrigin);
        }
        Ok(Self(Kind::Below { scheme, suffix: format!(".{}", authority.host), port: authority.port }))
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, star, host, port) = match &self.0 {
            Kind::Any => return f.write_str("*"),
            Kind::Exact(Origin { scheme, authority }) => (scheme, "", &authority.host, authority.port),
            Kind::Below { scheme, suffix, port } => (scheme, "*", suffix, *port),
        };
        write!(f, "{scheme}://{star}{host}")?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_lets_in_what_it_names_and_nothing_beside() {
        for (pattern, origin, admits) in [
            ("https://app.example.org", "https://app.example.org", true),
            ("https://app.example.org", "https://APP.example.org", true),
            ("https://app.example.org", "https://app.example.org:443", true),
            ("https://app.example.org", "http://app.example.org", false),
            ("https://app.example.org", "https://app.example.org:8443", false),
            ("https://app.example.org", "https://app.example.org.evil.example", false),
            ("https://*.example.org", "https://a.example.org", true),
            ("https://*.example.org", "https://a.b.example.org", true),
            ("https://*.example.org", "https://example.org", false),
            ("https://*.example.org", "https://evilexample.org", false),
            ("https://*.example.org", "https://.example.org", false),
            ("https://*.example.org", "https://a.example.org:8443", false),
            ("https://*.example.org:8443", "https://a.example.org:8443", true),
            ("capacitor://localhost", "capacitor://localhost", true),
            ("capacitor://localhost", "ionic://localhost", false),
            ("http://[::1]:3000", "http://[::1]:3000", true),
            ("*", "https://anything.example", true),
        ] {
            let parsed: OriginPattern = pattern.parse().unwrap();
            assert_eq!(
                Origin::parse(origin).is_some_and(|origin| parsed.admits(&origin)),
                admits,
                "{pattern} {origin}"
            );
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn what_is_no_origin_is_no_pattern() {
        for text in [
            "",
            "null",
            "app.example.org",
            "https://",
            "https://a/b",
            "https://*",
            "https://*.",
            "https://a*b",
            "1x://a",
        ] {
            assert_eq!(text.parse::<OriginPattern>(), Err(NoOrigin), "{text}");
        }
        for text in ["https://*.1.2.3.4", "https://u@a", "https://a:", "https://a:99999", "https://a b", "https://[::1"]
        {
            assert_eq!(text.parse::<OriginPattern>(), Err(NoOrigin), "{text}");
        }
    }
}
