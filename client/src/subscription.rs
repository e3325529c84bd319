//! A reader's hand on a channel: a stream of events that lets the channel go when it is dropped.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use callboard_protocol::frame::Start;
use callboard_protocol::{ChannelName, Position};
use futures_core::Stream;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::SubscribeError;
use crate::event::Event;
use crate::inbox::{Inbox, Taken};
use crate::link::Link;
use crate::options::Overflow;

/// The events of a channel, in order, without a silent hole.
///
/// Dropping it leaves the channel; the last one of a channel unsubscribes it. Through reconnections it stays what it
/// is: the client subscribes again and recovers, and where that was not possible, a [`Gap`](crate::Gap) stands.
/// The stream ends with [`Event::Closed`] and then `None`.
pub struct Subscription {
    seat: Seat,
    hand: VecDeque<Event>,
    position: Position,
    recovered: bool,
}

/// The reader of a subscription, as the driver knows it.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) inbox: Mutex<Inbox>,
    pub(crate) overflow: Overflow,
}

/// What a reader that is to be asks: to be subscribed to a channel.
#[derive(Debug)]
pub(crate) struct Subscribing {
    pub(crate) channel: ChannelName,
    pub(crate) start: Start,
    pub(crate) exclude_own: bool,
    pub(crate) reader: Arc<Reader>,
    pub(crate) reply: oneshot::Sender<Result<Beginning, SubscribeError>>,
}

impl Subscribing {
    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_over(&self) -> bool {
        self.reply.is_closed()
    }
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) position: Position,
    pub(crate) recovered: bool,
}

/// A reader's place in the table; dropping it takes the reader out, whether or not the answer came.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) channel: ChannelName,
    pub(crate) reader: Arc<Reader>,
    pub(crate) link: Arc<Link>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.link.shared.note_departed(self.channel.clone(), Arc::clone(&self.reader));
    }
}

impl Subscription {
    pub(crate) fn new(seat: Seat, beginning: Beginning) -> Self {
        Self { seat, hand: VecDeque::new(), position: beginning.position, recovered: beginning.recovered }
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.seat.channel
    }

    /// The place up to which events were taken from this stream; at first the place where it began. A later
    /// subscription goes on from here with [`recover_from`](crate::SubscribeOptions::recover_from).
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether nothing was missing between [`recover_from`](crate::SubscribeOptions::recover_from) and the beginning of
    /// this stream; `true` where nothing was asked for.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.recovered
    }

    /// The next event; `None` behind [`Event::Closed`].
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.hand.is_empty() {
            // A reader of a busy channel lets the other tasks of its thread run once in a while.
            let progress = std::task::ready!(tokio::task::coop::poll_proceed(cx));
            let taken = self.seat.reader.inbox.lock().take(&mut self.hand, cx.waker());
            let unblocks = match taken {
                Taken::Some { unblocks } | Taken::Nothing { unblocks } => unblocks,
                Taken::Ended => return Poll::Ready(None),
            };
            if unblocks {
                self.seat.link.shared.wake.notify_one();
            }
            if self.hand.is_empty() {
                return Poll::Pending;
            }
            progress.made_progress();
        }
        let Some(event) = self.hand.pop_front() else { return Poll::Pending };
        match &event {
            Event::Message(message) => self.position = message.position,
            Event::Gap(gap) => self.position = gap.to,
            Event::Closed(_) => {}
        }
        Poll::Ready(Some(event))
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("channel", &self.seat.channel)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
