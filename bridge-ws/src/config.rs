//! What a browser's door is told when it opens, and the bounds it keeps, each with its reason; it reads no file.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::Millis;

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

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval: Duration::from_secs(10), grace: GRACE }
    }
}

/// What a connection may cost before and after the upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// HTTP connections at once, those that shake hands included. Others wait in the kernel.
    pub http_connections: usize,
    /// The same from one address, an IPv6 one counted by its first 64 bits; trusted proxies may have all.
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
            http_connections: 1024,
            http_connections_per_address: 128,
            headers: 64,
            header_bytes: 32 << 10,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            publish_bytes: 1 << 20,
            publish_messages: 1000,
            publishes_bytes: 16 << 20,
        }
    }
}

/// A handshake over a bad mobile link takes a few seconds.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Service managers kill after ten seconds or more.
const DRAIN_DEADLINE: Duration = Duration::from_secs(8);

/// A browser lets the timers of a tab in the background run once a minute.
const GRACE: Duration = Duration::from_secs(65);

/// What a message of a publish over HTTP costs beside its bytes in the body: its key, its outcome and its line of the
/// answer.
pub const MESSAGE_BYTES: usize = 1 << 10;

/// How many times its bytes a body takes while it is read: as it came and grew, a payload's text around which a frame is
/// put, what is decoded from it, and the copy that grows into the frame's body.
pub const BODY_COPIES: usize = 6;

// What follows is not for operators.

/// The least that is taken for a body.
pub(crate) const BODY_BYTES_FIRST: usize = 4 << 10;

/// When to come again if too much is published over HTTP.
pub(crate) const COME_AGAIN: Millis = Millis::saturating(1000);

/// Bytes taken from a socket at once; they stand on the stack while they are read.
pub(crate) const READ_BYTES: usize = 16 << 10;

/// Pieces handed to the kernel in one write.
pub(crate) const SLICES_A_WRITE: usize = 64;

/// Frames that one message may be cut into: a browser cuts into pieces of 64 KiB and more, a library into a kilobyte.
pub(crate) const FRAGMENTS_MAX: u32 = 4096;

/// Control frames that a browser may send between two turns of its heartbeat.
pub(crate) const CONTROLS_MAX: u32 = 1000;

/// Pongs that wait to be written. RFC 6455, section 5.5.3, asks for the last one only.
pub(crate) const PONGS_MAX: usize = 16;

/// Places that a queue out keeps when it is empty.
pub(crate) const PLACES_KEPT: usize = 4;

/// How long a session that ends may take to send what is left and to hang up.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// Signals that may wait for a socket's actor: a turn of the heartbeat, and that the door drains.
pub(crate) const MAILBOX: usize = 8;

/// Parts that the heartbeat's interval is cut into, so that not all sockets tick at once.
pub(crate) const SPOKES: usize = 64;

/// How long to wait after a connection could not be accepted.
pub(crate) const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
