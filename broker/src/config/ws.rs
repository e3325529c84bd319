//! What an operator can choose of the browser's door; where it listens and what it shows follow from it. It opens nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use callboard_bridge_ws::Heartbeat;
use callboard_bridge_ws::rules::{HostPattern, OriginPattern, ProxyHeader, Rules};
use ipnet::IpNet;

use super::Config;
use crate::defaults;

/// The browser's door: WebSocket, pages and publishing over HTTP.
#[derive(Debug, Clone)]
pub struct Ws {
    /// Where it listens (TCP).
    pub listen: WsListen,
    /// Whether it speaks TLS, with the certificate of the other doors. `None`: only where other machines can connect.
    pub tls: Option<bool>,
    /// Pages that may come in beside the door's own.
    pub origins: Vec<OriginPattern>,
    /// Names under which the door may be called beside loopback's and its addresses.
    pub hosts: Vec<HostPattern>,
    /// Proxies that are believed when they say who stands behind them.
    pub trusted_proxies: Vec<IpNet>,
    /// In which header field they say it.
    pub proxy_header: ProxyHeader,
    /// The cookie that may have a key.
    pub cookie: Option<String>,
    /// The field of the query that may have a key.
    pub query_credential: Option<String>,
    /// How often the broker asks a silent browser for a sign of life.
    pub ping_interval: Duration,
    /// How long its answer may take.
    pub ping_grace: Duration,
    /// HTTP connections at once: those that are no WebSocket yet, or never will be.
    pub http_connections: usize,
    /// HTTP connections at once from one address.
    pub http_connections_per_address: usize,
    /// Bytes of all publishes over HTTP that are under way.
    pub publish_bytes: usize,
}

/// Where the browser's door listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WsListen {
    /// On loopback, under the port number of the QUIC door.
    #[default]
    SamePort,
    /// There. Port 0 takes a free one.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

impl Default for Ws {
    fn default() -> Self {
        Self {
            listen: WsListen::default(),
            tls: None,
            origins: Vec::new(),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            cookie: None,
            query_credential: None,
            ping_interval: defaults::PING_INTERVAL,
            ping_grace: defaults::PING_GRACE,
            http_connections: defaults::HTTP_CONNECTIONS,
            http_connections_per_address: defaults::HTTP_CONNECTIONS_PER_ADDRESS,
            publish_bytes: defaults::HTTP_PUBLISH_BYTES,
        }
    }
}

impl Ws {
    /// Who may come in.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            origins: self.origins.clone(),
            hosts: self.hosts.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            proxy_header: self.proxy_header,
            cookie: self.cookie.clone(),
            query: self.query_credential.clone(),
            plain_credentials: false,
        }
    }
}

impl Config {
    /// Where the browser's door listens, if it does.
    #[must_use]
    pub fn ws_address(&self) -> Option<SocketAddr> {
        let loopback: IpAddr = match self.listen.ip() {
            IpAddr::V6(ip) if ip.is_loopback() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V4(_) | IpAddr::V6(_) => Ipv4Addr::LOCALHOST.into(),
        };
        match self.ws.listen {
            WsListen::SamePort => Some(SocketAddr::new(loopback, self.listen.port())),
            WsListen::At(address) => Some(address),
            WsListen::Off => None,
        }
    }

    /// How the browser's door opens, if there is to be one; `tls` is asked where it speaks TLS.
    ///
    /// # Errors
    ///
    /// What `tls` says.
    pub fn door<E>(
        &self,
        tls: impl FnOnce() -> Result<Arc<rustls::ServerConfig>, E>,
    ) -> Result<Option<callboard_bridge_ws::Config>, E> {
        let Some(listen) = self.ws_address() else { return Ok(None) };
        let ws = &self.ws;
        Ok(Some(callboard_bridge_ws::Config {
            tls: if self.ws_has_tls() { Some(tls()?) } else { None },
            rules: ws.rules(),
            heartbeat: Heartbeat { interval: ws.ping_interval, grace: ws.ping_grace },
            hello_timeout: self.hello_timeout,
            drain_deadline: self.drain.deadline,
            limits: callboard_bridge_ws::Limits {
                http_connections: ws.http_connections,
                http_connections_per_address: ws.http_connections_per_address,
                ..callboard_bridge_ws::Limits::default()
            }
            .with_publishes_bytes(ws.publish_bytes),
            ..callboard_bridge_ws::Config::new(listen)
        }))
    }

    /// Whether the browser's door speaks TLS: as configured, otherwise only where other machines can connect.
    #[must_use]
    pub fn ws_has_tls(&self) -> bool {
        let is_beyond = self.ws_address().is_some_and(|address| !address.ip().to_canonical().is_loopback());
        self.ws.tls.unwrap_or(is_beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_door_is_on_loopback_under_the_port_of_the_other_one() {
        for (listen, ws) in
            [("0.0.0.0:5000", "127.0.0.1:5000"), ("[::1]:5001", "[::1]:5001"), ("[::]:1", "127.0.0.1:1")]
        {
            let mut config = Config::new("data");
            config.listen = listen.parse().expect("an address");
            assert_eq!((config.ws_address(), config.ws_has_tls()), (Some(ws.parse().expect("an address")), false));
        }
    }
}
