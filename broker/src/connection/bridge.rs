//! What the sessions on one bridge's connection share: the right to be there, and its windows. It reads and writes nothing.
//!
//! A stream's window is the same for every connection, and a session that is stuck leaves what fills it unread. So that this
//! never takes the connection's window from the others, each stuck session is lent as much beside it.

use std::convert::Infallible;
use std::sync::Arc;

use callboard_protocol::close::{Code, Ending};
use parking_lot::Mutex;
use quinn::VarInt;
use tokio::sync::{mpsc, oneshot};

use super::loan::Loan;
use super::outbox::{Ended, Outbox};
use super::socket::Socket;
use crate::defaults::{BRIDGE_BYTES, BRIDGE_RECEIVE_WINDOW, BRIDGE_SEND_WINDOW, BRIDGE_STREAM_BYTES};
use crate::limit::Share;
use crate::metrics::{Metrics, Present};

/// Why the own session of a bridge ends that logs out, or authenticates as somebody else.
const WITHOUT_RIGHT: &str = "a bridge's own session must keep a key that may open sessions for others";

/// A connection on which sessions are opened for visitors.
#[derive(Debug)]
pub(crate) struct Bridge {
    connection: quinn::Connection,
    /// The queue out of the bridge's own session.
    outbox: Arc<Outbox>,
    loan: Mutex<Loan>,
    metrics: Arc<Metrics>,
    _present: Present,
}

impl Bridge {
    /// Makes a connection a bridge's. `None` if there is no room for its windows.
    pub(super) fn open(
        connection: &quinn::Connection,
        mut share: Share,
        sessions: u32,
        outbox: &Arc<Outbox>,
        metrics: &Arc<Metrics>,
    ) -> Option<Self> {
        if !share.resize(BRIDGE_BYTES + sessions as usize * BRIDGE_STREAM_BYTES) {
            return None;
        }
        connection.set_send_window(BRIDGE_SEND_WINDOW);
        connection.set_receive_window(VarInt::from_u32(BRIDGE_RECEIVE_WINDOW));
        connection.set_max_concurrent_bi_streams(VarInt::from_u32(sessions.saturating_add(1)));
        Some(Self {
            connection: connection.clone(),
            outbox: Arc::clone(outbox),
            loan: Mutex::new(Loan::of(share)),
            metrics: Arc::clone(metrics),
            _present: Present::new(metrics, |metrics| &metrics.bridges),
        })
    }

    /// One session more is stuck. Whether there is room for what it leaves unread.
    fn lend(&self) -> bool {
        let mut loan = self.loan.lock();
        let window = loan.lend();
        self.set_window(window);
        window.is_some()
    }

    /// So many bytes were read of some session.
    fn after_read(&self, bytes: usize) {
        let mut loan = self.loan.lock();
        let window = loan.after_read(bytes);
        self.set_window(window);
    }

    /// Called under the loan's lock, so that windows are set in the order in which they were reckoned.
    fn set_window(&self, window: Option<u32>) {
        if let Some(window) = window {
            self.connection.set_receive_window(VarInt::from_u32(window));
        }
    }
}

/// With this the door accepts the streams of a bridge's visitors, and opens their sessions.
#[derive(Debug)]
pub(crate) struct VisitorAcceptor {
    bridge: Arc<Bridge>,
    /// Nothing is sent: it is open as long as there may be a visitor.
    visitors: mpsc::Sender<Infallible>,
}

impl VisitorAcceptor {
    /// The connection that visitors' streams come on.
    pub(crate) fn connection(&self) -> &quinn::Connection {
        &self.bridge.connection
    }

    /// Whether the bridge may still open a session for somebody.
    ///
    /// # Errors
    ///
    /// How the visitor's session ends if not.
    pub(crate) fn check(&self) -> Result<(), Ending> {
        // The connection is about to end with the bridge's own session: to be away for a while is all that a visitor needs
        // to know of it.
        self.bridge.outbox.check().map_err(|Ended| Ending::plain(Code::ShuttingDown))
    }

