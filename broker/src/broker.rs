//! The broker: every step of its start in order, and of its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use callboard_bridge_ws::{Door, Resource};
use callboard_client::Fingerprint;
use callboard_protocol::Millis;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::builder::Builder;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Drain as DrainConfig};
use crate::data_dir::{self, HoldError};
use crate::door::{BindError, InProcess, Local, Quic, ResetSecret};
use crate::hooks::Hooks;
use crate::identity::{KeyError, KeyStore};
use crate::interior::Interior;
use crate::metrics::Metrics;
use crate::observe::{Scope, Server};
use crate::tls::{self, ServerIdentity, TlsError};

/// How long a drain that has used up its deadline lets the last packets go out: a round trip of a slow line.
const LAST_PACKETS: Duration = Duration::from_millis(250);

/// Why the broker did not start. Each sentence says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration contradicts itself or is not safe.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificate cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The API keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The secret of stateless resets can be neither read nor made.
    #[error("cannot save a secret in {directory}: {source}; make the directory writable, with room on its disk, or \
        choose another one", directory = directory.display())]
    Secret {
        /// The data directory.
        directory: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Somebody else is changing the data directory, and does not end.
    #[error("cannot keep a secret: {}", data_dir::busy(directory))]
    Busy {
        /// The data directory.
        directory: PathBuf,
    },
    /// The metrics cannot be served.
    #[error("cannot serve metrics on {address} (TCP): {source}")]
    Metrics {
        /// Where they were to be served.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A door cannot open.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The browser's door cannot open.
    #[error(transparent)]
    Browsers(#[from] callboard_bridge_ws::BindError),
}

/// A running broker. Dropping it ends it at once; [`Broker::drain`] ends it well.
#[derive(Debug)]
pub struct Broker {
    // First, so that every session has ended before its socket is gone.
    interior: Interior,
    quic: Quic,
    browsers: Option<Door<InProcess>>,
    fingerprint: Fingerprint,
    drain: DrainConfig,
    metrics: Arc<Metrics>,
    observed: Option<Server>,
    /// The sweep; ends with the broker.
    _tasks: JoinSet<()>,
}

impl Broker {
    /// Starts a broker: checks the configuration, finds the certificate and the keys, then opens the door.
    ///
    /// # Errors
    ///
    /// What is missing or wrong; nothing is left running then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::builder(config).start().await
    }

    /// A broker to be, for a program that embeds it and has a say in what is published.
    pub fn builder(config: Config) -> Builder {
        Builder { config, hooks: Hooks::default(), resources: Vec::new() }
    }

    pub(crate) async fn start_built(Builder { config, hooks, resources }: Builder) -> Result<Self, StartError> {
        config.check()?;
        let Files { certificate, tls, keys, reset } = read(config.clone()).await?;
        let memory_bound_bytes = config.memory_bound().bytes();
        let interior = Interior::new(config.clone(), keys, hooks, Clock::start(), Chance::of_the_system());
        let metrics = Arc::clone(interior.registry().metrics());
        let scope = Scope {
            metrics: Arc::clone(&metrics),
            directory: Arc::clone(interior.directory()),
            registry: Arc::clone(interior.registry()),
            local: Arc::clone(interior.local()),
            memory_bound_bytes,
        };
        let observed = observe(config.metrics_listen, scope).await?;
        let browsers = open_to_browsers(&config, &tls, interior.local(), resources).await?;
        let quic = Quic::open(&config, tls, &reset, Arc::clone(interior.local()))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(interior.sweep());
        metrics.set_accepting(true);
        tracing::info!(address = %quic.address(), certificate = %certificate.fingerprint, "listening");
        let (fingerprint, drain) = (certificate.fingerprint, config.drain);
        Ok(Self { interior, quic, browsers, fingerprint, drain, metrics, observed, _tasks: tasks })
    }

    /// Where the QUIC door listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.quic.address()
    }

    /// Where the browser's door listens, if it does.
    #[must_use]
    pub fn ws_addr(&self) -> Option<SocketAddr> {
        self.browsers.as_ref().map(Door::address)
    }

    /// Where metrics and health are served, if they are.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.observed.as_ref().map(Server::address)
    }

    /// The fingerprint of the certificate that the doors show.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Ends the broker well: takes no new connection, reads nothing more, lets the channels hand out and answer what
    /// was read, tells each client when to come back, and waits for the outboxes, all within the drain deadline.
    pub async fn drain(mut self) {
        let deadline = Instant::now() + self.drain.deadline;
        self.metrics.set_accepting(false);
        self.quic.stop_accepting();
        if let Some(browsers) = &self.browsers {
            browsers.stop_accepting();
        }
        let connections = self.interior.registry().outboxes().len();
        let deadline_ms = u64::try_from(self.drain.deadline.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(connections, deadline_ms, "draining");
        // Half of the time, so that a channel that is stuck does not cost everybody else the goodbye.
        let _ = timeout_at(deadline - self.drain.deadline / 2, self.interior.settle(self.browsers_hand_over())).await;
        let _ = timeout_at(deadline, self.interior.say_goodbye(self.drain.spread)).await;
        self.quic.close();
        // Those who were waited for in vain are to hear at least why they are closed.
        let _ = timeout_at(deadline.max(Instant::now() + LAST_PACKETS), self.quic.wait_idle()).await;
        tracing::info!("ended");
    }

    /// Waits until the browser's door has handed over everything that it read.
    async fn browsers_hand_over(&self) {
        if let Some(browsers) = &self.browsers {
            browsers.drain().await;
        }
    }
}

/// What a broker reads before it opens a door.
struct Files {
    certificate: ServerIdentity,
    tls: rustls::ServerConfig,
    keys: KeyStore,
    reset: ResetSecret,
}

/// Reads the certificate, the keys and the secret, off the threads that serve.
async fn read(config: Config) -> Result<Files, StartError> {
    let read = move || {
        let certificate = tls::identity(&config)?;
        let tls = tls::server_config(&certificate)?;
        let keys = KeyStore::open(&config.data_dir)?;
        let reset = ResetSecret::load(&config.data_dir).map_err(|error| match error {
            HoldError::Busy { directory } => StartError::Busy { directory },
            HoldError::Io(source) => StartError::Secret { directory: config.data_dir.clone(), source },
        })?;
        Ok(Files { certificate, tls, keys, reset })
    };
    tokio::task::spawn_blocking(read).await.expect("reading files does not panic, and nobody aborts it")
}

/// Opens the browser's door, if there is to be one.
async fn open_to_browsers(
    config: &Config,
    tls: &rustls::ServerConfig,
    local: &Arc<Local>,
    resources: Vec<Resource>,
) -> Result<Option<Door<InProcess>>, callboard_bridge_ws::BindError> {
    let Some(door) = config.door(|| Ok::<_, Infallible>(Arc::new(tls.clone()))).expect("it cannot fail") else {
        return Ok(None);
    };
    let ping_interval = config.ws.ping_interval.as_millis();
    let ping_interval = Millis::saturating(u64::try_from(ping_interval).unwrap_or(u64::MAX));
    let door = callboard_bridge_ws::Config { resources, ..door };
    let door = Door::open(door, Arc::new(InProcess::new(Arc::clone(local), ping_interval))).await?;
    tracing::info!(address = %door.address(), tls = config.ws_has_tls(), "serving browsers");
    Ok(Some(door))
}

async fn observe(listen: Option<SocketAddr>, scope: Scope) -> Result<Option<Server>, StartError> {
    let Some(address) = listen else { return Ok(None) };
    Server::open(address, Arc::new(scope)).await.map(Some)
}
