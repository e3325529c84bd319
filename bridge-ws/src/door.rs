//! The browser's door: accepts connections and leaves each to a task of its own, or to its actor.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::accept::next_connection;
use crate::config::Config;
use crate::http::{DoorState, serve};
use crate::messages::Drain;
use crate::rules::RulesError;
use crate::upstream::Upstream;

/// Why the door could not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address could not be bound.
    #[error("cannot listen on {address} (TCP): {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The rules cannot hold together.
    #[error(transparent)]
    Rules(#[from] RulesError),
}

/// An open door for browsers. Dropping it closes the listener, what waits for the upgrade and, with their sessions'
/// upstream, nothing else.
pub struct Door<U: Upstream> {
    address: SocketAddr,
    state: Arc<DoorState<U>>,
    shut: watch::Sender<bool>,
    /// The accept loop and the heartbeat; end with the door.
    _tasks: JoinSet<()>,
}

impl<U: Upstream> fmt::Debug for Door<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("address", &self.address).finish_non_exhaustive()
    }
}

impl<U: Upstream> Door<U> {
    /// Binds the listener and begins to accept.
    ///
    /// # Errors
    ///
    /// [`BindError`] if it cannot listen, or may not under these rules.
    pub async fn open(config: Config, upstream: Arc<U>) -> Result<Self, BindError> {
        config.rules.check()?;
        let bind = |source| BindError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (shut, is_shut) = watch::channel(false);
        let (connections, interval) = (config.limits.http_connections, config.heartbeat.interval);
        let state = Arc::new(DoorState::new(config, upstream, is_shut));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&state.wheel).run(interval));
        tasks.spawn(accept(listener, Arc::clone(&state), connections));
        Ok(Self { address, state, shut, _tasks: tasks })
    }

    /// Where the door listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many browsers are in.
    #[must_use]
    pub fn browsers(&self) -> usize {
        self.state.count.now()
    }

    /// Lets nobody in from here on. Requests that are under way are answered.
    pub fn stop_accepting(&self) {
        self.shut.send_replace(true);
    }

    /// Has every browser read no more, and waits until what was read is handed over.
    pub async fn drain(&self) {
        let (done, mut all_done) = mpsc::channel(1);
        for bridge in self.state.wheel.all() {
            // One that is over has nothing left to hand over.
            let _ = bridge.tell(Drain { done: done.clone() }).await;
        }
        drop(done);
        while all_done.recv().await.is_some() {}
    }

    /// Waits until the last browser is gone, and every publish over HTTP that was let in is answered.
    pub async fn wait_idle(&self) {
        self.state.count.wait_empty().await;
        self.state.publish_budget.wait_empty().await;
    }
}

async fn accept<U: Upstream>(listener: TcpListener, door: Arc<DoorState<U>>, connections_max: usize) {
    let places = Arc::new(Semaphore::new(connections_max));
    let mut is_shut = door.is_shut.clone();
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            let (stream, _) = next_connection(&listener).await;
            let served = serve(Arc::clone(&door), stream);
            connections.spawn(async move {
                served.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = is_shut.wait_for(|is_shut| *is_shut) => {}
    }
    // Whoever comes now is told so by the kernel.
    drop(listener);
    while connections.join_next().await.is_some() {}
}
