//! What an operator can choose, with the defaults of [`crate::defaults`]; parsed and checked without binding a port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use callboard_protocol::{ChannelName, limits, version};

use crate::{data_dir, defaults};

mod bounds;
mod bridge;
mod check;
mod datum;
mod draft;
mod file;
mod memory;
mod pattern;
mod print;
mod setting;
mod table;
mod ws;

pub use bounds::{Limits, OUTBOX_BYTES_FREE, Rate};
pub use check::ConfigError;
pub use draft::{Draft, LoadError, Mistake, Source};
pub use memory::{MemoryBound, Term};
pub use pattern::Pattern;
pub use print::{EXAMPLE, example};
pub use setting::{Kind, Setting};
pub use ws::{Ws, WsListen};

/// Everything the broker can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the QUIC door listens (UDP). Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The browser's door.
    pub ws: Ws,
    /// The certificate that the doors show.
    pub tls: Tls,
    /// Where API keys and the development certificate are kept; mode 0700.
    pub data_dir: PathBuf,
    /// Whether anonymous peers may publish. `None`: those on this machine while every door is on loopback, nobody otherwise.
    pub anonymous_publish: Option<bool>,
    /// Go beyond loopback although the certificate is a development one or anonymous peers may publish.
    pub expose_anyway: bool,
    /// Whether the program runs a small one that the page at `/` shows at work ([`crate::demo`]); the broker itself never
    /// does. `None`: where `callboard` is run without a command, and only this machine can connect.
    pub demo: Option<bool>,
    /// What channels remember. The first rule whose pattern matches counts; without one, [`History::default`].
    pub history: Vec<(Pattern, History)>,
    /// The bounds of one session's queue out.
    pub outbox: Outbox,
    /// Largest payload, in bytes; at most [`limits::PAYLOAD_BYTES_CEILING`].
    pub payload_bytes_max: usize,
    /// Subscriptions a session may have at once.
    pub subscriptions_max: usize,
    /// Until the first frame of a session has come, and a later one that holds room while others have none.
    pub hello_timeout: Duration,
    /// Silence after which a peer is given up. Halfway the broker asks whether it is there and counts from then: one that is
    /// gone is given up within half as long again.
    pub idle_timeout: Duration,
    /// How long a channel that nothing happens to stays awake.
    pub channel_idle: Duration,
    /// How long a channel of which nothing is left keeps its place for a member whose connection was lost. Zero: not at all.
    pub channel_grace: Duration,
    /// The bounds on peers and on what they hold in all.
    pub limits: Limits,
    /// How shutdown goes.
    pub drain: Drain,
    /// Where metrics and health are served over HTTP. `None`: nowhere. Port 0 takes a free one.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether other machines may read the metrics, which no key protects.
    pub metrics_expose: bool,
    /// What the program logs: a level or filters. The broker itself logs through `tracing` and starts no logging.
    pub log: Option<String>,
    /// How the program logs.
    pub log_format: LogFormat,
    /// What the broker is to do wrong, for tests of those who are to notice it.
    #[cfg(feature = "faults")]
    #[doc(hidden)]
    pub sabotage: Option<crate::Sabotage>,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// A JSON object a line.
    Json,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// A self-signed one in the data directory, made at the first start.
    Development,
    /// PEM files: the chain, leaf first, and its private key.
    Pem {
        /// The chain.
        chain: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

/// The bounds of a channel's history. A message is forgotten when any one of them is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Messages; 0 remembers nothing.
    pub messages: usize,
    /// Bytes of encoded messages.
    pub bytes: usize,
    /// Time since the broker took the message.
    pub age: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self { messages: defaults::HISTORY_MESSAGES, bytes: defaults::HISTORY_BYTES, age: defaults::HISTORY_AGE }
    }
}

/// The bounds of one session's queue out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outbox {
    /// Frames.
    pub messages: usize,
    /// Bytes.
    pub bytes: usize,
}

/// How shutdown goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long outboxes may take to empty.
    pub deadline: Duration,
    /// Over how long clients are asked to spread their return.
    pub spread: Duration,
}

/// Where data is kept unless the operator says otherwise: the platform's directory for a user's data, as
/// `~/.local/share/callboard`. `None` if the environment does not tell where home is.
#[must_use]
pub fn platform_data_dir() -> Option<PathBuf> {
    data_dir::platform_default()
}

impl Config {
    /// The defaults, with this data directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), version::DEFAULT_PORT),
            ws: Ws::default(),
            tls: Tls::Development,
            data_dir: data_dir.into(),
            anonymous_publish: None,
            expose_anyway: false,
            demo: None,
            history: Vec::new(),
            outbox: Outbox { messages: defaults::OUTBOX_MESSAGES, bytes: defaults::OUTBOX_BYTES },
            payload_bytes_max: limits::PAYLOAD_BYTES_DEFAULT,
            subscriptions_max: defaults::SUBSCRIPTIONS_MAX,
            hello_timeout: defaults::HELLO_TIMEOUT,
            idle_timeout: defaults::IDLE_TIMEOUT,
            channel_idle: defaults::CHANNEL_IDLE,
            channel_grace: defaults::CHANNEL_GRACE,
            limits: Limits::default(),
            drain: Drain { deadline: defaults::DRAIN_DEADLINE, spread: defaults::DRAIN_SPREAD },
            metrics_listen: None,
            metrics_expose: false,
            log: None,
            log_format: LogFormat::Human,
            #[cfg(feature = "faults")]
            sabotage: None,
        }
    }

    /// What the history of the channel `name` is bounded by.
    #[must_use]
    pub fn history_of(&self, name: &ChannelName) -> History {
        self.history.iter().find(|(pattern, _)| pattern.matches(name)).map(|(_, history)| *history).unwrap_or_default()
    }

    /// Whether every door is on loopback, out of the reach of other machines.
    #[must_use]
    pub fn on_loopback(&self) -> bool {
        self.beyond_loopback().next().is_none()
    }

    /// Where doors listen that other machines can reach.
    pub(super) fn beyond_loopback(&self) -> impl Iterator<Item = SocketAddr> {
        let doors = [Some(self.listen), self.ws_address()];
        doors.into_iter().flatten().filter(|address| !address.ip().to_canonical().is_loopback())
    }

    /// Whether anonymous peers may publish: as configured, otherwise only while every door is on loopback.
    #[must_use]
    pub fn may_publish_anonymously(&self) -> bool {
        self.anonymous_publish.unwrap_or_else(|| self.on_loopback())
    }
}
