//! Every setting that there is. A row here is all that a new one needs to be read from a file, a variable and a flag.

use std::path::PathBuf;

use super::datum::{Datum, Raw};
use super::setting::{Kind, Setting};
use super::{Config, Tls};

/// A row whose value is a field of the configuration.
macro_rules! row {
    ($key:literal, $kind:ident, $($field:ident).+, $help:literal) => { row!($key, $kind, $($field).+, $help, None, "") };
    ($key:literal, $kind:ident, $($field:ident).+, $help:literal, $short:expr, $sample:literal) => {
        Setting {
            key: $key,
            help: $help,
            kind: Kind::$kind,
            short: $short,
            sample: $sample,
            show: |config| config.$($field).+.show(),
            set: |config, raw| {
                config.$($field).+ = Datum::read(raw)?;
                Some(())
            },
        }
    };
}

/// Every setting, in the order of the file: those of no table first, then table by table.
pub(super) const SETTINGS: &[Setting] = &[
    row!("listen", Address, listen, "Where to listen (UDP); port 0 takes a free one"),
    row!(
        "ws_listen",
        Listen,
        ws.listen,
        "Where to listen for browsers (HTTP and WebSocket, TCP); true is loopback and the port of listen, false is nowhere"
    ),
    row!(
        "data_dir",
        Path,
        data_dir,
        "Where API keys and the development certificate are kept; unset, this platform's directory for a user's data",
        None,
        "\"/var/lib/callboard\""
    ),
    row!(
        "anonymous_publish",
        Switch,
        anonymous_publish,
        "Whether peers without a key may publish; unset, only those on this machine, while no other can connect",
        None,
        "false"
    ),
    row!(
        "expose_anyway",
        Switch,
        expose_anyway,
        "Listen beyond this machine although the certificate is for development or peers without a key may publish"
    ),
    row!(
        "demo",
        Switch,
        demo,
        "Run the small program that the page at / shows at work; unset, where callboard runs without a command, for this \
         machine alone",
        None,
        "true"
    ),
    row!("payload_bytes_max", Bytes, payload_bytes_max, "The largest payload of a message"),
    row!("subscriptions_max", Count, subscriptions_max, "Subscriptions that a session may have at once"),
    row!("hello_timeout_ms", Millis, hello_timeout, "How long a peer may take to open its session"),
    row!(
        "idle_timeout_ms",
        Millis,
        idle_timeout,
        "Silence after which a peer is given up; the broker asks halfway and counts \
         anew, so that one that is gone is given up within half as long again"
    ),
    row!("channel_idle_ms", Millis, channel_idle, "How long a channel that nothing happens to stays awake"),
    row!(
        "channel_grace_ms",
        Millis,
        channel_grace,
        "How long an empty channel waits for a member whose connection was lost, to give it what came meanwhile; 0 does not"
    ),
    row!(
        "metrics_listen",
        Address,
        metrics_listen,
        "Where /metrics, /healthz and /readyz are served (HTTP); unset, nowhere",
        Some("metrics"),
        "\"127.0.0.1:4490\""
    ),
    row!("metrics_expose", Switch, metrics_expose, "Let other machines read the metrics, which no key protects"),
    row!(
        "log",
        Filter,
        log,
        "What to log: a level, or filters as \"callboard=debug,quinn=info\"; unset, what the broker does",
        None,
        "\"debug\""
    ),
    row!(
        "log_format",
        LogFormat,
        log_format,
        "How to log: \"human\" for people, \"json\" for machines, a line an event"
    ),
    CERT,
    KEY,
    row!(
        "ws.tls",
        Switch,
        ws.tls,
        "Whether browsers come by https and wss, with the certificate of [tls]; unset, only where other machines can connect",
        None,
        "true"
    ),
    row!(
        "ws.origins",
        Origins,
        ws.origins,
        "Pages that may connect beside the door's own: any other page in a visitor's browser could use the bus as well"
    ),
    row!(
        "ws.hosts",
        Hosts,
        ws.hosts,
        "Names of this door beside localhost and its addresses: another name may be one that an attacker points here"
    ),
    row!(
        "ws.trusted_proxies",
        Networks,
        ws.trusted_proxies,
        "Proxies that are believed when they say whose connection it is: limits by address then count the browser's"
    ),
    row!("ws.proxy_header", ProxyHeader, ws.proxy_header, "How these proxies say it: X-Forwarded-For or Forwarded"),
    row!(
        "ws.cookie",
        Name,
        ws.cookie,
        "The cookie that may have a browser's API key, for pages of the listed origins; unset, none is read",
        None,
        "\"callboard_key\""
    ),
    row!(
        "ws.query_credential",
        Name,
        ws.query_credential,
        "The field of the query that may have an API key; unset, none is read, because queries end up in logs",
        None,
        "\"key\""
    ),
    row!(
        "ws.ping_interval_ms",
        Millis,
        ws.ping_interval,
        "How often a browser is asked for a sign of life: proxies forget connections that are silent"
    ),
    row!(
        "ws.ping_grace_ms",
        Millis,
        ws.ping_grace,
        "How long its answer may take; a tab in the background may run its timers once a minute"
    ),
    row!(
        "ws.http_connections",
        Count,
        ws.http_connections,
        "HTTP connections at once that are no WebSocket yet; others wait in the kernel"
    ),
    row!(
        "ws.http_connections_per_address",
        Count,
        ws.http_connections_per_address,
        "The same from one address, so that nobody keeps all others out"
    ),
    row!(
        "ws.publish_bytes",
        Bytes,
        ws.publish_bytes,
        "Bodies of all publishes over HTTP under way, and 1024 for each message; one request may have half"
    ),
    row!(
        "outbox.messages",
        Count,
        outbox.messages,
        "Messages that may wait for one session; past it the session is too slow"
    ),
    row!("outbox.bytes", Bytes, outbox.bytes, "The same in bytes; at least one message of the largest payload"),
    row!(
        "drain.deadline_ms",
        Millis,
        drain.deadline,
        "How long shutdown may take until everything is with its readers"
    ),
    row!("drain.spread_ms", Millis, drain.spread, "Over how long clients are asked to spread their return"),
    row!("limits.connections", Count, limits.connections, "Connections in all"),
    row!(
        "limits.connections_per_address",
        Count,
        limits.connections_per_address,
        "Connections from one address, or from the /64 of an IPv6 one"
    ),
    row!(
        "limits.bridge_sessions",
        Count,
        limits.bridge_sessions,
        "Sessions that a key made with --bridge may open for others on one connection; each counts as a connection"
    ),
    row!(
        "limits.handshakes",
        Count,
        limits.handshakes,
        "Handshakes under way; past half of it peers must prove their address"
    ),
    row!(
        "limits.handshakes_per_address",
        Count,
        limits.handshakes_per_address,
        "The same from one address, or from the /64 of an IPv6 one"
    ),
    row!("limits.channels", Count, limits.channels, "Channels in all, asleep or awake"),
    row!("limits.subscriptions", Count, limits.subscriptions, "Subscriptions in all"),
    row!(
        "limits.births.per_second",
        Count,
        limits.births.per_second,
        "Channels a second that one connection may bring into being"
    ),
    row!("limits.births.burst", Count, limits.births.burst, "And how many of them at once"),
    row!(
        "limits.births_per_address.per_second",
        Count,
        limits.births_per_address.per_second,
        "Channels a second that the connections of one address may bring into being"
    ),
    row!("limits.births_per_address.burst", Count, limits.births_per_address.burst, "And how many of them at once"),
    row!("limits.frames.per_second", Count, limits.frames.per_second, "Frames a second that one session may send"),
    row!("limits.frames.burst", Count, limits.frames.burst, "And how many of them at once"),
    row!(
        "limits.publishes.per_second",
        Count,
        limits.publishes.per_second,
        "Publishes a second that one session may send"
    ),
    row!("limits.publishes.burst", Count, limits.publishes.burst, "And how many of them at once"),
    row!("limits.history_bytes", Bytes, limits.history_bytes, "What all channels together remember"),
    row!(
        "limits.publish_id_bytes",
        Bytes,
        limits.publish_id_bytes,
        "What they remember of publish ids; past it the quietest publishers are forgotten early"
    ),
    row!(
        "limits.outbox_bytes",
        Bytes,
        limits.outbox_bytes,
        "What waits for all sessions together; past it those behind are too slow"
    ),
    row!(
        "limits.inbox_bytes",
        Bytes,
        limits.inbox_bytes,
        "What was read and waits for its channel, and as much again for frames begun; past it nobody is read"
    ),
    row!(
        "limits.window_bytes",
        Bytes,
        limits.window_bytes,
        "QUIC windows of busy connections together; past it further ones keep small windows"
    ),
];

