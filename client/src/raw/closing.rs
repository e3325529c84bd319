//! Sessions whose owner is gone and whose last words are not: they end here, a bounded number at once, in a bounded time.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::session::Session;
use crate::defaults::{FAREWELL, LEAVING_MAX};

/// Where sessions are left.
#[derive(Debug, Clone)]
pub(super) struct Leaving {
    departures: mpsc::Sender<Departure>,
    count: watch::Sender<usize>,
}

/// A session that leaves; counted until it is dropped.
#[derive(Debug)]
struct Departure {
    session: Option<Session>,
    count: watch::Sender<usize>,
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}

/// The other end.
#[derive(Debug)]
pub(super) struct Departures(mpsc::Receiver<Departure>);

impl Leaving {
    pub(super) fn new() -> (Self, Departures) {
        let (departures, inbox) = mpsc::channel(LEAVING_MAX);
        (Self { departures, count: watch::Sender::new(0) }, Departures(inbox))
    }

    /// Leaves a session. Where too many leave at once, its last words are lost.
    pub(super) fn depart(&self, session: Session) {
        self.count.send_modify(|count| *count += 1);
        let departure = Departure { session: Some(session), count: self.count.clone() };
        let _ = self.departures.try_send(departure);
    }

    /// Ready when nobody is leaving.
    pub(super) async fn wait_empty(&self) {
        // The sender lives as long as this, so the wait ends by the count alone.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Departures {
    /// Sees sessions off for as long as one may come.
    pub(super) async fn see_off(mut self) {
        let mut leaving = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(mut departure) = self.0.recv(), if leaving.len() < LEAVING_MAX => leaving.push(async move {
                    if let Some(session) = departure.session.take() {
                        let _ = timeout(FAREWELL, session.finish()).await;
                    }
                }),
                Some(()) = leaving.next() => {}
                else => return,
            }
        }
    }
}
