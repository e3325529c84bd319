//! What `serve` prints once it runs: where to connect, what protects it, what to try next; pure, without a secret.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use callboard::config::{Config, Tls};
use callboard::tls;
use callboard_client::Fingerprint;
use callboard_protocol::version;

use super::program::quoted;

const STRONG: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Green.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// What the summary is made of.
pub(super) struct Facts<'a> {
    pub(super) config: &'a Config,
    /// Where the broker listens, with the port that it got.
    pub(super) address: SocketAddr,
    pub(super) fingerprint: Fingerprint,
    /// Where browsers are let in.
    pub(super) browsers: Option<SocketAddr>,
    /// Whether the demo's program runs.
    pub(super) has_demo: bool,
    /// Where metrics are served.
    pub(super) metrics: Option<SocketAddr>,
    /// Where the other commands look unless told otherwise.
    pub(super) usual_data_dir: Option<PathBuf>,
    /// How suggested commands begin.
    pub(super) program: String,
}

/// The summary, with colours.
pub(super) fn render(facts: &Facts<'_>) -> String {
    let mut text = format!("{STRONG}Callboard {}{STRONG:#} is listening.\n\n", env!("CARGO_PKG_VERSION"));
    let mut row = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:<13}{value}");
    };
    row("address", &address(facts.address));
    if let Some(browsers) = facts.browsers {
        row("browsers", &page(facts.config, browsers));
    }
    if facts.has_demo {
        row("demo", "a program that the page above shows at work");
    }
    row("certificate", &certificate(facts.config));
    row("", &facts.fingerprint.to_string());
    row("data", &facts.config.data_dir.display().to_string());
    if let Some(metrics) = facts.metrics {
        row("metrics", &format!("http://{metrics}/metrics"));
    }
    row("publishing", &publishing(facts.config));
    if facts.config.expose_anyway && !facts.config.on_loopback() {
        row("exposed", &format!("{WARNING}other machines can connect, as --expose-anyway asked{WARNING:#}"));
    }
    text.push_str(&suggestions(facts));
    text
}

fn address(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!("{STRONG}{}://<this machine>:{}{STRONG:#} ({address})", version::URL_SCHEME, address.port());
    }
    format!("{STRONG}{}://{address}{STRONG:#}", version::URL_SCHEME)
}

/// Where to go with a browser. Loopback has a name that every browser trusts with what it trusts to https alone.
pub(super) fn page(config: &Config, address: SocketAddr) -> String {
    let scheme = if config.ws_has_tls() { "https" } else { "http" };
    let (ip, port) = (address.ip(), address.port());
    let default_port = if config.ws_has_tls() { 443 } else { 80 };
    let port = if port == default_port { String::new() } else { format!(":{port}") };
    if ip.is_unspecified() {
        return format!("{STRONG}{scheme}://<this machine>{port}/{STRONG:#} ({address})");
    }
    let host = if ip.is_loopback() {
        "localhost".to_owned()
    } else if ip.is_ipv6() {
        format!("[{ip}]")
    } else {
        ip.to_string()
    };
    format!("{STRONG}{scheme}://{host}{port}/{STRONG:#}")
}

pub(super) fn certificate(config: &Config) -> String {
    match &config.tls {
        Tls::Development => {
            format!("for development, self-signed: {}", tls::development_certificate(&config.data_dir).display())
        }
        Tls::Pem { chain, .. } => chain.display().to_string(),
    }
}

/// Who may publish, and why.
fn publishing(config: &Config) -> String {
    let (who, why) = match (config.may_publish_anonymously(), config.anonymous_publish) {
        // Names and proxies are set where others come through a proxy, if one may not know it here.
        (true, None) if !(config.ws.hosts.is_empty() && config.ws.trusted_proxies.is_empty()) => {
            ("anyone on this machine", "whoever comes through a proxy needs an API key")
        }
        (true, None) => ("anyone", "only this machine can connect"),
        (true, Some(_)) => ("anyone", "as configured"),
        (false, None) => ("with an API key", "other machines can connect"),
        (false, Some(_)) => ("with an API key", "as configured"),
    };
    format!("{who} ({why})")
}

fn suggestions(facts: &Facts<'_>) -> String {
    let (program, options) = (&facts.program, options(facts));
    let mut text = match (facts.browsers, facts.has_demo) {
        (Some(browsers), true) => {
            format!("\nOpen {} to see the bus at work.\n\nOr try", page(facts.config, browsers))
        }
        (Some(browsers), false) => {
            let page = page(facts.config, browsers);
            format!("\nOpen {page} to see the bus at work; with --demo there is more to see.\n\nOr try")
        }
        (None, _) => "\nTry".to_owned(),
    };
    text.push_str(", each in a terminal of its own:\n\n");
    let mut command = |line: &str| {
        let _ = writeln!(text, "  {COMMAND}{line}{COMMAND:#}");
    };
    command(&format!("{program} sub{options} demo/hello"));
    if !facts.config.may_publish_anonymously() {
        let data_dir = data_dir_option(facts);
        command(&format!("export CALLBOARD_API_KEY=\"$({program} token{data_dir} new demo)\""));
    }
    command(&format!("{program} pub{options} demo/hello \"hi\""));
    text.push_str("\nCtrl-C ends it.\n");
    text
}

