//! A neighbour of whoever misbehaves: it must never notice. It asks nothing of the broker but what any peer may.

use std::net::SocketAddr;

use crate::{Peer, soon};

/// The channel that nobody else has.
const CHANNEL: &str = "neighbour";

/// An honest peer, subscribed to a channel of its own.
#[derive(Debug)]
pub struct Neighbour {
    peer: Peer,
    broker: SocketAddr,
}

impl Neighbour {
    /// Moves in.
    pub async fn of(broker: SocketAddr) -> Self {
        let mut peer = Peer::connect(broker).await;
        peer.hello().await;
        peer.subscribe(CHANNEL).await;
        Self { peer, broker }
    }

    /// Publishes and hears what it published, and so does somebody who comes only now.
    ///
    /// # Panics
    ///
    /// If anything of that fails, or takes longer than anything on loopback takes.
    pub async fn carries_on(&mut self) {
        soon("word from the neighbour", self.hears_itself()).await;
        let mut newcomer = Peer::connect(self.broker).await;
        newcomer.hello().await;
        let said = newcomer.publish(CHANNEL, "a newcomer").await;
        assert_eq!(self.peer.message().await.offset, said.offset);
    }

    /// The neighbour alone: publishes, and hears what it published.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn hears_itself(&mut self) {
        let said = self.peer.publish(CHANNEL, "on").await;
        assert_eq!(self.peer.message().await.offset, said.offset);
    }
}
