//! The second half of an acknowledged publish: what resolves when the broker has it. It never sends anything.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use callboard_protocol::Position;
use tokio::sync::oneshot;

use crate::error::PublishError;
use crate::link::Link;

/// A publish that has its place in the queue. It resolves to the message's place in the channel.
///
/// If the session ends first, the message is sent again in the next one under the same id, and the broker stores it
/// once. As a subscription does, a receipt keeps the client going without a `Client`. Dropped, it takes nothing back:
/// the message is published, and only its answer has no reader.
///
/// # Errors
///
/// [`PublishError::Refused`] if the broker refused the message, and [`PublishError::Closed`] if the client closed first:
/// then the message may have been published or not.
#[derive(Debug)]
#[must_use = "a receipt tells whether the broker took the message; drop it only where that does not matter"]
pub struct Receipt {
    answer: oneshot::Receiver<Result<Position, PublishError>>,
    link: Arc<Link>,
}

impl Receipt {
    pub(crate) fn new(answer: oneshot::Receiver<Result<Position, PublishError>>, link: Arc<Link>) -> Self {
        Self { answer, link }
    }
}

impl Future for Receipt {
    type Output = Result<Position, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        Poll::Ready(answer.unwrap_or_else(|_| Err(PublishError::Closed(self.link.shared.closed_why()))))
    }
}
