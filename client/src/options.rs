//! What a program may choose about a client, a subscription and a publish; every bound with its default.

use std::future::Future;
use std::time::Duration;

use callboard_protocol::Position;
use callboard_protocol::limits::{LABEL_BYTES_MAX, UNACKNOWLEDGED_MAX};

use crate::address::Address;
use crate::client::Client;
use crate::credential::{BoxError, Credential, Source};
use crate::defaults;
use crate::error::{BuildError, ConnectError};
use crate::trust::Trust;

/// How much a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Messages, at most; at least 1.
    pub messages: usize,
    /// Bytes, at most. An empty queue takes one message of any legal size.
    pub bytes: usize,
}

/// What happens to publishes while there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offline {
    /// They wait in the queue up to these bounds; beyond, they fail with
    /// [`QueueFull`](crate::PublishError::QueueFull). The bounds hold online too, where a full queue makes its callers
    /// wait. Default: [`QUEUE_MESSAGES`](defaults::QUEUE_MESSAGES) and [`QUEUE_BYTES`](defaults::QUEUE_BYTES).
    Queue(Bounds),
    /// They fail with [`Offline`](crate::PublishError::Offline), and so do those that wait for room when a session ends.
    /// A client that was just built is offline, until its first session. Online, the queue has the default bounds.
    ///
    /// What entered the queue before is not taken back when a session ends: what was not written is written in the next
    /// one, what was written and not acknowledged is sent again there, and [`publish_acked`](crate::Client::publish_acked)
    /// and receipts go on waiting. Only what nobody waits for may be lost, if it was written to a connection that broke.
    FailAtOnce,
}

impl Default for Offline {
    fn default() -> Self {
        Self::Queue(QUEUE)
    }
}

const QUEUE: Bounds = Bounds { messages: defaults::QUEUE_MESSAGES, bytes: defaults::QUEUE_BYTES };

impl Offline {
    pub(crate) fn bounds(self) -> Bounds {
        match self {
            Self::Queue(bounds) => bounds,
            Self::FailAtOnce => QUEUE,
        }
    }
}

/// What happens when the reader of a subscription is slower than the channel and its queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// What does not fit is left out for this subscription, and a [`Gap`](crate::Gap) stands at its place. Nobody else
    /// is touched.
    #[default]
    Gap,
    /// The client stops reading from the broker until there is room. Everything else that comes in on this client
    /// (other subscriptions, acknowledgements) waits too; publishing goes on. If it takes long, the broker ends the
    /// session as too slow, and the next one recovers what the channel's history still has.
    Block,
}

/// How a channel is subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Begin with the last messages of the channel's history, this many at most. Default: `None`, begin with the next
    /// message.
    pub rewind: Option<u32>,
    /// Begin with the message after this position, as [`Subscription::position`](crate::Subscription::position) gave
    /// it. If the history no longer has all since, a [`Gap`](crate::Gap) comes first. Default: `None`.
    pub recover_from: Option<Position>,
    /// Leave out what this client publishes itself. Default: `false`.
    pub exclude_own: bool,
    /// How much waits for the reader. Default: [`SUBSCRIPTION_MESSAGES`](defaults::SUBSCRIPTION_MESSAGES) and
    /// [`SUBSCRIPTION_BYTES`](defaults::SUBSCRIPTION_BYTES).
    pub queue: Bounds,
    /// What happens when more comes. Default: [`Overflow::Gap`].
    pub overflow: Overflow,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            rewind: None,
            recover_from: None,
            exclude_own: false,
            queue: Bounds { messages: defaults::SUBSCRIPTION_MESSAGES, bytes: defaults::SUBSCRIPTION_BYTES },
            overflow: Overflow::default(),
        }
    }
}

/// How a message is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishOptions {
    /// What the message is about, for those who keep only the last message of a key; at most 255 bytes. Default: `None`.
    pub key: Option<String>,
}

impl PublishOptions {
    /// A message about `key`.
    #[must_use]
    pub fn key(key: impl Into<String>) -> Self {
        Self { key: Some(key.into()) }
    }
}

/// What the driver and the handles know of the builder's choices.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) source: Source,
    pub(crate) connect_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) backoff_base: Duration,
    pub(crate) backoff_cap: Duration,
    pub(crate) offline: Offline,
    pub(crate) unacknowledged: usize,
    pub(crate) agent: String,
}

/// Collects the choices for a [`Client`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct Builder {
    url: String,
    trust: Trust,
    options: Options,
}

