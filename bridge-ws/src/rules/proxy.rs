//! What trusted proxies say of who stands behind them; what anybody else says of that is not heard.

use std::iter;
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, header};
use ipnet::IpNet;

/// In which header field the trusted proxies say who stands behind them. Only one is read: a proxy takes care of its own,
/// and may pass another on as the visitor wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, and `X-Forwarded-Proto` beside it.
    #[default]
    XForwarded,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

/// Proxies in a row that are looked behind: a visitor may write thousands of them.
const HOPS_MAX: usize = 32;

/// Headers by which a proxy says that the request is another's, beside all that begin with `x-forwarded-`.
const FORWARDING: [&str; 3] = ["forwarded", "x-real-ip", "via"];

/// Who stands at the far end of the proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// Whether the last trusted proxy, or we, spoke TLS with it.
    pub(super) is_tls: bool,
}

/// Whether somebody says that the request is another's. A visitor may say so of itself, and only loses by it.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("x-forwarded-") || FORWARDING.contains(&name.as_str()))
}

/// The client of a connection that `peer` opened.
pub(super) fn client(peer: IpAddr, is_tls: bool, trusted: &[IpNet], kind: ProxyHeader, headers: &HeaderMap) -> Client {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address.to_canonical()));
    let mut client = Client { address: peer.to_canonical(), is_tls };
    // Each proxy writes behind the others, so the last entry is from the one that we speak with.
    for hop in hops(kind, headers) {
        if !is_trusted(client.address) {
            break;
        }
        // Of a hop that cannot be read nothing is believed: what stands further left may be the visitor's own words.
        let Some(address) = hop.address else { break };
        client.address = address.to_canonical();
        if let Some(is_tls) = hop.is_tls {
            client.is_tls = is_tls;
        }
    }
    client
}

#[derive(Debug, Default)]
struct Hop {
    address: Option<IpAddr>,
    is_tls: Option<bool>,
}

/// Who stands behind whom, the nearest first.
fn hops(kind: ProxyHeader, headers: &HeaderMap) -> Vec<Hop> {
    match kind {
        ProxyHeader::XForwarded => {
            // Most proxies write one scheme, whatever the number of addresses: that of their own client.
            let schemes = values(headers, "x-forwarded-proto").map(Some).chain(iter::repeat(None));
            let addresses = values(headers, "x-forwarded-for").zip(schemes);
            addresses.map(|(value, scheme)| Hop { address: address(value), is_tls: scheme.map(is_tls) }).collect()
        }
        ProxyHeader::Forwarded => values(headers, header::FORWARDED.as_str()).map(forwarded).collect(),
    }
}

/// The last of the comma-separated values of a field, the very last first. Each is read by itself: bytes that are no text
/// in what a visitor wrote make nothing unreadable that a proxy wrote behind it.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let fields = headers.get_all(name).into_iter().rev();
    let values = fields.flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b','));
    values.map(|value| str::from_utf8(value).unwrap_or_default().trim()).take(HOPS_MAX)
}

fn forwarded(element: &str) -> Hop {
    let mut hop = Hop::default();
    for (name, value) in element.split(';').filter_map(|pair| pair.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.address = address(value),
            "proto" => hop.is_tls = Some(is_tls(value)),
            _ => {}
        }
    }
    hop
}

fn is_tls(proto: &str) -> bool {
    proto.eq_ignore_ascii_case("https") || proto.eq_ignore_ascii_case("wss")
}

/// An address, with a port or without, an IPv6 one in brackets or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    const PIECES: [&str; 9] = [",", "127.0.0.1", "10.0.0.2", "for=", ";proto=https", "\"", "\\", "\u{ff}", " "];

    proptest! {
        #[test]
        fn whatever_a_visitor_writes_a_proxy_has_the_last_word(
            before in prop::collection::vec(prop::sample::select(&PIECES), 0..12),
        ) {
            for (kind, name, last) in [
                (ProxyHeader::XForwarded, "x-forwarded-for", "203.0.113.9"),
                (ProxyHeader::Forwarded, "forwarded", "for=203.0.113.9;proto=http"),
            ] {
                let field = HeaderValue::from_bytes(format!("{},{last}", before.concat()).as_bytes()).unwrap();
                let headers = HeaderMap::from_iter([(HeaderName::from_static(name), field)]);
                let trusted = ["10.0.0.0/8".parse().unwrap()];
                let client = client([10, 0, 0, 1].into(), false, &trusted, kind, &headers);
                prop_assert_eq!(client, Client { address: [203, 0, 113, 9].into(), is_tls: false });
            }
        }
    }

    fn told(peer: &str, fields: &[(&'static str, &'static str)], kind: ProxyHeader) -> (String, bool) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let client = client(peer.parse().unwrap(), false, &trusted, kind, &headers);
        (client.address.to_string(), client.is_tls)
    }

    #[test]
    fn a_row_of_proxies_without_end_is_followed_for_a_while() {
        let row = |trusted: usize| -> &'static str { format!("1.1.1.1{}", ",10.0.0.2".repeat(trusted)).leak() };
        let told = |trusted| told("10.0.0.1", &[("x-forwarded-for", row(trusted))], ProxyHeader::XForwarded).0;
        assert_eq!((told(HOPS_MAX - 1).as_str(), told(HOPS_MAX).as_str()), ("1.1.1.1", "10.0.0.2"));
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        use ProxyHeader::{Forwarded, XForwarded};
        for (kind, peer, fields, address, is_tls) in [
            (
                XForwarded,
                "9.9.9.9",
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")][..],
                "9.9.9.9",
                false,
            ),
            (XForwarded, "10.0.0.1", &[("x-forwarded-for", "1.1.1.1")], "1.1.1.1", false),
            (XForwarded, "::ffff:10.0.0.1", &[("x-forwarded-for", "1.1.1.1")], "1.1.1.1", false),
            (XForwarded, "10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.1.1.1")], "1.1.1.1", false),
            (
                XForwarded,
                "10.0.0.1",
                &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")],
                "1.1.1.1",
                false,
            ),
            (XForwarded, "10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 10.0.0.2")], "1.1.1.1", false),
            (
                XForwarded,
                "10.0.0.1",
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")],
                "1.1.1.1",
                true,
            ),
            (XForwarded, "10.0.0.1", &[("x-forwarded-for", "unknown")], "10.0.0.1", false),
            (XForwarded, "10.0.0.1", &[("forwarded", "for=1.1.1.1")], "10.0.0.1", false),
            (Forwarded, "10.0.0.1", &[("x-forwarded-for", "1.1.1.1")], "10.0.0.1", false),
            (
                Forwarded,
                "fd00::1",
                &[("forwarded", "for=6.6.6.6, For=\"[2001:db8::1]:77\";proto=https")],
                "2001:db8::1",
                true,
            ),
            (Forwarded, "10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1", false),
        ] {
            assert_eq!(told(peer, fields, kind), (address.to_owned(), is_tls), "{peer} {fields:?}");
        }
    }
}
