//! How a client is doing, for programs that show it; never how it gets there (see the driver).

use std::net::SocketAddr;
use std::sync::Arc;

use callboard_protocol::frame::Welcome;
use callboard_protocol::{ConnectionId, frame};
use tokio::sync::watch;
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
    #[error("the token provider gave no token: {0}")]
    Token(Arc<str>),
    /// No session could be opened: the name was not found, nobody answered, or the certificate was not the right one.
    #[error("the broker was not reached: {0}")]
    Unreachable(Arc<str>),
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

/// A view of a client's state that tells of changes.
#[derive(Debug, Clone)]
pub struct States(watch::Receiver<State>);

impl States {
    pub(crate) fn new(receiver: watch::Receiver<State>) -> Self {
        Self(receiver)
    }

    /// The state now.
    #[must_use]
    pub fn current(&self) -> State {
        self.0.borrow().clone()
    }

    /// The next state that was not seen through this view. States that came and went meanwhile are left out; the last
    /// one never is. `None` once the client has closed and that was seen.
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<State> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// The first state from now on that `fits`; `None` if the client closed without one.
    ///
    /// Cancel-safe.
    pub async fn wait_for(&mut self, mut fits: impl FnMut(&State) -> bool) -> Option<State> {
        self.0.wait_for(|state| fits(state)).await.ok().map(|state| state.clone())
    }

    /// Waits until a session is open; `None` if the client closed instead.
    ///
    /// Cancel-safe.
    pub async fn online(&mut self) -> Option<Arc<Online>> {
        match self.wait_for(|state| matches!(state, State::Online(_) | State::Closed { .. })).await? {
            State::Online(online) => Some(online),
            State::Connecting | State::Waiting { .. } | State::Closed { .. } => None,
        }
    }
}
