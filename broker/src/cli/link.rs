//! How `pub` and `sub` reach a broker and believe it: the options they share, and the client made of them. A key given
//! to them is never shown again.

use std::pin::pin;
use std::time::Duration;

use callboard_client::{Builder, Client, ConnectError, Offline, Reason};
use clap::Args;

use super::data_dir::DataDirArgs;
use super::exit::{self, Exit, Failed};
use super::key::Key;
use super::status::tell;
use super::trust::{TrustArgs, TrustChoice};
use crate::shutdown::Signals;

/// Silence after which a user is told that the broker was not reached yet.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the goodbye may take: longer than the way to any broker and back, and not worth waiting for beyond.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where the broker is, whom to believe, and who we are.
#[derive(Debug, Args)]
pub(super) struct Link {
    /// The broker's address
    #[arg(
        long,
        value_name = "URL",
        env = "CALLBOARD_URL",
        default_value = "callboard://127.0.0.1:4480",
        help_heading = "Connection"
    )]
    url: String,

    /// Seconds until the broker must have been reached, and must have answered
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds, help_heading = "Connection")]
    pub(super) timeout: Duration,

    #[command(flatten)]
    key: Key,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    data_dir: DataDirArgs,
}

impl Link {
    /// Opens a session, does `work` with it until that is done or a signal comes, and says goodbye either way: a broker
    /// that was not told keeps the session of a program that has ended until it falls silent for too long.
    pub(super) async fn during(
        &self,
        signals: &mut Signals,
        publishes: Offline,
        work: impl AsyncFnOnce(&Client) -> anyhow::Result<Exit>,
    ) -> anyhow::Result<Exit> {
        let mut connecting = pin!(self.connect(publishes));
        let client = tokio::select! {
            connected = &mut connecting => connected?,
            signal = signals.next() => {
                // The broker may have a session already that it has not told of; it too is to hear that it is over.
                tokio::select! {
                    connected = tokio::time::timeout(GOODBYE, &mut connecting) => {
                        if let Ok(Ok(client)) = connected {
                            goodbye(&client, signals).await;
                        }
                    }
                    _ = signals.next() => {}
                }
                return Ok(Exit::Interrupted(signal));
            }
        };
        let ended = tokio::select! {
            ended = work(&client) => ended,
            signal = signals.next() => Ok(Exit::Interrupted(signal)),
        };
        goodbye(&client, signals).await;
        ended
    }

    /// A client with an open session.
    async fn connect(&self, publishes: Offline) -> anyhow::Result<Client> {
        let choice = self.trust_choice()?;
        let mut connecting = pin!(self.builder(&choice)?.offline(publishes).connect());
        let connected = match tokio::time::timeout(PATIENCE, &mut connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                tell(&format!("{}: no session yet; trying for {} s in all", self.url, self.timeout.as_secs_f32()));
                connecting.await
            }
        };
        connected.map_err(|error| explain(error, &self.url, self.timeout, &choice))
    }

    fn builder(&self, choice: &TrustChoice) -> anyhow::Result<Builder> {
        let builder = Client::builder(&self.url)
            .trust(choice.trust())
            .connect_timeout(self.timeout)
            .agent(concat!("callboard/", env!("CARGO_PKG_VERSION")));
        Ok(match self.key.read()? {
            Some(key) => builder.api_key(key.reveal()),
            None => builder,
        })
    }

    fn trust_choice(&self) -> anyhow::Result<TrustChoice> {
        self.trust.choose(&self.url, || self.data_dir.resolve(None))
    }
}

/// What a person can do about a session that was not opened.
pub(super) fn explain(error: ConnectError, url: &str, timeout: Duration, choice: &TrustChoice) -> anyhow::Error {
    match error {
        ConnectError::Build(error) => exit::usage(error),
        ConnectError::Untrusted { .. } => anyhow::anyhow!("{error}. {}", choice.if_untrusted()),
        ConnectError::Timeout { last } => {
            let why = match last {
                // The address is at its beginning.
                Some(Reason::Unreachable(why)) => why.to_string(),
                Some(why) => format!("{url}: {why}"),
                None => format!("{url} did not answer in time"),
            };
            let timeout = timeout.as_secs_f32();
            Failed::Unreachable(format!("no session within {timeout} s: {why}. {}", choice.if_unreached())).into()
        }
        ConnectError::Refused(_) | _ => error.into(),
    }
}

