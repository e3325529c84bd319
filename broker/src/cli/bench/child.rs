//! Servers that a measurement starts for itself: a broker, or the bare writer. They end with it, and reach no other machine.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use callboard::tls;
use callboard_bridge_ws::Dialect;
use callboard_client::Trust;
use tempfile::TempDir;
use tokio::time::timeout;

use super::args::Door;
use super::dialer::Peer;
use crate::cli::serve::UNTIL_INPUT_ENDS;

/// How long a server may take to listen: a debug build on a busy machine makes its certificate in a second or two.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Lines that are looked at for the address.
const LINES_MAX: usize = 100;

/// The limits against peers that ask too much: a load is one, so a broker that is started for it has none that it could
/// reach. They are counted all the same, so that what that costs is measured.
const LIFTED: [&str; 10] = [
    "--limits-connections",
    "--limits-connections-per-address",
    "--limits-channels",
    "--limits-subscriptions",
    "--limits-births-burst",
    "--limits-births-per-address-burst",
    "--limits-frames-per-second",
    "--limits-frames-burst",
    "--limits-publishes-per-second",
    "--limits-publishes-burst",
];

/// Longer than any measurement, in milliseconds.
const A_DAY_MS: u32 = 24 * 60 * 60 * 1000;

/// What they are lifted to.
const LIFTED_TO: &str = "100000000";

/// The hidden flag of `bench` that makes it the bare writer.
pub(super) const BARE: &str = "bare-writer";

/// A running server. Dropping it kills it and removes what it kept.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    /// Its address and how to believe it.
    pub(super) peer: Peer,
    /// Where it keeps its data; removed after it has ended.
    _home: Option<TempDir>,
}

/// A process that is killed when it is dropped.
#[derive(Debug)]
struct Process {
    child: std::process::Child,
    /// Kept, so that what it prints has somewhere to go.
    _output: Option<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts a broker on a free port of loopback, with a data directory of its own, configured by this file; without
    /// one it has the defaults, and limits that no load reaches.
    pub(super) async fn broker(config: Option<&Path>, dialect: Option<Dialect>) -> anyhow::Result<Self> {
        let home = home()?;
        let mut command = command()?;
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--log-format", "human", "--data-dir"])
            .arg(home.path())
            // A load that only listens does not answer pings.
            .arg(format!("--ws-ping-grace-ms={A_DAY_MS}"))
            .arg(format!("--{UNTIL_INPUT_ENDS}"));
        match config {
            Some(config) => command.arg("--config").arg(config),
            None => command.args(LIFTED.iter().flat_map(|limit| [limit, LIFTED_TO])),
        };
        let address = move |line: &str| match dialect {
            None => line.trim().strip_prefix("address")?.trim().strip_prefix("callboard://")?.parse().ok(),
            Some(_) => {
                let page = line.trim().strip_prefix("browsers")?.trim().strip_prefix("http://localhost:")?;
                Some(SocketAddr::from((Ipv4Addr::LOCALHOST, page.strip_suffix('/')?.parse().ok()?)))
            }
        };
        let (process, address) = start(command, address).await.context("the broker did not start")?;
        // A configured certificate is whatever it is: this is the broker that was just started, on loopback.
        let trust = tls::development_fingerprint(home.path())?.map_or_else(Trust::insecure, Trust::pinned);
        Ok(Self { process, peer: peer(address, dialect, trust), _home: Some(home) })
    }

    /// Starts the bare writer.
    pub(super) async fn bare(door: Door) -> anyhow::Result<Self> {
        let mut command = command()?;
        command.args(["bench", &format!("--{BARE}={}", door.name())]);
        let (process, address) =
            start(command, |line| line.trim().parse().ok()).await.context("the bare writer did not start")?;
        Ok(Self { process, peer: peer(address, door.dialect(), Trust::insecure()), _home: None })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that is gone already is as good as one that was killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peer(address: SocketAddr, dialect: Option<Dialect>, trust: Trust) -> Peer {
    Peer { address, dialect, host: "localhost".to_owned(), trust, key: None }
}

fn home() -> anyhow::Result<TempDir> {
    tempfile::Builder::new().prefix("callboard-bench-").tempdir().context("no temporary directory can be made")
}

/// This same program, without the variables that would change what is measured.
fn command() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("the path of this program is not known")?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CALLBOARD_")) {
        command.env_remove(name);
    }
    // It ends when its input does, so that it cannot outlive the measurement, however that ends.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    // Ctrl-C is for the measurement, which then ends its servers itself.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Ok(command)
}

/// Starts a server and waits until it prints where it listens.
async fn start(
    mut command: Command,
    address: impl Fn(&str) -> Option<SocketAddr> + Send + 'static,
) -> anyhow::Result<(Process, SocketAddr)> {
    let mut child = command.spawn()?;
    let mut output = BufReader::new(child.stdout.take().context("a server without output")?);
    let mut process = Process { child, _output: None };
    let found = tokio::task::spawn_blocking(move || {
        let found = output.by_ref().lines().take(LINES_MAX).map_while(Result::ok).find_map(|line| address(&line));
        found.map(|address| (address, output))
    });
    // Whoever fails here drops the process, which ends it, and with it the reading.
    match timeout(START_TIMEOUT, found).await {
        Ok(Ok(Some((address, output)))) => {
            process._output = Some(output);
            Ok((process, address))
        }
        Ok(_) => bail!("it ended before it listened; its output is above"),
        Err(_) => bail!("it did not listen within {} s", START_TIMEOUT.as_secs()),
    }
}
