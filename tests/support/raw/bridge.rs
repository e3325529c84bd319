//! A bridge's connection, with its own session on the first stream; it opens further ones for visitors when it is asked to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use callboard::identity::{KeyStore, Rights};
use callboard_protocol::Millis;
use callboard_protocol::frame::{ClientFrame, Credential, Goodbye, Introduce, ServerFrame};

use super::body::Ending;
use super::dialer::{Dialer, Options};
use super::peer::Peer;
use crate::Broker;

/// A bridge.
#[derive(Debug)]
pub struct Bridge {
    /// Its own session, welcomed.
    pub own: Peer,
    /// Its key.
    pub key: String,
}

impl Bridge {
    /// A bridge of this broker, under a key with the right.
    pub async fn of(broker: &Broker) -> Self {
        Self::at(broker.addr(), broker.data_dir(), |_| ()).await
    }

    /// The same by address and data directory, with what `change` makes of the usual options.
    ///
    /// # Panics
    ///
    /// If it is not let in.
    pub async fn at(addr: SocketAddr, data_dir: &Path, change: impl FnOnce(&mut Options)) -> Self {
        let keys = KeyStore::open(data_dir).expect("the keys are readable");
        let key = keys.create_with("bridge", Rights { bridge: true }).expect("a key can be made").reveal();
        let mut own = Dialer::with(change).connect(addr).await;
        own.hello_as(Some(Credential { strategy: "apikey", secret: &key })).await;
        Self { own, key }
    }

    /// A stream on which nothing is said yet.
    ///
    /// # Panics
    ///
    /// If the broker lets none in within [`SOON`](crate::SOON).
    pub async fn stream(&self) -> Peer {
        self.own.open_another().await.unwrap_or_else(|error| panic!("no stream beside the bridge's own: {error}"))
    }

    /// A visitor from this address, introduced, who has said nothing yet.
    pub async fn visitor_from(&self, address: impl Into<IpAddr>) -> Peer {
        let mut visitor = self.stream().await;
        visitor.send(&ClientFrame::Introduce(introduction(address))).await;
        visitor
    }

    /// A visitor whose session is open.
    pub async fn visitor(&self) -> Peer {
        let mut visitor = self.visitor_from(Ipv4Addr::new(192, 0, 2, 7)).await;
        visitor.hello().await;
        visitor
    }
}

/// What a bridge says of a visitor from this address who showed nothing.
#[must_use]
pub fn introduction(address: impl Into<IpAddr>) -> Introduce<'static> {
    let address = match address.into() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let ping_interval = Millis::saturating(10_000);
    Introduce { address: address.octets(), origin: None, credential: None, private: true, ping_interval, publishes: 0 }
}

/// How a session ended that shares its connection with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// The code: of the goodbye, or of the stream where there was none.
    pub code: u16,
    /// The goodbye's sentence; nothing where there was none.
    pub sentence: String,
    /// Whether there was a goodbye.
    pub was_said: bool,
}

impl Peer {
    /// Hears how the broker ends the session, whatever it says before, and that nothing but its stream ends.
    ///
    /// # Panics
    ///
    /// If it does not end it in time, or says both a goodbye and another code, or closes the connection.
    pub async fn parting(&mut self) -> Parting {
        let mut said = None;
        let ending = loop {
            match self.next().await {
                Ok(body) => {
                    if let ServerFrame::Goodbye(Goodbye { code, sentence, .. }) = body.frame() {
                        said = Some(Parting { code, sentence: sentence.to_owned(), was_said: true });
                    }
                }
                Err(ending) => break ending,
            }
        };
        assert_eq!(self.connection().close_reason(), None, "only the stream ended, by {said:?} and {ending:?}");
        match (said, ending) {
            (Some(parting), Ending::Finished) => parting,
            (Some(parting), Ending::Reset(code)) if u64::from(parting.code) == code => parting,
            (None, Ending::Reset(code)) => {
                let code = u16::try_from(code).expect("a code of the registry");
                Parting { code, sentence: String::new(), was_said: false }
            }
            (said, ending) => panic!("a session that shares its connection ended with {said:?} and {ending:?}"),
        }
    }

    /// Whether the broker lets this peer open no further stream: by when it has answered what was said meanwhile.
    pub async fn has_no_second_stream(&mut self) -> bool {
        let connection = self.connection().clone();
        let mut opening = std::pin::pin!(connection.open_bi());
        let mut answered = std::pin::pin!(self.publish("news", "said meanwhile"));
        tokio::select! {
            biased;
            _ = &mut opening => false,
            _ = &mut answered => true,
        }
    }
}