/// What `pub` and `sub` must be told to find this broker and to believe it.
fn options(facts: &Facts<'_>) -> String {
    let mut options = String::new();
    let mut ip = facts.address.ip();
    if ip.is_unspecified() {
        ip = if ip.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
    }
    let reachable = SocketAddr::new(ip, facts.address.port());
    if reachable != SocketAddr::from(([127, 0, 0, 1], version::DEFAULT_PORT)) {
        let _ = write!(options, " --url {}://{reachable}", version::URL_SCHEME);
    }
    match (&facts.config.tls, ip.is_loopback()) {
        (Tls::Development, true) => options.push_str(&data_dir_option(facts)),
        (Tls::Development, false) | (Tls::Pem { .. }, _) => {
            let _ = write!(options, " --pin {}", facts.fingerprint);
        }
    }
    options
}

fn data_dir_option(facts: &Facts<'_>) -> String {
    if facts.usual_data_dir.as_ref() == Some(&facts.config.data_dir) {
        return String::new();
    }
    format!(" --data-dir {}", quoted(&facts.config.data_dir.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::new("/home/me/.local/share/callboard");
        change(&mut config);
        let text = render(&Facts {
            config: &config,
            address: config.listen,
            fingerprint: Fingerprint::of(b""),
            browsers: config.ws_address(),
            has_demo: config.demo == Some(true),
            metrics: config.metrics_listen,
            usual_data_dir: Some("/home/me/.local/share/callboard".into()),
            program: "callboard".to_owned(),
        });
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn the_first_start_shows_everything_that_a_newcomer_needs() {
        let version = env!("CARGO_PKG_VERSION");
        let wanted = format!(
            "\
Callboard {version} is listening.

  address      callboard://127.0.0.1:4480
  browsers     http://localhost:4480/
  certificate  for development, self-signed: /home/me/.local/share/callboard/development-cert.pem
               sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  data         /home/me/.local/share/callboard
  publishing   anyone (only this machine can connect)

Open http://localhost:4480/ to see the bus at work; with --demo there is more to see.

Or try, each in a terminal of its own:

  callboard sub demo/hello
  callboard pub demo/hello \"hi\"

Ctrl-C ends it.
"
        );
        assert_eq!(summary(|_| ()), wanted);
    }

    #[test]
    fn behind_a_proxy_anyone_is_anyone_on_this_machine() {
        for change in [
            |config: &mut Config| config.ws.hosts = vec!["bus.example.org".parse().expect("a name")],
            |config: &mut Config| config.ws.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")],
        ] {
            let text = summary(change);
            assert!(text.contains("anyone on this machine (whoever comes through a proxy needs an API key)"), "{text}");
        }
    }

    #[test]
    fn the_demo_is_named_where_it_runs() {
        let text = summary(|config| config.demo = Some(true));
        assert!(text.contains("demo         a program") && text.contains("to see the bus at work.\n"), "{text}");
        let text = summary(|config| config.ws.listen = callboard::config::WsListen::Off);
        assert!(text.contains("\nTry, each") && !text.contains("demo ") && !text.contains("http"), "{text}");
    }

    #[test]
    fn suggestions_work_where_something_is_unusual() {
        let text = summary(|config| {
            config.listen = SocketAddr::from(([127, 0, 0, 1], 5000));
            config.data_dir = "/tmp/my state".into();
            config.anonymous_publish = Some(false);
        });
        assert!(text.contains("sub --url callboard://127.0.0.1:5000 --data-dir '/tmp/my state' demo/hello"), "{text}");
        assert!(text.contains("$(callboard token --data-dir '/tmp/my state' new demo)"), "{text}");
        assert!(text.contains("with an API key (as configured)"), "{text}");
    }

    #[test]
    fn beyond_this_machine_a_pin_goes_with_the_command() {
        let text = summary(|config| {
            config.listen = SocketAddr::from(([0, 0, 0, 0], 4480));
            config.tls = Tls::Pem { chain: "/etc/chain.pem".into(), key: "/etc/key.pem".into() };
        });
        assert!(text.contains("callboard://<this machine>:4480 (0.0.0.0:4480)"), "{text}");
        assert!(text.contains("certificate  /etc/chain.pem"), "{text}");
        assert!(text.contains("sub --pin sha256:e3b0"), "{text}");
        assert!(text.contains("with an API key (other machines can connect)"), "{text}");
        assert!(!text.contains("exposed"), "{text}");
    }

    #[test]
    fn an_exposure_that_was_asked_for_is_shown() {
        let text = summary(|config| {
            config.listen = SocketAddr::from(([192, 0, 2, 1], 4480));
            config.expose_anyway = true;
        });
        assert!(text.contains("other machines can connect, as --expose-anyway asked"), "{text}");
        assert!(text.contains("--url callboard://192.0.2.1:4480 --pin sha256:"), "{text}");
    }
}