const CERT: Setting = Setting {
    key: "tls.cert",
    help: "The certificate chain (PEM), the broker's own first; unset, a self-signed one for development",
    kind: Kind::Path,
    short: Some("cert"),
    sample: "\"/etc/callboard/chain.pem\"",
    show: |config| pem(config).and_then(|(chain, _)| chain.show()),
    set: |config, raw| set_pem(config, raw, |chain, _| chain),
};

const KEY: Setting = Setting {
    key: "tls.key",
    help: "The certificate's private key (PEM)",
    kind: Kind::Path,
    short: Some("key"),
    sample: "\"/etc/callboard/key.pem\"",
    show: |config| pem(config).and_then(|(_, key)| key.show()),
    set: |config, raw| set_pem(config, raw, |_, key| key),
};

fn pem(config: &Config) -> Option<(&PathBuf, &PathBuf)> {
    match &config.tls {
        Tls::Development => None,
        Tls::Pem { chain, key } => Some((chain, key)),
    }
}

/// Writes one of the two paths. The other is empty until it is written too, which [`Config::check`] asks for.
fn set_pem(
    config: &mut Config,
    raw: &Raw<'_>,
    which: for<'a> fn(&'a mut PathBuf, &'a mut PathBuf) -> &'a mut PathBuf,
) -> Option<()> {
    let path = PathBuf::read(raw)?;
    if config.tls == Tls::Development {
        config.tls = Tls::Pem { chain: PathBuf::new(), key: PathBuf::new() };
    }
    if let Tls::Pem { chain, key } = &mut config.tls {
        *which(chain, key) = path;
    }
    Some(())
}
