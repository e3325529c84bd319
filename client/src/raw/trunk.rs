//! One connection that carries sessions for others, dialed again for as long as it is held. It reads none of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::closing::CloseQueue;
use super::driver::Driver;
use super::session::{End, Session};
use crate::address::Address;
use crate::connect::{Dialer, Windows};
use crate::defaults::{FAREWELL, SESSIONS_A_CONNECTION};
use crate::error::BuildError;
use crate::options::Builder;
use crate::random;
use crate::state::State;
use crate::states::States;

/// A connection with a broker under a key that may open sessions for others. Its own session is kept open on the first
/// stream; each further stream is a visitor's [`Session`].
///
/// It comes back for ever, whatever it ended with: who depends on it is better off with a late broker than with none.
/// Dropping it closes the connection.
#[derive(Debug)]
pub struct Trunk {
    shared: Arc<Shared>,
    /// Taken by who closes.
    closing: Mutex<Option<oneshot::Sender<()>>>,
    /// The driver, and the task that closes sessions; both end with this.
    _tasks: JoinSet<()>,
}

/// What the handle and the driver share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: watch::Sender<State>,
    connected: Mutex<Option<Arc<Connected>>>,
    close_queue: CloseQueue,
}

/// An open connection.
#[derive(Debug)]
struct Connected {
    connection: Connection,
    /// The stream that proved that there may be more than one; the first visitor gets it.
    first: Mutex<Option<(SendStream, RecvStream)>>,
    /// One for each session that may be open.
    places: Arc<Semaphore>,
}

impl Shared {
    /// From here on sessions can be opened.
    pub(super) fn raise(&self, connection: Connection, first: (SendStream, RecvStream)) {
        let (first, places) = (Mutex::new(Some(first)), Arc::new(Semaphore::new(SESSIONS_A_CONNECTION)));
        *self.connected.lock() = Some(Arc::new(Connected { connection, first, places }));
    }

    /// From here on none can.
    pub(super) fn lower(&self) {
        *self.connected.lock() = None;
    }
}

impl Builder {
    /// Builds a connection that carries sessions for others, and lets it connect on its own. The credential must have
    /// the right to that. What the builder says of publishes and of the connect timeout does not matter here. Must be
    /// called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if the options cannot hold.
    pub fn trunk(self) -> Result<Trunk, BuildError> {
        let (address, trust, options) = self.checked()?;
        Trunk::start(address, &trust, options)
    }
}

impl Trunk {
    fn start(
        address: Address,
        trust: &crate::trust::Trust,
        options: crate::options::Options,
    ) -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let instance = random::instance().map_err(BuildError::Random)?;
        let dialer = Dialer::new(address, trust, instance, &options, Windows::OF_MANY)?;
        let mut tasks = JoinSet::new();
        let (close_queue, closer) = CloseQueue::new();
        tasks.spawn_on(closer.run(), &runtime);
        let shared =
            Arc::new(Shared { state: watch::Sender::new(State::Connecting), connected: Mutex::default(), close_queue });
        let (closing, is_closing) = oneshot::channel();
        tasks.spawn_on(Driver::new(dialer, &options, Arc::clone(&shared), is_closing).run(), &runtime);
        Ok(Self { shared, closing: Mutex::new(Some(closing)), _tasks: tasks })
    }

    /// What the connection is doing. Sessions can be opened while it is [`State::Online`].
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }

    /// A view of the state that tells of changes.
    #[must_use]
    pub fn states(&self) -> States {
        States::new(self.shared.state.subscribe())
    }

    /// Opens a session; `None` while there is no connection. The broker knows nothing of it until something is said in it, or
    /// in one that was opened later; from then on it waits for the first words no longer than for anybody's.
    #[must_use]
    pub fn open(&self) -> Option<Opening> {
        let connected = self.shared.connected.lock().clone()?;
        let close_queue = self.shared.close_queue.clone();
        Some(Opening(Box::pin(async move {
            // First of all without waiting: a task that had much to do is made to wait for what there is.
            let place = match Arc::clone(&connected.places).try_acquire_owned() {
                Ok(place) => place,
                Err(_) => Arc::clone(&connected.places).acquire_owned().await.expect("nobody closes this semaphore"),
            };
            let first = connected.first.lock().take();
            let (send, recv) = match first {
                Some(first) => first,
                None => connected.connection.open_bi().await?,
            };
            Ok(Session::new(send, recv, close_queue, place))
        })))
    }

    /// Lets the sessions that close write their last words, says goodbye and closes, within three seconds.
    pub async fn close(&self) {
        let _ = timeout(FAREWELL, self.shared.close_queue.wait_empty()).await;
        if let Some(closing) = self.closing.lock().take() {
            // The driver is alive, or there is nothing to close.
            let _ = closing.send(());
        }
        let _ = timeout(2 * FAREWELL, self.states().wait_for(|state| matches!(state, State::Closed { .. }))).await;
    }
}

/// A session that is being opened. It waits while the connection carries [`SESSIONS_A_CONNECTION`], for its window is made
/// for what so many leave unread, and while the broker gives it no further streams.
pub struct Opening(Pin<Box<dyn Future<Output = Result<Session, End>> + Send>>);

impl Opening {
    /// The session, if there is a stream for it now; `None` if it would have to be waited for.
    pub fn now(mut self) -> Option<Result<Session, End>> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(opened) => Some(opened),
            Poll::Pending => None,
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

impl Future for Opening {
    type Output = Result<Session, End>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}
