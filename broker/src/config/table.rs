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
    row!("listen", Address, listen, "Address to listen on (UDP); port 0 picks a free one"),
    row!(
        "ws_listen",
        Listen,
        ws.listen,
        "Address for browsers (HTTP and WebSocket, TCP); true is loopback with the port of listen, false is none"
    ),
    row!(
        "data_dir",
        Path,
        data_dir,
        "Directory for API keys and the development certificate; unset, the platform's directory for user data",
        None,
        "\"/var/lib/callboard\""
    ),
    row!(
        "anonymous_publish",
        Switch,
        anonymous_publish,
        "Let peers without a key publish; unset, only those on this machine and behind no proxy, while no other machine can connect",
        None,
        "false"
    ),
    row!(
        "expose_anyway",
        Switch,
        expose_anyway,
        "Listen beyond this machine even with the development certificate or anonymous publishing"
    ),
    row!(
        "demo",
        Switch,
        demo,
        "Run the demo that the page at / uses; unset, only if callboard runs without a command and is open to this \
         machine alone",
        None,
        "true"
    ),
    row!("payload_bytes_max", Bytes, payload_bytes_max, "Largest payload of a message"),
    row!("subscriptions_max", Count, subscriptions_max, "Subscriptions that one session may have at once"),
    row!(
        "hello_timeout_ms",
        Millis,
        hello_timeout,
        "How long a peer may take to open its session, and to complete a large message while others have no room for theirs"
    ),
    row!(
        "idle_timeout_ms",
        Millis,
        idle_timeout,
        "Silence after which a peer is dropped; the broker pings at half of it, so a dead peer is dropped within one \
         and a half times this"
    ),
    row!("channel_idle_ms", Millis, channel_idle, "How long an idle channel keeps its actor"),
    row!(
        "channel_grace_ms",
        Millis,
        channel_grace,
        "How long an empty channel is kept for a subscriber whose connection was lost; 0 turns this off"
    ),
    row!(
        "metrics_listen",
        Address,
        metrics_listen,
        "Address for /metrics, /healthz and /readyz (HTTP); unset, none",
        Some("metrics"),
        "\"127.0.0.1:4490\""
    ),
    row!("metrics_expose", Switch, metrics_expose, "Let other machines read the metrics, which no key protects"),
    row!(
        "log",
        Filter,
        log,
        "What to log: a level, or filters such as \"callboard=debug,quinn=info\"; unset, the broker's own events",
        None,
        "\"debug\""
    ),
    row!(
        "log_format",
        LogFormat,
        log_format,
        "Format of the log: \"human\" for people, \"json\" for machines, one line per event"
    ),
    CERT,
    KEY,
    row!(
        "ws.tls",
        Switch,
        ws.tls,
        "Serve browsers over https and wss, with the certificate of [tls]; unset, only where other machines can \
         connect",
        None,
        "true"
    ),
    row!(
        "ws.origins",
        Origins,
        ws.origins,
        "Origins of pages that may connect besides the door's own; without this check any website could use the bus"
    ),
    row!(
        "ws.hosts",
        Hosts,
        ws.hosts,
        "Host names accepted besides localhost and IP addresses, such as those a proxy passes on; protects against DNS rebinding"
    ),
    row!(
        "ws.trusted_proxies",
        Networks,
        ws.trusted_proxies,
        "Proxies trusted to say which address a connection is from, and whether it uses TLS; README.md has an example"
    ),
    row!(
        "ws.proxy_header",
        ProxyHeader,
        ws.proxy_header,
        "Header in which trusted proxies give that address: X-Forwarded-For or Forwarded"
    ),
    row!(
        "ws.cookie",
        Name,
        ws.cookie,
        "Name of the cookie that may carry a browser's API key, for pages of the listed origins; unset, none is read",
        None,
        "\"callboard_key\""
    ),
    row!(
        "ws.query_credential",
        Name,
        ws.query_credential,
        "Query parameter that may carry an API key; unset, none is read, because queries end up in logs",
        None,
        "\"key\""
    ),
    row!(
        "ws.ping_interval_ms",
        Millis,
        ws.ping_interval,
        "How often a browser is pinged; proxies drop silent connections"
    ),
    row!(
        "ws.ping_grace_ms",
        Millis,
        ws.ping_grace,
        "How long a browser may take to answer a ping; a background tab may run its timers once a minute"
    ),
    row!(
        "ws.http_connections",
        Count,
        ws.http_connections,
        "HTTP connections that are not yet WebSockets; further ones wait in the kernel"
    ),
    row!(
        "ws.http_connections_per_address",
        Count,
        ws.http_connections_per_address,
        "HTTP connections of one address that are not yet WebSockets, so that nobody keeps all others out"
    ),
    row!(
        "ws.publish_bytes",
        Bytes,
        ws.publish_bytes,
        "Memory for HTTP publishes in progress: their bodies, and 1024 bytes per message; one request may use half"
    ),
    row!(
        "outbox.messages",
        Count,
        outbox.messages,
        "Messages that may wait for one session; past it the session is closed as too slow"
    ),
    row!(
        "outbox.bytes",
        Bytes,
        outbox.bytes,
        "Bytes that may wait for one session; at least one message of the largest payload"
    ),
    row!(
        "drain.deadline_ms",
        Millis,
        drain.deadline,
        "How long shutdown may take to deliver everything to its readers"
    ),
    row!("drain.spread_ms", Millis, drain.spread, "Period over which clients are told to spread their reconnects"),
    row!("limits.connections", Count, limits.connections, "Connections in total"),
    row!(
        "limits.connections_per_address",
        Count,
        limits.connections_per_address,
        "Connections from one address, or from one IPv6 /64"
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
        "Handshakes in progress; past half of it peers must prove their address"
    ),
    row!(
        "limits.handshakes_per_address",
        Count,
        limits.handshakes_per_address,
        "Handshakes in progress from one address, or from one IPv6 /64"
    ),
    row!("limits.channels", Count, limits.channels, "Channels in total, asleep or awake"),
    row!("limits.subscriptions", Count, limits.subscriptions, "Subscriptions in total"),
    row!(
        "limits.births.per_second",
        Count,
        limits.births.per_second,
        "New channels a second that one connection may create"
    ),
    row!("limits.births.burst", Count, limits.births.burst, "New channels that one connection may create in one burst"),
    row!(
        "limits.births_per_address.per_second",
        Count,
        limits.births_per_address.per_second,
        "New channels a second that the connections of one address may create"
    ),
    row!(
        "limits.births_per_address.burst",
        Count,
        limits.births_per_address.burst,
        "New channels that the connections of one address may create in one burst"
    ),
    row!("limits.frames.per_second", Count, limits.frames.per_second, "Frames a second that one session may send"),
    row!("limits.frames.burst", Count, limits.frames.burst, "Frames that one session may send in one burst"),
    row!(
        "limits.publishes.per_second",
        Count,
        limits.publishes.per_second,
        "Publishes a second that one session may send, or one key over HTTP"
    ),
    row!("limits.publishes.burst", Count, limits.publishes.burst, "Publishes that one session may send in one burst"),
    row!("limits.history_bytes", Bytes, limits.history_bytes, "Memory for the histories of all channels"),
    row!(
        "limits.publish_id_bytes",
        Bytes,
        limits.publish_id_bytes,
        "Memory for publish ids; past it the quietest publishers are forgotten early"
    ),
    row!(
        "limits.outbox_bytes",
        Bytes,
        limits.outbox_bytes,
        "Memory for what waits for all sessions together; past it a session that falls behind is closed"
    ),
    row!(
        "limits.inbox_bytes",
        Bytes,
        limits.inbox_bytes,
        "Memory for what was read and waits for its channel, and as much again for incomplete frames; when it is full \
         the broker stops reading"
    ),
    row!(
        "limits.window_bytes",
        Bytes,
        limits.window_bytes,
        "Memory for QUIC windows of busy connections; past it further ones keep small windows"
    ),
];

const CERT: Setting = Setting {
    key: "tls.cert",
    help: "Certificate chain (PEM), the broker's own first; unset, a self-signed development certificate",
    kind: Kind::Path,
    short: Some("cert"),
    sample: "\"/etc/callboard/chain.pem\"",
    show: |config| pem(config).and_then(|(chain, _)| chain.show()),
    set: |config, raw| set_pem(config, raw, |chain, _| chain),
};

const KEY: Setting = Setting {
    key: "tls.key",
    help: "Private key of the certificate (PEM)",
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
