//! `callboard bridge`: lets browsers in for a broker elsewhere, until a signal asks it to end. What a bridge does is not
//! decided here, and the key that it has is never shown again.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use callboard::config::{Config, LogFormat};
use callboard::tls;
use callboard::{MetricsServer, StartError};
use callboard_bridge_ws::edge::{Edge, OpenError};
use callboard_client::{Client, Reason};
use callboard_protocol::close::{Code, Return};
use callboard_protocol::version;
use clap::Args;

use super::demo::Demo;
use super::exit::{self, Exit};
use super::key::Key;
use super::output::print;
use super::serve::{at_once, explain};
use super::settings::DoorSettings;
use super::trust::{TrustArgs, TrustChoice};
use super::{logging, summary};
use crate::shutdown::{Signal, Signals};

const AFTER_HELP: &str = "\
It opens a session with the broker for each browser, over a few QUIC connections. That needs a key with the right to do so: `callboard token new NAME --bridge` makes one where the broker is. While the broker is away, browsers are told and wait; a broker that vanishes is noticed within seven seconds. A key in --api-key-file is read again for each connection, so a key that was revoked can be replaced while the bridge runs.

From a configuration file it reads only the settings of the browsers' door: ws_listen, metrics_listen, metrics_expose, [ws], [tls], [drain], and of [limits] connections, connections_per_address, inbox_bytes and outbox_bytes. All other limits are the broker's, which counts by the browsers' own addresses. `callboard check --bridge` prints an upper bound on its memory.

Examples:
  export CALLBOARD_API_KEY=\"$(ssh broker callboard token new edge --bridge)\"
  callboard bridge --upstream broker.example.org:4480
  callboard bridge --upstream 10.0.0.7 --ca broker.pem --ws-listen [::]:443 \\
    --cert chain.pem --key key.pem --ws-origins https://www.example.org

Exit codes:
  0    stopped by SIGINT or SIGTERM, after browsers were told
  1    could not start, or the broker refused the key
  2    the command line or the configuration is wrong
  130  stopped at once by a second SIGINT; 143 by a second SIGTERM";

/// How long the first attempt may take before the door is announced without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Silence after which a connection with the broker is given up: browsers are told then. A keep-alive goes out three times in
/// it, for a bridge has few connections and many who wait to be told: so a broker that is gone without a word is noticed
/// within five to seven seconds, and one that is back says so at the next keep-alive. Shorter, and a broker that is only
/// slow for a moment would have all of them come back at once.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The bounds of the first pause between two attempts to reach the broker, and of every other: its browsers wait for it.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

const STRONG: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Run a bridge: serve browsers here for a broker elsewhere.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Bridge {
    /// The broker's address
    #[arg(long, value_name = "HOST:PORT", env = "CALLBOARD_UPSTREAM", help_heading = "Broker")]
    upstream: String,

    #[command(flatten)]
    key: Key,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    settings: DoorSettings,
}

/// What a configuration means for a bridge, if one can start with it.
pub(super) fn judge(config: &Config) -> anyhow::Result<Config> {
    let config = config.clone().for_bridge();
    config.check().map_err(exit::usage)?;
    if config.ws_address().is_none() {
        return Err(exit::usage("ws_listen is false, but a bridge only serves browsers"));
    }
    Ok(config)
}

/// Runs the command.
pub(super) async fn run(command: Bridge) -> anyhow::Result<Exit> {
    let config = command.config()?;
    logging::start(config.log.as_deref(), config.log_format, logging::SERVE)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "started");
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let url = command.url();
    let choice = command.trust.choose(&url, || Ok(config.data_dir.clone()))?;
    let edge = tokio::select! {
        edge = command.open(&config, &url, &choice) => edge?,
        signal = signals.next() => return Ok(Exit::Interrupted(signal)),
    };
    // Before the wait: whoever watches over it sees that there is no broker.
    let metrics = observe(&config, &edge).await?;
    let reached = tokio::select! {
        reached = tokio::time::timeout(PATIENCE, edge.reached()) => reached.unwrap_or(Err(None)),
        signal = signals.next() => return drain(edge, &config, signal, signals).await,
    };
    if let Err(Some(why)) = &reached {
        refuse(why, &choice)?;
    }
    if config.log_format == LogFormat::Human {
        let metrics = metrics.as_ref().map(MetricsServer::address);
        print(&render(&Facts { config: &config, edge: &edge, url: &url, reached: &reached, metrics }))?;
    }
    let signal = signals.next().await;
    drain(edge, &config, signal, signals).await
}

