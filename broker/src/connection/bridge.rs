//! What the sessions on one bridge's connection share: the right to be there, and its windows. It reads and writes nothing.
//!
//! A stream's window is the same for every connection, and a session that is held leaves what fills it unread. So that this
//! never takes the connection's window from the others, each held session is lent as much beside it. What was lent is kept
//! for the connection's life and lent again: QUIC cannot call it back.

use std::convert::Infallible;
use std::sync::Arc;

use callboard_protocol::close::Code;
use parking_lot::Mutex;
use quinn::VarInt;
use tokio::sync::{mpsc, oneshot};

use super::ending::Ending;
use super::outbox::Outbox;
use super::socket::Socket;
use crate::defaults::{BRIDGE_BYTES, BRIDGE_RECEIVE_WINDOW, BRIDGE_SEND_WINDOW, BRIDGE_STREAM_BYTES, RECEIVE_WINDOW};
use crate::identity::KeyId;
use crate::limit::Share;
use crate::metrics::{Metrics, Present};

/// What a lent window takes: as any window of receiving (`Windows`).
const LENT_BYTES: usize = RECEIVE_WINDOW as usize / 2 * 7;

/// A connection on which sessions are opened for visitors.
#[derive(Debug)]
pub(crate) struct Bridge {
    connection: quinn::Connection,
    /// The queue out of the bridge's own session.
    outbox: Arc<Outbox>,
    /// Under which key it opens sessions; `None` once its own session is somebody else's.
    key: Mutex<Option<KeyId>>,
    lent: Mutex<Lent>,
    metrics: Arc<Metrics>,
    _present: Present,
}

/// The windows that are lent.
#[derive(Debug)]
struct Lent {
    /// Sessions that are held now.
    held: u32,
    /// As many as were held at once so far.
    windows: u32,
    share: Share,
    /// What the bridge has without any.
    share_bytes: usize,
}

impl Bridge {
    /// Makes a connection a bridge's. `None` if there is no room for its windows.
    pub(super) fn open(
        connection: &quinn::Connection,
        mut share: Share,
        sessions: u32,
        key: KeyId,
        outbox: &Arc<Outbox>,
        metrics: &Arc<Metrics>,
    ) -> Option<Self> {
        let share_bytes = BRIDGE_BYTES + sessions as usize * BRIDGE_STREAM_BYTES;
        if !share.resize(share_bytes) {
            return None;
        }
        connection.set_send_window(BRIDGE_SEND_WINDOW);
        connection.set_receive_window(VarInt::from_u32(BRIDGE_RECEIVE_WINDOW));
        connection.set_max_concurrent_bi_streams(VarInt::from_u32(sessions.saturating_add(1)));
        Some(Self {
            connection: connection.clone(),
            outbox: Arc::clone(outbox),
            key: Mutex::new(Some(key)),
            lent: Mutex::new(Lent { held: 0, windows: 0, share, share_bytes }),
            metrics: Arc::clone(metrics),
            _present: Present::new(metrics, |metrics| &metrics.bridges),
        })
    }

    /// One session more is held. Whether there is room for what it leaves unread.
    fn lend(&self) -> bool {
        let mut lent = self.lent.lock();
        if lent.held == lent.windows {
            let windows = lent.windows + 1;
            let bytes = lent.share_bytes + windows as usize * LENT_BYTES;
            let window = BRIDGE_RECEIVE_WINDOW.saturating_add(windows.saturating_mul(RECEIVE_WINDOW));
            if !lent.share.resize(bytes) {
                return false;
            }
            lent.windows = windows;
            self.connection.set_receive_window(VarInt::from_u32(window));
        }
        lent.held += 1;
        true
    }

    fn take_back(&self) {
        self.lent.lock().held -= 1;
    }
}

/// What opens a bridge's sessions for its visitors, at the door.
#[derive(Debug)]
pub(crate) struct Introducer {
    bridge: Arc<Bridge>,
    /// Nothing is sent: it is open as long as there may be a visitor.
    visits: mpsc::Sender<Infallible>,
}

