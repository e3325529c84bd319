//! The connections with the broker, and the sessions spread over them; whoever waits for the broker waits here.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use callboard_client::defaults::SESSIONS_A_CONNECTION;
use callboard_client::raw::{Opening, Session, Trunk};
use callboard_client::{BuildError, Builder, Reason, State, States};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::limits::{DIAL_PAUSE, LANES_AT_FIRST};
use super::metrics::{Metrics, RefusalReason};
use super::outage_log::{LastLogged, wants_operator};
use super::queue::Queue;

/// All connections with one broker.
#[derive(Debug)]
pub(super) struct Pool {
    builder: Builder,
    lanes: Mutex<Vec<Arc<Lane>>>,
    lanes_max: usize,
    /// Whether one of them is up.
    is_up: watch::Sender<bool>,
    /// The browsers that wait for a place on them.
    queue: Queue,
    /// Tells the first of these that a connection came or went.
    changed: Notify,
    /// When a further connection may be tried again.
    dial_after: Mutex<Instant>,
    logged: Mutex<LastLogged>,
    /// Whether the broker refuses this bridge, so that somebody has to do something.
    is_refused: AtomicBool,
    metrics: Arc<Metrics>,
    /// Look at each connection's state; end with the pool.
    watchers: Mutex<JoinSet<()>>,
}

/// One connection.
#[derive(Debug)]
struct Lane {
    trunk: Trunk,
    sessions: AtomicUsize,
}

/// A session's place on a connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Lane>);

