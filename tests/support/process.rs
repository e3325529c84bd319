//! The real binary as a child process, to be killed, stopped and restarted; what it printed is shown if the test fails.

mod binary;
mod bridge;
mod disk;
mod output;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use callboard_client::{Builder, Client};
use rustix::process::Signal;
use tempfile::TempDir;

pub use bridge::BridgeProcess;
pub use disk::{Disk, command};

use crate::{Metrics, Peer, client, soon, temp, within};
use output::Output;

/// A drain may take its whole deadline, which is eight seconds unless configured.
const EXIT_WITHIN: Duration = Duration::from_secs(20);

const FREE_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A running `callboard serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    addr: SocketAddr,
    output: Output,
    kept: Kept,
}

/// A broker that is gone, with what it leaves behind: its address and its data directory.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub printed: String,
    addr: SocketAddr,
    kept: Kept,
}

/// What outlives one run.
#[derive(Debug, Clone)]
struct Kept {
    data_dir: Arc<TempDir>,
    arguments: Vec<String>,
    /// Where the browser's door listens: the port of a broker that starts again may be taken by then, and few tests need
    /// this door.
    ws_listen: &'static str,
}

/// No door for browsers.
const NOWHERE: &str = "false";

impl Process {
    /// Starts the binary with the defaults, on a free port of loopback and a data directory of its own.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts it with further arguments for `callboard serve`.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let data_dir = Arc::new(temp::directory());
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self::run(FREE_PORT, Kept { data_dir, arguments, ws_listen: NOWHERE }, Disk::Roomy).await
    }

    /// Starts it with this configuration file.
    pub async fn start_configured(toml: &str) -> Self {
        Self::start_listening(toml, NOWHERE).await
    }

    /// The same with a browser's door, on a free port of loopback.
    pub async fn start_for_browsers(toml: &str) -> Self {
        Self::start_listening(toml, "127.0.0.1:0").await
    }

    async fn start_listening(toml: &str, ws_listen: &'static str) -> Self {
        let data_dir = Arc::new(temp::directory());
        let file = data_dir.path().join("callboard.toml");
        std::fs::write(&file, toml).expect("a temporary directory takes a file");
        let arguments = vec!["--config".to_owned(), file.display().to_string()];
        Self::run(FREE_PORT, Kept { data_dir, arguments, ws_listen }, Disk::Roomy).await
    }

    async fn run(listen: SocketAddr, kept: Kept, disk: Disk) -> Self {
        let mut command = command(disk);
        command.arg("serve").arg("--listen").arg(listen.to_string());
        command.arg("--ws-listen").arg(kept.ws_listen);
        command.arg("--data-dir").arg(kept.data_dir.path()).args(&kept.arguments);
        command.stderr(disk::log(disk));
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let output = Output::of(child);
        let addr = soon("the address that the broker prints", output.address()).await;
        let addr = addr.unwrap_or_else(|status| panic!("the broker ended at once, {status}:\n{}", output.printed()));
        Self { addr, output, kept }
    }

    /// Where its QUIC door listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its browser's door listens.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub async fn ws_addr(&self) -> SocketAddr {
        let addr = soon("the address where browsers are served", self.output.browsers()).await;
        addr.expect("it lives")
    }

    /// Its address as clients are told it.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.addr)
    }

    /// A client of this broker, connected, anonymous, and quick to come back.
    pub async fn client(&self) -> Client {
        client::connected(self.client_builder()).await
    }

    /// The same before it connects, for a test that chooses more.
    ///
    /// # Panics
    ///
    /// If the broker was started with another certificate than its own.
    pub fn client_builder(&self) -> Builder {
        self.client_builder_by(self.addr())
    }

    /// The same for a client that reaches the broker by another address, a proxy's.
    ///
    /// # Panics
    ///
    /// As [`Process::client_builder`].
    pub fn client_builder_by(&self, addr: SocketAddr) -> Builder {
        let fingerprint = callboard::tls::development_fingerprint(self.data_dir());
        let fingerprint = fingerprint.expect("the certificate is readable").expect("the broker has made a certificate");
        client::builder(url(addr), fingerprint)
    }

    /// A raw peer that has said nothing yet.
    pub async fn peer(&self) -> Peer {
        Peer::connect(self.addr()).await
    }

    /// Its data directory, which outlives restarts.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.kept.data_dir.path()
    }

    /// What it has printed so far, both streams in the order of arrival.
    #[must_use]
    pub fn printed(&self) -> String {
        self.output.printed()
    }

    /// Its process number, for what `/proc` tells.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.output.pid().as_raw_nonzero().get()
    }

    /// What it tells of itself, if it was started with `--metrics`.
    ///
    /// # Errors
    ///
    /// What the system says, if nobody answers.
    ///
    /// # Panics
    ///
    /// If it serves no metrics.
    pub async fn metrics(&self) -> std::io::Result<Metrics> {
        let addr = soon("the address where metrics are served", self.output.metrics()).await;
        soon("the metrics", Metrics::read(addr.expect("it lives"))).await
    }

    /// The most memory that it has had at once, in bytes; `None` on systems that do not tell.
    #[must_use]
    pub fn memory_bytes_peak(&self) -> Option<usize> {
        self.output.memory_bytes_peak()
    }

    /// How long it has kept a processor busy so far, in steps of a hundredth of a second; `None` on systems that do not tell.
    #[must_use]
    pub fn busy(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok()?;
        // The program's name may have blanks; what follows it has none. Linux counts in hundredths for every program.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
        let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
        Some(Duration::from_millis((user + system) * 10))
    }

    /// Kills it without a word (SIGKILL).
    pub async fn kill(self) -> Ended {
        self.end(Signal::KILL).await
    }

    /// Asks it to shut down (SIGTERM), and waits until it has.
    pub async fn terminate(self) -> Ended {
        self.end(Signal::TERM).await
    }

    /// Sends it a signal, and does not wait for what follows.
    pub fn signal(&self, signal: Signal) {
        self.output.signal(signal);
    }

    /// Stops it where it stands (SIGSTOP), until [`Process::resume`]. By the return all its threads have stopped.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        self.output.stopped();
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it ends by itself.
    pub async fn ended(self) -> Ended {
        let status = within(EXIT_WITHIN, self.output.ended()).await;
        Ended { status, printed: self.output.printed(), addr: self.addr, kept: self.kept.clone() }
    }

    async fn end(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.ended().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.output.signal(Signal::KILL);
        if std::thread::panicking() {
            eprintln!("-- the broker at {} printed:\n{}--", self.addr, self.output.printed());
        }
    }
}

impl Ended {
    /// Starts the binary again: the same address, data directory and arguments.
    pub async fn restart(self) -> Process {
        self.restart_on(Disk::Roomy).await
    }

    /// The same, on a disk as it is now.
    pub async fn restart_on(self, disk: Disk) -> Process {
        Process::run(self.addr, self.kept, disk).await
    }

    /// The data directory that it left.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.kept.data_dir.path()
    }
}

fn url(addr: SocketAddr) -> String {
    format!("{}://{addr}", callboard_protocol::version::URL_SCHEME)
}