impl Introducer {
    /// The connection that visitors' streams come on.
    pub(crate) fn connection(&self) -> &quinn::Connection {
        &self.bridge.connection
    }

    /// The key under which sessions are opened, while the bridge's own session is its.
    pub(crate) fn key(&self) -> Option<KeyId> {
        self.bridge.key.lock().clone()
    }

    /// Ends the bridge's own session, and with it everything on its connection.
    pub(crate) fn end(&self, ending: Ending) {
        self.bridge.outbox.end(ending);
    }

    /// A visitor's part in the connection.
    pub(crate) fn visit(&self) -> Visit {
        Visit {
            bridge: Arc::clone(&self.bridge),
            is_held: false,
            _present: Present::new(&self.bridge.metrics, |metrics| &metrics.visitors),
            _open: self.visits.clone(),
        }
    }
}

/// One visitor's part in a bridge's connection; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    bridge: Arc<Bridge>,
    is_held: bool,
    _present: Present,
    _open: mpsc::Sender<Infallible>,
}

impl Visit {
    /// Notes whether what the visitor says is left unread.
    ///
    /// # Errors
    ///
    /// How its session ends if there is no room for that.
    pub(super) fn hold(&mut self, is_held: bool) -> Result<(), Ending> {
        if is_held == self.is_held {
            return Ok(());
        }
        if !is_held {
            self.bridge.take_back();
        } else if !self.bridge.lend() {
            return Err(Ending::because(Code::Overloaded, "too many peers say more than they let be answered"));
        }
        self.is_held = is_held;
        Ok(())
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.is_held {
            self.bridge.take_back();
        }
    }
}

/// What makes a connection's first session a bridge's own, if it is welcomed under a key that has the right.
#[derive(Debug)]
pub(crate) struct Host {
    /// How many sessions a bridge may open at once.
    sessions: u32,
    metrics: Arc<Metrics>,
    /// Where visitors are received. Dropped, it says that there will be none.
    door: Option<oneshot::Sender<Introducer>>,
    bridge: Option<Arc<Bridge>>,
    /// At its end when the last visitor is gone.
    visits: Option<mpsc::Receiver<Infallible>>,
}

impl Host {
    /// Of a session that has not said hello; the door hears whether it is a bridge's.
    pub(crate) fn new(sessions: u32, metrics: &Arc<Metrics>) -> (Self, oneshot::Receiver<Introducer>) {
        let (door, welcomed) = oneshot::channel();
        (Self { sessions, metrics: Arc::clone(metrics), door: Some(door), bridge: None, visits: None }, welcomed)
    }

    /// Notes under which key the session that is open may open others. Whether it ever may.
    ///
    /// # Errors
    ///
    /// How it ends if there is no room for a bridge.
    pub(super) fn note(
        &mut self,
        key: Option<&KeyId>,
        socket: &mut Socket,
        outbox: &Arc<Outbox>,
    ) -> Result<bool, Ending> {
        if let Some(bridge) = &self.bridge {
            let mut known = bridge.key.lock();
            if known.as_ref() != key {
                *known = key.cloned();
            }
            return Ok(true);
        }
        let Some((key, door)) = key.zip(self.door.take()) else { return Ok(false) };
        let Some(bridge) = socket.become_bridge(self.sessions, key, outbox, &self.metrics) else {
            return Err(Ending::because(Code::Overloaded, "there is no room for the windows of another bridge"));
        };
        let bridge = Arc::new(bridge);
        let (open, visits) = mpsc::channel(1);
        // A door that drains receives nobody any more.
        let _ = door.send(Introducer { bridge: Arc::clone(&bridge), visits: open });
        (self.bridge, self.visits) = (Some(bridge), Some(visits));
        Ok(true)
    }

    /// Waits until no visitor is left; the door receives none by then.
    pub(super) async fn visitors_gone(&mut self) {
        if let Some(visits) = &mut self.visits {
            while visits.recv().await.is_some() {}
        }
    }
}
