//! Whether a configuration can work and is safe to run; looks at its values alone, never at a file or a port.

use std::net::SocketAddr;
use std::time::Duration;

use callboard_protocol::limits;

use super::{Config, Tls};
use crate::defaults;

/// Longest of the timeouts that can be configured: a peer that is silent for a day is gone.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Shortest silence after which a peer can be given up, as for a client: halfway it is asked whether it is there, and has the
/// other half to answer.
const IDLE_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Room that a message needs beside its payload: its frame with every name at its longest.
const FRAME_BYTES: usize =
    limits::FRAME_BYTES_OVERHEAD + limits::CHANNEL_NAME_BYTES_MAX + limits::KEY_BYTES_MAX + 2 * limits::LABEL_BYTES_MAX;

/// What the longest frame takes while it comes piece by piece, in a buffer with room for as much again.
const INBOX_BYTES_MIN: usize = 2 * limits::BODY_BYTES_MAX;

/// What is wrong with a configuration, and what mends it. The operator is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Payloads would be larger than the protocol carries.
    #[error(
        "payload_bytes_max is {payload_bytes_max}, but a message carries at most {ceiling} bytes; lower it, and let \
         messages refer to larger things",
        ceiling = limits::PAYLOAD_BYTES_CEILING
    )]
    PayloadAboveCeiling {
        /// What was configured.
        payload_bytes_max: usize,
    },
    /// A bound of 0 would let nothing through.
    #[error("{setting} is 0, which would let nothing through; set it to at least 1, or leave it out for the default")]
    Zero {
        /// The setting's name in a configuration file.
        setting: &'static str,
    },
    /// A timeout is longer than a day.
    #[error("{setting} is above a day ({max} ms); lower it", max = TIMEOUT_MAX.as_millis())]
    TimeoutTooLong {
        /// The setting's name in a configuration file.
        setting: &'static str,
    },
    /// A peer would be given up for a packet that is late.
    #[error(
        "idle_timeout_ms is {idle_timeout_ms}, so short that one late packet would end a connection; raise it to at \
         least {min}",
        min = IDLE_TIMEOUT_MIN.as_millis()
    )]
    IdleTimeoutTooShort {
        /// What was configured.
        idle_timeout_ms: u128,
    },
    /// More subscriptions than the wire can announce.
    #[error("subscriptions_max is above {max}; lower it", max = u32::MAX)]
    TooManySubscriptions,
    /// One message of the largest legal size would not fit the outbox.
    #[error(
        "outbox.bytes is {outbox_bytes}, too little for one message of payload_bytes_max ({payload_bytes_max}); raise \
         outbox.bytes to at least {needed}, or lower payload_bytes_max"
    )]
    OutboxBelowMessage {
        /// What was configured.
        outbox_bytes: usize,
        /// The largest payload.
        payload_bytes_max: usize,
        /// What would do.
        needed: usize,
    },
    /// One frame of the largest legal size would not fit what may wait for channels.
    #[error("limits.inbox_bytes is {inbox_bytes}, too little for one frame; raise it to at least {INBOX_BYTES_MIN}")]
    InboxBelowFrame {
        /// What was configured.
        inbox_bytes: usize,
    },
    /// No request could publish anything.
    #[error(
        "ws.publish_bytes is {publish_bytes}, too little for one message over HTTP; raise it to at least {min}",
        min = defaults::HTTP_PUBLISH_BYTES_MIN
    )]
    PublishesBelowMessage {
        /// What was configured.
        publish_bytes: usize,
    },
    /// A certificate without its key, or the other way round.
    #[error("{missing} is not set; a certificate and its private key go together, as tls.cert and tls.key")]
    HalfACertificate {
        /// The setting that is missing.
        missing: &'static str,
    },
    /// Other machines could read the metrics.
    #[error(
        "{listen} can be reached from other machines, and no key protects the metrics served there. Serve them on \
         127.0.0.1; to do it anyway, start with --metrics-expose (or set metrics_expose = true)"
    )]
    ExposedMetrics {
        /// Where they would be served.
        listen: SocketAddr,
    },
    /// The development certificate would be shown to other machines.
    #[error(
        "{listen} can be reached from other machines, and the certificate is the self-signed one for development, \
         which nobody there can verify. Give a real one with --cert and --key (or [tls] in the configuration file), \
         or listen on 127.0.0.1; to do it anyway, start with --expose-anyway"
    )]
    ExposedDevelopmentCertificate {
        /// Where the door would listen.
        listen: SocketAddr,
    },
    /// Anonymous peers on other machines could publish.
    #[error(
        "{listen} can be reached from other machines, and anonymous peers may publish: anyone who finds the port could \
         write to every channel. Start with --anonymous-publish=false (or set anonymous_publish = false) and give \
         publishers a key from `token new`, or listen on 127.0.0.1; to do it anyway, start with --expose-anyway"
    )]
    ExposedAnonymousPublish {
        /// Where the door would listen.
        listen: SocketAddr,
    },
    /// The demo would run where nobody who has no key could ask it for anything.
    #[error(
        "demo is true, but its page publishes without a key, which is not allowed here. Leave demo out, or set \
         anonymous_publish = true"
    )]
    DemoWithoutPublishing,
    /// Browsers on other machines would come without TLS.
    #[error(
        "{listen} can be reached from other machines, and ws.tls is false: anyone on the network path could read and \
         change the traffic of browsers. Leave ws.tls out, or name the proxy in front of it in ws.trusted_proxies, or \
         listen on 127.0.0.1; to do it anyway, start with --expose-anyway"
    )]
    ExposedPlain {
        /// Where the door would listen.
        listen: SocketAddr,
    },
    /// The rules of the browser's door contradict each other.
    #[error("browsers' door: {0}")]
    Ws(#[from] callboard_bridge_ws::rules::RulesError),
}

