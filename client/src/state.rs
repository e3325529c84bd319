//! How a client is doing, for programs that show it; never how it gets there (see the driver), nor how to wait for it.

use std::net::SocketAddr;
use std::sync::Arc;

use callboard_protocol::frame::Welcome;
use callboard_protocol::{ConnectionId, frame};
use tokio::time::Instant;

/// What a client is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// An attempt to open a session is on its way.
    Connecting,
    /// A session is open.
    Online(Arc<Online>),
    /// There is no session; the next attempt begins at a known time.
    Waiting {
        /// When.
        until: Instant,
        /// Why there is no session.
        why: Reason,
    },
    /// There is no session and no attempt will follow.
    Closed {
        /// Why.
        why: Reason,
    },
}

/// What the broker said about an open session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Online {
    /// The connection's number in this run of the broker.
    pub connection: ConnectionId,
    /// Who the broker takes this client for; `None` is anonymous.
    pub identity: Option<Identity>,
    /// What the broker is, for people who read logs.
    pub agent: String,
    /// The largest payload, in bytes, that may be published.
    pub payload_bytes_max: usize,
    /// The most channels that may be subscribed to at once.
    pub subscriptions_max: usize,
    /// The address that answered.
    pub broker: SocketAddr,
}

impl Online {
    pub(crate) fn new(welcome: &Welcome<'_>, broker: SocketAddr) -> Self {
        Self {
            connection: welcome.connection,
            identity: welcome.identity.as_ref().map(Identity::new),
            agent: welcome.agent.to_owned(),
            payload_bytes_max: usize::try_from(welcome.payload_bytes_max).unwrap_or(usize::MAX),
            subscriptions_max: usize::try_from(welcome.subscriptions_max).unwrap_or(usize::MAX),
            broker,
        }
    }
}

/// Who the broker takes a client for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The strategy that told.
    pub strategy: String,
    /// The client's key under that strategy: an API key's name, a user's id.
    pub key: String,
}

impl Identity {
    fn new(frame: &frame::Identity<'_>) -> Self {
        Self { strategy: frame.strategy.to_owned(), key: frame.key.to_owned() }
    }
}

/// Why there is no session. The first split is whose doing it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// This program closed the client.
    #[error("this program closed the client")]
    Asked,
    /// The driver was stopped with the runtime it ran on.
    #[error("the runtime that the client ran on has stopped")]
    Stopped,
    /// The token provider gave no token.
    #[error("the token provider returned no token: {0}")]
    Token(Arc<str>),
    /// No session could be opened: the name was not found, or nobody answered.
    #[error("the broker was not reached: {0}")]
    Unreachable(Arc<str>),
    /// Somebody answered whose certificate is not the right one: the sentence has its fingerprint, and the pinned one
    /// if there is one. The first session is given up for that; a client that had one keeps trying, since the broker's
    /// machine may get its certificate back.
    #[error("the broker is not trusted: {0}")]
    Untrusted(Arc<str>),
    /// The connection broke.
    #[error("the connection was lost: {0}")]
    Lost(Arc<str>),
    /// The broker ended the session.
    #[error("the broker ended the session with {code}: {sentence}")]
    Ended {
        /// A number of the close registry ([`callboard_protocol::close`]).
        code: u16,
        /// The broker's sentence.
        sentence: Arc<str>,
    },
    /// The broker broke a rule of the protocol, and this client ended the session.
    #[error("the broker broke the protocol: {0}")]
    BrokerAtFault(Arc<str>),
}
