//! Which broker is measured: one that is started for it, or one that runs already; and how that one is believed.

use std::path::PathBuf;
use std::time::Duration;

use callboard_bridge_ws::Dialect;
use callboard_client::Client;
use callboard_protocol::version;
use clap::Args;

use super::child::Child;
use super::dialer::{AGENT, Peer};
use crate::cli::data_dir::DataDirArgs;
use crate::cli::exit::{self, Failed};
use crate::cli::key::Key;
use crate::cli::link::explain;
use crate::cli::secret::Secret;
use crate::cli::trust::{TrustArgs, TrustChoice};

/// How long a broker may take to be reached, as for other commands.
const REACHED_WITHIN: Duration = Duration::from_secs(10);

/// Where the broker is.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// Measure the broker at this address, instead of one that is started for it
    #[arg(long, value_name = "URL", help_heading = "Broker")]
    pub(super) url: Option<String>,

    /// Start a broker on this machine, of this same program, and end it afterwards [default: unless --url is given]
    #[arg(long, conflicts_with_all = ["url", "pid"], help_heading = "Broker")]
    spawn: bool,

    /// The configuration file (TOML) of the broker that is started; without one it has the defaults, and limits that
    /// no load reaches
    #[arg(long, value_name = "FILE", conflicts_with = "url", help_heading = "Broker")]
    config: Option<PathBuf>,

    /// The process of the broker at --url, if it runs on this machine: its CPU time and memory are measured too
    #[arg(long, value_name = "PID", requires = "url", help_heading = "Broker")]
    pid: Option<u32>,

    #[command(flatten)]
    key: Key,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    data_dir: DataDirArgs,
}

/// A broker that can be measured.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) peer: Peer,
    /// Its process, where that is known.
    pub(super) pid: Option<u32>,
    /// Ends with this, if it was started for it.
    _child: Option<Child>,
}

impl From<Child> for Server {
    fn from(child: Child) -> Self {
        Self { peer: child.peer.clone(), pid: Some(child.pid()), _child: Some(child) }
    }
}

impl Target {
    /// The broker, started now unless it runs already.
    pub(super) async fn open(&self, dialect: Option<Dialect>) -> anyhow::Result<Server> {
        let Some(url) = &self.url else {
            if self.trust.is_chosen() {
                return Err(exit::usage("--pin, --ca and --insecure say whom to believe at --url, and none is given"));
            }
            return Ok(Child::broker(self.config.as_deref(), dialect).await?.into());
        };
        let scheme = if dialect.is_some() { "ws" } else { version::URL_SCHEME };
        let (host, port) = parse(url, scheme).map_err(exit::usage)?;
        let unreachable = |why: String| Failed::Unreachable(format!("{url}: {why}"));
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let found = found.map_err(|error| unreachable(error.to_string()))?.next();
        let address = found.ok_or_else(|| unreachable("the name has no address".to_owned()))?;
        let (choice, key) = (self.trust.choose(url, || self.data_dir.resolve(None))?, self.key.read()?);
        if dialect.is_none() {
            self.reach(url, &choice, key.clone()).await?;
        }
        let peer = Peer { address, dialect, host, trust: choice.trust(), key };
        Ok(Server { peer, pid: self.pid, _child: None })
    }

    /// Whether figures of the server's process can be had.
    pub(super) fn knows_process(&self) -> bool {
        self.url.is_none() || self.pid.is_some()
    }

    /// Opens a session with the client that everybody has: who is not there, not believed or does not know the key is told of
    /// in the words of other commands, before anything is measured.
    async fn reach(&self, url: &str, choice: &TrustChoice, key: Option<Secret>) -> anyhow::Result<()> {
        let builder = Client::builder(url).trust(choice.trust()).connect_timeout(REACHED_WITHIN).agent(AGENT);
        let builder = match key {
            Some(key) => builder.api_key(key.reveal()),
            None => builder,
        };
        let client = builder.connect().await.map_err(|error| explain(error, url, REACHED_WITHIN, choice))?;
        // It has nothing to wait for but the broker's knowing that it is gone.
        let _ = client.close().await;
        Ok(())
    }
}

/// The host and the port of a broker's address.
fn parse(url: &str, wanted: &str) -> Result<(String, u16), String> {
    let wrong = || format!("a broker's address is `{wanted}://host[:port]` at this door, not {url:?}");
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some(bracketed) => bracketed,
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().ok().filter(|port| *port != 0),
        None => Some(version::DEFAULT_PORT).filter(|_| port.is_empty()),
    };
    let odd = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':'));
    if !scheme.eq_ignore_ascii_case(wanted) || host.is_empty() || host.contains(odd) {
        return Err(wrong());
    }
    Ok((host.to_owned(), port.ok_or_else(wrong)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, host, port) in [
            ("callboard://example.org", "example.org", 4480),
            ("callboard://[::1]:9/", "::1", 9),
            ("CALLBOARD://127.0.0.1:4481", "127.0.0.1", 4481),
        ] {
            assert_eq!(parse(url, version::URL_SCHEME), Ok((host.to_owned(), port)), "{url}");
        }
        for url in ["example.org", "https://a", "callboard://", "callboard://a:0", "callboard://a:b", "callboard://a/b"]
        {
            assert!(parse(url, version::URL_SCHEME).is_err(), "{url}");
        }
    }
}