impl Config {
    /// Checks everything that can be known without opening a file or a port.
    ///
    /// # Errors
    ///
    /// The first value that cannot work, or the first way in which the broker would stand open to other machines
    /// although nobody said that it should.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_bounds()?;
        self.check_timeouts()?;
        self.check_limits()?;
        self.check_certificate()?;
        self.ws.rules().check()?;
        self.check_exposure()?;
        if self.demo == Some(true) && !self.may_publish_anonymously() {
            return Err(ConfigError::DemoWithoutPublishing);
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), ConfigError> {
        let payload_bytes_max = self.payload_bytes_max;
        if payload_bytes_max > limits::PAYLOAD_BYTES_CEILING {
            return Err(ConfigError::PayloadAboveCeiling { payload_bytes_max });
        }
        for (setting, value) in [
            ("payload_bytes_max", payload_bytes_max),
            ("subscriptions_max", self.subscriptions_max),
            ("outbox.messages", self.outbox.messages),
        ] {
            if value == 0 {
                return Err(ConfigError::Zero { setting });
            }
        }
        if u32::try_from(self.subscriptions_max).is_err() {
            return Err(ConfigError::TooManySubscriptions);
        }
        let needed = payload_bytes_max + FRAME_BYTES;
        if self.outbox.bytes < needed {
            return Err(ConfigError::OutboxBelowMessage { outbox_bytes: self.outbox.bytes, payload_bytes_max, needed });
        }
        Ok(())
    }

