//! Which requests are heard: by Host, Origin and credential; pure judgements, the same for an upgrade and for all others.

use std::net::{IpAddr, Ipv6Addr};

use callboard_protocol::error::Class;
use callboard_protocol::limits::ORIGIN_BYTES_MAX;
use http::header;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use ipnet::IpNet;

use super::credential;
use super::host::{Authority, HostPattern};
use super::origin::{Origin, OriginPattern};
use super::proxy::{self, ProxyHeader};
use crate::denial::Denial;
use crate::hint::Hint;
use crate::upstream::{CredentialSource, Shown};

/// Who may come in.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Pages that may come in beside those of the door's own origin.
    pub origins: Vec<OriginPattern>,
    /// Names under which the door may be called, beside loopback's own and, where it is reached beyond loopback, plain
    /// addresses: any other name may be one that an attacker's DNS server points here.
    pub hosts: Vec<HostPattern>,
    /// Proxies that are believed when they say who stands behind them.
    pub trusted_proxies: Vec<IpNet>,
    /// How they say it.
    pub proxy_header: ProxyHeader,
    /// The cookie that may have a key; none is read otherwise. With it the page's Origin must be a listed one.
    pub cookie: Option<String>,
    /// The field of the query that may have a key; none is read otherwise, because queries end up in logs.
    pub query: Option<String>,
    /// Whether keys are taken from other machines without TLS, where everybody on the way reads along.
    pub plain_credentials: bool,
}

/// The rules cannot hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// Every page could use the cookies of every visitor.
    #[error(
        "with the origin `*` any page could use a visitor's cookie: list the origins, or accept no key from a cookie"
    )]
    AnyOriginWithCookie,
    /// The cookie's or the query's name is empty or has a character that no name has.
    #[error("the name of a cookie or query parameter has letters, digits, `-`, `_` and `.` only")]
    BadName,
}

/// How a connection came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Who opened it.
    pub(crate) peer: IpAddr,
    /// The address that it reached.
    pub(crate) local: IpAddr,
    /// Whether it is inside TLS.
    pub(crate) is_tls: bool,
}

/// Who sent a request that is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Its own address, or of the proxy beyond which nobody can see. It is one of loopback for who is on this machine, and
    /// for nobody else; `::` is somebody behind a proxy here.
    pub(crate) address: IpAddr,
    /// A page that may come in. None is no browser, or a browser that asks for its own page.
    pub(crate) origin: Option<String>,
    pub(crate) is_private: bool,
    /// A proxy on this machine that brings it and that nobody named.
    unknown_proxy: Option<IpAddr>,
}

impl Rules {
    /// Whether the rules hold together.
    ///
    /// # Errors
    ///
    /// What contradicts what.
    pub fn check(&self) -> Result<(), RulesError> {
        if self.cookie.is_some() && self.origins.iter().any(OriginPattern::is_any) {
            return Err(RulesError::AnyOriginWithCookie);
        }
        let is_name = |name: &&String| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match self.cookie.iter().chain(&self.query).all(|name| is_name(&name)) {
            true => Ok(()),
            false => Err(RulesError::BadName),
        }
    }

    /// Judges who sends a request.
    ///
    /// # Errors
    ///
    /// Why it is not heard.
    pub(crate) fn caller(&self, arrival: Arrival, request: &Parts) -> Result<Caller, Denial> {
        let headers = &request.headers;
        let host = self.host(arrival, request)?;
        let mut client = proxy::client(arrival.peer, arrival.is_tls, &self.trusted_proxies, self.proxy_header, headers);
        // PROTOCOL.md, "Behind a proxy": whoever comes through a proxy is not on this machine, whatever is written.
        if client.address.is_loopback() && (proxy::is_forwarded(headers) || !host.is_loopback()) {
            client.address = Ipv6Addr::UNSPECIFIED.into();
        }
        let origin = self.origin(&host, client.is_tls, headers)?;
        let peer = arrival.peer.to_canonical();
        let is_unknown = peer.is_loopback() && !self.trusted_proxies.iter().any(|net| net.contains(&peer));
        Ok(Caller {
            // Whoever comes from elsewhere may call itself a proxy: only what runs here is the operator's own.
            unknown_proxy: (is_unknown && client.address.is_unspecified()).then_some(peer),
            address: client.address,
            origin,
            is_private: client.is_tls || self.plain_credentials || client.address.is_loopback(),
        })
    }

