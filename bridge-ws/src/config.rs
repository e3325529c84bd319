//! What a browser's door is told when it opens; it reads no file.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::defaults::{
    DRAIN_DEADLINE, HELLO_TIMEOUT, HTTP_CONNECTIONS, HTTP_CONNECTIONS_PER_ADDRESS, HTTP_PUBLISH_BYTES, MESSAGE_BYTES,
    PING_GRACE, PING_INTERVAL,
};
use crate::resource::Resource;
use crate::rules::Rules;

/// How the door opens and whom it lets in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// With what it proves itself; none is plain HTTP. The protocols it offers are set by the door.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Who may come in.
    pub rules: Rules,
    /// How often a browser must be heard.
    pub heartbeat: Heartbeat,
    /// Until `Hello` must have come, from the upgrade on.
    pub hello_timeout: Duration,
    /// Until everything is out after the upstream began to drain.
    pub drain_deadline: Duration,
    /// What a connection may cost.
    pub limits: Limits,
    /// What stands beside the pages.
    pub resources: Vec<Resource>,
}

impl Config {
    /// The defaults, on this address, without TLS.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            rules: Rules::default(),
            heartbeat: Heartbeat::default(),
            hello_timeout: HELLO_TIMEOUT,
            drain_deadline: DRAIN_DEADLINE,
            limits: Limits::default(),
            resources: Vec::new(),
        }
    }
}

/// How often something is said to a browser, and how long one may stay silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Between two signs of life; what `Welcome` promises as `ping_interval`.
    pub interval: Duration,
    /// What an answer may take beyond that, until the session is given up.
    pub grace: Duration,
}

impl Heartbeat {
    /// How many ticks there are until `wait` has passed for certain: the first may come at once.
    pub(crate) fn ticks(&self, wait: Duration) -> u32 {
        let ticks = wait.as_millis().div_ceil(self.interval.as_millis().max(1));
        u32::try_from(ticks).unwrap_or(u32::MAX).saturating_add(1)
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval: PING_INTERVAL, grace: PING_GRACE }
    }
}

/// What a connection may cost before and after the upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// HTTP connections at once, those that shake hands included. Others wait in the kernel.
    pub http_connections: usize,
    /// HTTP connections at once from one address, an IPv6 one counted by its first 64 bits; trusted proxies may have
    /// all.
    pub http_connections_per_address: usize,
    /// Header fields of a request.
    pub headers: usize,
    /// Bytes of a request's line and header fields.
    pub header_bytes: usize,
    /// Until a request's header, or a TLS handshake, must be whole.
    pub header_timeout: Duration,
    /// Until a request must be read and answered, and until a peer must take more of an answer.
    pub request_timeout: Duration,
    /// Bytes of a body of `POST /v1/publish`.
    pub publish_bytes: usize,
    /// Messages of one `POST /v1/publish`, each channel counted.
    pub publish_messages: usize,
    /// Bytes of all publishes over HTTP that are under way: of their bodies, and [`MESSAGE_BYTES`] for each message.
    pub publishes_bytes: usize,
}

impl Limits {
    /// These limits with so many bytes for all publishes under way, of which one alone may have half.
    #[must_use]
    pub fn with_publishes_bytes(self, bytes: usize) -> Self {
        Self {
            publish_bytes: self.publish_bytes.min(bytes / 4),
            publish_messages: self.publish_messages.min(bytes / 4 / MESSAGE_BYTES),
            publishes_bytes: bytes,
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            http_connections: HTTP_CONNECTIONS,
            http_connections_per_address: HTTP_CONNECTIONS_PER_ADDRESS,
            headers: 64,
            header_bytes: 32 << 10,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            publish_bytes: 1 << 20,
            publish_messages: 1000,
            publishes_bytes: HTTP_PUBLISH_BYTES,
        }
    }
}
