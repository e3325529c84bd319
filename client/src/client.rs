//! A program's handle on the bus: cheap to clone, and the way to everything else. It does no I/O itself.

mod publishing;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::frame::Start;
use callboard_protocol::{ChannelName, NameError};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::address::Address;
use crate::connect::{Dialer, Windows};
use crate::defaults::{COMMANDS, ONE_OFF_PREFIX};
use crate::driver::Driver;
use crate::error::{BuildError, CloseError, ConnectError, RebindError, SubscribeError};
use crate::inbox::Inbox;
use crate::link::{Command, Link, Shared};
use crate::options::{Builder, Options, SubscribeOptions};
use crate::publish::Queue;
use crate::random;
use crate::state::{Reason, State};
use crate::states::States;
use crate::subscription::{Reader, Seat, Subscribing, Subscription};
use crate::trust::Trust;

/// A handle on the bus. Clones share one session.
///
/// One task keeps the session for all of them. It ends when [`close`](Self::close) is called or the last `Client`,
/// [`Subscription`] and [`Receipt`](crate::Receipt) are dropped; then what waits to be written is written if that takes
/// less than a second, and the broker is told goodbye.
#[derive(Debug, Clone)]
pub struct Client {
    link: Arc<Link>,
}

/// A channel's name, or a text that is to be one. A [`ChannelName`] costs nothing; a text is checked at each call.
pub trait IntoChannel {
    /// The name.
    ///
    /// # Errors
    ///
    /// The rule of channel names that the text breaks.
    fn into_channel(self) -> Result<ChannelName, NameError>;
}

impl IntoChannel for &str {
    fn into_channel(self) -> Result<ChannelName, NameError> {
        ChannelName::parse(self)
    }
}

impl IntoChannel for &String {
    fn into_channel(self) -> Result<ChannelName, NameError> {
        ChannelName::parse(self)
    }
}

impl IntoChannel for String {
    fn into_channel(self) -> Result<ChannelName, NameError> {
        ChannelName::parse(&self)
    }
}

impl IntoChannel for &ChannelName {
    fn into_channel(self) -> Result<ChannelName, NameError> {
        Ok(self.clone())
    }
}

impl IntoChannel for ChannelName {
    fn into_channel(self) -> Result<ChannelName, NameError> {
        Ok(self)
    }
}

impl Client {
    /// Begins a client of the broker at `url`: `callboard://host[:port]`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }

