//! The browser's door alone, before a broker under test: in this process, on a free port.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use callboard::identity::{KeyStore, Rights};
use callboard_bridge_ws::{Config, Dialect, edge};
use callboard_client::Builder;
use callboard_protocol::Nonce;
use callboard_protocol::frame::{ClientFrame, Pong, ServerFrame};

use crate::{Broker, Peer, Process, soon};

/// An edge.
#[derive(Debug)]
pub struct Edge {
    edge: edge::Edge,
    /// The key that it has.
    pub key: String,
}

impl Edge {
    /// An edge of this broker that has reached it.
    pub async fn of(broker: &Broker) -> Self {
        let edge = Self::open(broker.client_builder(), broker.data_dir(), |_| ()).await;
        edge.reaches_its_broker().await;
        edge
    }

    /// The same before a broker's process.
    pub async fn of_process(broker: &Process) -> Self {
        let edge = Self::open(broker.client_builder(), broker.data_dir(), |_| ()).await;
        edge.reaches_its_broker().await;
        edge
    }

    /// An edge of the broker that `builder` reaches and whose keys are in `data_dir`, with what `change` makes of the
    /// defaults; whether that broker is there or not.
    ///
    /// # Panics
    ///
    /// If it does not open.
    pub async fn open(builder: Builder, data_dir: &Path, change: impl FnOnce(&mut Config)) -> Self {
        Self::open_with(builder, data_dir, edge::Limits::default(), change).await
    }

    /// An edge of this broker that has reached it and lets so many browsers in.
    pub async fn for_browsers(broker: &Broker, connections: usize) -> Self {
        Self::within(broker, edge::Limits { connections, ..edge::Limits::default() }).await
    }

    /// An edge of this broker that has reached it and holds no more than this.
    pub async fn within(broker: &Broker, limits: edge::Limits) -> Self {
        let edge = Self::open_with(broker.client_builder(), broker.data_dir(), limits, |_| ()).await;
        edge.reaches_its_broker().await;
        edge
    }

    /// The same with what it may hold.
    ///
    /// # Panics
    ///
    /// If it does not open.
    pub async fn open_with(
        builder: Builder,
        data_dir: &Path,
        limits: edge::Limits,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let keys = KeyStore::open(data_dir).expect("the keys are readable");
        let key = keys.create_with("edge", Rights { bridge: true }).expect("a key can be made").reveal();
        let mut config = Config::new((Ipv4Addr::LOCALHOST, 0).into());
        change(&mut config);
        let (attempt, idle) = (Duration::from_secs(2), Duration::from_secs(2));
        let builder = builder.api_key(&key).attempt_timeout(attempt).idle_timeout(idle);
        let edge = soon("an edge", edge::Edge::open(config, limits, builder)).await;
        Self { edge: edge.unwrap_or_else(|error| panic!("no edge: {error}")), key }
    }

    /// Waits until it has reached its broker.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn reaches_its_broker(&self) {
        let reached = soon("the edge's broker", self.edge.reached()).await;
        reached.unwrap_or_else(|why| panic!("the edge did not reach its broker: {why:?}"));
    }

    /// Where its door listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.edge.address()
    }

    /// A raw peer at its door that has said nothing yet.
    pub async fn peer(&self, dialect: Dialect) -> Peer {
        Peer::upgrade(self.addr(), dialect).await
    }

    /// One whose session is open.
    pub async fn visitor(&self, dialect: Dialect) -> Peer {
        let mut peer = self.peer(dialect).await;
        peer.hello().await;
        peer
    }

    /// How many browsers are in.
    #[must_use]
    pub fn browsers(&self) -> usize {
        self.edge.browsers()
    }

    /// Shuts it down in order.
    pub async fn drain(self) {
        soon("the end of the edge's drain", self.edge.drain(Duration::from_secs(1))).await;
    }
}

impl Peer {
    /// Hears that the broker is away, whatever was on its way before; the nonce of the question.
    ///
    /// # Panics
    ///
    /// If the session ends instead.
    pub async fn suspended(&mut self) -> Nonce {
        self.suspended_why().await.0
    }

    /// The same with the sentence.
    ///
    /// # Panics
    ///
    /// If the session ends instead.
    pub async fn suspended_why(&mut self) -> (Nonce, String) {
        loop {
            if let ServerFrame::Suspended(suspended) = self.receive().await.frame() {
                return (suspended.nonce, suspended.sentence.to_owned());
            }
        }
    }

    /// Says that it knows that the broker is away, and hears that it is back.
    ///
    /// # Panics
    ///
    /// If anything else is said, but for pings.
    pub async fn resumed(&mut self, nonce: Nonce) {
        self.send(&ClientFrame::Pong(Pong { nonce })).await;
        let resumed = |frame: ServerFrame<'_>| {
            let ServerFrame::Resumed(resumed) = frame else { return None };
            Some(resumed.nonce)
        };
        assert_eq!(self.expect("Resumed", resumed).await, nonce);
        self.begin_again();
    }

    /// Says hello until it is welcomed, waiting as often as it is told to.
    ///
    /// # Panics
    ///
    /// If anything else is said, but for pings.
    pub async fn comes_in(&mut self) {
        self.send_hello().await;
        if let Some(nonce) = self.hello_answered().await {
            self.back(nonce).await;
        }
    }

    /// The answer to hello: nothing if it was welcomed, and the nonce if it was told to wait.
    async fn hello_answered(&mut self) -> Option<Nonce> {
        let answer = |frame: ServerFrame<'_>| {
            if let ServerFrame::Suspended(suspended) = frame {
                return Some(Some(suspended.nonce));
            }
            matches!(frame, ServerFrame::Welcome(_)).then_some(None)
        };
        self.expect("Welcome", answer).await
    }

    /// Comes back to a broker that was away: until it is welcomed, for an edge may know of the end of one connection
    /// before it knows of another's.
    ///
    /// # Panics
    ///
    /// If anything else is said, but for pings.
    pub async fn back(&mut self, nonce: Nonce) {
        let mut away = Some(nonce);
        while let Some(nonce) = away {
            self.resumed(nonce).await;
            self.send_hello().await;
            away = self.hello_answered().await;
        }
    }
}
