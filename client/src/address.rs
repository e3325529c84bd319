//! Where a broker is: `callboard://host[:port]`, parsed before anything is sent.

use std::fmt;

use callboard_protocol::version::{DEFAULT_PORT, URL_SCHEME};

/// A broker's host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address, without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Why a text is no address of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not begin with `callboard://`.
    #[error("a broker's address begins with `{URL_SCHEME}://`")]
    Scheme,
    /// There is no host.
    #[error("a broker's address names a host: `{URL_SCHEME}://host[:port]`")]
    NoHost,
    /// The host is neither a name nor an IP address.
    #[error("the host of a broker's address is a name, an IPv4 address or an IPv6 address in brackets")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port of a broker's address is a number from 1 to 65535")]
    Port,
    /// Something stands behind the port, or a user before the host.
    #[error("a broker's address is `{URL_SCHEME}://host[:port]` and nothing more")]
    Surplus,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, AddressError> {
        let rest = url
            .split_once("://")
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(URL_SCHEME))
            .ok_or(AddressError::Scheme)?
            .1;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(AddressError::Surplus);
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (host, behind) = bracketed.split_once(']').ok_or(AddressError::Host)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| AddressError::Host)?;
                (host, behind)
            }
            None => {
                let end = rest.find(':').unwrap_or(rest.len());
                let (host, behind) = rest.split_at(end);
                check_name(host)?;
                (host, behind)
            }
        };
        Ok(Self { host: host.to_owned(), port: parse_port(port)? })
    }
}

fn check_name(host: &str) -> Result<(), AddressError> {
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    let good = host.len() <= 253 && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'));
    if good { Ok(()) } else { Err(AddressError::Host) }
}

fn parse_port(behind: &str) -> Result<u16, AddressError> {
    if behind.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    let digits = behind.strip_prefix(':').ok_or(AddressError::Surplus)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressError::Port);
    }
    digits.parse().ok().filter(|port| *port != 0).ok_or(AddressError::Port)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{URL_SCHEME}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{URL_SCHEME}://{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_legal_shape_are_taken() {
        for (url, host, port) in [
            ("callboard://example.org", "example.org", 4480),
            ("callboard://example.org/", "example.org", 4480),
            ("CALLBOARD://127.0.0.1:9", "127.0.0.1", 9),
            ("callboard://[::1]", "::1", 4480),
            ("callboard://[::1]:65535", "::1", 65535),
        ] {
            assert_eq!(Address::parse(url), Ok(Address { host: host.to_owned(), port }), "{url}");
        }
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        for (url, error) in [
            ("example.org:4480", AddressError::Scheme),
            ("https://example.org", AddressError::Scheme),
            ("callboard://", AddressError::NoHost),
            ("callboard://:4480", AddressError::NoHost),
            ("callboard://a b", AddressError::Host),
            ("callboard://[::1", AddressError::Host),
            ("callboard://[nine]", AddressError::Host),
            ("callboard://a:", AddressError::Port),
            ("callboard://a:0", AddressError::Port),
            ("callboard://a:+5", AddressError::Port),
            ("callboard://a:65536", AddressError::Port),
            ("callboard://a:1:2", AddressError::Port),
            ("callboard://a/b", AddressError::Surplus),
            ("callboard://user@a", AddressError::Surplus),
            ("callboard://a?b", AddressError::Surplus),
            ("callboard://[::1]x", AddressError::Surplus),
        ] {
            assert_eq!(Address::parse(url), Err(error), "{url}");
        }
    }
}
