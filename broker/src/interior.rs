//! The broker without its doors: the channels, the connections and how they come to rest. It owns no socket and no file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::close::{Code, Ending};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::chance::Chance;
use crate::channel::Input;
use crate::clock::Clock;
use crate::config::Config;
use crate::connection::{Drain, Registry, Rules};
use crate::defaults::{SHARDS, SWEEP_EVERY, SWEEPS_A_LOOK};
use crate::directory::Directory;
use crate::door::Local;
use crate::hooks::Hooks;
use crate::identity::{Anonymous, KeyStore};
use crate::limit::{Admission, Budget, Inbox, KeyRates, StallWatch};
use crate::metrics::Metrics;

/// What stands behind the doors. Dropping it ends every connection and every channel at once.
#[derive(Debug)]
pub(crate) struct Interior {
    local: Arc<Local>,
    /// How long a session may hold room that others need without getting on: as long as it may take to open.
    patience: Duration,
}

impl Interior {
    /// Nobody is in, and there is no channel.
    pub(crate) fn new(config: Config, keys: KeyStore, hooks: Hooks, clock: Clock, chance: Chance) -> Self {
        let rules = Rules {
            keys,
            anonymous_publish: match config.anonymous_publish {
                Some(true) => Anonymous::Everywhere,
                None if config.on_loopback() => Anonymous::Here,
                None | Some(false) => Anonymous::Nowhere,
            },
            payload_bytes_max: config.payload_bytes_max,
            subscriptions_max: config.subscriptions_max,
            subscriptions: Budget::new(config.limits.subscriptions),
            limits: config.limits,
            key_rates: KeyRates::new(config.limits.publishes),
            hooks,
        };
        let (patience, metrics) = (config.hello_timeout, Arc::new(Metrics::default()));
        let local = Local {
            registry: Arc::new(Registry::new(Arc::clone(&metrics))),
            rules: Arc::new(rules),
            outbox: config.outbox,
            outboxes: Budget::new(config.limits.outbox_bytes),
            inbox: Inbox::new(config.limits.inbox_bytes),
            partials: Budget::new(config.limits.inbox_bytes),
            windows: Budget::new(config.limits.window_bytes),
            admission: Admission::new(config.limits),
            directory: Arc::new(Directory::new(clock, chance, Arc::new(config), metrics)),
        };
        Self { local: Arc::new(local), patience }
    }

    /// What a door needs to let a peer in.
    pub(crate) fn local(&self) -> &Arc<Local> {
        &self.local
    }

    /// The channels.
    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.local.directory
    }

    /// The connections.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.local.registry
    }

    /// Forgets, for as long as it is polled, what is too old, and ends the sessions whose key was revoked
    /// or that hold what others need.
    pub(crate) fn sweep(&self) -> impl Future<Output = ()> + use<> {
        let (local, patience) = (Arc::clone(&self.local), self.patience);
        async move {
            let mut ticks = interval(SWEEP_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut stalls = StallWatch::new(patience);
            for shard in 0_usize.. {
                ticks.tick().await;
                survive(local.registry.metrics(), || local.directory.sweep(shard));
                if shard % SHARDS == 0 {
                    survive(local.registry.metrics(), || local.admission.sweep(local.directory.now()));
                    survive(local.registry.metrics(), || local.rules.key_rates.sweep(local.directory.now()));
                }
                if shard % SWEEPS_A_LOOK == 0 {
                    survive(local.registry.metrics(), || local.follow_keys());
                    survive(local.registry.metrics(), || local.end_stalled(&mut stalls));
                }
            }
        }
    }

    /// Waits until everything that was read is with its channel, and every channel has handed it out. `others` is ready when
    /// that which another door read is with its channels.
    pub(crate) async fn settle(&self, others: impl Future<Output = ()>) {
        let (done, settled) = mpsc::channel(1);
        for connection in self.registry().actors() {
            // One that is over already has nothing left to hand over.
            let _ = connection.tell(Drain { done: done.clone() }).await;
        }
        until_dropped(done, settled).await;
        others.await;
        let (done, settled) = mpsc::channel(1);
        for mut slot in self.directory().all() {
            self.directory().send_when_there_is_room(&mut slot, Input::Quiesce(done.clone())).await;
        }
        until_dropped(done, settled).await;
    }

    /// Tells each connection when to come back, spread over `spread`, and waits until all are over.
    pub(crate) async fn say_goodbye(&self, spread: Duration) {
        let outboxes = self.registry().outboxes();
        let endings = Ending::of_shutdown(outboxes.len(), spread);
        for (outbox, ending) in outboxes.into_iter().zip(endings) {
            outbox.end(ending);
        }
        let mut count = self.registry().count();
        let _ = count.wait_for(|open| *open == 0).await;
    }
}

impl Drop for Interior {
    fn drop(&mut self) {
        for connection in self.registry().actors() {
            connection.kill();
        }
        // Those of another door have actors that end by themselves.
        for outbox in self.registry().outboxes() {
            outbox.abandon(Ending::plain(Code::ShuttingDown));
        }
        for slot in self.directory().all() {
            slot.kill();
        }
    }
}

/// Does one part of a sweep. One that panics is told and counted, and takes neither the others nor its own next time: without
/// them no revoked key would end a session, and nothing would be forgotten.
fn survive(metrics: &Metrics, part: impl FnOnce()) {
    // What a part changes stands under locks, and is whole at each step.
    if catch_unwind(AssertUnwindSafe(part)).is_err() {
        metrics.panics.add(1);
        tracing::error!("a part of the sweep panicked; it is tried again");
    }
}

async fn until_dropped(last: mpsc::Sender<()>, mut all: mpsc::Receiver<()>) {
    drop(last);
    while all.recv().await.is_some() {}
}