    fn check_timeouts(&self) -> Result<(), ConfigError> {
        let positive = [
            ("hello_timeout_ms", self.hello_timeout),
            ("idle_timeout_ms", self.idle_timeout),
            ("channel_idle_ms", self.channel_idle),
            ("ws.ping_interval_ms", self.ws.ping_interval),
            ("ws.ping_grace_ms", self.ws.ping_grace),
        ];
        let any = [
            ("channel_grace_ms", self.channel_grace),
            ("drain.deadline_ms", self.drain.deadline),
            ("drain.spread_ms", self.drain.spread),
        ];
        for (setting, value) in positive {
            if value.is_zero() {
                return Err(ConfigError::Zero { setting });
            }
        }
        for (setting, value) in positive.into_iter().chain(any) {
            if value > TIMEOUT_MAX {
                return Err(ConfigError::TimeoutTooLong { setting });
            }
        }
        if self.idle_timeout < IDLE_TIMEOUT_MIN {
            return Err(ConfigError::IdleTimeoutTooShort { idle_timeout_ms: self.idle_timeout.as_millis() });
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        for (setting, value) in [
            ("limits.connections", limits.connections),
            ("limits.connections_per_address", limits.connections_per_address),
            ("limits.bridge_sessions", limits.bridge_sessions),
            ("limits.handshakes", limits.handshakes),
            ("limits.handshakes_per_address", limits.handshakes_per_address),
            ("ws.http_connections", self.ws.http_connections),
            ("ws.http_connections_per_address", self.ws.http_connections_per_address),
            ("limits.channels", limits.channels),
            ("limits.subscriptions", limits.subscriptions),
        ] {
            if value == 0 {
                return Err(ConfigError::Zero { setting });
            }
        }
        let publish_bytes = self.ws.publish_bytes;
        if publish_bytes < defaults::HTTP_PUBLISH_BYTES_MIN {
            return Err(ConfigError::PublishesBelowMessage { publish_bytes });
        }
        if limits.inbox_bytes < INBOX_BYTES_MIN {
            return Err(ConfigError::InboxBelowFrame { inbox_bytes: limits.inbox_bytes });
        }
        for (per_second, burst, rate) in [
            ("limits.births.per_second", "limits.births.burst", limits.births),
            ("limits.births_per_address.per_second", "limits.births_per_address.burst", limits.births_per_address),
            ("limits.frames.per_second", "limits.frames.burst", limits.frames),
            ("limits.publishes.per_second", "limits.publishes.burst", limits.publishes),
        ] {
            for (setting, value) in [(per_second, rate.per_second), (burst, rate.burst)] {
                if value == 0 {
                    return Err(ConfigError::Zero { setting });
                }
            }
        }
        Ok(())
    }

    fn check_certificate(&self) -> Result<(), ConfigError> {
        let Tls::Pem { chain, key } = &self.tls else { return Ok(()) };
        for (missing, path) in [("tls.cert", chain), ("tls.key", key)] {
            if path.as_os_str().is_empty() {
                return Err(ConfigError::HalfACertificate { missing });
            }
        }
        Ok(())
    }

    /// "Beyond it, with a development certificate or anonymous publishing, the broker refuses to start unless
    /// `expose_anyway` is set" (ARCHITECTURE.md, "Identity and access").
    fn check_exposure(&self) -> Result<(), ConfigError> {
        let beyond = |listen: &SocketAddr| !listen.ip().to_canonical().is_loopback();
        if let Some(listen) = self.metrics_listen.filter(beyond).filter(|_| !self.metrics_expose) {
            return Err(ConfigError::ExposedMetrics { listen });
        }
        let Some(listen) = self.beyond_loopback().next().filter(|_| !self.expose_anyway) else { return Ok(()) };
        if self.may_publish_anonymously() {
            return Err(ConfigError::ExposedAnonymousPublish { listen });
        }
        let plain = self.ws_address().filter(|_| !self.ws_has_tls()).filter(beyond);
        if let Some(listen) = plain.filter(|_| self.ws.trusted_proxies.is_empty()) {
            return Err(ConfigError::ExposedPlain { listen });
        }
        let shown = self.beyond_loopback().find(|listen| Some(*listen) != plain);
        match (&self.tls, shown) {
            (Tls::Development, Some(listen)) => Err(ConfigError::ExposedDevelopmentCertificate { listen }),
            (Tls::Development | Tls::Pem { .. }, _) => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
