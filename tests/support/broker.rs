//! A broker in this process, on a free port and a data directory of its own; both are gone when it is dropped.

use std::net::{Ipv4Addr, SocketAddr};

use callboard::Hooks;
use callboard::config::{Config, WsListen};
use callboard_client::{Builder, Client};
use tempfile::TempDir;

use crate::raw::Door;
use crate::{Edge, Peer, client, soon, temp};

/// A broker in this process.
#[derive(Debug)]
pub struct Broker {
    /// Where browsers are let in, if that is not its own door.
    edge: Option<Edge>,
    broker: callboard::Broker,
    data_dir: TempDir,
}

impl Broker {
    /// Starts one with the defaults.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// Starts one with what `change` makes of the defaults.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_built(change, |_| ()).await
    }

    /// Starts one with a browser's door and with hooks, as a program that embeds it does.
    pub async fn start_hooked(change: impl FnOnce(&mut Config), configure: impl FnOnce(&mut Hooks)) -> Self {
        let for_browsers = |config: &mut Config| {
            config.ws.listen = WsListen::SamePort;
            change(config);
        };
        Self::start_built(for_browsers, configure).await
    }

    async fn start_built(change: impl FnOnce(&mut Config), configure: impl FnOnce(&mut Hooks)) -> Self {
        let data_dir = temp::directory();
        let mut config = Config::new(data_dir.path());
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // The port of a test that starts its broker again may be taken by then; few need this door.
        config.ws.listen = WsListen::Off;
        // Visitors of these tests come from far away; what holds where nothing is said has a promise of its own.
        config.anonymous_publish = Some(true);
        change(&mut config);
        let broker = soon("the broker", callboard::Broker::builder(config).configure(configure).start()).await;
        let broker = broker.unwrap_or_else(|error| panic!("the broker did not start: {error}"));
        Self { edge: None, broker, data_dir }
    }

    /// Puts an edge before it: browsers come by that one from here on.
    pub async fn behind_an_edge(self) -> Self {
        let edge = Edge::of(&self).await;
        self.behind(edge)
    }

    /// Puts this edge before it.
    #[must_use]
    pub fn behind(mut self, edge: Edge) -> Self {
        self.edge = Some(edge);
        self
    }

    /// Where its QUIC door listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.broker.addr()
    }

    /// Its address as clients are told it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", callboard_protocol::version::URL_SCHEME, self.addr())
    }

    /// A client of this broker, connected, anonymous, and quick to come back.
    pub async fn client(&self) -> Client {
        client::connected(self.client_builder()).await
    }

    /// The same before it connects, for a test that chooses more.
    pub fn client_builder(&self) -> Builder {
        self.client_builder_by(self.addr())
    }

    /// The same for a client that reaches the broker by another address, a proxy's.
    pub fn client_builder_by(&self, addr: SocketAddr) -> Builder {
        let url = format!("{}://{addr}", callboard_protocol::version::URL_SCHEME);
        client::builder(url, self.broker.fingerprint())
    }

    /// Starts one with a browser's door too, with what `change` makes of the defaults.
    pub async fn start_for_browsers(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(|config| {
            config.ws.listen = WsListen::SamePort;
            change(config);
        })
        .await
    }

    /// Where browsers are let in.
    ///
    /// # Panics
    ///
    /// If they are nowhere.
    #[must_use]
    pub fn ws_addr(&self) -> SocketAddr {
        let own = || self.broker.ws_addr().expect("a broker that was started for browsers");
        self.edge.as_ref().map_or_else(own, Edge::addr)
    }

    /// A raw peer at this door that has said nothing yet.
    pub async fn peer_at(&self, door: Door) -> Peer {
        match door.dialect() {
            None => self.peer().await,
            Some(dialect) => Peer::upgrade(self.ws_addr(), dialect).await,
        }
    }

    /// A raw peer that has said nothing yet.
    pub async fn peer(&self) -> Peer {
        Peer::connect(self.addr()).await
    }

    /// The broker itself.
    #[must_use]
    pub fn inner(&self) -> &callboard::Broker {
        &self.broker
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &std::path::Path {
        self.data_dir.path()
    }

    /// Shuts it down in order: outboxes empty, clients are told when to come back.
    pub async fn drain(self) {
        soon("the end of the broker's drain", self.broker.drain()).await;
    }
}