    pub(crate) fn start(address: Address, trust: &Trust, options: Options) -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let instance = random::instance().map_err(BuildError::Random)?;
        let dialer = Dialer::new(address, trust, instance, &options, Windows::OF_ONE)?;
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let shared = Arc::new(Shared::new(Queue::new(options.offline, options.unacknowledged)));
        runtime.spawn(Driver::new(dialer, options, Arc::clone(&shared), inbox).run());
        Ok(Self { link: Arc::new(Link { commands, shared }) })
    }

    /// Waits for the first session with the broker at `url`.
    pub(crate) async fn first_session(&self, url: String, timeout: Duration) -> Result<(), ConnectError> {
        let mut states = self.states();
        let last = Mutex::new(None);
        let decided = states.wait_for(|state| {
            if let State::Waiting { why, .. } = state {
                *last.lock() = Some(why.clone());
            }
            // A person has to look at it: waiting makes no certificate right.
            let is_untrusted = matches!(state, State::Waiting { why: Reason::Untrusted(_), .. });
            is_untrusted || matches!(state, State::Online(_) | State::Closed { .. })
        });
        match tokio::time::timeout(timeout, decided).await {
            Ok(Some(State::Waiting { why: Reason::Untrusted(why), .. })) => Err(ConnectError::Untrusted { url, why }),
            Ok(Some(State::Closed { why })) => Err(ConnectError::Refused(why)),
            Ok(Some(State::Online(_) | State::Connecting | State::Waiting { .. })) => Ok(()),
            Ok(None) => Err(ConnectError::Refused(Reason::Stopped)),
            Err(_) => Err(ConnectError::Timeout { last: last.into_inner() }),
        }
    }

    /// Subscribes a channel from the next message on, and waits for the broker's answer; without a session, until there
    /// is one. Subscriptions of one channel share one on the wire.
    ///
    /// Cancel-safe: dropped before it returned, it leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    pub async fn subscribe(&self, channel: impl IntoChannel) -> Result<Subscription, SubscribeError> {
        self.subscribe_with(channel, SubscribeOptions::default()).await
    }

    /// [`subscribe`](Self::subscribe) with options.
    ///
    /// A channel that this client is subscribed to already can be subscribed again only from the next message on and
    /// with the same `exclude_own`, since both share what comes over the wire.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    pub async fn subscribe_with(
        &self,
        channel: impl IntoChannel,
        options: SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        let channel = channel.into_channel()?;
        if options.queue.messages == 0 {
            return Err(SubscribeError::NoRoom);
        }
        let start = match (options.rewind, options.recover_from) {
            (None, None) => Start::Live,
            (Some(messages), None) => Start::Rewind(messages),
            (None, Some(position)) => Start::Recover(position),
            (Some(_), Some(_)) => return Err(SubscribeError::TwoStarts),
        };
        let reader = Arc::new(Reader { inbox: Mutex::new(Inbox::new(options.queue)), overflow: options.overflow });
        let seat = Seat { channel, reader, link: Arc::clone(&self.link) };
        let (reply, answer) = oneshot::channel();
        let subscribing = Subscribing {
            channel: seat.channel.clone(),
            start,
            exclude_own: options.exclude_own,
            reader: Arc::clone(&seat.reader),
            reply,
        };
        let closed = || SubscribeError::Closed(self.link.shared.closed_why());
        self.link.commands.send(Command::Subscribe(subscribing)).await.map_err(|_| closed())?;
        let beginning = answer.await.map_err(|_| closed())??;
        Ok(Subscription::new(seat, beginning))
    }

    /// A channel name that nobody else has, for one purpose and once: `once/` and 128 random bits in base 16. Whoever
    /// is told the name can publish there.
    ///
    /// # Panics
    ///
    /// If the system gives no random numbers; the client was built with some.
    #[must_use]
    pub fn one_off_channel(&self) -> ChannelName {
        let bits = random::instance().expect("the system gave random numbers before");
        let mut name = ONE_OFF_PREFIX.to_owned();
        for byte in bits {
            let _ = write!(name, "{byte:02x}");
        }
        ChannelName::parse(&name).expect("a prefix and digits are a name")
    }

    /// What the client is doing.
    #[must_use]
    pub fn state(&self) -> State {
        self.link.shared.state.borrow().clone()
    }

    /// A view of the state that tells of changes.
    #[must_use]
    pub fn states(&self) -> States {
        States::new(self.link.shared.state.subscribe())
    }

    /// How many publishes that nobody waited for the broker refused.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.link.shared.refusals()
    }

    /// Moves the client's socket to another port of this machine. The session goes on over the new one: for a program
    /// that knows that the network changed before the connection notices.
    ///
    /// # Errors
    ///
    /// [`RebindError`]; the old socket stays then.
    pub async fn rebind(&self) -> Result<(), RebindError> {
        let (reply, answer) = oneshot::channel();
        self.link.commands.send(Command::Rebind(reply)).await.map_err(|_| RebindError::Closed)?;
        answer.await.unwrap_or(Err(RebindError::Closed))
    }

    /// Closes the client for all its handles: takes no more publishes (those that wait for room fail), waits until those
    /// on their way are written and acknowledged or the close timeout is over, says goodbye and ends. Every subscription
    /// ends with [`Event::Closed`](crate::Event::Closed) behind what waits for its reader.
    ///
    /// If nothing is on its way it goes straight to the goodbye, which takes up to two seconds where the broker does not
    /// answer. A full queue of a subscription with
    /// [`Overflow::Block`](crate::Overflow::Block) that nobody reads stops everything that comes in, acknowledgements
    /// too: then publishes on their way take the whole close timeout and count as unsent, though the broker may have
    /// them. Read such subscriptions meanwhile, or drop them first.
    ///
    /// A second call waits for the same end; only one of them is sure to hear that something was left.
    ///
    /// # Errors
    ///
    /// [`CloseError`] if publishes were left. Those that somebody waits for fail there too.
    pub async fn close(&self) -> Result<(), CloseError> {
        let (reply, answer) = oneshot::channel();
        let asked = self.link.commands.send(Command::Close(reply)).await;
        let result = if asked.is_ok() { answer.await.unwrap_or(Ok(())) } else { Ok(()) };
        let mut states = self.states();
        let _ = states.wait_for(|state| matches!(state, State::Closed { .. })).await;
        result
    }
}
