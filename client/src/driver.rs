//! The one task of a client: it opens sessions, decides when to come back, and serves the handles meanwhile.

mod retries;
mod session;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::close::Return;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use self::session::Open;
use crate::backoff::{Backoff, Ending, Next};
use crate::connect::{Dialer, Failed};
use crate::defaults::FAREWELL;
use crate::end::End;
use crate::error::{CloseError, RebindError, SubscribeError};
use crate::link::{Command, Shared};
use crate::options::Options;
use crate::random;
use crate::state::{Reason, State};
use crate::wants::Wants;

/// Everything that a client knows between sessions.
#[derive(Debug)]
pub(crate) struct Driver {
    dialer: Dialer,
    options: Options,
    wants: Wants,
    commands: mpsc::Receiver<Command>,
    backoff: Backoff,
    closing: Option<Closing>,
    is_shut: bool,
}

/// The client was asked to close, or its last handle was dropped.
#[derive(Debug)]
struct Closing {
    deadline: Instant,
    /// Who waits for it; nobody, where the last handle was dropped. Then no acknowledgement is waited for either.
    reply: Option<oneshot::Sender<Result<(), CloseError>>>,
}

impl Driver {
    pub(crate) fn new(
        dialer: Dialer,
        options: Options,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let backoff = Backoff::new(options.backoff_base, options.backoff_cap);
        Self { dialer, options, wants: Wants::new(shared), commands, backoff, closing: None, is_shut: false }
    }

    /// Keeps the client going until nobody needs it or the broker wants no more of it.
    pub(crate) async fn run(mut self) {
        let why = self.sessions().await;
        tracing::debug!(%why, "the client has closed");
        self.shut(why);
    }

    async fn sessions(&mut self) -> Reason {
        loop {
            self.tell(State::Connecting);
            let dialer = self.dialer.clone();
            let Some(dialed) = self.meanwhile(async move { dialer.dial().await }).await else { return Reason::Asked };
            let (why, ending) = match dialed {
                Ok((session, online)) => {
                    self.tell_online(online);
                    let began = Instant::now();
                    let end = Open::new(self, session).run().await;
                    self.ending(&end, began.elapsed())
                }
                Err(Failed::At(end)) => self.ending(&end, Duration::ZERO),
                Err(Failed::Before(why)) => (why, self.unreached()),
            };
            match self.backoff.after(ending, random::jitter()) {
                Next::Stop => return why,
                Next::Wait(pause) => {
                    tracing::info!(%why, pause_ms = pause.as_millis(), "there is no session");
                    let until = Instant::now() + pause;
                    self.tell(State::Waiting { until, why });
                    if self.meanwhile(sleep_until(until)).await.is_none() {
                        return Reason::Asked;
                    }
                }
            }
        }
    }

    fn ending(&self, end: &End, lived: Duration) -> (Reason, Ending) {
        let retry_after = match end {
            End::Goodbye { retry_after, .. } => retry_after.map(|millis| Duration::from_millis(millis.value())),
            End::Lost(_) | End::Fault { .. } | End::Asked => None,
        };
        let renewable = self.options.source.is_renewable();
        (end.reason(), Ending { advice: end.advice(), retry_after, lived, renewable })
    }

    fn unreached(&self) -> Ending {
        Ending { advice: Return::Later, retry_after: None, lived: Duration::ZERO, renewable: true }
    }

    /// Serves the handles while there is no session, until `future` is ready. `None` if the client is to close.
    async fn meanwhile<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        loop {
            self.wants.drop_departed();
            if self.closing.as_ref().is_some_and(|closing| self.has_nothing_to_wait_for(closing)) {
                return None;
            }
            let deadline = self.closing.as_ref().map(|closing| closing.deadline);
            tokio::select! {
                output = &mut future => return Some(output),
                command = self.commands.recv(), if deadline.is_none() => self.handle(command),
                () = self.wants.shared.wake.notified() => {}
                () = at(deadline) => {}
            }
        }
    }

    /// Whether a client that is to close and has no session closes now.
    fn has_nothing_to_wait_for(&self, closing: &Closing) -> bool {
        let acknowledged = closing.reply.is_none() || self.wants.unacknowledged.is_empty();
        (acknowledged && self.wants.shared.queue.lock().is_empty()) || Instant::now() >= closing.deadline
    }

    /// Does what a handle asked for; `None` says that no handle is left.
    fn handle(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Subscribe(subscribing)) => {
                // A reader that was dropped before this question was asked is not in its way.
                self.wants.drop_departed();
                self.wants.table.add_reader(subscribing);
            }
            Some(Command::Rebind(reply)) => {
                let _ = reply.send(self.dialer.rebind().map_err(RebindError::Socket));
            }
            Some(Command::Close(reply)) => self.begin_closing(self.options.close_timeout, Some(reply)),
            None => self.begin_closing(FAREWELL, None),
        }
    }

    fn begin_closing(&mut self, timeout: Duration, reply: Option<oneshot::Sender<Result<(), CloseError>>>) {
        self.closing = Some(Closing { deadline: Instant::now() + timeout, reply });
        self.commands.close();
        self.wants.shared.change_gate(|queue| queue.close(Reason::Asked));
    }

    fn tell(&self, state: State) {
        self.wants.shared.state.send_replace(state);
    }

    fn tell_online(&mut self, online: Arc<crate::state::Online>) {
        // Whoever sees that there is a session can publish in it.
        self.wants.connected(online.payload_bytes_max);
        self.tell(State::Online(online));
    }

    /// Tells everyone that it is over. Nothing is left to wait for afterwards.
    fn shut(&mut self, why: Reason) {
        if std::mem::replace(&mut self.is_shut, true) {
            return;
        }
        let unsent = {
            let mut queue = self.wants.shared.queue.lock();
            queue.close(why.clone());
            queue.messages() + self.wants.unacknowledged.len()
        };
        let outcome = || if unsent == 0 { Ok(()) } else { Err(CloseError::Unsent { messages: unsent }) };
        self.tell(State::Closed { why: why.clone() });
        self.wants.unacknowledged.clear(&why);
        self.wants.table.end(&why);
        self.wants.table.wake();
        self.wants.shared.forget_departed();
        self.wants.shared.change_gate(|queue| queue.clear(&why));
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Subscribe(subscribing) => {
                    let _ = subscribing.reply.send(Err(SubscribeError::Closed(why.clone())));
                }
                Command::Rebind(reply) => {
                    let _ = reply.send(Err(RebindError::Closed));
                }
                Command::Close(reply) => {
                    let _ = reply.send(outcome());
                }
            }
        }
        if let Some(reply) = self.closing.take().and_then(|closing| closing.reply) {
            let _ = reply.send(outcome());
        }
    }
}

impl Drop for Driver {
    /// The runtime may end the task at any place; nobody waits for it then.
    fn drop(&mut self) {
        self.shut(Reason::Stopped);
    }
}

/// Waits until a time, or for ever.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
