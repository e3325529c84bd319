//! Tables of who may come in and who may not.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderValue, Request};

use super::{Arrival, ProxyHeader, Rules, RulesError};
use crate::upstream::CredentialSource;

fn request(target: &str, fields: &[(&'static str, &str)]) -> Parts {
    let mut request = Request::get(target).body(()).unwrap().into_parts().0;
    for (name, value) in fields {
        request.headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request
}

fn arrival(peer: &str, local: &str, is_tls: bool) -> Arrival {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    Arrival { peer: address(peer), local: address(local), is_tls }
}

fn rules() -> Rules {
    Rules {
        origins: ["https://app.example", "https://*.example.org", "capacitor://localhost", "ionic://localhost"]
            .map(|origin| origin.parse().unwrap())
            .into(),
        hosts: vec!["bus.example".parse().unwrap()],
        cookie: Some("session".into()),
        ..Rules::default()
    }
}

#[test]
fn a_door_answers_to_its_own_names_only() {
    for (local, host, status) in [
        ("127.0.0.1", &["localhost:4480"][..], 200),
        ("127.0.0.1", &["127.0.0.1:4480"], 200),
        ("::1", &["[::1]:4480"], 200),
        ("127.0.0.1", &["bus.example"], 200),
        ("127.0.0.1", &["evil.example:4480"], 421),
        ("127.0.0.1", &["localhost.evil.example"], 421),
        ("127.0.0.1", &["10.0.0.7"], 421),
        ("10.0.0.7", &["10.0.0.7:4480"], 200),
        ("10.0.0.7", &["localhost"], 200),
        ("10.0.0.7", &["evil.example"], 421),
        ("127.0.0.1", &[], 400),
        ("127.0.0.1", &["localhost", "localhost"], 400),
        ("127.0.0.1", &["user@localhost"], 400),
    ] {
        let fields: Vec<_> = host.iter().map(|host| ("host", *host)).collect();
        let judged = rules().caller(arrival("127.0.0.1", local, false), &request("/", &fields));
        assert_eq!(judged.map_or_else(|denial| denial.status.as_u16(), |_| 200), status, "{local} {host:?}");
    }
    let absolute = request("http://localhost/v1/bus", &[("host", "localhost")]);
    let judged = rules().caller(arrival("127.0.0.1", "127.0.0.1", false), &absolute);
    assert_eq!(judged.unwrap_err().status, 400);
}

#[test]
fn pages_come_from_here_or_from_a_listed_origin() {
    for (is_tls, host, origin, admits) in [
        (false, "localhost:4480", "http://localhost:4480", true),
        (false, "localhost:4480", "http://localhost:3000", false),
        (false, "localhost:4480", "https://localhost:4480", false),
        (false, "localhost:4480", "http://127.0.0.1:4480", false),
        (true, "bus.example", "https://bus.example", true),
        (true, "bus.example:443", "https://bus.example", true),
        (true, "bus.example", "http://bus.example", false),
        (true, "bus.example", "https://app.example", true),
        (true, "bus.example", "https://a.example.org", true),
        (true, "bus.example", "https://evil.example", false),
        (true, "bus.example", "https://bus.example.evil.example", false),
        (true, "bus.example", "capacitor://localhost", true),
        (true, "bus.example", "ionic://localhost", true),
        (true, "bus.example", "file://", false),
        (true, "bus.example", "null", false),
        (true, "bus.example", "", false),
    ] {
        let request = request("/", &[("host", host), ("origin", origin)]);
        let judged = rules().caller(arrival("127.0.0.1", "127.0.0.1", is_tls), &request);
        assert_eq!(judged.is_ok(), admits, "{host} {origin}");
        assert!(judged.map_or_else(|denial| denial.status == 403, |caller| caller.origin.as_deref() == Some(origin)));
    }
    let two =
        request("/", &[("host", "localhost"), ("origin", "https://app.example"), ("origin", "https://evil.example")]);
    assert_eq!(rules().caller(arrival("127.0.0.1", "127.0.0.1", false), &two).unwrap_err().status, 403);
}

#[test]
fn a_trusted_proxy_says_who_comes_and_whether_it_spoke_tls() {
    let trusting = Rules { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..rules() };
    let fields = [
        ("host", "bus.example"),
        ("origin", "https://bus.example"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
    ];
    let caller = trusting.caller(arrival("10.0.0.1", "10.0.0.2", false), &request("/", &fields)).unwrap();
    assert_eq!((caller.address.to_string().as_str(), caller.is_private), ("203.0.113.9", true));
    let stranger = trusting.caller(arrival("192.0.2.1", "10.0.0.2", false), &request("/", &fields));
    assert_eq!(stranger.unwrap_err().status, 403, "a stranger's word does not make http https");
}

#[test]
fn whoever_comes_through_a_proxy_is_not_on_this_machine() {
    let trusting = Rules { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..rules() };
    let by_forwarded = Rules { proxy_header: ProxyHeader::Forwarded, ..trusting.clone() };
    for (rules, host, fields, address) in [
        (rules(), "localhost:5173", &[][..], "127.0.0.1"),
        (rules(), "app.localhost", &[], "127.0.0.1"),
        (rules(), "[::1]:4480", &[], "127.0.0.1"),
        (trusting.clone(), "localhost", &[], "127.0.0.1"),
        (rules(), "bus.example", &[], "::"),
        (trusting.clone(), "bus.example", &[], "::"),
        (rules(), "localhost", &[("x-forwarded-for", "203.0.113.9")], "::"),
        (rules(), "localhost", &[("x-forwarded-for", "127.0.0.1")], "::"),
        (rules(), "localhost", &[("x-forwarded-proto", "https")], "::"),
        (rules(), "localhost", &[("x-forwarded-host", "localhost")], "::"),
        (rules(), "localhost", &[("forwarded", "for=127.0.0.1")], "::"),
        (rules(), "localhost", &[("x-real-ip", "127.0.0.1")], "::"),
        (rules(), "localhost", &[("via", "1.1 proxy")], "::"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "203.0.113.9")], "203.0.113.9"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "\u{ff}, 203.0.113.9")], "203.0.113.9"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "127.0.0.1, 203.0.113.9")], "203.0.113.9"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "127.0.0.1")], "::"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "\u{ff}")], "::"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "unknown")], "::"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "")], "::"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "fe80::1%eth0")], "::"),
        (trusting.clone(), "localhost", &[("x-forwarded-for", "\"[::1]\"")], "::"),
        (trusting.clone(), "localhost", &[("forwarded", "for=203.0.113.9")], "::"),
        (by_forwarded.clone(), "localhost", &[("x-forwarded-for", "203.0.113.9")], "::"),
        (by_forwarded.clone(), "localhost", &[("forwarded", "for=_hidden")], "::"),
        (by_forwarded, "localhost", &[("forwarded", "for=\u{ff}, for=203.0.113.9")], "203.0.113.9"),
    ] {
        let fields: Vec<_> = [("host", host)].iter().chain(fields).copied().collect();
        for (is_tls, is_private) in [(false, address == "127.0.0.1"), (true, true)] {
            let arrival = arrival("127.0.0.1", "127.0.0.1", is_tls);
            let caller = rules.caller(arrival, &request("/", &fields)).unwrap();
            assert_eq!((caller.address.to_string().as_str(), caller.is_private), (address, is_private), "{fields:?}");
        }
    }
    let far = trusting.caller(
        arrival("127.0.0.1", "127.0.0.1", false),
        &request(
            "/",
            &[("host", "localhost"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "http\u{ff}")],
        ),
    );
    assert!(!far.unwrap().is_private);
}