    fn host(&self, arrival: Arrival, request: &Parts) -> Result<Authority, Denial> {
        let mut fields = request.headers.get_all(header::HOST).into_iter();
        let host = fields.next().and_then(|host| Authority::parse(host.to_str().ok()?));
        // RFC 9112, section 3.2: exactly one Host; a target with a host of its own is for proxies.
        let (Some(host), None, None) = (host, fields.next(), request.uri.authority()) else {
            return Err(Denial::new(
                Class::BadRequest,
                "send exactly one Host header, and only a path as the request target",
            )
            .and_close());
        };
        let is_beyond = !arrival.local.to_canonical().is_loopback();
        let is_ours = host.is_loopback() || is_beyond && host.is_address();
        if is_ours || self.hosts.iter().any(|pattern| pattern.admits(&host)) {
            return Ok(host);
        }
        let sentence =
            "this host name is not served here; the operator can add it to ws.hosts, and a proxy to ws.trusted_proxies";
        let denial = Denial::new(Class::Forbidden, sentence).with_status(StatusCode::MISDIRECTED_REQUEST);
        Err(denial.with_hint(Hint::Host(host.host)))
    }

    fn origin(&self, host: &Authority, is_tls: bool, headers: &HeaderMap) -> Result<Option<String>, Denial> {
        let mut fields = headers.get_all(header::ORIGIN).into_iter();
        let Some(field) = fields.next() else { return Ok(None) };
        let text = field.to_str().unwrap_or_default();
        let (Some(origin), None) = (Origin::parse(text), fields.next()) else {
            let sentence = "a page without an origin of its own, such as a file or a sandboxed frame, may not connect";
            return Err(Denial::new(Class::Forbidden, sentence));
        };
        if origin.is_same(host, is_tls) || self.origins.iter().any(|pattern| pattern.admits(&origin)) {
            return Ok(Some(text.to_owned()));
        }
        let sentence = "pages of this origin may not connect; the operator can add it to ws.origins, and a proxy that \
                        serves them to ws.trusted_proxies";
        let denial = Denial::new(Class::Forbidden, sentence);
        Err(if text.len() <= ORIGIN_BYTES_MAX { denial.with_hint(Hint::Origin(text.to_owned())) } else { denial })
    }

    /// What `caller` shows with the handshake, if anything.
    ///
    /// # Errors
    ///
    /// Why it may not be shown so.
    pub(crate) fn shown(&self, caller: &Caller, request: &Parts) -> Result<Option<Shown>, Denial> {
        let from = |source| move |secret| Shown { source, secret };
        let bearer = credential::bearer(&request.headers)?.map(from(CredentialSource::Authorization));
        let query = self.query.as_ref().map(|name| credential::query(&request.uri, name)).transpose()?.flatten();
        let cookie = self.cookie.as_ref().map(|name| credential::cookie(&request.headers, name)).transpose()?.flatten();
        let cookie = cookie.map(from(CredentialSource::Cookie));
        let Some(shown) = bearer.or(query.map(from(CredentialSource::Query))).or(cookie) else { return Ok(None) };
        if shown.source == CredentialSource::Cookie && caller.origin.is_none() {
            let sentence = "a key in a cookie needs an Origin, as pages send it; use `Authorization: Bearer KEY`";
            return Err(Denial::new(Class::Forbidden, sentence));
        }
        caller.may_show()?;
        Ok(Some(shown))
    }
}

impl Caller {
    /// Whether it may show a credential at all.
    ///
    /// # Errors
    ///
    /// That others could read it.
    pub(crate) fn may_show(&self) -> Result<(), Denial> {
        if self.is_private {
            return Ok(());
        }
        let sentence = "this connection has no TLS, so others could read the key: use wss or https; where a proxy \
                        speaks TLS, the operator can add it to ws.trusted_proxies";
        let denial = Denial::new(Class::Forbidden, sentence);
        Err(match self.unknown_proxy {
            Some(proxy) => denial.with_hint(Hint::Proxy(proxy)),
            None => denial,
        })
    }
}