impl Seat {
    fn on(lane: Arc<Lane>) -> Self {
        lane.sessions.fetch_add(1, Ordering::Relaxed);
        Self(lane)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a look at all connections shows.
struct Look {
    /// How many are up.
    up: usize,
    /// Whether that was the last one, which is news.
    is_outage: bool,
}

/// A session with the broker, and its place.
pub(super) type Opened = (Seat, Box<Session>);

/// A wait for the broker, which ends with a session there.
pub(super) type Turn = Pin<Box<dyn Future<Output = Opened> + Send>>;

impl Pool {
    /// A pool of connections like `builder`'s, at most so many.
    pub(super) fn new(builder: Builder, lanes_max: usize, metrics: Arc<Metrics>) -> Result<Arc<Self>, BuildError> {
        let pool = Arc::new(Self {
            builder,
            lanes: Mutex::default(),
            lanes_max,
            is_up: watch::Sender::new(false),
            queue: Queue::new(),
            changed: Notify::new(),
            dial_after: Mutex::new(Instant::now()),
            logged: Mutex::default(),
            is_refused: AtomicBool::new(false),
            metrics,
            watchers: Mutex::default(),
        });
        for _ in 0..LANES_AT_FIRST {
            // Under the lock, so that what becomes of it is noted once it is known.
            let mut lanes = pool.lanes.lock();
            lanes.push(pool.dial()?);
        }
        Ok(pool)
    }

    fn dial(self: &Arc<Self>) -> Result<Arc<Lane>, BuildError> {
        let lane = Arc::new(Lane { trunk: self.builder.clone().trunk()?, sessions: AtomicUsize::new(0) });
        self.watchers.lock().spawn(watch(Arc::downgrade(self), lane.trunk.states()));
        Ok(lane)
    }

    /// Whether there is a broker now.
    pub(super) fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    /// Whether the broker refuses this bridge, as one whose key was revoked.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// What is counted of the edge.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How many connections are up, and how many are not.
    pub(super) fn connections(&self) -> (u64, u64) {
        let lanes = self.lanes.lock();
        let up = lanes.iter().filter(|lane| lane.is_up()).count();
        (up as u64, (lanes.len() - up) as u64)
    }

    /// Opens a session where the fewest are; or says that there is no broker, or no place at it.
    pub(super) fn open(self: &Arc<Self>) -> Result<Opened, RefusalReason> {
        let mut lanes = self.lanes.lock();
        let taken = |lane: &Arc<Lane>| lane.sessions.load(Ordering::Relaxed);
        let mut up: Vec<_> = lanes.iter().filter(|lane| lane.is_up()).cloned().collect();
        // Places are given back meanwhile, so that each lane is asked once.
        up.sort_by_cached_key(taken);
        let are_all_up = up.len() == lanes.len();
        let mut reason = RefusalReason::Broker;
        let opened = up.into_iter().find_map(|lane| match lane.open() {
            Ok(session) => Some((Seat::on(lane), Box::new(session))),
            Err(RefusalReason::Place) => {
                reason = RefusalReason::Place;
                None
            }
            Err(RefusalReason::Broker | RefusalReason::Connections | RefusalReason::Address) => None,
        });
        // Before the last place is taken, so that nobody waits for a handshake.
        let sessions: usize = lanes.iter().map(taken).sum();
        let is_crowded = sessions > lanes.len() * SESSIONS_A_CONNECTION * 3 / 4;
        if (is_crowded || opened.is_none() && are_all_up) && lanes.len() < self.lanes_max {
            lanes.extend(self.dial_further());
        }
        opened.ok_or(reason)
    }

    fn dial_further(self: &Arc<Self>) -> Option<Arc<Lane>> {
        let mut after = self.dial_after.lock();
        if Instant::now() < *after {
            return None;
        }
        self.dial()
            .inspect_err(|error| {
                *after = Instant::now() + DIAL_PAUSE;
                tracing::error!(%error, "no further connection with the broker");
            })
            .ok()
    }

    /// Ready when it is this browser's turn to come back to the broker, and there is a place for it: it has that then.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        let pool = Arc::clone(self);
        Box::pin(async move {
            let _first = pool.queue.turn().await;
            let mut is_up = pool.is_up.subscribe();
            loop {
                // The pool has the sender, so there is no error.
                let _ = is_up.wait_for(|is_up| *is_up).await;
                let changed = pool.changed.notified();
                // It may dial a further connection.
                if let Ok(opened) = pool.open() {
                    return opened;
                }
                let dial_after = *pool.dial_after.lock();
                tokio::select! {
                    Some(opened) = pool.open_first() => return opened,
                    () = changed => {}
                    () = sleep_until(dial_after), if Instant::now() < dial_after => {}
                }
            }
        })
    }

    /// Opens a session on whichever connection has a place first; `None` if all of them are lost.
    async fn open_first(&self) -> Option<Opened> {
        let lanes = self.lanes.lock().clone();
        let openings = lanes.into_iter().filter_map(|lane| Some((lane.trunk.open()?, lane)));
        let mut openings: FuturesUnordered<_> = openings
            .map(|(opening, lane)| async move { opening.await.ok().map(|session| (Seat::on(lane), Box::new(session))) })
            .collect();
        while let Some(opened) = openings.next().await {
            if opened.is_some() {
                return opened;
            }
        }
        None
    }

    /// Whether there is a broker now, or else why not. Waits for the first attempt.
    pub(super) async fn reached(&self) -> Result<(), Option<Reason>> {
        self.tried().await;
        // Each connection's state, for those who look at them may not have had their turn.
        if self.look().up > 0 {
            return Ok(());
        }
        let states: Vec<_> = self.lanes.lock().iter().map(|lane| lane.trunk.state()).collect();
        Err(states.into_iter().find_map(|state| {
            let State::Waiting { why, .. } = state else { return None };
            Some(why)
        }))
    }

    /// Ready when there is a broker, or it is known why there is none.
    async fn tried(&self) {
        let mut is_up = self.is_up.subscribe();
        let states: Vec<_> = self.lanes.lock().iter().map(|lane| lane.trunk.states()).collect();
        let tried = async {
            for mut states in states {
                states.wait_for(|state| !matches!(state, State::Connecting)).await;
            }
        };
        tokio::select! {
            _ = is_up.wait_for(|is_up| *is_up) => {}
            () = tried => {}
        }
    }

    /// Says goodbye on all connections, behind the last words of the sessions that were on them.
    pub(super) async fn close(&self) {
        let lanes = self.lanes.lock().clone();
        let mut closing: JoinSet<()> = lanes.into_iter().map(|lane| async move { lane.trunk.close().await }).collect();
        while closing.join_next().await.is_some() {}
    }

    /// Looks how many connections are up; whoever waits for one hears of it.
    fn look(&self) -> Look {
        // Under the lock, so that a later look is not overtaken.
        let lanes = self.lanes.lock();
        let up = lanes.iter().filter(|lane| lane.is_up()).count();
        let is_news = self.is_up.send_if_modified(|is_up| std::mem::replace(is_up, up > 0) != (up > 0));
        Look { up, is_outage: is_news && up == 0 }
    }

    fn note(&self, state: &State) {
        let Look { up, is_outage } = self.look();
        // One that closes its connections itself loses none.
        if is_outage && !matches!(state, State::Closed { .. }) {
            self.metrics.outages.add(1);
        }
        self.changed.notify_waiters();
        match state {
            State::Online(online) => {
                self.is_refused.store(false, Ordering::Relaxed);
                if self.logged.lock().change(LastLogged::Up) {
                    let (ip, port) = (online.broker.ip().to_canonical(), online.broker.port());
                    tracing::info!(broker = %SocketAddr::new(ip, port), "the broker is there");
                }
            }
            State::Waiting { why, .. } if up == 0 => {
                let is_refused = wants_operator(why);
                self.is_refused.store(is_refused, Ordering::Relaxed);
                match self.logged.lock().change(LastLogged::down(why)) {
                    true if is_refused => {
                        tracing::error!(%why, "the broker refuses this bridge; browsers wait until somebody mends that");
                    }
                    true => tracing::warn!(%why, "the broker is away; browsers wait for it"),
                    false => {}
                }
            }
            State::Connecting | State::Waiting { .. } | State::Closed { .. } | _ => {}
        }
    }
}

impl Lane {
    fn is_up(&self) -> bool {
        matches!(self.trunk.state(), State::Online(_))
    }

    /// Opens a session here, if there is a place for it now.
    fn open(&self) -> Result<Session, RefusalReason> {
        self.trunk.open().and_then(Opening::now).ok_or(RefusalReason::Place)?.map_err(|_| RefusalReason::Broker)
    }
}

/// Tells the pool of what becomes of one connection.
async fn watch(pool: Weak<Pool>, mut states: States) {
    let mut state = states.current();
    loop {
        {
            let Some(pool) = pool.upgrade() else { return };
            pool.note(&state);
        }
        match states.next().await {
            Some(next) => state = next,
            None => return,
        }
    }
}
