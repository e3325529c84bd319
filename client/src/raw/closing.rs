//! Sessions whose owner has closed them and whose last words are not written: they end here, a bounded number at once, in
//! a bounded time.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::session::Session;
use crate::defaults::{CLOSING_MAX, FAREWELL};

/// Where sessions are put that close.
#[derive(Debug, Clone)]
pub(super) struct CloseQueue {
    sessions: mpsc::Sender<ClosingSession>,
    count: watch::Sender<usize>,
}

/// A session that closes; counted until it is dropped.
#[derive(Debug)]
struct ClosingSession {
    session: Option<Session>,
    count: watch::Sender<usize>,
}

impl Drop for ClosingSession {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}

/// Takes sessions out of the queue and writes what is left of them.
#[derive(Debug)]
pub(super) struct Closer(mpsc::Receiver<ClosingSession>);

impl CloseQueue {
    pub(super) fn new() -> (Self, Closer) {
        let (sessions, inbox) = mpsc::channel(CLOSING_MAX);
        (Self { sessions, count: watch::Sender::new(0) }, Closer(inbox))
    }

    /// Lets a session close. Where too many do at once, its last words are lost.
    pub(super) fn push(&self, session: Session) {
        self.count.send_modify(|count| *count += 1);
        let closing = ClosingSession { session: Some(session), count: self.count.clone() };
        let _ = self.sessions.try_send(closing);
    }

    /// Ready when no session is closing.
    pub(super) async fn wait_empty(&self) {
        // The sender lives as long as this, so the wait ends by the count alone.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Closer {
    /// Finishes sessions for as long as one may come.
    pub(super) async fn run(mut self) {
        let mut finishing = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(mut closing) = self.0.recv(), if finishing.len() < CLOSING_MAX => finishing.push(async move {
                    if let Some(session) = closing.session.take() {
                        let _ = timeout(FAREWELL, session.finish()).await;
                    }
                }),
                Some(()) = finishing.next() => {}
                else => return,
            }
        }
    }
}
