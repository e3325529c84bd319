//! Which broker is measured: one that is started for it, or one that runs already; and how that one is believed.

use std::path::PathBuf;

use anyhow::Context;
use callboard::tls;
use callboard_bridge_ws::Dialect;
use callboard_client::{Fingerprint, Trust};
use callboard_protocol::version;
use clap::Args;

use super::child::Child;
use super::dialer::Peer;
use crate::cli::belief::is_on_loopback;
use crate::cli::exit;
use crate::cli::place::Place;
use crate::cli::secret::Secret;

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

    /// An API key. Others on this machine can read command lines: better set the variable, or use --api-key-file
    #[arg(
        long,
        value_name = "KEY",
        env = "CALLBOARD_API_KEY",
        hide_env_values = true,
        help_heading = "Identity at --url"
    )]
    api_key: Option<Secret>,

    /// A file with an API key in it; it wins over --api-key and the variable
    #[arg(long, value_name = "FILE", help_heading = "Identity at --url")]
    api_key_file: Option<PathBuf>,

    /// Believe the broker whose certificate has this fingerprint, which `callboard serve` prints
    #[arg(long, value_name = "FINGERPRINT", group = "trust", requires = "url", help_heading = "Trust at --url")]
    pin: Option<Fingerprint>,

    /// Believe a broker whose certificate is signed by one in this file, instead of those that this system trusts
    #[arg(long, value_name = "PEM", group = "trust", requires = "url", help_heading = "Trust at --url")]
    ca: Option<PathBuf>,

    /// Encrypts, but talks to whoever answers
    #[arg(long, group = "trust", requires = "url", help_heading = "Trust at --url")]
    insecure: bool,

    #[command(flatten)]
    place: Place,
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
        let Some(url) = &self.url else { return Ok(Child::broker(self.config.as_deref(), dialect).await?.into()) };
        let scheme = if dialect.is_some() { "ws" } else { version::URL_SCHEME };
        let (host, port) = parse(url, scheme).map_err(exit::usage)?;
        let found = tokio::net::lookup_host((host.as_str(), port)).await.with_context(|| url.clone())?.next();
        let address = found.with_context(|| format!("{url}: the name has no address"))?;
        let peer = Peer { address, dialect, host, trust: self.trust(url)?, key: self.key()? };
        Ok(Server { peer, pid: self.pid, _child: None })
    }

    /// Whether figures of the server's process can be had.
    pub(super) fn knows_process(&self) -> bool {
        self.url.is_none() || self.pid.is_some()
    }

    fn trust(&self, url: &str) -> anyhow::Result<Trust> {
        if let Some(pin) = self.pin {
            return Ok(Trust::pinned(pin));
        }
        if let Some(path) = &self.ca {
            return Ok(Trust::pem_file(path));
        }
        if self.insecure {
            return Ok(Trust::insecure());
        }
        // The development certificate of this machine says nothing about brokers on others.
        let development = match self.place.data_dir(None) {
            Ok(data_dir) if is_on_loopback(url) => tls::development_fingerprint(&data_dir)?,
            Ok(_) | Err(_) => None,
        };
        Ok(development.map_or_else(Trust::platform, Trust::pinned))
    }

    /// The API key; an empty variable is none.
    fn key(&self) -> anyhow::Result<Option<Secret>> {
        let Some(path) = &self.api_key_file else { return Ok(self.api_key.as_ref().and_then(Secret::trimmed)) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| exit::usage(format!("the API key in {} cannot be read: {error}", path.display())))?;
        Ok(Secret::from(text.as_str()).trimmed())
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