/// Tells browsers goodbye: the door is open from the first moment on, so there may be some.
async fn drain(edge: Edge, config: &Config, signal: Signal, mut signals: Signals) -> anyhow::Result<Exit> {
    logging::tell(&format!(
        "{}: shutting down: browsers have {} s to go; a second signal stops at once",
        signal.name(),
        config.drain.deadline.as_secs_f32()
    ));
    tokio::select! {
        () = edge.drain(config.drain.spread) => Ok(Exit::Done),
        second = signals.next() => Ok(at_once(second)),
    }
}

impl Bridge {
    /// What the flags, the variables and the configuration file say together of the browser's door.
    fn config(&self) -> anyhow::Result<Config> {
        judge(self.settings.draft()?.config())
    }

    /// The broker's address as clients are told it.
    fn url(&self) -> String {
        let scheme = version::URL_SCHEME;
        if self.upstream.contains("://") { self.upstream.clone() } else { format!("{scheme}://{}", self.upstream) }
    }

    async fn open(&self, config: &Config, url: &str, choice: &TrustChoice) -> anyhow::Result<Edge> {
        let key = self.key.read()?.ok_or_else(|| {
            exit::usage(
                "a bridge needs a key that may open sessions for others: make one with `callboard token new NAME --bridge` \
                 where the broker is, and give it as CALLBOARD_API_KEY or with --api-key-file",
            )
        })?;
        let broker = Client::builder(url)
            .trust(choice.trust())
            .idle_timeout(IDLE_TIMEOUT)
            .backoff(BACKOFF.0, BACKOFF.1)
            .agent(concat!("callboard-bridge/", env!("CARGO_PKG_VERSION")));
        let broker = self.key.shown_by(broker, key);
        let door =
            config.door(|| tls::server_config(&tls::identity(config)?).map(Arc::new)).map_err(StartError::from)?;
        let mut door = door.expect("a bridge without a door was refused");
        door.resources = vec![Demo::elsewhere()];
        Edge::open(door, config.bridge_limits(), broker).await.map_err(|error| match error {
            OpenError::Bind(error) => explain(error.into(), "bridge"),
            OpenError::Broker(error) => exit::usage(format!("--upstream: {error}")),
            error => error.into(),
        })
    }
}

/// What no waiting mends ends the program at its start: a person has to look at it.
fn refuse(why: &Reason, choice: &TrustChoice) -> anyhow::Result<()> {
    if let Reason::Untrusted(_) = why {
        anyhow::bail!("{why}. {}", choice.if_untrusted());
    }
    let Reason::Ended { code, .. } = why else { return Ok(()) };
    if Return::of(*code) == Return::WithNewCredential {
        anyhow::bail!("{why}. `callboard token new NAME --bridge` makes a key where the broker is");
    }
    if *code == Code::Forbidden.number() {
        anyhow::bail!("{why}");
    }
    Ok(())
}

async fn observe(config: &Config, edge: &Edge) -> anyhow::Result<Option<MetricsServer>> {
    let Some(listen) = config.metrics_listen else { return Ok(None) };
    let server = MetricsServer::of_edge(listen, edge.observer(), config.bridge_memory_bound().bytes()).await;
    server.map(Some).map_err(|error| explain(error, "bridge"))
}

