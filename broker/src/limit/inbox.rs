//! What was read and is not yet with a channel, counted over all sessions. It never refuses: while it is full, nobody reads.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The bytes that wait for channels in all.
#[derive(Debug)]
pub(crate) struct Inbox {
    held: AtomicUsize,
    max: usize,
    room: Notify,
}

/// What one read put into an inbox; gone when nothing of it waits any more.
#[derive(Debug)]
pub(crate) struct Load {
    inbox: Arc<Inbox>,
    bytes: usize,
}

impl Inbox {
    /// An inbox that is full from `max` bytes on.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), max, room: Notify::new() })
    }

    /// Whether nothing more should be read. What is read all the same, because others read at the same moment, is taken.
    pub(crate) fn is_full(&self) -> bool {
        self.held() >= self.max
    }

    /// How many bytes wait.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Takes `bytes` for as long as the load lives.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Arc<Load> {
        self.held.fetch_add(bytes, Ordering::SeqCst);
        Arc::new(Load { inbox: Arc::clone(self), bytes })
    }

    /// Waits until it is not full. May be dropped and called again.
    pub(crate) async fn room(&self) {
        while self.is_full() {
            let mut notified = pin!(self.room.notified());
            // Listens before it looks again, so that room made in between is not missed.
            notified.as_mut().enable();
            if !self.is_full() {
                return;
            }
            notified.await;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let before = self.inbox.held.fetch_sub(self.bytes, Ordering::SeqCst);
        let (max, left) = (self.inbox.max, before - self.bytes);
        if before >= max && left < max {
            self.inbox.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn who_waits_goes_on_when_what_was_read_is_gone() {
        let inbox = Inbox::new(100);
        let (one, two) = (inbox.take(60), inbox.take(60));
        let mut waiting = Box::pin(inbox.room());
        assert!(waiting.as_mut().now_or_never().is_none(), "it is full");
        let shared = Arc::clone(&one);
        drop(one);
        assert!(waiting.as_mut().now_or_never().is_none(), "a part of what was read still waits");
        drop(shared);
        assert!(waiting.as_mut().now_or_never().is_some());
        drop(two);
        assert_eq!(inbox.held(), 0);
    }
}