impl Builder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            trust: Trust::default(),
            options: Options {
                source: Source::default(),
                connect_timeout: defaults::CONNECT_TIMEOUT,
                attempt_timeout: defaults::ATTEMPT_TIMEOUT,
                idle_timeout: defaults::IDLE_TIMEOUT,
                close_timeout: defaults::CLOSE_TIMEOUT,
                backoff_base: defaults::BACKOFF_BASE,
                backoff_cap: defaults::BACKOFF_CAP,
                offline: Offline::default(),
                unacknowledged: defaults::UNACKNOWLEDGED,
                agent: concat!("callboard-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            },
        }
    }

    /// Which broker is believed to be the right one. Default: [`Trust::platform`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Shows this API key in every session. Default: none, the client is anonymous.
    pub fn api_key(self, key: impl Into<String>) -> Self {
        self.credential(Credential::api_key(key))
    }

    /// Shows this credential in every session. If the broker refuses it, the client closes.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.options.source = Source::Fixed(credential);
        self
    }

    /// Asks `provide` for a credential before each attempt, within the attempt's time. If it fails, or the broker
    /// refuses what it gave, the next attempt follows after a pause.
    pub fn token_provider<F, T>(mut self, provide: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<Credential, BoxError>> + Send + 'static,
    {
        self.options.source = Source::provider(provide);
        self
    }

    /// How long [`connect`](Self::connect) keeps trying. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long one attempt may take, from the token to the open session. Default: 10 s.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.options.attempt_timeout = timeout;
        self
    }

    /// How long nothing may be heard before a connection is given up; keep-alives go out three times in it. Between
    /// 1 s and 10 min, default: 30 s. The broker may have a shorter one of its own, and the shorter one holds.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.options.idle_timeout = timeout;
        self
    }

    /// How long [`Client::close`] waits for publishes on their way. Default: 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.options.close_timeout = timeout;
        self
    }

    /// The bounds of the growing pause between attempts: the n-th lies evenly between nothing and
    /// `base · 2ⁿ⁻¹`, or `cap` if that is less. Default: 200 ms and 30 s.
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.options.backoff_base = base;
        self.options.backoff_cap = cap;
        self
    }

    /// What happens to publishes while there is no session. Default: [`Offline::Queue`].
    pub fn offline(mut self, offline: Offline) -> Self {
        self.options.offline = offline;
        self
    }

    /// How many acknowledged publishes are on their way at once; whoever calls beyond waits. From 1 to 128, default: 128.
    pub fn unacknowledged(mut self, publishes: usize) -> Self {
        self.options.unacknowledged = publishes;
        self
    }

    /// What the client calls itself in the broker's logs, at most 255 bytes. Default: `callboard-client/` and its
    /// version.
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.options.agent = agent.into();
        self
    }

    /// Builds the client and waits until its first session is open. Attempts that fail for a passing reason are
    /// repeated until the connect timeout; a broker whose certificate is not believed is an error at once.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; the client that tried is dropped then, and its task ends.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let (url, timeout) = (self.url.clone(), self.options.connect_timeout);
        let client = self.connect_lazy()?;
        client.first_session(url, timeout).await?;
        Ok(client)
    }

    /// Builds the client and lets it connect on its own. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if the options cannot hold.
    pub fn connect_lazy(self) -> Result<Client, BuildError> {
        let (address, trust, options) = self.checked()?;
        Client::start(address, &trust, options)
    }

    /// What it says, once it can hold.
    pub(crate) fn checked(self) -> Result<(Address, Trust, Options), BuildError> {
        let address = Address::parse(&self.url)?;
        self.options.check()?;
        Ok((address, self.trust, self.options))
    }
}

impl Options {
    fn check(&self) -> Result<(), BuildError> {
        let bound = |good: bool, option, rule| if good { Ok(()) } else { Err(BuildError::Bound { option, rule }) };
        let idle = Duration::from_secs(1)..=Duration::from_secs(600);
        bound(idle.contains(&self.idle_timeout), "idle_timeout", "between 1 s and 10 min")?;
        let day = Duration::from_secs(86_400);
        bound(self.connect_timeout <= day, "connect_timeout", "at most a day")?;
        bound(self.attempt_timeout <= day, "attempt_timeout", "at most a day")?;
        bound(self.close_timeout <= day, "close_timeout", "at most a day")?;
        bound(self.backoff_base <= self.backoff_cap, "backoff", "a base that is not above its cap")?;
        bound(!self.backoff_base.is_zero() && self.backoff_cap <= day, "backoff", "above zero and at most a day")?;
        bound(self.offline.bounds().messages > 0, "offline", "a queue with room for one message at least")?;
        bound((1..=UNACKNOWLEDGED_MAX).contains(&self.unacknowledged), "unacknowledged", "from 1 to 128")?;
        bound(self.agent.len() <= LABEL_BYTES_MAX, "agent", "at most 255 bytes long")?;
        match &self.source {
            Source::Fixed(credential) if !credential.fits() => Err(BuildError::CredentialTooLong),
            Source::Fixed(_) | Source::Anonymous | Source::Provider(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_cannot_hold_are_refused() {
        let builder = || Builder::new("callboard://localhost".to_owned());
        for (option, builder) in [
            ("unacknowledged", builder().unacknowledged(0)),
            ("unacknowledged", builder().unacknowledged(129)),
            ("idle_timeout", builder().idle_timeout(Duration::ZERO)),
            ("backoff", builder().backoff(Duration::ZERO, Duration::ZERO)),
            ("backoff", builder().backoff(Duration::from_secs(2), Duration::from_secs(1))),
            ("offline", builder().offline(Offline::Queue(Bounds { messages: 0, bytes: 1 }))),
            ("close_timeout", builder().close_timeout(Duration::MAX)),
        ] {
            let Err(BuildError::Bound { option: refused, .. }) = builder.options.check() else {
                panic!("{option} was taken");
            };
            assert_eq!(refused, option);
        }
        assert!(builder().options.check().is_ok());
    }
}