    /// A visitor's part in the connection.
    pub(crate) fn share(&self) -> BridgeShare {
        BridgeShare {
            bridge: Arc::clone(&self.bridge),
            is_stuck: false,
            _present: Present::new(&self.bridge.metrics, |metrics| &metrics.visitors),
            _open: self.visitors.clone(),
        }
    }
}

/// One visitor's part in a bridge's connection; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct BridgeShare {
    bridge: Arc<Bridge>,
    is_stuck: bool,
    _present: Present,
    _open: mpsc::Sender<Infallible>,
}

impl BridgeShare {
    /// Notes whether what the visitor says is left unread until it reads itself.
    ///
    /// # Errors
    ///
    /// How its session ends if there is no room for that.
    pub(super) fn note_stuck(&mut self, is_stuck: bool) -> Result<(), Ending> {
        if is_stuck == self.is_stuck {
            return Ok(());
        }
        if !is_stuck {
            self.bridge.loan.lock().end();
        } else if !self.bridge.lend() {
            return Err(Ending::because(Code::Overloaded, "too many peers send without reading the answers"));
        }
        self.is_stuck = is_stuck;
        Ok(())
    }

    /// Notes that so much of what the visitor says was read.
    pub(super) fn after_read(&self, bytes: usize) {
        self.bridge.after_read(bytes);
    }
}

impl Drop for BridgeShare {
    fn drop(&mut self) {
        if self.is_stuck {
            self.bridge.loan.lock().end();
        }
    }
}

/// What makes a connection a bridge's, once its first session is welcomed under a key that has the right.
#[derive(Debug)]
pub(crate) struct BridgeUpgrade {
    /// How many sessions a bridge may open at once.
    sessions: u32,
    metrics: Arc<Metrics>,
    /// Where visitors are received. Dropped, it says that there will be none.
    door: Option<oneshot::Sender<VisitorAcceptor>>,
    bridge: Option<Arc<Bridge>>,
    /// At its end when the last visitor is gone.
    visitors: Option<mpsc::Receiver<Infallible>>,
}

impl BridgeUpgrade {
    /// Of a session that has not said hello; the door hears whether it is a bridge's.
    pub(crate) fn new(sessions: u32, metrics: &Arc<Metrics>) -> (Self, oneshot::Receiver<VisitorAcceptor>) {
        let (door, welcomed) = oneshot::channel();
        (Self { sessions, metrics: Arc::clone(metrics), door: Some(door), bridge: None, visitors: None }, welcomed)
    }

    /// Notes whether the session that is open may open others. Whether it ever may.
    ///
    /// # Errors
    ///
    /// How it ends if there is no room for a bridge, or if it was one's and no longer has the right.
    pub(super) fn note(&mut self, may_bridge: bool, socket: &mut Socket, outbox: &Arc<Outbox>) -> Result<bool, Ending> {
        if self.is_bridge() {
            // PROTOCOL.md, "Visitors": a bridge's own session that loses the right ends. Its visitors depend on it alone: while
            // it went on under another key, or none, they would outlive the revocation of the one that let them in.
            return if may_bridge { Ok(true) } else { Err(Ending::because(Code::BadCredential, WITHOUT_RIGHT)) };
        }
        let Some(door) = self.door.take().filter(|_| may_bridge) else { return Ok(false) };
        let Some(bridge) = socket.become_bridge(self.sessions, outbox, &self.metrics) else {
            return Err(Ending::because(Code::Overloaded, "there is no room for the windows of another bridge"));
        };
        let bridge = Arc::new(bridge);
        let (open, visitors) = mpsc::channel(1);
        // A door that drains receives nobody any more.
        let _ = door.send(VisitorAcceptor { bridge: Arc::clone(&bridge), visitors: open });
        (self.bridge, self.visitors) = (Some(bridge), Some(visitors));
        Ok(true)
    }

    /// Whether there may be visitors on the connection.
    pub(super) fn is_bridge(&self) -> bool {
        self.bridge.is_some()
    }

    /// Waits until no visitor is left; the door receives none by then.
    pub(super) async fn visitors_gone(&mut self) {
        if let Some(visitors) = &mut self.visitors {
            while visitors.recv().await.is_some() {}
        }
    }
}