/// What is told of a bridge that runs.
struct Facts<'a> {
    config: &'a Config,
    edge: &'a Edge,
    url: &'a str,
    reached: &'a Result<(), Option<Reason>>,
    metrics: Option<SocketAddr>,
}

fn render(facts: &Facts<'_>) -> String {
    let Facts { config, edge, url, reached, metrics } = facts;
    let page = summary::page(config, edge.address());
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("{STRONG}Callboard {version} serves browsers for a broker elsewhere.{STRONG:#}\n\n");
    let mut row = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:<13}{value}");
    };
    row("browsers", &page);
    row("broker", url);
    match reached {
        Ok(()) => {}
        Err(None) => row("", &format!("{WARNING}not reached yet; browsers wait for it{WARNING:#}")),
        Err(Some(why)) => row("", &format!("{WARNING}{why}; browsers wait for it{WARNING:#}")),
    }
    if config.ws_has_tls() {
        row("certificate", &summary::certificate(config));
    }
    if let Some(metrics) = metrics {
        row("metrics", &format!("http://{metrics}/metrics"));
    }
    let _ = writeln!(text, "\nOpen {page} to see the bus at work.\n\nCtrl-C ends it.");
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        bridge: Bridge,
    }

    fn bridge(arguments: &[&str]) -> Bridge {
        let arguments = ["bridge", "--data-dir", "data"].into_iter().chain(arguments.iter().copied());
        Alone::try_parse_from(arguments).expect("options").bridge
    }

    #[test]
    fn the_broker_is_named_by_host_and_port_or_by_its_address() {
        for (upstream, url) in [
            ("broker.example.org", "callboard://broker.example.org"),
            ("[::1]:5000", "callboard://[::1]:5000"),
            ("callboard://broker.example.org", "callboard://broker.example.org"),
        ] {
            assert_eq!(bridge(&["--upstream", upstream]).url(), url);
        }
    }

    #[test]
    fn a_file_for_a_broker_serves_a_bridge_which_opens_no_door_but_the_browsers() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("callboard.toml");
        let file = "listen = \"0.0.0.0:5000\"\nmetrics_listen = \"127.0.0.1:4490\"\nanonymous_publish = true\n\
                    [ws]\norigins = [\"https://example.org\"]\n";
        std::fs::write(&path, file).expect("written");
        let config =
            bridge(&["--upstream", "x", "--config", path.to_str().expect("a path")]).config().expect("a config");
        assert_eq!(config.ws_address(), Some(([127, 0, 0, 1], 5000).into()));
        assert_eq!(config.ws.origins.len(), 1);
        assert_eq!(config.metrics_listen, Some(([127, 0, 0, 1], 4490).into()));
    }

    #[test]
    fn beyond_this_machine_a_certificate_is_needed() {
        let exposed = ["--upstream", "x", "--ws-listen", "0.0.0.0:443"];
        let error = bridge(&exposed).config().expect_err("a refusal").to_string();
        assert!(error.contains("--cert"), "{error}");
        let certified: Vec<&str> = exposed.iter().copied().chain(["--cert", "c.pem", "--key", "k.pem"]).collect();
        assert!(bridge(&certified).config().expect("a config").ws_has_tls());
    }

    #[test]
    fn a_key_is_not_printed_with_the_rest() {
        let bridge = bridge(&["--upstream", "x", "--api-key", "canary"]);
        assert!(!format!("{bridge:?}").contains("canary"));
    }

    #[test]
    fn what_a_person_has_to_look_at_ends_it() {
        let ended = |code: Code| Reason::Ended { code: code.number(), sentence: "".into() };
        for (why, is_refused) in [
            (Reason::Untrusted("".into()), true),
            (ended(Code::BadCredential), true),
            (ended(Code::Forbidden), true),
            (ended(Code::ShuttingDown), false),
            (Reason::Unreachable("".into()), false),
        ] {
            assert_eq!(refuse(&why, &TrustChoice::Anyone).is_err(), is_refused, "{why:?}");
        }
    }
}
