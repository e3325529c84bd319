//! `callboard bridge` as a child process, before a broker under test; its log has everything that it could tell.

use std::net::SocketAddr;
use std::path::Path;

use callboard::identity::{KeyStore, Rights};
use rustix::process::Signal;

use super::disk::{Disk, command};
use super::output::Output;
use super::{EXIT_WITHIN, Ended, Kept, NOWHERE};
use crate::{Metrics, soon, temp, within};

/// A running `callboard bridge`. Dropping it kills it.
#[derive(Debug)]
pub struct BridgeProcess {
    output: Output,
    addr: SocketAddr,
    /// The key that it has.
    pub key: String,
}

impl BridgeProcess {
    /// Starts one on a free port, for the broker at `upstream` whose data is in `data_dir`, with further arguments; it has
    /// reached that broker.
    ///
    /// # Panics
    ///
    /// If it does not soon.
    pub async fn before(upstream: SocketAddr, data_dir: &Path, arguments: &[&str]) -> Self {
        let bridge = Self::start(upstream, data_dir, arguments).await;
        let reached = soon("the bridge's broker", bridge.output.says("the broker is there")).await;
        reached.unwrap_or_else(|status| panic!("the bridge ended, {status}:\n{}", bridge.printed()));
        bridge
    }

    /// Starts one as [`before`](Self::before) does, and does not wait for its broker.
    ///
    /// # Panics
    ///
    /// If it does not start soon.
    pub async fn start(upstream: SocketAddr, data_dir: &Path, arguments: &[&str]) -> Self {
        let keys = KeyStore::open(data_dir).expect("the keys are readable");
        let key = keys.create_with("edge", Rights { bridge: true }).expect("a key can be made").reveal();
        let mut command = command(Disk::Roomy);
        command
            .args(["bridge", "--ws-listen", "127.0.0.1:0", "--log", "trace", "--upstream"])
            .arg(upstream.to_string());
        command.arg("--data-dir").arg(data_dir).args(arguments).env("CALLBOARD_API_KEY", &key);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let output = Output::of(child);
        let addr = soon("the address where the bridge serves browsers", output.browsers()).await;
        let addr = addr.unwrap_or_else(|status| panic!("the bridge ended at once, {status}:\n{}", output.printed()));
        Self { output, addr, key }
    }

    /// Where its door listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it has printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        self.output.printed()
    }

    /// The most memory that it has had at once, in bytes; `None` on systems that do not tell.
    #[must_use]
    pub fn memory_bytes_peak(&self) -> Option<usize> {
        self.output.memory_bytes_peak()
    }

    /// Where it serves its metrics, if it was started with `--metrics`.
    ///
    /// # Panics
    ///
    /// If it serves none.
    pub async fn metrics_addr(&self) -> SocketAddr {
        let addr = soon("the address where metrics are served", self.output.metrics()).await;
        addr.unwrap_or_else(|status| panic!("the bridge ended, {status}:\n{}", self.printed()))
    }

    /// What it tells of itself there.
    ///
    /// # Panics
    ///
    /// If nobody answers in time.
    pub async fn metrics(&self) -> Metrics {
        let addr = self.metrics_addr().await;
        soon("the metrics", Metrics::read(addr)).await.expect("it answers")
    }

    /// Asks it to shut down (SIGTERM), and waits until it has.
    pub async fn terminate(self) -> Ended {
        self.output.signal(Signal::TERM);
        let status = within(EXIT_WITHIN, self.output.ended()).await;
        let kept = Kept { data_dir: temp::directory().into(), arguments: Vec::new(), ws_listen: NOWHERE };
        Ended { status, printed: self.output.printed(), addr: self.addr, kept }
    }
}

impl Drop for BridgeProcess {
    fn drop(&mut self) {
        self.output.signal(Signal::KILL);
        if std::thread::panicking() {
            let printed = self.output.printed();
            let last: Vec<&str> = printed.lines().rev().take(40).collect();
            eprintln!("-- the bridge at {} printed last, newest first:\n{}\n--", self.addr, last.join("\n"));
        }
    }
}
