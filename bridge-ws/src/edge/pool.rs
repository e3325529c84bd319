//! The connections with the broker, and the sessions spread over them; whoever waits for the broker waits here.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use callboard_client::defaults::SESSIONS_A_CONNECTION;
use callboard_client::raw::{Opening, Trunk};
use callboard_client::{BuildError, Builder, Reason, State, States};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::limits::{LANES_AT_FIRST, RESUMED_PER_SECOND};

/// All connections with one broker.
#[derive(Debug)]
pub(super) struct Pool {
    builder: Builder,
    lanes: Mutex<Vec<Arc<Lane>>>,
    lanes_max: usize,
    /// Whether one of them is up.
    is_up: watch::Sender<bool>,
    /// Why the last one that was down is.
    why: Mutex<Option<Reason>>,
    /// Which of both the log was told last.
    told: Mutex<Option<bool>>,
    /// When the next browser may come back.
    turn: Mutex<Instant>,
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

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A wait for the broker.
pub(super) type Turn = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Pool {
    /// A pool of connections like `builder`'s, with room for so many sessions.
    pub(super) fn new(builder: Builder, sessions: usize) -> Result<Arc<Self>, BuildError> {
        let pool = Arc::new(Self {
            builder,
            lanes: Mutex::default(),
            lanes_max: sessions.div_ceil(SESSIONS_A_CONNECTION).max(LANES_AT_FIRST),
            is_up: watch::Sender::new(false),
            why: Mutex::default(),
            told: Mutex::default(),
            turn: Mutex::new(Instant::now()),
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

    /// Why there is none.
    pub(super) fn why(&self) -> Option<Reason> {
        self.why.lock().clone()
    }

    /// Opens a session where the fewest are; `None` if there is no broker.
    pub(super) fn open(self: &Arc<Self>) -> Option<(Seat, Opening)> {
        let mut lanes = self.lanes.lock();
        let taken = |lane: &Arc<Lane>| lane.sessions.load(Ordering::Relaxed);
        let up = lanes.iter().filter(|lane| matches!(lane.trunk.state(), State::Online(_)));
        let mut up: Vec<_> = up.cloned().collect();
        up.sort_by_key(taken);
        let opened = up.into_iter().find_map(|lane| {
            let opening = lane.trunk.open()?;
            lane.sessions.fetch_add(1, Ordering::Relaxed);
            Some((Seat(lane), opening))
        });
        // Before the last place is taken, so that nobody waits for a handshake.
        let sessions: usize = lanes.iter().map(taken).sum();
        if sessions > lanes.len() * SESSIONS_A_CONNECTION * 3 / 4 && lanes.len() < self.lanes_max {
            match self.dial() {
                Ok(lane) => lanes.push(lane),
                Err(error) => tracing::error!(%error, "no further connection with the broker"),
            }
        }
        opened
    }

    /// Ready when there is a broker and it is this browser's turn to come back to it.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        let (pool, mut is_up) = (Arc::downgrade(self), self.is_up.subscribe());
        Box::pin(async move {
            loop {
                if is_up.wait_for(|is_up| *is_up).await.is_err() {
                    return std::future::pending().await;
                }
                let Some(turn) = pool.upgrade().map(|pool| pool.take_turn()) else {
                    return std::future::pending().await;
                };
                sleep_until(turn).await;
                if *is_up.borrow() {
                    return;
                }
            }
        })
    }

    fn take_turn(&self) -> Instant {
        let mut next = self.turn.lock();
        let turn = (*next).max(Instant::now());
        *next = turn + Duration::from_secs(1) / RESUMED_PER_SECOND;
        turn
    }

    /// Ready when there is a broker, or it is known why there is none.
    pub(super) async fn tried(&self) {
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

    fn note(&self, state: &State) {
        if let State::Waiting { why, .. } = state {
            *self.why.lock() = Some(why.clone());
        }
        let lanes = self.lanes.lock();
        let up = lanes.iter().filter(|lane| matches!(lane.trunk.state(), State::Online(_))).count();
        self.is_up.send_if_modified(|is_up| std::mem::replace(is_up, up > 0) != (up > 0));
        let mut told = self.told.lock();
        match state {
            State::Online(online) if *told != Some(true) => {
                *told = Some(true);
                let (ip, port) = (online.broker.ip().to_canonical(), online.broker.port());
                tracing::info!(broker = %SocketAddr::new(ip, port), "the broker is there");
            }
            State::Waiting { why, .. } if up == 0 && *told != Some(false) => {
                *told = Some(false);
                tracing::warn!(%why, "the broker is away; browsers wait for it");
            }
            State::Connecting | State::Online(_) | State::Waiting { .. } | State::Closed { .. } | _ => {}
        }
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