#[test]
fn a_key_is_shown_where_it_may_be() {
    let with_query = Rules { query: Some("key".into()), ..rules() };
    let page = ("origin", "https://app.example");
    let (near, far) = (arrival("127.0.0.1", "127.0.0.1", false), arrival("192.0.2.1", "10.0.0.7", false));
    let safe = arrival("192.0.2.1", "10.0.0.7", true);
    for (rules, arrival, target, fields, expected) in [
        (rules(), near, "/", &[][..], Ok(None)),
        (rules(), near, "/", &[("authorization", "Bearer k")], Ok(Some((CredentialSource::Authorization, "k")))),
        (rules(), near, "/", &[("authorization", "bearer  k ")], Ok(Some((CredentialSource::Authorization, "k")))),
        (rules(), near, "/", &[("authorization", "Basic eDp5")], Err(401)),
        (rules(), near, "/", &[("authorization", "Bearer ")], Err(401)),
        (rules(), near, "/", &[("authorization", "Bearer a"), ("authorization", "Bearer b")], Err(401)),
        (rules(), near, "/", &[page, ("cookie", "a=b; session=k")], Ok(Some((CredentialSource::Cookie, "k")))),
        (rules(), near, "/", &[page, ("cookie", "xsession=k")], Ok(None)),
        (rules(), near, "/", &[page, ("cookie", "session=k; session=l")], Err(400)),
        (rules(), near, "/", &[("cookie", "session=k")], Err(403)),
        (rules(), near, "/?key=k", &[], Ok(None)),
        (with_query.clone(), near, "/?a=b&key=k%2b", &[], Ok(Some((CredentialSource::Query, "k+")))),
        (with_query.clone(), near, "/?key=k&key=l", &[], Err(400)),
        (with_query, far, "/?key=k", &[], Err(403)),
        (rules(), far, "/", &[("authorization", "Bearer k")], Err(403)),
        (rules(), far, "/", &[page, ("cookie", "session=k")], Err(403)),
        (rules(), safe, "/", &[("authorization", "Bearer k")], Ok(Some((CredentialSource::Authorization, "k")))),
        (
            Rules { plain_credentials: true, ..rules() },
            far,
            "/",
            &[("authorization", "Bearer k")],
            Ok(Some((CredentialSource::Authorization, "k"))),
        ),
    ] {
        let host = if arrival.peer.is_loopback() { "localhost" } else { "bus.example" };
        let fields: Vec<_> = [("host", host)].iter().chain(fields).copied().collect();
        let request = request(target, &fields);
        let caller = rules.caller(arrival, &request).unwrap();
        let shown = rules.shown(&caller, &request);
        let told = shown.as_ref().map(|shown| shown.as_ref().map(|shown| (shown.source, shown.secret.expose())));
        assert_eq!(told.map_err(|denial| denial.status.as_u16()), expected, "{target} {fields:?}");
    }
}

#[test]
fn every_page_with_every_visitors_cookie_is_refused() {
    let any = Rules { origins: vec!["*".parse().unwrap()], ..Rules::default() };
    assert_eq!(any.check(), Ok(()));
    assert_eq!(Rules { cookie: Some("s".into()), ..any }.check(), Err(RulesError::AnyOriginWithCookie));
    assert_eq!(rules().check(), Ok(()));
    assert_eq!(Rules { query: Some("a b".into()), ..Rules::default() }.check(), Err(RulesError::BadName));
}

#[test]
fn a_secret_does_not_show_itself() {
    let request = request("/", &[("host", "localhost"), ("authorization", "Bearer hidden")]);
    let caller = rules().caller(arrival("127.0.0.1", "127.0.0.1", false), &request).unwrap();
    let shown = rules().shown(&caller, &request).unwrap().unwrap();
    assert!(!format!("{shown:?}").contains("hidden"));
}
