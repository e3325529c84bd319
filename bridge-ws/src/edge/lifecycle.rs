//! A running edge: the browser's door, and behind it the bus far away. It opens both and ends both in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callboard_client::{BuildError, Builder, Reason};
use tokio::time::{Instant, timeout_at};

use super::limits::Limits;
use super::observer::Observer;
use super::remote::Remote;
use crate::config::Config;
use crate::door::{BindError, Door};

/// Why the edge did not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The door could not open.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The broker can never be reached like this.
    #[error(transparent)]
    Broker(#[from] BuildError),
}

/// A running edge. Dropping it ends it at once; [`Edge::drain`] ends it well.
#[derive(Debug)]
pub struct Edge {
    door: Door<Remote>,
    remote: Arc<Remote>,
    drain_deadline: Duration,
}

impl Edge {
    /// Opens the door, whether the broker is there or not: browsers wait for it. `broker` says where it is and shows a key
    /// that may open sessions for others.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing is left running then.
    pub async fn open(config: Config, limits: Limits, broker: Builder) -> Result<Self, OpenError> {
        let drain_deadline = config.drain_deadline;
        let remote = Arc::new(Remote::new(broker, limits, &config)?);
        let door = Door::open(config, Arc::clone(&remote)).await?;
        remote.metrics().set_accepting(true);
        tracing::info!(address = %door.address(), "serving browsers");
        Ok(Self { door, remote, drain_deadline })
    }

    /// Where the door listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// A view of it for those who watch over it.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Observer::of(&self.remote)
    }

    /// How many browsers are in.
    #[must_use]
    pub fn browsers(&self) -> usize {
        self.door.browsers()
    }

    /// Waits until the broker was tried to reach.
    ///
    /// # Errors
    ///
    /// Why it was not reached, as far as that is known. The edge goes on trying.
    pub async fn reached(&self) -> Result<(), Option<Reason>> {
        self.remote.reached().await
    }

    /// Ends the edge well: takes nobody more, reads nothing more, hands over what was read, tells each browser when to
    /// come back, spread over `spread`, answers the publishes over HTTP that are under way, and says goodbye to the broker;
    /// all within the drain deadline and a few seconds.
    pub async fn drain(self, spread: Duration) {
        let deadline = Instant::now() + self.drain_deadline;
        self.remote.metrics().set_accepting(false);
        self.door.stop_accepting();
        tracing::info!(browsers = self.browsers(), "draining");
        // Half of the time, so that a browser that is stuck does not cost everybody else the goodbye.
        let _ = timeout_at(deadline - self.drain_deadline / 2, self.door.drain()).await;
        self.remote.say_goodbye(spread);
        let _ = timeout_at(deadline, self.door.wait_idle()).await;
        self.remote.close().await;
        tracing::info!("ended");
    }
}
