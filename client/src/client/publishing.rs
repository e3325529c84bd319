//! How a program publishes: forgotten, with a receipt, or acknowledged. Who waits for room waits in line, never past
//! others.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use callboard_protocol::limits::KEY_BYTES_MAX;
use callboard_protocol::{Payload, Position};
use tokio::sync::oneshot;

use super::{Client, IntoChannel};
use crate::error::PublishError;
use crate::link::Shared;
use crate::options::PublishOptions;
use crate::publish::{Acked, Draft, Kind, Queue, Refusal, Ticket};
use crate::receipt::Receipt;

impl Client {
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
        self.enter(Kind::Forgotten, |queue, ticket| queue.offer(&draft, ticket)).await
    }

    /// Gives a message its place among the publishes, and a [`Receipt`] that resolves when the broker has it.
    ///
    /// This is how acknowledged publishes are on their way side by side and in order: a call that returned before the
    /// next one is made comes before it, and calls that run at the same time come in the order in which they were first
    /// polled. It returns when the message is in the queue. While 128 such messages (or what
    /// [`unacknowledged`](crate::Builder::unacknowledged) says) have no answer yet, or the queue is full, it waits for
    /// room, also without a session; nobody who comes later passes. A call that waits must be polled or dropped, or
    /// those behind it wait too.
    ///
    /// Cancel-safe: dropped before it returned, it published nothing.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; nothing was published then.
    pub async fn publish_receipt(
        &self,
        channel: impl IntoChannel,
        payload: impl Into<Payload>,
    ) -> Result<Receipt, PublishError> {
        self.publish_receipt_with(channel, payload, PublishOptions::default()).await
    }

    /// [`publish_receipt`](Self::publish_receipt) with options.
    ///
    /// # Errors
    ///
    /// As `publish_receipt`.
    pub async fn publish_receipt_with(
        &self,
        channel: impl IntoChannel,
        payload: impl Into<Payload>,
        options: PublishOptions,
    ) -> Result<Receipt, PublishError> {
        let draft = draft(channel, payload, options)?;
        let (reply, answer) = oneshot::channel();
        let mut acked = Some(Acked { draft, reply });
        self.enter(Kind::Acked, |queue, ticket| queue.offer_acked(&mut acked, ticket)).await?;
        Ok(Receipt::new(answer, Arc::clone(&self.link)))
    }

    /// Publishes a message and waits until the broker has it. Gives its place in the channel.
    ///
    /// If the session ends first, the message is sent again in the next one under the same id, and the broker stores it
    /// once. It is [`publish_receipt`](Self::publish_receipt) and then its receipt: who wants several on their way at
    /// once and in order makes these two steps apart.
    ///
    /// If the future is dropped, the message may or may not be published.
    ///
    /// # Errors
    ///
    /// [`PublishError`]. Only after [`Closed`](PublishError::Closed) the message may have been published all the same.
    pub async fn publish_acked(
        &self,
        channel: impl IntoChannel,
        payload: impl Into<Payload>,
    ) -> Result<Position, PublishError> {
        self.publish_receipt(channel, payload).await?.await
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
        self.publish_receipt_with(channel, payload, options).await?.await
    }

    /// Waits for the turn and for room, if need be, and tells the driver when the queue is no longer empty.
    async fn enter(
        &self,
        kind: Kind,
        mut offer: impl FnMut(&mut Queue, Option<Ticket>) -> Result<bool, Refusal>,
    ) -> Result<(), PublishError> {
        let mut waiting = Waiting { shared: &self.link.shared, kind, ticket: None };
        let was_empty = poll_fn(|cx| waiting.poll(cx, &mut offer)).await?;
        if was_empty {
            self.link.shared.wake.notify_one();
        }
        Ok(())
    }
}

/// A caller on its way into the queue; it leaves the line with room, with an error, or when it is dropped.
struct Waiting<'a> {
    shared: &'a Shared,
    kind: Kind,
    ticket: Option<Ticket>,
}

impl Waiting<'_> {
    fn poll(
        &mut self,
        cx: &Context<'_>,
        offer: &mut impl FnMut(&mut Queue, Option<Ticket>) -> Result<bool, Refusal>,
    ) -> Poll<Result<bool, PublishError>> {
        let mut queue = self.shared.queue.lock();
        let entered = match offer(&mut queue, self.ticket) {
            Err(Refusal::Full) => {
                let before = queue.waiters.wait(self.kind, &mut self.ticket, cx.waker());
                drop(queue);
                drop(before);
                return Poll::Pending;
            }
            Err(Refusal::Error(error)) => Err(error),
            Ok(was_empty) => Ok(was_empty),
        };
        drop(queue);
        self.leave();
        Poll::Ready(entered)
    }

    /// Whoever leaves the line lets those look whose turn it is then.
    fn leave(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let kind = self.kind;
        drop(self.shared.change_queue(|queue| queue.waiters.leave(kind, ticket)));
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
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