async fn goodbye(client: &Client, signals: &mut Signals) {
    tokio::select! {
        _ = tokio::time::timeout(GOODBYE, client.close()) => {}
        // Whoever asks twice is in a hurry.
        _ = signals.next() => {}
    }
}

/// Seconds as people write them, `10` or `0.5`.
pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero() && *duration <= Duration::from_secs(86_400))
        .ok_or_else(|| "expected seconds above 0 and at most one day (86400)".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use callboard::tls;
    use callboard_client::Fingerprint;
    use clap::Parser;

    use super::super::secret::Secret;
    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        link: Link,
    }

    fn link(data_dir: &Path, arguments: &[&str]) -> Link {
        let data_dir = data_dir.to_str().expect("a path");
        let arguments = ["pub", "--data-dir", data_dir].into_iter().chain(arguments.iter().copied());
        Alone::try_parse_from(arguments).map(|alone| alone.link).expect("options")
    }

    fn with_certificate() -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a directory");
        let mut config = callboard::Config::new(home.path());
        config.tls = callboard::config::Tls::Development;
        tls::identity(&config).expect("a certificate");
        home
    }

    #[test]
    fn on_this_machine_the_development_certificate_is_pinned() {
        let home = with_certificate();
        for url in
            ["callboard://127.0.0.1", "callboard://localhost:9/", "callboard://[::1]:4480", "CALLBOARD://127.1.2.3"]
        {
            let choice = link(home.path(), &["--url", url]).trust_choice().expect("a choice of trust");
            assert!(matches!(choice, TrustChoice::Development(..)), "{url}: {choice:?}");
        }
    }

    #[test]
    fn elsewhere_it_is_not() {
        let home = with_certificate();
        for url in ["callboard://example.org", "callboard://192.0.2.1:4480", "callboard://localhost.example.org"] {
            let choice = link(home.path(), &["--url", url]).trust_choice().expect("a choice of trust");
            assert!(matches!(choice, TrustChoice::System(None)), "{url}: {choice:?}");
        }
    }

    #[test]
    fn what_was_asked_for_wins() {
        let home = with_certificate();
        let pin = Fingerprint::of(b"other").to_string();
        let choice = |arguments: &[&str]| link(home.path(), arguments).trust_choice().expect("a choice of trust");
        assert!(matches!(choice(&["--pin", &pin]), TrustChoice::Pinned(asked) if asked == Fingerprint::of(b"other")));
        assert!(matches!(choice(&["--ca", "ca.pem"]), TrustChoice::Ca(_)));
        assert!(matches!(choice(&["--insecure"]), TrustChoice::Anyone));
    }

    #[test]
    fn a_key_file_wins_and_blanks_around_a_key_do_not_matter() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("key");
        std::fs::write(&path, "cb_key\n").expect("written");
        let path = path.to_str().expect("a path");
        let key = link(home.path(), &["--api-key", "other", "--api-key-file", path]).key.read().expect("a key");
        assert_eq!(key, Some(Secret::from("cb_key")));
        assert_eq!(link(home.path(), &["--api-key", ""]).key.read().expect("no key"), None);
    }

    #[test]
    fn a_key_is_not_printed_with_the_rest() {
        let home = tempfile::tempdir().expect("a directory");
        let link = link(home.path(), &["--api-key", "canary"]);
        assert!(!format!("{link:?}").contains("canary"));
    }

    #[test]
    fn seconds_are_read_as_people_write_them() {
        assert_eq!(parse_seconds("10"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "-1", "NaN", "inf", "1e9", "10s"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
