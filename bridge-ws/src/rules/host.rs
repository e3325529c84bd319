//! Names under which this door may be called: what keeps a rebound DNS name out; nothing is resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A host and perhaps a port, in lower case; an IPv6 address is in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Authority {
    /// Reads `host` or `host:port`; `None` for everything else, such as a user's name before it. An absolute name, with a dot
    /// at its end, is the name without it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let end = text.find(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match text[end..].split_once(':') {
            Some((rest, port)) => (&text[..end + rest.len()], Some(parse_port(port)?)),
            None => (text, None),
        };
        let authority = Self { host: host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(), port };
        (authority.address().is_some() || is_name(&authority.host)).then_some(authority)
    }

    /// The address that the host is, if it is one.
    fn address(&self) -> Option<IpAddr> {
        match self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) => host.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            None => self.host.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        }
    }

    pub(super) fn is_address(&self) -> bool {
        self.address().is_some()
    }

    /// Whether this can only be the visitor's own machine, whatever DNS says.
    pub(super) fn is_loopback(&self) -> bool {
        match self.address() {
            Some(address) => address.to_canonical().is_loopback(),
            // RFC 6761, section 6.3: these names are never looked up.
            None => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// A name under which the door may be called, with any port: `bus.example.org`, or `*.example.org` for all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    is_below: bool,
}

/// A text is no pattern of hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a host is a name or an address without a port; a name may begin with `*.`")]
pub struct NoHost;

impl HostPattern {
    pub(super) fn admits(&self, authority: &Authority) -> bool {
        match authority.host.strip_suffix(&self.host) {
            Some(rest) if self.is_below => rest.len() > 1 && rest.ends_with('.'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let (host, is_below) = text.strip_prefix("*.").map_or((text, false), |host| (host, true));
        let authority = Authority::parse(host).ok_or(NoHost)?;
        if authority.port.is_some() || is_below && authority.is_address() {
            return Err(NoHost);
        }
        Ok(Self { host: authority.host, is_below })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_below { "*." } else { "" }, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("a", "a", None),
            ("A.Example:80", "a.example", Some(80)),
            ("127.0.0.1:4480", "127.0.0.1", Some(4480)),
            ("[::1]", "[::1]", None),
            ("[::1]:1", "[::1]", Some(1)),
            ("bus.example.org.", "bus.example.org", None),
            ("localhost.:4480", "localhost", Some(4480)),
        ] {
            assert_eq!(Authority::parse(text), Some(Authority { host: host.into(), port }), "{text}");
        }
        for text in [
            "", ":80", "a:", "a:+1", "a:65536", "::1", "[::1", "::1]", "[a]", "a@b", "a/b", "a..b", ".", "a..", "a b",
            "ä",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_is_what_no_dns_server_can_rename() {
        for (text, is_loopback) in [
            ("localhost:1", true),
            ("app.localhost", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(Authority::parse(text).unwrap().is_loopback(), is_loopback, "{text}");
        }
    }

    #[test]
    fn a_pattern_names_a_host_or_all_below_one() {
        for (pattern, host, admits) in [
            ("bus.example", "BUS.example:4480", true),
            ("bus.example", "a.bus.example", false),
            ("*.example", "a.b.example", true),
            ("*.example", "example", false),
            ("*.example", "badexample", false),
        ] {
            let parsed: HostPattern = pattern.parse().unwrap();
            assert_eq!(parsed.admits(&Authority::parse(host).unwrap()), admits, "{pattern} {host}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
        for text in ["", "*", "*.", "a:1", "*.1.2.3.4"] {
            assert_eq!(text.parse::<HostPattern>(), Err(NoHost), "{text}");
        }
    }
}
