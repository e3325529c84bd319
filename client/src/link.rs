//! What the handles and the driver share: the queue of publishes, the state, and the ways to tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use callboard_protocol::ChannelName;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::error::{CloseError, Failure, RebindError};
use crate::publish::Queue;
use crate::state::{Reason, State};
use crate::subscription::{Reader, Subscribing};

/// The handles' end. When the last one is dropped, the driver says goodbye and ends.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) shared: Arc<Shared>,
}

/// What a handle asks of the driver.
#[derive(Debug)]
pub(crate) enum Command {
    Subscribe(Subscribing),
    Rebind(oneshot::Sender<Result<(), RebindError>>),
    Close(oneshot::Sender<Result<(), CloseError>>),
}

/// Readers that left, each with its channel.
type Departed = Vec<(ChannelName, Arc<Reader>)>;

/// What both ends see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Mutex<Queue>,
    /// Tells the driver that there is something to do: a publish, a departure, room in an inbox.
    pub(crate) wake: Notify,
    /// The readers that left and that the driver does not know of yet: never more than there are subscriptions. `None`
    /// when there is no driver any more.
    departed: Mutex<Option<Departed>>,
    pub(crate) state: watch::Sender<State>,
    refusals: AtomicU64,
}

impl Shared {
    pub(crate) fn new(queue: Queue) -> Self {
        Self {
            queue: Mutex::new(queue),
            wake: Notify::new(),
            departed: Mutex::new(Some(Vec::new())),
            state: watch::Sender::new(State::Connecting),
            refusals: AtomicU64::new(0),
        }
    }

    /// There may be room in the queue: lets those look whose turn it is.
    pub(crate) fn call_next(&self) {
        self.change_queue(|_| ());
    }

    /// Changes the queue, and lets those look whose turn it is then.
    pub(crate) fn change_queue<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.queue.lock();
        let changed = change(&mut queue);
        let now = queue.now();
        let called = queue.waiters.call_next(now);
        drop(queue);
        called.into_iter().flatten().for_each(Waker::wake);
        changed
    }

    /// Opens or closes the way into the queue, and lets everybody look who waits.
    pub(crate) fn change_gate(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.lock();
        change(&mut queue);
        let called = queue.waiters.call_all();
        drop(queue);
        called.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn note_departed(&self, channel: ChannelName, reader: Arc<Reader>) {
        if let Some(departed) = &mut *self.departed.lock() {
            departed.push((channel, reader));
        }
        self.wake.notify_one();
    }

    pub(crate) fn take_departed(&self) -> Departed {
        self.departed.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Nobody needs to be told of departures any more.
    pub(crate) fn forget_departed(&self) {
        *self.departed.lock() = None;
    }

    /// The broker refused a publish that nobody waits for.
    pub(crate) fn refused(&self, failure: &Failure) {
        let count = self.refusals.fetch_add(1, Ordering::Relaxed) + 1;
        // A program that does it wrong does it often: each doubling is worth a line.
        if count.is_power_of_two() {
            tracing::warn!(count, class = &*failure.class, sentence = &*failure.sentence, "a publish was refused");
        }
    }

    pub(crate) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    /// Why the client closed. Whoever asks has been told that it did.
    pub(crate) fn closed_why(&self) -> Reason {
        match &*self.state.borrow() {
            State::Closed { why } => why.clone(),
            State::Connecting | State::Online(_) | State::Waiting { .. } => Reason::Asked,
        }
    }
}
