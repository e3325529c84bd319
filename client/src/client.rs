//! A program's handle on the bus: cheap to clone, and the way to everything else. It does no I/O itself.

use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::frame::Start;
use callboard_protocol::limits::KEY_BYTES_MAX;
use callboard_protocol::{ChannelName, NameError, Payload, Position};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::address::Address;
use crate::connect::Dialer;
use crate::defaults::{COMMANDS, ONE_OFF_PREFIX};
use crate::driver::Driver;
use crate::error::{BuildError, CloseError, ConnectError, PublishError, RebindError, SubscribeError};
use crate::link::{Command, Link, Shared};
use crate::options::{Builder, Offline, Options, PublishOptions, SubscribeOptions};
use crate::publish::{Acked, Draft, Queue, Refusal};
use crate::queue::Inbox;
use crate::random;
use crate::state::{Reason, State};
use crate::states::States;
use crate::subscription::{Joining, Local, Seat, Subscription};
use crate::trust::Trust;

/// A handle on the bus. Clones share one session.
///
/// One task keeps the session for all of them. It ends when [`close`](Self::close) is called or the last `Client` and
/// the last [`Subscription`] are dropped; then what waits to be written is written if that takes less than a second,
/// and the broker is told goodbye.
#[derive(Debug, Clone)]
pub struct Client {
    link: Arc<Link>,
    offline: Offline,
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
        let dialer = Dialer::new(address, trust, instance, &options)?;
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let shared = Arc::new(Shared::new(Queue::new(options.offline), options.unacknowledged));
        let offline = options.offline;
        runtime.spawn(Driver::new(dialer, options, Arc::clone(&shared), inbox).run());
        Ok(Self { link: Arc::new(Link { commands, shared }), offline })
    }

    /// Waits for the first session.
    pub(crate) async fn first_session(&self, timeout: Duration) -> Result<(), ConnectError> {
        let mut states = self.states();
        let last = Mutex::new(None);
        let opened = states.wait_for(|state| {
            if let State::Waiting { why, .. } = state {
                *last.lock() = Some(why.clone());
            }
            matches!(state, State::Online(_) | State::Closed { .. })
        });
        match tokio::time::timeout(timeout, opened).await {
            Ok(Some(State::Closed { why })) => Err(ConnectError::Refused(why)),
            Ok(Some(State::Online(_) | State::Connecting | State::Waiting { .. })) => Ok(()),
            Ok(None) => Err(ConnectError::Refused(Reason::Stopped)),
            Err(_) => Err(ConnectError::Timeout { last: last.into_inner() }),
        }
    }

    /// Publishes a message and does not wait for the broker.
    ///
    /// It returns when the message is in the queue to the socket; while there is a session and the queue is full, it
    /// waits for room. A message that was written to a connection that then broke may be lost without a word: use
    /// [`publish_acked`](Self::publish_acked) where that matters. If the broker refuses the message, a line is logged
    /// and [`refusals`](Self::refusals) counts it.
    ///
    /// Cancel-safe: dropped before it returned, it published nothing.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; nothing was published then.
    pub async fn publish(&self, channel: impl IntoChannel, payload: impl Into<Payload>) -> Result<(), PublishError> {
        self.publish_with(channel, payload, PublishOptions::default()).await
    }

    /// [`publish`](Self::publish) with options.
    ///
    /// # Errors
    ///
    /// As `publish`.
    pub async fn publish_with(
        &self,
        channel: impl IntoChannel,
        payload: impl Into<Payload>,
        options: PublishOptions,
    ) -> Result<(), PublishError> {
        let draft = draft(channel, payload, options)?;
        if let Some(result) = self.offer(&draft) {
            return result;
        }
        loop {
            let mut room = pin!(self.link.shared.room.notified());
            // Room that comes free between the look and the wait must not be missed.
            room.as_mut().enable();
            if let Some(result) = self.offer(&draft) {
                return result;
            }
            room.await;
        }
    }

    /// Puts a message into the queue; `None` if it has to wait for room.
    fn offer(&self, draft: &Draft) -> Option<Result<(), PublishError>> {
        let mut queue = self.link.shared.queue.lock();
        match queue.offer(draft) {
            Ok(was_empty) => {
                drop(queue);
                self.queued(was_empty);
                Some(Ok(()))
            }
            Err(Refusal::Full) => None,
            Err(Refusal::Error(error)) => {
                drop(queue);
                Some(Err(self.turned_away(error)))
            }
        }
    }

    /// Publishes a message and waits until the broker has it. Gives its place in the channel.
    ///
    /// If the session ends first, the message is sent again in the next one under the same id, and the broker stores it
    /// once. While 128 such messages are on their way, or the queue is full, it waits for room.
    ///
    /// Calls keep their order if each is awaited before the next one is made; several that run at the same time have
    /// none.
    ///
    /// If the future is dropped, the message may be published or not.
    ///
    /// # Errors
    ///
    /// [`PublishError`]. Only after [`Closed`](PublishError::Closed) the message may have been published all the same.
    pub async fn publish_acked(
        &self,
        channel: impl IntoChannel,
        payload: impl Into<Payload>,
    ) -> Result<Position, PublishError> {
        self.publish_acked_with(channel, payload, PublishOptions::default()).await
    }

    /// [`publish_acked`](Self::publish_acked) with options.
    ///
    /// # Errors
    ///
    /// As `publish_acked`.
    pub async fn publish_acked_with(
        &self,
        channel: impl IntoChannel,
        payload: impl Into<Payload>,
        options: PublishOptions,
    ) -> Result<Position, PublishError> {
        let draft = draft(channel, payload, options)?;
        let permit = self.permit().await?;
        let (reply, answer) = oneshot::channel();
        let mut acked = Some(Acked { draft, reply, _permit: permit });
        loop {
            let mut room = pin!(self.link.shared.room.notified());
            room.as_mut().enable();
            let offered = self.link.shared.queue.lock().offer_acked(&mut acked);
            match offered {
                Ok(was_empty) => {
                    self.queued(was_empty);
                    break;
                }
                // Who waits for an answer can wait for room, offline too.
                Err(Refusal::Full | Refusal::Error(PublishError::QueueFull)) => {}
                Err(Refusal::Error(error)) => return Err(self.turned_away(error)),
            }
            room.await;
        }
        answer.await.unwrap_or_else(|_| Err(PublishError::Closed(self.link.shared.closed_why())))
    }

    /// Waits for room among the unacknowledged publishes.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, PublishError> {
        let acquire = Arc::clone(&self.link.shared.unacknowledged).acquire_owned();
        let permit = match self.offline {
            Offline::Queue(_) => acquire.await,
            Offline::FailAtOnce => {
                let mut states = self.states();
                tokio::select! {
                    biased;
                    // A client that has closed says so by its semaphore.
                    Some(_) = states.wait_for(|state| matches!(state, State::Connecting | State::Waiting { .. })) => {
                        return Err(PublishError::Offline);
                    }
                    permit = acquire => permit,
                }
            }
        };
        permit.map_err(|_| PublishError::Closed(self.link.shared.closed_why()))
    }

    fn queued(&self, was_empty: bool) {
        if was_empty {
            self.link.shared.wake.notify_one();
        }
        // Whoever else waits looks whether there is room left.
        self.link.shared.room.notify_one();
    }

    /// Whoever leaves without the room that it was perhaps woken for lets the next one look.
    fn turned_away(&self, error: PublishError) -> PublishError {
        self.link.shared.room.notify_one();
        error
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
        let local = Arc::new(Local { inbox: Mutex::new(Inbox::new(options.queue)), overflow: options.overflow });
        let seat = Seat { channel, local, link: Arc::clone(&self.link) };
        let (reply, answer) = oneshot::channel();
        let joining = Joining {
            channel: seat.channel.clone(),
            start,
            exclude_own: options.exclude_own,
            local: Arc::clone(&seat.local),
            reply,
        };
        let closed = || SubscribeError::Closed(self.link.shared.closed_why());
        self.link.commands.send(Command::Subscribe(joining)).await.map_err(|_| closed())?;
        let joined = answer.await.map_err(|_| closed())??;
        Ok(Subscription::new(seat, joined))
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

    /// Closes the client for all its handles: takes no more publishes, waits until those on their way are written and
    /// acknowledged or the close timeout is over, says goodbye and ends. Every subscription ends with
    /// [`Event::Closed`](crate::Event::Closed).
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

fn draft(
    channel: impl IntoChannel,
    payload: impl Into<Payload>,
    options: PublishOptions,
) -> Result<Draft, PublishError> {
    let channel = channel.into_channel()?;
    match options.key {
        Some(key) if key.len() > KEY_BYTES_MAX => Err(PublishError::KeyTooLong { bytes: key.len() }),
        key => Ok(Draft { channel, key, payload: payload.into() }),
    }
}
