//! From names to channels: a sharded map of slots. Births and retirements happen here and nowhere else.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use callboard_protocol::{ChannelId, ChannelName, Epoch, Millis};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::chance::Chance;
use crate::channel::{Input, Sent, Slot};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::defaults::{CHANNELS_SPARED, SHARDS};
use crate::faults::{self, Orders, Site};
use crate::limit::Budget;
use crate::metrics::Metrics;

type Shard = HashMap<ChannelName, Arc<Slot>>;

/// A channel's mailbox is full.
#[derive(Debug)]
pub(crate) struct Full {
    /// What it did not take.
    pub(crate) input: Input,
    /// Notified when there is room.
    pub(crate) room: Arc<Notify>,
}

/// The memory that all channels share.
#[derive(Debug)]
pub(crate) struct Budgets {
    /// For what they remember.
    pub(crate) history: Arc<Budget>,
    /// For the ids of publishes.
    pub(crate) publish_ids: Arc<Budget>,
}

/// Every channel that has members, awaits some, or has something to remember.
#[derive(Debug)]
pub(crate) struct Directory {
    shards: Box<[Mutex<Shard>]>,
    chance: Chance,
    last_id: AtomicU64,
    clock: Clock,
    config: Arc<Config>,
    budgets: Budgets,
    channels: AtomicUsize,
    metrics: Arc<Metrics>,
}

impl Directory {
    /// An empty directory.
    pub(crate) fn new(clock: Clock, chance: Chance, config: Arc<Config>, metrics: Arc<Metrics>) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            chance,
            last_id: AtomicU64::new(0),
            clock,
            budgets: Budgets {
                history: Budget::new(config.limits.history_bytes),
                publish_ids: Budget::new(config.limits.publish_id_bytes),
            },
            channels: AtomicUsize::new(0),
            config,
            metrics,
        }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// What the broker counts.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How many channels there are.
    pub(crate) fn channels(&self) -> usize {
        self.channels.load(Ordering::Relaxed)
    }

    /// The memory that all channels share.
    pub(crate) fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// What the history of the channel `name` is bounded by.
    pub(crate) fn history_of(&self, name: &ChannelName) -> config::History {
        self.config.history_of(name)
    }

    /// What channels are to do wrong.
    pub(crate) fn orders(&self) -> Orders {
        Orders::of(&self.config)
    }

    /// How long a channel that nothing happens to stays awake.
    pub(crate) fn channel_idle(&self) -> Duration {
        self.config.channel_idle
    }

    /// How long a channel of which nothing is left waits for members who were lost. Not at all once the directory is nearly
    /// full: those who wait give way before anybody is refused a channel.
    pub(crate) fn grace(&self) -> Duration {
        let most = self.config.limits.channels;
        if self.channels() >= most - most / CHANNELS_SPARED { Duration::ZERO } else { self.config.channel_grace }
    }

    /// The channel of this name, if there is one.
    pub(crate) fn find(&self, name: &ChannelName) -> Option<Arc<Slot>> {
        self.shard(name).lock().get(name).map(Arc::clone)
    }

    /// Whether there are as many channels as there may be.
    pub(crate) fn is_full(&self) -> bool {
        self.channels.load(Ordering::Relaxed) >= self.config.limits.channels
    }

    /// The channel of this name, born if there is none.
    pub(crate) fn slot(&self, name: &ChannelName) -> Arc<Slot> {
        let mut shard = self.shard(name).lock();
        if let Some(slot) = shard.get(name) {
            return Arc::clone(slot);
        }
        let id = ChannelId::saturating(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        let slot = Slot::new(id, name.clone(), self.draw_epoch(), self);
        self.channels.fetch_add(1, Ordering::Relaxed);
        shard.insert(name.clone(), Arc::clone(&slot));
        slot
    }

    /// Gives the channel of `slot` something to do. If the slot was retired meanwhile, `slot` becomes the one that the
    /// channel has now.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the input back when the channel's mailbox is full.
    pub(crate) fn send(self: &Arc<Self>, slot: &mut Arc<Slot>, mut input: Input) -> Result<(), Full> {
        loop {
            let is_leave = matches!(input, Input::Leave(_));
            match slot.send(input, self) {
                Sent::Retired(back) => {
                    self.forget(slot);
                    *slot = self.slot(slot.name());
                    input = back;
                }
                Sent::Full { input, room } => return Err(Full { input, room }),
                Sent::Taken => {
                    if is_leave {
                        self.retire_if_empty(slot);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Hands `input` to the slot's channel, for a caller that may wait until there is room.
    pub(crate) async fn send_when_there_is_room(self: &Arc<Self>, slot: &mut Arc<Slot>, mut input: Input) {
        while let Err(Full { input: back, room }) = self.send(slot, input) {
            let mut notified = pin!(room.notified());
            // Listens before it tries again, so that room made in between is not missed.
            notified.as_mut().enable();
            let Err(Full { input: back, room: now }) = self.send(slot, back) else { return };
            if Arc::ptr_eq(&room, &now) {
                notified.await;
            }
            input = back;
        }
    }

    /// Takes a slot out of the directory if its channel sleeps, nothing is left of it and nobody is waited for.
    pub(crate) fn retire_if_empty(&self, slot: &Arc<Slot>) {
        let mut shard = self.shard(slot.name()).lock();
        if slot.retire_if_empty(self, false) {
            self.remove(&mut shard, slot);
        }
    }

    fn forget(&self, slot: &Arc<Slot>) {
        self.remove(&mut self.shard(slot.name()).lock(), slot);
    }

    fn remove(&self, shard: &mut Shard, slot: &Arc<Slot>) {
        if shard.get(slot.name()).is_some_and(|known| Arc::ptr_eq(known, slot)) {
            shard.remove(slot.name());
            self.channels.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Lets sleeping channels of one shard forget what is too old, and retires those with nothing left.
    pub(crate) fn sweep(&self, shard: usize) {
        self.clock.catch_up();
        let mut shard = self.shards[shard % SHARDS].lock();
        shard.retain(|name, slot| {
            faults::strike(Site::Sweep, name.as_str(), b"panic");
            let is_retired = slot.retire_if_empty(self, true);
            self.channels.fetch_sub(usize::from(is_retired), Ordering::Relaxed);
            !is_retired
        });
        if shard.capacity() > 4 * shard.len() {
            shard.shrink_to_fit();
        }
    }

    /// Every channel, by name: so that a broker ends the same way each time.
    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        let slots = |shard: &Mutex<Shard>| -> Vec<Arc<Slot>> { shard.lock().values().map(Arc::clone).collect() };
        let mut all: Vec<Arc<Slot>> = self.shards.iter().flat_map(slots).collect();
        all.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        all
    }

    /// Whether a simulation pretends that somebody else is at a channel: in its one thread nobody ever is.
    pub(crate) fn pretends_contention(&self) -> bool {
        self.chance.pretends_contention()
    }

    /// Draws the name of a channel's new life.
    pub(crate) fn draw_epoch(&self) -> Epoch {
        self.chance.epoch()
    }

    fn shard(&self, name: &ChannelName) -> &Mutex<Shard> {
        &self.shards[usize::try_from(self.chance.hash(name) % SHARDS as u64).unwrap_or_default()]
    }
}
