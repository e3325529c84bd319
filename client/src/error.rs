//! What can go wrong, split by whose fault it is: the caller's, the broker's, or nobody's.

use std::sync::Arc;

use callboard_protocol::error::Class;
use callboard_protocol::limits::{CREDENTIAL_BYTES_MAX, KEY_BYTES_MAX};
use callboard_protocol::{ChannelName, NameError, Payload, frame};

use crate::address::AddressError;
use crate::state::Reason;
use crate::trust::TrustError;

/// A client cannot be built from these options. The caller is at fault, or the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is no broker's address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// What is to be trusted cannot be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A bound has a value that it cannot have.
    #[error("`{option}` must be {rule}")]
    Bound {
        /// The builder's method.
        option: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The credential is longer than a broker reads.
    #[error("a credential has at most {CREDENTIAL_BYTES_MAX} bytes")]
    CredentialTooLong,
    /// The system gave no random numbers.
    #[error("the system provided no random numbers: {0}")]
    Random(#[source] getrandom::Error),
    /// There is no tokio runtime around the call, or it has no I/O or no time.
    #[error("a client must be built inside a tokio runtime")]
    NoRuntime,
}

/// `connect` opened no session; the client it tried with is gone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The client cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Trying again would not help.
    #[error("the broker refused: {0}")]
    Refused(Reason),
    /// Somebody answered whose certificate is not the right one. What is to be trusted is wrong, or the broker is
    /// another one: a person has to look.
    #[error("the broker at {url} is not trusted: {why}")]
    Untrusted {
        /// The address.
        url: String,
        /// What is wrong with the certificate: its fingerprint is in it, and the pinned one if there is one.
        why: Arc<str>,
    },
    /// The time was over.
    #[error("no session within the connect timeout{}", last.as_ref().map(|last| format!("; the last attempt: {last}")).unwrap_or_default())]
    Timeout {
        /// How the last attempt ended; `None` if the first one was still on its way.
        last: Option<Reason>,
    },
}

/// A message was not published, as far as the client knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The channel's name breaks a rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The payload is larger than the broker takes.
    #[error("the payload has {bytes} bytes, the broker accepts {max}")]
    PayloadTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit of the session, or of the protocol before the first session.
        max: usize,
    },
    /// The message's key is too long.
    #[error("a message's key has at most {KEY_BYTES_MAX} bytes, this one has {bytes}")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// There is no session, and the client was built with [`Offline::FailAtOnce`](crate::Offline::FailAtOnce).
    #[error("the client is offline")]
    Offline,
    /// There is no session, and the queue for that time is full.
    #[error("the client is offline and its queue is full")]
    QueueFull,
    /// The broker refused the message. It was not published.
    #[error(transparent)]
    Refused(Failure),
    /// The client closed before the broker acknowledged. The message may have been published or not.
    #[error("the client has closed: {0}")]
    Closed(Reason),
}

/// A channel was not subscribed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The channel's name breaks a rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The client has a subscription of this channel, and its one subscription on the wire cannot begin at two places
    /// or leave own messages out for one reader only.
    #[error(
        "this client already has a subscription to {channel} with other options: drop it first, subscribe without \
         `rewind` or `recover_from` and with the same `exclude_own`, or use another client"
    )]
    AlreadySubscribed {
        /// The channel.
        channel: ChannelName,
    },
    /// A bound of the subscription's queue is zero.
    #[error("a subscription's queue must have room for at least one message")]
    NoRoom,
    /// `rewind` and `recover_from` were both asked for.
    #[error("a subscription begins with `rewind` or with `recover_from`, not with both")]
    TwoStarts,
    /// The broker refused.
    #[error(transparent)]
    Refused(Failure),
    /// The client closed before the broker answered.
    #[error("the client has closed: {0}")]
    Closed(Reason),
}

/// The client closed, and not everything that waited was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The time to close was over first.
    #[error("{messages} publishes were neither written nor acknowledged in time")]
    Unsent {
        /// How many: those never written, and those written and not acknowledged.
        messages: usize,
    },
}

/// The client's socket was not moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebindError {
    /// The system gave no new socket.
    #[error("the system provided no new socket: {0}")]
    Socket(#[source] std::io::Error),
    /// The client closed.
    #[error("the client has closed")]
    Closed,
}

/// The broker's answer to a request that did not go well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence} ({code} {class})")]
#[non_exhaustive]
pub struct Failure {
    /// A number of the failure registry.
    pub code: u16,
    /// The failure's class, in kebab case.
    pub class: Arc<str>,
    /// A sentence for people: what is wrong, and what to do next.
    pub sentence: Arc<str>,
    /// What a program may read beside the class.
    pub data: Option<Payload>,
}

impl Failure {
    pub(crate) fn new(frame: &frame::Failed<'_>) -> Self {
        Self {
            code: frame.code,
            class: frame.class.into(),
            sentence: frame.sentence.into(),
            data: frame.data.map(|data| data.to_owned()),
        }
    }

    /// The failure's class, if this version knows it.
    #[must_use]
    pub fn known_class(&self) -> Option<Class> {
        Class::from_name(&self.class)
    }

    /// Whether the same request may go well later without anybody's doing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.known_class() {
            Some(Class::TooManyRequests | Class::GeneralError | Class::Unavailable) => true,
            Some(_) => false,
            // A class of a later version is read by its code, as HTTP's are.
            None => self.code >= 500,
        }
    }
}
