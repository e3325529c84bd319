//! Room for what one browser is told: it is had before a large body is read or handed over, and waited for by those who
//! hold none. It ends nobody.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::budget::Share;
use super::transcode::transcoded_bytes_max;
use crate::dialect::Dialect;

/// Room for one browser. While it waits it holds none, and asks for all that it needs at once: so those who wait need nothing
/// of each other.
pub(super) struct OutwardRoom {
    share: Share,
    /// In the order of those who wait.
    turn: Option<Pin<Box<dyn Future<Output = Share> + Send>>>,
    /// Whether all that it was given is written.
    is_hungry: bool,
    /// Whether the socket was behind at the last turn of the heartbeat.
    was_behind: bool,
}

impl fmt::Debug for OutwardRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutwardRoom").field("share", &self.share).finish_non_exhaustive()
    }
}

impl OutwardRoom {
    pub(super) fn new(share: Share) -> Self {
        Self { share, turn: None, is_hungry: true, was_behind: false }
    }

    /// Whether it is waited for.
    pub(super) fn is_awaited(&self) -> bool {
        self.turn.is_some()
    }

    /// Whether there is room for `bytes`. Nothing is given back.
    pub(super) fn fits(&mut self, bytes: usize) -> bool {
        self.turn.is_none() && (self.share.is_enough(bytes) || self.share.resize(bytes))
    }

    /// Waits for room for `bytes`, of which there is less. All that it has is given back first.
    pub(super) fn wait(&mut self, bytes: usize) {
        if self.turn.is_none() {
            self.share.resize(0);
            self.turn = Some(Box::pin(self.share.enough(bytes)));
        }
    }

    /// What is to be asked for where a body of `bytes` is next: all the room that there can be is enough for any.
    pub(super) fn wanted(&self, dialect: Dialect, bytes: usize) -> usize {
        transcoded_bytes_max(dialect, bytes).min(self.share.max())
    }

    /// Ready when there is room for `bytes`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<()> {
        self.is_hungry = true;
        if self.turn.is_none() && self.share.resize(bytes) {
            return Poll::Ready(());
        }
        self.wait(bytes);
        if let Some(turn) = &mut self.turn {
            self.share = ready!(turn.as_mut().poll(cx));
            self.turn = None;
        }
        Poll::Ready(())
    }

    /// The socket has something to write: what it waits for others can have.
    pub(super) fn note_busy(&mut self) {
        self.is_hungry = false;
        self.turn = None;
    }

    /// Nothing is waited for any more, and `bytes` are held.
    pub(super) fn settle(&mut self, bytes: usize) {
        self.turn = None;
        // More than was asked for is held where there cannot be so much.
        let _ = self.share.resize(bytes);
    }

    /// At each turn of the heartbeat: whether the socket has written nothing since the last one of what it was given, and
    /// others wait for that room.
    pub(super) fn tick(&mut self, has_written: bool) -> bool {
        let is_behind = !self.is_hungry && !has_written;
        std::mem::replace(&mut self.was_behind, is_behind) && is_behind && self.share.is_missed()
    }
}
